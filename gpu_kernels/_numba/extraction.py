"""Weighted sums over stars by a sum-of-Gaussians profile, and cut-outs, compiled by numba.

Each (frame, star) is computed from its own pixels alone and in a fixed order.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.gather import gather

Floats = NDArray[np.float64]

PER_SIGMA = 256
"""Entries of the table of the normal distribution for each sigma."""

REACH = 6.0
"""Sigmas that the table reaches; all light lies within."""


def normal_table() -> Floats:
    """The normal distribution function and its density at -REACH..REACH in steps of 1 / PER_SIGMA, (2, n)."""
    t = np.arange(-int(REACH * PER_SIGMA), int(REACH * PER_SIGMA) + 2) / PER_SIGMA
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2.0)) for v in t])
    return np.stack([cdf, np.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)])


@njit(inline="always", error_model="numpy")
def _look(table: Floats, t: float) -> float:
    """Linear interpolation in `table` at `t` sigma: within 5e-7 of the normal distribution."""
    if t <= -REACH:
        return float(table[0])
    if t >= REACH:
        return float(table[table.size - 2])
    at = (t + REACH) * PER_SIGMA
    k = int(at)
    return float(table[k] + (at - k) * (table[k + 1] - table[k]))


@inner
def _bins(centre: float, first: int, count: int, sigma: float, table: Floats, out: Floats) -> None:
    """Light of a Gaussian in the pixels `first` to ``first + count - 1`` of one axis."""
    inverse = 1.0 / sigma
    before = _look(table, (first - 0.5 - centre) * inverse)
    for i in range(count):
        after = _look(table, (first + i + 0.5 - centre) * inverse)
        out[i] = after - before
        before = after


@inner
def _widening(centre: float, first: int, count: int, sigma: float, density: Floats, out: Floats) -> None:
    """Derivative of `_bins` by the logarithm of sigma: differences of ``-t phi(t)``."""
    inverse = 1.0 / sigma
    t = (first - 0.5 - centre) * inverse
    before = -t * _look(density, t) if abs(t) < REACH else 0.0
    for i in range(count):
        t = (first + i + 0.5 - centre) * inverse
        after = -t * _look(density, t) if abs(t) < REACH else 0.0
        out[i] = after - before
        before = after


@kernel
def star_profile(
    x: float,
    y: float,
    left: int,
    top: int,
    height: int,
    width: int,
    profile: Floats,
    scale: float,
    table: Floats,
    gx: Floats,
    gy: Floats,
    out: Floats,
) -> None:
    """Fill ``out[:height, :width]`` with the light of a star of unit flux at `x`, `y` in the box's pixels.

    `profile` (k, 3): weight, sigma in x, sigma in y of each Gaussian; `scale` multiplies the widths.
    """
    for k in range(profile.shape[0]):
        _bins(x, left, width, profile[k, 1] * scale, table, gx)
        _bins(y, top, height, profile[k, 2] * scale, table, gy)
        for j in range(height):
            row = profile[k, 0] * gy[j]
            if k == 0:
                for i in range(width):
                    out[j, i] = row * gx[i]
            else:
                for i in range(width):
                    out[j, i] += row * gx[i]


@njit(inline="always", error_model="numpy")
def rim_weight(distance2: float, radius: float) -> float:
    """1 within the radius, 0 beyond, linear across the pixel on the rim."""
    if radius >= 0.5 and distance2 <= (radius - 0.5) * (radius - 0.5):
        return 1.0
    if distance2 >= (radius + 0.5) * (radius + 0.5):
        return 0.0
    return radius + 0.5 - math.sqrt(distance2)


@kernel
def weighted_block(
    frames: NDArray[Any],
    x: Floats,
    y: Floats,
    sky: Floats,
    scales: Floats,
    profile: Floats,
    softening: float,
    radius: float,
    table: Floats,
    out: Floats,
) -> None:
    """Fill `out` (n, s, 6): flux, sum of weights, of squares, of squares times light, share seen, peak.

    Weights are w P / (1 + softening P) with P the profile and w that of the rim, over the sum of weights
    times P of the pixels that are there. `sky` (n, s), `scales` (n,) the width of each frame's profile.
    """
    height, width = frames.shape[1], frames.shape[2]
    largest = 0.0
    for f in range(scales.size):  # numba's own max() costs half a second to compile
        largest = scales[f] if scales[f] > largest else largest
    side = 2 * int(math.ceil(radius * largest + 0.5)) + 3
    gx, gy, light = np.empty(side), np.empty(side), np.empty((side, side))
    for f in range(frames.shape[0]):
        frame = frames[f]
        reach = radius * scales[f]
        for s in range(x.shape[1]):
            for m in range(6):
                out[f, s, m] = math.nan
            cx, cy, level = x[f, s], y[f, s], sky[f, s]
            if not (math.isfinite(cx) and math.isfinite(cy) and math.isfinite(reach)):
                continue
            if not (-reach - 1.0 < cx < width + reach and -reach - 1.0 < cy < height + reach):
                out[f, s, 4] = 0.0
                continue
            left, right = math.ceil(cx - reach - 0.5), math.floor(cx + reach + 0.5)
            top, bottom = math.ceil(cy - reach - 0.5), math.floor(cy + reach + 0.5)
            rows, columns = bottom - top + 1, right - left + 1
            star_profile(cx, cy, left, top, rows, columns, profile, scales[f], table, gx, gy, light)
            total = seen = first = second = third = flux = 0.0
            peak = -np.inf
            for j in range(rows):
                dy2 = (top + j - cy) * (top + j - cy)
                for i in range(columns):
                    w = rim_weight((left + i - cx) * (left + i - cx) + dy2, reach)
                    if w <= 0.0:
                        continue
                    p = light[j, i]
                    w *= p / (1.0 + softening * p)
                    wp = w * p
                    total += wp
                    if not (0 <= top + j < height and 0 <= left + i < width):
                        continue
                    value = float(frame[top + j, left + i])
                    if not math.isfinite(value):
                        continue
                    seen += wp
                    first += w
                    second += w * w
                    third += w * wp
                    flux += w * (value - level)
                    peak = value if value > peak else peak
            out[f, s, 4] = seen / total if total > 0.0 else 0.0
            if seen > 0.0:
                out[f, s, 0] = flux / seen
                out[f, s, 1] = first / seen
                out[f, s, 2] = second / (seen * seen)
                out[f, s, 3] = third / (seen * seen)
                out[f, s, 5] = peak


@kernel
def widths_block(
    frames: NDArray[Any],
    x: Floats,
    y: Floats,
    sky: Floats,
    profile: Floats,
    variance: float,
    inv_gain: float,
    prior: float,
    radius: float,
    table: Floats,
    out: Floats,
) -> None:
    """Fill `out` (n, 2): the factor of the profile's width on each frame and the error of its logarithm.

    Gauss-Newton on all stars of a frame together, each with a flux of its own, sky given. `prior` is the
    expected spread of the logarithm about 0; what the stars do not tell stays there.
    """
    height, width = frames.shape[1], frames.shape[2]
    side = 2 * int(math.ceil(4.0 * radius)) + 3
    gx, gy, dx, dy = np.empty(side), np.empty(side), np.empty(side), np.empty(side)
    for f in range(frames.shape[0]):
        log_scale = 0.0
        information = 0.0
        for _ in range(12):
            scale = math.exp(log_scale)
            reach = radius * min(max(scale, 1.0), 4.0)
            gradient = information = 0.0
            for s in range(x.shape[1]):
                cx, cy, level = x[f, s], y[f, s], sky[f, s]
                if not (math.isfinite(cx) and math.isfinite(cy) and math.isfinite(level)):
                    continue
                left, right = math.ceil(cx - reach), math.floor(cx + reach)
                top, bottom = math.ceil(cy - reach), math.floor(cy + reach)
                if left < 0 or top < 0 or right >= width or bottom >= height:
                    continue
                a, b = _width_terms(
                    frames[f], cx, cy, level, left, top, bottom - top + 1, right - left + 1, profile, scale,
                    reach, variance, inv_gain, table, gx, gy, dx, dy,
                )  # fmt: skip
                gradient += a
                information += b
            step = (gradient - log_scale / (prior * prior)) / (information + 1.0 / (prior * prior))
            step = min(max(step, -0.4), 0.4)
            log_scale = min(max(log_scale + step, -0.9), 1.38)
            if abs(step) < 1e-4:
                break
        out[f, 0] = math.exp(log_scale)
        out[f, 1] = 1.0 / math.sqrt(information) if information > 0.0 else math.inf


@inner
def _width_terms(
    frame: NDArray[Any], cx: float, cy: float, level: float, left: int, top: int, rows: int, columns: int,
    profile: Floats, scale: float, reach: float, variance: float, inv_gain: float, table: Floats,
    gx: Floats, gy: Floats, dx: Floats, dy: Floats,
) -> tuple[float, float]:  # fmt: skip
    """Gradient and information on the logarithm of the width from one star, its flux fitted along."""
    light, slope = np.zeros((rows, columns)), np.zeros((rows, columns))
    for k in range(profile.shape[0]):
        sx, sy = profile[k, 1] * scale, profile[k, 2] * scale
        _bins(cx, left, columns, sx, table[0], gx)
        _bins(cy, top, rows, sy, table[0], gy)
        _widening(cx, left, columns, sx, table[1], dx)
        _widening(cy, top, rows, sy, table[1], dy)
        for j in range(rows):
            for i in range(columns):
                light[j, i] += profile[k, 0] * gy[j] * gx[i]
                slope[j, i] += profile[k, 0] * (dy[j] * gx[i] + gy[j] * dx[i])
    flux = 0.0
    gradient = information = 0.0
    for _ in range(2):  # the second time with the photons of the star in the weights
        pp = pq = qq = pd = qd = 0.0
        signal = max(flux, 0.0) * inv_gain
        for j in range(rows):
            for i in range(columns):
                value = float(frame[top + j, left + i]) - level
                d2 = (left + i - cx) * (left + i - cx) + (top + j - cy) * (top + j - cy)
                if d2 > reach * reach or not math.isfinite(value):
                    continue
                p, q = light[j, i], slope[j, i]
                w = 1.0 / (variance + signal * p)
                pp += w * p * p
                pq += w * p * q
                qq += w * q * q
                pd += w * p * value
                qd += w * q * value
        if not pp > 0.0 or not pd > 0.0:
            return 0.0, 0.0
        flux = pd / pp
        gradient = flux * (qd - pq * flux)
        information = flux * flux * (qq - pq * pq / pp)
    if flux * math.sqrt(pp) < 3.0:
        return 0.0, 0.0
    return gradient, information


@kernel
def cut_block(
    frames: NDArray[Any], left: NDArray[np.int64], top: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    """Copy boxes with corners at `left`, `top` (n, s) to `out` (n, s, h, w); NaN off the frame."""
    height, width = frames.shape[1], frames.shape[2]
    for f in range(frames.shape[0]):
        for s in range(left.shape[1]):
            for j in range(out.shape[2]):
                row = top[f, s] + j
                for i in range(out.shape[3]):
                    column = left[f, s] + i
                    inside = 0 <= row < height and 0 <= column < width
                    out[f, s, j, i] = frames[f, row, column] if inside else np.float32(np.nan)


@kernel
def developed_boxes(
    frames: NDArray[Any],
    response: NDArray[np.float32],
    offset: NDArray[np.float32],
    scale: NDArray[np.float32],
    defect: NDArray[np.bool_],
    left: NDArray[np.int64],
    top: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """As `cut_block`, of recorded frames developed on the way."""
    for s in range(left.shape[1]):  # star by star: masters around one stay in the nearest cache
        for f in range(frames.shape[0]):
            gather(frames[f], response, offset, scale, defect, left[f, s], top[f, s], out[f, s])
