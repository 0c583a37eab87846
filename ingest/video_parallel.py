"""Decoding of video on several cores, for codecs whose pictures do not rest on each other.

One thread takes the packets off the container in order and deals them out in groups; each decoder
thread has a decoder of its own, and the pictures come back in recorded order. Nothing is sought, so a
frame's number is counted, never guessed from presentation times.

A group begins where a decoder can start afresh. Whatever shows that one could not (a packet that
gives no picture or several, a key frame that was none) ends the parallel part, and the caller goes on
in one thread.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from av.codec.codec import Capabilities
from numpy.typing import NDArray

from ingest.video_decode import DamagedPacketError, decode_packet, open_container, packets_of, video_stream
from ingest.video_planes import PixelReader
from reduction.errors import DataError

Picture = Callable[[NDArray[Any]], None]
"""Writes one frame's pixels into an array."""

ONE_PICTURE_EACH = {"ffv1", "ffvhuff", "huffyuv", "magicyuv", "png", "rawvideo", "utvideo", "dvvideo"}
"""Codecs of which each packet gives one picture or an error: packets can be counted undecoded."""

FRESH_AT_KEYFRAMES = {"ffv1", "png"}
"""Not intra-only by FFmpeg's table, but a key frame needs nothing of what came before."""

QUANTISATION, HUFFMAN, START_OF_SCAN = 0xDB, 0xC4, 0xDA
"""JPEG markers: DQT, DHT, SOS."""

TASK_BYTES = 1 << 20
TASK_PACKETS = 8
WINDOW_BYTES = 160 << 20
"""Bound on the pictures that are decoded ahead, and their packets."""


class NotIndependentError(Exception):
    """The recording's pictures cannot be decoded apart from each other."""


@dataclass(slots=True)
class _Group:
    """Packets that one decoder treats in a row; `number` is the first's."""

    number: int
    packets: list[Any] = field(default_factory=list)

    @property
    def stop(self) -> int:
        return self.number + len(self.packets)


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Pictures of a group in order, and what ended it before its last."""

    pictures: list[NDArray[Any]]
    error: Exception | None = None


def is_splittable(stream: Any, pixels: PixelReader) -> bool:
    """Whether the pictures of a stream can be decoded apart from each other, as far as its codec tells.

    Palettes travel beside the packets and hold until the next, so those recordings are read in one piece.
    Raw pictures are not decoded at all.
    """
    codec = stream.codec_context.codec
    independent = codec.intra_only or codec.name in FRESH_AT_KEYFRAMES
    delayed = bool(codec.capabilities & Capabilities.delay)
    return independent and not delayed and pixels.palette is None and codec.name != "rawvideo"


def pictures_on(threads: int, path: Path, pixels: PixelReader, start: int) -> Generator[Picture]:
    """Frames from `start`, decoded by several threads, each as what writes its pixels.

    Raises
    ------
    DataError
        The pixels of a frame cannot be had; all frames before it have been yielded.
    NotIndependentError
        The frame that is due, or one soon after it, cannot be decoded by itself, or is damaged.
    """
    with ExitStack() as stack:
        decoders: SimpleQueue[Any] = SimpleQueue()
        container = stack.enter_context(closing(open_container(path)))
        for _ in range(threads):
            own = stack.enter_context(closing(open_container(path)))
            decoders.put(video_stream(own, path).codec_context)
        pool = stack.enter_context(ThreadPoolExecutor(threads, "decode"))
        stack.callback(pool.shutdown, cancel_futures=True)
        frame_bytes = max(1, int(np.prod(pixels.frame_shape)) * np.dtype(pixels.dtype).itemsize)
        window: deque[tuple[int, Future[_Decoded]]] = deque()
        for group in _groups(container, path, start, frame_bytes):
            size = 2 * frame_bytes * len(group.packets)
            while window and (len(window) >= 2 * threads or _held(window) + size > WINDOW_BYTES):
                yield from _in_turn(window.popleft()[1].result())
            window.append((size, pool.submit(_decode_group, decoders, pixels, path.name, group, start)))
        while window:
            yield from _in_turn(window.popleft()[1].result())


def _held(window: "deque[tuple[int, Future[_Decoded]]]") -> int:
    return sum(size for size, _ in window)


def _in_turn(done: _Decoded) -> Iterator[Picture]:
    for picture in done.pictures:
        yield partial(_copy, picture)
    if done.error is not None:
        raise done.error


def _copy(picture: NDArray[Any], out: NDArray[Any]) -> None:
    out[...] = picture


def _groups(container: Any, path: Path, start: int, frame_bytes: int) -> Iterator[_Group]:
    """Groups of packets that hold frame `start` and all after it."""
    stream = video_stream(container, path)
    codec = stream.codec_context.codec.name
    starts_afresh = _Jpegs() if codec == "mjpeg" else _is_keyframe
    few = max(1, min(TASK_PACKETS, TASK_BYTES // frame_bytes))
    skip = start if codec in ONE_PICTURE_EACH else 0
    group = _Group(0)
    for packet in packets_of(container, stream, path):
        if packet.size == 0:
            continue
        if packet.has_sidedata("new_extradata") or packet.has_sidedata("palette"):
            raise NotIndependentError
        fresh = starts_afresh(packet)
        if not fresh and not group.packets:
            raise NotIndependentError
        if fresh and (len(group.packets) >= few or 0 < group.stop <= skip):
            if group.stop > skip:
                yield group
            group = _Group(group.stop)
        group.packets.append(packet)
        if 8 * frame_bytes * len(group.packets) > WINDOW_BYTES and len(group.packets) > few:
            raise NotIndependentError
    if group.packets:
        yield group


def _decode_group(
    decoders: "SimpleQueue[Any]", pixels: PixelReader, name: str, group: _Group, start: int
) -> _Decoded:
    """Decode a group with a decoder that is free; keep the pictures from frame `start` on."""
    found: list[NDArray[Any]] = []
    decoder = decoders.get()
    try:
        for number, packet in enumerate(group.packets, group.number):
            frames = decode_packet(packet, number, decoder)
            if len(frames) != 1 or (number == group.number and not frames[0].key_frame):
                return _Decoded(found, NotIndependentError())
            if number >= start:
                picture = np.empty(pixels.frame_shape, pixels.dtype)
                pixels.read(frames[0], picture, f"{name}: frame {number}")
                found.append(picture)
    except DamagedPacketError:  # named by whoever decodes from the front, where it stands on more
        return _Decoded(found, NotIndependentError())
    except DataError as error:
        return _Decoded(found, error)
    finally:
        decoders.put(decoder)
    return _Decoded(found)


def _is_keyframe(packet: Any) -> bool:
    return bool(packet.is_keyframe)


class _Jpegs:
    """Tells which JPEG pictures bring their own tables; a decoder keeps those of earlier pictures.

    Pictures without Huffman tables (Motion-JPEG in AVI) mean the usual ones, unless others came before.
    """

    def __init__(self) -> None:
        self._huffman_seen = False

    def __call__(self, packet: Any) -> bool:
        segments = _jpeg_segments(memoryview(packet))
        huffman = HUFFMAN in segments
        fresh = QUANTISATION in segments and (huffman or not self._huffman_seen)
        self._huffman_seen |= huffman
        return fresh


def _jpeg_segments(content: memoryview) -> set[int]:
    """Markers before the first scan of a JPEG picture (ITU-T T.81, annex B)."""
    found: set[int] = set()
    at = 2  # behind the start of the image
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == START_OF_SCAN:
            break
        found.add(marker)
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return found
