"""What all pixels of a line have in common, for all lines of all images at once."""

from gpu_kernels._agnostic.photometry import masked_median
from gpu_kernels.device import Array, namespace


def line_levels(images: Array, cast: Array, limit: float, first: int, rounds: int) -> Array:
    """Mean of each row of ``images - cast`` within `limit` of its middle, (n, h); NaN without finite pixels.

    The middle is the median of about `first` pixels spread along the row, then `rounds` times the mean.
    """
    xp = namespace(images)
    line = xp.astype(images - cast, xp.float64)
    finite = xp.isfinite(line)
    line = xp.where(finite, line, 0.0)
    step = max(1, -(-images.shape[2] // first))
    middle = masked_median(line[..., ::step], finite[..., ::step], xp)
    for _ in range(rounds):
        near = finite & (xp.abs(line - middle[..., None]) <= limit)
        count = xp.sum(xp.astype(near, xp.float64), axis=-1)
        mean = xp.sum(xp.where(near, line, 0.0), axis=-1) / xp.maximum(count, 1.0)
        middle = xp.where(count > 0.0, mean, middle)
    return middle


def against_others(levels: Array) -> Array:
    """Levels (n, h) less the median of each image's; 0 where there is none."""
    xp = namespace(levels)
    known = xp.isfinite(levels)
    median = masked_median(levels, known, xp)
    return xp.where(known, levels - median[:, None], 0.0)
