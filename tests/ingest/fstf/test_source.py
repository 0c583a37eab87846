"""ADV and AAV files of every layout and compression, by the contract suite and against their truth."""

import os
import resource
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.formats import open_in_place, open_source
from ingest.fstf.source import FstfStack
from ingest.rawfile import RawFile
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat
from reduction.cores import at_most
from reduction.errors import DataError, UmbraError
from reduction.timing import utc_text
from tests.contracts.sources import Recording as Case
from tests.contracts.sources import StackContract, collect
from tests.ingest.fstf.writer import Frame, Layout, Recording, write_v1, write_v2
from tests.ingest.ser_writer import starry, utc_ns
from tests.sample_data import sample

START = utc_ns("2024-05-06T22:10:30") + 250_000_000
STEP = 100_000_000
EXPOSURE = 0.08
SIGNED, NOSIGNS = "FULL-IMAGE-DIFFERENTIAL-CODING", "FULL-IMAGE-DIFFERENTIAL-CODING-NOSIGNS"
COMPRESSIONS = ("UNCOMPRESSED", "QUICKLZ", "LAGARITH16")


def pictures(bits: int, frames: int = 9, height: int = 12, width: int = 16) -> NDArray[Any]:
    top = (1 << bits) - 1
    made = starry(frames, height, width, sky=top / 20, peak=top / 3, top=top, seed=bits)
    return made.astype(np.uint8 if bits <= 8 else np.uint16)


def recording(
    frames: NDArray[Any], layouts: dict[int, Layout], use: list[int] | None = None, **changes: Any
) -> Recording:
    """Frames at regular times, their layouts in turn."""
    numbers = use or list(layouts)
    bits = max(layout.bits for layout in layouts.values())
    made = [
        Frame(
            pixels,
            utc_ns=START + k * STEP,
            exposure_s=EXPOSURE,
            layout=numbers[k % len(numbers)],
            ticks=(k * 1_000_000, (k + 1) * 1_000_000),
        )
        for k, pixels in enumerate(frames)
    ]
    height, width = frames.shape[1:3]
    return replace(Recording(width, height, bits, layouts, made), **changes)


def write(path: Path, version: int, made: Recording, *, finish: bool = True) -> Path:
    return (write_v1 if version == 1 else write_v2)(path, made, finish=finish)


def mid_ns(version: int, frames: int) -> NDArray[np.int64]:
    """The writer's stamps are the middle (1) or the start (2) of the exposure."""
    shift = 0 if version == 1 else round(EXPOSURE * 5e8)
    return np.array([START + k * STEP + shift for k in range(frames)])


def opened(path: Path) -> FstfStack:
    stack = open_in_place(path)
    assert isinstance(stack, FstfStack)
    return stack


@contextmanager
def limited_memory(more: int) -> Iterator[None]:
    """Let this process take no more than so many further bytes of address space."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def caveats(stack: FstfStack) -> set[Caveat]:
    return {note.caveat for note in (*stack.info.notes, *stack.times.notes)}


RAW = [
    (bits, data, compression)
    for bits, data in [(8, "FULL-IMAGE-RAW"), (16, "FULL-IMAGE-RAW"), (12, "12BIT-IMAGE-PACKED")]
    for compression in COMPRESSIONS
]
DIFFERENTIAL = [
    (bits, data, base, compression)
    for bits in (8, 12, 16)
    for data in (SIGNED, NOSIGNS)
    for base in ("KEY-FRAME", "PREV-FRAME")
    for compression in COMPRESSIONS
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("bits", "data", "compression"), RAW)
def test_raw_layouts(tmp_path: Path, version: int, bits: int, data: str, compression: str) -> None:
    frames = pictures(bits)
    for trailer in (False, True):
        layout = Layout(data, compression, bits, trailer=trailer)
        stack = opened(write(tmp_path / "a.adv", version, recording(frames, {1: layout})))
        np.testing.assert_array_equal(stack.read(0, 9), frames)
        np.testing.assert_array_equal(stack.read(4, 6), frames[4:6])
        np.testing.assert_array_equal(stack.times.mid_ns, mid_ns(version, 9))
        assert stack.info.bit_depth == bits
        assert not caveats(stack)


@pytest.mark.parametrize(("bits", "data", "base", "compression"), DIFFERENTIAL)
def test_differential_layouts_from_any_start(
    tmp_path: Path, bits: int, data: str, base: str, compression: str
) -> None:
    frames = pictures(bits, 11)
    layout = Layout(data, compression, bits, base=base, trailer=bits == 8, copy=data == NOSIGNS and bits == 8)
    made = recording(frames, {3: layout}, key_every=4)
    path = write_v1(tmp_path / "a.aav", made)
    for start in range(11):
        stack = opened(path)
        np.testing.assert_array_equal(stack.read(start, min(start + 3, 11)), frames[start : start + 3])
        np.testing.assert_array_equal(stack.read(start, 11), frames[start:])
        stack.close()
    with at_most(1):
        np.testing.assert_array_equal(collect(opened(path), 2), frames)


@pytest.mark.parametrize("bits", [12, 16])
def test_differences_without_a_flag(tmp_path: Path, bits: int) -> None:
    frames = pictures(bits, 6)
    layout = Layout(SIGNED, "QUICKLZ", bits, base="PREV-FRAME", flag=False)
    stack = opened(write_v1(tmp_path / "a.adv", recording(frames, {2: layout})))
    np.testing.assert_array_equal(stack.read(0, 6), frames)


def test_layouts_change_within_a_recording(tmp_path: Path) -> None:
    frames = pictures(12, 12)
    layouts = {
        k: Layout(data, compression, bits)
        for k, (bits, data, compression) in enumerate(
            (bits, data, compression) for bits, data, compression in RAW if bits > 8
        )
    }
    for version in (1, 2):
        stack = opened(
            write(
                tmp_path / f"{version}.adv",
                version,
                recording(frames, layouts, bits=12, image_tags={"IMAGE-DYNABITS": "12"}),
            )
        )
        np.testing.assert_array_equal(stack.read(0, 12), frames)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_colour(tmp_path: Path, order: str, compression: str) -> None:
    planes = np.stack([pictures(8, 4), pictures(8, 4) // 2, 255 - pictures(8, 4)], axis=1)
    stored = np.moveaxis(planes if order == "RGB" else planes[:, ::-1], 1, -1)
    layout = Layout("8BIT-COLOR-IMAGE", compression, 8)
    made = recording(stored, {11: layout}, image_tags={"IMAGE-BAYER-PATTERN": order})
    stack = opened(write_v2(tmp_path / "a.adv", made))
    assert stack.info.colour == "rgb"
    np.testing.assert_array_equal(stack.read(0, 4), planes)


def test_mosaic_and_byte_order(tmp_path: Path) -> None:
    frames = pictures(14)
    tags = {"IMAGE-BAYER-PATTERN": "GRBG", "IMAGE-BYTE-ORDER": "BIG-ENDIAN", "IMAGE-BITPIX": "14"}
    made = recording(frames, {1: Layout(), 2: Layout(compression="QUICKLZ")}, image_tags=tags)
    for version in (1, 2):
        stack = opened(write(tmp_path / "a.adv", version, made))
        np.testing.assert_array_equal(stack.read(0, 9), frames)
        assert (stack.info.colour, stack.info.bit_depth) == ("grbg", 14)


@pytest.mark.parametrize(
    ("tags", "shift"), [({"IMAGE-DYNABITS": "16"}, 4), ({}, 4), ({"IMAGE-DYNABITS": "12"}, 0)]
)
def test_scaled_words_of_version_1_come_to_the_scale_of_packed_ones(
    tmp_path: Path, tags: dict[str, str], shift: int
) -> None:
    frames = pictures(12, 4)
    frames[:, 3, 3] = 3000
    stored = [frames[k] << shift if k % 2 == 0 else frames[k] for k in range(4)]
    layouts = {1: Layout(), 2: Layout("12BIT-IMAGE-PACKED", bits=12)}
    made = recording(np.stack(stored), layouts, bits=12, image_tags=tags)
    stack = opened(write_v1(tmp_path / "a.adv", made))
    np.testing.assert_array_equal(stack.read(0, 4), frames)
    assert stack.info.bit_depth == 12


def test_packed_pixels_of_a_16_bit_section_of_version_1_are_scaled_up(tmp_path: Path) -> None:
    frames = pictures(12, 4)
    stored = [frames[k] << 4 if k % 2 == 0 else frames[k] for k in range(4)]
    layouts = {1: Layout(), 2: Layout(bits=12)}
    stack = opened(write_v1(tmp_path / "a.adv", recording(np.stack(stored), layouts, bits=16)))
    np.testing.assert_array_equal(stack.read(0, 4), frames << 4)


def test_packed_frames_that_are_read_are_those_that_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain and packed ones in turn; where pages cannot be had, and where no file is safe to map."""
    frames = pictures(12)
    layouts = {1: Layout(), 2: Layout("12BIT-IMAGE-PACKED", bits=12)}
    stack = opened(write_v2(tmp_path / "a.adv", recording(frames, layouts, bits=12)))
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    np.testing.assert_array_equal(stack.read(1, 2), frames[1:2])
    monkeypatch.setattr("ingest.fstf.pictures.make_present", lambda _: False)
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    monkeypatch.setattr(RawFile, "mapped", lambda *_, **__: None)
    np.testing.assert_array_equal(stack.read(0, 9), frames)


class TestAdv2(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Case:
        frames = pictures(16)
        path = write_v2(tmp_path / "plain.adv", recording(frames, {1: Layout()}))
        return Case([path], "adv", frames, mid_ns(2, 9))


class TestAdv2Lagarith(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Case:
        frames = pictures(12)
        layout = Layout("12BIT-IMAGE-PACKED", "LAGARITH16", 12)
        return Case(
            [write_v2(tmp_path / "l.adv", recording(frames, {1: layout}))], "adv", frames, mid_ns(2, 9)
        )


class TestAdv1QuickLz(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Case:
        frames = pictures(16)
        layout = Layout(compression="QUICKLZ")
        return Case(
            [write_v1(tmp_path / "q.adv", recording(frames, {3: layout}))], "adv", frames, mid_ns(1, 9)
        )


class TestAav1Differences(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Case:
        frames = pictures(8)
        layout = Layout(SIGNED, "QUICKLZ", 8, base="PREV-FRAME", trailer=True)
        made = recording(frames, {3: layout}, tags={"FSTF-TYPE": "AAV", "AAV-VERSION": "1"}, key_every=4)
        return Case([write_v1(tmp_path / "d.aav", made)], "aav", frames, mid_ns(1, 9))


class TestAav2(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Case:
        frames = pictures(16)
        layout = Layout(compression="LAGARITH16")
        made = recording(frames, {4: layout}, user_tags={"AAV-VERSION": "2"})
        return Case([write_v2(tmp_path / "d.aav", made)], "aav", frames, mid_ns(2, 9))


def test_the_real_sample() -> None:
    """Six layouts of one picture; UTC start 2020-01-02 03:04:05.5, a second apart, one second long."""
    stack = opened(sample("adv/UnitTestSample.adv"))
    frames = stack.read(0, 6)
    assert frames.shape == (6, 12, 12)
    assert (frames == frames[0]).all()
    assert int(frames.max()) == 4095
    starts = [utc_text(int(ns) - 500_000_000) for ns in stack.times.mid_ns]
    assert starts == [f"2020-01-02T03:04:{5 + k:02d}.500000Z" for k in range(6)]
    assert stack.times.exposure_s.tolist() == [1.0] * 6
    assert stack.times.sigma_s.tolist() == [0.005] * 6
    assert stack.times.meaning == "start"
    assert stack.info.metadata["fstf.Name2"] == "Frédéric"
    assert not caveats(stack)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["format", "zlib"])
def test_checksums_are_checked(tmp_path: Path, version: int, kind: Any) -> None:
    frames = pictures(16)
    layouts = {1: Layout(checksum=kind), 2: Layout(compression="QUICKLZ", checksum=kind)}
    path = write(tmp_path / "a.adv", version, recording(frames, layouts))
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    assert not caveats(stack)
    content = bytearray(path.read_bytes())
    content[content.index(frames[2].astype("<u2").tobytes()) + 50] ^= 1
    path.write_bytes(content)
    frames[2] = 0
    np.testing.assert_array_equal(opened(path).read(0, 9), frames)
    np.testing.assert_array_equal(opened(path).read(2, 3), frames[2:3])


def damage(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset : offset + 8] = b"\xa5" * 8
    path.write_bytes(content)


@pytest.mark.parametrize("compression", ["QUICKLZ", "LAGARITH16"])
@pytest.mark.parametrize("base", ["KEY-FRAME", "PREV-FRAME"])
def test_a_damaged_frame_is_zero_and_so_is_what_differs_from_it(
    tmp_path: Path, compression: Any, base: Any
) -> None:
    """Frame 0 is a key frame of five; wherever reading begins, the same frames are zero."""
    frames = pictures(16)
    made = recording(frames, {1: Layout(NOSIGNS, compression, base=base)})
    keyed = [replace(frame, key=k % 5 == 0) for k, frame in enumerate(made.frames)]
    path = write_v2(tmp_path / "a.adv", replace(made, frames=keyed))
    places = opened(path)._pictures._chains.frames.image
    whole = path.read_bytes()
    for broken, lost in ((5, range(5, 9)), (1, range(1, 2) if base == "KEY-FRAME" else range(1, 5))):
        path.write_bytes(whole)
        damage(path, int(places[broken]))
        expected = frames.copy()
        expected[list(lost)] = 0
        stack = opened(path)
        for first in (0, 3, 6, 2, 7, 1):
            np.testing.assert_array_equal(stack.read(first, 9), expected[first:])
        np.testing.assert_array_equal(opened(path).read(8, 9), expected[8:])


def test_a_recording_without_one_sound_frame_is_refused(tmp_path: Path) -> None:
    frames = pictures(16)
    path = write_v2(tmp_path / "a.adv", recording(frames, {1: Layout(compression="QUICKLZ")}))
    for place in opened(path)._pictures._chains.frames.image.tolist():
        damage(path, place)
    with pytest.raises(DataError, match=r"a\.adv: frame 0: .*QuickLZ"):
        opened(path)


def test_checksums_of_an_unknown_kind_are_said_and_not_held_against_pixels(tmp_path: Path) -> None:
    frames = pictures(8)
    stack = opened(write_v2(tmp_path / "a.adv", recording(frames, {5: Layout(bits=8, checksum="wrong")})))
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    assert Caveat.CHECKSUM_UNCHECKED in caveats(stack)


def test_calibration_frames_are_not_part_of_the_recording(tmp_path: Path) -> None:
    frames = pictures(16)
    made = recording(frames, {1: Layout()})
    dark = Frame(frames[0] // 7, stream=1)
    mixed = [dark, *made.frames[:4], dark, *made.frames[4:], dark]
    for finish in (True, False):
        path = write_v2(tmp_path / "a.adv", replace(made, frames=mixed), finish=finish)
        stack = opened(path)
        np.testing.assert_array_equal(stack.read(0, 9), frames)
        assert stack.info.metadata["calibration_frames"].startswith("3 frames")


@pytest.mark.parametrize("version", [1, 2])
def test_a_recorder_that_died_leaves_frames_to_be_found(tmp_path: Path, version: int) -> None:
    frames = pictures(16)
    path = write(tmp_path / "a.adv", version, recording(frames, {1: Layout()}), finish=False)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    np.testing.assert_array_equal(stack.times.mid_ns, mid_ns(version, 9))
    assert Caveat.INDEX_REBUILT in caveats(stack)
    os.truncate(path, path.stat().st_size - 300)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 8), frames[:8])
    assert caveats(stack) >= {Caveat.INDEX_REBUILT, Caveat.FILE_TRUNCATED}


@pytest.mark.parametrize("version", [1, 2])
def test_an_index_that_lies_is_not_followed(tmp_path: Path, version: int) -> None:
    frames = pictures(16)
    path = write(tmp_path / "a.adv", version, recording(frames, {1: Layout()}))
    content = bytearray(path.read_bytes())
    index = struct.unpack_from("<q", content, 9)[0]
    entry, stride = (index + 4 + 4, 16) if version == 1 else (index + 13 + 8, 20)
    second, third = (struct.unpack_from("<q", content, entry + k * stride)[0] for k in (1, 2))
    for lie in (0, 1, third, second + 1, 1 << 62, -5):
        struct.pack_into("<q", content, entry + stride, lie)
        path.write_bytes(content)
        stack = opened(path)
        np.testing.assert_array_equal(stack.read(0, 9), frames)
        assert Caveat.INDEX_REBUILT in caveats(stack)
    struct.pack_into("<q", content, entry + stride, second)
    for count in (0, 0xFFFF_FFFF):
        struct.pack_into("<I", content, index if version == 1 else index + 9, count)
        path.write_bytes(content)
        np.testing.assert_array_equal(opened(path).read(0, 9), frames)


def test_a_wrong_frame_count_is_said(tmp_path: Path) -> None:
    path = write_v1(tmp_path / "a.adv", recording(pictures(8), {1: Layout(bits=8)}))
    content = bytearray(path.read_bytes())
    content[5:9] = (77).to_bytes(4, "little")
    path.write_bytes(content)
    assert Caveat.FRAME_COUNT_WRONG in caveats(opened(path))


def test_a_frame_lost_from_the_middle_takes_its_differences_along(tmp_path: Path) -> None:
    frames = pictures(8, 12)
    layout = Layout(SIGNED, "QUICKLZ", 8, base="PREV-FRAME")
    path = write_v1(tmp_path / "a.aav", recording(frames, {3: layout}, key_every=4), finish=False)
    content = bytearray(path.read_bytes())
    places = [k for k in range(len(content)) if content.startswith(b"\xff\x22\x01\xee", k)]
    assert len(places) == 12
    content[places[5]] = 0
    path.write_bytes(content)
    stack = opened(path)
    kept = [0, 1, 2, 3, 4, 8, 9, 10, 11]
    np.testing.assert_array_equal(stack.read(0, len(kept)), frames[kept])
    assert caveats(stack) >= {Caveat.FILE_TRUNCATED, Caveat.FRAMES_EXCLUDED}


def test_frames_without_a_picture_are_left_out(tmp_path: Path) -> None:
    frames = pictures(8, 6)
    layouts = {1: Layout(bits=8), 5: Layout("STATUS-CHANNEL-ONLY", bits=8)}
    made = recording(frames, layouts, use=[1])
    bare = Frame(None, layout=5)
    stack = opened(
        write_v1(tmp_path / "a.aav", replace(made, frames=[bare, *made.frames[:3], bare, *made.frames[3:]]))
    )
    np.testing.assert_array_equal(stack.read(0, 6), frames)
    np.testing.assert_array_equal(stack.times.mid_ns, mid_ns(1, 6))
    assert Caveat.FRAMES_EXCLUDED in caveats(stack)
    with pytest.raises(DataError, match=r"b\.aav: none of its 2 frames has a picture"):
        opened(write_v1(tmp_path / "b.aav", replace(made, frames=[bare, bare])))


def test_options_overrule_the_meaning(tmp_path: Path) -> None:
    path = write_v2(tmp_path / "a.adv", recording(pictures(8), {1: Layout(bits=8)}))
    times = open_source(path, TimeOptions(meaning="end")).times
    np.testing.assert_array_equal(times.mid_ns, mid_ns(2, 9) - round(EXPOSURE * 1e9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "frames of 0 x 12 pixels"),
        ({"height": 70_000}, "frames of 16 x 70000 pixels"),
        ({"bits": 32}, "32 bits per pixel"),
        ({"layouts": {1: Layout("SPIRAL")}}, "SPIRAL"),
        ({"layouts": {1: Layout(compression="ZIP")}}, "ZIP"),
    ],
)
def test_headers_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    made = replace(recording(pictures(16), {1: Layout()}), **change)
    for version in (1, 2):
        with pytest.raises(DataError, match=rf"a\.adv: .*{message}"):
            opened(write(tmp_path / "a.adv", version, made))


def test_small_frames_that_claim_to_be_large_are_refused(tmp_path: Path) -> None:
    for layout in (Layout(), Layout(compression="QUICKLZ"), Layout(compression="LAGARITH16")):
        made = recording(pictures(16), {1: layout})
        path = write_v2(tmp_path / "a.adv", replace(made, width=60_000, height=60_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with (
            limited_memory(1 << 30),
            pytest.raises(UmbraError, match=r"a\.adv: frame 0: .* 60000 x 60000 pixels"),
        ):
            opened(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
