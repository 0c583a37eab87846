"""A plate solution fitted to matched stars: similarity, affine or polynomials, as the stars warrant."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.astrometry.plane import from_plane, to_plane
from reduction.astrometry.solution import MODELS, SkySolution, terms
from reduction.astrometry.stars import FrameStars, SkyStars

Floats = NDArray[np.float64]

EQUIVALENT = {"similarity": 2, "affine": 3, "order 2": 6, "order 3": 10}
"""Stars whose two coordinates a model takes up."""

SPARE = 3
"""Stars beyond these that a model needs."""

LEAST_GAIN = 6.0
"""Gain in the Bayesian information criterion for which a richer model is taken."""

RECENTRINGS = 3
ROUNDS, BISECTIONS = 3, 40


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fit with what each star says of it; arrays ``(n,)`` by match.

    `miss` is the distance of a star from where the others put it, and `sigma` its expected error (each
    axis), both in pixels: the leave-one-out residuals.
    """

    solution: SkySolution
    miss: Floats
    sigma: Floats
    bic: float


def fit_solution(
    seen: FrameStars, sky: SkyStars, i: NDArray[np.intp], j: NDArray[np.intp], model: str, frame: int
) -> Fitted:
    """Fit one model to stars `i` of the frame matched with stars `j` of the sky.

    The scatter beyond the centroids' errors is that which makes chi-square per degree of freedom 1, where it
    is more than 1 without.
    """
    x0, y0 = 0.5 * (seen.width - 1), 0.5 * (seen.height - 1)
    unit = 0.5 * max(seen.width, seen.height)
    u, v, error = (seen.x[i] - x0) / unit, (seen.y[i] - y0) / unit, seen.sigma[i]
    ra0, dec0 = _middle(sky.ra[j], sky.dec[j])
    for _ in range(RECENTRINGS):
        xi, eta = to_plane(sky.ra[j], sky.dec[j], ra0, dec0)
        rough = _weighted(u, v, xi, eta, error, model, unit)
        new_ra, new_dec = from_plane(rough.xi[0], rough.eta[0], ra0, dec0)
        ra0, dec0 = float(new_ra), float(new_dec)
    xi, eta = to_plane(sky.ra[j], sky.dec[j], ra0, dec0)
    one = _solve(u, v, xi, eta, error, model, unit)
    one.xi[0] = one.eta[0] = 0.0  # what is left of them after recentring is below 1e-12
    solution = SkySolution(
        frame=frame,
        width=seen.width,
        height=seen.height,
        ra_deg=ra0,
        dec_deg=dec0,
        x0=x0,
        y0=y0,
        unit_px=unit,
        xi=one.xi,
        eta=one.eta,
        covariance=one.covariance,
        model=model,
        stars=int(i.size),
        rms_px=one.rms,
        scatter_px=one.scatter,
        chi2=one.chi2,
        epoch=_epoch(sky.epoch[j]),
        catalogue=sky.name,
    )
    return Fitted(solution, one.miss, one.sigma, one.bic)


def best_fit(
    seen: FrameStars,
    sky: SkyStars,
    i: NDArray[np.intp],
    j: NDArray[np.intp],
    frame: int,
    most: str = "order 3",
) -> Fitted:
    """The simplest model that the stars do not contradict, up to `most`."""
    chosen = fit_solution(seen, sky, i, j, "similarity", frame)
    for model in MODELS[1 : MODELS.index(most) + 1]:
        if i.size < EQUIVALENT[model] + SPARE:
            break
        richer = fit_solution(seen, sky, i, j, model, frame)
        if richer.bic < chosen.bic - LEAST_GAIN:
            chosen = richer
    return chosen


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    xi: Floats
    eta: Floats
    covariance: Floats
    rms: float
    scatter: float
    chi2: float
    miss: Floats
    sigma: Floats
    bic: float


def _solve(u: Floats, v: Floats, xi: Floats, eta: Floats, error: Floats, model: str, unit: float) -> _Solved:
    """Weighted least squares, the stars' own scatter found on the way."""
    parameters = 2 * EQUIVALENT[model]
    free = 2 * u.size - parameters
    best = _weighted(u, v, xi, eta, error, model, unit)
    chi2 = float((best.miss2 / error**2).sum()) / free if free > 0 else 1.0
    scatter, total = 0.0, error
    for _ in range(ROUNDS if chi2 > 1.0 else 0):
        scatter = _scatter(best.miss2, error, free)
        total = np.hypot(error, scatter)
        best = _weighted(u, v, xi, eta, total, model, unit)
    left = np.maximum(1.0 - best.leverage, 1e-3)
    deviance = float((best.miss2 / total**2 + 2.0 * np.log(2.0 * np.pi * total**2)).sum())
    count = parameters + (scatter > 0.0)
    return _Solved(
        best.xi,
        best.eta,
        best.covariance,
        float(np.sqrt(0.5 * best.miss2.mean())),
        scatter,
        chi2,
        np.sqrt(best.miss2) / left,
        total / np.sqrt(left),
        deviance + count * float(np.log(2.0 * u.size)),
    )


def _scatter(miss2: Floats, error: Floats, free: int) -> float:
    """What must be added to the errors for chi-square to be the degrees of freedom; by bisection."""
    low, high = 0.0, float(np.sqrt(miss2.sum() / free))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        more = float((miss2 / (error**2 + middle**2)).sum()) > free
        low, high = (middle, high) if more else (low, middle)
    return 0.5 * (low + high)


@dataclass(frozen=True, slots=True, eq=False)
class _Weighted:
    xi: Floats
    eta: Floats
    covariance: Floats
    miss2: Floats  # pixels squared
    leverage: Floats


def _weighted(
    u: Floats, v: Floats, xi: Floats, eta: Floats, sigma: Floats, model: str, unit: float
) -> _Weighted:
    if model == "similarity":
        return _similarity(u, v, xi, eta, sigma, unit)
    degree = {"affine": 1, "order 2": 2, "order 3": 3}[model]
    t = terms(u, v, degree) / sigma[:, None]
    q, r = np.linalg.qr(t)
    inverse = np.linalg.pinv(r)
    a, b = inverse @ (q.T @ (xi / sigma)), inverse @ (q.T @ (eta / sigma))
    plain = terms(u, v, degree)
    scale = np.sqrt(abs(a[1] * b[2] - a[2] * b[1])) / unit  # degrees per pixel
    miss2 = ((xi - plain @ a) ** 2 + (eta - plain @ b) ** 2) / scale**2
    return _Weighted(a, b, inverse @ inverse.T * scale**2, miss2, (q**2).sum(axis=1))


def _similarity(u: Floats, v: Floats, xi: Floats, eta: Floats, sigma: Floats, unit: float) -> _Weighted:
    """Shift, rotation and one scale, in the handedness that fits better."""
    w = 1.0 / sigma**2
    goal = xi + 1j * eta
    best: tuple[float, complex, complex, bool] | None = None
    for flipped in (False, True):
        p = u - 1j * v if flipped else u + 1j * v
        middle, there = complex((w * p).sum() / w.sum()), complex((w * goal).sum() / w.sum())
        turn = complex((w * np.conj(p - middle) * (goal - there)).sum() / (w * np.abs(p - middle) ** 2).sum())
        rest = float((w * np.abs(goal - there - turn * (p - middle)) ** 2).sum())
        if best is None or rest < best[0]:
            best = rest, turn, there - turn * middle, flipped
    assert best is not None
    _, turn, shift, flipped = best
    down = 1j * turn * (-1.0 if flipped else 1.0)
    a = np.array([shift.real, turn.real, down.real])
    b = np.array([shift.imag, turn.imag, down.imag])
    um, vm = float((w * u).sum() / w.sum()), float((w * v).sum() / w.sum())
    lever = float((w * ((u - um) ** 2 + (v - vm) ** 2)).sum())
    scale = abs(turn) / unit
    covariance = np.array(
        [[1.0 / w.sum() + (um**2 + vm**2) / lever, -um / lever, -vm / lever],
         [-um / lever, 1.0 / lever, 0.0],
         [-vm / lever, 0.0, 1.0 / lever]]
    )  # fmt: skip
    plain = terms(u, v, 1)
    miss2 = ((xi - plain @ a) ** 2 + (eta - plain @ b) ** 2) / scale**2
    leverage = w * (1.0 / w.sum() + ((u - um) ** 2 + (v - vm) ** 2) / lever)
    return _Weighted(a, b, covariance * scale**2, miss2, leverage)


def _middle(ra: Floats, dec: Floats) -> tuple[float, float]:
    """Direction of the mean of unit vectors, degrees."""
    a, d = np.radians(ra), np.radians(dec)
    x, y, z = (np.cos(d) * np.cos(a)).mean(), (np.cos(d) * np.sin(a)).mean(), np.sin(d).mean()
    return float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _epoch(years: Floats) -> float | None:
    known = years[np.isfinite(years)]
    return float(np.median(known)) if known.size else None


def with_odds(fitted: Fitted, log_odds: float, method: str) -> SkySolution:
    """The solution, with how sure the match is."""
    return replace(fitted.solution, log_odds=log_odds, method=method)
