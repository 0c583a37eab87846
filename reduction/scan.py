"""The whole recording, read once from front to back: digests, levels, repeats."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reduction.cores import cores, in_order
from reduction.stack import Digest, InPlace, Stack, frame_digest, pixel_digest

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``."""

LOOK_BYTES = 128 * 2**20
"""Of the frames that are looked at elsewhere in one go."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What was seen of some neighbouring frames: `Scan` has the same of all.

    Attributes
    ----------
    leaves : array, (n, 32), uint8
        Frame digests; empty where the stack keeps them beside its pixels.
    highest, lowest : array, (n,), float64
    not_finite : array, (n,), int64
    """

    leaves: NDArray[np.uint8]
    highest: NDArray[np.float64]
    lowest: NDArray[np.float64]
    not_finite: NDArray[np.int64]


class Looker(Protocol):
    """Looks at all frames of a recording, wherever that is done."""

    def __call__(self, stack: Stack, spans: Sequence[tuple[int, int]], block: int) -> Iterator[Look]:
        """Yield one Look per (start, stop) of `spans`, in order."""
        ...


def look(stack: Stack, start: int, stop: int, block: int) -> Look:
    """Look at frames `start` to `stop` (excluded), `block` at a time."""
    known = stack.known_digests is not None
    leaves = np.empty((0 if known else stop - start, 32), np.uint8)
    highest, lowest = np.empty(stop - start), np.empty(stop - start)
    not_finite = np.zeros(stop - start, np.int64)
    read = stack.look if isinstance(stack, InPlace) else stack.read
    floating = np.dtype(stack.info.dtype).kind == "f"
    for first in range(start, stop, block):
        for i, frame in enumerate(read(first, min(first + block, stop)), first - start):
            if floating:
                lowest[i], highest[i], not_finite[i] = _levels(frame)
            else:
                lowest[i], highest[i] = frame.min(), frame.max()
            if not known:
                leaves[i] = np.frombuffer(frame_digest(frame), np.uint8)
    return Look(leaves, highest, lowest, not_finite)


def look_at(frames: NDArray[Any]) -> Look:
    """The same of frames that are at hand, ``(n, ...)``, of a stack that keeps digests beside its pixels."""
    highest, lowest = np.empty(len(frames)), np.empty(len(frames))
    not_finite = np.zeros(len(frames), np.int64)
    for i, frame in enumerate(frames):
        if frame.dtype.kind == "f":
            lowest[i], highest[i], not_finite[i] = _levels(frame)
        else:
            lowest[i], highest[i] = frame.min(), frame.max()
    return Look(np.empty((0, 32), np.uint8), highest, lowest, not_finite)


def look_here(stack: Stack, spans: Sequence[tuple[int, int]], block: int) -> Iterator[Look]:
    """Look at the spans in this process, on all its cores."""
    return in_order(lambda span: look(stack, *span, block), spans, cores())


def scan(stack: Stack, block: int, progress: Progress | None = None, looker: Looker | None = None) -> Scan:
    """Read a stack once, `block` frames at a time; by `looker`, where one is given.

    Frame digests are taken from the stack where it keeps them beside its pixels.
    """
    frames = stack.info.frames
    at_once = block if looker is None else max(block, LOOK_BYTES // max(1, stack.info.frame_bytes))
    spans = [(start, min(start + at_once, frames)) for start in range(0, frames, at_once)]
    known = stack.known_digests
    leaves = np.empty((frames, 32), np.uint8) if known is None else known
    highest, lowest = np.empty(frames), np.empty(frames)
    not_finite = np.zeros(frames, np.int64)
    for (start, stop), seen in zip(spans, (looker or look_here)(stack, spans, block), strict=True):
        highest[start:stop], lowest[start:stop] = seen.highest, seen.lowest
        not_finite[start:stop] = seen.not_finite
        if known is None:
            leaves[start:stop] = seen.leaves
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
