"""Stations of a known limb, made without the code that fits them: crossings by bisection."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reduction.limb.likelihood import Times
from reduction.limb.shape import Ellipse

Floats = NDArray[np.float64]
TRUTH = Ellipse(8.0, -5.0, 60.0, 51.0, 35.0)
SPEED = 12.0
WAY = 51.5
"""Position angle of the star's motion, degrees."""


def height(truth: Ellipse, point: Floats) -> Floats:
    """Height of points ``(..., 2)`` over the limb along the normal, km, to first order; negative inside."""
    pa = np.radians(truth.pa_deg)
    f, g = point[..., 0] - truth.f_km, point[..., 1] - truth.g_km
    along, across = f * np.sin(pa) + g * np.cos(pa), -f * np.cos(pa) + g * np.sin(pa)
    level = np.hypot(along / truth.a_km, across / truth.b_km)
    slope = np.hypot(along / truth.a_km**2, across / truth.b_km**2)
    answer: Floats = np.where(level > 0, (level - 1) * level / np.where(slope > 0, slope, 1), -truth.b_km)
    return answer


def crossing_s(truth: Ellipse, point: Floats, velocity: Floats, side: Floats, relief_km: Floats) -> Floats:
    """When paths through `point`, ``(n, 2)``, which lie inside, cross the limb before (-1) or after (+1)."""
    low = np.zeros(len(point))
    high = side * 20 * truth.a_km / float(np.hypot(*velocity))
    for _ in range(60):
        middle = (low + high) / 2
        inside = height(truth, point + middle[:, None] * velocity) < relief_km
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    answer: Floats = (low + high) / 2
    return answer


def half_width_km(truth: Ellipse, across: Floats) -> float:
    """Half-extent of the limb in a direction."""
    pa = np.radians(truth.pa_deg)
    major = np.array([np.sin(pa), np.cos(pa)])
    minor = np.array([-np.cos(pa), np.sin(pa)])
    return float(np.hypot(truth.a_km * (across @ major), truth.b_km * (across @ minor)))


def stations(
    rng: np.random.Generator,
    n: int = 12,
    truth: Ellipse = TRUTH,
    sigma_s: float = 0.1,
    relief_km: float = 0.0,
    span: float = 0.9,
    speed: float = SPEED,
    clock_s: float = 0.0,
    shares: Sequence[float] | None = None,
) -> Times:
    """Times of `n` stations, spread at random over `span` of the shadow's width, or at its `shares`.

    Who sees no event, because the path lies outside the limb with its relief, has missed it.
    """
    way = np.radians(WAY)
    along = np.array([np.sin(way), np.cos(way)])
    across = np.array([-along[1], along[0]])
    velocity = along * speed
    placed = np.array([*rng.uniform(-span, span, n), *(shares or ())])
    middle = np.array([truth.f_km, truth.g_km]) + placed[:, None] * half_width_km(truth, across) * across
    # the deepest point of each path, so that it lies inside
    steps = np.linspace(-2, 2, 401)[:, None, None] * truth.a_km / speed
    deepest = np.argmin(height(truth, middle + velocity * steps), axis=0)
    inside = middle + steps[deepest, 0] * velocity
    lag, relief, error = np.zeros(len(placed)), np.zeros((len(placed), 2)), np.zeros((len(placed), 2))
    for k in range(len(placed)):
        lag[k] = rng.normal(0, clock_s) if clock_s else 0.0
        for side in (0, 1):
            relief[k, side] = rng.normal(0, relief_km) if relief_km else 0.0
            error[k, side] = rng.normal(0, sigma_s) + lag[k]
    hit = np.flatnonzero(height(truth, inside) < relief.min(axis=1))
    points, sides = np.repeat(inside[hit], 2, axis=0), np.tile([-1, 1], len(hit))
    seen = crossing_s(truth, points, velocity, sides.astype(np.float64), relief[hit].ravel())
    points = points + (seen + error[hit].ravel())[:, None] * velocity
    missed = np.setdiff1d(np.arange(len(placed)), hit)
    owners = np.repeat(np.arange(len(hit)), 2)
    return times(points, velocity, sigma_s, sides, owners, clock_s, middle[missed])


def times(
    points: Floats,
    velocity: Floats,
    sigma_s: float,
    sides: NDArray[np.int64],
    owners: NDArray[np.int64],
    clock_s: float = 0.0,
    miss: Floats | None = None,
) -> Times:
    """Times on paths of one velocity; `miss`: a point of each path that was watched without an event."""
    missed = np.zeros((0, 2)) if miss is None else miss
    none = np.zeros(0)
    return Times(
        point=points,
        velocity=np.tile(velocity, (len(points), 1)),
        sigma_s=np.full(len(points), sigma_s),
        side=sides.astype(np.float64),
        owner=owners.astype(np.int64),
        clock_s=np.full(len(set(owners.tolist())), clock_s),
        miss_point=missed,
        miss_velocity=np.tile(velocity, (len(missed), 1)),
        miss_from_s=np.full(len(missed), -np.inf),
        miss_to_s=np.full(len(missed), np.inf),
        miss_shortest_s=np.zeros(len(missed)),
        stay_edge=none.astype(np.int64),
        stay_s=none,
    )
