"""The whole posterior of a limb and its relief, by importance sampling about its Laplace approximations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from reduction.limb.descent import descend
from reduction.limb.likelihood import Prior, Times, log_likelihood, log_prior, misfit, skewness
from reduction.limb.shape import Floats

TAIL = 5
"""Degrees of freedom of the t distributions that are drawn from."""
DRAWS = 4000
KERNELS, KERNEL_WIDTH = 60, 0.5
"""Draws that a second sample is drawn about, and how wide, in standard deviations of the first."""
NONE = 2.0
"""Prior odds of no relief at all, against a factor e in relief."""
COARSE, FINE = 9, 12
"""Reliefs tried at first, and between the limits then found, anew until"""
ENOUGH_RELIEFS = 6
"""as many of them are likely."""


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Laplace approximations of the posterior, one for each minimum and relief; arrays ``(n, ...)``."""

    x: Floats
    relief_km: Floats
    factor: Floats  # (n, p, p): lower triangle, a draw is x + factor z
    log_mass: Floats
    log_step: Floats  # of the relief's grid


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Draws of the posterior: limbs ``(n, p)``, reliefs and weights ``(n,)`` that sum to one.

    `effective` is the number of equally weighted draws that are worth as much (Kish 1965).
    """

    x: Floats
    relief_km: Floats
    weight: Floats
    effective: float
    best_x: Floats
    best_relief_km: float
    log_evidence: float


def log_posterior(times: Times, prior: Prior, x: Floats, relief_km: Floats) -> Floats:
    """Log-density of limbs ``(n, p)`` with reliefs ``(n,)``, per unit of the parameters and of the grid."""
    answer = log_prior(prior, x)
    allowed = np.isfinite(answer)
    if allowed.any():
        inside, relief = x[allowed], relief_km[allowed]
        found = misfit(times, inside, relief)
        answer[allowed] += log_likelihood(times, found) + skewness(times, found)
    return np.where(np.isnan(answer), -np.inf, answer)


def relief_grid(knee_km: float, low: float, high: float, n: int) -> tuple[Floats, Floats]:
    """Reliefs evenly spaced in ``ln(s + knee)``, in which the prior is flat; and the log of each one's step.

    `low`, `high`: limits, km. Flat in ln s is what a scale's prior is; below `knee` (half the times' own
    error) no data can tell reliefs apart, and there it is levelled.
    """
    grid = np.linspace(np.log(low + knee_km), np.log(high + knee_km), n)
    step = np.full(n, grid[1] - grid[0] if n > 1 else 1.0)
    step[[0, -1]] /= 2
    if low == 0:
        step[0] += NONE
    relief = np.exp(grid) - knee_km
    relief[0], relief[-1] = low, high
    return relief, np.log(step)


def components(times: Times, prior: Prior, modes: Floats, knee_km: float, most_km: float) -> Components:
    """Laplace approximations about each of `modes`, ``(m, p)``, on a grid of reliefs from 0 to `most_km`."""
    relief, step = relief_grid(knee_km, 0.0, most_km, COARSE)
    found = _laplace(times, prior, modes, relief, step)
    for _ in range(3):
        mass = logsumexp(found.log_mass.reshape(len(modes), -1), axis=0)
        there = np.flatnonzero(mass > mass.max() - 9)
        if relief.size == FINE and there.size >= ENOUGH_RELIEFS:
            break
        low, high = relief[max(there[0] - 1, 0)], relief[min(there[-1] + 1, relief.size - 1)]
        fine, step = relief_grid(knee_km, float(low), float(high), FINE)
        nearest = np.abs(np.log(fine[:, None] + knee_km) - np.log(relief + knee_km)).argmin(axis=1)
        start = found.x.reshape(len(modes), relief.size, -1)[:, nearest]
        found, relief = _laplace(times, prior, start, fine, step), fine
    return found


def spread_relief(relief_km: Floats, grid_km: Floats, knee_km: float) -> Floats:
    """Reliefs of draws, ``(n,)``, spread evenly over the steps of their grid: quantiles need no steps.

    Of those at 0 as many stay there as the prior has of no relief at all.
    """
    grid = np.log(np.unique(grid_km) + knee_km)
    if grid.size == 1:
        return relief_km
    step, there = grid[1] - grid[0], np.log(relief_km + knee_km)
    rng = np.random.default_rng(2)
    low, high = np.maximum(there - step / 2, grid[0]), np.minimum(there + step / 2, grid[-1])
    spread = np.exp(rng.uniform(low, high)) - knee_km
    none = (relief_km == 0) & (rng.uniform(0, 1, relief_km.size) < NONE / (NONE + step / 2))
    return np.where(none, 0.0, np.maximum(spread, 0.0))


def _laplace(times: Times, prior: Prior, start: Floats, relief: Floats, step: Floats) -> Components:
    """`start`: ``(m, p)`` or ``(m, n_relief, p)``."""
    n = relief.size
    if start.ndim == 2:
        start = np.repeat(start[:, None, :], n, axis=1)
    m, _, p = start.shape
    reliefs = np.tile(relief, m)
    found = descend(times, prior, start.reshape(m * n, p), reliefs, 6)
    scale = np.ones((m * n, p))
    scale[:, :2] = np.exp(found.x[:, 2:3])  # curvatures are compared in radii
    normal = found.normal * scale[:, :, None] * scale[:, None, :]
    value, vector = np.linalg.eigh(normal)
    spread = vector / np.sqrt(np.maximum(value, 4.0))[:, None, :]  # at most half a radius, half in ln r
    covariance = np.einsum("nij,nkj->nik", spread, spread) * scale[:, :, None] * scale[:, None, :]
    factor = np.linalg.cholesky(covariance)
    log_mass = log_posterior(times, prior, found.x, reliefs) + np.log(np.einsum("npp->np", factor)).sum(
        axis=1
    )
    log_step = np.tile(step, m)
    return Components(found.x, reliefs, factor, log_mass + log_step, log_step)


def draw(times: Times, prior: Prior, parts: Components, seed: int, draws: int = DRAWS) -> Sample:
    """Draw from t distributions about the components and weigh each draw by the posterior.

    Every draw is weighed against all components of its relief (deterministic mixture: Owen & Zhou 2000).
    """
    share = np.exp(parts.log_mass - logsumexp(parts.log_mass))
    count = np.round(share * draws).astype(np.int64)
    count[share < 1e-4] = 0
    rng = np.random.default_rng(seed)
    which = np.repeat(np.arange(count.size), count)
    p = parts.x.shape[1]
    normal = rng.standard_normal((which.size, p))
    tail = np.sqrt(rng.chisquare(TAIL, which.size) / TAIL)
    x = parts.x[which] + np.einsum("npq,nq->np", parts.factor[which], normal) / tail[:, None]
    relief = parts.relief_km[which]
    proposed = _log_proposal(parts, count, x, relief)
    target = log_posterior(times, prior, x, relief) + parts.log_step[which]
    ratio = target - proposed
    total = logsumexp(ratio)
    weight = np.exp(ratio - total)
    best = int(np.argmax(parts.log_mass))
    return Sample(
        x=x,
        relief_km=relief,
        weight=weight,
        effective=float(1 / (weight**2).sum()),
        best_x=parts.x[best],
        best_relief_km=float(parts.relief_km[best]),
        log_evidence=float(total),
    )


def adapted(times: Times, prior: Prior, parts: Components, sample: Sample, seed: int) -> Sample:
    """A second sample, drawn about draws of a first: for posteriors that no t distribution describes.

    Limbs come from a mixture of t kernels about `KERNELS` draws, reliefs, independently, from their share
    in `sample` levelled with that of the components (population Monte Carlo: Cappe et al. 2004).
    """
    rng = np.random.default_rng((seed, 1))
    p = sample.x.shape[1]
    centres = sample.x[rng.choice(len(sample.x), KERNELS, p=sample.weight)]
    mean = sample.weight @ sample.x
    apart = sample.x - mean
    spread = (apart * sample.weight[:, None]).T @ apart * KERNEL_WIDTH**2
    spread += np.diag(np.maximum(np.diag(spread), 1e-12)) * 1e-3
    factor = np.linalg.cholesky(spread)
    reliefs, first = np.unique(parts.relief_km, return_index=True)
    own = np.array([sample.weight[sample.relief_km == one].sum() for one in reliefs])
    share = 0.8 * own + 0.2 / reliefs.size
    share /= share.sum()
    which = rng.choice(reliefs.size, 2 * DRAWS, p=share)
    tail = np.sqrt(rng.chisquare(TAIL, which.size) / TAIL)
    kernel = rng.integers(KERNELS, size=which.size)
    x = centres[kernel] + (rng.standard_normal((which.size, p)) @ factor.T) / tail[:, None]
    from_centres = np.linalg.solve(factor, (x[:, None, :] - centres).reshape(-1, p).T)
    square = (from_centres**2).sum(axis=0).reshape(which.size, KERNELS)
    density = logsumexp(-0.5 * (TAIL + p) * np.log1p(square / TAIL), axis=1)
    target = log_posterior(times, prior, x, reliefs[which]) + parts.log_step[first][which]
    ratio = target - density - np.log(share[which])
    total = logsumexp(ratio)
    weight = np.exp(ratio - total)
    constant = gammaln((TAIL + p) / 2) - gammaln(TAIL / 2) - 0.5 * p * np.log(TAIL * np.pi)
    constant += np.log(which.size / KERNELS) - np.log(np.diag(factor)).sum()
    return Sample(
        x=x,
        relief_km=reliefs[which],
        weight=weight,
        effective=float(1 / (weight**2).sum()),
        best_x=sample.best_x,
        best_relief_km=sample.best_relief_km,
        log_evidence=float(total - constant),
    )


def _log_proposal(parts: Components, count: NDArray[np.int64], x: Floats, relief: Floats) -> Floats:
    """Log of the number of draws per unit of volume, of the components with each draw's relief."""
    p = x.shape[1]
    answer = np.full(len(x), -np.inf)
    norm = gammaln((TAIL + p) / 2) - gammaln(TAIL / 2) - 0.5 * p * np.log(TAIL * np.pi)
    for k in np.flatnonzero(count):
        same = relief == parts.relief_km[k]
        z = np.linalg.solve(parts.factor[k], (x[same] - parts.x[k]).T)
        density = norm - 0.5 * (TAIL + p) * np.log1p((z**2).sum(axis=0) / TAIL)
        density += np.log(count[k]) - np.log(np.diag(parts.factor[k])).sum()
        answer[same] = np.logaddexp(answer[same], density)
    return answer
