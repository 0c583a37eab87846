"""A first look at an event: a square well by least squares, for the demo's table only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import DataError

Floats = NDArray[np.float64]

_GRID = 301
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class SquareWell:
    """A well with instant edges: times in seconds on the curve's clock, depth as a fraction of `level`."""

    disappear_s: float
    disappear_sigma_s: float
    reappear_s: float
    reappear_sigma_s: float
    depth: float
    depth_sigma: float
    level: float


def well_light(mid_s: Floats, exposure_s: Floats, disappear_s: float, reappear_s: float) -> Floats:
    """Fraction of each exposure that lies inside the event, ``(n,)``."""
    inside = np.minimum(mid_s + exposure_s / 2, reappear_s) - np.maximum(mid_s - exposure_s / 2, disappear_s)
    return np.asarray(np.clip(inside / exposure_s, 0.0, 1.0), np.float64)


def fit_square_well(mid_s: Floats, exposure_s: Floats, flux: Floats, sigma: Floats) -> SquareWell:
    """Fit one square well to a light curve.

    The longest run below half depth gives the first guess; then each edge in turn takes the mean of its
    likelihood on a grid, level and depth following by weighted linear least squares.

    Parameters
    ----------
    mid_s, exposure_s : array, (n,)
        Mid-exposure times and exposures, seconds.
    flux, sigma : array, (n,)
        Normalised flux and its one-sigma uncertainty.

    Raises
    ------
    DataError
        No drop stands out of the noise, or it touches an end of the curve.
    """
    first, last = _longest_run_below_half(flux)
    if first == 0 or last == flux.size - 1 or last - first < 1:
        raise DataError(
            f"no whole event in the light curve of {flux.size} points: no drop with both edges inside"
        )
    step = float(np.median(np.diff(mid_s)))
    edges = [mid_s[first] - step / 2, mid_s[last] + step / 2]
    spread = [2.0 * step, 2.0 * step]
    for _ in range(_ROUNDS):
        for k in (0, 1):
            grid = edges[k] + np.linspace(-4.0, 4.0, _GRID) * spread[k]
            misfit = np.array(
                [_solve(mid_s, exposure_s, flux, sigma, *_with_edge(edges, k, at))[0] for at in grid]
            )
            weight = np.exp(-0.5 * (misfit - misfit.min()))
            edges[k] = float(np.average(grid, weights=weight))
            spread[k] = float(np.sqrt(np.average((grid - edges[k]) ** 2, weights=weight))) + 1e-3 * step
    _, level, drop, drop_sigma = _solve(mid_s, exposure_s, flux, sigma, edges[0], edges[1])
    if drop < 5.0 * drop_sigma:
        raise DataError(f"no event in the light curve: the deepest drop is {drop:.3g} +- {drop_sigma:.2g}")
    return SquareWell(edges[0], spread[0], edges[1], spread[1], drop / level, drop_sigma / level, level)


def _with_edge(edges: list[float], which: int, at: float) -> tuple[float, float]:
    return (at, edges[1]) if which == 0 else (edges[0], at)


def _solve(
    mid_s: Floats, exposure_s: Floats, flux: Floats, sigma: Floats, disappear_s: float, reappear_s: float
) -> tuple[float, float, float, float]:
    """Chi-square, level, drop and the drop's sigma of the best well with these edges."""
    well = well_light(mid_s, exposure_s, disappear_s, reappear_s)
    weight = sigma**-2
    a, b, c = weight.sum(), float(weight @ well), float(weight @ well**2)
    u, v = float(weight @ flux), float((weight * well) @ flux)
    determinant = a * c - b * b
    if determinant <= 0.0:
        return np.inf, 1.0, 0.0, np.inf
    level = (c * u - b * v) / determinant
    drop = (b * u - a * v) / determinant
    residual = (flux - level + drop * well) / sigma
    return float(residual @ residual), level, drop, float(np.sqrt(a / determinant))


def _longest_run_below_half(flux: Floats) -> tuple[int, int]:
    """First and last index of the longest run below the middle of high and low levels."""
    smooth = np.convolve(np.pad(flux, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    middle = 0.5 * (np.median(flux) + smooth.min())
    below = np.concatenate([[False], smooth < middle, [False]])
    turns = np.flatnonzero(below[1:] != below[:-1]).reshape(-1, 2)
    if not turns.size:
        return 0, 0
    start, stop = turns[np.argmax(turns[:, 1] - turns[:, 0])]
    return int(start), int(stop) - 1
