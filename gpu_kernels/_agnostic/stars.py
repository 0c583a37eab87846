"""Weighted Gaussian fits of stars, batched over the stars of a frame."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic.gather import nearest, windows
from gpu_kernels._agnostic.special import erf
from gpu_kernels._numba.stars import DIVERGED, FAINT, LARGEST_MOVE, OFF, SATURATED, SEEN, SHARP
from gpu_kernels._numba.transform import consensus
from gpu_kernels.device import Array, namespace, on_host, to_device, to_host

Floats = NDArray[np.float64]

ROUNDS = 12
_UNDECIDED = -1


def star_boxes(
    frames: Array, x: Array, y: Array, search: int, sigma: float
) -> tuple[int, Array, Array, Array]:
    """Half width of a fit, corners of the boxes that hold each star's search, and the boxes.

    Frames are (n, height, width), places and corners (n, s), boxes (n s, m, m).
    """
    xp = namespace(frames)
    half = max(2, math.ceil(2.5 * sigma))
    reach = search + half + LARGEST_MOVE
    known = xp.isfinite(x) & xp.isfinite(y)
    left = nearest(xp.where(known, x, 0.0), xp) - reach
    top = nearest(xp.where(known, y, 0.0), xp) - reach
    boxes, _ = windows(frames, left, top, 2 * reach + 1, xp)
    return half, left, top, xp.reshape(boxes, (-1, 2 * reach + 1, 2 * reach + 1))


def fit_boxes(
    boxes: Array, x: Array, y: Array, search: int, sigma: float, half: int, variance: float, inv_gain: float,
    saturation: float,
) -> tuple[Array, Array]:  # fmt: skip
    """Fit the star in each box (n, m, m), starting at (x, y) or at the peak within `search` of it.

    Returns (n, 7): x, y, flux, sky, x_err, y_err, snr, in pixels of the box, and the status (n,).
    """
    xp = namespace(boxes)
    known = xp.isfinite(x) & xp.isfinite(y)
    x, y = xp.where(known, x, 0.0), xp.where(known, y, 0.0)
    if search > 0:
        x, y, seen = _peaks(boxes, x, y, search, half, sigma, xp)
        known = known & seen
    status = xp.where(known, xp.full_like(x, _UNDECIDED, dtype=xp.int64), OFF)
    found, status = _fit(boxes, x, y, status, sigma, half, variance, inv_gain, xp)
    status = _judged(boxes, found, status, variance, saturation, xp)
    good = (status == SEEN) | (status == SATURATED) | (status == SHARP)
    return xp.where(good[:, None], xp.stack(found, axis=1), xp.nan), status


def _peaks(
    boxes: Array, x: Array, y: Array, search: int, half: int, sigma: float, xp: Any
) -> tuple[Array, Array, Array]:
    """Pixel of the largest smoothed value within `search` of each place, and whether there is one."""
    size = boxes.shape[-1]
    column = xp.clip(nearest(x, xp) - search, half, size - 2 * search - half - 1) + search
    row = xp.clip(nearest(y, xp) - search, half, size - 2 * search - half - 1) + search
    finite = xp.isfinite(boxes)
    count = xp.sum(xp.astype(finite, xp.float64), axis=(1, 2))
    mean = xp.sum(xp.where(finite, boxes, 0.0), axis=(1, 2)) / xp.maximum(count, 1.0)
    smooth = xp.where(finite, boxes - mean[:, None, None], 0.0)
    kernel = [math.exp(-0.5 * ((j - half) / sigma) ** 2) for j in range(2 * half + 1)]
    inner = size - 2 * half
    smooth = sum(k * smooth[:, :, j : j + inner] for j, k in enumerate(kernel))
    smooth = sum(k * smooth[:, j : j + inner, :] for j, k in enumerate(kernel))
    at = to_device(np.arange(inner) + half, boxes)
    far = (at[None, :] - column[:, None])[:, None, :] ** 2 + (at[None, :] - row[:, None])[:, :, None] ** 2
    near = (far <= search * search) & finite[:, half : half + inner, half : half + inner]
    score = xp.reshape(xp.where(near, smooth, -xp.inf), (-1, inner * inner))
    best = xp.argmax(score, axis=1)
    seen = xp.any(xp.reshape(near, (-1, inner * inner)), axis=1) & (count > 0)
    return (
        xp.astype(best % inner + half, xp.float64),
        xp.astype(best // inner + half, xp.float64),
        seen,
    )


def _fit(
    boxes: Array, x: Array, y: Array, status: Array, sigma: float, half: int, variance: float,
    inv_gain: float, xp: Any,
) -> tuple[list[Array], Array]:  # fmt: skip
    """Gauss-Newton with weights renewed from the model; each star stops by itself."""
    flux, sky = xp.zeros_like(x), xp.zeros_like(x)
    start_x, start_y = x, y
    left, top = nearest(x, xp) - half, nearest(y, xp) - half
    errors = [xp.full_like(x, xp.nan) for _ in range(3)]
    for iteration in range(ROUNDS):
        off = (left < 0) | (top < 0)
        off = off | (left + 2 * half + 1 > boxes.shape[2]) | (top + 2 * half + 1 > boxes.shape[1])
        status = xp.where((status == _UNDECIDED) & off, OFF, status)
        model = (x, y, flux, sky)
        normal, right, missing = _equations(boxes, left, top, model, sigma, half, variance, inv_gain, xp)
        status = xp.where((status == _UNDECIDED) & (missing > 0.02), OFF, status)
        active = status == _UNDECIDED
        if iteration == 0:
            a, b, c = normal[0][0], normal[0][3], normal[3][3]
            regular = a * c - b * b > 0.0
            safe = xp.where(regular, a * c - b * b, 1.0)
            flux = xp.where(active, (right[0] * c - right[3] * b) / safe, flux)
            sky = xp.where(active, (right[3] * a - right[0] * b) / safe, sky)
            status = xp.where(active & ~regular, DIVERGED, status)
            status = xp.where((status == _UNDECIDED) & ~(flux > 0.0), FAINT, status)
            continue
        step, inverse, solved = _solve(normal, right, xp)
        status = xp.where(active & ~solved, DIVERGED, status)
        active = status == _UNDECIDED
        flux = xp.where(active, flux + step[0], flux)
        status = xp.where(active & ~(flux > 0.0), FAINT, status)
        active = status == _UNDECIDED
        step_x, step_y = xp.clip(step[1], -1.0, 1.0), xp.clip(step[2], -1.0, 1.0)
        x, y = xp.where(active, x + step_x, x), xp.where(active, y + step_y, y)
        sky = xp.where(active, sky + step[3], sky)
        errors = [xp.where(active, xp.sqrt(xp.maximum(inverse[k], 1e-300)), errors[k]) for k in range(3)]
        wandered = (xp.abs(x - start_x) > LARGEST_MOVE) | (xp.abs(y - start_y) > LARGEST_MOVE)
        status = xp.where(active & wandered, DIVERGED, status)
        active = status == _UNDECIDED
        if iteration >= 2:
            still = (xp.abs(step_x) < 1e-4) & (xp.abs(step_y) < 1e-4)
            status = xp.where(active & still, SEEN, status)
        if iteration == ROUNDS - 1:
            status = xp.where(status == _UNDECIDED, SEEN, status)
        if not bool(xp.any(status == _UNDECIDED)):
            break
        off_centre = xp.maximum(
            xp.abs(x - xp.astype(left, x.dtype) - half), xp.abs(y - xp.astype(top, y.dtype) - half)
        )
        moved = (status == _UNDECIDED) & (off_centre > 0.75)
        left = xp.where(moved, nearest(x, xp) - half, left)
        top = xp.where(moved, nearest(y, xp) - half, top)
    return [x, y, flux, sky, errors[1], errors[2], flux / errors[0]], status


def _equations(
    boxes: Array, left: Array, top: Array, model: tuple[Array, Array, Array, Array], sigma: float, half: int,
    variance: float, inv_gain: float, xp: Any,
) -> tuple[list[list[Array]], list[Array], Array]:  # fmt: skip
    """Normal matrix (4 x 4 of (n,)), right side (4 of (n,)) and the star's light on missing pixels."""
    x, y, flux, sky = model
    n, side, width = boxes.shape[0], 2 * half + 1, boxes.shape[2]
    step = to_device(np.arange(side), boxes)
    column = xp.clip(left[:, None] + step, 0, width - 1)
    row = xp.clip(top[:, None] + step, 0, boxes.shape[1] - 1)
    first = to_device(np.arange(n) * (width * boxes.shape[1]), boxes)
    at = first[:, None, None] + (row * width)[:, :, None] + column[:, None, :]
    values = xp.reshape(xp.take(xp.reshape(boxes, (-1,)), xp.reshape(at, (-1,)), axis=0), at.shape)
    px, dx = profile(x, left, side, sigma, xp)
    py, dy = profile(y, top, side, sigma, xp)
    light = py[:, :, None] * px[:, None, :]
    there = xp.isfinite(values)
    missing = xp.sum(xp.where(there, 0.0, light), axis=(1, 2))
    amount = flux[:, None, None]
    weight = 1.0 / (variance + xp.maximum(amount, 0.0) * inv_gain * light)
    weight = xp.where(there, weight, 0.0)
    residual = xp.where(there, values, 0.0) - sky[:, None, None] - amount * light
    slopes = (
        light,
        amount * (py[:, :, None] * dx[:, None, :]),
        amount * (dy[:, :, None] * px[:, None, :]),
        xp.ones_like(light),
    )
    weighted = [weight * slope for slope in slopes]
    normal = [[xp.sum(weighted[i] * slopes[j], axis=(1, 2)) for j in range(4)] for i in range(4)]
    return normal, [xp.sum(w * residual, axis=(1, 2)) for w in weighted], missing


def profile(centre: Array, first: Array, side: int, sigma: float, xp: Any) -> tuple[Array, Array]:
    """Light of a unit Gaussian in each of `side` pixels, and its derivative by the centre; (n, side)."""
    edges = to_device(np.arange(side + 1) - 0.5, centre) + xp.astype(first, xp.float64)[:, None]
    edges = (edges - centre[:, None]) / sigma
    below = 0.5 * (1.0 + erf(edges / math.sqrt(2.0), xp))
    density = xp.exp(-0.5 * edges * edges) / (math.sqrt(2.0 * math.pi) * sigma)
    return below[:, 1:] - below[:, :-1], density[:, :-1] - density[:, 1:]


def _solve(normal: list[list[Array]], right: list[Array], xp: Any) -> tuple[list[Array], list[Array], Array]:
    """Solution and diagonal of the inverse of symmetric systems, by Gauss-Jordan with diagonal pivots."""
    a, b = [list(row) for row in normal], list(right)
    regular = xp.isfinite(b[0])
    for k in range(4):
        regular = regular & (a[k][k] > 1e-300)
        inverse = 1.0 / xp.where(a[k][k] > 1e-300, a[k][k], 1.0)
        a[k][k] = xp.ones_like(inverse)
        a[k] = [value * inverse for value in a[k]]
        b[k] = b[k] * inverse
        for i in range(4):
            if i != k:
                factor = a[i][k]
                a[i][k] = xp.zeros_like(factor)
                a[i] = [value - factor * pivot for value, pivot in zip(a[i], a[k], strict=True)]
                b[i] = b[i] - factor * b[k]
    return b, [a[k][k] for k in range(4)], regular


def _judged(
    boxes: Array, found: list[Array], status: Array, variance: float, saturation: float, xp: Any
) -> Array:
    """Status of fitted stars: saturated, lone hot pixels, off the box."""
    n, height, width = boxes.shape
    column, row = (nearest(xp.where(status == SEEN, place, 1.0), xp) for place in found[:2])
    edge = (column < 1) | (row < 1) | (column >= width - 1) | (row >= height - 1)
    column, row = xp.clip(column, 1, width - 2), xp.clip(row, 1, height - 2)
    at = to_device(np.arange(n) * (width * height), boxes) + row * width + column
    flat = xp.reshape(boxes, (-1,))
    peak = xp.take(flat, at, axis=0)
    sides = [xp.take(flat, at + step, axis=0) for step in (-width, width, -1, 1)]
    centre = peak - found[3]
    around = 0.25 * (sides[0] + sides[1] + sides[2] + sides[3]) - found[3]
    sharp = (centre > 8.0 * variance**0.5) & (around < 0.15 * centre)
    verdict = xp.where(sharp, xp.full_like(status, SHARP), SEEN)
    verdict = xp.where(peak >= saturation, SATURATED, verdict)
    verdict = xp.where(edge, OFF, verdict)
    return xp.where(status == SEEN, verdict, status)


def fit_frames(
    frames: Array, x: Array, y: Array, search: int, sigma: float, variance: float, inv_gain: float,
    saturation: float,
) -> tuple[Array, Array]:  # fmt: skip
    """Fits of stars expected at (x, y), (n, s): (n, s, 7) as of `fit_boxes`, pixels of the frame; status."""
    xp = namespace(frames)
    x, y = (xp.astype(to_device(at, frames) if on_host(at) else at, xp.float64) for at in (x, y))
    sigma, variance, inv_gain, saturation = map(float, (sigma, variance, inv_gain, saturation))
    if 0 in x.shape:
        return xp.stack([x] * 7, axis=-1), xp.astype(x, xp.int64)
    half, left, top, boxes = star_boxes(frames, x, y, search, sigma)
    left, top = xp.astype(left, xp.float64), xp.astype(top, xp.float64)
    noise = (variance, inv_gain, saturation)
    start = xp.reshape(x - left, (-1,)), xp.reshape(y - top, (-1,))
    found, status = fit_boxes(boxes, *start, search, sigma, half, *noise)
    corner = xp.stack([left, top] + [xp.zeros_like(left)] * 5, axis=-1)
    return xp.reshape(found, corner.shape) + corner, xp.reshape(status, left.shape)


def refine(
    frame: Array, x: Floats, y: Floats, leaders: int, search: int, nearby: int, sigma: float,
    variance: float, inv_gain: float, saturation: float, agreement: tuple[bool, float, float, float, float],
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.bool_]]:  # fmt: skip
    """Fit stars expected at host places, brightest first, and agree on a transform; all results on the host.

    `agreement` is (rotate, loose_px, floor_px, max_sin, least_snr). The fits are made where the frame is; the
    few numbers they give are compared on the host, star by star.
    """
    rotate, loose, floor, max_sin, least_snr = agreement
    sigma, variance, inv_gain, saturation = map(float, (sigma, variance, inv_gain, saturation))
    places = to_device(x[None, :], frame), to_device(y[None, :], frame)
    half, left, top, boxes = star_boxes(frame[None, ...], *places, search, sigma)
    corner_x, corner_y = (to_host(corner)[0].astype(np.float64) for corner in (left, top))
    p, keep = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(x.size, np.bool_)
    found, status = np.full((x.size, 7), np.nan), np.full(x.size, OFF)
    which, reach = np.arange(x.size) < leaders, search
    start_x, start_y = x - corner_x, y - corner_y
    for stage in range(2):  # the leaders, then the others
        noise = (variance, inv_gain, saturation)
        begin = to_device(start_x, boxes), to_device(start_y, boxes)
        fits, outcome = (to_host(part) for part in fit_boxes(boxes, *begin, reach, sigma, half, *noise))
        found[which], status[which] = fits[which], outcome[which]
        error = np.sqrt(0.5 * (found[:, 4] ** 2 + found[:, 5] ** 2))
        good = (status == SEEN) & (found[:, 6] >= least_snr)
        seen = found[:, 0] + corner_x, found[:, 1] + corner_y
        used = consensus(x, y, *seen, error, good, rotate, floor, loose, max_sin, p, keep)
        if x.size <= leaders:
            break
        if stage == 0 and used >= min(2, leaders):
            reach = nearby
            cx, cy = p[0] * x - p[1] * y + p[2] - corner_x, p[1] * x + p[0] * y + p[3] - corner_y
            close = np.maximum(np.abs(cx - start_x), np.abs(cy - start_y)) <= search
            start_x, start_y = np.where(close, cx, start_x), np.where(close, cy, start_y)
        which = np.arange(x.size) >= leaders
    found[:, 0] += corner_x
    found[:, 1] += corner_y
    return p, found, status, keep
