"""Variances of pixels and of aperture sums."""

from typing import Any

from numpy.typing import ArrayLike

from gpu_kernels._agnostic.photometry import aperture_squares
from gpu_kernels.device import Array, namespace, on_host, to_device, to_host


def pixel_variance(
    images: Array, inv_gain: float, read_variance: float, step: float = 1.0, scale: Array | None = None
) -> Array:
    """Variance of each pixel: photons, read noise, rounding; photons add no variance where there are none.

    ``V = max(I, 0) scale / gain + (read_variance + step^2 / 12) scale^2`` (Howell 1989, PASP 101, 616;
    Merline & Howell 1995, Exp. Astron. 6, 163).

    Parameters
    ----------
    images : array, (..., height, width)
        Bias and dark taken off, flat divided out.
    inv_gain : float
        1 / gain, units per electron before the flat.
    read_variance : float
        Of a pixel before the flat.
    step : float
        Step of digitisation before the flat; 0 where there is none.
    scale : array, (height, width), optional
        1 / flat, where one was divided out.

    Returns
    -------
    array, shape of `images`, float64
    """
    xp = namespace(images)
    light = float(inv_gain) * xp.maximum(xp.astype(images, xp.float64), 0.0)
    constant = float(read_variance + step * step / 12.0)
    if scale is None:
        return light + constant
    factor = xp.astype(scale, xp.float64)
    return light * factor + constant * factor * factor


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
