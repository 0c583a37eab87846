"""Stars on one image: background, noise, local maxima of the smoothed image, width."""

import warnings
from dataclasses import dataclass
from math import erf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gpu_kernels._agnostic import detection as _elsewhere
from gpu_kernels._numba import widths as _widths
from gpu_kernels._numba.stars import SATURATED, SEEN
from gpu_kernels.align import StarFits, fit_stars
from gpu_kernels.device import namespace, on_host, to_host, type_name
from gpu_kernels.masks import blanked

Floats = NDArray[np.float64]

ROUNDING = 12.0**-0.5
"""Standard deviation of rounding to whole numbers."""

NOISE_PIXELS = 20_000
"""Pixels from which an image's noise is taken, evenly spread."""

WIDTH_STARS, WIDTH_BOX = 15, 12
"""Stars from which a width is taken, and the half width of the boxes around them, pixels."""

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Stars, brightest first; arrays ``(n,)``, pixels and the image's units."""

    x: Floats
    y: Floats
    flux: Floats
    snr: Floats
    saturated: NDArray[np.bool_]
    noise: float  # of a sky pixel
    sigma: float  # Gaussian width of the stars

    def __len__(self) -> int:
        return int(self.x.shape[0])


def background(image: NDArray[Any], box: int = 32) -> tuple[NDArray[np.float32], float]:
    """Smooth background and the noise of a sky pixel.

    Parameters
    ----------
    image : array, (height, width)
    box : int
        Mesh size, pixels; a mesh's value is the mean within three sigma of its median.

    Returns
    -------
    background : array, (height, width), float32
    noise : float
        Robust standard deviation about the background.
    """
    height, width = image.shape
    by, bx = min(box, height), min(box, width)
    ny, nx = height // by, width // bx
    mesh = _mesh(image, by, bx) if on_host(image) else _elsewhere.mesh_of(image, by, bx)
    if not np.isfinite(mesh).any():
        empty: NDArray[np.float32] = namespace(image).zeros_like(image, dtype=namespace(image).float32)
        return empty, float("nan")
    mesh = np.where(np.isfinite(mesh), mesh, np.nanmedian(mesh))
    if min(ny, nx) >= 3:
        beyond = np.pad(mesh, 1, mode="reflect", reflect_type="odd")  # a slope goes on past the edge
        mesh = ndimage.median_filter(beyond, 3)[1:-1, 1:-1]
    step = max(1, int(np.sqrt(height * width / NOISE_PIXELS)))
    down_y, over_x = _between(height, by, ny), _between(width, bx, nx)
    if not on_host(image):
        spread = _elsewhere.bilinear_mesh(mesh, down_y, over_x, image)
        return spread, clipped_sigma(_elsewhere.less(image, spread)[::step, ::step])
    (rows, down), (columns, across) = down_y, over_x
    along_x = (1.0 - across) * mesh[:, columns] + across * mesh[:, np.minimum(columns + 1, nx - 1)]
    along_x, part = along_x.astype(np.float32), down.astype(np.float32)[:, None]
    low = along_x[rows]
    smooth = low + part * (along_x[np.minimum(rows + 1, ny - 1)] - low)
    return smooth, clipped_sigma(image[::step, ::step] - smooth[::step, ::step])


def _mesh(image: NDArray[Any], by: int, bx: int) -> Floats:
    """Clipped mean of each mesh of by x bx pixels."""
    ny, nx = image.shape[0] // by, image.shape[1] // bx
    cells = image[: ny * by, : nx * bx].astype(np.float32).reshape(ny, by, nx, bx)
    return _clipped_means(cells.transpose(0, 2, 1, 3).reshape(ny, nx, by * bx))


def _between(pixels: int, box: int, meshes: int) -> tuple[NDArray[np.intp], Floats]:
    """Mesh before each pixel, and the way from its middle to the next; half a mesh beyond the outermost."""
    at = np.clip((np.arange(pixels) + 0.5) / box - 0.5, -0.5, meshes - 0.5)
    low = np.clip(np.floor(at), 0, max(meshes - 2, 0)).astype(np.intp)
    return low, at - low


def _clipped_means(cells: NDArray[np.float32]) -> Floats:
    """Mean within three robust sigma of the median, of finite values along the last axis.

    Median and deviation are those of every third value: the mean is of all, and hardly feels them.
    """
    every = cells[:, :, ::3] if cells.shape[2] >= 300 else cells
    whole = bool(np.isfinite(cells.sum(dtype=np.float64)))
    if not whole:
        cells = np.where(np.isfinite(cells), cells, np.float32(np.nan))
        every = cells[:, :, ::3] if cells.shape[2] >= 300 else cells
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cells without any finite value give NaN
        median, std = (np.median, np.std) if whole else (np.nanmedian, np.nanstd)
        middle = median(every, axis=-1, keepdims=True)
        spread = 1.4826 * median(np.abs(every - middle), axis=-1, keepdims=True)
        spread = np.maximum(spread, 0.05 * std(every, axis=-1, keepdims=True))
        kept = np.abs(cells - middle) <= 3.0 * spread + 1e-12  # not so for NaN
        mean = np.where(kept, cells, np.float32(0.0)).sum(axis=-1, dtype=np.float64) / kept.sum(axis=-1)
    return np.asarray(mean, np.float64)


def clipped_sigma(values: NDArray[Any], clip: float = 3.0) -> float:
    """Standard deviation of a Gaussian core, clipped at `clip` sigma and corrected for the clipping.

    Parameters
    ----------
    values : array
        Any shape; values that are not finite are left out.
    clip : float
        Clipping limit in standard deviations.

    Returns
    -------
    float
        NaN without finite values. The correction is the variance of a normal distribution cut
        at +-clip (Johnson, Kotz & Balakrishnan 1994, eq. 13.134).
    """
    density = np.exp(-0.5 * clip**2) / np.sqrt(2.0 * np.pi)
    inside = erf(clip / np.sqrt(2.0))
    factor = float(np.sqrt(1.0 - 2.0 * clip * density / inside))
    if not on_host(values):
        return _elsewhere.clipped_sigma(values, clip, factor)
    flat = values[np.isfinite(values)].astype(np.float64).ravel()
    if flat.size == 0:
        return float("nan")
    middle = float(np.median(flat))
    sigma = 1.4826 * float(np.median(np.abs(flat - middle)))
    if sigma == 0.0:
        sigma = float(flat.std())
    for _ in range(6):
        kept = flat[np.abs(flat - middle) <= clip * sigma]
        if kept.size < 2:
            break
        middle = float(kept.mean())
        new = float(kept.std()) / factor
        if abs(new - sigma) <= 1e-4 * sigma:
            sigma = new
            break
        sigma = new
    return sigma


def find_stars(
    image: NDArray[Any],
    threshold: float,
    limit: int,
    sigma: float | None = None,
    saturation: float = np.inf,
    margin: int = 3,
    least_noise: float = 0.0,
    mask: NDArray[np.bool_] | None = None,
) -> Detections:
    """Find stars on one image.

    Parameters
    ----------
    image : array, (height, width)
    threshold : float
        Least signal-to-noise ratio of a star's fitted flux.
    limit : int
        Largest number of stars returned.
    sigma : float, optional
        Gaussian width, pixels; measured on the brightest stars when not given.
    saturation : float
        Level at which a pixel is saturated.
    margin : int
        Border in which no star is taken, pixels.
    least_noise : float
        Noise of a sky pixel where less is seen (a sky clipped to one value); of integers, that of rounding.
    mask : array, (height, width), bool, optional
        Pixels that are left out.

    Returns
    -------
    Detections
        Brightest first; lone hot pixels are not stars.
    """
    rounded = type_name(image).startswith(("int", "uint"))
    if mask is not None and not on_host(image):
        image = blanked(image, mask)
    elif mask is not None and mask.any():
        image = np.where(mask, np.float32(np.nan), image.astype(np.float32))
    smooth, noise = background(image)
    noise = max(noise, least_noise, ROUNDING if rounded else 0.0)
    empty = np.empty(0)
    if not (np.isfinite(noise) and noise > 0):
        return Detections(empty, empty, empty, empty, np.empty(0, bool), 0.0, sigma or 1.3)
    host = on_host(image)
    flat = (image - smooth).astype(np.float32, copy=False) if host else _elsewhere.less(image, smooth)
    if not host:
        flat = _elsewhere.finite(flat)
    elif not rounded or mask is not None:
        flat = np.nan_to_num(flat, nan=0.0, posinf=0.0, neginf=0.0, copy=False)
    first = sigma or 1.3
    x, y, excess = _maxima(flat, first, threshold, 8 * limit, margin, noise)
    if sigma is None:
        sigma = _width(flat, x, y, noise, saturation)
        if abs(sigma - first) > 0.3:
            x, y, excess = _maxima(flat, sigma, threshold, 8 * limit, margin, noise)
    fits = _on_host(fit_stars(image, x, y, 0, sigma, (excess * noise) ** 2, 0.0, saturation))
    good = ((fits.status == SEEN) | (fits.status == SATURATED)) & (fits.snr >= threshold)
    order = np.argsort(-np.where(good, fits.flux, -np.inf), kind="stable")[: int(good.sum())]
    order = _separate(fits.x, fits.y, order, max(2.0, 1.5 * sigma))[:limit]
    return Detections(
        fits.x[order],
        fits.y[order],
        fits.flux[order],
        fits.snr[order],
        fits.status[order] == SATURATED,
        noise,
        sigma,
    )


def _on_host(fits: StarFits) -> StarFits:
    found = (fits.x, fits.y, fits.flux, fits.error, fits.snr, fits.status)
    return StarFits(*(to_host(column) for column in found))


def _at(image: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
    """Values of some pixels, on the host."""
    return image[rows, columns] if on_host(image) else _elsewhere.values_at(image, rows, columns)


def _maxima(
    flat: NDArray[np.float32], sigma: float, threshold: float, limit: int, margin: int, noise: float
) -> tuple[Floats, Floats, float]:
    """Local maxima of the smoothed image above the threshold, brightest first.

    Third comes how much noisier the smoothed image is than white noise would make it (at least 1):
    neighbouring pixels of a resampled or patterned image are not independent.
    """
    host = on_host(flat)
    if host:
        score = ndimage.gaussian_filter(flat, sigma, mode="nearest", truncate=3.0)
    else:
        score = _elsewhere.smoothed(flat, sigma)
    white = noise / (2.0 * np.sqrt(np.pi) * sigma)  # noise of a smoothed white field
    step = max(3, int(np.sqrt(flat.shape[0] * flat.shape[1] / NOISE_PIXELS)))
    excess = max(1.0, clipped_sigma(score[::step, ::step]) / white)
    level = 0.8 * threshold * excess * white
    edge = max(margin, 1)
    half = max(1, round(sigma))
    if host:
        ys, xs = np.nonzero(score[edge:-edge, edge:-edge] > level)
        ys, xs = _highest(score, ys + edge, xs + edge, half)
    else:
        ys, xs = np.nonzero(_elsewhere.highest(score, float(level), half, edge))
    order = np.argsort(-_at(score, ys, xs), kind="stable")[:limit]
    ys, xs = ys[order], xs[order]
    # a lone hot pixel has no neighbours
    sides = ((ys - 1, xs), (ys + 1, xs), (ys, xs - 1), (ys, xs + 1))
    first, second, third, fourth = (_at(flat, *side) for side in sides)
    around, middle = 0.25 * (first + second + third + fourth), _at(flat, ys, xs)
    star = (around > 0.15 * middle) | (middle < 8.0 * noise)
    return xs[star].astype(np.float64), ys[star].astype(np.float64), excess


def _highest(
    score: NDArray[np.float32], ys: NDArray[np.intp], xs: NDArray[np.intp], half: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of (ys, xs) above which nothing stands within `half` pixels, along either axis and across."""
    steps = sorted(range(-half, half + 1), key=abs)
    for dy in steps:
        for dx in steps:
            y = np.clip(ys + dy, 0, score.shape[0] - 1)
            x = np.clip(xs + dx, 0, score.shape[1] - 1)
            top = score[ys, xs] >= score[y, x]
            ys, xs = ys[top], xs[top]
    return ys, xs


def _separate(x: Floats, y: Floats, order: NDArray[np.intp], apart: float) -> NDArray[np.intp]:
    """Drop those of `order` that lie within `apart` of one before them."""
    kept: list[int] = []
    for i in order:
        if ((x[kept] - x[i]) ** 2 + (y[kept] - y[i]) ** 2 >= apart**2).all():
            kept.append(int(i))
    return np.array(kept, np.intp)


def _width(flat: NDArray[np.float32], x: Floats, y: Floats, noise: float, saturation: float) -> float:
    """Gaussian width of the stars: median of the brightest."""
    chosen: list[tuple[int, int]] = []
    height, width = flat.shape
    peaks = _at(flat, y.astype(np.intp), x.astype(np.intp)).tolist()
    for px, py, peak in zip(x.astype(int).tolist(), y.astype(int).tolist(), peaks, strict=True):
        if len(chosen) >= WIDTH_STARS:
            break
        inside = WIDTH_BOX <= px < width - WIDTH_BOX and WIDTH_BOX <= py < height - WIDTH_BOX
        if inside and 10.0 * noise <= peak < 0.9 * saturation:
            chosen.append((px, py))
    if not chosen:
        return 1.3
    span = np.arange(-WIDTH_BOX, WIDTH_BOX + 1)
    at = np.array(chosen)
    boxes = _at(flat, at[:, 1, None, None] + span[None, :, None], at[:, 0, None, None] + span[None, None, :])
    found = star_widths(boxes.astype(np.float64), np.zeros(len(chosen)))
    return float(np.nanmedian(found)) if np.isfinite(found).any() else 1.3


def star_widths(boxes: Floats, sky: Floats) -> Floats:
    """Gaussian widths of stars by adaptive moments (Bernstein & Jarvis 2002, AJ 123, 583).

    Parameters
    ----------
    boxes : array, (n, m, m)
        A star within three pixels of the middle of each; m is odd.
    sky : array, (n,)
        Level under each.

    Returns
    -------
    array, (n,)
        Pixels; the box of a pixel is taken out, as the model of `fit_stars` integrates over it. NaN
        where there is no star.
    """
    if not on_host(boxes):
        widths: Floats = _elsewhere.star_widths(boxes, sky)
        return widths
    out = np.empty(boxes.shape[0])
    _widths.moment_widths(boxes, sky, out)
    return out
