"""Demultiplexing and decoding of video, and the count of its frames.

A frame that the decoder complains about is an error, never a concealed picture.
"""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.logging import Capture
from numpy.typing import NDArray

from ingest.video_planes import PixelReader
from reduction.caveats import Caveat, Note
from reduction.errors import DataError

TAIL_PACKETS = 600
HARMLESS = ("unable to decode APP fields",)  # JPEG: metadata, not the picture

# What a decoder says tells concealed damage, e.g. a wrong slice checksum in FFV1. Messages are captured
# around each call, one thread per decoder: a decoding thread that logs would wait for Python's lock.
av.logging.set_level(av.logging.ERROR)
av.logging.set_skip_repeated(False)
logging.getLogger("libav").setLevel(logging.CRITICAL)


class DamagedPacketError(Exception):
    """The decoder complained; `number` packets were decoded before, in recorded order."""

    def __init__(self, number: int, complaint: str) -> None:
        super().__init__(complaint)
        self.number = number


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What demultiplexing and decoding the two ends tell.

    `times` and `sizes`, ``(packets,)``, are presentation times and bytes of the packets, in recorded order.
    """

    frames: int
    complete: bool
    gray_ends: bool
    notes: tuple[Note, ...]
    keyframes: int
    times: NDArray[np.int64]
    sizes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Packets:
    """The packets of a recording: times, sizes, which are keyframes, and those from the last keyframe on."""

    times: NDArray[np.int64]
    sizes: NDArray[np.int64]
    keyframes: NDArray[np.intp]
    tail: list[Any]
    cut: bool

    @property
    def count(self) -> int:
        return self.times.size


def open_container(path: Path) -> Any:
    """Open a file with FFmpeg; DataError where it is no container that can be read."""
    try:
        return av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(
            f"{path.name}: cannot be opened as video ({_reason(error)}); the recording may have been cut off "
            "before its index was written: copy it again, or repair it"
        ) from error


def video_stream(container: Any, path: Path) -> Any:
    """Return the first video stream, its decoder set up; DataError where there is none."""
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not streams:
        raise DataError(f"{path.name}: holds no video stream ({container.format.name})")
    stream = streams[0]
    if stream.codec_context is None:
        raise DataError(
            f"{path.name}: its codec is unknown (fourcc {_fourcc(path)!r}); convert it to SER or FITS first"
        )
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"err_detect": "crccheck"}
    return stream


def _fourcc(path: Path) -> bytes:
    """Compression of an AVI's BITMAPINFOHEADER; empty for other containers."""
    with path.open("rb") as file:
        head = file.read(65_536)
    start = head.find(b"strf")
    return head[start + 24 : start + 28] if start > 0 else b""


def packets_of(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """Packets in stored order; DataError where the container is damaged."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError as error:
        raise DataError(f"{path.name}: damaged container ({_reason(error)}); copy the file again") from error


def decode_packet(packet: Any, number: int, decoder: Any = None) -> list[Any]:
    """Frames that a packet completes, by its stream's decoder or another.

    Raises DamagedPacketError where the decoder complains.
    """
    if packet.is_corrupt:
        raise DamagedPacketError(number, "the container marks it as cut or damaged")
    frames: list[Any] = []
    refused = ""
    with Capture(local=True) as log:
        try:
            frames = list(packet.decode() if decoder is None else decoder.decode(packet))
        except av.error.FFmpegError as error:
            refused = _reason(error)
    complaints = [
        text.strip(" ,\n")
        for level, _, text in log
        if level <= av.logging.ERROR and not text.startswith(HARMLESS)
    ]
    if refused or complaints or any(frame.is_corrupt for frame in frames):
        raise DamagedPacketError(number, "; ".join(complaints[:2]) or refused or "marked corrupt")
    return frames


def decoded_frames(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """Decoded frames from the front; DataError names the first that is damaged."""
    number = 0
    for packet in packets_of(container, stream, path):
        try:
            yield from decode_packet(packet, number)
        except DamagedPacketError as damage:
            raise DataError(
                f"{path.name}: frame {damage.number} is damaged ({damage}); copy the file again"
            ) from damage
        number += packet.size > 0


def survey_frames(container: Any, path: Path, pixels: PixelReader) -> Survey:
    """Count frames without decoding all of them, unless the ends disagree with the packet count."""
    stream = video_stream(container, path)
    packets = _indexed(container, stream, path) or _demuxed(container, stream, path)
    if not packets.count:
        raise DataError(f"{path.name}: holds no frame")
    frames, complete = _decode_tail(packets)
    gray = pixels.colour != "rgb" or all(pixels.is_gray(frame) for frame in frames)
    count = packets.count
    first_keyframe = packets.keyframes[0] if packets.keyframes.size else -1
    if packets.keyframes.size == count and not complete:
        count -= 1
    elif not complete or len(frames) != len(packets.tail) or first_keyframe != 0:
        count, complete = _count_by_decoding(path, packets)
    if not count:
        raise DataError(f"{path.name}: its only frame is cut off; copy the file again")
    notes = tuple(_count_notes(container, stream, packets, count, path))
    notes = (*notes, *_gap_notes(packets.times, path))
    keyframes = packets.keyframes.size
    return Survey(count, complete, gray, notes, keyframes, packets.times, packets.sizes)


def _indexed(container: Any, stream: Any, path: Path) -> _Packets | None:
    """Packets from an AVI's own index, which spares reading the file; None unless all of it is sound."""
    entries = stream.index_entries
    if container.format.name != "avi" or not 0 < len(entries) == stream.frames:
        return None
    rows = ((e.pos + e.size, e.size, e.timestamp, e.is_keyframe) for e in entries)
    index = np.fromiter(rows, [("stop", "i8"), ("size", "i8"), ("time", "i8"), ("key", "?")])
    keyframes = np.flatnonzero(index["key"])
    if not keyframes.size or index["size"].min() <= 0 or index["stop"].max() > path.stat().st_size:
        return None
    times = index["time"]
    last = int(keyframes[-1])
    if len(index) - last > TAIL_PACKETS:
        return None
    try:
        container.seek(int(times[last]), stream=stream)
    except av.error.FFmpegError:
        return None
    tail = [p for p in packets_of(container, stream, path) if p.size > 0]
    if len(tail) != len(index) - last or any(p.is_corrupt for p in tail):
        container.seek(0, stream=stream)
        return None
    return _Packets(times, index["size"], keyframes, tail, cut=False)


def _demuxed(container: Any, stream: Any, path: Path) -> _Packets:
    times: list[int] = []
    sizes: list[int] = []
    keyframes: list[int] = []
    tail: list[Any] = []
    cut = False
    for packet in packets_of(container, stream, path):
        if packet.size == 0:
            continue
        if packet.is_keyframe:
            keyframes.append(len(times))
            tail.clear()
        if len(tail) <= TAIL_PACKETS:
            tail.append(packet)
        stamp = packet.pts if packet.pts is not None else packet.dts
        times.append(len(times) if stamp is None else stamp)
        sizes.append(packet.size)
        cut = cut or packet.is_corrupt
    indices = np.array(keyframes, np.intp)
    return _Packets(np.array(times, np.int64), np.array(sizes, np.int64), indices, tail, cut)


def _decode_tail(packets: _Packets) -> tuple[list[Any], bool]:
    """Frames of the packets from the last keyframe on, and whether all of them decode."""
    if len(packets.tail) > TAIL_PACKETS:
        return [], False
    frames: list[Any] = []
    try:
        for number, packet in enumerate(packets.tail):
            frames += decode_packet(packet, number)
        frames += packets.tail[-1].stream.codec_context.decode(None)
    except (DamagedPacketError, av.error.FFmpegError):
        return frames, False
    return frames, True


def _count_by_decoding(path: Path, packets: _Packets) -> tuple[int, bool]:
    """Frames that decode; damage before the last packet is left to be met, and named, on reading."""
    count = done = 0
    with closing(open_container(path)) as container:
        stream = video_stream(container, path)
        try:
            for packet in packets_of(container, stream, path):
                count += len(decode_packet(packet, done))
                done += packet.size > 0
        except DamagedPacketError:
            return (packets.count if done < packets.count - 1 else count), False
    return count, True


def _count_notes(container: Any, stream: Any, packets: _Packets, count: int, path: Path) -> Iterator[Note]:
    claimed = int(stream.frames)
    missing = claimed - count if claimed else _missing_by_duration(container, packets, count)
    missing -= _skipped(packets.times)
    if packets.cut or missing > 0 or count < packets.count:
        lost = max(missing, packets.count - count, 1)
        text = (
            f"{path.name}: the file is cut off or damaged at its end: {count} frames kept, about {lost} lost"
        )
        yield Note(Caveat.FILE_TRUNCATED, text)
    elif claimed and claimed != count:
        text = f"{path.name}: the header says {claimed} frames, the file holds {count}"
        yield Note(Caveat.FRAME_COUNT_WRONG, text)


def _missing_by_duration(container: Any, packets: _Packets, count: int) -> int:
    """Frames that the stated duration has beyond the last packet; containers without a count (Matroska)."""
    if not container.duration or len(container.streams) != 1 or count < 2:
        return 0
    stream = container.streams[0]
    span_s = float(int(np.ptp(packets.times)) * stream.time_base)
    step_s = span_s / max(1, packets.count - 1)
    if step_s <= 0:
        return 0
    return max(0, round((float(container.duration) / av.time_base - span_s) / step_s) - 1)


def _skipped(times: NDArray[np.int64]) -> int:
    """Frames that the presentation times leave out between the first and the last."""
    steps = np.diff(np.sort(times))
    usual = float(np.median(steps)) if steps.size else 0.0
    return max(0, round(float(steps.sum()) / usual) - steps.size) if usual > 0 else 0


def _gap_notes(times: NDArray[np.int64], path: Path) -> Iterator[Note]:
    """Presentation times say nothing of UTC, but a hole in them says that frames were dropped."""
    steps = np.diff(np.sort(times))
    if steps.size < 2:
        return
    usual = float(np.median(steps))
    gaps = np.flatnonzero(steps.astype(np.float64) > 1.5 * usual)
    if usual > 0 and gaps.size:
        yield Note(
            Caveat.TIME_GAPS,
            f"{path.name}: presentation times skip at {gaps.size} places, first after frame {int(gaps[0])} "
            f"({float(steps[gaps[0]]) / usual:.1f} intervals): frames may have been dropped there",
        )


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
