"""Guide stars followed from frame to frame, compiled by numba.

A frame is fitted from where the frame before it lay. The loop stops at the first frame that leaves any
doubt; that one is for the correlation with the reference to place.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.gather import gather
from gpu_kernels._numba.stars import LARGEST_MOVE, OFF, SATURATED, SEEN, SHARP, _solve4

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

STEPS = 32
"""Nodes a pixel of the tables of `profile_tables`."""

LEADERS = 3
"""Brightest guides that are looked for where a frame's place is known roughly."""

LONE_SNR, LONE_FLUX, LONE_MOVE = 10.0, 0.6, 1.5
"""Signal-to-noise ratio, share of its flux, and largest move (pixels) of a guide that is the only one."""

_ROUNDS = 12
_SETTLED_PX = 1e-4
_FAINT, _DIVERGED = 2, 5


def profile_tables(sigma: float, half: int) -> Floats:
    """Cumulated Gaussian, density and its slope at nodes `STEPS` a pixel, (3, n)."""
    reach = half + LARGEST_MOVE + 2
    at = np.arange(-reach * STEPS, reach * STEPS + 2) / STEPS
    cumulated = np.array([0.5 * (1.0 + math.erf(e / (sigma * math.sqrt(2.0)))) for e in at])
    density = np.exp(-0.5 * (at / sigma) ** 2) / (math.sqrt(2.0 * math.pi) * sigma)
    return np.stack([cumulated, density, -at / sigma**2 * density])


@njit(inline="always", error_model="numpy")
def _profile(
    centre: float, first: int, n: int, tables: Floats, p: Floats, d: Floats, edges: Floats, slopes: Floats
) -> None:
    """Pixel-integrated Gaussian `p` and its derivative by the centre `d`, pixels first..first+n-1.

    Cubic Hermite interpolation between nodes, whose error is below 1e-9 for a sigma of 0.4 pixels and more.
    """
    place = (first - 0.5 - centre) * STEPS + (tables.shape[1] - 2) // 2
    node = int(math.floor(place))
    t = place - node
    h = 1.0 / STEPS
    b00, b10 = (1.0 + 2.0 * t) * (1.0 - t) * (1.0 - t), t * (1.0 - t) * (1.0 - t) * h
    b01, b11 = t * t * (3.0 - 2.0 * t), t * t * (t - 1.0) * h
    for i in range(n + 1):
        k = node + STEPS * i
        edges[i] = b00 * tables[0, k] + b10 * tables[1, k] + b01 * tables[0, k + 1] + b11 * tables[1, k + 1]
        slopes[i] = b00 * tables[1, k] + b10 * tables[2, k] + b01 * tables[1, k + 1] + b11 * tables[2, k + 1]
    for i in range(n):
        p[i] = edges[i + 1] - edges[i]
        d[i] = slopes[i] - slopes[i + 1]


@kernel
def fit_star(
    box: Floats32, x: float, y: float, tables: Floats, half: int, variance: float, inv_gain: float,
    saturation: float, room: Floats, out: Floats,
) -> int:  # fmt: skip
    """Weighted Gauss-Newton fit of flux, x, y, sky in a box, from (x, y), without search.

    `out` gets x, y, flux, sky, x_err, y_err, snr; `room` (8, 2 half + 2) is scratch. Returns the outcome.
    """
    n = 2 * half + 1
    size = box.shape[0]
    px, dx, py, dy, edges, slopes = room[0], room[1], room[2], room[3], room[4], room[5]
    a, b = np.empty((4, 4)), np.empty(4)
    flux, sky = 0.0, 0.0
    left, top = int(math.floor(x + 0.5)) - half, int(math.floor(y + 0.5)) - half
    if left < 0 or top < 0 or left + n > size or top + n > size:
        return OFF
    x_start, y_start = x, y
    for iteration in range(_ROUNDS):
        if abs(x - left - half) > 0.75 or abs(y - top - half) > 0.75:
            left, top = int(math.floor(x + 0.5)) - half, int(math.floor(y + 0.5)) - half
            if left < 0 or top < 0 or left + n > size or top + n > size:
                return OFF
        _profile(x, left, n, tables, px, dx, edges, slopes)
        _profile(y, top, n, tables, py, dy, edges, slopes)
        s00 = s01 = s02 = s03 = s11 = s12 = s13 = s22 = s23 = s33 = 0.0
        t0 = t1 = t2 = t3 = missing = 0.0
        signal = max(flux, 0.0) * inv_gain
        for i in range(n):
            qy, gy = py[i], flux * dy[i]
            row = box[top + i, left : left + n]
            for k in range(n):
                value = np.float64(row[k])
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
        if missing > 0.02:
            return OFF
        if iteration == 0:  # flux and sky alone: linear
            det = s00 * s33 - s03 * s03
            if not det > 0.0:
                return _DIVERGED
            flux, sky = (t0 * s33 - t3 * s03) / det, (t3 * s00 - t0 * s03) / det
            if not flux > 0.0:
                return _FAINT
            continue
        a[0, 0], a[0, 1], a[0, 2], a[0, 3] = s00, s01, s02, s03
        a[1, 0], a[1, 1], a[1, 2], a[1, 3] = s01, s11, s12, s13
        a[2, 0], a[2, 1], a[2, 2], a[2, 3] = s02, s12, s22, s23
        a[3, 0], a[3, 1], a[3, 2], a[3, 3] = s03, s13, s23, s33
        b[0], b[1], b[2], b[3] = t0, t1, t2, t3
        if not _solve4(a, b):
            return _DIVERGED
        flux += b[0]
        if not flux > 0.0:
            return _FAINT
        step_x, step_y = min(max(b[1], -1.0), 1.0), min(max(b[2], -1.0), 1.0)
        x, y, sky = x + step_x, y + step_y, sky + b[3]
        if abs(x - x_start) > LARGEST_MOVE or abs(y - y_start) > LARGEST_MOVE:
            return _DIVERGED
        if iteration >= 2 and abs(step_x) < _SETTLED_PX and abs(step_y) < _SETTLED_PX:
            break
    out[0], out[1], out[2], out[3] = x, y, flux, sky
    out[4], out[5] = math.sqrt(max(a[1, 1], 0.0)), math.sqrt(max(a[2, 2], 0.0))
    out[6] = flux / math.sqrt(max(a[0, 0], 1e-300))
    i, k = int(math.floor(y + 0.5)), int(math.floor(x + 0.5))
    if i < 1 or k < 1 or i >= size - 1 or k >= size - 1:
        return OFF
    centre = float(box[i, k]) - sky
    around = 0.25 * (
        float(box[i - 1, k]) + float(box[i + 1, k]) + float(box[i, k - 1]) + float(box[i, k + 1])
    )
    if box[i, k] >= saturation:
        return SATURATED
    if centre > 8.0 * math.sqrt(variance) and around - sky < 0.15 * centre:
        return SHARP
    return SEEN


@inner
def _solve(
    u: Floats, v: Floats, fits: Floats, good: NDArray[np.bool_], floor: float, rotate: bool, p: Floats
) -> None:
    """Weighted least squares from (u, v) to the fits' places: `p` = c, s, tx, ty.

    c and s are those in `p`; with `rotate` they are turned, their length (the scale) stays.
    """
    total, mu, mv, mx, my = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(u.size):
        if good[i]:
            w = 1.0 / (0.5 * (fits[i, 4] ** 2 + fits[i, 5] ** 2) + floor * floor)
            total += w
            mu, mv = mu + w * u[i], mv + w * v[i]
            mx, my = mx + w * fits[i, 0], my + w * fits[i, 1]
    mu, mv, mx, my = mu / total, mv / total, mx / total, my / total
    c, s = p[0], p[1]
    if rotate:
        dot, cross = 0.0, 0.0
        for i in range(u.size):
            if good[i]:
                w = 1.0 / (0.5 * (fits[i, 4] ** 2 + fits[i, 5] ** 2) + floor * floor)
                du, dv, ex, ey = u[i] - mu, v[i] - mv, fits[i, 0] - mx, fits[i, 1] - my
                dot += w * (du * ex + dv * ey)
                cross += w * (du * ey - dv * ex)
        norm = math.hypot(dot, cross)
        if norm > 0.0:
            size = math.hypot(c, s)
            c, s = size * dot / norm, size * cross / norm
    p[0], p[1] = c, s
    p[2], p[3] = mx - (c * mu - s * mv), my - (s * mu + c * mv)


@inner
def _brightest(box: Floats32, x: float, y: float, search: int) -> tuple[float, float]:
    """Middle of the brightest 3 x 3 pixels within `search` of a place in the box."""
    ix, iy = int(math.floor(x + 0.5)), int(math.floor(y + 0.5))
    best, bx, by = -np.inf, ix, iy
    for j in range(iy - search, iy + search + 1):
        for i in range(ix - search, ix + search + 1):
            total = 0.0
            for k in range(3):
                total += (box[j - 1 + k, i - 1] + box[j - 1 + k, i]) + box[j - 1 + k, i + 1]
            if total > best:
                best, bx, by = total, i, j
    return float(bx), float(by)


@kernel
def follow(
    frames: NDArray[Any],
    response: Floats32,
    offset: Floats32,
    scale: Floats32,
    defect: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    u: Floats,
    v: Floats,
    flux: Floats,
    sigma: float,
    tables: Floats,
    half: int,
    variance: float,
    inv_gain: float,
    saturation: float,
    floor: float,
    loose: float,
    rotate: bool,
    wanted: Floats,
    starts: Floats,
    search: int,
    p: Floats,
    fits: Floats,
    used: NDArray[np.bool_],
) -> int:
    """Place frames, each from the one before it; returns the number placed before the first in doubt.

    Parameters
    ----------
    frames : array, (n, height, width)
        As recorded; `response`, `offset`, `scale`, `defect` develop them.
    mask : array, (height, width) or (0, 0), bool
        Pixels that say nothing of the sky.
    u, v, flux : array, (g,)
        Guide stars on the reference grid, and their flux there.
    sigma, tables, half : float, array, int
        Width of the stars, `profile_tables` of it, half width of a fit.
    variance, inv_gain, saturation : float
        Of the noise; see `fit_star`.
    floor, loose : float
        Error that no star is better than, and disagreement that is tolerated, pixels.
    rotate : bool
        Whether the rotation is solved for; else it is the one wanted.
    wanted : array, (n, 4)
        c, s (rotation and scale) expected on each frame, and the motion expected since the frame before it.
    starts : array, (n, 4) or (0, 4)
        Where each frame lies to within `search` pixels (coarse correlation); empty: the frame before it.
    search : int
        Radius in which the brightest guides are looked for first, the others then relative to them.
    p : array, (n + 1, 4)
        Row 0 is the transform of the frame before the first; row f + 1 gets that of frame f.
    fits : array, (n, g, 7)
        Gets the fits, places in the frame.
    used : array, (n, g), bool
        Gets the stars that the transform rests on.
    """
    n, g = frames.shape[0], u.size
    reach = half + LARGEST_MOVE + 1 + search
    box = np.empty((2 * reach + 1, 2 * reach + 1), np.float32)
    room = np.empty((6, 2 * half + 2))
    status = np.empty(g, np.int64)
    height, width = frames.shape[1], frames.shape[2]
    for f in range(n):
        before, here = starts[f] if starts.shape[0] > 0 else p[f], p[f + 1]
        seen, led, ahead_x, ahead_y = 0, 0, 0.0, 0.0
        for i in range(g):
            x = before[0] * u[i] - before[1] * v[i] + before[2] + wanted[f, 2]
            y = before[1] * u[i] + before[0] * v[i] + before[3] + wanted[f, 3]
            used[f, i] = False
            status[i] = OFF
            if not (reach <= x < width - 1 - reach and reach <= y < height - 1 - reach):
                continue
            left, top = int(math.floor(x + 0.5)) - reach, int(math.floor(y + 0.5)) - reach
            gather(frames[f], response, offset, scale, defect, left, top, box)
            if mask.size > 0:
                for j in range(box.shape[0]):
                    for k in range(box.shape[1]):
                        if mask[top + j, left + k]:
                            box[j, k] = np.nan
            fit = fits[f, i]
            x, y = x - left, y - top
            if search > 0 and i < LEADERS:
                x, y = _brightest(box, x, y, search)
            elif led > 0:
                x, y = x + ahead_x / led, y + ahead_y / led
            status[i] = fit_star(box, x, y, tables, half, variance, inv_gain, saturation, room, fit)
            if status[i] == SEEN and fit[6] >= 4.0:
                fit[0] += left
                fit[1] += top
                used[f, i] = True
                seen += 1
                if search > 0 and i < LEADERS:
                    led += 1
                    ahead_x += fit[0] - (before[0] * u[i] - before[1] * v[i] + before[2] + wanted[f, 2])
                    ahead_y += fit[1] - (before[1] * u[i] + before[0] * v[i] + before[3] + wanted[f, 3])
        if seen < min(3, g):
            return int(f)
        here[0], here[1] = (before[0], before[1]) if rotate else (wanted[f, 0], wanted[f, 1])
        if rotate:  # as large as expected
            size = math.hypot(wanted[f, 0], wanted[f, 1]) / math.hypot(before[0], before[1])
            here[0], here[1] = size * before[0], size * before[1]
        _solve(u, v, fits[f], used[f], floor, rotate, here)
        if g == 1 and not _itself(u[0], v[0], flux[0], fits[f, 0], before, wanted[f], search):
            return int(f)
        if not _sure(u, v, flux, fits[f], used[f], status, here, sigma, variance, inv_gain, loose):
            return int(f)
    return int(n)


@inner
def _itself(
    u: float, v: float, flux: float, fit: Floats, before: Floats, wanted: Floats, search: int
) -> bool:
    """Whether the only guide is bright, as bright as it should be, and where it should be."""
    x = before[0] * u - before[1] * v + before[2] + wanted[2]
    y = before[1] * u + before[0] * v + before[3] + wanted[3]
    near = math.hypot(fit[0] - x, fit[1] - y) < LONE_MOVE + search
    return fit[6] >= LONE_SNR and fit[2] >= LONE_FLUX * flux and near


@inner
def _sure(
    u: Floats, v: Floats, flux: Floats, fits: Floats, used: NDArray[np.bool_], status: NDArray[np.int64],
    p: Floats, sigma: float, variance: float, inv_gain: float, loose: float,
) -> bool:  # fmt: skip
    """Whether every star fitted agrees with the transform, and none is missing that should be seen."""
    light, expected = 0.0, 0.0
    for i in range(u.size):
        if used[i]:
            light += fits[i, 2]
            expected += flux[i]
            rx = fits[i, 0] - (p[0] * u[i] - p[1] * v[i] + p[2])
            ry = fits[i, 1] - (p[1] * u[i] + p[0] * v[i] + p[3])
            error = math.sqrt(0.5 * (fits[i, 4] ** 2 + fits[i, 5] ** 2))
            if math.hypot(rx, ry) > loose + 5.0 * error:
                return False
    if not light > 0.05 * expected:
        return False
    clear = light / expected
    for i in range(u.size):
        if used[i]:
            # a star of quite another brightness than the others say is another star, or a cosmic ray
            noise = math.sqrt(4.0 * math.pi * sigma * sigma * variance + inv_gain * fits[i, 2])
            if abs(fits[i, 2] - clear * flux[i]) > 0.5 * clear * flux[i] + 6.0 * noise:
                return False
        elif status[i] != OFF and status[i] != SATURATED:
            wanted = clear * flux[i]
            noise = math.sqrt(4.0 * math.pi * sigma * sigma * variance + inv_gain * wanted)
            if wanted > 8.0 * noise:
                return False
    return True
