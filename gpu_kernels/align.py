"""Where a frame lies against the reference: coarse cross-correlation, star fits, robust transform.

Plain cross-correlation, not phase correlation: on star fields, phase normalisation blows up the
noise of empty frequencies. Coarse on binned frames (a fixed FFT batch of one, so that results do
not depend on how frames are grouped), then refined on fits of the guide stars.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gpu_kernels._numba import tracking as _numba

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class StarFits:
    """Fits of stars on one frame; arrays ``(n,)``. `status` 0 is a good fit (`SEEN`)."""

    x: Floats
    y: Floats
    flux: Floats
    error: Floats  # one-sigma position error per axis, pixels
    snr: Floats
    status: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Transform:
    """x = c u - s v + tx, y = s u + c v + ty: reference (u, v) to frame (x, y), pixels."""

    c: float
    s: float
    tx: float
    ty: float

    def apply(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Frame positions of reference positions."""
        return self.c * u - self.s * v + self.tx, self.s * u + self.c * v + self.ty

    def invert(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Reference positions of frame positions."""
        dx, dy = x - self.tx, y - self.ty
        return self.c * dx + self.s * dy, -self.s * dx + self.c * dy

    def after(self, first: "Transform") -> "Transform":
        """The transform that applies `first`, then this one."""
        return Transform(
            self.c * first.c - self.s * first.s,
            self.s * first.c + self.c * first.s,
            self.c * first.tx - self.s * first.ty + self.tx,
            self.s * first.tx + self.c * first.ty + self.ty,
        )

    @property
    def rotation_deg(self) -> float:
        """Rotation, degrees, positive from x to y."""
        return float(np.degrees(np.arctan2(self.s, self.c)))


IDENTITY = Transform(1.0, 0.0, 0.0, 0.0)


def binning_for(height: int, width: int) -> int:
    """Binning that brings a frame to about 160 x 120 for the coarse correlation."""
    return max(1, min(16, round(max(height / 120, width / 160))))


def bin_sum(frame: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """Sum boxes of `factor` x `factor` pixels.

    Parameters
    ----------
    frame : array, (height, width)
    factor : int

    Returns
    -------
    array, (height // factor, width // factor), float32
    """
    out = np.empty((frame.shape[0] // factor, frame.shape[1] // factor), np.float32)
    if frame.dtype.kind == "u" and frame.dtype.itemsize <= 2:
        _numba.bin_sum_int(frame, factor, out, np.empty(frame.shape[1], np.uint32))
    else:
        _numba.bin_sum(frame, factor, out, np.empty(frame.shape[1], np.float32))
    return out


def template_spectrum(template: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Conjugate spectrum of a star template with the lowest frequencies taken out.

    Sky, vignetting and amplifier glow live below three cycles a frame; stars do not.

    Parameters
    ----------
    template : array, (height, width), float32
        Binned picture of the stars on a zero sky.
    """
    height, width = (fft.next_fast_len(n, real=True) for n in template.shape)
    spectrum = fft.rfft2(template, s=(height, width))
    ky = np.abs(fft.fftfreq(height, 1 / height))[:, None]
    kx = fft.rfftfreq(width, 1 / width)[None, :]
    k2 = (ky**2 + kx**2) / 3.0**2
    taper = k2**2 / (1.0 + k2**2)
    return np.ascontiguousarray((np.conj(spectrum) * taper).astype(np.complex64))


def correlate(
    binned: NDArray[np.float32], spectrum: NDArray[np.complex64], shape: tuple[int, int], cap: float
) -> tuple[float, float]:
    """Shift (dx, dy), binned pixels, that brings the template onto the frame.

    Parameters
    ----------
    binned : array, (height, width), float32
    spectrum : array
        `template_spectrum` of the reference stars.
    shape : tuple of int
        Shape of the (padded) transform.
    cap : float
        Largest excess over the frame's mean that counts, so that no single bright source, hot
        pixel or burnt-in digit rules the correlation.
    """
    flat = binned - binned.mean(dtype=np.float64).astype(np.float32)
    np.minimum(flat, np.float32(cap), out=flat)
    product = fft.rfft2(flat, s=shape)
    product *= spectrum
    surface = fft.irfft2(product, s=shape)
    height, width = shape
    iy, ix = divmod(int(np.argmax(surface)), width)
    dx = ix + _vertex(surface[iy, ix - 1], surface[iy, ix], surface[iy, (ix + 1) % width])
    dy = iy + _vertex(surface[iy - 1, ix], surface[iy, ix], surface[(iy + 1) % height, ix])
    return (dx - width if dx > width / 2 else dx), (dy - height if dy > height / 2 else dy)


def _vertex(before: float, here: float, after: float) -> float:
    """Vertex of the parabola through three points one apart, against the middle one."""
    bend = float(before) - 2.0 * float(here) + float(after)
    return 0.0 if bend >= 0.0 else 0.5 * (float(before) - float(after)) / bend


def fit_stars(
    frame: NDArray[Any],
    x: Floats,
    y: Floats,
    search: int,
    sigma: float,
    variance: float,
    inv_gain: float,
    saturation: float,
) -> StarFits:
    """Fit pixel-integrated Gaussians of fixed width to stars on one frame.

    Maximum-likelihood weights (sky variance plus photon noise of the model), so that position
    errors reach the Cramer-Rao bound when the width is right (Winick 1986, JOSA A 3, 1809).

    Parameters
    ----------
    frame : array, (height, width)
    x, y : array, (n,)
        Expected places, pixels.
    search : int
        Radius within which the brightest smoothed place is taken as start; 0: start as given.
    sigma : float
        Gaussian width, pixels.
    variance : float
        Variance of a sky pixel, ADU^2.
    inv_gain : float
        1 / gain, ADU per electron.
    saturation : float
        Level, ADU, at which a pixel is saturated (inf: none).
    """
    n = x.shape[0]
    half = max(2, int(np.ceil(2.5 * sigma)))
    reach = search + half + _numba.LARGEST_MOVE
    known = np.isfinite(x) & np.isfinite(y)
    left = np.floor(np.where(known, x, 0.0) + 0.5).astype(np.int64) - reach
    top = np.floor(np.where(known, y, 0.0) + 0.5).astype(np.int64) - reach
    boxes = np.empty((n, 2 * reach + 1, 2 * reach + 1))
    _numba.cut_boxes(frame, left, top, boxes)
    out, status = np.empty((n, 7)), np.empty(n, np.int64)
    _numba.fit_boxes(
        boxes, x - left, y - top, search, sigma, half, variance, inv_gain, saturation, out, status
    )
    out[:, 0] += left
    out[:, 1] += top
    error = np.sqrt(0.5 * (out[:, 4] ** 2 + out[:, 5] ** 2))
    return StarFits(out[:, 0], out[:, 1], out[:, 2], error, out[:, 6], status)


def agree(
    u: Floats,
    v: Floats,
    fits: StarFits,
    good: NDArray[np.bool_],
    rotate: bool,
    loose_px: float = 1.0,
    max_rotation_deg: float = 8.0,
    floor_px: float = 0.02,
) -> tuple[Transform, NDArray[np.bool_]]:
    """Transform that most stars agree on, by weighted least squares on the agreeing ones.

    Parameters
    ----------
    u, v : array, (n,)
        Reference positions, pixels.
    fits : StarFits
        Positions found on the frame.
    good : array, (n,), bool
        Fits to be considered.
    rotate : bool
        Whether to solve for rotation besides shift.
    loose_px : float
        Disagreement that is tolerated beyond four sigma, pixels.
    max_rotation_deg : float
        Largest rotation considered.
    floor_px : float
        Error below which more light makes a star's position no surer.

    Returns
    -------
    transform : Transform
    used : array, (n,), bool
        Stars that agree (none: no transform was found, `transform` is meaningless).
    """
    p, keep = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(u.shape[0], np.bool_)
    max_sin = float(np.sin(np.radians(max_rotation_deg)))
    _numba.consensus(u, v, fits.x, fits.y, fits.error, good, rotate, floor_px, loose_px, max_sin, p, keep)
    return Transform(float(p[0]), float(p[1]), float(p[2]), float(p[3])), keep


def add_registered(frame: NDArray[Any], transform: Transform, total: Floats, count: Floats) -> None:
    """Add one frame, brought onto the reference grid by bilinear sampling, to a running sum.

    Parameters
    ----------
    frame : array, (height, width)
    transform : Transform
        Reference to frame.
    total, count : array, (height, width), float64
        Running sum and number of frames that cover each pixel.
    """
    _numba.add_shifted(frame, transform.tx, transform.ty, transform.c, transform.s, total, count)
