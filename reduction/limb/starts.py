"""Where limbs may lie, before anything is fitted."""

import numpy as np

from reduction.limb.descent import Minima, descend
from reduction.limb.likelihood import Prior, Times
from reduction.limb.shape import Floats

ELONGATION = 0.2
"""Of the ellipses that are tried first, `eta`."""


def extent_km(times: Times) -> float:
    """Greatest distance between two points of the limb, or along a stay."""
    spread = times.point[:, None, :] - times.point[None, :, :]
    longest = float(np.hypot(spread[..., 0], spread[..., 1]).max())
    if times.stay_s.size:
        speed = np.hypot(*times.velocity[times.stay_edge].T)
        longest = max(longest, float(np.max(np.abs(times.stay_s) * speed)))
    return longest


def circle_starts(times: Times, radii: Floats) -> Floats:
    """Circles ``(n, 3)`` of each radius on both sides of the points, and around them."""
    middle = times.point.mean(axis=0)
    along = times.velocity.mean(axis=0)
    along = along / np.hypot(*along)
    across = np.array([-along[1], along[0]])
    back = -times.side.mean() * along  # of a lone D the body lies ahead, of a lone R behind
    first = [
        [*(middle + radius * (shift * across + back)), np.log(radius)]
        for radius in radii
        for shift in (-1.0, -0.6, 0.0, 0.6, 1.0)
    ]
    return np.array(first)


def circles(times: Times, prior: Prior, radius_km: float) -> Minima:
    """Circles that explain the times best, the best first."""
    radii = np.array([1.0, 1.8]) * radius_km
    if prior.diameter_km is not None and prior.sigma_km is not None:
        radii = np.array([prior.diameter_km / 2])
    start = circle_starts(times, radii)
    coarse = descend(times, prior, start, np.full(len(start), 0.1 * radius_km), 14)
    return distinct(coarse)


def ellipses(times: Times, prior: Prior, round_ones: Minima, relief_km: float) -> Minima:
    """Ellipses that explain the times best, the best first, from the best circles."""
    starts = []
    for x in round_ones.x[:3]:
        starts.append([*x, 0.0, 0.0])
        for angle in (0.0, 90.0, 180.0, 270.0):
            twice = np.radians(angle)
            starts.append([*x, ELONGATION * np.cos(twice), ELONGATION * np.sin(twice)])
    found = descend(times, prior, np.array(starts), np.full(len(starts), relief_km), 16)
    return distinct(found)


def distinct(found: Minima, most: int = 6) -> Minima:
    """Minima in order of their sums of squares, each once."""
    keep: list[int] = []
    for k in np.argsort(found.cost, kind="stable"):
        if len(keep) == most or not np.isfinite(found.cost[k]):
            break
        apart = found.x[keep] - found.x[k]
        far = np.einsum("np,pq,nq->n", apart, found.normal[k], apart)
        if bool((far > 0.5).all()):
            keep.append(int(k))
    return Minima(*(getattr(found, name)[keep] for name in ("x", "cost", "normal", "jacobian", "rho")))
