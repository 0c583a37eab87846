"""The shards of a stack, read and written as files: chunks are (de)compressed on several cores.

A shard is Zarr's ``sharding_indexed`` (Zarr v3 specification, sharding codec 1.0): compressed chunks one
after the other, then an index of (offset, length) per chunk, uint64 little-endian, and its CRC-32C. What
is written is an ordinary Zarr array; arrays that are coded otherwise are left to zarr.
"""

import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from reduction.cores import on_all_cores

if TYPE_CHECKING:
    import zarr

ZSTD_LEVEL = 1
ABSENT = (1 << 64) - 1
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

Place = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class ShardCoding:
    """How frames lie in a shard.

    Attributes
    ----------
    frame_shape : tuple of int
        ``(y, x)`` or ``(c, y, x)``.
    dtype : str
        NumPy name of the pixel type.
    chunk, shard : tuple of int
        As in `ingest.stack.Layout`.
    """

    frame_shape: tuple[int, ...]
    dtype: str
    chunk: tuple[int, ...]
    shard: tuple[int, ...]

    @property
    def grid(self) -> tuple[int, ...]:
        """Chunks in a shard along each axis."""
        return tuple(whole // part for whole, part in zip(self.shard, self.chunk, strict=True))

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk, uncompressed."""
        return int(np.prod(self.chunk)) * np.dtype(self.dtype).itemsize

    @property
    def index_bytes(self) -> int:
        """Bytes of the index at the end of a shard."""
        return 16 * int(np.prod(self.grid)) + 4

    def chunks(self, start: int, stop: int) -> Iterator[tuple[int, Place]]:
        """Number in the index and place, in the shard's pixels, of each chunk with frames start to stop."""
        first, last = start // self.chunk[0], (stop - 1) // self.chunk[0] + 1
        for at in product(range(first, last), *map(range, self.grid[1:])):
            number = int(np.ravel_multi_index(at, self.grid))
            yield number, tuple(slice(k * n, (k + 1) * n) for k, n in zip(at, self.chunk, strict=True))


def coding_of(pixels: "zarr.Array[Any]") -> ShardCoding | None:
    """How an array's shards are coded, if it is as this module writes them."""
    from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec

    codecs: list[Any] = list(getattr(pixels.metadata, "codecs", ()))
    if len(codecs) != 1 or not isinstance(codecs[0], ShardingCodec) or sys.byteorder != "little":
        return None
    sharding = codecs[0]
    inner: list[Any] = list(sharding.codecs)
    index: list[Any] = list(sharding.index_codecs)
    order = BytesCodec().endian
    ours = (
        [type(codec) for codec in inner] == [BytesCodec, ZstdCodec]
        and [type(codec) for codec in index] == [BytesCodec, Crc32cCodec]
        and index[0].endian == order
        and (pixels.dtype.itemsize == 1 or inner[0].endian == order)
        and sharding.index_location.value == "end"
    )
    if not ours or pixels.shards is None:
        return None
    return ShardCoding(tuple(pixels.shape[1:]), str(pixels.dtype), tuple(pixels.chunks), tuple(pixels.shards))


def encode_shard(coding: ShardCoding, frames: NDArray[Any]) -> list[bytes]:
    """Return the content of a shard, in parts.

    Parameters
    ----------
    frames : array, (n, y, x) or (n, c, y, x)
        The shard's frames, fewer than it holds where the recording ends.
    """
    codec = Zstd(level=ZSTD_LEVEL, checksum=True)
    places = list(coding.chunks(0, frames.shape[0]))

    def encode(place: Place) -> bytes:
        part = frames[place]
        if part.shape != coding.chunk:
            whole = np.zeros(coding.chunk, coding.dtype)
            whole[tuple(slice(n) for n in part.shape)] = part
            part = whole
        return bytes(codec.encode(np.ascontiguousarray(part)))

    parts = on_all_cores(encode, [place for _, place in places])
    index = np.full((int(np.prod(coding.grid)), 2), ABSENT, "<u8")
    offset = 0
    for (number, _), part in zip(places, parts, strict=True):
        index[number] = offset, len(part)
        offset += len(part)
    table = index.tobytes()
    return [*parts, table, struct.pack("<I", google_crc32c.value(table))]


def decode_frames(coding: ShardCoding, file: Path, start: int, stop: int, out: NDArray[Any]) -> None:
    """Read frames `start` to `stop` (excluded) of a shard into `out`.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError, RuntimeError
        It is damaged.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        index = _index(coding, descriptor)

        def decode(chunk: tuple[int, Place]) -> None:
            number, place = chunk
            _decode_into(coding, _chunk(descriptor, index, number), place, start, out)

        on_all_cores(decode, list(coding.chunks(start, stop)))
    finally:
        os.close(descriptor)


def _index(coding: ShardCoding, descriptor: int) -> NDArray[np.uint64]:
    size = os.fstat(descriptor).st_size
    if size < coding.index_bytes:
        raise ValueError(f"{size} bytes are too few for a shard's index")
    content = os.pread(descriptor, coding.index_bytes, size - coding.index_bytes)
    table = content[:-4]
    if google_crc32c.value(table) != struct.unpack("<I", content[-4:])[0]:
        raise ValueError("the shard's index does not match its checksum")
    index = np.frombuffer(table, "<u8").reshape(-1, 2)
    there = index[index[:, 0] != ABSENT]
    if there.size and int(there.sum(axis=1).max()) > size:
        raise ValueError("the shard is cut short")
    return index


def _chunk(descriptor: int, index: NDArray[np.uint64], number: int) -> bytes:
    offset, length = int(index[number, 0]), int(index[number, 1])
    if offset == ABSENT:
        raise ValueError(f"chunk {number} is missing")
    content = os.pread(descriptor, length, offset)
    if len(content) != length:
        raise ValueError(f"chunk {number} is cut short")
    return content


def _decode_into(coding: ShardCoding, content: bytes, place: Place, start: int, out: NDArray[Any]) -> None:
    """Decompress a chunk and put what is asked of it into `out`, which begins with frame `start`."""
    if _content_size(content) != coding.chunk_bytes:
        raise ValueError("a chunk does not hold the pixels it should")
    frames = slice(place[0].start - start, place[0].stop - start)
    rows = (slice(max(frames.start, 0), min(frames.stop, out.shape[0])), *place[1:])
    goal = out[rows]
    if goal.shape == coding.chunk and goal.flags.c_contiguous:
        Zstd().decode(content, goal.reshape(-1).view(np.uint8))
        return
    pixels = np.frombuffer(Zstd().decode(content), coding.dtype).reshape(coding.chunk)
    first = max(-frames.start, 0)
    goal[...] = pixels[(slice(first, first + goal.shape[0]), *(slice(n) for n in goal.shape[1:]))]


def _content_size(frame: bytes) -> int:
    """Uncompressed size that a Zstandard frame states (RFC 8878, 3.1.1.1); -1 where it does not."""
    if len(frame) < 6 or frame[:4] != _ZSTD_MAGIC:
        raise ValueError("a chunk is no Zstandard frame")
    descriptor = frame[4]
    flag, single = descriptor >> 6, descriptor >> 5 & 1
    size = (single, 2, 4, 8)[flag]
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    if size == 0 or len(frame) < at + size:
        return -1
    return int.from_bytes(frame[at : at + size], "little") + (256 if size == 2 else 0)
