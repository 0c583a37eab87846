"""RAVF in every layout, damaged and whole."""

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats import open_source
from ingest.gps_status import Almanac, Fix
from ingest.ravf.source import RavfStack
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat
from reduction.cores import at_most
from reduction.errors import DataError
from reduction.timing import UNKNOWN_NS
from tests.contracts.sources import Recording, StackContract, collect
from tests.fuzzing import COUNT, endure, mutations
from tests.ingest.ravf_stacks import MID, STARTS, STEP, T0, caveats, message, opened, sky
from tests.ingest.ravf_writer import MAGIC_2010_NS, Entry, ravf_entry, write_ravf
from tests.ingest.ser_writer import utc_ns


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("image_format", range(6))
class TestEveryFormat(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path, image_format: int, padding: int) -> Recording:
        frames = sky([8, 16, 10, 12, 10, 12][image_format])
        path = write_ravf(
            tmp_path / "a.ravf", frames, image_format=image_format, padding=padding * 2, stamps_ns=STARTS
        )
        return Recording([path], "ravf", frames, MID)


class TestBigEndian(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        path = write_ravf(tmp_path / "a.ravf", sky(16), big=True, stamps_ns=STARTS)
        return Recording([path], "ravf", sky(16), MID)


class TestWithoutIndex(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        path = write_ravf(tmp_path / "a.ravf", sky(12), image_format=3, closed=False, stamps_ns=STARTS)
        return Recording([path], "ravf", sky(12), MID)


class TestColour(StackContract):
    @pytest.fixture(params=[(9, 0), (10, 0), (9, 1), (10, 3), (9, 2)])
    def recording(self, tmp_path: Path, request: pytest.FixtureRequest) -> Recording:
        colour, image_format = request.param
        bits = [8, 16, 10, 12][image_format]
        bands = np.stack([sky(bits, seed=band) // (band + 1) for band in range(3)], axis=1)
        stored = np.moveaxis(bands[:, ::-1] if colour == 10 else bands, 1, -1).reshape(9, 13, 54)
        path = write_ravf(
            tmp_path / "a.ravf", stored, image_format=image_format, colour=colour, stamps_ns=STARTS
        )
        return Recording([path], "ravf", bands, MID, "rgb")


@pytest.mark.parametrize(
    ("code", "colour"),
    list(enumerate(["mono", "rggb", "grbg", "gbrg", "bggr", "cyym", "ycmy", "ymcy", "myyc", "rgb", "rgb"])),
)
def test_colour_types(tmp_path: Path, code: int, colour: str) -> None:
    assert opened(write_ravf(tmp_path / "a.ravf", sky(8), image_format=0, colour=code)).info.colour == colour


@given(
    st.integers(0, 5),
    st.integers(1, 9),
    st.integers(1, 23),
    st.integers(0, 7),
    st.sampled_from([41, 101, 512]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    image_format: int,
    height: int,
    width: int,
    pad: int,
    head: int,
    seed: int,
) -> None:
    bits = [8, 16, 10, 12, 10, 12][image_format]
    frames = np.random.default_rng(seed).integers(0, 1 << bits, (3, height, width))
    frames = frames.astype(np.uint8 if bits == 8 else np.uint16)
    path = tmp_path_factory.mktemp("r") / "a.ravf"
    write_ravf(path, frames, image_format=image_format, padding=2 * pad, head=head)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 3), frames)
    assert stack.info.bit_depth == bits
    stack.close()


def test_header_entries_are_kept(tmp_path: Path) -> None:
    info = opened(write_ravf(tmp_path / "a.ravf", sky(8), image_format=0)).info
    assert info.metadata["observer"] == "Ä. Observer"
    assert (info.metadata["telescope"], info.metadata["object"]) == ("Telescope", "(411) Xanthe")
    assert (info.metadata["gain"], info.metadata["latitude"]) == ("8.5", "-33.5")
    assert info.exposure_s == pytest.approx(0.04)
    assert info.gain_e_per_adu is None
    assert info.metadata["gps"] == "9 satellites, time and position fix, almanac certain"


def test_zeros_are_no_place(tmp_path: Path) -> None:
    extra: list[Entry] = [("LONGITUDE", 9, 0.0), ("RA", 9, 0.0), ("DEC", 9, 0.0)]
    path = write_ravf(tmp_path / "a.ravf", sky(8), image_format=0, extra=extra, recorder="Astrid")
    metadata = opened(path).info.metadata
    assert (metadata["latitude"], metadata["longitude"]) == ("-33.5", "0")
    assert not {"ra", "declination"} & set(metadata)
    assert metadata["gps"].endswith("(when the recording began)")


def test_stamps_are_the_start_and_the_option_overrules(tmp_path: Path) -> None:
    path = write_ravf(tmp_path / "a.ravf", sky(8), image_format=0, stamps_ns=STARTS)
    times = opened(path).times
    assert (times.meaning, times.source) == ("start", "RAVF frame headers")
    np.testing.assert_array_equal(times.mid_ns, MID)
    np.testing.assert_allclose(times.sigma_s, 1e-6)
    np.testing.assert_array_equal(opened(path, TimeOptions(meaning="end")).times.mid_ns, MID - STEP)


def test_accuracy_that_is_not_stated_is_a_caveat(tmp_path: Path) -> None:
    stack = opened(write_ravf(tmp_path / "a.ravf", sky(8), image_format=0, accuracy_ns=0))
    assert caveats(stack) == {Caveat.ACCURACY_UNSTATED}


def test_frames_that_are_not_light_are_left_out(tmp_path: Path) -> None:
    frames = sky(8)
    path = write_ravf(
        tmp_path / "a.ravf", frames, image_format=0, kinds=[2, 0, 0, 3, 0, 1, 0, 9, 2], stamps_ns=STARTS
    )
    stack = opened(path)
    lights = [1, 2, 4, 6, 7]
    np.testing.assert_array_equal(stack.read(0, 5), frames[lights])
    np.testing.assert_array_equal(stack.times.mid_ns, MID[lights])
    assert stack.info.metadata["frame_types"] == "1 bias, 2 dark, 1 flat, 5 light"
    assert "4 frames" in message(stack, Caveat.FRAMES_EXCLUDED)
    assert "type 9" in message(stack, Caveat.IMAGE_TYPE_UNKNOWN)
    assert Caveat.FRAMES_DROPPED not in caveats(stack)


def test_a_file_of_darks_is_read_as_it_is(tmp_path: Path) -> None:
    stack = opened(write_ravf(tmp_path / "a.ravf", sky(8), image_format=0, kinds=[2] * 9))
    assert stack.info.frames == 9
    assert stack.info.metadata["frame_types"] == "9 dark"


class TestDroppedFrames:
    def stack(
        self, path: Path, sequence: list[int], skipped: list[int] | None = None, **more: Any
    ) -> RavfStack:
        """Frames whose stamps skip as many cadences before each as `skipped` says."""
        steps = np.cumsum(np.ones(len(sequence), np.int64) + np.array(skipped or [0] * len(sequence)))
        stamps = [T0 + int(step) * STEP for step in steps]
        return opened(
            write_ravf(
                path / "a.ravf",
                sky(8, len(sequence)),
                image_format=0,
                sequence=sequence,
                stamps_ns=stamps,
                **more,
            )
        )

    def test_jumps_of_the_counter(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, [5, 6, 9, 10, 11, 13, 14], [0, 0, 2, 0, 0, 1, 0])
        assert message(stack, Caveat.FRAMES_DROPPED).endswith(
            "dropped, by the frame counter: 3: 2 before frame 2, 1 before frame 5"
        )
        np.testing.assert_allclose(stack.times.sigma_s, 1e-6)
        assert Caveat.TIME_GAPS in caveats(stack)

    def test_stamps_that_hide_them_are_unsure(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, [5, 6, 9, 10, 11, 13, 14])
        np.testing.assert_allclose(stack.times.sigma_s, np.array([0, 0, 2, 2, 2, 3, 3]) * 0.04, atol=2e-6)
        assert "0.12 s early" in message(stack, Caveat.FRAMES_DROPPED)

    def test_stamps_that_catch_up_are_sure_again(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, [5, 6, 8, 9, 10, 11, 12, 13], [0, 0, 0, 0, 1, 0, 0, 0])
        np.testing.assert_allclose(stack.times.sigma_s, np.array([0, 0, 1, 1, 0, 0, 0, 0]) * 0.04, atol=2e-6)

    def test_a_counter_of_eight_bits_turns_over(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, [253, 254, 255, 0, 1, 2])
        assert Caveat.FRAMES_DROPPED not in caveats(stack)
        stack = self.stack(tmp_path, [253, 254, 255, 3, 4, 5], [0, 0, 0, 3, 0, 0])
        assert "counter: 3: 3 before frame 3" in message(stack, Caveat.FRAMES_DROPPED)

    def test_stamps_tell_how_often_it_turned(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, [10, 11, 12, 15, 16, 17], [0, 0, 0, 258, 0, 0])
        assert "counter: 258: 258 before frame 3" in message(stack, Caveat.FRAMES_DROPPED)

    def test_a_counter_of_sixteen_bits_turns_over(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, [65533, 65534, 65535, 1, 2, 3], [0, 0, 0, 1, 0, 0])
        assert "counter: 1: 1 before frame 3" in message(stack, Caveat.FRAMES_DROPPED)

    def test_a_counter_that_is_not_kept_says_nothing(self, tmp_path: Path) -> None:
        assert not caveats(self.stack(tmp_path, [0] * 6))

    def test_a_counter_that_goes_back(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, [1000, 1001, 1001, 1002, 998, 999])
        assert "at 2 frames, first at frame 2" in message(stack, Caveat.COUNTER_BACKWARD)

    def test_frames_left_out_are_not_dropped(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, [1, 2, 3, 4, 6, 7], kinds=[2, 2, 0, 0, 0, 0])
        assert "1 before frame 2" in message(stack, Caveat.FRAMES_DROPPED)


class TestReceiver:
    def stack(self, path: Path, rows: dict[int, dict[str, int]], **more: Any) -> RavfStack:
        return opened(write_ravf(path / "a.ravf", sky(8), image_format=0, gps=rows, stamps_ns=STARTS, **more))

    def test_an_uncertain_almanac_makes_whole_seconds_unsure(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, {3: {"almanac": 1}, 4: {"almanac": 1, "offset": 2}})
        np.testing.assert_allclose(stack.times.sigma_s, [0, 0, 0, 1, 2, 0, 0, 0, 0], atol=1e-5)
        assert "2 of 9 frames, first at frame 3" in message(stack, Caveat.GPS_ALMANAC)
        np.testing.assert_array_equal(stack.times.mid_ns, MID)

    def test_no_fix(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, {7: {"fix": 0, "satellites": 0}, 8: {"fix": 1}})
        assert "2 of 9 frames" in message(stack, Caveat.GPS_FIX)
        assert stack.gps.fix.tolist() == [3] * 7 + [0, 1]
        assert stack.gps.satellites.tolist() == [9] * 7 + [0, 9]

    def test_codes_outside_the_format_are_unknown(self, tmp_path: Path) -> None:
        stack = self.stack(tmp_path, {0: {"almanac": 200, "fix": 99}})
        assert (stack.gps.almanac[0], stack.gps.fix[0]) == (Almanac.UNKNOWN, Fix.UNKNOWN)
        assert not caveats(stack)

    @pytest.mark.parametrize(
        ("status", "offset", "fix", "expected"),
        [
            (0x07, 18, 3, set()),
            (0x0B, 18, 2, set()),
            (0x13, 18, 3, {Caveat.GPS_ALMANAC}),
            (0x07, 17, 3, {Caveat.GPS_ALMANAC}),
            (0x05, 18, 3, {Caveat.GPS_FIX}),
            (0x07, 18, 1, {Caveat.GPS_FIX}),
            (0x00, 0, 0, {Caveat.GPS_FIX, Caveat.GPS_ALMANAC}),
        ],
    )
    def test_astrids_status_byte_is_its_own(
        self, tmp_path: Path, status: int, offset: int, fix: int, expected: set[Caveat]
    ) -> None:
        rows = {i: {"almanac": status, "offset": offset, "fix": fix} for i in range(9)}
        stack = self.stack(tmp_path, rows, recorder="Astrid", accuracy_ns=4)
        assert caveats(stack) == expected
        if not expected:
            np.testing.assert_allclose(stack.times.sigma_s, 5e-7)

    def test_stamps_and_exposures_that_cannot_be_are_unknown(self, tmp_path: Path) -> None:
        stamps = [*STARTS[:4], 0, *STARTS[5:]]
        path = write_ravf(tmp_path / "a.ravf", sky(8), image_format=0, stamps_ns=stamps, exposure_ns=0)
        stack = opened(path)
        assert stack.times.mid_ns[4] == UNKNOWN_NS
        assert {Caveat.TIMES_PARTIAL, Caveat.EXPOSURE_ASSUMED} <= caveats(stack)
        shutter = [("INSTRUMENT-SHUTTER", 7, 20_000_000)]
        write_ravf(path, sky(8), image_format=0, stamps_ns=STARTS, exposure_ns=0, extra=shutter)
        np.testing.assert_array_equal(opened(path).times.mid_ns, np.array(STARTS) + 10_000_000)


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return write_ravf(tmp_path / "a.ravf", sky(12), image_format=3, stamps_ns=STARTS)

    def places(self, path: Path) -> list[int]:
        data, magic, at = path.read_bytes(), (0xAF8ABD3C2A98CA3F).to_bytes(8, "little"), -1
        return [at for _ in range(data.count(magic)) if (at := data.find(magic, at + 1)) >= 0]

    def patch(self, path: Path, place: int, content: bytes) -> RavfStack:
        data = bytearray(path.read_bytes())
        data[place : place + len(content)] = content
        path.write_bytes(data)
        return opened(path)

    def test_a_crash_leaves_the_whole_frames(self, tmp_path: Path) -> None:
        path = write_ravf(tmp_path / "a.ravf", sky(12), image_format=3, stamps_ns=STARTS, closed=False)
        os.truncate(path, path.stat().st_size - 100)
        stack = opened(path)
        np.testing.assert_array_equal(stack.read(0, 8), sky(12)[:8])
        np.testing.assert_array_equal(stack.times.mid_ns, MID[:8])
        assert "not closed" in message(stack, Caveat.FILE_TRUNCATED)

    def test_a_damaged_frame_header_costs_its_time_not_the_frame(self, path: Path) -> None:
        stack = self.patch(path, self.places(path)[4] + 8, b"\xff" * 20)
        np.testing.assert_array_equal(stack.read(0, 9), sky(12))
        np.testing.assert_array_equal(np.delete(stack.times.mid_ns, 4), np.delete(MID, 4))
        assert stack.times.known.all()  # the index still has its stamp
        assert "1 of 9" in message(stack, Caveat.FRAME_HEADERS_DAMAGED)
        assert stack.gps.fix[4] == Fix.UNKNOWN

    def test_without_an_index_it_has_no_time(self, tmp_path: Path) -> None:
        path = write_ravf(tmp_path / "a.ravf", sky(12), image_format=3, stamps_ns=STARTS, closed=False)
        stack = self.patch(path, self.places(path)[4], b"\0" * 30)
        np.testing.assert_array_equal(stack.read(0, 9), sky(12))
        assert np.flatnonzero(~stack.times.known).tolist() == [4]
        assert Caveat.FRAMES_DROPPED not in caveats(stack)

    @pytest.mark.parametrize("content", [b"\xff" * 4, b"\0" * 4, struct.pack("<I", 8)])
    def test_a_damaged_index_is_done_without(self, path: Path, content: bytes) -> None:
        place = path.stat().st_size - 4 - 9 * 16
        stack = self.patch(path, place, content)
        assert stack.info.frames == (8 if content == struct.pack("<I", 8) else 9)
        np.testing.assert_array_equal(stack.read(0, 8), sky(12)[:8])
        assert caveats(stack) & {Caveat.FILE_TRUNCATED, Caveat.FRAME_COUNT_WRONG}

    def test_an_index_that_points_elsewhere_is_done_without(self, path: Path) -> None:
        place = path.stat().st_size - 5 * 16
        stack = self.patch(path, place, struct.pack("<Q", 3))
        np.testing.assert_array_equal(stack.read(0, 9), sky(12))
        assert "damaged" in message(stack, Caveat.FILE_TRUNCATED)

    def test_a_wrong_count_is_put_right(self, tmp_path: Path) -> None:
        stack = opened(write_ravf(tmp_path / "a.ravf", sky(8), image_format=0, count=7))
        assert stack.info.frames == 9
        assert Caveat.FRAME_COUNT_WRONG in caveats(stack)

    def test_frames_far_from_where_they_should_be_are_found(self, path: Path) -> None:
        stack = self.patch(path, 10 + len(ravf_entry("OFFSET-FRAMES", 7, 0)) - 8, b"\x01" * 8)
        np.testing.assert_array_equal(stack.read(0, 9), sky(12))

    @pytest.mark.parametrize(
        ("key", "kind", "value", "says"),
        [
            ("IMAGE-WIDTH", 5, 0, "IMAGE-WIDTH = 0"),
            ("IMAGE-WIDTH", 5, 65_537, "IMAGE-WIDTH = 65537"),
            ("IMAGE-HEIGHT", 5, 2**32 - 1, "IMAGE-HEIGHT"),
            ("IMAGE-HEIGHT", 5, 1300, "frame 0 holds"),
            ("IMAGE-ROW-STRIDE", 5, 26, "18 samples of packed 12 bit take 27"),
            ("IMAGE-ROW-STRIDE", 5, 2700, "frame 0 holds"),
            ("IMAGE-FORMAT", 1, 6, "IMAGE-FORMAT = 6"),
            ("COLOR-TYPE", 1, 11, "COLOR-TYPE = 11"),
        ],
    )
    def test_a_header_that_lies_is_one_clear_error(
        self, path: Path, key: str, kind: int, value: int, says: str
    ) -> None:
        name = struct.pack("<H", len(key)) + key.encode() + bytes([kind])
        place = path.read_bytes().find(name) + len(name)
        with pytest.raises(DataError, match=r"a\.ravf: .*" + says):
            self.patch(path, place, value.to_bytes(4 if kind == 5 else 1, "little"))

    @pytest.mark.parametrize(
        ("place", "content", "says"),
        [
            (4, b"\x02\x00", "version 2"),
            (6, b"\xff\xff\xff\xff", "4294967295 entries"),
            (6, b"\xe8\x03\x00\x00", "entry"),
            (10, b"\xff\xff", "cut off"),
            (10 + 2 + 13, b"\x0c", "type 12"),
        ],
    )
    def test_a_damaged_header_is_one_clear_error(
        self, path: Path, place: int, content: bytes, says: str
    ) -> None:
        with pytest.raises(DataError, match=r"a\.ravf: .*" + says):
            self.patch(path, place, content)

    def test_no_frame_at_all(self, path: Path) -> None:
        os.truncate(path, self.places(path)[0])
        with pytest.raises(DataError, match="no frame follows"):
            opened(path)
        write_ravf(path, sky(12), image_format=3)
        os.truncate(path, self.places(path)[0] + 200)
        with pytest.raises(DataError, match="no whole frame"):
            opened(path)

    def test_a_file_that_shrinks_after_opening_is_an_error(self, path: Path) -> None:
        stack = opened(path)
        os.truncate(path, self.places(path)[3])
        with pytest.raises(DataError, match=r"a\.ravf"):
            stack.read(2, 5)


def test_the_same_on_one_core_and_on_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.ravf.samples.PIECE_BYTES", 2000)
    frames = sky(10, 40)
    stack = opened(write_ravf(tmp_path / "a.ravf", frames, image_format=2, padding=4))
    with at_most(1):
        np.testing.assert_array_equal(stack.read(0, 40), frames)
    monkeypatch.setattr("reduction.cores.cores", lambda: 4)
    np.testing.assert_array_equal(stack.read(3, 40), frames[3:])


def test_a_real_recordings_geometry(tmp_path: Path) -> None:
    """Astrid's camera: 1456 packed pixels take 1820 of 1824 bytes, a frame 101 + 1824 x 1088."""
    frames = np.tile(sky(10, 2, 16, 1456), (1, 68, 1))
    path = write_ravf(tmp_path / "a.ravf", frames, image_format=2, padding=4, recorder="Astrid")
    stack = opened(path)
    assert np.diff(stack._places).tolist() == [1_984_613]
    np.testing.assert_array_equal(stack.read(1, 2), frames[1:])


def test_mutated_inputs_end_in_frames_or_in_a_clear_error(tmp_path: Path) -> None:
    small: dict[str, Any] = {"stamps_ns": STARTS[:4], "extra": [("A", 10, 1.5), ("B", 6, -3)]}
    wholes = []
    for image_format in range(6):
        bits = [8, 16, 10, 12, 10, 12][image_format]
        path = tmp_path / f"{image_format}.ravf"
        write_ravf(path, sky(bits, 4, 7, 8), image_format=image_format, padding=image_format, **small)
        wholes.append(path.read_bytes())

    def read(path: Path) -> None:
        source = open_source(path)
        try:
            assert collect(source, 3).shape == source.info.shape
            assert source.times.mid_ns.shape == (source.info.frames,)
        finally:
            source.close()

    for whole in wholes:  # compiles what decodes them, which is not to be timed
        (tmp_path / "whole.ravf").write_bytes(whole)
        read(tmp_path / "whole.ravf")
    outcomes = endure(tmp_path / "damaged.ravf", mutations(wholes, COUNT, 700), read, "ravf")
    assert outcomes["read"] > COUNT // 10
    assert outcomes["DataError"] > COUNT // 10


def test_epoch() -> None:
    assert utc_ns("2010-01-01T00:00:00") == MAGIC_2010_NS
