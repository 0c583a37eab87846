"""From what the data say on a grid to values, errors and intervals."""

import math
from dataclasses import dataclass

import numpy as np

from reduction.events.flanks import Floats
from reduction.events.likelihood import Surface
from reduction.events.results import LEVELS, Figure

MOST_CELLS = 400
"""Cells of the grid that the distribution of the depth is drawn from."""


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Probability of D and R, the depth integrated out; arrays ``(n_d, n_r)``.

    Attributes
    ----------
    surface : Surface
    log_density : array
        Per second of D and of R, its greatest value 0.
    log_evidence : float
        Logarithm of its integral before that, less `chi2`'s constants.
    mass : array
        Of each cell of the grid; they sum to 1.
    sigma : float
        Scale of the whitened noise.
    """

    surface: Surface
    log_density: Floats
    log_evidence: float
    mass: Floats
    sigma: float

    def best(self) -> tuple[int, int]:
        """Where the density is greatest."""
        j, k = np.unravel_index(int(np.argmax(self.log_density)), self.log_density.shape)
        return int(j), int(k)


def posterior(found: Surface, most_lost: float, sigma: float) -> Posterior:
    """Integrate the depth out between nothing and `most_lost`.

    The depth's prior weighs every (D, R) by the depth's own error there, so that no duration is favoured for
    having its depth known worse.

    Parameters
    ----------
    found : Surface
    most_lost : float
        Greatest loss, in units of flux.
    sigma : float
        Scale of the whitened noise.
    """
    from scipy.special import log_ndtr

    per_sigma = np.sqrt(found.weight) / sigma
    low, high = -found.lost * per_sigma, (most_lost - found.lost) * per_sigma
    mirrored = low + high < 0  # the tail that is computed best
    upper = np.where(mirrored, high, -low)
    lower = np.where(mirrored, low, -high)
    first, second = log_ndtr(upper), log_ndtr(lower)
    inside = first + np.log1p(-np.exp(np.minimum(second - first, -1e-16)))
    log = -0.5 * found.chi2 / sigma**2 + inside
    log = np.where(np.isfinite(log), log, -np.inf)
    greatest = float(log.max())
    log = log - greatest
    mass = np.exp(log) * widths(found.d_s)[:, None] * widths(found.r_s)[None, :]
    total = float(mass.sum())
    return Posterior(found, log, greatest + float(np.log(total)), mass / total, sigma)


def widths(nodes: Floats) -> Floats:
    """Weights of the trapezium rule; 1 for a single node."""
    if nodes.size == 1:
        return np.ones(1)
    gaps = np.diff(nodes)
    each: Floats = 0.5 * (np.concatenate([[0.0], gaps]) + np.concatenate([gaps, [0.0]]))
    return each


def figure_of_density(nodes: Floats, density: Floats) -> Figure:
    """Median and intervals of a density given at nodes, straight lines between them."""
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(nodes))])
    return figure_of_cumulative(nodes, cumulative / cumulative[-1], density / cumulative[-1])


def figure_of_cumulative(nodes: Floats, cumulative: Floats, density: Floats | None = None) -> Figure:
    """Median and central intervals of a distribution given by its cumulative probability at nodes."""

    def at(p: float) -> float:
        k = int(np.clip(np.searchsorted(cumulative, p, side="right") - 1, 0, nodes.size - 2))
        gap, need = float(nodes[k + 1] - nodes[k]), p - float(cumulative[k])
        if density is None:
            total = float(cumulative[k + 1] - cumulative[k])
            return float(nodes[k]) + gap * (need / total if total > 0 else 0.5)
        a, b = float(density[k]), float(density[k + 1])
        slope = (b - a) / gap
        root = math.sqrt(max(a * a + 2.0 * slope * need, 0.0))
        step = 2.0 * need / (a + root) if a + root > 0 else 0.0
        return float(nodes[k]) + min(step, gap)

    intervals = tuple((at(0.5 - level / 2), at(0.5 + level / 2)) for level in LEVELS)
    low, high = intervals[0]
    return Figure(at(0.5), 0.5 * (high - low), intervals)


Parts = list[tuple[float, Posterior]]
"""Answers with the probability of each; they sum to 1."""


def marginals(parts: Parts) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Nodes and densities of D, and of R."""
    return _marginal(parts, True), _marginal(parts, False)


def _marginal(parts: Parts, is_d: bool) -> tuple[Floats, Floats]:
    each = []
    for share, part in parts:
        on, density = part.surface, np.exp(part.log_density)
        nodes = on.d_s if is_d else on.r_s
        along = density @ widths(on.r_s) if is_d else widths(on.d_s) @ density
        each.append((nodes, share * along / max(float(along @ widths(nodes)), 1e-300)))
    if len(each) == 1:
        return each[0]
    nodes = np.unique(np.concatenate([one for one, _ in each]))
    return nodes, sum((np.interp(nodes, *one, left=0.0, right=0.0) for one in each), np.zeros(nodes.size))


def figure_of_duration(parts: Parts) -> Figure:
    """R less D."""
    duration = np.concatenate([(p.surface.r_s[None, :] - p.surface.d_s[:, None]).ravel() for _, p in parts])
    mass = np.concatenate([share * p.mass.ravel() for share, p in parts])
    keep = mass > 1e-12
    order = np.argsort(duration[keep], kind="stable")
    duration, mass = duration[keep][order], mass[keep][order]
    if duration.size < 2:
        one = float(duration[0])
        return Figure(one, 0.0, tuple((one, one) for _ in LEVELS))
    return figure_of_cumulative(duration, np.cumsum(mass) - 0.5 * mass)


def figure_of_depth(parts: Parts, scale: float, most_lost: float) -> Figure:
    """Loss over the level: Gaussians of each cell, cut at nothing and at the most that can go."""
    from scipy.special import ndtr

    mass = np.concatenate([share * p.mass.ravel() for share, p in parts])
    top = np.argsort(mass)[::-1][:MOST_CELLS]
    top = top[mass[top] > 0]
    share = mass[top] / mass[top].sum()
    lost = np.concatenate([p.surface.lost.ravel() for _, p in parts])[top]
    sd = np.concatenate([p.sigma / np.sqrt(p.surface.weight.ravel()) for _, p in parts])[top]
    low = max(float((lost - 6 * sd).min()), 0.0)
    high = min(float((lost + 6 * sd).max()), most_lost)
    if not high > low:
        low, high = (0.0, 1e-9) if lost.max() <= 0 else (most_lost * (1 - 1e-9), most_lost)
    at = np.linspace(low, high, 241)
    below, above = ndtr(-lost / sd), ndtr((most_lost - lost) / sd)
    cumulative = (ndtr((at[:, None] - lost) / sd) - below) / np.maximum(above - below, 1e-300)
    distribution = np.clip(cumulative @ share, 0.0, 1.0)
    distribution[0], distribution[-1] = 0.0, 1.0
    return scaled(figure_of_cumulative(at, np.maximum.accumulate(distribution)), 1.0 / scale)


def scaled(figure: Figure, factor: float) -> Figure:
    """The figure in another unit."""
    return Figure(
        figure.value * factor,
        figure.sigma * factor,
        tuple((low * factor, high * factor) for low, high in figure.intervals),
    )
