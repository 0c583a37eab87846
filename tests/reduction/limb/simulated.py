"""Stations of a known limb, made without the code that fits them: crossings by bisection."""

import numpy as np
from numpy.typing import NDArray

from reduction.limb.likelihood import Times
from reduction.limb.shape import Ellipse

Floats = NDArray[np.float64]
TRUTH = Ellipse(8.0, -5.0, 60.0, 51.0, 35.0)
SPEED = 12.0
WAY = 51.5
"""Position angle of the star's motion, degrees."""


def height(truth: Ellipse, point: Floats) -> float:
    """Height of a point over the limb along the normal, km, to first order; negative inside."""
    pa = np.radians(truth.pa_deg)
    f, g = point[0] - truth.f_km, point[1] - truth.g_km
    along, across = f * np.sin(pa) + g * np.cos(pa), -f * np.cos(pa) + g * np.sin(pa)
    level = np.hypot(along / truth.a_km, across / truth.b_km)
    if level == 0:
        return -truth.b_km
    slope = np.hypot(along / truth.a_km**2, across / truth.b_km**2) / level
    return float((level - 1) / slope)


def crossing_s(truth: Ellipse, point: Floats, velocity: Floats, side: int, relief_km: float) -> float:
    """When a path through `point`, which lies inside, crosses the limb before (-1) or after (+1)."""
    low, high = 0.0, side * 20 * truth.a_km / float(np.hypot(*velocity))
    for _ in range(80):
        middle = (low + high) / 2
        if height(truth, point + velocity * middle) < relief_km:
            low = middle
        else:
            high = middle
    return (low + high) / 2


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
) -> Times:
    """Times of `n` stations, spread at random over `span` of the shadow's width."""
    way = np.radians(WAY)
    along = np.array([np.sin(way), np.cos(way)])
    across = np.array([-along[1], along[0]])
    velocity = along * speed
    centre = np.array([truth.f_km, truth.g_km])
    points, sides, owners = [], [], []
    for k, share in enumerate(rng.uniform(-span, span, n)):
        middle = centre + share * half_width_km(truth, across) * across
        # the deepest point of the path, so that it lies inside
        steps = np.linspace(-2, 2, 401) * truth.a_km / speed
        deepest = steps[np.argmin([height(truth, middle + velocity * t) for t in steps])]
        inside = middle + velocity * deepest
        lag = rng.normal(0, clock_s) if clock_s else 0.0
        for side in (-1, 1):
            relief = rng.normal(0, relief_km) if relief_km else 0.0
            seen = crossing_s(truth, inside, velocity, side, relief) + rng.normal(0, sigma_s) + lag
            points.append(inside + velocity * seen)
            sides.append(side)
            owners.append(k)
    return times(np.array(points), velocity, sigma_s, np.array(sides), np.array(owners), clock_s)


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
