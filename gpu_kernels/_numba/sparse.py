"""Star fits on pixels of which only some are recorded, or each has one colour, compiled by numba."""

import math

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.stars import DIVERGED, FAINT, OFF, SEEN, _profile

Floats = NDArray[np.float64]

ROUNDS = 15
LEAST_PIXELS = 8
"""Recorded pixels that a fit needs."""


@inner
def _equations(
    box: Floats,
    colour: Floats,
    step: int,
    first: NDArray[np.int64],
    start: NDArray[np.int64],
    px: Floats,
    dx: Floats,
    py: Floats,
    dy: Floats,
    star: Floats,
    noise: Floats,
    sums: Floats,
    normal: Floats,
) -> int:
    """Fill `normal` (3, 4): equations for flux, x, y with the sky of each kind of pixel eliminated.

    Returns how many pixels are recorded. `sums` (4, 5) is scratch: by kind, weight and weighted flux
    profile, slopes, value.
    """
    size = px.size
    sums[:] = 0.0
    normal[:] = 0.0
    count = 0
    term = np.empty(4)
    for i in range(size):
        row = start[0] + i
        if step == 1 and (first[0] + row) % 2 != 0:
            continue
        for j in range(size):
            column = start[1] + j
            value = box[row, column]
            if not math.isfinite(value):
                continue
            kind = ((first[0] + row) % 2) * 2 + (first[1] + column) % 2 if step == 2 else 0
            share = colour[kind]
            term[0] = share * py[i] * px[j]
            term[1] = star[0] * share * py[i] * dx[j]
            term[2] = star[0] * share * dy[i] * px[j]
            term[3] = value
            weight = 1.0 / (noise[0] + noise[1] * max(star[0] * term[0], 0.0))
            sums[kind, 0] += weight
            for a in range(4):
                sums[kind, a + 1] += weight * term[a]
            for a in range(3):
                for b in range(4):
                    normal[a, b] += weight * term[a] * term[b]
            count += 1
    for kind in range(4):
        if sums[kind, 0] > 0.0:
            for a in range(3):
                for b in range(4):
                    normal[a, b] -= sums[kind, a + 1] * sums[kind, b + 1] / sums[kind, 0]
    return count


@inner
def _solve3(normal: Floats, flux: float, out: Floats) -> bool:
    """Steps of flux, x, y into `out[:3]`, their variances into `out[3:]`."""
    a, b, c = normal[0, 0], normal[0, 1], normal[0, 2]
    d, e, f = normal[1, 1], normal[1, 2], normal[2, 2]
    m00, m01, m02 = d * f - e * e, c * e - b * f, b * e - c * d
    m11, m12, m22 = a * f - c * c, b * c - a * e, a * d - b * b
    det = a * m00 + b * m01 + c * m02
    if not det > 0.0:
        return False
    r0, r1, r2 = normal[0, 3] - a * flux, normal[1, 3] - b * flux, normal[2, 3] - c * flux
    out[0] = (m00 * r0 + m01 * r1 + m02 * r2) / det
    out[1] = (m01 * r0 + m11 * r1 + m12 * r2) / det
    out[2] = (m02 * r0 + m12 * r1 + m22 * r2) / det
    out[3], out[4], out[5] = m00 / det, m11 / det, m22 / det
    return True


@inner
def _fit(
    box: Floats,
    colour: Floats,
    step: int,
    first: NDArray[np.int64],
    place: Floats,
    sigma: float,
    half: int,
    noise: Floats,
    out: Floats,
) -> int:
    """Fit one star; `out` (6,): x, y, flux, their errors. Returns the outcome."""
    size = 2 * half + 1
    px, dx, py, dy = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    sums, normal, steps = np.empty((4, 5)), np.empty((3, 4)), np.empty(6)
    start = np.empty(2, np.int64)
    star = np.array([0.0, place[0], place[1]])
    out[:] = math.nan
    for iteration in range(ROUNDS):
        start[0] = int(math.floor(star[2] + 0.5)) - half
        start[1] = int(math.floor(star[1] + 0.5)) - half
        if start[0] < 0 or start[1] < 0 or max(start[0], start[1]) + size > box.shape[0]:
            return DIVERGED
        _profile(star[1], start[1], size, sigma, px, dx)
        _profile(star[2], start[0], size, sigma, py, dy)
        if (
            _equations(box, colour, step, first, start, px, dx, py, dy, star, noise, sums, normal)
            < LEAST_PIXELS
        ):
            return OFF
        if iteration == 0:
            star[0] = normal[0, 3] / normal[0, 0] if normal[0, 0] > 0.0 else -1.0
            if not star[0] > 0.0:
                return FAINT
            continue
        if not _solve3(normal, star[0], steps):
            return DIVERGED
        star[0] += steps[0]
        if not star[0] > 0.0:
            return FAINT
        for k in (1, 2):
            star[k] += min(max(steps[k], -0.5), 0.5)
        if iteration > 1 and abs(steps[1]) < 1e-4 and abs(steps[2]) < 1e-4:
            break
    out[0], out[1], out[2] = star[1], star[2], star[0]
    for k in range(3):
        out[3 + k] = math.sqrt(max(steps[3 + (k + 1) % 3], 0.0))
    return SEEN


@kernel
def fit_sparse_boxes(
    boxes: Floats,
    colours: Floats,
    step: int,
    first: NDArray[np.int64],
    places: Floats,
    sigma: float,
    half: int,
    noise: Floats,
    out: Floats,
    status: NDArray[np.int64],
) -> None:
    """Fit one star in each box (n, m, m); `out` (n, 6): x, y, flux and their errors, in the box.

    Pixels are of four kinds by the parity of row and column (`step` 2), or of one kind on rows of even
    parity (`step` 1); `first` (n, 2) is row and column of each box's corner, rows from a recorded one.
    """
    for s in range(boxes.shape[0]):
        if not (math.isfinite(places[s, 0]) and math.isfinite(places[s, 1])):
            out[s] = math.nan
            status[s] = OFF
            continue
        status[s] = _fit(boxes[s], colours[s], step, first[s], places[s], sigma, half, noise, out[s])
