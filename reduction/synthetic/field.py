"""A field of stars by chance."""

import math

import numpy as np

from reduction.synthetic.sky import SceneStar


def star_field(
    count: int,
    height: int,
    width: int,
    *,
    seed: int,
    flux_e: tuple[float, float] = (2e3, 1e5),
    margin_px: float = 30.0,
    separation_px: float = 24.0,
) -> tuple[SceneStar, ...]:
    """Return stars at random places, brightest first.

    Parameters
    ----------
    count : int
        Number of stars.
    height, width : int
        Frame size, pixels.
    seed : int
        Of the random generator.
    flux_e : (float, float)
        Faintest and brightest star, electrons a frame; spaced evenly in magnitude.
    margin_px, separation_px : float
        Least distance from the edges and from each other, pixels.

    Raises
    ------
    ValueError
        The stars do not fit at that separation.
    """
    rng = np.random.default_rng((seed, count))
    places: list[tuple[float, float]] = []
    for _ in range(1000 * count):
        if len(places) == count:
            break
        x = float(rng.uniform(margin_px, width - 1 - margin_px))
        y = float(rng.uniform(margin_px, height - 1 - margin_px))
        if all(math.hypot(x - u, y - v) >= separation_px for u, v in places):
            places.append((x, y))
    if len(places) < count:
        raise ValueError(f"{count} stars do not fit {width}x{height} at {separation_px} px from each other")
    fluxes = np.geomspace(flux_e[1], flux_e[0], count)
    return tuple(SceneStar(x, y, float(f)) for (x, y), f in zip(places, fluxes, strict=True))
