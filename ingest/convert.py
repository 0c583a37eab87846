"""Conversion of a recording to a Zarr stack, in partitions: ``init -> write_partition(i) -> finalise``.

A partition is one shard. Its pixels are written beside and renamed, then its frame digests, which mark
it complete; so a conversion killed at any instant goes on where it was, and partitions can be
written by several processes.
"""

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest import durable as disk
from ingest.burnt_in import BurntInSource
from ingest.formats import open_in_place, open_source
from ingest.frame_status import put_status, status_of
from ingest.shards import coding_of, encode_shard
from ingest.stack import (
    ZarrStack,
    add_times,
    array_of,
    create,
    digest_file,
    info_json,
    open_group,
    open_stack,
    partition_count,
    plan_layout,
    shard_file,
    shard_frames,
)
from ingest.timeoptions import TimeOptions
from reduction.cores import on_all_cores
from reduction.errors import DataError, RequestError, ResourceError
from reduction.readahead import one_ahead
from reduction.stack import FrameBlock, FrameSource, SourceInfo, Stack, frame_digest, pixel_digest
from reduction.timing import TimeSolution

HASHED_TOGETHER = 8

Progress = Callable[[int, int], None]
"""Called with frames done and frames in all."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Frames `start` to `stop` (excluded), shard `number` of the stack."""

    number: int
    start: int
    stop: int
    complete: bool


Writer = Callable[[FrameSource, Path, Sequence[Partition], Progress], bool]
"""Writes partitions of a stack wherever it likes and tells, after each, how many frames are written; false
where the recording cannot be read that way: whatever stands in the stack then is made anew."""


def init(path: Path, info: SourceInfo, shard: int | None = None) -> None:
    """Make an empty stack at `path`, atomically; `shard` sets the frames per shard.

    Raises
    ------
    RequestError
        Something stands at `path`.
    ResourceError
        The folder cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RequestError(f"{path}: exists; give another name, or --overwrite for a stack")
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with _resources(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            create(beside, info, plan_layout(info, shard))
            beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def plan_partitions(path: Path) -> tuple[Partition, ...]:
    """Return the partitions of a stack that `init` made, and which of them are complete."""
    pixels = array_of(open_group(path), "pixels", path)
    frames, size = pixels.shape[0], shard_frames(pixels)
    return tuple(
        Partition(
            number=i,
            start=i * size,
            stop=min((i + 1) * size, frames),
            complete=_holds(digest_file(path, i)) and _holds(shard_file(path, pixels.ndim, i)),
        )
        for i in range(partition_count(pixels))
    )


def _holds(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def write_partition(path: Path, i: int, frames: NDArray[Any], *, durable: bool = True) -> None:
    """Write the pixels of partition `i`, then its frame digests. Different `i` may be written at once.

    Parameters
    ----------
    path : Path
        A stack that `init` made.
    i : int
        Number of the partition.
    frames : array, (n, y, x) or (n, c, y, x)
        All its frames.
    durable : bool
        Wait until each file is on the disk before its name is, so that a power cut leaves no empty shard.

    Raises
    ------
    DataError
        The frames have another shape or type than the stack.
    ResourceError
        The disk is full or cannot be written; nothing of the partition is left.
    """
    pixels = array_of(open_group(path), "pixels", path)
    coding = coding_of(pixels)
    if coding is None:
        raise DataError(f"{path}: its shards are not coded as this program does; ingest again, --overwrite")
    start = i * shard_frames(pixels)
    stop = min(start + shard_frames(pixels), pixels.shape[0])
    if frames.shape != (stop - start, *pixels.shape[1:]) or frames.dtype != pixels.dtype:
        raise DataError(
            f"{path}: frames {start} to {stop - 1}: got {frames.shape} {frames.dtype}, "
            f"need {(stop - start, *pixels.shape[1:])} {pixels.dtype}"
        )
    leaves = np.zeros((coding.shard[0], 32), np.uint8)
    leaves[: stop - start] = _leaves(frames)
    with _resources(path):
        disk.put(shard_file(path, pixels.ndim, i), encode_shard(coding, frames), durable)
        disk.put(digest_file(path, i), [leaves.tobytes()], durable)


def _leaves(frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Frame digests, (n, 32)."""

    def digests(first: int) -> bytes:
        return b"".join(frame_digest(frame) for frame in frames[first : first + HASHED_TOGETHER])

    parts = on_all_cores(digests, range(0, len(frames), HASHED_TOGETHER))
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 32)


def finalise(path: Path, times: TimeSolution, *, durable: bool = True) -> ZarrStack:
    """Add the times and the pixel digest to a stack whose partitions are all complete, and open it.

    With `durable`, everything else is on the disk before the stack is said to be complete.

    Raises
    ------
    RequestError
        Partitions are missing, or the times are for another number of frames.
    ResourceError
        The disk is full or cannot be written.
    """
    missing = [str(p.number) for p in plan_partitions(path) if not p.complete]
    if missing:
        raise RequestError(f"{path}: cannot finalise, partitions not written: {', '.join(missing[:10])}")
    group = open_group(path, "r+")
    pixels = array_of(group, "pixels", path)
    leaves = np.asarray(array_of(group, "digests", path)[:], np.uint8)
    add_times(path, times)
    with _resources(path):
        _remove_leftovers(path)
        digest = pixel_digest(pixels.shape, str(pixels.dtype), leaves)
        if durable:
            disk.settle(path, leave=[path / name / "c" for name in ("pixels", "digests")])
        group.update_attributes({"state": "complete", "pixel_digest": digest})
        if durable:
            for place in (path / "zarr.json", path, path.parent):
                disk.settle_one(place)
    return open_stack(path)


def convert(
    source: FrameSource,
    path: Path,
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
    shard: int | None = None,
    durable: bool = True,
    writer: Writer | None = None,
) -> ZarrStack:
    """Convert `source` to a stack at `path`, or finish a conversion of it that was interrupted.

    A shard is read while the one before is compressed, on all cores, and written. Memory holds three
    shards of pixels and one compressed, however long the recording.

    Parameters
    ----------
    source : FrameSource
        The recording; not closed here.
    path : Path
        Folder of the stack.
    progress : callable, optional
        Called with frames done and frames in all, after each partition.
    overwrite : bool
        Replace a stack that stands at `path`.
    shard : int, optional
        Frames per shard of a new stack, instead of 32 to 64 MiB of them.
    durable : bool
        See `write_partition`; scratch need not survive a power cut.
    writer : callable, optional
        What writes the partitions instead of this process.

    Raises
    ------
    RequestError
        `path` holds something else: a finished stack, one of another recording, no stack.
    DataError
        A frame of the source is unreadable.
    ResourceError
        The disk is full or cannot be written, or another process converts into `path`.
    """
    if not _prepare(path, source, overwrite):
        init(path, source.info, shard)
    with _only_writer(path):
        try:
            if writer is None or not _written(writer, source, path, progress):
                _write_here(source, path, progress, durable)
        except DataError:
            shutil.rmtree(path, ignore_errors=True)  # no later run can finish it
            raise
        with _resources(path):
            put_status(path, status_of(source))
        if not isinstance(source, BurntInSource):
            return finalise(path, source.times, durable=durable)
        stack = finalise(path, source.container_times, durable=durable)
    add_times(path, source.times_from(stack))
    return open_stack(path)


def _write_here(source: FrameSource, path: Path, progress: Progress | None, durable: bool) -> None:
    """Write what is missing, from front to back."""
    partitions = plan_partitions(path)
    done = sum(p.stop - p.start for p in partitions if p.complete)
    for run in _missing_runs(partitions):
        blocks = one_ahead(source.blocks(run[0].stop - run[0].start, run[0].start))
        with closing(blocks):
            for partition in run:
                frames = _frames_of(partition, next(blocks, None), source)
                write_partition(path, partition.number, frames, durable=durable)
                del frames
                done += partition.stop - partition.start
                if progress is not None:
                    progress(done, source.info.frames)


def _written(writer: Writer, source: FrameSource, path: Path, progress: Progress | None) -> bool:
    """Have what is missing written; where that cannot be done, nothing of the stack counts as written."""
    partitions = plan_partitions(path)
    before = sum(p.stop - p.start for p in partitions if p.complete)

    def told(frames: int, total: int) -> None:
        if progress is not None:
            progress(before + frames, total)

    if writer(source, path, [p for p in partitions if not p.complete], told):
        return True
    with _resources(path):
        for partition in partitions:
            digest_file(path, partition.number).unlink(missing_ok=True)
    return False


def stack_of(
    inputs: str | Path | Sequence[str | Path],
    scratch: Path,
    times: TimeOptions | None = None,
    progress: Progress | None = None,
    writer: Writer | None = None,
) -> Stack:
    """Open a recording for random access: in place where its format has it, else as ``scratch/stack.zarr``.

    A stack of the same recording that stands in `scratch` is used, or finished; another one is replaced.
    `writer` as `convert`.

    Raises as `ingest.formats.open_source` and `convert`.
    """
    stack = open_in_place(inputs, times)
    if stack is not None:
        return stack
    with closing(open_source(inputs, times)) as source:
        path = scratch / "stack.zarr"
        if not (path / "zarr.json").is_file():
            return convert(source, path, progress, durable=False, writer=writer)
        if not _is_of(path, source):
            return convert(source, path, progress, overwrite=True, durable=False, writer=writer)
        if open_group(path).attrs.get("state") == "complete":
            return finalise(path, source.times, durable=False)
        return convert(source, path, progress, durable=False, writer=writer)


def _prepare(path: Path, source: FrameSource, overwrite: bool) -> bool:
    """Make room at `path`; True where an interrupted conversion of the same recording is to be resumed."""
    if path.exists() and not path.is_dir():
        raise RequestError(f"{path}: is a file; give the name of a folder to make")
    if not path.is_dir() or not any(path.iterdir()):
        return False
    if not (path / "zarr.json").is_file():
        raise RequestError(f"{path}: a folder that is no stack stands there; give another name")
    state = open_group(path).attrs.get("state")
    if overwrite:
        with _resources(path), _only_writer(path):
            aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.old")
            path.rename(aside)
            shutil.rmtree(aside)
        return False
    if state == "complete":
        raise RequestError(f"{path}: a finished stack stands there; give another name, or --overwrite")
    if not _is_of(path, source):
        raise RequestError(
            f"{path}: an interrupted conversion of another recording stands there; "
            "give another name, or --overwrite"
        )
    return True


def _is_of(path: Path, source: FrameSource) -> bool:
    """Whether a stack, finished or not, is of this recording.

    Compares all that the container says, and the first frame of the first and the last complete partition.
    """
    group = open_group(path)
    if group.attrs.get("source") != info_json(source.info):
        return False
    complete = [p for p in plan_partitions(path) if p.complete]
    leaves = array_of(group, "digests", path)
    for partition in {p.number: p for p in (*complete[:1], *complete[-1:])}.values():
        block = next(iter(source.blocks(1, partition.start)))
        if frame_digest(block.frames[0]) != np.asarray(leaves[partition.start]).tobytes():
            return False
    return True


def _missing_runs(partitions: Sequence[Partition]) -> Iterator[list[Partition]]:
    """Neighbouring partitions that are not complete, so that each run is read from front to back."""
    for complete, run in groupby(partitions, key=lambda p: p.complete):
        if not complete:
            yield list(run)


def _frames_of(partition: Partition, block: FrameBlock | None, source: FrameSource) -> NDArray[Any]:
    if block is None or block.start != partition.start:
        raise DataError(
            f"{source.info.name}: frame {partition.start} is missing: "
            f"the recording ends before its {source.info.frames} frames; copy it again"
        )
    return block.frames[: partition.stop - partition.start]


@contextmanager
def _resources(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ResourceError(
                f"{path}: the disk is full; free space, and run umbra ingest again to go on"
            ) from error
        raise ResourceError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Lock the folder against another conversion into it; the lock ends with the process."""
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ResourceError(f"{path}: another process converts into it; wait for its end") from error
        yield
    finally:
        os.close(handle)


def _remove_leftovers(path: Path) -> None:
    """Remove what conversions that were killed left in the stack and beside it."""
    beside = [
        sibling
        for sibling in path.parent.iterdir()
        if sibling.name.startswith(f".{path.name}.") and sibling.suffix in {".partial", ".old"}
    ]
    for leftover in [*beside, *path.rglob("*.partial")]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)
