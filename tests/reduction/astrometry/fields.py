"""Fields of stars whose place on the sky is known, made with astropy's WCS."""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from reduction.astrometry.stars import FrameStars, SkyStars

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Field:
    """What was found on a frame, the catalogue, where to look, and the truth."""

    seen: FrameStars
    sky: SkyStars
    centre: tuple[float, float]
    radius: float
    shown: NDArray[np.intp]  # catalogue stars that are among `seen`
    x: Floats  # true pixels of all catalogue stars
    y: Floats


def sky_stars(ra: Floats, dec: Floats, magnitude: Floats | None = None, **columns: Floats) -> SkyStars:
    unknown = np.full(ra.size, np.nan)
    rest = {name: columns.get(name, unknown) for name in ("pm_ra", "pm_dec", "parallax", "epoch")}
    return SkyStars(ra, dec, unknown if magnitude is None else magnitude, **rest, name="sky.csv")


def wcs_of(ra: float, dec: float, scale: float, turn: float, mirrored: bool, width: int, height: int) -> WCS:
    """A TAN projection; `turn` is the position angle of the frame's upward (-y) direction."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [(width + 1) / 2, (height + 1) / 2]
    a, s = np.radians(turn), scale / 3600
    up = np.array([np.sin(a), np.cos(a)]) * s  # east, north
    left = np.array([np.cos(a), -np.sin(a)]) * s * (-1 if mirrored else 1)
    wcs.wcs.cd = np.array([-left, -up]).T
    wcs.wcs.set()
    return wcs


def make_field(
    seed: int,
    count: int,
    scale: float,
    *,
    mirrored: bool = False,
    distortion: float = 0.0,
    false_share: float = 0.3,
    sigma: float = 0.1,
    size: tuple[int, int] = (640, 480),
    pole: tuple[float, float] = (123.4, -12.3),
    radius: float = 0.5,
    depth: float = 1.0,
    magnitudes: bool = True,
) -> Field:
    rng = np.random.default_rng((seed, count))
    width, height = size
    reach = radius + 0.6 * float(np.hypot(width, height)) * scale / 3600
    total = max(count + 4, int(count * depth * np.pi * reach**2 / (width * height * (scale / 3600) ** 2)))
    away, angle = reach * np.sqrt(rng.random(total)), 2 * np.pi * rng.random(total)
    plane = wcs_of(*pole, 3600.0, 0.0, True, 1, 1)
    ra, dec = plane.all_pix2world(away * np.cos(angle), -away * np.sin(angle), 0)
    magnitude = 15.0 - rng.exponential(1.2, total)
    off, turn = 0.6 * radius * rng.random(), 2 * np.pi * rng.random()
    at = plane.all_pix2world([off * np.cos(turn)], [off * np.sin(turn)], 0)
    wcs = wcs_of(float(at[0][0]), float(at[1][0]), scale, 360 * rng.random(), mirrored, width, height)
    x, y = wcs.all_world2pix(ra, dec, 0)
    dx, dy = x - (width - 1) / 2, y - (height - 1) / 2
    stretch = 1 + distortion * (dx**2 + dy**2) / (0.25 * (width**2 + height**2))
    x, y = (width - 1) / 2 + dx * stretch, (height - 1) / 2 + dy * stretch
    inside = np.flatnonzero((x > 4) & (y > 4) & (x < width - 5) & (y < height - 5))
    shown = inside[np.argsort(magnitude[inside], kind="stable")][:count]
    strays = round(shown.size * false_share / (1 - false_share))
    flux = 10 ** (-0.4 * (magnitude[shown] - 20)) * np.exp(0.2 * rng.standard_normal(shown.size))
    flux = np.concatenate([flux, rng.choice(flux, strays)])
    found_x = np.concatenate([x[shown] + sigma * rng.standard_normal(shown.size), width * rng.random(strays)])
    found_y = np.concatenate(
        [y[shown] + sigma * rng.standard_normal(shown.size), height * rng.random(strays)]
    )
    order = np.argsort(-flux, kind="stable")
    seen = FrameStars(found_x[order], found_y[order], np.full(order.size, sigma), flux[order], width, height)
    sky = sky_stars(ra, dec, magnitude if magnitudes else None)
    return Field(seen, sky, pole, radius, shown, x, y)
