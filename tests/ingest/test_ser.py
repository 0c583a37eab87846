import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest import rawfile
from ingest.formats import open_in_place, open_source
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat
from reduction.errors import DataError, UmbraError
from reduction.stack import InPlace, Stack
from tests.contracts.sources import Recording, StackContract, collect
from tests.ingest.ser_writer import ser_header, starry, utc_ns, write_ser

T0 = utc_ns("2026-03-01T21:00:00") + 123_456_700
STAMPS = [T0 + i * 40_000_000 for i in range(9)]


def caveats(stack: Stack) -> set[Caveat]:
    return {note.caveat for note in (*stack.info.notes, *stack.times.notes)}


def opened(path: Path, times: TimeOptions | None = None) -> Stack:
    stack = open_in_place(path, times)
    assert stack is not None
    return stack


class TestMono8(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = starry(9, 13, 17, sky=40, peak=150, top=255)
        path = write_ser(tmp_path / "mono.ser", frames, stamps_ns=STAMPS)
        return Recording([path], "ser", frames, np.array(STAMPS))


class TestMono16Little(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = starry(9, 13, 17, sky=900, peak=9000, top=65535)
        path = write_ser(tmp_path / "little.ser", frames, stamps_ns=STAMPS)
        return Recording([path], "ser", frames, np.array(STAMPS))


class TestMono16Big(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = starry(9, 13, 17, sky=900, peak=9000, top=65535)
        path = write_ser(tmp_path / "big.ser", frames, big=True, flag=1)
        return Recording([path], "ser", frames)


class TestBayer12(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = starry(9, 12, 18, sky=300, peak=2000, top=4095)
        frames[:, ::2, ::2] //= 3
        path = write_ser(tmp_path / "bayer.ser", frames, colour=10, depth=12, stamps_ns=STAMPS, kind_bits=1)
        return Recording([path], "ser", frames, np.array(STAMPS), "gbrg")


@pytest.mark.parametrize("top", [255, 65535])
class TestRgb(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path, top: int) -> Recording:
        frames = _coloured(top)
        path = write_ser(tmp_path / "rgb.ser", np.moveaxis(frames, 1, -1), colour=100, stamps_ns=STAMPS)
        return Recording([path], "ser", frames, np.array(STAMPS), "rgb")


class TestBgr(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = _coloured(255)
        path = write_ser(tmp_path / "bgr.ser", np.moveaxis(frames[:, ::-1], 1, -1), colour=101)
        return Recording([path], "ser", frames, None, "rgb")


def _coloured(top: int) -> NDArray[Any]:
    bands = [starry(9, 11, 14, sky=top / 6, peak=top / (2 + band), top=top, seed=band) for band in range(3)]
    return np.stack(bands, axis=1)


def test_header_texts_and_start_are_kept(tmp_path: Path) -> None:
    info = opened(write_ser(tmp_path / "a.ser", starry(2, 8, 8, sky=9, peak=9, top=255))).info
    assert info.metadata["observer"] == "A. Observer"
    assert info.metadata["instrument"] == "Camera 1"
    assert info.metadata["telescope"] == "Telescope"
    assert info.metadata["ser_start_utc"].startswith("2023-11-14T22:13:20")
    assert (info.bit_depth, info.exposure_s, info.gain_e_per_adu) == (8, None, None)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("flag", [0, 1])
@pytest.mark.parametrize(
    ("sky", "peak", "depth"),
    [(900, 20000, 16), (30, 3000, 12), (300, 900, 10), (100, 9000, 14), (30, 30000, 16)],
)
def test_byte_order_follows_the_pixels_not_the_flag(
    tmp_path: Path, big: bool, flag: int, sky: float, peak: float, depth: int
) -> None:
    frames = starry(4, 40, 50, sky=sky, peak=peak, top=2**depth - 1).astype(np.uint16)
    stack = opened(write_ser(tmp_path / "a.ser", frames, depth=depth, big=big, flag=flag))
    np.testing.assert_array_equal(stack.read(0, 4), frames)
    assert (Caveat.BYTE_ORDER_SETTLED in caveats(stack)) == (big != bool(flag))
    assert stack.info.bit_depth == depth
    assert stack.info.metadata["byte_order"].startswith("big" if big else "little")


@pytest.mark.parametrize("flag", [0, 1])
@pytest.mark.parametrize("fill", [0, 0x0101, 0x4200])
def test_byte_order_of_featureless_pixels_is_the_flags_usual_meaning(
    tmp_path: Path, flag: int, fill: int
) -> None:
    frames = np.full((3, 8, 8), fill, np.uint16)
    stack = opened(write_ser(tmp_path / "a.ser", frames, depth=16, big=flag == 1, flag=flag))
    np.testing.assert_array_equal(stack.read(0, 3), frames)
    assert Caveat.BYTE_ORDER_SETTLED not in caveats(stack)


@pytest.mark.parametrize("big", [False, True])
def test_values_scaled_to_16_bits_are_kept_and_said(tmp_path: Path, big: bool) -> None:
    frames = starry(3, 30, 40, sky=200, peak=2000, top=4095) << 4
    stack = opened(write_ser(tmp_path / "a.ser", frames, depth=12, big=big))
    np.testing.assert_array_equal(stack.read(0, 3), frames)
    assert stack.info.bit_depth == 16
    assert "12 bits" in stack.info.metadata["scaling"]


@pytest.mark.parametrize("count", [0, -3, 4, 2_000_000_000])
def test_wrong_count_with_trailer_is_put_right_by_size(tmp_path: Path, count: int) -> None:
    frames = starry(9, 13, 17, sky=40, peak=150, top=255)
    stack = opened(write_ser(tmp_path / "a.ser", frames, stamps_ns=STAMPS, count=count))
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    np.testing.assert_array_equal(stack.times.mid_ns, STAMPS)
    assert Caveat.FRAME_COUNT_WRONG in caveats(stack)


@pytest.mark.parametrize(
    ("count", "caveat"),
    [(0, Caveat.FRAME_COUNT_WRONG), (4, Caveat.FRAME_COUNT_WRONG), (12, Caveat.FILE_TRUNCATED)],
)
def test_wrong_count_without_trailer(tmp_path: Path, count: int, caveat: Caveat) -> None:
    frames = starry(9, 13, 17, sky=40, peak=150, top=255)
    stack = opened(write_ser(tmp_path / "a.ser", frames, count=count))
    np.testing.assert_array_equal(stack.read(0, stack.info.frames), frames)
    assert caveat in caveats(stack)
    assert Caveat.TIMES_ABSENT in caveats(stack)


def test_a_cut_frame_is_left_out(tmp_path: Path) -> None:
    frames = starry(9, 13, 17, sky=40, peak=150, top=255)
    path = write_ser(tmp_path / "a.ser", frames, stamps_ns=STAMPS)
    os.truncate(path, 178 + 13 * 17 * 5 + 100)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, stack.info.frames), frames[:5])
    assert Caveat.FILE_TRUNCATED in caveats(stack)
    assert not stack.times.known.any()


@pytest.mark.parametrize("side", [2, 13])
def test_a_cut_trailer_gives_no_times(tmp_path: Path, side: int) -> None:
    frames = starry(9, 13, 17, sky=40, peak=150, top=255)[:, :side, :side]
    path = write_ser(tmp_path / "a.ser", frames, stamps_ns=STAMPS)
    os.truncate(path, path.stat().st_size - 8)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, stack.info.frames), frames)
    assert Caveat.FILE_TRUNCATED in caveats(stack)
    assert not stack.times.known.any()


def test_a_trailer_that_cannot_be_times_is_none(tmp_path: Path) -> None:
    frames = starry(9, 13, 17, sky=40, peak=150, top=255)
    stack = opened(write_ser(tmp_path / "a.ser", frames, stamps_ns=[-(10**17)] * 9))
    assert stack.info.frames == 9
    assert not stack.times.known.any()


def test_stamps_without_meaning_are_taken_as_mid_and_said(tmp_path: Path) -> None:
    frames = starry(9, 13, 17, sky=40, peak=150, top=255)
    path = write_ser(tmp_path / "a.ser", frames, stamps_ns=STAMPS)
    times = opened(path).times
    assert {Caveat.TIME_MEANING_ASSUMED, Caveat.EXPOSURE_ASSUMED} <= {note.caveat for note in times.notes}
    np.testing.assert_allclose(times.sigma_s, 0.02, rtol=1e-6)
    np.testing.assert_allclose(times.exposure_s, 0.04)
    assert times.source == "SER trailer"


@pytest.mark.parametrize(("meaning", "shift_ns"), [("start", 20_000_000), ("mid", 0), ("end", -20_000_000)])
def test_time_is_moves_to_mid_exposure(tmp_path: Path, meaning: Any, shift_ns: int) -> None:
    frames = starry(9, 13, 17, sky=40, peak=150, top=255)
    path = write_ser(tmp_path / "a.ser", frames, stamps_ns=STAMPS)
    times = opened(path, TimeOptions(meaning=meaning)).times
    np.testing.assert_array_equal(times.mid_ns, np.array(STAMPS) + shift_ns)
    assert Caveat.TIME_MEANING_ASSUMED not in {note.caveat for note in times.notes}
    assert times.sigma_s.max() < 1e-6
    (entry,) = times.ledger
    assert entry.value_s == pytest.approx(shift_ns * 1e-9)


@pytest.mark.parametrize(
    "damage",
    [
        {"width": 0},
        {"width": -5},
        {"height": 2**31 - 1},
        {"width": 60000, "height": 60000},
        {"depth": 0},
        {"depth": 33},
        {"colour": 7},
    ],
)
def test_lying_header_is_a_data_error(tmp_path: Path, damage: dict[str, int]) -> None:
    path = tmp_path / "liar.ser"
    fields = {"width": 16, "height": 16, "frames": 4} | damage
    path.write_bytes(ser_header(**fields) + bytes(1024))
    with pytest.raises(DataError, match=r"liar\.ser"):
        open_source(path)


def test_zero_frames_is_a_data_error(tmp_path: Path) -> None:
    path = tmp_path / "none.ser"
    path.write_bytes(ser_header(width=16, height=16, frames=0))
    with pytest.raises(DataError, match=r"none\.ser: no whole frame"):
        open_source(path)


def test_read_after_close_is_refused(tmp_path: Path) -> None:
    stack = opened(write_ser(tmp_path / "a.ser", starry(2, 8, 8, sky=9, peak=9, top=255)))
    stack.close()
    with pytest.raises(ValueError, match="after close"):
        stack.read(0, 1)


def test_a_file_that_shrinks_while_open_is_a_data_error(tmp_path: Path) -> None:
    path = write_ser(tmp_path / "a.ser", starry(4, 8, 8, sky=9, peak=9, top=255))
    stack = opened(path)
    os.truncate(path, 200)
    assert isinstance(stack, InPlace)
    for read in (stack.read, stack.look):
        with pytest.raises(DataError, match=r"a\.ser.* has shrunk"):
            read(2, 4)


@pytest.mark.parametrize("mappable", [True, False])
def test_frames_are_looked_at_in_place_on_a_built_in_disk_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mappable: bool
) -> None:
    monkeypatch.setattr(
        rawfile, "SAFE_TO_MAP", {rawfile._file_system(tmp_path.stat().st_dev)} if mappable else set()
    )
    frames = starry(4, 8, 8, sky=9, peak=9, top=255)
    stack = opened(write_ser(tmp_path / "a.ser", frames))
    assert isinstance(stack, InPlace)
    seen = stack.look(1, 4)
    assert seen.flags.writeable is not mappable
    stack.close()
    np.testing.assert_array_equal(seen, frames[1:4])  # what was looked at outlives the stack
    with pytest.raises(ValueError, match="after close"):
        stack.look(1, 4)


def test_damaged_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    frames = starry(5, 13, 17, sky=900, peak=9000, top=65535)
    whole = write_ser(tmp_path / "a.ser", frames, stamps_ns=STAMPS[:5]).read_bytes()
    rng = np.random.default_rng(7)
    path = tmp_path / "damaged.ser"
    outcomes, named = set(), set()
    for _ in range(400):
        data = bytearray(whole)
        for place in rng.integers(14, 178, rng.integers(1, 6)):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data[: rng.integers(1, len(data) + 1)]) if rng.random() < 0.3 else data)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            source = open_source(path)
            assert collect(source, 3).shape == source.info.shape
            source.close()
            outcomes.add("read")
        except UmbraError as error:
            outcomes.add(type(error).__name__)
            named.add("damaged.ser" in str(error))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert outcomes == {"read", "DataError"}
    assert named == {True}
