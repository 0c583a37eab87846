"""The transform that most stars agree on, compiled by numba."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.stars import OFF, SEEN, fit_boxes


@njit(inline="always", error_model="numpy")
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


@inner
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


@kernel
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


@kernel
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
    used, reach = 0, search
    for stage in range(2):  # the leaders, then the others
        fit_boxes(boxes, bx, by, which, reach, sigma, half, variance, inv_gain, saturation, out, status)
        _usable(out, status, left, top, least_snr, x, y, error, good)
        used = consensus(px, py, x, y, error, good, rotate, floor, loose, max_sin, p, keep)
        if n <= leaders:
            break
        if stage == 0 and used >= min(2, leaders):
            reach = nearby
            for i in range(n):
                cx = p[0] * px[i] - p[1] * py[i] + p[2] - left[i]
                cy = p[1] * px[i] + p[0] * py[i] + p[3] - top[i]
                if max(abs(cx - bx[i]), abs(cy - by[i])) <= search:
                    bx[i], by[i] = cx, cy
        for i in range(n):
            which[i] = i >= leaders
    for i in range(n):
        out[i, 0] += left[i]
        out[i, 1] += top[i]
    return used


@njit(inline="always", error_model="numpy")
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
