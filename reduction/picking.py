"""A star near a place of a frame: where it is, how wide, how bright; and the frame with the best seeing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.centroid import windowed_centroids
from gpu_kernels.detect import clipped_sigma, find_stars
from reduction.errors import DataError

Floats = NDArray[np.float64]

FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
REACH = 16
"""Pixels to each side that are looked at; the sky is that of the outermost six."""

RIM = 6
SIGMAS = np.geomspace(0.4, 7.0, 72)
LEAST_SNR = 4.0
DETECTION_SNR = 8.0
MOST_STARS = 60
APERTURE_SIGMA = 3.0
"""Radius of the aperture in sigmas of the star: 98.9 % of a Gaussian's light."""


@dataclass(frozen=True, slots=True)
class Picked:
    """A star.

    Attributes
    ----------
    x, y, error : float
        Centroid and one sigma of each coordinate, pixels; the first pixel's centre is 0.
    fwhm, fwhm_error : float
        Of a Gaussian, pixels.
    flux, flux_error : float
        Within three sigmas of the star, sky subtracted, the frame's units; the error is that of the sky's
        noise alone, since the gain is not known.
    sky, noise : float
        Level of the sky, and one sigma of a sky pixel.
    peak : float
        Greatest pixel of the star.
    saturated : bool
        Pixels stand at the greatest value of the frame, or of its type.
    snr : float
    """

    x: float
    y: float
    error: float
    fwhm: float
    fwhm_error: float
    flux: float
    flux_error: float
    sky: float
    noise: float
    peak: float
    saturated: bool
    snr: float


def pick(image: NDArray[np.float32], x: float, y: float, full_scale: float = math.inf) -> Picked:
    """Locate the star near a place.

    Parameters
    ----------
    image : array, (height, width)
    x, y : float
        Where to look, pixels; the star is at most `REACH` / 2 away.
    full_scale : float
        Greatest value that the recording can have.

    Raises
    ------
    DataError
        There is no star, or it is cut off by the edge.
    """
    row, column = _brightest(image, x, y)
    box, top, left = _box(image, row, column)
    sky, noise = _sky(box)
    sigma = _width(box - sky, row - top, column - left, noise)[0]
    found = windowed_centroids(box[None], [[column - left]], [[row - top]], sigma, [[sky]], noise**2)
    at_x, at_y, error = (float(part[0, 0]) for part in (found.x, found.y, found.error))
    if not math.isfinite(at_x + at_y):
        raise DataError(f"no star near {x:.1f}, {y:.1f}: its light has no centre; choose another place")
    sigma, sigma_error = _width(box - sky, at_y, at_x, noise)
    rows, columns = np.indices(box.shape)
    inside = np.hypot(rows - at_y, columns - at_x) <= max(APERTURE_SIGMA * sigma, 1.0)
    flux = float((box[inside] - sky).sum())
    count = int(inside.sum())
    flux_error = noise * math.sqrt(count * (1.0 + count / (box.size - (2 * (REACH - RIM) + 1) ** 2)))
    snr = flux / flux_error if flux_error > 0 else math.inf
    if snr < LEAST_SNR:
        raise DataError(
            f"no star near {x:.1f}, {y:.1f}: the light there is {snr:.1f} sigma; choose another place"
        )
    peak = float(box[inside].max())
    return Picked(
        left + at_x, top + at_y, error, FWHM * sigma, FWHM * sigma_error, flux, flux_error, sky, noise, peak,
        _is_flat(box[inside], peak, full_scale), snr,
    )  # fmt: skip


def _brightest(image: NDArray[np.float32], x: float, y: float) -> tuple[int, int]:
    """The pixel around which most light is, near a place: means of three by three, not single hot pixels."""
    height, width = image.shape
    reach = REACH // 2
    top, left = max(1, round(y) - reach), max(1, round(x) - reach)
    bottom, right = min(height - 1, round(y) + reach + 1), min(width - 1, round(x) + reach + 1)
    if top >= bottom or left >= right:
        raise DataError(f"{x:.1f}, {y:.1f}: is not on the frame of {width} x {height} pixels")
    total = np.zeros((bottom - top, right - left))
    for down in (-1, 0, 1):
        for along in (-1, 0, 1):
            total += image[top + down : bottom + down, left + along : right + along]
    if not np.isfinite(total).any():
        raise DataError(f"no light near {x:.1f}, {y:.1f}: the pixels are no numbers there")
    row, column = np.unravel_index(np.nanargmax(total), total.shape)
    return top + int(row), left + int(column)


def _box(image: NDArray[np.float32], row: int, column: int) -> tuple[Floats, int, int]:
    """Pixels around a place, and the place of the first of them."""
    top, left = row - REACH, column - REACH
    if top < 0 or left < 0 or row + REACH >= image.shape[0] or column + REACH >= image.shape[1]:
        raise DataError(
            f"the star at {column}, {row} is within {REACH} pixels of the edge; choose one further inside"
        )
    box = image[top : row + REACH + 1, left : column + REACH + 1].astype(np.float64)
    return np.where(np.isfinite(box), box, np.nanmedian(box)), top, left


def _sky(box: Floats) -> tuple[float, float]:
    """Level and noise of the outermost pixels: median, and the clipped deviation."""
    rim = np.ones(box.shape, bool)
    rim[RIM:-RIM, RIM:-RIM] = False
    noise = clipped_sigma(box[rim])
    return float(np.median(box[rim])), noise if noise > 0 else float(np.std(box[rim]))


def _width(light: Floats, row: float, column: float, noise: float) -> tuple[float, float]:
    """Width of the Gaussian that is nearest to the light about a place, and its one-sigma error.

    Least squares over widths, with height and level free; the error by the change of the squares.
    """
    rows, columns = np.indices(light.shape)
    square: Floats = np.asarray((rows - row) ** 2 + (columns - column) ** 2, np.float64)
    left = np.array([_left(light, square, sigma) for sigma in SIGMAS.tolist()])
    best = int(np.clip(np.argmin(left), 1, SIGMAS.size - 2))
    at, near = np.log(SIGMAS[best - 1 : best + 2]), left[best - 1 : best + 2]
    step = at[1] - at[0]
    curve = (near[0] - 2 * near[1] + near[2]) / step**2
    if not curve > 0:
        return float(SIGMAS[best]), math.nan
    shift = float(np.clip(-(near[2] - near[0]) / (2 * step) / curve, -step, step))
    sigma = float(math.exp(at[1] + shift))
    return sigma, sigma * math.sqrt(2.0 * noise**2 / curve)


def _left(light: Floats, square: Floats, sigma: float) -> float:
    """Squares that are left by a Gaussian of a width and a level."""
    model = np.exp(-0.5 * square / sigma**2)
    model = model - model.mean()
    data = light - light.mean()
    height = max(0.0, float((model * data).sum() / (model * model).sum()))
    return float(((data - height * model) ** 2).sum())


def _is_flat(star: Floats, peak: float, full_scale: float) -> bool:
    """Whether pixels of a star stand at the recording's end, or several at one greatest value."""
    return peak >= full_scale or int((star == peak).sum()) >= 4


@dataclass(frozen=True, slots=True)
class FrameSeeing:
    """Seeing of a frame: width of its stars, and how many there are."""

    frame: int
    fwhm: float
    stars: int


def best_seeing(
    read: Callable[[int], NDArray[np.float32]], frames: Sequence[int]
) -> tuple[FrameSeeing | None, tuple[FrameSeeing, ...]]:
    """The frame with the narrowest stars of some, and all of them.

    A frame with less than two thirds of the usual number of stars (cloud, blank, field not yet there) is
    none. None where no frame has stars.
    """
    found: list[FrameSeeing] = []
    for frame in frames:
        stars = find_stars(read(frame), DETECTION_SNR, MOST_STARS)
        good = int((~stars.saturated).sum())
        if good and math.isfinite(stars.sigma) and stars.sigma > 0:
            found.append(FrameSeeing(frame, FWHM * stars.sigma, good))
    if not found:
        return None, ()
    usual = float(np.median([each.stars for each in found]))
    full = [each for each in found if 3 * each.stars >= 2 * usual]
    return min(full, key=lambda each: (each.fwhm, each.frame)), tuple(found)
