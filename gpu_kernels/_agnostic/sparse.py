"""Star fits on pixels of which only some are recorded, or each has one colour; all stars at once."""

from typing import Any

import numpy as np

from gpu_kernels._agnostic.gather import nearest
from gpu_kernels._agnostic.stars import profile
from gpu_kernels._numba.sparse import LEAST_PIXELS, ROUNDS
from gpu_kernels._numba.stars import DIVERGED, FAINT, OFF, SEEN
from gpu_kernels.device import Array, namespace, to_device

_UNDECIDED = -1


def fit_boxes(
    boxes: Array, colours: Array, step: int, first: tuple[Array, Array], x: Array, y: Array, sigma: float,
    variance: float, inv_gain: float, half: int,
) -> tuple[list[Array], Array]:  # fmt: skip
    """x, y, flux and their errors (n,), in the box, and the status; `first`: corners' rows and columns."""
    xp = namespace(boxes)
    known = xp.isfinite(x) & xp.isfinite(y)
    x, y, flux = xp.where(known, x, 0.0), xp.where(known, y, 0.0), xp.zeros_like(x)
    status = xp.where(known, xp.full_like(x, _UNDECIDED, dtype=xp.int64), OFF)
    errors = [xp.full_like(x, xp.nan) for _ in range(3)]
    side = 2 * half + 1
    for iteration in range(ROUNDS):
        left, top = nearest(x, xp) - half, nearest(y, xp) - half
        off = (left < 0) | (top < 0) | (xp.maximum(left, top) + side > boxes.shape[1])
        status = xp.where((status == _UNDECIDED) & off, DIVERGED, status)
        noise = (variance, inv_gain)
        normal, count = _equations(
            boxes, colours, step, first, (left, top), (x, y, flux), sigma, side, noise, xp
        )
        status = xp.where((status == _UNDECIDED) & (count < LEAST_PIXELS), OFF, status)
        if iteration == 0:
            light = normal[0][0] > 0.0
            flux = xp.where(light, normal[0][3] / xp.where(light, normal[0][0], 1.0), -1.0)
            status = xp.where((status == _UNDECIDED) & ~(flux > 0.0), FAINT, status)
            continue
        steps, variances, solved = _solve(normal, flux, xp)
        status = xp.where((status == _UNDECIDED) & ~solved, DIVERGED, status)
        on = status == _UNDECIDED
        flux = xp.where(on, flux + steps[0], flux)
        status = xp.where(on & ~(flux > 0.0), FAINT, status)
        on = status == _UNDECIDED
        x = xp.where(on, x + xp.clip(steps[1], -0.5, 0.5), x)
        y = xp.where(on, y + xp.clip(steps[2], -0.5, 0.5), y)
        found = (variances[1], variances[2], variances[0])
        errors = [
            xp.where(on, xp.sqrt(xp.maximum(new, 0.0)), old) for new, old in zip(found, errors, strict=True)
        ]
        if iteration > 1:
            still = (xp.abs(steps[1]) < 1e-4) & (xp.abs(steps[2]) < 1e-4)
            status = xp.where(on & still, SEEN, status)
        if not bool(xp.any(status == _UNDECIDED)):
            break
    status = xp.where(status == _UNDECIDED, SEEN, status)
    good = status == SEEN
    return [xp.where(good, part, xp.nan) for part in (x, y, flux, *errors)], status


def _equations(
    boxes: Array, colours: Array, step: int, first: tuple[Array, Array], corner: tuple[Array, Array],
    star: tuple[Array, Array, Array], sigma: float, side: int,
    noise: tuple[float, float], xp: Any,
) -> tuple[list[list[Array]], Array]:  # fmt: skip
    """Equations (3 x 4 of (n,)) for flux, x, y, each kind's sky eliminated, and the recorded pixels."""
    (left, top), (x, y, flux) = corner, star
    n, size = boxes.shape[:2]
    px, dx = profile(x, left, side, sigma, xp)
    py, dy = profile(y, top, side, sigma, xp)
    at = to_device(np.arange(px.shape[1]), boxes)
    rows, columns = top[:, None] + at, left[:, None] + at
    place = (xp.clip(rows, 0, size - 1) * size)[:, :, None] + xp.clip(columns, 0, size - 1)[:, None, :]
    place = place + to_device(np.arange(n) * size * size, boxes)[:, None, None]
    values = xp.reshape(xp.take(xp.reshape(boxes, (-1,)), xp.reshape(place, (-1,)), axis=0), place.shape)
    used = xp.isfinite(values)
    values = xp.where(used, values, 0.0)
    down, across = (rows + first[0][:, None]) % 2, (columns + first[1][:, None]) % 2
    kind = 2 * down[:, :, None] + across[:, None, :]
    if step == 1:
        used, kind = used & (down == 0)[:, :, None], kind * 0
    kinds = [xp.astype(kind == k, xp.float64) for k in range(4)]
    share = sum(colours[:, k][:, None, None] * kinds[k] for k in range(4))
    amount = flux[:, None, None]
    terms = (
        share * py[:, :, None] * px[:, None, :],
        amount * share * py[:, :, None] * dx[:, None, :],
        amount * share * dy[:, :, None] * px[:, None, :],
        values,
    )
    weight = 1.0 / (noise[0] + noise[1] * xp.maximum(amount * terms[0], 0.0))
    weight = xp.where(used, weight, 0.0)
    normal = [[xp.sum(weight * terms[a] * terms[b], axis=(1, 2)) for b in range(4)] for a in range(3)]
    for one in kinds:
        part = weight * one
        total = xp.sum(part, axis=(1, 2))
        safe = xp.where(total > 0.0, total, 1.0)
        sums = [xp.sum(part * term, axis=(1, 2)) for term in terms]
        normal = [[normal[a][b] - sums[a] * sums[b] / safe for b in range(4)] for a in range(3)]
    return normal, xp.sum(xp.astype(used, xp.int64), axis=(1, 2))


def _solve(normal: list[list[Array]], flux: Array, xp: Any) -> tuple[list[Array], list[Array], Array]:
    """Steps of flux, x, y, their variances, and where there are any."""
    (a, b, c, r0), (_, d, e, r1), (_, _, f, r2) = normal
    m00, m01, m02 = d * f - e * e, c * e - b * f, b * e - c * d
    m11, m12, m22 = a * f - c * c, b * c - a * e, a * d - b * b
    det = a * m00 + b * m01 + c * m02
    regular = det > 0.0
    det = xp.where(regular, det, 1.0)
    r0, r1, r2 = r0 - a * flux, r1 - b * flux, r2 - c * flux
    steps = [
        (m00 * r0 + m01 * r1 + m02 * r2) / det,
        (m01 * r0 + m11 * r1 + m12 * r2) / det,
        (m02 * r0 + m12 * r1 + m22 * r2) / det,
    ]
    return steps, [m00 / det, m11 / det, m22 / det], regular
