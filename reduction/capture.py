"""What sparse pixels catch of a star: one colour of a mosaic, one field of interlaced video.

Their pixels do not cover the sky. A star of FWHM 2 px on pixels 2 px apart gives them several per cent
more or less light with its place among them, and more noise than its flux tells; both follow from the
star's profile.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gpu_kernels.photometry import aperture_sums
from gpu_kernels.planes import whole_frames
from reduction.noise import Aperture, circle_weights

Floats = NDArray[np.float64]
Smoothed = Literal["none", "mosaic", "field"]
PLACES = 16
"""Intervals of the table over half a period."""

SMOOTHING: dict[Smoothed, float] = {"none": 0.0, "mosaic": 0.5, "field": 0.25}
"""Variance that 1-2-1 both ways, or rows between others, add to a star's profile, mean of both axes, px^2."""

PIXEL_SHARE: dict[Smoothed, float] = {"none": 1.0, "mosaic": (6.0 / 16.0) ** 2, "field": 0.75}
"""Variance of a pixel of the images, on average, in that of a recorded one."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Recorded pixels, one every `step` rows and columns; with `fill`, rows between are interpolated."""

    step: tuple[int, int]
    fill: bool


MOSAIC = Lattice((2, 2), False)
FIELD = Lattice((2, 1), True)


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """Light within apertures against the mean over all places of the star among the pixels.

    Attributes
    ----------
    lattice : Lattice
    table : array, (r, PLACES + 1, PLACES + 1)
        By radius and by distance of the star from a recorded row and column, 0 to half a period; mean 1.
    places : tuple of (row, column)
        Of the planes whose light is summed.
    shares : array, (s, k)
        Share of each plane in each star's light, summing to 1.
    """

    lattice: Lattice
    table: Floats
    places: tuple[tuple[int, int], ...]
    shares: Floats

    def of_stars(self, x: Floats, y: Floats) -> Floats:
        """Captured fraction ``(n, s, r)`` of stars at `x`, `y` ``(n, s)``, pixels, all planes together."""
        total = np.zeros((*x.shape, self.table.shape[0]))
        for k, (row, column) in enumerate(self.places):
            total += self.shares[:, k, None] * self.at(x - column, y - row)
        return total

    @property
    def spread(self) -> Floats:
        """Mean of one over the squared fraction, over places of a star of the mean colour, ``(r,)``."""
        rows, columns = self.lattice.step
        y, x = np.meshgrid(*((np.arange(PLACES) + 0.5) / PLACES * step for step in (rows, columns)))
        mean = Capture(self.lattice, self.table, self.places, self.shares.mean(axis=0, keepdims=True))
        return np.asarray((mean.of_stars(x.reshape(-1, 1), y.reshape(-1, 1)) ** -2.0).mean(axis=(0, 1)))

    def at(self, x: Floats, y: Floats) -> Floats:
        """Captured fraction ``(..., r)`` of stars at `x`, `y`, pixels from a recorded one."""
        fy, fx = (self._place(z, step) for z, step in zip((y, x), self.lattice.step, strict=True))
        j, i = np.minimum(fy.astype(np.intp), PLACES - 1), np.minimum(fx.astype(np.intp), PLACES - 1)
        wy, wx = (fy - j)[..., None], (fx - i)[..., None]
        t = np.moveaxis(self.table, 0, -1)
        low = (1.0 - wx) * t[j, i] + wx * t[j, i + 1]
        high = (1.0 - wx) * t[j + 1, i] + wx * t[j + 1, i + 1]
        return np.asarray((1.0 - wy) * low + wy * high, np.float64)

    def _place(self, z: Floats, step: int) -> Floats:
        """Distance from the nearest recorded pixel in intervals of the table."""
        known = np.where(np.isfinite(z), z, 0.0)
        return np.asarray(np.abs(known - step * np.rint(known / step)) / (0.5 * step) * PLACES, np.float64)

    def of(self, radius: int) -> "Capture":
        """The same for one of the radii, by its number."""
        return replace(self, table=self.table[radius : radius + 1])


def profile(first: float, count: int, spacing: int, sigma: float) -> Floats:
    """Share of a Gaussian about 0 in each of `count` pixels of width 1, `spacing` apart, from `first`."""
    centres = first + spacing * np.arange(count)
    return np.asarray(ndtr((centres + 0.5) / sigma) - ndtr((centres - 0.5) / sigma), np.float64)


def capture_of(
    lattice: Lattice,
    sigma: float,
    radii: Floats,
    places: tuple[tuple[int, int], ...] = ((0, 0),),
    shares: Floats | None = None,
) -> Capture:
    """Captured fractions of stars of Gaussian width `sigma`, pixels, within `radii`, pixels.

    Stars integrated over pixels are drawn at a grid of places and measured as frames are.

    Parameters
    ----------
    lattice : Lattice
    sigma : float
    radii : array, (r,)
    places, shares
        As in `Capture`; one plane that has all light by default.
    """
    rows, columns = lattice.step
    half = 2 * (int(np.ceil(max(float(radii[-1]), 4.0 * sigma))) // 2) + 4
    size = 2 * half + 1
    at_y, at_x = (0.5 * step * np.arange(PLACES + 1) / PLACES for step in (rows, columns))
    py = np.array([profile(-half - d, size, 1, sigma) for d in at_y])
    px = np.array([profile(-half - d, size, 1, sigma) for d in at_x])
    stars = (py[:, None, :, None] * px[None, :, None, :]).reshape(-1, size, size).astype(np.float32)
    y, x = (half + z.ravel()[:, None] for z in np.meshgrid(at_y, at_x, indexing="ij"))
    if lattice.fill:
        sums, _ = aperture_sums(whole_frames(stars, 0)[::2], x, y, radii)
    else:
        sums, _ = aperture_sums(stars[:, ::rows, ::columns], x / columns, y / rows, radii / rows)
    table = np.moveaxis(sums.reshape(PLACES + 1, PLACES + 1, radii.size), -1, 0)
    edges = np.ones(PLACES + 1)
    edges[[0, -1]] = 0.5  # the table's ends are shared with the next half period
    mean = np.einsum("rji,j,i->r", table, edges, edges) / PLACES**2
    table = table / np.where(mean > 0.0, mean, 1.0)[:, None, None]
    return Capture(lattice, table, places, np.ones((1, 1)) if shares is None else shares)


@lru_cache(maxsize=256)
def sparse_aperture(lattice: Lattice, planes: int, radius: float, sigma: float) -> Aperture:
    """An aperture as noise sees it on sparse pixels: exact weights of the recorded ones.

    Parameters
    ----------
    lattice : Lattice
    planes : int
        Planes of a mosaic that are summed.
    radius, sigma : float
        Of the aperture, and of a star's Gaussian profile; pixels of the full frame.
    """
    squares = light = photons = 0.0
    across = [np.arange(0.125, step, 0.25) for step in lattice.step]
    for dy in across[0]:
        for dx in across[1]:
            weight, share = _recorded_weights(lattice, radius, dy, dx, sigma)
            squares += float((weight**2).sum())
            light += float((weight * share).sum())
            photons += float((weight**2 * share).sum())
    area = np.pi * radius**2 * (1.0 if lattice.fill else planes / 4.0)
    squares *= planes / (across[0].size * across[1].size)
    return Aperture(radius, float(area), squares, photons / light if light > 0.0 else 1.0)


def _recorded_weights(
    lattice: Lattice, radius: float, dy: float, dx: float, sigma: float
) -> tuple[Floats, Floats]:
    """Weights of the recorded pixels about a star at (`dy`, `dx`) from one of them, and their light."""
    rows, columns = lattice.step
    if not lattice.fill:
        weight = circle_weights(radius / rows, dy / rows, dx / columns)
        half = weight.shape[0] // 2
        py = profile(-rows * half - dy, weight.shape[0], rows, sigma)
        px = profile(-columns * half - dx, weight.shape[1], columns, sigma)
        return weight, py[:, None] * px[None, :]
    weight = circle_weights(radius, dy, dx)
    weight = np.pad(weight, ((2, 2), (0, 0)))
    half = weight.shape[0] // 2
    spread = weight.copy()
    spread[1:] += 0.5 * weight[:-1]
    spread[:-1] += 0.5 * weight[1:]
    recorded = slice(half % 2, None, 2)
    py = profile(-half - dy, weight.shape[0], 1, sigma)[recorded]
    px = profile(-(weight.shape[1] // 2) - dx, weight.shape[1], 1, sigma)
    return spread[recorded], py[:, None] * px[None, :]


def white_excess(smoothed: Smoothed, sigma: float) -> float:
    """Variance that white noise would need to disturb a star fit as the noise of an image does.

    In units of the variance of a recorded pixel; `sigma` is the width of stars on the image, pixels.
    Smoothing and interpolation leave neighbouring pixels with common noise: their variance is smaller
    than this. Of the fit's matched filter m and the smoothing k it is sum (k * m)^2 / sum m^2.

    Parameters
    ----------
    smoothed : Smoothed
        ``mosaic`` (1-2-1 both ways), ``field`` (rows between interpolated) or ``none``.
    sigma : float
    """
    half = int(np.ceil(4.0 * sigma)) + 2
    m = profile(-half, 2 * half + 1, 1, sigma)
    own = float((m**2).sum())
    if smoothed == "mosaic":
        k = np.convolve(m, [0.25, 0.5, 0.25])
        return float(((k**2).sum() / own) ** 2)
    if smoothed == "field":
        full = np.convolve(m, [0.5, 1.0, 0.5])
        return float(0.5 * (full**2).sum() / own)
    return 1.0
