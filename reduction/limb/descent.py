"""Least squares from many starts at once: the limbs that explain the times best."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reduction.limb.likelihood import Prior, Times, misfit
from reduction.limb.shape import Floats

STEP = 1e-5


def whitened(times: Times, prior: Prior, x: Floats, relief_km: Floats) -> Floats:
    """Residuals of unit variance, ``(n, n_residual)``: times, walls, and the diameter's where it is known."""
    found = misfit(times, x, relief_km)
    root = 1 / np.sqrt(found.variance)
    rho = found.residual_s * root
    if times.clock_s.any():
        member = (times.owner[:, None] == np.arange(times.clock_s.size)).astype(np.float64)
        length = (root * root) @ member
        share = (1 - 1 / np.sqrt(1 + times.clock_s**2 * length)) / length
        rho = rho - root * ((share * ((rho * root) @ member)) @ member.T)
    parts = [rho, found.wall]
    if prior.diameter_km is not None and prior.sigma_km is not None:
        parts.append((2 * np.exp(x[:, 2:3]) - prior.diameter_km) / prior.sigma_km)
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Minima:
    """Where the descents ended: limbs ``(n, p)``, sums of squares ``(n,)``, curvatures ``(n, p, p)``."""

    x: Floats
    cost: Floats
    normal: Floats
    jacobian: Floats
    rho: Floats


def descend(times: Times, prior: Prior, start: Floats, relief_km: Floats, steps: int) -> Minima:
    """Go down from each start, ``(n, p)``, by damped Gauss-Newton steps (Marquardt 1963).

    `relief_km`, ``(n,)``, stays what it is.
    """

    def residuals(x: Floats, relief: Floats) -> Floats:
        return whitened(times, prior, x, relief)

    x = start.copy()
    damping = np.full(len(x), 1e-2)
    rho = residuals(x, relief_km)
    cost = (rho**2).sum(axis=1)
    jacobian = _jacobian(residuals, x, relief_km, rho)
    for _ in range(steps):
        normal = np.einsum("nrp,nrq->npq", jacobian, jacobian)
        slope = np.einsum("nrp,nr->np", jacobian, rho)
        scale = np.einsum("npp->np", normal) + 1e-12
        damped = normal + damping[:, None, None] * np.eye(x.shape[1]) * scale[:, None, :]
        move = -np.linalg.solve(damped, slope[:, :, None])[:, :, 0]
        trial = x + _bounded(move, x)
        rho_trial = residuals(trial, relief_km)
        cost_trial = (rho_trial**2).sum(axis=1)
        better = cost_trial < cost
        gain = np.where(better, cost - cost_trial, 0)
        x[better], rho[better], cost[better] = trial[better], rho_trial[better], cost_trial[better]
        damping = np.where(better, np.maximum(damping * 0.15, 1e-9), damping * 6)
        jacobian = _jacobian(residuals, x, relief_km, rho)
        if bool((gain < 1e-6).all()) and bool(((damping > 1e3) | better).all()):
            break
    return Minima(x, cost, np.einsum("nrp,nrq->npq", jacobian, jacobian), jacobian, rho)


def _jacobian(
    residuals: Callable[[Floats, Floats], Floats], x: Floats, relief_km: Floats, rho: Floats
) -> Floats:
    n, p = x.shape
    size = np.full((n, p), STEP)
    size[:, :2] *= np.exp(x[:, 2:3])
    moved = np.repeat(x[:, None, :], p, axis=1)
    moved[:, np.arange(p), np.arange(p)] += size
    there = residuals(moved.reshape(n * p, p), np.repeat(relief_km, p)).reshape(n, p, -1)
    answer: Floats = np.moveaxis((there - rho[:, None, :]) / size[:, :, None], 1, 2)
    return answer


def _bounded(move: Floats, x: Floats) -> Floats:
    """No step moves the centre by more than a radius, the size by more than a factor of about two."""
    most = np.full(x.shape, 0.7)
    most[:, :2] = np.exp(x[:, 2:3])
    over = np.max(np.abs(move) / most, axis=1, keepdims=True)
    answer: Floats = move / np.maximum(over, 1)
    return answer
