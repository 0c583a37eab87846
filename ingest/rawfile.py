"""Bytes of a file at a place, from any thread."""

import ctypes
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from reduction.errors import DataError
from reduction.stack import FrameBlock, Stack

MAX_READ = 1 << 30
SHARD_BYTES = 32 << 20
SAFE_TO_MAP = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"})
"""File systems of built-in disks. A page that is gone when it is touched kills the process where a read would
say why, so files elsewhere (network, removable media) are read."""
MADV_POPULATE_READ = 22
"""Make all pages present, with an error instead of that signal (madvise(2), Linux 5.14)."""


class RawFile:
    """A file open for positioned reads (`pread`), which share no file pointer.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DataError
        It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise DataError(f"{path.name}: cannot be read: {error.strerror}") from error
        self.size = status.st_size
        self._mappable = _file_system(status.st_dev) in SAFE_TO_MAP

    def read_into(self, array: NDArray[Any], offset: int) -> None:
        """Fill a C-contiguous array with the bytes from `offset`.

        Raises
        ------
        DataError
            The bytes are not there (the file has shrunk), or the device fails.
        ValueError
            The file is closed.
        """
        if self._descriptor < 0:
            raise ValueError(f"{self.path.name}: read after close")
        view = array.reshape(-1).view(np.uint8).data
        done = 0
        while done < len(view):
            try:
                got = os.preadv(self._descriptor, [view[done : done + MAX_READ]], offset + done)
            except OSError as error:
                raise DataError(f"{self.path.name}: cannot be read: {error.strerror}") from error
            if not got:
                raise DataError(
                    f"{self.path.name}: ends at byte {offset + done}, {len(view) - done} bytes short; "
                    "it has shrunk since it was opened"
                )
            done += got

    def mapped(self, offset: int, size: int, present: bool = True) -> NDArray[np.uint8] | None:
        """`size` bytes from `offset` as a read-only view of the file, without a copy; None: read them.

        None where the file is not on a built-in disk, where Linux is older than 5.14, and where a page cannot
        be had: `read_into` then says why. The view lives as long as it is referred to.

        Parameters
        ----------
        offset, size : int
        present : bool
            Make all of its pages present; otherwise that is the caller's, by `make_present`, part by part.

        Raises
        ------
        DataError
            The bytes are not there (the file has shrunk).
        ValueError
            The file is closed.
        """
        if self._descriptor < 0:
            raise ValueError(f"{self.path.name}: read after close")
        there = os.fstat(self._descriptor).st_size
        if offset + size > there:
            raise DataError(
                f"{self.path.name}: ends at byte {there}, {offset + size - there} bytes short; "
                "it has shrunk since it was opened"
            )
        if size == 0 or not self._mappable:
            return None
        before = offset % mmap.ALLOCATIONGRANULARITY
        view = mmap.mmap(
            self._descriptor, before + size, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset - before
        )
        bytes_there = np.frombuffer(view, np.uint8, size, before)
        if present and not make_present(bytes_there):
            return None
        os.posix_fadvise(self._descriptor, offset + size, size, os.POSIX_FADV_WILLNEED)
        return bytes_there

    def mapped_together(self, places: Sequence[int], size: int) -> tuple[NDArray[np.uint8] | None, int]:
        """`size` bytes from each place in one view of the file, and the place that it begins with.

        None where it is not to be had (`mapped`), or where the places lie far apart. One view is for all
        threads: each mapping made or undone stops the other threads of a process. Whoever reads a part of it
        makes that part present first, by `make_present`.

        Raises
        ------
        DataError
            The file has shrunk.
        ValueError
            The file is closed.
        """
        if not places:
            return None, 0
        first, end = min(places), max(places) + size
        if end - first > 2 * size * len(places) or end > self.size:
            return None, first
        return self.mapped(first, end - first, present=False), first

    def read_bytes(self, size: int, offset: int) -> bytes:
        """`size` bytes from `offset`; fewer only at the end of the file."""
        buffer = np.empty(max(0, min(size, self.size - offset)), np.uint8)
        self.read_into(buffer, offset)
        return buffer.tobytes()

    def gather(self, offsets: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """Rows of `size` bytes from many places, ``(n, size)``; bytes beyond the end of the file are zero.

        Raises
        ------
        DataError
            The device fails.
        ValueError
            The file is closed.
        """
        if self._descriptor < 0:
            raise ValueError(f"{self.path.name}: read after close")
        rows = np.zeros((len(offsets), size), np.uint8)
        try:
            for row, offset in zip(rows, offsets.tolist(), strict=True):
                os.preadv(self._descriptor, [row.data], offset)
        except OSError as error:
            raise DataError(f"{self.path.name}: cannot be read: {error.strerror}") from error
        return rows

    def close(self) -> None:
        """Close; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def make_present(view: NDArray[np.uint8]) -> bool:
    """Make all pages of a part of a mapped view present, other threads going on; False: read it instead.

    `mmap.madvise` would keep the interpreter's lock meanwhile.
    """
    before = view.ctypes.data % mmap.PAGESIZE
    return _madvise()(view.ctypes.data - before, before + view.size, MADV_POPULATE_READ) == 0


@cache
def _madvise() -> Callable[[int, int, int], int]:
    function = ctypes.CDLL(None).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    function.restype = ctypes.c_int
    return cast(Callable[[int, int, int], int], function)


def on_built_in_disk(path: Path) -> bool:
    """Whether a file or folder that exists lies on a file system of a built-in disk (`SAFE_TO_MAP`)."""
    return _file_system(path.stat().st_dev) in SAFE_TO_MAP


def _file_system(device: int) -> str:
    """Type of the file system with a device number, as Linux lists it; empty where it does not."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:  # proc(5): ... major:minor ... - type source options
        left, _, right = line.partition(" - ")
        if left.split()[2:3] == [wanted]:
            return right.split(" ", 1)[0]
    return ""


def frames_per_shard(frame_bytes: int) -> int:
    """Frames in about 32 MiB, at least one."""
    return max(1, SHARD_BYTES // max(1, frame_bytes))


def check_span(name: str, start: int, stop: int, frames: int) -> None:
    """Raise ValueError unless ``0 <= start <= stop <= frames``."""
    if not 0 <= start <= stop <= frames:
        raise ValueError(f"{name}: frames {start} to {stop} of a recording with {frames}")


def read_blocks(stack: Stack, size: int, start: int) -> Iterator[FrameBlock]:
    """Blocks of a stack in order, each in memory of its own."""
    frames = stack.info.frames
    if size < 1 or not 0 <= start <= frames:
        raise ValueError(f"{stack.info.name}: blocks of {size} from frame {start} of {frames}")
    for first in range(start, frames, size):
        yield FrameBlock(first, stack.read(first, min(first + size, frames)))
