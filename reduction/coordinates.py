"""Places of stars by frame, from a file that a person gives: the last resort before holding a position."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.transforms import Transform

Floats = NDArray[np.float64]

LEAST_SPREAD_PX = 20.0
"""Distance between stars from which rotation and scale are taken from them."""


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Places of one or more stars by frame.

    Attributes
    ----------
    frames : array, (k,), int64
        Frame numbers, increasing.
    names : tuple of str
        Of the stars; "target" first where the file has it.
    x, y : array, (k, star)
        Full-frame pixels, in any convention of the first pixel's number: only displacements between frames
        count. NaN where the file has none.
    digest : str
        SHA-256 of the above, hexadecimal.
    """

    frames: NDArray[np.int64]
    names: tuple[str, ...]
    x: Floats
    y: Floats
    digest: str

    def at(self, frame: int) -> tuple[Floats, Floats]:
        """Places of the stars on a frame, ``(star,)``; NaN where the file has none."""
        k = int(np.searchsorted(self.frames, frame))
        if k >= self.frames.size or self.frames[k] != frame:
            nothing = np.full(len(self.names), np.nan)
            return nothing, nothing
        return self.x[k], self.y[k]


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A coordinates file against the frame whose pixels are the reference grid.

    Attributes
    ----------
    coordinates : Coordinates
    u, v : array, (star,)
        Places on the grid, image pixels; NaN: unknown.
    scale, shift : float
        Full-frame pixels are scale x image pixels + shift.
    """

    coordinates: Coordinates
    u: Floats
    v: Floats
    scale: float = 1.0
    shift: float = 0.0

    def transform(self, frame: int, like: Transform) -> Transform | None:
        """Grid to frame; of one star, with rotation and scale of `like`; None where the file is silent."""
        x, y = ((place - self.shift) / self.scale for place in self.coordinates.at(frame))
        known = np.isfinite(x) & np.isfinite(y) & np.isfinite(self.u) & np.isfinite(self.v)
        if not known.any():
            return None
        a, b = (self.u + 1j * self.v)[known], (x + 1j * y)[known]
        mid_a, mid_b = complex(a.mean()), complex(b.mean())
        turn = complex(like.c, like.s)
        if np.abs(a - mid_a).max() > 0.5 * LEAST_SPREAD_PX:
            turn = complex((np.conj(a - mid_a) * (b - mid_b)).sum()) / float((np.abs(a - mid_a) ** 2).sum())
        moved = mid_b - turn * mid_a
        return Transform(turn.real, turn.imag, moved.real, moved.imag)


def against(coordinates: Coordinates, base: int, scale: float = 1.0, shift: float = 0.0) -> Given:
    """A coordinates file against the places it gives on frame `base`."""
    x, y = coordinates.at(base)
    return Given(coordinates, (x - shift) / scale, (y - shift) / scale, scale, shift)


def moved(given: Given, step: Transform) -> Given:
    """The same file against another grid; `step` leads from the grid it was against to that."""
    u, v = step.apply(given.u, given.v)
    return Given(given.coordinates, u, v, given.scale, given.shift)
