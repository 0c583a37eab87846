"""How much of what depends on a star's place within a pixel a recording shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.register import Registered

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PixelPhases:
    """Shares of the variance, over all places within a pixel, of what varies once per pixel.

    Attributes
    ----------
    seen : float
        On the sample frames; 0 where the field stands still.
    between : float
        Half the mean square of the change between neighbouring frames, over that variance: what a
        comparison of neighbours takes for white noise.
    """

    seen: float
    between: float


def pixel_phases(registered: Registered, rank: NDArray[np.int64]) -> PixelPhases:
    """How the middle of the field wanders among the pixels on the sample frames.

    Parameters
    ----------
    registered : Registered
    rank : array of int
        Frames in order, repeats having the rank of the first (the scan's).
    """
    placed = [k for k, p in enumerate(registered.placements) if p.found]
    v, u = ((n - 1) / 2.0 for n in registered.image.shape)
    at = np.array([registered.placements[k].transform.shift_at(u, v) for k in placed]).reshape(-1, 2)
    return phases_of(at, np.diff(rank[registered.index[placed]]) == 1)


def phases_of(at: Floats, neighbours: NDArray[np.bool_]) -> PixelPhases:
    """The same of given places.

    Of a wave of period one pixel, ``1 - |<exp(2 pi i x)>|^2`` of the variance shows at places x, and
    ``1 - <cos(2 pi dx)>`` between neighbours; both are means over x and y.

    Parameters
    ----------
    at : array, (k, 2), pixels
    neighbours : array, (k - 1,), bool
        Whether a place and the next are of neighbouring frames.
    """
    if len(at) < 2:
        return PixelPhases(0.0, 0.0)
    wave = np.exp(2j * np.pi * at)
    seen = 1.0 - float(np.mean(np.abs(wave.mean(axis=0)) ** 2))
    if not neighbours.any():
        return PixelPhases(seen, seen)
    change = 1.0 - (wave[1:] * wave[:-1].conj()).real[neighbours]
    return PixelPhases(seen, float(np.mean(change)))
