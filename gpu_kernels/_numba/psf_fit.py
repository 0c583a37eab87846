"""Fluxes of close stars fitted together at given places, compiled by numba.

The weights do not depend on the data, so each flux is a linear, unbiased estimate; its variance is that of
the estimate at the fitted fluxes, not that of the weights.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.extraction import rim_weight, star_profile

Floats = NDArray[np.float64]


@inner
def _invert(a: Floats, n: int) -> bool:
    """Invert the positive definite leading n x n block of `a` in place (Gauss-Jordan, diagonal pivots)."""
    for k in range(n):
        pivot = a[k, k]
        if not pivot > 1e-12 * a[n, k]:
            return False
        inverse = 1.0 / pivot
        a[k, k] = 1.0
        for j in range(n):
            a[k, j] *= inverse
        for i in range(n):
            if i != k:
                factor = a[i, k]
                a[i, k] = 0.0
                for j in range(n):
                    a[i, j] -= factor * a[k, j]
    return True


@kernel
def fit_block(
    frames: NDArray[Any],
    x: Floats,
    y: Floats,
    sky: Floats,
    sky_count: Floats,
    pixel_variance: Floats,
    inv_gain: float,
    groups: NDArray[np.int64],
    scales: Floats,
    profile: Floats,
    softening: float,
    radius: float,
    table: Floats,
    out: Floats,
) -> None:
    """Fill `out` (n, s, 5): flux, variance, local sky, share of the weight seen, peak, of each grouped star.

    `groups` (g, m): stars fitted together, -1 beyond the last. `pixel_variance` (n, s): of a sky pixel. The
    annulus' sky enters as one measurement of the local sky, `sky_count` pixels strong.
    """
    height, width = frames.shape[1], frames.shape[2]
    most = groups.shape[1]
    a, b = np.empty((most + 2, most + 1)), np.empty(most + 1)
    m2 = np.empty((most + 1, most + 1))
    row = np.empty(most + 1)
    for f in range(frames.shape[0]):
        reach = radius * scales[f]
        for g in range(groups.shape[0]):
            stars = 0
            known = math.isfinite(reach)
            left = top = 1 << 30
            right = bottom = -(1 << 30)
            for m in range(most):
                s = groups[g, m]
                if s < 0:
                    break
                stars += 1
                for c in range(5):
                    out[f, s, c] = math.nan
                cx, cy = x[f, s], y[f, s]
                if not (math.isfinite(cx) and math.isfinite(cy)):
                    known = False
                    continue
                left, right = min(left, math.ceil(cx - reach - 0.5)), max(right, math.floor(cx + reach + 0.5))
                top, bottom = min(top, math.ceil(cy - reach - 0.5)), max(bottom, math.floor(cy + reach + 0.5))
            if not known or stars == 0:
                continue
            rows, columns = bottom - top + 1, right - left + 1
            if right < 0 or bottom < 0 or left >= width or top >= height:
                for m in range(stars):
                    out[f, groups[g, m], 3] = 0.0
                continue
            gx, gy = np.empty(columns), np.empty(rows)
            light = np.empty((stars, rows, columns))
            mask = np.zeros((rows, columns))
            for m in range(stars):
                s = groups[g, m]
                cx, cy = x[f, s], y[f, s]
                star_profile(cx, cy, left, top, rows, columns, profile, scales[f], table, gx, gy, light[m])
                peak = -np.inf
                total = seen = 0.0
                for j in range(rows):
                    dy2 = (top + j - cy) * (top + j - cy)
                    for i in range(columns):
                        w = rim_weight((left + i - cx) * (left + i - cx) + dy2, reach)
                        if w <= 0.0:
                            continue
                        mask[j, i] = max(mask[j, i], w)
                        p = light[m, j, i]
                        wp = w * p * p / (1.0 + softening * p)
                        total += wp
                        if 0 <= top + j < height and 0 <= left + i < width:
                            value = float(frames[f, top + j, left + i])
                            if math.isfinite(value):
                                seen += wp
                                peak = value if value > peak else peak
                out[f, s, 3] = seen / total if total > 0.0 else 0.0
                out[f, s, 4] = peak
            lead = groups[g, 0]
            level, count = sky[f, lead], sky_count[f, lead]
            if not math.isfinite(level):
                continue
            n = stars + 1
            a[:, :] = 0.0
            b[:] = 0.0
            a[stars, stars] = count
            for j in range(rows):
                for i in range(columns):
                    w = mask[j, i]
                    if w <= 0.0 or not (0 <= top + j < height and 0 <= left + i < width):
                        continue
                    value = float(frames[f, top + j, left + i]) - level
                    if not math.isfinite(value):
                        continue
                    together = 0.0
                    for m in range(stars):
                        row[m] = light[m, j, i]
                        together += row[m]
                    row[stars] = 1.0
                    w /= 1.0 + softening * together
                    for m in range(n):
                        b[m] += w * row[m] * value
                        for k in range(n):
                            a[m, k] += w * row[m] * row[k]
            for k in range(n):
                a[n, k] = a[k, k]
            if not _invert(a, n):
                continue
            for m in range(n):
                total = 0.0
                for k in range(n):
                    total += a[m, k] * b[k]
                row[m] = total
            for m in range(stars):
                out[f, groups[g, m], 0] = row[m]
                out[f, groups[g, m], 2] = level + row[stars]
            variance = pixel_variance[f, lead]
            m2[:, :] = 0.0
            m2[stars, stars] = count * variance
            for j in range(rows):
                for i in range(columns):
                    w = mask[j, i]
                    if w <= 0.0 or not (0 <= top + j < height and 0 <= left + i < width):
                        continue
                    if not math.isfinite(float(frames[f, top + j, left + i])):
                        continue
                    together = photons = 0.0
                    for m in range(stars):
                        together += light[m, j, i]
                        photons += max(row[m], 0.0) * light[m, j, i]
                    w /= 1.0 + softening * together
                    ww = w * w * (variance + inv_gain * photons)
                    for m in range(n):
                        pm = light[m, j, i] if m < stars else 1.0
                        for k in range(n):
                            pk = light[k, j, i] if k < stars else 1.0
                            m2[m, k] += ww * pm * pk
            for m in range(stars):
                total = 0.0
                for k in range(n):
                    for q in range(n):
                        total += a[m, k] * m2[k, q] * a[m, q]
                out[f, groups[g, m], 1] = total
