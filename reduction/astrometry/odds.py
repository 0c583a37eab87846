"""How sure a match of stars is: the odds that it is one of chance."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reduction.astrometry.fit import EQUIVALENT, Fitted
from reduction.astrometry.stars import FrameStars, SkyStars

Floats = NDArray[np.float64]

LEAST_LOG_ODDS = float(np.log(1e6))
"""A match is believed where a chance one is less likely than one in a million."""

LEAST_STARS = 4
MAGNITUDE_RANGE = 1.5
"""How far a star's brightness on the frame may be from its catalogue's, magnitudes: bands differ."""


def alike(seen_flux: Floats, magnitude: Floats, zero: float) -> NDArray[np.bool_]:
    """Whether a brightness agrees with a magnitude, given the zero point; unknown ones agree with all."""
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = zero - 2.5 * np.log10(seen_flux)
        return np.asarray(~(np.abs(magnitude - expected) > MAGNITUDE_RANGE), np.bool_)


def zero_point(flux: Floats, magnitude: Floats) -> float:
    """Magnitude of a flux of one: the median over matched stars; NaN where no magnitude is known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        zero = magnitude + 2.5 * np.log10(flux)
    zero = zero[np.isfinite(zero)]
    return float(np.median(zero)) if zero.size else float("nan")


def log_odds(
    seen: FrameStars,
    inside: SkyStars,
    fitted: Fitted,
    i: NDArray[np.intp],
    j: NDArray[np.intp],
    searched: int,
) -> float:
    """Logarithm of the odds of a match against chance, all places that were tried taken into account.

    Each star found is either matched, with the error that the *other* matched stars leave its place, or a
    distractor anywhere on the frame (Lang et al. 2010, AJ 139, 1782, section 4). Stars' worth of data that
    the fit took up say nothing: the most telling ones are left out. What remains is set against the number
    of ways in which two stars found could have been laid on two of the catalogue.

    Parameters
    ----------
    seen : FrameStars
    inside : SkyStars
        Stars of the catalogue that lie on the frame.
    fitted : Fitted
        The fit of the matches.
    i, j : array
        Matched stars, numbers in `seen` and `inside`.
    searched : int
        Stars of the catalogue that were searched.
    """
    n, area = len(seen), float(seen.width * seen.height)
    strays = float(np.clip(1.0 - (i.size - 1) / n, 0.02, 0.98))
    zero = zero_point(seen.flux[i], inside.magnitude[j])
    rivals = np.array([max(1, int(alike(f, inside.magnitude, zero).sum())) for f in seen.flux[i]])
    peak = np.exp(-0.5 * (fitted.miss / fitted.sigma) ** 2) / (2.0 * np.pi * fitted.sigma**2)
    gain = np.log(strays + (1.0 - strays) * area / rivals * peak)
    kept = np.sort(gain)[: max(0, i.size - EQUIVALENT[fitted.solution.model])]
    ways = 2.0 * np.log(max(n, 2)) + 2.0 * np.log(max(searched, 2)) + np.log(2.0)
    return float(kept.sum() + (n - i.size) * np.log(strays) - ways)


def mutual(
    x: Floats, y: Floats, at_x: Floats, at_y: Floats, reach: Floats
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of which each is the other's nearest, and within reach (one per star of the first list)."""
    good = np.flatnonzero(np.isfinite(at_x) & np.isfinite(at_y))
    if not good.size or not x.size:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    here, there = np.stack([x, y], 1), np.stack([at_x[good], at_y[good]], 1)
    distance, nearest = cKDTree(there).query(here)
    _, back = cKDTree(here).query(there)
    i = np.flatnonzero((back[nearest] == np.arange(x.size)) & (distance <= reach))
    return i, good[nearest[i]]
