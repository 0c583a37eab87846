"""Variance of pixels of a developed image (photons, read noise, rounding, masters) and of aperture sums."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu_kernels._agnostic.gather import shifted
from gpu_kernels._agnostic.photometry import aperture_squares, ring_squares
from gpu_kernels.calibrate import Development
from gpu_kernels.device import Array, namespace, on_host, to_device, to_host, type_name

NONE = np.empty((0, 0), np.float32)


def developed_variance(
    frames: Array,
    development: Development,
    gain_e_per_adu: float,
    read_noise_e: float,
    offset_variance: NDArray[np.float32] = NONE,
    flat_variance: NDArray[np.float32] = NONE,
) -> Array:
    """Variance of `develop(frames, development)`, pixel by pixel.

    With ``light = response[sample] - offset`` and ``value = light * scale`` it is::

        (max(light, 0) / gain + (read_noise / gain)^2 + step^2 / 12 + offset_variance) scale^2
        + value^2 flat_variance

    (Merline & Howell 1995, Exp. Astron. 6, 163, with the terms of the masters; `step` is the linear width of
    one recorded level, 1 without a response, 0 for floats). A repaired pixel has the variance of the mean of
    its good neighbours. Photons of the dark current are no light here: `read_noise_e` must hold their noise.

    The terms of the masters are errors that a pixel has on every frame alike: on a star that stands still
    they shift its flux, on one that drifts by more than an aperture they scatter it.

    Parameters
    ----------
    frames : array, (n, height, width) or (n, c, height, width), ADU
        As recorded.
    development : Development
    gain_e_per_adu, read_noise_e : float
        Electrons per linear ADU; electrons.
    offset_variance : array, (height, width) or (c, height, width), float32
        Of the offset, linear ADU^2; size 0 where it is without noise.
    flat_variance : array, same shape, float32
        Of the flat, relative to its square; size 0 where it is without noise.

    Returns
    -------
    array, shape of `frames`, float32
        ADU^2; NaN where the developed value is.
    """
    xp = namespace(frames)
    linear, step = _linear(frames, development, xp)
    light = linear
    if development.offset.size:
        light = light - to_device(development.offset, frames)
    variance = xp.maximum(light, xp.zeros_like(light)) / gain_e_per_adu + (read_noise_e / gain_e_per_adu) ** 2
    variance = variance + step * step / 12.0
    if offset_variance.size:
        variance = variance + to_device(offset_variance, frames)
    if development.scale.size:
        scale = to_device(development.scale, frames)
        variance, light = variance * scale * scale, light * scale
    if flat_variance.size:
        variance = variance + light * light * to_device(flat_variance, frames)
    variance = xp.astype(variance, xp.float32)
    if development.places.size:
        variance = _repaired(variance, to_device(development.defect, frames), development.step, xp)
    return variance


def _linear(frames: Array, development: Development, xp: Any) -> tuple[Array, Any]:
    """Linear values, and the linear width of each sample's level."""
    if not development.response.size:
        return xp.astype(frames, xp.float32), 0.0 if type_name(frames).startswith("float") else 1.0
    level = xp.reshape(xp.astype(frames, xp.int64), (-1,))
    tables = (development.response, np.gradient(development.response).astype(np.float32))
    linear, step = (
        xp.reshape(xp.take(to_device(table, frames), level, axis=0), frames.shape) for table in tables
    )
    return linear, step


def _repaired(variance: Array, defect: Array, step: int, xp: Any) -> Array:
    """Defective pixels with the variance of a mean over their good neighbours."""
    good = xp.isfinite(variance) & ~defect
    values = xp.where(good, variance, xp.zeros_like(variance))
    total, count = xp.zeros_like(variance), xp.zeros_like(variance)
    for dy in (-step, 0, step):
        for dx in (-step, 0, step):
            if dy or dx:
                total = total + shifted(values, dy, dx, 0.0, xp)
                count = count + xp.astype(shifted(good, dy, dx, False, xp), xp.float32)
    several = xp.maximum(count, xp.ones_like(count))
    mean = xp.where(count > 0, total / (several * several), xp.nan)
    return xp.where(defect, mean, variance)


def aperture_variance(variance: Array, x: ArrayLike, y: ArrayLike, radii: ArrayLike) -> Array:
    """Variance of `gpu_kernels.photometry.aperture_sums`: pixels weighted by the squared area covered.

    Pixels are taken as independent. The plain aperture sum of `variance`, which other packages give as the
    square of the error, is larger: by 1 / (pi r) about, for radius r.

    Parameters
    ----------
    variance : array, (n, height, width)
    x, y : array, (n, s), pixels
        NaN gives NaN.
    radii : array, (r,), pixels
        Ascending.

    Returns
    -------
    array, (n, s, r), float64
        Of the part of the circle that is on the frame.
    """
    xp = namespace(variance)
    columns, rows = (xp.astype(to_device(at, variance) if on_host(at) else at, xp.float64) for at in (x, y))
    sums: Any = aperture_squares(variance, columns, rows, tuple(float(radius) for radius in to_host(radii)))
    return sums


def ring_variance(variance: Array, x: ArrayLike, y: ArrayLike, radii: ArrayLike) -> Array:
    """Variance of the sum within each ring between neighbouring circles.

    Pixels are taken as independent, and weighted by the squared area that the ring covers of them. The
    differences of `aperture_variance` are something else, since a pixel may be partly in several rings.

    Parameters
    ----------
    variance : array, (n, height, width)
    x, y : array, (n, s), pixels
        NaN gives NaN.
    radii : array, (r,), pixels
        Ascending; the first ring is the first circle.

    Returns
    -------
    array, (n, s, r), float64
        Of the part of each ring that is on the frame.
    """
    xp = namespace(variance)
    columns, rows = (xp.astype(to_device(at, variance) if on_host(at) else at, xp.float64) for at in (x, y))
    sums: Any = ring_squares(variance, columns, rows, tuple(float(radius) for radius in to_host(radii)))
    return sums
