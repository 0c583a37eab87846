"""The whole recording, read once from front to back: digests, levels, repeats."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.cores import cores, in_order
from reduction.stack import Digest, InPlace, Stack, frame_digest, pixel_digest

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What one reading of all pixels tells.

    Attributes
    ----------
    digest : Digest
        Of the pixels.
    repeated : array, (t,), bool
        Frames whose pixels equal the frame before.
    highest, lowest : array, (t,), float64
        Largest and smallest finite sample of each frame, ADU (NaN without any).
    not_finite : array, (t,), int64
        Samples that are not numbers.
    """

    digest: Digest
    repeated: NDArray[np.bool_]
    highest: NDArray[np.float64]
    lowest: NDArray[np.float64]
    not_finite: NDArray[np.int64]

    @property
    def rank(self) -> NDArray[np.int64]:
        """Number of each frame among those that are no repeats, ``(t,)``: neighbours differ by one."""
        return np.cumsum(~self.repeated, dtype=np.int64) - 1


def scan(stack: Stack, block: int, progress: Progress | None = None) -> Scan:
    """Read a stack once, `block` frames at a time.

    Frame digests are taken from the stack where it keeps them beside its pixels.
    """
    frames = stack.info.frames
    known = stack.known_digests
    leaves = np.empty((frames, 32), np.uint8) if known is None else known
    highest, lowest = np.empty(frames), np.empty(frames)
    not_finite = np.zeros(frames, np.int64)
    read = stack.look if isinstance(stack, InPlace) else stack.read
    floating = np.dtype(stack.info.dtype).kind == "f"

    def look(start: int) -> int:
        """Look at a block from `start` on; every frame writes to places of its own."""
        stop = min(start + block, frames)
        for i, frame in enumerate(read(start, stop), start):
            if floating:
                lowest[i], highest[i], not_finite[i] = _levels(frame)
            else:
                lowest[i], highest[i] = frame.min(), frame.max()
            if known is None:
                leaves[i] = np.frombuffer(frame_digest(frame), np.uint8)
        return stop

    for stop in in_order(look, range(0, frames, block), cores()):
        if progress is not None:
            progress("scan", stop, frames)
    repeated = np.zeros(frames, np.bool_)
    repeated[1:] = (leaves[1:] == leaves[:-1]).all(axis=1)
    digest = pixel_digest(stack.info.shape, stack.info.dtype, leaves)
    return Scan(digest, repeated, highest, lowest, not_finite)


def _levels(frame: NDArray[Any]) -> tuple[float, float, int]:
    finite = frame[np.isfinite(frame)]
    if finite.size == 0:
        return float("nan"), float("nan"), int(frame.size)
    return float(finite.min()), float(finite.max()), int(frame.size - finite.size)
