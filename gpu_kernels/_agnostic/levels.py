"""Median and mode of the sky around stars, batched over frames and stars."""

from typing import Any

from gpu_kernels._agnostic.photometry import around
from gpu_kernels.device import Array, namespace

MAX_ROUNDS = 10


def sky_levels(
    frames: Array, x: Array, y: Array, inner: float, outer: float, clip: float, least: int, mode: bool
) -> tuple[Array, Array, Array]:
    """Level, standard deviation and pixels kept (n, s); see `gpu_kernels.sky.sky_levels`."""
    xp = namespace(frames)
    if 0 in x.shape:
        return x, x, xp.astype(x, xp.int64)
    values, inside, dx, dy = around(frames, x, y, outer, xp)
    square = (dx * dx)[..., None, :] + (dy * dy)[..., :, None]
    used = inside & xp.isfinite(values) & (square >= inner * inner) & (square < outer * outer)
    used = used & (xp.isfinite(x) & xp.isfinite(y))[..., None, None]
    shape = (*x.shape, values.shape[-1] * values.shape[-2])
    ranked = xp.sort(xp.reshape(xp.where(used, values, xp.inf), shape), axis=-1)
    kept = xp.isfinite(ranked)
    enough = _count(kept, xp) >= least
    kept = kept & enough[..., None]
    level, sigma, kept = _rejected(xp.where(kept, ranked, 0.0), kept, clip, mode, xp)
    return (
        xp.where(enough, level, xp.nan),
        xp.where(enough, sigma, xp.nan),
        xp.where(enough, _count(kept, xp), 0),
    )


def _count(kept: Array, xp: Any) -> Array:
    return xp.sum(xp.astype(kept, xp.int64), axis=-1)


def _rejected(values: Array, kept: Array, clip: float, mode: bool, xp: Any) -> tuple[Array, Array, Array]:
    """Level, sigma and what is kept of values that ascend where they are kept."""
    lowest, highest = _ends(values, kept, xp)
    median = middle(values, kept, xp)
    mean, sigma = _moments(values, kept, median, xp)
    done = ~xp.any(kept, axis=-1)
    for n in range(MAX_ROUNDS):
        reach = clip * sigma
        if n == 0:
            nearer = xp.minimum(xp.maximum(median - lowest, 0.0), xp.maximum(highest - median, 0.0))
            nearer = xp.minimum(reach, nearer)
            reach = xp.where(nearer > 0.0, nearer, reach)
        about = _mode(median, mean, xp) if mode and n > 0 else median
        low, high = (about - reach)[..., None], (about + reach)[..., None]
        fewer = kept & (values >= low) & (values <= high)
        left = _count(fewer, xp)
        done = done | (left < 2) | (left == _count(kept, xp))
        if bool(xp.all(done)):
            break
        kept = xp.where(done[..., None], kept, fewer)
        median = xp.where(done, median, middle(values, kept, xp))
        new_mean, new_sigma = _moments(values, kept, median, xp)
        mean, sigma = xp.where(done, mean, new_mean), xp.where(done, sigma, new_sigma)
    return (_mode(median, mean, xp) if mode else median), sigma, kept


def _mode(median: Array, mean: Array, xp: Any) -> Array:
    return xp.where(mean < median, mean, 3.0 * median - 2.0 * mean)


def _ends(values: Array, kept: Array, xp: Any) -> tuple[Array, Array]:
    low = xp.min(xp.where(kept, values, xp.inf), axis=-1)
    high = xp.max(xp.where(kept, values, -xp.inf), axis=-1)
    some = xp.any(kept, axis=-1)
    return xp.where(some, low, 0.0), xp.where(some, high, 0.0)


def _moments(values: Array, kept: Array, about: Array, xp: Any) -> tuple[Array, Array]:
    """Mean and standard deviation of what is kept."""
    off = xp.where(kept, values - about[..., None], 0.0)
    count = xp.astype(xp.maximum(_count(kept, xp), 1), xp.float64)
    first, second = xp.sum(off, axis=-1), xp.sum(off * off, axis=-1)
    spread = (second - first * first / count) / xp.maximum(count - 1.0, 1.0)
    return about + first / count, xp.sqrt(xp.maximum(spread, 0.0))


def middle(values: Array, kept: Array, xp: Any) -> Array:
    """Median of what is kept, among ties interpolated as if spread evenly over their level."""
    count = _count(kept, xp)
    before = xp.astype(xp.argmax(xp.astype(kept, xp.int64), axis=-1), xp.int64)  # kept values lie together
    at = xp.clip(before + count // 2, 0, values.shape[-1] - 1)
    below = xp.clip(before + (count - 1) // 2, 0, values.shape[-1] - 1)
    upper = xp.take_along_axis(values, at[..., None], axis=-1)[..., 0]
    lower = xp.take_along_axis(values, below[..., None], axis=-1)[..., 0]
    ties = _count(kept & (values == upper[..., None]), xp)
    under = _count(kept & (values < upper[..., None]), xp)
    down = upper - xp.max(xp.where(kept & (values < upper[..., None]), values, -xp.inf), axis=-1)
    up = xp.min(xp.where(kept & (values > upper[..., None]), values, xp.inf), axis=-1) - upper
    down, up = xp.where(xp.isfinite(down), down, up), xp.where(xp.isfinite(up), up, down)
    part = (0.5 * xp.astype(count, xp.float64) - xp.astype(under, xp.float64)) / xp.astype(
        xp.maximum(ties, 1), xp.float64
    )
    single = (ties <= 1) | ~xp.isfinite(down)
    down, up = xp.where(single, 0.0, down), xp.where(single, 0.0, up)
    spread = upper - 0.5 * down + part * 0.5 * (down + up)
    return xp.where(lower != upper, 0.5 * (lower + upper), xp.where(single, upper, spread))
