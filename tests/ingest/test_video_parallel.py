"""Decoding on several cores: the frames, counts and errors of one core, whatever the codec."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest import video_parallel
from ingest.formats import open_source
from ingest.video import VideoSource
from ingest.video_planes import PixelReader
from reduction.cores import at_most
from reduction.errors import DataError
from reduction.stack import frame_digest
from tests.contracts.sources import collect

WIDTH, HEIGHT, FRAMES = 48, 38, 41

CODECS: list[tuple[str, str, str, dict[str, str]]] = [
    ("avi", "ffv1", "gray", {"g": "1"}),
    ("avi", "ffv1", "gray16le", {"g": "1"}),
    ("mkv", "ffv1", "gray12le", {"g": "12"}),
    ("mkv", "ffv1", "gbrp10le", {"g": "3", "level": "3", "slicecrc": "1"}),
    ("mp4", "ffv1", "yuv420p10le", {"g": "5"}),
    ("avi", "ffv1", "yuv444p", {"level": "1", "g": "2"}),
    ("avi", "huffyuv", "yuv422p", {}),
    ("avi", "huffyuv", "rgb24", {}),
    ("avi", "ffvhuff", "gray", {}),
    ("avi", "ffvhuff", "gray16le", {"context": "1", "non_deterministic": "0"}),
    ("avi", "utvideo", "yuv444p", {}),
    ("avi", "utvideo", "gbrp", {"pred": "median"}),
    ("avi", "magicyuv", "gray", {}),
    ("avi", "mjpeg", "yuvj420p", {}),
    ("mov", "mjpeg", "yuvj444p", {"huffman": "optimal"}),
    ("mov", "png", "gray16be", {}),
    ("mov", "png", "rgb24", {}),
    ("mov", "prores_ks", "yuv422p10le", {}),
    ("mov", "v210", "yuv422p10le", {}),
    ("mov", "jpeg2000", "gray", {}),
]


def encode(path: Path, codec: str, pixel_format: str, **options: str) -> Path:
    """A recording of frames that all differ."""
    rng = np.random.default_rng(5)
    size = (576, 720) if codec == "dvvideo" else (HEIGHT, WIDTH)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        (stream.height, stream.width), stream.pix_fmt = size, pixel_format
        for number in range(FRAMES):
            picture = av.VideoFrame(size[1], size[0], pixel_format)
            for plane in picture.planes:
                picture_bytes = rng.integers(0, 256, plane.buffer_size, np.uint8)
                if pixel_format.endswith(("10le", "12le")):  # keep within the bits
                    picture_bytes[1::2] &= 3 if pixel_format.endswith("10le") else 15
                plane.update(picture_bytes.tobytes())
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def opened(path: Path) -> VideoSource:
    source = open_source([path])
    assert isinstance(source, VideoSource)
    return source


def one_by_one(path: Path) -> NDArray[Any]:
    """All frames as one decoder gives them, in one thread."""
    with at_most(1):
        return collect(opened(path), 16)


def never_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread must not have to step in."""

    def refuse(_self: VideoSource, start: int) -> Iterator[Any]:
        raise AssertionError(f"decoded in turn from frame {start}")

    monkeypatch.setattr(VideoSource, "_pictures_in_turn", refuse)


def in_turn_from(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Frames from which one thread steps in."""
    begun: list[int] = []
    in_turn = VideoSource._pictures_in_turn

    def noted(self: VideoSource, start: int) -> Iterator[Any]:
        begun.append(start)
        return in_turn(self, start)

    monkeypatch.setattr(VideoSource, "_pictures_in_turn", noted)
    return begun


def on(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr("ingest.video.cores", lambda: threads)


def decoding() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.mark.parametrize(("suffix", "codec", "pixel_format", "options"), CODECS)
def test_any_range_on_any_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, codec: str, pixel_format: str,
    options: dict[str, str],
) -> None:  # fmt: skip
    path = encode(tmp_path / f"a.{suffix}", codec, pixel_format, **options)
    expected = one_by_one(path)
    assert len(expected) == FRAMES
    assert len({frame_digest(frame) for frame in expected}) == FRAMES
    source = opened(path)
    never_in_turn(monkeypatch)
    for threads, size, start in [(2, 7, 0), (3, 64, 0), (5, 1, 13), (2, 16, FRAMES - 1), (1, 5, 12)]:
        on(monkeypatch, threads)
        np.testing.assert_array_equal(collect(source, size, start), expected[start:])
    assert list(source.blocks(3, FRAMES)) == []
    assert not decoding()


def test_dv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.avi", "dvvideo", "yuv420p")
    expected = one_by_one(path)
    never_in_turn(monkeypatch)
    on(monkeypatch, 3)
    np.testing.assert_array_equal(collect(opened(path), 16), expected)


def remuxed(path: Path, goal: Path, change: Callable[[int, bytes], bytes], keyframes: bool = False) -> Path:
    """The same stream with other packets."""
    with av.open(str(path)) as source, av.open(str(goal), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            other = av.Packet(change(number, bytes(packet)))
            other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
            other.is_keyframe = packet.is_keyframe or keyframes
            other.stream = stream
            container.mux(other)
    return goal


def without(marker: int, jpeg: bytes) -> bytes:
    """A JPEG picture without its segments of one kind."""
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        stop = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        kept += b"" if jpeg[at + 1] == marker else jpeg[at:stop]
        at = stop
    return kept + jpeg[at:]


class TestJpegTables:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return encode(tmp_path / "a.avi", "mjpeg", "yuvj420p", huffman="default")

    def test_the_usual_huffman_tables_left_out(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bare = remuxed(path, tmp_path / "b.avi", lambda _, jpeg: without(0xC4, jpeg))
        assert bare.stat().st_size < path.stat().st_size - 400 * FRAMES
        never_in_turn(monkeypatch)
        on(monkeypatch, 3)
        np.testing.assert_array_equal(collect(opened(bare), 16), collect(opened(path), 16))

    @pytest.mark.parametrize("marker", [0xC4, 0xDB])
    @pytest.mark.parametrize("first", [0, 20])
    def test_tables_that_hold_for_the_pictures_after_them(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: int, first: int
    ) -> None:
        kept = remuxed(
            path, tmp_path / "b.avi", lambda n, jpeg: jpeg if n <= first else without(marker, jpeg)
        )
        expected = one_by_one(kept)
        assert len(expected) == FRAMES
        on(monkeypatch, 3)
        np.testing.assert_array_equal(collect(opened(kept), 16), expected)


def test_key_frames_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that flags every packet; FFmpeg mostly sees through it."""
    honest = encode(tmp_path / "a.mkv", "ffv1", "gray", g="12")
    path = remuxed(honest, tmp_path / "b.mkv", lambda _, packet: packet, keyframes=True)
    expected = one_by_one(honest)
    monkeypatch.setattr(video_parallel, "TASK_PACKETS", 1)
    on(monkeypatch, 3)
    np.testing.assert_array_equal(collect(opened(path), 16), expected)
    monkeypatch.setattr(video_parallel, "_is_keyframe", lambda _: True)
    begun = in_turn_from(monkeypatch)
    np.testing.assert_array_equal(collect(opened(path), 16), expected)
    assert begun == [1]


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_pictures_that_rest_on_others_are_decoded_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    path = encode(tmp_path / "a.mkv", codec, "yuv420p", g="1")
    begun = in_turn_from(monkeypatch)
    on(monkeypatch, 3)
    assert len(collect(opened(path), 16)) == FRAMES
    assert begun == [0]


def outcome(path: Path) -> tuple[list[bytes], str, list[str]]:
    """Digests of the frames that come, the error that ends them, and the caveats."""
    frames: list[bytes] = []
    try:
        source = opened(path)
        for block in source.blocks(1):
            frames += map(frame_digest, block.frames)
    except DataError as error:
        return frames, str(error), []
    return frames, "", [note.message for note in source.info.notes]


class TestDamage:
    CODECS: ClassVar[list[tuple[str, str, str, dict[str, str]]]] = [
        ("avi", "ffv1", "gray", {"g": "1", "slicecrc": "1", "level": "3"}),
        ("mkv", "ffv1", "gray", {"g": "7", "slicecrc": "1", "level": "3"}),
        ("avi", "utvideo", "yuv444p", {}),
        ("avi", "huffyuv", "yuv422p", {}),
        ("avi", "mjpeg", "yuvj420p", {}),
        ("mov", "png", "gray16be", {}),
    ]

    @pytest.mark.parametrize(("suffix", "codec", "pixel_format", "options"), CODECS)
    @pytest.mark.parametrize("packet", [0, 19, FRAMES - 1])
    def test_within_a_frame(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, codec: str,
        pixel_format: str, options: dict[str, str], packet: int,
    ) -> None:  # fmt: skip
        path = encode(tmp_path / f"a.{suffix}", codec, pixel_format, **options)
        with av.open(str(path)) as container:
            found = [p for p in container.demux(video=0) if p.size][packet]
            start, size = found.pos or 0, found.size
        content = bytearray(path.read_bytes())
        content[start + size // 3 : start + size // 2] = bytes(size // 2 - size // 3)
        path.write_bytes(content)
        on(monkeypatch, 1)
        expected = outcome(path)
        on(monkeypatch, 3)
        assert outcome(path) == expected
        if codec == "ffv1" and packet == 19:
            assert len(expected[0]) == 19
            assert "frame 19 is damaged" in expected[1]

    @pytest.mark.parametrize(("suffix", "codec", "pixel_format", "options"), CODECS)
    @pytest.mark.parametrize("percent", [45, 80, 98])
    def test_cut_off(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, codec: str,
        pixel_format: str, options: dict[str, str], percent: int,
    ) -> None:  # fmt: skip
        path = encode(tmp_path / f"a.{suffix}", codec, pixel_format, **options)
        os.truncate(path, path.stat().st_size * percent // 100)
        on(monkeypatch, 1)
        expected = outcome(path)
        on(monkeypatch, 3)
        assert outcome(path) == expected

    def test_another_size_inside(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pixels that cannot be had, while the decoder sees no damage."""
        other = encode(tmp_path / "b.avi", "mjpeg", "yuvj444p")
        with av.open(str(other)) as container:
            strangers = [bytes(p) for p in container.demux(video=0) if p.size]
        path = encode(tmp_path / "a.avi", "mjpeg", "yuvj420p")
        mixed = remuxed(path, tmp_path / "c.avi", lambda n, own: strangers[n] if n == 23 else own)
        on(monkeypatch, 1)
        frames, error, _ = expected = outcome(mixed)
        assert len(frames) == 23
        assert "frame 23: is 48x38 yuvj444p" in error
        on(monkeypatch, 3)
        assert outcome(mixed) == expected


class TestBounds:
    def test_decoding_waits_for_the_reader(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = encode(tmp_path / "a.avi", "ffvhuff", "gray")
        monkeypatch.setattr(video_parallel, "TASK_PACKETS", 1)
        monkeypatch.setattr(video_parallel, "WINDOW_BYTES", 2 * 3 * WIDTH * HEIGHT)
        source = opened(path)
        on(monkeypatch, 8)
        expected = one_by_one(path)
        done: list[str] = []
        read = PixelReader.read

        def noted(self: PixelReader, frame: Any, out: NDArray[Any], where: str) -> None:
            read(self, frame, out, where)
            done.append(where)

        monkeypatch.setattr(PixelReader, "read", noted)
        with closing(source.blocks(1)) as blocks:
            for number in range(6):
                np.testing.assert_array_equal(next(blocks).frames[0], expected[number])
                time.sleep(0.05)
                assert len(done) <= number + 4  # that of the reader and three ahead
        assert not decoding()

    def test_groups_too_large_to_wait_are_decoded_in_turn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = encode(tmp_path / "a.mkv", "ffv1", "gray", g="20")
        expected = one_by_one(path)
        monkeypatch.setattr(video_parallel, "WINDOW_BYTES", 8 * 10 * WIDTH * HEIGHT)
        begun = in_turn_from(monkeypatch)
        on(monkeypatch, 3)
        np.testing.assert_array_equal(collect(opened(path), 16), expected)
        assert begun == [0]


class TestEndings:
    def test_a_reader_that_stops_early(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = encode(tmp_path / "a.avi", "ffv1", "gray", g="1")
        on(monkeypatch, 4)
        blocks = opened(path).blocks(2)
        next(blocks)
        assert decoding()
        blocks.close()
        assert not decoding()

    def test_interrupt_while_waiting(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-C comes while the reader waits for a decoder."""
        path = encode(tmp_path / "a.avi", "ffv1", "gray", g="1")
        on(monkeypatch, 4)
        blocks = opened(path).blocks(2)
        next(blocks)

        def interrupted(_self: Any, timeout: float | None = None) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("concurrent.futures.Future.result", interrupted)
            with pytest.raises(KeyboardInterrupt):
                list(blocks)
        assert not decoding()
