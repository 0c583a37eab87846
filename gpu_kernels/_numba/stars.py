"""Star fits on small boxes, compiled by numba."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel

SEEN, OFF, FAINT, SATURATED, SHARP, DIVERGED = 0, 1, 2, 3, 4, 5
"""Outcome of one star fit."""

LARGEST_MOVE = 3
"""Pixels a fit may wander from its start."""

_SQRT2 = math.sqrt(2.0)
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


@kernel
def cut_boxes(
    frame: NDArray[Any], left: NDArray[np.int64], top: NDArray[np.int64], out: NDArray[np.float64]
) -> None:
    """Copy square boxes of a frame to float64; `out` (n, m, m) is NaN beyond the frame's edge."""
    height, width = frame.shape
    size = out.shape[1]
    for s in range(out.shape[0]):
        for i in range(size):
            y = top[s] + i
            for k in range(size):
                x = left[s] + k
                inside = 0 <= y < height and 0 <= x < width
                out[s, i, k] = float(frame[y, x]) if inside else math.nan


@inner
def _find_peak(
    box: NDArray[np.float64],
    x: float,
    y: float,
    search: int,
    half: int,
    kernel: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> tuple[int, int]:
    """Place (column, row) of the largest smoothed value within `search` of (x, y), or (-1, -1).

    Pixels that are not numbers count as 0 among values taken against the box's mean.
    """
    size = box.shape[0]
    left = min(max(int(math.floor(x + 0.5)) - search, half), size - 2 * search - half - 1)
    top = min(max(int(math.floor(y + 0.5)) - search, half), size - 2 * search - half - 1)
    total, count = 0.0, 0
    for i in range(size):
        for k in range(size):
            if math.isfinite(box[i, k]):
                total += box[i, k]
                count += 1
    if count == 0:
        return -1, -1
    mean = total / count
    span = 2 * search + 1
    for i in range(span + 2 * half):
        for k in range(span):
            value = 0.0
            for j in range(2 * half + 1):
                pixel = box[top - half + i, left - half + k + j] - mean
                if math.isfinite(pixel):
                    value += kernel[j] * pixel
            rows[i, k] = value
    best = -math.inf
    bx, by = -1, -1
    for i in range(span):
        for k in range(span):
            if (i - search) ** 2 + (k - search) ** 2 > search * search:
                continue
            if not math.isfinite(box[top + i, left + k]):
                continue
            value = 0.0
            for j in range(2 * half + 1):
                value += kernel[j] * rows[i + j, k]
            if value > best:
                best, bx, by = value, left + k, top + i
    return bx, by


@inner
def _profile(
    centre: float, first: int, n: int, sigma: float, p: NDArray[np.float64], d: NDArray[np.float64]
) -> None:
    """Pixel-integrated Gaussian `p` and its derivative by the centre `d`, pixels first..first+n-1."""
    edge = first - 0.5 - centre
    cdf = 0.5 * (1.0 + math.erf(edge / (sigma * _SQRT2)))
    pdf = _INV_SQRT_2PI / sigma * math.exp(-0.5 * (edge / sigma) ** 2)
    for i in range(n):
        edge = first + i + 0.5 - centre
        cdf2 = 0.5 * (1.0 + math.erf(edge / (sigma * _SQRT2)))
        pdf2 = _INV_SQRT_2PI / sigma * math.exp(-0.5 * (edge / sigma) ** 2)
        p[i] = cdf2 - cdf
        d[i] = pdf - pdf2
        cdf, pdf = cdf2, pdf2


@inner
def _solve4(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Solve the 4x4 symmetric system in place (Gauss-Jordan, diagonal pivots); `a` becomes its inverse."""
    for k in range(4):
        pivot = a[k, k]
        if not pivot > 1e-300:
            return False
        inverse = 1.0 / pivot
        a[k, k] = 1.0
        for j in range(4):
            a[k, j] *= inverse
        b[k] *= inverse
        for i in range(4):
            if i != k:
                factor = a[i, k]
                a[i, k] = 0.0
                for j in range(4):
                    a[i, j] -= factor * a[k, j]
                b[i] -= factor * b[k]
    return True


@njit(inline="always", error_model="numpy")
def _fit_one(
    box: NDArray[np.float64], x: float, y: float, sigma: float, half: int, variance: float, inv_gain: float,
    out: NDArray[np.float64],
) -> int:  # fmt: skip
    """Weighted Gauss-Newton fit of flux, x, y, sky; `out` gets x, y, flux, sky, x_err, y_err, snr.

    Positions are those of the box. Light must lie on the frame (not NaN) where the star is.
    """
    height, width = box.shape
    n = 2 * half + 1
    px, dx = np.empty(n), np.empty(n)
    py, dy = np.empty(n), np.empty(n)
    a, b = np.empty((4, 4)), np.empty(4)
    flux, sky = 0.0, 0.0
    left, top = int(math.floor(x + 0.5)) - half, int(math.floor(y + 0.5)) - half
    if left < 0 or top < 0 or left + n > width or top + n > height:
        return OFF
    x_start, y_start = x, y
    moved = True
    for iteration in range(12):
        if moved:
            left, top = int(math.floor(x + 0.5)) - half, int(math.floor(y + 0.5)) - half
            if left < 0 or top < 0 or left + n > width or top + n > height:
                return OFF
            moved = False
        _profile(x, left, n, sigma, px, dx)
        _profile(y, top, n, sigma, py, dy)
        s00 = s01 = s02 = s03 = s11 = s12 = s13 = s22 = s23 = s33 = 0.0
        t0 = t1 = t2 = t3 = missing = 0.0
        signal = max(flux, 0.0) * inv_gain
        for i in range(n):
            qy, gy = py[i], flux * dy[i]
            for k in range(n):
                value = box[top + i, left + k]
                p = qy * px[k]
                if not math.isfinite(value):
                    missing += p
                    continue
                w = 1.0 / (variance + signal * p)
                jx, jy = flux * qy * dx[k], gy * px[k]
                r = w * (value - sky - flux * p)
                wp, wx, wy = w * p, w * jx, w * jy
                s00 += wp * p
                s01 += wp * jx
                s02 += wp * jy
                s03 += wp
                s11 += wx * jx
                s12 += wx * jy
                s13 += wx
                s22 += wy * jy
                s23 += wy
                s33 += w
                t0 += p * r
                t1 += jx * r
                t2 += jy * r
                t3 += r
        a[0, 0], a[0, 1], a[0, 2], a[0, 3] = s00, s01, s02, s03
        a[1, 0], a[1, 1], a[1, 2], a[1, 3] = s01, s11, s12, s13
        a[2, 0], a[2, 1], a[2, 2], a[2, 3] = s02, s12, s22, s23
        a[3, 0], a[3, 1], a[3, 2], a[3, 3] = s03, s13, s23, s33
        b[0], b[1], b[2], b[3] = t0, t1, t2, t3
        if missing > 0.02:
            return OFF
        if iteration == 0:  # flux and sky alone: linear
            det = a[0, 0] * a[3, 3] - a[0, 3] ** 2
            if not det > 0.0:
                return DIVERGED
            flux = (b[0] * a[3, 3] - b[3] * a[0, 3]) / det
            sky = (b[3] * a[0, 0] - b[0] * a[0, 3]) / det
            if not flux > 0.0:
                return FAINT
            continue
        if not _solve4(a, b):
            return DIVERGED
        flux += b[0]
        if not flux > 0.0:
            return FAINT
        step_x, step_y = min(max(b[1], -1.0), 1.0), min(max(b[2], -1.0), 1.0)
        x += step_x
        y += step_y
        sky += b[3]
        if abs(x - x_start) > LARGEST_MOVE or abs(y - y_start) > LARGEST_MOVE:
            return DIVERGED
        moved = abs(x - left - half) > 0.75 or abs(y - top - half) > 0.75
        if iteration >= 2 and abs(step_x) < 1e-4 and abs(step_y) < 1e-4:
            break
    out[0], out[1], out[2], out[3] = x, y, flux, sky
    out[4], out[5] = math.sqrt(max(a[1, 1], 0.0)), math.sqrt(max(a[2, 2], 0.0))
    out[6] = flux / math.sqrt(max(a[0, 0], 1e-300))
    return SEEN


@kernel
def fit_boxes(
    boxes: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    which: NDArray[np.bool_],
    search: int,
    sigma: float,
    half: int,
    variance: float,
    inv_gain: float,
    saturation: float,
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Fit one star in each box (n, m, m); `out` (n, 7): x, y, flux, sky, x_err, y_err, snr.

    Positions are those of the box; only stars of `which` are fitted. With `search` 0 the fit starts
    at (x, y); else at the largest smoothed value within `search` pixels of it.
    """
    kernel = np.empty(2 * half + 1)
    for j in range(2 * half + 1):
        kernel[j] = math.exp(-0.5 * ((j - half) / sigma) ** 2)
    rows = np.empty((2 * (search + half) + 1, 2 * search + 1))
    for s in range(x.shape[0]):
        if not which[s]:
            continue
        for j in range(7):
            out[s, j] = math.nan
        if not (math.isfinite(x[s]) and math.isfinite(y[s])):
            status[s] = OFF
            continue
        x0, y0 = x[s], y[s]
        if search > 0:
            bx, by = _find_peak(boxes[s], x0, y0, search, half, kernel, rows)
            if bx < 0:
                status[s] = OFF
                continue
            x0, y0 = float(bx), float(by)
        code = _fit_one(boxes[s], x0, y0, sigma, half, variance, inv_gain, out[s])
        if code == SEEN:
            code = _judge(boxes[s], out[s], variance, saturation)
        status[s] = code


@njit(inline="always", error_model="numpy")
def _judge(box: NDArray[np.float64], fit: NDArray[np.float64], variance: float, saturation: float) -> int:
    """Whether a fitted star is saturated, or a lone hot pixel."""
    px, py = int(math.floor(fit[0] + 0.5)), int(math.floor(fit[1] + 0.5))
    if px < 1 or py < 1 or px >= box.shape[1] - 1 or py >= box.shape[0] - 1:
        return OFF
    centre = box[py, px] - fit[3]
    around = 0.25 * (box[py - 1, px] + box[py + 1, px] + box[py, px - 1] + box[py, px + 1]) - fit[3]
    if box[py, px] >= saturation:
        return SATURATED
    if centre > 8.0 * math.sqrt(variance) and around < 0.15 * centre:
        return SHARP
    return SEEN
