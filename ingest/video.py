"""Video through FFmpeg's libraries: AVI, MP4, MOV, Matroska.

The container's presentation times are never taken for UTC. Frames that cannot be decoded are errors;
at the very end of a file they are left out with a caveat.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ingest.block_memory import empty_block
from ingest.timeoptions import TimeOptions, apply_times
from ingest.video_decode import Survey, decoded_frames, open_container, survey_frames, video_stream
from ingest.video_parallel import NotIndependentError, Picture, is_splittable, pictures_on
from ingest.video_planes import PixelReader, plan_pixels
from ingest.video_ranges import has_ranges, read_range
from reduction.caveats import Caveat, Note
from reduction.cores import cores
from reduction.errors import DataError
from reduction.stack import FrameBlock, SourceInfo
from reduction.timing import TimeSolution, no_times

COLOUR_RANGE = {1: "limited", 2: "full"}


def open_video(paths: Sequence[Path], options: TimeOptions) -> "VideoSource":
    """Open a video file.

    Raises
    ------
    DataError
        It is damaged, has no video stream, or a pixel format whose recorded levels cannot be had.
    RequestError
        The times options cannot be used.
    """
    return VideoSource(paths[0], options)


class VideoSource:
    """A video as a `FrameSource`; `blocks` decodes on all cores where pictures are independent."""

    def __init__(self, path: Path, options: TimeOptions) -> None:
        self._path = path.absolute()
        with closing(open_container(path)) as container:
            stream = video_stream(container, path)
            first = next(decoded_frames(container, stream, path), None)
            if first is None:
                raise DataError(f"{path.name}: no frame can be decoded ({stream.codec_context.name})")
            pixels = plan_pixels(first, f"{path.name}: frame 0")
            metadata = _metadata(container, stream, first)
            lossy = bool(stream.codec_context.codec.lossy)
            self._splittable = is_splittable(stream, pixels)
        with closing(open_container(path)) as container:
            self._survey = survey_frames(container, path, pixels)
        self._in_ranges = self._splittable and has_ranges(metadata["codec"], self._survey)
        self._pixels = _settle_gray(pixels, first, self._survey)
        self._info = _describe(path, self._pixels, self._survey, metadata, lossy)
        frames = self._survey.frames
        self._times = apply_times(no_times(frames, notes=[_times_absent(path)]), frames, options)

    @property
    def info(self) -> SourceInfo:
        """What the recording is; codec, frame rate, colour range and interlacing are in `metadata`."""
        return self._info

    @property
    def times(self) -> TimeSolution:
        """The person's times; the container has none."""
        return self._times

    def blocks(self, size: int, start: int = 0) -> Generator[FrameBlock]:
        """Yield blocks of `size` frames (the last may be shorter) from frame `start`.

        Raises
        ------
        DataError
            A frame cannot be decoded, or the stream ends early.
        """
        total, name = self._survey.frames, self._path.name
        with closing(self._pictures(start)) as pictures:
            for first in range(start, total, size):
                count = min(size, total - first)
                block = empty_block((count, *self._pixels.frame_shape), self._pixels.dtype)
                for k in range(count):
                    picture = next(pictures, None)
                    if picture is None:
                        raise DataError(
                            f"{name}: frame {first + k}: the stream ends here, {total} frames were counted; "
                            "convert it to a lossless codec (FFV1) first"
                        )
                    picture(block[k])
                yield FrameBlock(first, block)
            if self._survey.complete and next(pictures, None) is not None:
                raise DataError(
                    f"{name}: decodes to more than the {total} frames counted in the container; "
                    "convert it to a lossless codec (FFV1) first"
                )

    @property
    def path(self) -> Path:
        """The file, absolute."""
        return self._path

    @property
    def in_ranges(self) -> bool:
        """Whether `read_range` may be asked; this source can then be pickled to another process."""
        return self._in_ranges

    def read_range(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded), decoded by one thread. Raises as `video_ranges.read_range`."""
        return read_range(self._path, self._pixels, self._survey, start, stop)

    def _pictures(self, start: int) -> Generator[Picture]:
        """Frames from `start`, each as what writes its pixels: on several cores where the codec allows it.

        Damage, and pictures that turn out to rest on others, are left to a decoder that has seen all
        before them: it goes on from the frame that is due.
        """
        threads = cores()
        if self._splittable and (threads > 1 or start > 0):
            with (
                suppress(NotIndependentError),
                closing(pictures_on(threads, self._path, self._pixels, start)) as pictures,
            ):
                for picture in pictures:
                    yield picture
                    start += 1
                return
        yield from self._pictures_in_turn(start)

    def _pictures_in_turn(self, start: int) -> Iterator[Picture]:
        with closing(open_container(self._path)) as container:
            frames = decoded_frames(container, video_stream(container, self._path), self._path)
            for number, frame in enumerate(frames):
                if number >= start:
                    yield partial(self._pixels.read, frame, where=f"{self._path.name}: frame {number}")

    def close(self) -> None:
        """Nothing stays open between blocks."""


def _settle_gray(pixels: PixelReader, first: Any, survey: Survey) -> PixelReader:
    """Keep one plane where R, G and B are equal on the first and the last frames."""
    if pixels.colour != "rgb" or pixels.palette is not None:
        return pixels
    return replace(pixels, colour="mono", gray=True) if survey.gray_ends and pixels.is_gray(first) else pixels


def _describe(
    path: Path, pixels: PixelReader, survey: Survey, metadata: dict[str, str], lossy: bool
) -> SourceInfo:
    notes = list(survey.notes)
    if lossy:
        text = f"{path.name}: {metadata['codec']} compresses with loss: levels and noise are not the camera's"
        notes.append(Note(Caveat.LOSSY_VIDEO, text))
        if survey.keyframes < survey.frames:
            text = (
                f"{path.name}: {metadata['codec']} codes {survey.keyframes} of {survey.frames} frames on "
                "their own and the others as changes: faint changes are smeared or held over several frames, "
                "and a star may fade a frame late; record without inter-frame compression"
            )
            notes.append(Note(Caveat.INTER_FRAME_VIDEO, text))
    if pixels.gray:
        metadata = metadata | {"planes": "R, G and B are equal; one is kept"}
    return SourceInfo(
        format="video",
        name=path.name,
        shape=(survey.frames, *pixels.frame_shape),
        dtype=pixels.dtype,
        bit_depth=pixels.bits,
        colour=pixels.colour,
        metadata=metadata,
        notes=tuple(notes),
    )


def _metadata(container: Any, stream: Any, frame: Any) -> dict[str, str]:
    pixel_format = str(frame.format.name)
    said = COLOUR_RANGE.get(int(frame.color_range), "unspecified")
    found = {
        "container": container.format.name,
        "codec": stream.codec_context.name,
        "pixel_format": pixel_format,
        "frame_rate": str(stream.average_rate or ""),
        "color_range": "full" if pixel_format.startswith("yuvj") else said,
        "interlaced": "yes" if frame.interlaced_frame else "no",
        "rotation": str(frame.rotation),
    }
    if pixel_format.startswith(("yu", "uy", "yv", "nv", "p0", "p2")) and found["color_range"] != "full":
        found["luma"] = "limited range (black 16, white 235 of 255) unless the recorder did otherwise"
    extra = {f"container.{key}": str(value) for key, value in container.metadata.items()}
    return {key: value for key, value in (found | extra).items() if value}


def _times_absent(path: Path) -> Note:
    return Note(
        Caveat.TIMES_ABSENT,
        f"{path.name}: a video has no UTC (its presentation times are not): "
        "give --vti-date for a burnt-in time, --times FILE.csv, or --start-utc and --cadence",
    )
