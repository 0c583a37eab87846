"""How probable the times of a campaign are, for a limb and its relief.

A star that goes at the mean limb plus a relief h, h normal with sigma s, goes ``h / v_n`` earlier or later,
``v_n`` the velocity normal to the limb. The residual of a D or an R is observed less computed time; its
variance is ``sigma^2 + s^2 / v_n^2``, and what a station's clock is wrong by is common to its D and R. Where
a path grazes the limb, ``1 / v_n`` has no bound: mean and variance of the crossing time are then those
over the reliefs that the path does cross, and that there was a crossing has a probability of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from reduction.limb.shape import Floats, Passage, pass_by

ROUND = 1e-4
"""Elongation below which limbs are all as round."""
PATH_FREEDOM = 4
WALL = 2e-4
"""Relief, in radii, that every limb has where it is asked whether a path crosses it at all."""
GRAZE = -6.0
"""Sigmas of relief between path and limb beyond which the crossing time is linear in the relief."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_LOG_SHARES = np.log((_NODES + 1) / 2)
_SHARES = _WEIGHTS / 2
_HERMITE, _HERMITE_WEIGHTS = np.polynomial.hermite.hermgauss(13)


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Edges, misses and stays that a limb must explain.

    Attributes
    ----------
    point, velocity : array, (n_edge, 2)
        Where the station's path is at the time of each D or R, km, and how fast, km/s; east and north.
    sigma_s : array, (n_edge,)
        Of each time by itself.
    side : array, (n_edge,)
        -1 of a D, +1 of an R.
    owner : array of int, (n_edge,)
        Chord of each edge, in order.
    clock_s : array, (n_chord,)
        Sigma of what is common to a chord's times.
    miss_point, miss_velocity : array, (n_miss, 2)
        A path without an event.
    miss_from_s, miss_to_s : array, (n_miss,)
        When it was watched, seconds after its point.
    miss_shortest_s : array, (n_miss,)
        An event shorter than this would not have been seen there.
    stay_edge : array of int, (n_stay,)
        Edges whose other end fell outside the recording:
    stay_s : array, (n_stay,)
        until then (R) or from then on (D) the star was seen hidden, seconds after that edge's time.
    """

    point: Floats
    velocity: Floats
    sigma_s: Floats
    side: Floats
    owner: NDArray[np.int64]
    clock_s: Floats
    miss_point: Floats
    miss_velocity: Floats
    miss_from_s: Floats
    miss_to_s: Floats
    miss_shortest_s: Floats
    stay_edge: NDArray[np.int64]
    stay_s: Floats

    @property
    def edges(self) -> int:
        """Number of times."""
        return int(self.sigma_s.size)

    def noise_km(self) -> float:
        """Median error of a time, as km along the path."""
        return float(np.median(self.sigma_s * np.hypot(self.velocity[:, 0], self.velocity[:, 1])))


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of the body beforehand.

    Attributes
    ----------
    diameter_km, sigma_km : float or None
        Area-equivalent diameter, normal; both or neither.
    radius_limit_km : float
        No radius above this one.
    oblateness_limit : float
        No oblateness above this one.
    path_km2 : tuple of float or None
        Covariance of the predicted centre, ``(ff, fg, gg)``, km^2: it moves no limb, but where several
        explain the times it tells which one is the likelier.
    """

    diameter_km: float | None = None
    sigma_km: float | None = None
    radius_limit_km: float = 1e5
    oblateness_limit: float = 0.85
    path_km2: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Misfit:
    """Residuals for each of n trial limbs.

    Attributes
    ----------
    residual_s, variance : array, (n, n_edge)
        Observed less computed time, seconds; its variance but for the clock's.
    wall : array, (n, n_wall)
        ``sqrt(-2 ln P)`` of what must hold besides: that paths were crossed, missed, not left.
    path : Passage
        Of each edge's path.
    support : array, (n, n_edge)
        Distance from the centre to the tangent at each edge, km.
    floor : array, (n, 1)
        Relief, or the least one that every limb has, km.
    """

    residual_s: Floats
    variance: Floats
    wall: Floats
    path: Passage
    support: Floats
    floor: Floats


def misfit(times: Times, x: Floats, relief_km: Floats) -> Misfit:
    """Residuals of the limbs `x`, ``(n, 3 or 5)``, with reliefs ``(n,)``."""
    floor = np.hypot(relief_km, WALL * np.exp(x[:, 2]))[:, None]
    path = pass_by(x, times.point, times.velocity)
    support = path.support_km(path.closest_s + times.side * path.half_s)
    half, variance, crossed = _half(path, support, relief_km[:, None], floor)
    residual = -(path.closest_s + times.side * half)
    walls = [crossed]
    if times.miss_shortest_s.size:
        walls.append(_missed(times, x, floor))
    if times.stay_s.size:
        walls.append(_stayed(times, path, variance))
    wall = np.sqrt(-2 * np.concatenate(walls, axis=1))
    return Misfit(residual, times.sigma_s**2 + variance, wall, path, support, floor)


def skewness(times: Times, found: Misfit) -> Floats:
    """What the log-likelihood ``(n,)`` of a normal residual lacks where paths graze the limb.

    There the density of the true time is that of the relief it means, ``N(h(t); 0, s) |dh/dt|``; with the
    time's own error it is integrated by Gauss and Hermite about its maximum. A clock's error is taken as
    each time's own here.
    """
    path, support = found.path, found.support
    floor = np.broadcast_to(found.floor, found.residual_s.shape)
    graze = support * (path.impact - 1) / floor > GRAZE
    if not graze.any():
        return np.zeros(len(floor))
    own = np.broadcast_to(np.hypot(times.sigma_s, times.clock_s[times.owner]), graze.shape)[graze]
    exact = _grazing(
        -(times.side * path.closest_s)[graze], own, path.impact[graze], path.speed[graze] ** 2,
        support[graze], floor[graze], np.abs(path.half_s[graze]) + own,
    )  # fmt: skip
    variance = found.variance[graze] + own**2 - np.broadcast_to(times.sigma_s, graze.shape)[graze] ** 2
    normal = -0.5 * (found.residual_s[graze] ** 2 / variance + np.log(2 * np.pi * variance))
    answer = np.zeros(graze.shape)
    answer[graze] = exact - normal + 0.5 * found.wall[:, : times.edges][graze] ** 2
    total: Floats = answer.sum(axis=1)
    return total


def _grazing(
    seen: Floats, own: Floats, impact: Floats, square: Floats, support: Floats, s: Floats, start: Floats
) -> Floats:
    """Log of the integral over half-times eta of ``N(seen; eta, own) N(h(eta); 0, s) h'(eta)``; all ``(n,)``.

    ``h = support (R - 1)`` with ``R^2 = impact^2 + square eta^2``.
    """
    eta = start.copy()
    for _ in range(12):
        level = np.sqrt(impact**2 + square * eta**2)
        height, rise = support * (level - 1), support * square * eta / level
        slope = (eta - seen) / own**2 + height * rise / s**2 - 1 / eta + square * eta / level**2
        bend = 1 / own**2 + (rise**2 + np.maximum(height, 0) * support * square * impact**2 / level**3) / s**2
        bend += 1 / eta**2
        eta = np.clip(eta - slope / bend, eta / 4, eta * 4)
    width = 1 / np.sqrt(bend)
    at = eta[:, None] + np.sqrt(2) * width[:, None] * _HERMITE
    positive = np.maximum(at, 1e-9 * eta[:, None])
    level = np.sqrt(impact[:, None] ** 2 + square[:, None] * positive**2)
    height = support[:, None] * (level - 1)
    log_density = (
        -0.5 * ((positive - seen[:, None]) / own[:, None]) ** 2
        - 0.5 * (height / s[:, None]) ** 2
        + np.log(support[:, None] * square[:, None] * positive / level)
        + _HERMITE**2
    )
    log_density = np.where(at > 0, log_density, -np.inf)
    top = log_density.max(axis=1)
    total = np.log(np.exp(log_density - top[:, None]) @ _HERMITE_WEIGHTS) + top
    answer: Floats = total + np.log(np.sqrt(2) * width / (2 * np.pi * own * s))
    return answer


def _half(path: Passage, support: Floats, relief: Floats, floor: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean half-time inside the limb, its variance, and the log-probability that there is one."""
    z_least = support * (path.impact - 1) / floor
    graze = z_least > GRAZE
    root = np.sqrt(np.maximum(1 - path.impact**2, 1e-12))
    slope = 1 / (support * path.speed * root)
    bend = -(path.impact**2) / (support**2 * path.speed * root**3)
    half = np.where(graze, 0, path.half_s + 0.5 * bend * relief**2)
    variance = np.where(graze, 0, (slope * relief) ** 2)
    crossed = np.zeros_like(half)
    if graze.any():
        width = (np.broadcast_to(floor, graze.shape)[graze] / support[graze])[:, None]
        least, impact = z_least[graze], path.impact[graze][:, None]
        crossed[graze] = log_ndtr(-least)
        height = 1 - width * ndtri_exp(_LOG_SHARES + crossed[graze][:, None])
        inside = np.sqrt(np.maximum(height**2 - impact**2, 0)) / path.speed[graze][:, None]
        half[graze] = mean = inside @ _SHARES
        variance[graze] = (inside - mean[:, None]) ** 2 @ _SHARES
    return half, variance, crossed


def _missed(times: Times, x: Floats, floor: Floats) -> Floats:
    """Log-probability that each miss is one: the watched path lies outside, or inside too briefly to tell."""
    path = pass_by(x, times.miss_point, times.miss_velocity)
    at = np.clip(path.closest_s, times.miss_from_s, times.miss_to_s)
    away = np.hypot(path.impact, path.speed * (at - path.closest_s))
    brief = np.where(at == path.closest_s, path.speed * times.miss_shortest_s / 2, 0)
    limit = np.sqrt(np.maximum(1 - brief**2, 0))
    answer: Floats = log_ndtr(path.support_km(at) * (away - limit) / floor)
    return answer


def _stayed(times: Times, path: Passage, variance: Floats) -> Floats:
    """Log-probability that the limb's other side lies beyond where the star was still seen hidden."""
    edge = times.stay_edge
    other = path.closest_s[:, edge] - times.side[edge] * path.half_s[:, edge]
    beyond = (times.stay_s - other) * times.side[edge]
    answer: Floats = log_ndtr(beyond / np.sqrt(times.sigma_s[edge] ** 2 + variance[:, edge]))
    return answer


def log_likelihood(times: Times, found: Misfit) -> Floats:
    """Log-likelihood ``(n,)``; the clock's share by the Sherman-Morrison formula."""
    weight = 1 / found.variance
    quad = (found.residual_s**2 * weight).sum(axis=1)
    log_det = np.log(found.variance).sum(axis=1)
    if times.clock_s.any():
        member = (times.owner[:, None] == np.arange(times.clock_s.size)).astype(np.float64)
        square = times.clock_s**2
        inflate = 1 + square * (weight @ member)
        quad = quad - (square * ((found.residual_s * weight) @ member) ** 2 / inflate).sum(axis=1)
        log_det = log_det + np.log(inflate).sum(axis=1)
    edges = times.edges * np.log(2 * np.pi)
    answer: Floats = -0.5 * (quad + log_det + edges + (found.wall**2).sum(axis=1))
    return answer


def log_path(prior: Prior, centres: Floats) -> Floats:
    """Log-density, up to a constant, of centres ``(n, 2)`` against the predicted one.

    Student's t of `PATH_FREEDOM`: predictions miss by many of their sigmas more often than normal errors do.
    """
    if prior.path_km2 is None:
        return np.zeros(len(centres))
    ff, fg, gg = prior.path_km2
    square = np.einsum("np,pq,nq->n", centres, np.linalg.pinv(np.array([[ff, fg], [fg, gg]])), centres)
    answer: Floats = -0.5 * (PATH_FREEDOM + 2) * np.log1p(square / PATH_FREEDOM)
    return answer


def log_prior(prior: Prior, x: Floats) -> Floats:
    """Log-density ``(n,)`` of limbs, per unit of each parameter; -inf outside the limits.

    Flat in centre, in radius (or normal in diameter), in the elongation `eta` and in the position angle: in
    the plane of (e1, e2) the density goes as ``1 / eta``. Flat in that plane, the errors alone would make any
    round limb long (Stein 1959, Ann. Math. Stat. 30, 877: the length of a normal vector).
    """
    radius = np.exp(x[:, 2])
    answer = np.where(radius <= prior.radius_limit_km, x[:, 2], -np.inf)
    if prior.diameter_km is not None and prior.sigma_km is not None:
        answer = answer - 0.5 * ((2 * radius - prior.diameter_km) / prior.sigma_km) ** 2
    if x.shape[1] == 5:
        oblateness = -np.expm1(-2 * np.hypot(x[:, 3], x[:, 4]))
        answer = np.where(oblateness <= prior.oblateness_limit, answer, -np.inf)
        answer = answer - np.log(np.maximum(np.hypot(x[:, 3], x[:, 4]), ROUND))
    return answer
