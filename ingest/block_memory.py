"""Memory for blocks of frames, used again: a page is fresh once a run, not once a block.

The first touch of a fresh page costs more than decoding into it, and the C library gives pages of large
arrays back to the system as soon as they are free. So memory of blocks is kept here for the next ones.

It comes back by itself, when the last array that refers to it is gone: whoever keeps a block, or a part of
one, keeps its memory, and nobody has to give anything back.
"""

import math
import weakref
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LEAST_BYTES = 1 << 20
"""Smaller blocks are the C library's affair, which keeps their pages itself."""

KEPT_BYTES = 128 << 20
"""Unused memory that is kept, at most."""

ROUNDED_BYTES = 1 << 20

LINE_BYTES = 64
"""Blocks begin where a line of memory does, so that whole lines can be written."""

_free: deque[NDArray[np.uint8]] = deque()


class _Lent:
    """What arrays in lent memory refer to; its end is the end of the last of them."""

    def __init__(self, memory: NDArray[np.uint8], size: int) -> None:
        self.__array_interface__ = {
            "version": 3,
            "shape": (size,),
            "typestr": "|u1",
            "data": (memory.ctypes.data, False),
        }
        weakref.finalize(self, _take_back, memory).atexit = False


def empty_block(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """As `numpy.empty`, in memory of blocks that nobody has any more; safe in several threads.

    Parameters
    ----------
    shape : tuple of int
        As of `numpy.empty`.
    dtype : dtype
        A type without Python objects.

    Raises
    ------
    MemoryError
        There is none.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < LEAST_BYTES:
        return np.empty(shape, kind)
    return np.asarray(_Lent(_memory(size), size)).view(kind).reshape(shape)


def _memory(size: int) -> NDArray[np.uint8]:
    """Kept memory that is large enough and not much too large, or new."""
    for _ in range(len(_free)):
        try:
            memory = _free.popleft()
        except IndexError:  # another thread took it
            break
        if size <= memory.size <= 2 * size:
            return memory
        _free.append(memory)
    size = -(-size // ROUNDED_BYTES) * ROUNDED_BYTES
    plenty = np.empty(size + LINE_BYTES, np.uint8)
    start = -plenty.ctypes.data % LINE_BYTES
    return plenty[start : start + size]


def _take_back(memory: NDArray[np.uint8]) -> None:
    """Keep memory, let go of what was unused longest; locks nothing: a reference may end anywhere."""
    if memory.size > KEPT_BYTES:
        return
    _free.append(memory)
    while sum(one.size for one in list(_free)) > KEPT_BYTES:
        try:
            _free.popleft()
        except IndexError:  # another thread did
            break
