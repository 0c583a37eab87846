"""Some neighbouring frames of a video, decoded on their own, so that several processes can share a recording.

The container is sought to the last key frame before them. That it led there is not believed: every packet
from there on must have the time and the size that the recording's own count, from front to back, gave it.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from ingest.video_decode import (
    DamagedPacketError,
    Survey,
    decode_packet,
    open_container,
    packets_of,
    video_stream,
)
from ingest.video_parallel import ONE_PICTURE_EACH, NotIndependentError
from ingest.video_planes import PixelReader
from reduction.errors import DataError

LONGEST_WAY = 256
"""Packets from a key frame to the frames that are wanted, at most: they are decoded for nothing."""


def has_ranges(codec: str, survey: Survey) -> bool:
    """Whether any frames of a recording can be decoded without all before them, as far as can be told.

    Each packet must give one picture, and be known by its time.
    """
    counted = survey.complete and survey.frames == survey.times.size
    near = survey.keyframes * LONGEST_WAY >= survey.frames
    return codec in ONE_PICTURE_EACH and counted and near and _rising(survey.times)


def _rising(times: NDArray[np.int64]) -> bool:
    return bool((np.diff(times) > 0).all())


def read_range(path: Path, pixels: PixelReader, survey: Survey, start: int, stop: int) -> NDArray[Any]:
    """Frames `start` to `stop` (excluded), ``(n, y, x)`` or ``(n, c, y, x)``.

    Raises
    ------
    DataError
        The pixels of a frame cannot be had.
    NotIndependentError
        They cannot be decoded on their own, or are damaged: decoding from the front tells what is wrong.
    """
    out = np.empty((stop - start, *pixels.frame_shape), pixels.dtype)
    due = start
    with closing(open_container(path)) as container:
        stream = video_stream(container, path)
        for number, packet in _packets_from(container, stream, path, survey, start):
            fresh = number <= start and packet.is_keyframe
            picture = _picture(packet, number, fresh)
            if number >= start:
                pixels.read(picture, out[number - start], f"{path.name}: frame {number}")
                due = number + 1
            if due == stop:
                return out
    raise NotIndependentError


def _picture(packet: Any, number: int, fresh: bool) -> Any:
    """The one picture of a packet; a `fresh` one must rest on nothing."""
    try:
        frames = decode_packet(packet, number)
    except DamagedPacketError as damage:
        raise NotIndependentError from damage
    if len(frames) != 1 or (fresh and not frames[0].key_frame):
        raise NotIndependentError
    return frames[0]


def _packets_from(
    container: Any, stream: Any, path: Path, survey: Survey, start: int
) -> Iterator[tuple[int, Any]]:
    """Packets with their numbers, from the last key frame at or before frame `start` on."""
    try:
        container.seek(int(survey.times[start]), stream=stream)
    except av.error.FFmpegError as error:
        raise NotIndependentError from error
    number = -1
    try:
        for packet in packets_of(container, stream, path):
            if packet.size == 0:
                continue
            time = packet.pts if packet.pts is not None else packet.dts
            if number < 0:
                number = _number_of(time, survey.times)
                if not start - LONGEST_WAY <= number <= start or not packet.is_keyframe:
                    raise NotIndependentError
            if number >= survey.frames or (time, packet.size) != (survey.times[number], survey.sizes[number]):
                raise NotIndependentError
            if packet.has_sidedata("new_extradata") or packet.has_sidedata("palette"):
                raise NotIndependentError
            yield number, packet
            number += 1
    except DataError as error:  # a damaged container: the count from the front says where
        raise NotIndependentError from error


def _number_of(time: int | None, times: NDArray[np.int64]) -> int:
    """Which packet has a time. Raises `NotIndependentError` where none has."""
    if time is None:
        raise NotIndependentError
    number = int(np.searchsorted(times, time))
    if number == times.size or times[number] != time:
        raise NotIndependentError
    return number
