"""Guide fields and placements: what frames are placed against, and where one lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.transforms import IDENTITY, Transform
from reduction.coordinates import Given
from reduction.drift import NO_DRIFT, Drift

Floats = NDArray[np.float64]

CORRELATION, TRACKING, ASTERISM = "correlation", "tracking", "asterism"
ROI, COORDINATES, HELD, LOST = "roi", "coordinates", "held", "lost"
METHODS = (CORRELATION, TRACKING, ASTERISM, ROI, COORDINATES, HELD, LOST)
"""Steps of the chain, in the order in which they are tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The guide stars on the reference grid, and what their fits need.

    Attributes
    ----------
    u, v, flux : array, (n,)
        Guide stars: image pixels of the reference grid, and flux, ADU.
    all_u, all_v, all_flux : array, (m,)
        Every bright star, saturated ones too: what the coarse correlation looks for.
    sigma : float
        Gaussian width of the stars, pixels.
    variance, inv_gain, saturation : float
        Noise of a sky pixel (ADU^2), ADU per electron, and saturation level (ADU).
    shape : tuple of int
        Height and width of an image.
    rotate : bool
        Whether frames may be rotated against the reference.
    target : tuple of float or None
        Place at which the position error is stated; None: the middle of the guides.
    drift : Drift
        Motion, rotation, scale and star width seen in pass 1.
    roi : float
        How far from its expected place a source is looked for as a last resort, pixels.
    mask : array, (height, width), bool, or None
        Pixels that say nothing of the sky (a burnt-in overlay).
    given : Given or None
        A coordinates file.
    """

    u: Floats
    v: Floats
    flux: Floats
    all_u: Floats
    all_v: Floats
    all_flux: Floats
    sigma: float
    variance: float
    inv_gain: float
    saturation: float
    shape: tuple[int, int]
    rotate: bool
    target: tuple[float, float] | None = None
    drift: Drift = NO_DRIFT
    roi: float = 20.0
    mask: NDArray[np.bool_] | None = None
    given: Given | None = None

    @property
    def pivot(self) -> tuple[float, float]:
        """Place of the reference grid that matters most: the target, or the middle of the guides."""
        if self.target is not None or self.u.size == 0:
            return self.target or (0.0, 0.0)
        return float(self.u.mean()), float(self.v.mean())


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one frame lies: reference to frame, by which step, from how many stars, how sure."""

    transform: Transform
    method: str
    stars: int
    sigma_px: float
    snr: float  # summed in squares over the stars used
    weak: bool = False  # from one star of several, a file, or held

    @property
    def found(self) -> bool:
        """Whether the frame was placed."""
        return self.method != LOST

    @property
    def by_stars(self) -> bool:
        """Whether stars on the frame itself placed it."""
        return self.method not in {COORDINATES, HELD, LOST}


NOWHERE = Placement(IDENTITY, LOST, 0, float("nan"), 0.0)


def shift_sigma(error2: Floats, used: NDArray[np.bool_], u: Floats, v: Floats, field: Field) -> Floats:
    """One-sigma error per axis of positions carried by stars, ``(n,)``, pixels.

    Parameters
    ----------
    error2 : array, (n, star)
        Squared position error of each star on each frame, per axis.
    used : array, (n, star), bool
    u, v : array, (star,)
        Places on the reference grid.
    field : Field
        Whether a rotation was solved for, and the place at which the error is stated.
    """
    w = np.where(used, 1.0 / (error2 + 1e-8), 0.0)
    total = w.sum(axis=1)
    variance = 1.0 / total
    if field.rotate and u.size >= 2:
        mu, mv = (w * u).sum(axis=1) / total, (w * v).sum(axis=1) / total
        spread = (w * ((u - mu[:, None]) ** 2 + (v - mv[:, None]) ** 2)).sum(axis=1)
        tu, tv = field.target if field.target is not None else (mu, mv)
        turned = 0.5 * ((tu - mu) ** 2 + (tv - mv) ** 2) / np.maximum(spread, 1e-12)
        variance = variance + np.where(used.sum(axis=1) >= 2, turned, 0.0)
    return np.asarray(np.sqrt(variance), np.float64)
