"""The Zarr stack: immutable pixels, their digests, and versioned times beside them.

::

    STACK.zarr/            attributes: umbra_stack (format version), source, state, pixel_digest
      pixels               (t, y, x) or (t, c, y, x); one shard = one partition
      digests              (t, 32) uint8, `reduction.stack.frame_digest` of each; one chunk per partition
      status/              what the recorder wrote beside each frame, where it did (`ingest.frame_status`)
      times/               attribute: current
        <digest>/          mid_ns, sigma_s, exposure_s (t,); attributes: meaning, source, ledger, notes

A partition is complete when its chunk of `digests` exists, which is written after its shard. The
state is ``complete``, and the pixel digest is there, only once `ingest.convert.finalise` has run.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ingest.block_memory import empty_block
from ingest.frame_status import FrameStatus, read_status
from ingest.shards import coding_of, decode_frames
from ingest.stack_times import UNREADABLE, notes_from_json, notes_json, put_times, read_times
from ingest.timeoptions import TimeOptions, apply_times
from ingest.zarr_groups import create_group
from ingest.zarr_groups import open_group as opened
from reduction.blank import blank_note
from reduction.caveats import Caveat
from reduction.errors import DataError, RequestError
from reduction.stack import Box, Colour, Digest, FrameBlock, SourceInfo, frame_digest, pixel_digest
from reduction.timing import TimeSolution

if TYPE_CHECKING:
    import zarr

FORMAT_VERSION = 1
CHUNK_BYTES = 4 << 20
TOGETHER_BYTES = 1 << 20
SHARD_BYTES = 64 << 20
CHUNK_FRAMES = 16
SHARD_FRAMES = 4096


@dataclass(frozen=True, slots=True)
class Layout:
    """How pixels lie in a stack.

    Attributes
    ----------
    chunk : tuple of int
        Inner chunk: whole frames, several up to 1 MiB, or rows of one frame where it is larger than 4 MiB.
    shard : tuple of int
        Shard: 32 to 64 MiB of whole frames, fewer where the recording is shorter.
    """

    chunk: tuple[int, ...]
    shard: tuple[int, ...]


def plan_layout(info: SourceInfo, shard_frames: int | None = None) -> Layout:
    """Choose chunks and shards; frames per shard are a power of two, so that segments align with shards.

    Parameters
    ----------
    info : SourceInfo
        Shape and pixel type.
    shard_frames : int, optional
        Frames per shard, instead of 32 to 64 MiB of them.
    """
    frame = max(1, info.frame_bytes)
    shard = shard_frames or min(SHARD_FRAMES, _power_of_two(SHARD_BYTES // frame))
    shard = min(shard, max(1, info.frames))
    chunk = _largest_divisor(shard, min(CHUNK_FRAMES, max(1, TOGETHER_BYTES // frame)))
    if frame <= CHUNK_BYTES:
        return Layout((chunk, *info.frame_shape), (shard, *info.frame_shape))
    *channels, height, width = info.frame_shape
    row_bytes = width * np.dtype(info.dtype).itemsize
    strips = -(-height // max(1, CHUNK_BYTES // row_bytes))
    rows = -(-height // strips)
    ones = tuple(1 for _ in channels)
    return Layout((1, *ones, rows, width), (shard, *channels, rows * strips, width))


def _power_of_two(limit: int) -> int:
    return 1 << (max(1, limit).bit_length() - 1)


def _largest_divisor(number: int, limit: int) -> int:
    return next(n for n in range(min(number, limit), 0, -1) if number % n == 0)


def create(path: Path, info: SourceInfo, layout: Layout) -> None:
    """Write the metadata of an empty stack into the new folder `path`."""
    from zarr.codecs import ZstdCodec

    group = create_group(path)
    axes = ("t", "c", "y", "x") if len(info.shape) == 4 else ("t", "y", "x")
    group.create_array(
        "pixels",
        shape=info.shape,
        dtype=info.dtype,
        chunks=layout.chunk,
        shards=layout.shard,
        compressors=[ZstdCodec(level=1, checksum=True)],
        dimension_names=axes,
        fill_value=0,
    )
    group.create_array(
        "digests", shape=(info.frames, 32), dtype="uint8", chunks=(layout.shard[0], 32), compressors=None
    )
    group.create_group("times")
    group.update_attributes({"umbra_stack": FORMAT_VERSION, "state": "converting", "source": info_json(info)})


def open_group(path: Path, mode: Literal["r", "r+"] = "r") -> "zarr.Group":
    """Open the group of a stack, finished or not.

    Raises
    ------
    DataError
        `path` is not a stack, or of a format version that this program does not know.
    """
    if not (path / "zarr.json").is_file():
        raise DataError(f"{path}: not a stack (no zarr.json in it); make one with umbra ingest")
    try:
        group = opened(path, mode)
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot read zarr.json ({error}); ingest again") from error
    version = group.attrs.get("umbra_stack")
    if version is None:
        raise DataError(f"{path}: a Zarr group, but not a stack of Umbra's (no attribute umbra_stack)")
    if version != FORMAT_VERSION:
        raise DataError(f"{path}: stack format {version}, this program reads {FORMAT_VERSION}; update Umbra")
    return group


def array_of(group: "zarr.Group", name: str, where: Path) -> "zarr.Array[Any]":
    """One array of a stack's group.

    Raises
    ------
    DataError
        It is missing or its metadata are damaged.
    """
    try:
        node = group[name]
    except UNREADABLE as error:
        raise DataError(f"{where}: array {name!r} cannot be read ({error}); ingest again") from error
    import zarr

    if not isinstance(node, zarr.Array):
        raise DataError(f"{where}: damaged stack, {name!r} is not an array; ingest again")
    return node


def partition_count(pixels: "zarr.Array[Any]") -> int:
    """Number of partitions (shards along time)."""
    return -(-pixels.shape[0] // shard_frames(pixels))


def shard_frames(pixels: "zarr.Array[Any]") -> int:
    """Frames per shard."""
    return int((pixels.shards or pixels.chunks)[0])


def shard_file(path: Path, dimensions: int, i: int) -> Path:
    """File of shard `i`: a shard spans whole frames, so its other indices are 0."""
    return path.joinpath("pixels", "c", str(i), *["0"] * (dimensions - 1))


def digest_file(path: Path, i: int) -> Path:
    """File with the frame digests of partition `i`; there once the partition is complete."""
    return path.joinpath("digests", "c", str(i), "0")


class ZarrStack:
    """A finished stack: implements `reduction.stack.Stack` and `reduction.stack.FrameSource`.

    `read` is safe from several threads.
    """

    def __init__(self, path: Path, group: "zarr.Group", options: TimeOptions | None = None) -> None:
        self._path = path
        self._pixels = array_of(group, "pixels", path)
        self._info = _stack_info(path, group, self._pixels)
        self._coding = coding_of(self._pixels)
        self._digest = Digest(str(group.attrs.get("pixel_digest", "")))
        self._digests = _stored_digests(path, group)
        if pixel_digest(self._info.shape, self._info.dtype, self._digests) != self._digest:
            raise DataError(f"{path}: frame digests do not agree with the pixel digest; ingest again")
        _require_shards(path, self._pixels, 0, partition_count(self._pixels))
        self._info = with_blank(self._info, self._digests)
        self._times = apply_times(read_times(path), self._info.frames, options or TimeOptions())

    @property
    def path(self) -> Path:
        """Folder of the stack."""
        return self._path

    @property
    def info(self) -> SourceInfo:
        """The recording; `format` is ``zarr``, `metadata` has ``source_format`` and ``source_name``."""
        return self._info

    @property
    def times(self) -> TimeSolution:
        """The current time solution, as the options given on opening change it."""
        return self._times

    @property
    def frame_status(self) -> FrameStatus:
        """What the recorder wrote beside the frames.

        Raises
        ------
        DataError
            It is damaged.
        """
        return read_status(self._path)

    @property
    def digest(self) -> Digest:
        """Digest of the pixels."""
        return self._digest

    @property
    def known_digests(self) -> NDArray[np.uint8]:
        """Frame digests, (t, 32)."""
        return self._digests

    @property
    def shard_size(self) -> int:
        """Frames per shard."""
        return shard_frames(self._pixels)

    def retimed(self, times: TimeSolution) -> "ZarrStack":
        """The same stack, open with other times; those stored stay."""
        self._times = times
        return self

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (excluded), native-endian.

        Raises
        ------
        RequestError
            The range leaves the recording.
        DataError
            A shard is missing or damaged.
        """
        if not 0 <= start <= stop <= self._info.frames:
            raise RequestError(f"{self._path}: frames {start} to {stop} asked, it has {self._info.frames}")
        if start == stop:
            return np.empty((0, *self._info.frame_shape), self._info.dtype)
        first, last = start // self.shard_size, (stop - 1) // self.shard_size
        _require_shards(self._path, self._pixels, first, last + 1)
        try:
            return self._decoded(start, stop)
        except UNREADABLE as error:
            files = ", ".join(
                str(shard_file(self._path, self._pixels.ndim, i).relative_to(self._path))
                for i in sorted({first, last})
            )
            raise DataError(
                f"{self._path}: frames {start} to {stop - 1}: damaged ({error}; {files}); ingest again"
            ) from error

    def _decoded(self, start: int, stop: int) -> NDArray[Any]:
        if self._coding is None:
            return np.asarray(self._pixels[start:stop])
        out = empty_block((stop - start, *self._info.frame_shape), self._info.dtype)
        for i in range(start // self.shard_size, (stop - 1) // self.shard_size + 1):
            base = i * self.shard_size
            low, high = max(start, base), min(stop, base + self.shard_size)
            file = shard_file(self._path, self._pixels.ndim, i)
            decode_frames(self._coding, file, low - base, high - base, out[low - start : high - start])
        return out

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Yield blocks of `size` frames (the last may be shorter) from frame `start`."""
        for first in range(start, self._info.frames, size):
            yield FrameBlock(first, self.read(first, min(first + size, self._info.frames)))

    def close(self) -> None:
        """Nothing stays open between reads."""


def open_zarr(paths: Sequence[Path], options: TimeOptions) -> ZarrStack:
    """Open a finished stack, as the table of formats does."""
    return open_stack(paths[0], options)


def open_stack(path: Path, options: TimeOptions | None = None) -> ZarrStack:
    """Open a finished stack; `options` change the times of what is opened, not those stored.

    Raises
    ------
    DataError
        Not a stack, its conversion was interrupted, a shard is missing or the metadata are damaged.
    """
    group = open_group(path)
    if group.attrs.get("state") != "complete":
        raise DataError(f"{path}: its conversion was interrupted; run umbra ingest again to finish it")
    return ZarrStack(path, group, options)


def verify(path: Path) -> list[int]:
    """Numbers of the frames whose pixels no longer have the digest stored beside them, or cannot be read."""
    stack = open_stack(path)
    step = int(stack._pixels.chunks[0])
    wrong: list[int] = []
    for start in range(0, stack.info.frames, step):
        stop = min(start + step, stack.info.frames)
        try:
            frames = stack.read(start, stop)
        except DataError:
            wrong.extend(range(start, stop))
            continue
        expected = stack.known_digests[start:stop]
        wrong.extend(
            start + k for k, frame in enumerate(frames) if frame_digest(frame) != expected[k].tobytes()
        )
    return wrong


def add_times(path: Path, times: TimeSolution) -> None:
    """Put a time solution beside the pixels and make it the current one; pixels are not touched.

    Raises
    ------
    RequestError
        It has another number of frames than the stack.
    ResourceError
        The folder cannot be written.
    """
    frames = array_of(open_group(path), "pixels", path).shape[0]
    if times.mid_ns.shape[0] != frames:
        raise RequestError(f"{path}: has {frames} frames, the times are for {times.mid_ns.shape[0]}")
    put_times(path, times)


def info_json(info: SourceInfo) -> dict[str, Any]:
    """`info` as a JSON document, for a stack's attributes."""
    plain = {name: getattr(info, name) for name in SourceInfo.__slots__}
    return plain | {
        "shape": list(info.shape),
        "metadata": dict(info.metadata),
        "notes": notes_json(info.notes),
        "burnt_in": [list(box) for box in info.burnt_in],
    }


def info_from_json(document: Mapping[str, Any]) -> SourceInfo:
    """Undo `info_json`."""
    plain = dict(document) | {
        "shape": tuple(int(n) for n in document["shape"]),
        "colour": cast(Colour, document["colour"]),
        "notes": notes_from_json(document["notes"]),
        "burnt_in": tuple(cast(Box, tuple(int(n) for n in box)) for box in document.get("burnt_in", ())),
    }
    return SourceInfo(**plain)


def _stack_info(path: Path, group: "zarr.Group", pixels: "zarr.Array[Any]") -> SourceInfo:
    try:
        recorded = info_from_json(cast(Mapping[str, Any], group.attrs["source"]))
    except UNREADABLE as error:
        raise DataError(f"{path}: attribute source is unreadable ({error}); ingest again") from error
    if recorded.shape != tuple(pixels.shape) or np.dtype(recorded.dtype) != pixels.dtype:
        raise DataError(
            f"{path}: pixels are {pixels.shape} {pixels.dtype}, its attributes say {recorded.shape} "
            f"{recorded.dtype}; ingest again"
        )
    metadata = {**recorded.metadata, "source_format": recorded.format, "source_name": recorded.name}
    return replace(recorded, format="zarr", name=path.name, metadata=metadata)


def with_blank(info: SourceInfo, digests: NDArray[np.uint8]) -> SourceInfo:
    """With a caveat where frames are zero everywhere, as readers give those that are damaged."""
    if any(note.caveat is Caveat.FRAMES_BLANK for note in info.notes):
        return info
    zero = np.frombuffer(frame_digest(np.zeros(info.frame_shape, info.dtype)), np.uint8)
    places = np.flatnonzero((digests == zero).all(axis=1))
    if not places.size:
        return info
    return replace(info, notes=(*info.notes, blank_note(info.name, places, info.frames)))


def _stored_digests(path: Path, group: "zarr.Group") -> NDArray[np.uint8]:
    try:
        return np.asarray(array_of(group, "digests", path)[:], np.uint8)
    except UNREADABLE as error:
        raise DataError(f"{path}: frame digests cannot be read ({error}); ingest again") from error


def _require_shards(path: Path, pixels: "zarr.Array[Any]", first: int, stop: int) -> None:
    """Raise DataError unless shards `first` to `stop` (excluded) are there: zarr reads a hole as zeros."""
    for i in range(first, stop):
        file = shard_file(path, pixels.ndim, i)
        try:
            size = os.stat(file).st_size  # noqa: PTH116  # at every read; Path.stat costs twice as much
        except OSError:
            size = 0
        if size == 0:
            raise DataError(f"{path}: shard {i} is missing or empty ({file.relative_to(path)}); ingest again")
