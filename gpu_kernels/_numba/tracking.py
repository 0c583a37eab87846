"""Binning, star fits on small boxes, and the robust frame transform, compiled by numba."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

SEEN, OFF, FAINT, SATURATED, SHARP, DIVERGED = 0, 1, 2, 3, 4, 5
"""Outcome of one star fit."""

LARGEST_MOVE = 3
"""Pixels a fit may wander from its start."""

_SQRT2 = math.sqrt(2.0)
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


@njit(cache=True, nogil=True, error_model="numpy")
def add_rows(frame: NDArray[Any], factor: int, out: NDArray[Any]) -> None:
    """Sum groups of `factor` rows of `frame` into `out` (h // factor, w), exactly: wide enough integers."""
    for i in range(out.shape[0]):
        line, total = frame[i * factor], out[i]
        for k in range(total.size):
            total[k] = line[k]
        for j in range(1, factor):
            line = frame[i * factor + j]
            for k in range(total.size):
                total[k] += line[k]


@njit(cache=True, nogil=True, error_model="numpy")
def add_rows_finite(frame: NDArray[Any], factor: int, out: NDArray[np.float32]) -> None:
    """`add_rows` for floats; pixels that are not finite count as 0."""
    for i in range(out.shape[0]):
        total = out[i]
        for k in range(total.size):
            total[k] = np.float32(0.0)
        for j in range(factor):
            line = frame[i * factor + j]
            for k in range(total.size):
                if math.isfinite(line[k]):
                    total[k] += np.float32(line[k])


@njit(cache=True, nogil=True, error_model="numpy")
def add_columns(rows: NDArray[Any], factor: int, out: NDArray[np.float32]) -> None:
    """Sum groups of `factor` columns of `rows` into `out` (h, w // factor)."""
    for i in range(out.shape[0]):
        line, total = rows[i], out[i]
        if factor == 2:
            for k in range(total.size):
                total[k] = np.float32(line[2 * k]) + np.float32(line[2 * k + 1])
        elif factor == 4:
            for k in range(total.size):
                total[k] = (np.float32(line[4 * k]) + np.float32(line[4 * k + 1])) + (
                    np.float32(line[4 * k + 2]) + np.float32(line[4 * k + 3])
                )
        else:
            for k in range(total.size):
                value = np.float32(0.0)
                for j in range(factor):
                    value += np.float32(line[k * factor + j])
                total[k] = value


@njit(cache=True, nogil=True, error_model="numpy")
def flatten(
    binned: NDArray[np.float32],
    half: int,
    cap: float,
    out: NDArray[np.float32],
    sums: NDArray[np.float32],
    line: NDArray[np.float32],
) -> None:
    """Take the mean of the surrounding (2 half + 1)^2 box off each value, cut what is above `cap`.

    Near the edge the box is the part of it that lies inside. `sums` (h, w) and `line` (w) are scratch.
    Then smooth with 1-2-1 both ways, so that a shift of half a value costs little.
    """
    height, width = binned.shape
    for k in range(width):
        line[k] = np.float32(0.0)
    for i in range(min(half, height)):
        for k in range(width):
            line[k] += binned[i, k]
    for i in range(height):
        if i + half < height:
            for k in range(width):
                line[k] += binned[i + half, k]
        if i - half - 1 >= 0:
            for k in range(width):
                line[k] -= binned[i - half - 1, k]
        for k in range(width):
            sums[i, k] = line[k]
    top = np.float32(cap)
    for i in range(height):
        tall = min(i + half, height - 1) - max(i - half, 0) + 1
        total = 0.0
        for k in range(min(half, width)):
            total += sums[i, k]
        for k in range(width):
            if k + half < width:
                total += sums[i, k + half]
            if k - half - 1 >= 0:
                total -= sums[i, k - half - 1]
            wide = min(k + half, width - 1) - max(k - half, 0) + 1
            out[i, k] = min(binned[i, k] - np.float32(total / (tall * wide)), top)
    for i in range(height):
        above, below = max(i - 1, 0), min(i + 1, height - 1)
        for k in range(width):
            sums[i, k] = out[above, k] + np.float32(2.0) * out[i, k] + out[below, k]
    for i in range(height):
        for k in range(1, width - 1):
            out[i, k] = sums[i, k - 1] + np.float32(2.0) * sums[i, k] + sums[i, k + 1]
        out[i, 0] = np.float32(3.0) * sums[i, 0] + sums[i, 1]
        out[i, width - 1] = sums[i, width - 2] + np.float32(3.0) * sums[i, width - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def correlate_sparse(
    image: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> tuple[int, int]:
    """Correlation of an image with points: ``out[dy + my, dx + mx] = sum_k w_k image[r_k + dy, c_k + dx]``.

    `out` is (2 my + 1, 2 mx + 1); what lies beyond the image counts as 0. Returns the place of the
    largest value.
    """
    height, width = image.shape
    my, mx = out.shape[0] // 2, out.shape[1] // 2
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = np.float32(0.0)
    for s in range(rows.size):
        r, c, w = rows[s], columns[s], weights[s]
        first, last = max(-mx, -c), min(mx, width - 1 - c)
        if last < first:
            continue
        for dy in range(max(-my, -r), min(my, height - 1 - r) + 1):
            target = out[dy + my, first + mx : last + mx + 1]
            line = image[r + dy, c + first : c + last + 1]
            for k in range(target.size):
                target[k] += w * line[k]
    best, by, bx = np.float32(-math.inf), 0, 0
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            if out[i, k] > best:
                best, by, bx = out[i, k], i, k
    return by, bx


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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
        for i in range(4):
            b[i] = 0.0
            for k in range(4):
                a[i, k] = 0.0
        signal = max(flux, 0.0) * inv_gain
        missing = 0.0
        for i in range(n):
            for k in range(n):
                value = box[top + i, left + k]
                if not math.isfinite(value):
                    missing += py[i] * px[k]
                    continue
                p = py[i] * px[k]
                w = 1.0 / (variance + signal * p)
                jx, jy = flux * py[i] * dx[k], flux * dy[i] * px[k]
                r = value - sky - flux * p
                a[0, 0] += w * p * p
                a[0, 1] += w * p * jx
                a[0, 2] += w * p * jy
                a[0, 3] += w * p
                a[1, 1] += w * jx * jx
                a[1, 2] += w * jx * jy
                a[1, 3] += w * jx
                a[2, 2] += w * jy * jy
                a[2, 3] += w * jy
                a[3, 3] += w
                b[0] += w * p * r
                b[1] += w * jx * r
                b[2] += w * jy * r
                b[3] += w * r
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
        for i in range(1, 4):
            for k in range(i):
                a[i, k] = a[k, i]
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
        if iteration >= 2 and abs(step_x) < 2e-5 and abs(step_y) < 2e-5:
            break
    out[0], out[1], out[2], out[3] = x, y, flux, sky
    out[4], out[5] = math.sqrt(max(a[1, 1], 0.0)), math.sqrt(max(a[2, 2], 0.0))
    out[6] = flux / math.sqrt(max(a[0, 0], 1e-300))
    return SEEN


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_rigid(
    u: NDArray[np.float64], v: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64],
    w: NDArray[np.float64], keep: NDArray[np.bool_], rotate: bool, p: NDArray[np.float64],
) -> None:  # fmt: skip
    """Weighted least-squares rotation and shift from (u, v) to (x, y): `p` = cos, sin, tx, ty."""
    total, mu, mv, mx, my = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(u.shape[0]):
        if keep[i]:
            total += w[i]
            mu += w[i] * u[i]
            mv += w[i] * v[i]
            mx += w[i] * x[i]
            my += w[i] * y[i]
    mu, mv, mx, my = mu / total, mv / total, mx / total, my / total
    c, s = 1.0, 0.0
    if rotate:
        dot, cross = 0.0, 0.0
        for i in range(u.shape[0]):
            if keep[i]:
                du, dv, ex, ey = u[i] - mu, v[i] - mv, x[i] - mx, y[i] - my
                dot += w[i] * (du * ex + dv * ey)
                cross += w[i] * (du * ey - dv * ex)
        norm = math.hypot(dot, cross)
        if norm > 0.0:
            c, s = dot / norm, cross / norm
    p[0], p[1] = c, s
    p[2], p[3] = mx - (c * mu - s * mv), my - (s * mu + c * mv)


@njit(cache=True, nogil=True, error_model="numpy")
def _support(
    u: NDArray[np.float64], v: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64],
    w: NDArray[np.float64], good: NDArray[np.bool_], tol: NDArray[np.float64], p: NDArray[np.float64],
    keep: NDArray[np.bool_],
) -> float:  # fmt: skip
    """Mark the stars that transform `p` explains; return their number, ties broken by weight."""
    score, weight, total = 0.0, 0.0, 1e-300
    for i in range(u.shape[0]):
        keep[i] = False
        if good[i]:
            total += w[i]
            rx = x[i] - (p[0] * u[i] - p[1] * v[i] + p[2])
            ry = y[i] - (p[1] * u[i] + p[0] * v[i] + p[3])
            if rx * rx + ry * ry <= tol[i] * tol[i]:
                keep[i] = True
                score += 1.0
                weight += w[i]
    return score + 0.999 * weight / total


@njit(cache=True, nogil=True, error_model="numpy")
def consensus(
    u: NDArray[np.float64], v: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64],
    error: NDArray[np.float64], good: NDArray[np.bool_], rotate: bool, floor: float, loose: float,
    max_sin: float, p: NDArray[np.float64], keep: NDArray[np.bool_],
) -> int:  # fmt: skip
    """Transform most stars agree on: `p` = cos, sin, tx, ty; `keep` the stars used; returns their number.

    Hypotheses are every star's shift and, with `rotate`, every pair's rotation of at most
    asin(max_sin); then weighted least squares on the supporters, clipped twice.
    """
    n = u.shape[0]
    w, tol = np.empty(n), np.empty(n)
    for i in range(n):
        w[i] = tol[i] = 0.0
        if good[i]:
            w[i] = 1.0 / (error[i] * error[i] + floor * floor)
            tol[i] = loose + 4.0 * error[i]
    trial, kept = np.empty(4), np.empty(n, np.bool_)
    best = 0.0
    for i in range(n):
        if not good[i]:
            continue
        trial[0], trial[1], trial[2], trial[3] = 1.0, 0.0, x[i] - u[i], y[i] - v[i]
        score = _support(u, v, x, y, w, good, tol, trial, kept)
        if score > best:
            best = score
            for j in range(4):
                p[j] = trial[j]
    if rotate:
        for i in range(n):
            for k in range(i + 1, n):
                if not (good[i] and good[k]):
                    continue
                du, dv, ex, ey = u[k] - u[i], v[k] - v[i], x[k] - x[i], y[k] - y[i]
                a, b = math.hypot(du, dv), math.hypot(ex, ey)
                if a < 30.0 or abs(a - b) > tol[i] + tol[k]:
                    continue
                c, s = (du * ex + dv * ey) / (a * b), (du * ey - dv * ex) / (a * b)
                if c < 0.0 or abs(s) > max_sin:
                    continue
                trial[0], trial[1] = c, s
                trial[2] = 0.5 * (x[i] + x[k] - c * (u[i] + u[k]) + s * (v[i] + v[k]))
                trial[3] = 0.5 * (y[i] + y[k] - s * (u[i] + u[k]) - c * (v[i] + v[k]))
                score = _support(u, v, x, y, w, good, tol, trial, kept)
                if score > best + 0.5:
                    best = score
                    for j in range(4):
                        p[j] = trial[j]
    if best <= 0.0:
        return 0
    count = 0
    for step in range(3):
        if step > 0:
            for i in range(n):
                tol[i] = max(0.5 * loose, 6.0 * error[i])
        _support(u, v, x, y, w, good, tol, p, keep)
        count = 0
        for i in range(n):
            count += keep[i]
        if count == 0:
            return 0
        _solve_rigid(u, v, x, y, w, keep, rotate and count >= 2, p)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def refine(
    boxes: NDArray[np.float64],
    left: NDArray[np.int64],
    top: NDArray[np.int64],
    px: NDArray[np.float64],
    py: NDArray[np.float64],
    leaders: int,
    search: int,
    nearby: int,
    sigma: float,
    half: int,
    variance: float,
    inv_gain: float,
    saturation: float,
    rotate: bool,
    loose: float,
    floor: float,
    max_sin: float,
    least_snr: float,
    p: NDArray[np.float64],
    out: NDArray[np.float64],
    status: NDArray[np.int64],
    keep: NDArray[np.bool_],
) -> int:
    """Fit stars expected at (px, py), brightest first, and agree on a transform; returns stars used.

    The first `leaders` stars are searched for within `search` pixels; where they agree, the others
    only within `nearby` pixels of where the leaders' shift puts them, else they too within `search`.
    """
    n = px.size
    x, y, error = np.empty(n), np.empty(n), np.empty(n)
    which, good = np.empty(n, np.bool_), np.empty(n, np.bool_)
    bx, by = np.empty(n), np.empty(n)
    for i in range(n):
        which[i] = i < leaders
        status[i] = OFF
        bx[i], by[i] = px[i] - left[i], py[i] - top[i]
        for j in range(7):
            out[i, j] = math.nan
    fit_boxes(boxes, bx, by, which, search, sigma, half, variance, inv_gain, saturation, out, status)
    used = 0
    if n > leaders:
        _usable(out, status, left, top, least_snr, x, y, error, good)
        used = consensus(px, py, x, y, error, good, rotate, floor, loose, max_sin, p, keep)
        reach = search
        if used >= min(2, leaders):
            reach = nearby
            for i in range(n):
                cx = p[0] * px[i] - p[1] * py[i] + p[2] - left[i]
                cy = p[1] * px[i] + p[0] * py[i] + p[3] - top[i]
                if max(abs(cx - bx[i]), abs(cy - by[i])) <= search:
                    bx[i], by[i] = cx, cy
        for i in range(n):
            which[i] = i >= leaders
        fit_boxes(boxes, bx, by, which, reach, sigma, half, variance, inv_gain, saturation, out, status)
    _usable(out, status, left, top, least_snr, x, y, error, good)
    used = consensus(px, py, x, y, error, good, rotate, floor, loose, max_sin, p, keep)
    for i in range(n):
        out[i, 0] += left[i]
        out[i, 1] += top[i]
    return used


@njit(cache=True, nogil=True, error_model="numpy")
def _usable(
    out: NDArray[np.float64],
    status: NDArray[np.int64],
    left: NDArray[np.int64],
    top: NDArray[np.int64],
    least_snr: float,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    error: NDArray[np.float64],
    good: NDArray[np.bool_],
) -> None:
    """Frame positions, errors and fitness of fits made in boxes."""
    for i in range(x.size):
        x[i], y[i] = out[i, 0] + left[i], out[i, 1] + top[i]
        error[i] = math.sqrt(0.5 * (out[i, 4] ** 2 + out[i, 5] ** 2))
        good[i] = status[i] == SEEN and out[i, 6] >= least_snr


@njit(cache=True, nogil=True, error_model="numpy")
def add_shifted(
    frame: NDArray[Any], dx: float, dy: float, c: float, s: float, total: NDArray[np.float64],
    count: NDArray[np.float64],
) -> None:  # fmt: skip
    """Add `frame`, sampled bilinearly at (c u - s v + dx, s u + c v + dy), to `total`; count the pixels."""
    height, width = total.shape
    if s == 0.0:
        ix, iy = int(math.floor(dx)), int(math.floor(dy))
        fx, fy = dx - ix, dy - iy
        a, b, d, e = (1.0 - fy) * (1.0 - fx), (1.0 - fy) * fx, fy * (1.0 - fx), fy * fx
        first, last = max(0, -ix), min(width, width - 1 - ix)
        if last <= first:
            return
        for v in range(max(0, -iy), min(height, height - 1 - iy)):
            up, down = (
                frame[v + iy, first + ix : last + ix + 1],
                frame[v + iy + 1, first + ix : last + ix + 1],
            )
            sums, seen = total[v, first:last], count[v, first:last]
            for k in range(sums.size):
                value = a * float(up[k]) + b * float(up[k + 1]) + d * float(down[k]) + e * float(down[k + 1])
                if math.isfinite(value):
                    sums[k] += value
                    seen[k] += 1.0
        return
    for v in range(height):
        for u in range(width):
            x, y = c * u - s * v + dx, s * u + c * v + dy
            ix, iy = int(math.floor(x)), int(math.floor(y))
            if ix < 0 or iy < 0 or ix >= width - 1 or iy >= height - 1:
                continue
            fx, fy = x - ix, y - iy
            value = (1.0 - fy) * ((1.0 - fx) * float(frame[iy, ix]) + fx * float(frame[iy, ix + 1])) + fy * (
                (1.0 - fx) * float(frame[iy + 1, ix]) + fx * float(frame[iy + 1, ix + 1])
            )
            if np.isfinite(value):
                total[v, u] += value
                count[v, u] += 1.0
