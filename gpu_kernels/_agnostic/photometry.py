"""Exact apertures and the clipped sky around stars, batched over frames and stars."""

import math
from typing import Any

from gpu_kernels._agnostic.gather import nearest, windows
from gpu_kernels._agnostic.special import erf
from gpu_kernels.device import Array, namespace

FAR = 1e6
"""Places are held within this of the frame, so that the whole pixel nearest to each can be counted."""

MAX_ROUNDS = 10
FEW = 8
MAD_TO_SIGMA = 1.482602218505602  # 1 / Phi^-1(3/4)


def around(frames: Array, x: Array, y: Array, reach: float, xp: Any) -> tuple[Array, Array, Array, Array]:
    """Values of the pixels within `reach` of each place (n, s), which of them there are, their offsets."""
    known = xp.isfinite(x) & xp.isfinite(y)
    column = nearest(xp.clip(xp.where(known, x, -FAR), -FAR, FAR), xp)
    row = nearest(xp.clip(xp.where(known, y, -FAR), -FAR, FAR), xp)
    half = math.ceil(reach) + 1
    values, inside = windows(frames, column - half, row - half, 2 * half + 1, xp)
    step = xp.cumulative_sum(xp.ones_like(values[0, 0, 0, :])) - (half + 1.0)
    dx = (xp.astype(column, xp.float64) - xp.where(known, x, 0.0))[..., None] + step
    dy = (xp.astype(row, xp.float64) - xp.where(known, y, 0.0))[..., None] + step
    return values, inside, dx, dy


def aperture_sums(frames: Array, x: Array, y: Array, radii: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """Sums, areas and peaks, (n, s, r); see `gpu_kernels.photometry`.

    The overlap of circle and pixel is the second difference of the area that the circle shares with the
    rectangle between its centre and a corner.
    """
    xp = namespace(frames)
    if 0 in x.shape or 0 in frames.shape:
        empty = xp.stack([xp.zeros_like(x) for _ in radii], axis=-1)
        return empty, empty, empty
    values, inside, dx, dy = around(frames, x, y, radii[-1] + 0.5, xp)
    known = xp.isfinite(x) & xp.isfinite(y)
    lost = xp.where(known, xp.zeros_like(x), xp.nan)
    sums, areas, peaks = [], [], []
    for radius in radii:
        weight = xp.where(inside, overlaps(dx, dy, radius, xp), 0.0)
        touched = weight > 0.0
        sums.append(xp.sum(weight * xp.where(touched, values, 0.0), axis=(-2, -1)) + lost)
        areas.append(xp.sum(weight, axis=(-2, -1)) + lost)
        seen = touched & ~xp.isnan(values)
        peaks.append(xp.max(xp.where(seen, values, -xp.inf), axis=(-2, -1)) + lost)
    return xp.stack(sums, axis=-1), xp.stack(areas, axis=-1), xp.stack(peaks, axis=-1)


def aperture_squares(frames: Array, x: Array, y: Array, radii: tuple[float, ...]) -> Array:
    """Sums (n, s, r) of pixels within circles, weighted by the squares of their overlaps."""
    xp = namespace(frames)
    if 0 in x.shape or 0 in frames.shape:
        return xp.stack([xp.zeros_like(x) for _ in radii], axis=-1)
    values, inside, dx, dy = around(frames, x, y, radii[-1] + 0.5, xp)
    lost = xp.where(xp.isfinite(x) & xp.isfinite(y), xp.zeros_like(x), xp.nan)
    sums = []
    for radius in radii:
        weight = xp.where(inside, overlaps(dx, dy, radius, xp), 0.0)
        sums.append(xp.sum(weight * weight * xp.where(weight > 0.0, values, 0.0), axis=(-2, -1)) + lost)
    return xp.stack(sums, axis=-1)


def ring_squares(frames: Array, x: Array, y: Array, radii: tuple[float, ...]) -> Array:
    """Sums (n, s, r) of pixels of rings, each from a circle to the one before it, by squares of overlaps."""
    xp = namespace(frames)
    if 0 in x.shape or 0 in frames.shape:
        return xp.stack([xp.zeros_like(x) for _ in radii], axis=-1)
    values, inside, dx, dy = around(frames, x, y, radii[-1] + 0.5, xp)
    lost = xp.where(xp.isfinite(x) & xp.isfinite(y), xp.zeros_like(x), xp.nan)
    sums, before = [], xp.zeros_like(values)
    for radius in radii:
        within = xp.where(inside, overlaps(dx, dy, radius, xp), 0.0)
        weight = within - before
        sums.append(xp.sum(weight * weight * xp.where(weight > 0.0, values, 0.0), axis=(-2, -1)) + lost)
        before = within
    return xp.stack(sums, axis=-1)


def overlaps(dx: Array, dy: Array, radius: float, xp: Any) -> Array:
    """Area of each pixel, centre (dx, dy) from a circle's, that the circle covers; (..., rows, columns)."""
    edges_x = xp.concat([dx - 0.5, dx[..., -1:] + 0.5], axis=-1)[..., None, :]
    edges_y = xp.concat([dy - 0.5, dy[..., -1:] + 0.5], axis=-1)[..., :, None]
    shared = _from_centre(edges_x, edges_y, radius, xp)
    across = shared[..., :, 1:] - shared[..., :, :-1]
    area = xp.clip(across[..., 1:, :] - across[..., :-1, :], 0.0, 1.0)
    near = _square(dx, -0.5, xp)[..., None, :] + _square(dy, -0.5, xp)[..., :, None]
    far = _square(dx, 0.5, xp)[..., None, :] + _square(dy, 0.5, xp)[..., :, None]
    area = xp.where(far <= radius * radius, 1.0, area)
    return xp.where(near < radius * radius, area, 0.0)


def _square(distance: Array, more: float, xp: Any) -> Array:
    edge = xp.maximum(xp.abs(distance) + more, 0.0)
    return edge * edge


def _from_centre(x: Array, y: Array, radius: float, xp: Any) -> Array:
    """Signed area shared by the disc about 0 and the rectangle from 0 to (x, y); odd in x and in y."""
    a, b = xp.minimum(xp.abs(x), radius), xp.minimum(xp.abs(y), radius)
    arc_at = xp.minimum(xp.sqrt((radius - b) * (radius + b)), a)  # where the top edge meets the arc
    area = arc_at * b + _under_arc(a, radius, xp) - _under_arc(arc_at, radius, xp)
    return xp.sign(x) * xp.sign(y) * area


def _under_arc(t: Array, radius: float, xp: Any) -> Array:
    """Integral of sqrt(radius^2 - u^2) from 0 to t."""
    root = xp.sqrt((radius - t) * (radius + t))
    return 0.5 * (t * root + radius * radius * xp.atan2(t, root))


def clipped_sky(
    frames: Array, x: Array, y: Array, inner: float, outer: float, clip: float, least: int
) -> tuple[Array, Array, Array]:
    """Clipped mean, sigma and number kept (n, s) of the annulus; see `gpu_kernels.photometry.measure`."""
    xp = namespace(frames)
    if 0 in x.shape or 0 in frames.shape:
        return xp.zeros_like(x), xp.zeros_like(x), xp.astype(xp.zeros_like(x), xp.int64)
    values, inside, dx, dy = around(frames, x, y, outer, xp)
    square = (dx * dx)[..., None, :] + (dy * dy)[..., :, None]
    used = inside & xp.isfinite(values) & (square >= inner * inner) & (square < outer * outer)
    used = used & (xp.isfinite(x) & xp.isfinite(y))[..., None, None]
    shape = (*x.shape, values.shape[-1] * values.shape[-2])
    values, used = xp.reshape(values, shape), xp.reshape(used, shape)
    count = xp.sum(xp.astype(used, xp.int64), axis=-1)
    enough = count >= least
    used = used & enough[..., None]
    start = remedian(values, used, xp)
    away = xp.abs(values - start[..., None])
    if frames.dtype != xp.float64:  # as exact as the pixels are: the compiled texts keep them so
        away = xp.astype(xp.astype(away, xp.float32), xp.float64)
    mad = remedian(away, used, xp)
    mean, sigma, kept = _iterated(xp.where(used, values, 0.0), used, start, mad, clip, xp)
    return xp.where(enough, mean, xp.nan), xp.where(enough, sigma, xp.nan), xp.where(enough, kept, 0)


def remedian(values: Array, used: Array, xp: Any) -> Array:
    """Medians of three, of three, ... of the values used, in their order, until `FEW` are left; NaN of none.

    Rousseeuw & Bassett 1990, JASA 85, 97. The three lie a third of the list apart.
    """
    order = xp.argsort(xp.astype(~used, xp.int8), axis=-1, stable=True)
    listed = xp.take_along_axis(xp.where(used, values, xp.inf), order, axis=-1)
    count = xp.sum(xp.astype(used, xp.int64), axis=-1, keepdims=True)
    place = xp.cumulative_sum(xp.ones_like(order), axis=-1) - 1
    while bool(xp.any(count > FEW)):
        third = count // 3
        last = listed.shape[-1] - 1
        a, b, c = (xp.take_along_axis(listed, xp.clip(place + k * third, 0, last), axis=-1) for k in range(3))
        middle = xp.maximum(xp.minimum(a, b), xp.minimum(xp.maximum(a, b), c))
        more = count > FEW
        listed = xp.where(more, middle, listed)
        count = xp.where(more, third, count)
    ranked = xp.sort(xp.where(place < count, listed, xp.inf), axis=-1)
    low = xp.take_along_axis(ranked, xp.maximum((count - 1) // 2, 0), axis=-1)
    high = xp.take_along_axis(ranked, xp.clip(count // 2, 0, ranked.shape[-1] - 1), axis=-1)
    both = xp.where(count > 0, low, 0.0) + xp.where(count > 0, high, 0.0)
    return xp.where(count > 0, 0.5 * both, xp.nan)[..., 0]


def masked_median(values: Array, used: Array, xp: Any) -> Array:
    """Median along the last axis of the values that are used; NaN where there are none."""
    ranked = xp.sort(xp.where(used, values, xp.inf), axis=-1)
    count = xp.sum(xp.astype(used, xp.int64), axis=-1, keepdims=True)
    low = xp.take_along_axis(ranked, xp.maximum((count - 1) // 2, 0), axis=-1)
    high = xp.take_along_axis(ranked, xp.clip(count // 2, 0, values.shape[-1] - 1), axis=-1)
    both = xp.where(count > 0, low, 0.0) + xp.where(count > 0, high, 0.0)
    return xp.where(count > 0, 0.5 * both, xp.nan)[..., 0]


def _iterated(
    values: Array, used: Array, median: Array, mad: Array, clip: float, xp: Any
) -> tuple[Array, Array, Array]:
    """Mean, sigma and number kept, clipped until nothing changes; moments are taken about the median."""
    step = _step(values, used, median[..., None], xp)
    deviation = values - median[..., None]
    mean, sigma = median, MAD_TO_SIGMA * mad
    kept, first, second = xp.full_like(mad, -1.0), xp.zeros_like(mad), xp.zeros_like(mad)
    done = xp.isnan(mad)
    for _ in range(MAX_ROUNDS):
        reach = clip * xp.sqrt(sigma * sigma + step * step)
        low, high = (mean - reach)[..., None], (mean + reach)[..., None]
        within = used & (values >= low) & (values <= high)
        number = xp.sum(xp.astype(within, xp.float64), axis=-1)
        one = xp.sum(xp.where(within, deviation, 0.0), axis=-1)
        two = xp.sum(xp.where(within, deviation * deviation, 0.0), axis=-1)
        done = done | ((number == kept) & (one == first) & (two == second))
        if bool(xp.all(done)):
            break
        kept, first, second = (
            xp.where(done, kept, number), xp.where(done, first, one), xp.where(done, second, two)
        )  # fmt: skip
        some = xp.maximum(number, 1.0)
        ratio = xp.where(sigma > 0.0, reach / xp.where(sigma > 0.0, sigma, 1.0), xp.inf)
        spread = xp.maximum((two - one * one / some) / xp.maximum(number - 1.0, 1.0), 0.0)
        mean = xp.where(done, mean, median + one / some)
        sigma = xp.where(done, sigma, truncation_factor(ratio, xp) * xp.sqrt(spread))
    return mean, sigma, xp.astype(kept, xp.int64)


def _step(values: Array, used: Array, median: Array, xp: Any) -> Array:
    """Distance between neighbouring levels at the median: the step of digitisation, if there is one."""
    above = xp.min(xp.where(used & (values > median), values, xp.inf), axis=-1)
    below = xp.max(xp.where(used & (values < median), values, -xp.inf), axis=-1)
    at = xp.any(used & (values == median), axis=-1)
    middle = median[..., 0]
    step = xp.where(at, xp.minimum(above - middle, middle - below), above - below)
    return xp.where(xp.isfinite(step), step, 0.0)


def truncation_factor(clip: Array, xp: Any) -> Array:
    """Sigma of a Gaussian over the standard deviation of its part within `clip` sigma of its mean."""
    k = xp.minimum(clip, 9.0)
    density = xp.exp(-0.5 * k * k) / math.sqrt(2.0 * math.pi)
    return xp.where(clip > 8.0, 1.0, 1.0 / xp.sqrt(1.0 - 2.0 * k * density / erf(k / math.sqrt(2.0), xp)))
