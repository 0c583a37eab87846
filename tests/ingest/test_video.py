"""The video reader: levels as recorded, counts, damage, what containers say and do not."""

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.formats import open_in_place, open_source, recognise
from ingest.timeoptions import TimeOptions
from ingest.writers import write_avi
from reduction.caveats import Caveat
from reduction.errors import DataError
from reduction.stack import FrameSource
from tests.contracts.sources import Recording, SourceContract, collect
from tests.ingest.avi_by_hand import raw_avi
from tests.sample_data import sample

WIDTH, HEIGHT, FRAMES = 45, 38, 9


def noise(bits: int = 8, planes: int = 1, frames: int = FRAMES) -> NDArray[Any]:
    """Frames of noise, (t, planes, y, x)."""
    dtype = np.uint8 if bits <= 8 else np.uint16
    return np.random.default_rng(bits).integers(0, 1 << bits, (frames, planes, HEIGHT, WIDTH), dtype)


def write_video(path: Path, codec: str, pixel_format: str, frames: NDArray[Any], **options: str) -> None:
    """Encode a recording.

    Parameters
    ----------
    frames : array, (t, planes, y, ...)
        Planes as the pixel format has them; those that are left out are zero.
    """
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        height, width = HEIGHT, WIDTH
        stream.height, stream.width, stream.pix_fmt = height, width, pixel_format
        for number, planes in enumerate(frames):
            picture = av.VideoFrame(width, height, pixel_format)
            for plane, rows in zip(picture.planes, planes, strict=False):
                content = np.zeros((height, plane.line_size), np.uint8)
                flat = np.ascontiguousarray(rows).view(np.uint8).reshape(height, -1)
                content[:, : flat.shape[1]] = flat
                plane.update(content.tobytes())
            for plane in list(picture.planes)[len(planes) :]:
                plane.update(bytes(plane.buffer_size))
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def opened(path: Path) -> FrameSource:
    return open_source([path])


def caveats(source: FrameSource) -> set[Caveat]:
    return {note.caveat for note in source.info.notes}


class TestGreyAvi(SourceContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = noise(8)[:, 0]
        write_avi(tmp_path / "a.avi", frames, rate=25)
        return Recording(inputs=[tmp_path / "a.avi"], format="video", frames=frames)


class TestDeepMatroska(SourceContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = noise(16)[:, 0]
        write_video(tmp_path / "a.mkv", "ffv1", "gray16le", frames[:, np.newaxis])
        return Recording(inputs=[tmp_path / "a.mkv"], format="video", frames=frames)


class TestColourMov(SourceContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = noise(8, 3)
        write_video(tmp_path / "a.mov", "png", "rgb24", np.moveaxis(frames, 1, -1)[:, None])
        return Recording(inputs=[tmp_path / "a.mov"], format="video", frames=frames, colour="rgb")


class TestRawAvi(SourceContract):
    """By hand: 8 bit with a grey palette, bottom-up, rows padded."""

    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = noise(8)[:, 0]
        palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, 1).tobytes()
        raw_avi(tmp_path / "a.avi", [bottom_up(f) for f in frames], WIDTH, HEIGHT, 8, palette=palette)
        return Recording(inputs=[tmp_path / "a.avi"], format="video", frames=frames)


def bottom_up(frame: NDArray[Any]) -> bytes:
    """Rows of a Windows bitmap: last first, padded to four bytes."""
    rows = frame.reshape(frame.shape[0], -1).view(np.uint8)[::-1]
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "bits"),
    [
        ("avi", "ffv1", "gray", 8),
        ("mkv", "ffv1", "gray10le", 10),
        ("mkv", "ffv1", "gray12le", 12),
        ("avi", "ffv1", "gray16le", 16),
        ("mp4", "ffv1", "gray16le", 16),
        ("avi", "ffvhuff", "gray16le", 16),
        ("mov", "png", "gray16be", 16),
        ("mkv", "ffv1", "yuv420p", 8),
        ("mkv", "ffv1", "yuv420p10le", 10),
        ("mkv", "ffv1", "yuv444p16le", 16),
        ("mkv", "ffv1", "yuva420p", 8),
        ("avi", "utvideo", "yuv444p", 8),
        ("avi", "rawvideo", "nv12", 8),
    ],
)
def test_plane_0_keeps_its_levels(
    tmp_path: Path, suffix: str, codec: str, pixel_format: str, bits: int
) -> None:
    frames = noise(bits)
    stored = frames.astype(">u2") if pixel_format.endswith("be") else frames
    path = tmp_path / f"a.{suffix}"
    write_video(path, codec, pixel_format, stored)
    source = opened(path)
    assert (source.info.bit_depth, source.info.colour) == (bits, "mono")
    assert source.info.metadata["codec"] == codec
    assert source.info.metadata["pixel_format"] == pixel_format
    np.testing.assert_array_equal(collect(source, 4), frames[:, 0])


@pytest.mark.parametrize(("pixel_format", "offset"), [("yuyv422", 0), ("uyvy422", 1)])
def test_packed_luma(tmp_path: Path, pixel_format: str, offset: int) -> None:
    luma = noise()[:, 0, :, :44]
    rows = np.full((FRAMES, HEIGHT, 88), 90, np.uint8)
    rows[:, :, offset::2] = luma
    raw_avi(
        tmp_path / "a.avi",
        [r.tobytes() for r in rows],
        44,
        HEIGHT,
        16,
        compression={"yuyv422": b"YUY2", "uyvy422": b"UYVY"}[pixel_format],
    )
    source = opened(tmp_path / "a.avi")
    assert source.info.metadata["pixel_format"] == pixel_format
    assert source.info.metadata["luma"].startswith("limited range")
    np.testing.assert_array_equal(collect(source, 4), luma)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "bits", "order"),
    [
        ("avi", "rawvideo", "bgr24", 8, (2, 1, 0)),
        ("mov", "rawvideo", "rgb24", 8, (0, 1, 2)),
        ("mov", "rawvideo", "bgra", 8, (2, 1, 0, 0)),
        ("mov", "rawvideo", "argb", 8, (0, 0, 1, 2)),
        ("mov", "png", "rgb48be", 16, (0, 1, 2)),
        ("mov", "png", "rgba64be", 16, (0, 1, 2, 0)),
    ],
)
def test_packed_colour(
    tmp_path: Path, suffix: str, codec: str, pixel_format: str, bits: int, order: tuple[int, ...]
) -> None:
    frames = noise(bits, 3)
    packed = np.moveaxis(frames[:, list(order)], 1, -1)
    stored = packed.astype(">u2") if pixel_format.endswith("be") else packed
    write_video(tmp_path / f"a.{suffix}", codec, pixel_format, stored[:, None])
    source = opened(tmp_path / f"a.{suffix}")
    assert source.info.metadata["pixel_format"] == pixel_format
    assert (source.info.colour, source.info.bit_depth) == ("rgb", bits)
    np.testing.assert_array_equal(collect(source, 4), frames)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "bits"), [("utvideo", "gbrp", 8), ("ffv1", "gbrp12le", 12)]
)
def test_planar_colour(tmp_path: Path, codec: str, pixel_format: str, bits: int) -> None:
    frames = noise(bits, 3)
    path = tmp_path / ("a.avi" if codec == "utvideo" else "a.mkv")
    write_video(path, codec, pixel_format, frames[:, [1, 2, 0]])
    np.testing.assert_array_equal(collect(opened(path), 4), frames)


class TestPalettes:
    def written(self, path: Path, palette: NDArray[np.uint8] | None) -> NDArray[Any]:
        frames = noise()[:, 0]
        table = b"" if palette is None else palette.tobytes()
        raw_avi(path, [bottom_up(f) for f in frames], WIDTH, HEIGHT, 8, palette=table)
        return frames

    def test_grey_ramp_the_other_way(self, tmp_path: Path) -> None:
        palette = np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[:, None], 4, 1)
        frames = self.written(tmp_path / "a.avi", palette)
        np.testing.assert_array_equal(collect(opened(tmp_path / "a.avi"), 4), 255 - frames)

    def test_none(self, tmp_path: Path) -> None:
        frames = self.written(tmp_path / "a.avi", None)
        np.testing.assert_array_equal(collect(opened(tmp_path / "a.avi"), 4), frames)

    def test_colour(self, tmp_path: Path) -> None:
        palette = np.random.default_rng(4).integers(0, 256, (256, 4), np.uint8)
        frames = self.written(tmp_path / "a.avi", palette)
        expected = np.moveaxis(palette[frames][..., 2::-1], -1, 1)
        np.testing.assert_array_equal(collect(opened(tmp_path / "a.avi"), 4), expected)


class TestGreyStoredAsColour:
    def write(self, path: Path, frames: NDArray[Any]) -> None:
        raw_avi(path, [bottom_up(np.moveaxis(f, 0, -1)) for f in frames], WIDTH, HEIGHT, 24)

    def test_one_plane_is_kept(self, tmp_path: Path) -> None:
        frames = np.repeat(noise(), 3, 1)
        self.write(tmp_path / "a.avi", frames)
        source = opened(tmp_path / "a.avi")
        assert source.info.colour == "mono"
        assert source.info.metadata["planes"] == "R, G and B are equal; one is kept"
        np.testing.assert_array_equal(collect(source, 4), frames[:, 0])

    @pytest.mark.parametrize("where", [0, FRAMES - 1])
    def test_colour_at_an_end_keeps_three(self, tmp_path: Path, where: int) -> None:
        frames = np.repeat(noise(), 3, 1)
        frames[where, 1, 5, 5] ^= 1
        self.write(tmp_path / "a.avi", frames)
        np.testing.assert_array_equal(collect(opened(tmp_path / "a.avi"), 4), frames[:, ::-1])

    def test_colour_inside_is_an_error(self, tmp_path: Path) -> None:
        frames = np.repeat(noise(), 3, 1)
        frames[4, 1, 5, 5] ^= 1
        self.write(tmp_path / "a.avi", frames)
        with pytest.raises(DataError, match=r"a\.avi: frame 4: has colour"):
            collect(opened(tmp_path / "a.avi"), 4)


class TestSixteenBitRaw:
    """FFmpeg takes raw 16-bit pictures without a fourcc for RGB 5-5-5."""

    def test_without_fourcc_is_refused(self, tmp_path: Path) -> None:
        frames = noise(16)[:, 0]
        raw_avi(tmp_path / "a.avi", [bottom_up(f) for f in frames], WIDTH, HEIGHT, 16)
        with pytest.raises(DataError, match=r"16-bit mono .* SER or FITS"):
            opened(tmp_path / "a.avi")

    def test_y16(self, tmp_path: Path) -> None:
        frames = noise(16)[:, 0, :, :44]
        raw_avi(tmp_path / "a.avi", [f.tobytes() for f in frames], 44, HEIGHT, 16, compression=b"Y16 ")
        with pytest.raises(DataError, match=r"codec is unknown \(fourcc b'Y16 '\)"):
            opened(tmp_path / "a.avi")

    @pytest.mark.parametrize("fourcc", [b"Y800", b"Y8  ", b"GREY"])
    def test_y800(self, tmp_path: Path, fourcc: bytes) -> None:
        frames = noise()[:, 0, :, :44]
        raw_avi(tmp_path / "a.avi", [f.tobytes() for f in frames], 44, HEIGHT, 8, compression=fourcc)
        np.testing.assert_array_equal(collect(opened(tmp_path / "a.avi"), 4), frames)


class TestCounts:
    def pictures(self, count: int = FRAMES) -> tuple[NDArray[Any], list[bytes]]:
        frames = noise(frames=count)[:, 0, :, :44]
        return frames, [f.tobytes() for f in frames]

    @pytest.mark.parametrize("claimed", [0, 4, 9_000])
    @pytest.mark.parametrize("index", [True, False])
    def test_header_lies(self, tmp_path: Path, claimed: int, index: bool) -> None:
        frames, pictures = self.pictures()
        path = tmp_path / "a.avi"
        raw_avi(path, pictures, 44, HEIGHT, 8, compression=b"Y800", claimed=claimed, index=index)
        source = opened(path)
        np.testing.assert_array_equal(collect(source, 4), frames)
        if claimed == 9_000:
            assert caveats(source) == {Caveat.FILE_TRUNCATED}
        elif claimed == 4:
            assert caveats(source) == {Caveat.FRAME_COUNT_WRONG}

    def test_empty_chunks_are_dropped_frames(self, tmp_path: Path) -> None:
        frames, pictures = self.pictures()
        pictures[3] = pictures[4] = b""
        raw_avi(tmp_path / "a.avi", pictures, 44, HEIGHT, 8, compression=b"Y800")
        source = opened(tmp_path / "a.avi")
        np.testing.assert_array_equal(collect(source, 4), np.delete(frames, [3, 4], 0))
        assert caveats(source) == {Caveat.FRAME_COUNT_WRONG, Caveat.TIME_GAPS}
        gap = next(n for n in source.info.notes if n.caveat is Caveat.TIME_GAPS)
        assert "first after frame 2 (3.0 intervals)" in gap.message

    def test_cut_in_the_last_frame(self, tmp_path: Path) -> None:
        frames, pictures = self.pictures()
        path = tmp_path / "a.avi"
        raw_avi(path, pictures, 44, HEIGHT, 8, compression=b"Y800")
        content = path.read_bytes()
        path.write_bytes(content[: content.rindex(pictures[-1]) + 100])
        source = opened(path)
        np.testing.assert_array_equal(collect(source, 4), frames[:-1])
        assert caveats(source) == {Caveat.FILE_TRUNCATED}

    def test_only_frame_is_cut(self, tmp_path: Path) -> None:
        _, pictures = self.pictures(1)
        path = tmp_path / "a.avi"
        raw_avi(path, pictures, 44, HEIGHT, 8, compression=b"Y800")
        content = path.read_bytes()
        path.write_bytes(content[: content.rindex(pictures[0]) + 100])
        with pytest.raises(DataError, match=r"a\.avi"):
            opened(path)

    def test_no_frame(self, tmp_path: Path) -> None:
        raw_avi(tmp_path / "a.avi", [b""], 44, HEIGHT, 8, compression=b"Y800")
        with pytest.raises(DataError, match=r"a\.avi: no frame can be decoded"):
            opened(tmp_path / "a.avi")

    @pytest.mark.parametrize(("codec", "bframes"), [("libx264", "0"), ("libx264", "3"), ("mpeg4", "0")])
    def test_frames_that_rest_on_others(self, tmp_path: Path, codec: str, bframes: str) -> None:
        path = tmp_path / "a.mkv"
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(codec, rate=25, options={"bf": bframes, "g": "20"})
            stream.height, stream.width, stream.pix_fmt = HEIGHT, 46, "yuv420p"
            for number in range(60):
                picture = av.VideoFrame(46, HEIGHT, "yuv420p")
                for plane in picture.planes:
                    plane.update(bytes([number * 4]) * plane.buffer_size)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        source = opened(path)
        assert source.info.shape == (60, HEIGHT, 46)
        found = collect(source, 7).mean((1, 2))
        assert np.abs(found - np.arange(60) * 4).max() < 6
        said = {note.caveat: note.message for note in source.info.notes}
        assert "of 60 frames on their own and the others as changes" in said[Caveat.INTER_FRAME_VIDEO]

    def test_lossy_frames_that_rest_on_none(self, tmp_path: Path) -> None:
        frames = np.full((4, 1, HEIGHT, WIDTH), 90, np.uint8)
        write_video(tmp_path / "a.avi", "mjpeg", "yuvj444p", frames)
        found = caveats(opened(tmp_path / "a.avi"))
        assert Caveat.LOSSY_VIDEO in found
        assert Caveat.INTER_FRAME_VIDEO not in found


class TestDamage:
    def broken(self, path: Path, packet: int) -> None:
        """Change bytes in the middle of one packet."""
        with av.open(str(path)) as container:
            found = [p for p in container.demux(video=0) if p.size][packet]
            start, size = found.pos or 0, found.size
        content = bytearray(path.read_bytes())
        for k in range(start + size // 2, start + size // 2 + 30):
            content[k] ^= 0x5A
        path.write_bytes(content)

    @pytest.mark.parametrize("packet", [0, 1, 5])
    def test_a_damaged_frame_is_named(self, tmp_path: Path, packet: int) -> None:
        write_video(tmp_path / "a.mkv", "ffv1", "gray", noise(), g="1")
        self.broken(tmp_path / "a.mkv", packet)
        with pytest.raises(DataError, match=rf"a\.mkv: frame {packet} is damaged \(slice CRC mismatch"):
            collect(opened(tmp_path / "a.mkv"), 4)

    def test_a_damaged_last_frame_is_left_out(self, tmp_path: Path) -> None:
        frames = noise()
        write_video(tmp_path / "a.mkv", "ffv1", "gray", frames, g="1")
        self.broken(tmp_path / "a.mkv", FRAMES - 1)
        source = opened(tmp_path / "a.mkv")
        assert caveats(source) == {Caveat.FILE_TRUNCATED}
        np.testing.assert_array_equal(collect(source, 4), frames[:-1, 0])

    def test_cut_matroska_knows_what_it_lost(self, tmp_path: Path) -> None:
        frames = noise()
        write_video(tmp_path / "a.mkv", "ffv1", "gray", frames, g="1")
        with av.open(str(tmp_path / "a.mkv")) as container:
            cut = [p.pos for p in container.demux(video=0) if p.size][6]
        (tmp_path / "a.mkv").write_bytes((tmp_path / "a.mkv").read_bytes()[:cut])
        source = opened(tmp_path / "a.mkv")
        np.testing.assert_array_equal(collect(source, 4), frames[:6, 0])
        (note,) = source.info.notes
        assert note.caveat is Caveat.FILE_TRUNCATED
        assert "6 frames kept, about 3 lost" in note.message

    def test_mp4_without_its_index(self, tmp_path: Path) -> None:
        write_video(tmp_path / "a.mp4", "ffv1", "gray", noise())
        content = (tmp_path / "a.mp4").read_bytes()
        (tmp_path / "a.mp4").write_bytes(content[: content.index(b"moov") - 4])
        with pytest.raises(DataError, match=r"a\.mp4: cannot be opened as video .*cut off"):
            opened(tmp_path / "a.mp4")

    def test_sound_without_pictures(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "a.mkv"), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            sound.sample_rate = 8000
            container.mux(stream.encode(sound))
            container.mux(stream.encode(None))
        with pytest.raises(DataError, match="no video stream"):
            opened(tmp_path / "a.mkv")

    @pytest.mark.parametrize(
        "head", [b"RIFF\x24\0\0\0AVI ", b"\0\0\0\x20ftypisom", b"\x1a\x45\xdf\xa3", b"\0\0\0\x08moov"]
    )
    def test_rubbish_behind_a_good_beginning(self, tmp_path: Path, head: bytes) -> None:
        path = tmp_path / "a.avi"
        path.write_bytes(head + np.random.default_rng(1).bytes(5000))
        assert recognise(path).name == "video"
        with pytest.raises(DataError, match=r"a\.avi"):
            collect(opened(path), 4)

    def test_a_wave_file_is_no_video(self, tmp_path: Path) -> None:
        (tmp_path / "a.avi").write_bytes(b"RIFF\x24\0\0\0WAVEfmt " + bytes(100))
        with pytest.raises(DataError, match="not a recording"):
            opened(tmp_path / "a.avi")


class TestTimes:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        write_avi(tmp_path / "a.avi", noise()[:, 0], rate=30000 / 1001)
        return tmp_path / "a.avi"

    def test_none_are_made_of_presentation_times(self, path: Path) -> None:
        times = opened(path).times
        assert not times.known.any()
        assert times.source == "none"
        (note,) = times.notes
        assert note.caveat is Caveat.TIMES_ABSENT
        assert "--times" in note.message
        assert "--start-utc" in note.message
        assert opened(path).info.metadata["frame_rate"] == "30000/1001"

    def test_a_person_gives_them(self, path: Path) -> None:
        options = TimeOptions(start_utc="2026-02-03T04:05:06.000Z", cadence_s=0.04, meaning="mid")
        times = open_source([path], options).times
        assert times.known.all()
        assert times.cadence_s() == pytest.approx(0.04)
        assert Caveat.TIMES_ABSENT not in {note.caveat for note in times.notes}

    def test_no_random_access(self, path: Path) -> None:
        assert open_in_place([path]) is None


def avi_chunks(path: Path) -> int:
    """Picture chunks of a small AVI's old index, counted without FFmpeg."""
    content = path.read_bytes()
    start = content.rindex(b"idx1")
    (size,) = struct.unpack_from("<I", content, start + 4)
    return sum(content[start + 8 + k : start + 12 + k] in {b"00dc", b"00db"} for k in range(0, size, 16))


def mp4_samples(path: Path) -> int:
    """Samples that the size table of an MP4 with one track lists, counted without FFmpeg."""
    content = path.read_bytes()
    assert content.count(b"stsz") == 1
    (count,) = struct.unpack_from(">I", content, content.index(b"stsz") + 12)
    return int(count)


class TestSamples:
    def test_mp4(self) -> None:
        path = sample("video/hiaka.mp4")
        source = opened(path)
        assert source.info.shape == (95, 400, 1008)
        assert mp4_samples(path) == 95
        assert Caveat.LOSSY_VIDEO in caveats(source)
        assert sum(len(block.frames) for block in source.blocks(40)) == 95

    def test_avi(self) -> None:
        path = sample("video/short_video.avi")
        source = opened(path)
        assert source.info.shape == (avi_chunks(path), 960, 1280)
        assert caveats(source) == {Caveat.LOSSY_VIDEO, Caveat.INTER_FRAME_VIDEO}
        assert sum(len(block.frames) for block in source.blocks(40)) == source.info.frames
