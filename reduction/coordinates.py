"""Places of stars by frame, from a file that a person gives: the last resort before holding a position."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.transforms import Transform

Floats = NDArray[np.float64]

TARGET = "target"

LEAST_SPREAD_PX = 20.0
"""Distance between stars from which rotation and scale are taken from them."""


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Places of one or more stars by frame.

    Attributes
    ----------
    frames : array, (k,)
        Frame numbers, increasing; second fields have a half.
    names : tuple of str
        Of the stars; the first is `TARGET`.
    x, y : array, (k, star)
        Full-frame pixels, in any convention of the first pixel's number: only displacements between frames
        count. NaN where the file has none.
    digest : str
        SHA-256 of the above, hexadecimal.
    """

    frames: Floats
    names: tuple[str, ...]
    x: Floats
    y: Floats
    digest: str

    def at(self, frame: float) -> tuple[Floats, Floats]:
        """Places of the stars on a frame, ``(star,)``; NaN where the file has none.

        A second field that the file does not list lies where its frame does.
        """
        k = int(np.searchsorted(self.frames, frame))
        if k >= self.frames.size or self.frames[k] != frame:
            if frame != np.floor(frame):
                return self.at(float(np.floor(frame)))
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
    per_frame : int
        Samples in a frame: 2 where fields are measured.
    """

    coordinates: Coordinates
    u: Floats
    v: Floats
    per_frame: int = 1

    def transform(self, sample: int, like: Transform) -> Transform | None:
        """Grid to sample; of one star, with rotation and scale of `like`; None where the file is silent."""
        x, y = self.coordinates.at(sample / self.per_frame)
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


def against(coordinates: Coordinates, base: int, per_frame: int = 1) -> Given:
    """A coordinates file against the places it gives on sample `base`."""
    return Given(coordinates, *coordinates.at(base / per_frame), per_frame)


def moved(given: Given, step: Transform) -> Given:
    """The same file against another grid; `step` leads from the grid it was against to that."""
    return Given(given.coordinates, *step.apply(given.u, given.v), given.per_frame)


def target_of(coordinates: Coordinates, frame: int) -> tuple[float, float] | None:
    """Where the file puts the target on a frame; None where it does not."""
    x, y = coordinates.at(frame)
    return (float(x[0]), float(y[0])) if np.isfinite(x[0]) else None


def anchored(given: Given, target: tuple[float, float] | None) -> Given:
    """The same file; the target's place on the grid stands in where the file lacks the grid's frame."""
    if target is None or np.isfinite(given.u[0]):
        return given
    u, v = given.u.copy(), given.v.copy()
    u[0], v[0] = target
    return Given(given.coordinates, u, v, given.per_frame)
