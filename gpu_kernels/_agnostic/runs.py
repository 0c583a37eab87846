"""The most significant run of low samples in the array API standard alone."""

from typing import Any

import numpy as np

from gpu_kernels.device import Array, namespace, to_device


def strongest(
    total: Array, columns: Array, weight: Array, inside: Array, ending: Array, lengths: list[int]
) -> tuple[int, int, float]:
    """Start, stop and signed square of the most significant run; 0, 0, 0 where none is low."""
    n = total.shape[0] - 1
    best, first, stop = 0.0, 0, 0
    for length in lengths:
        value, at = _best(total, columns, weight, inside, ending, 0, n + 1 - length, length)
        if value > best:
            best, first, stop = value, at, at + length
    longest = lengths[-1] if lengths else 0
    reach = max(2, (stop - first) // 16)
    for _ in range(20 if best > 0.0 else 0):
        before = best
        for start in range(max(0, first - reach, stop - longest), min(stop - 1, first + reach) + 1):
            value, _at = _best(total, columns, weight, inside, ending, start, 1, stop - start)
            if value > best:
                best, first = value, start
        for end in range(max(first + 1, stop - reach), min(n, stop + reach, first + longest) + 1):
            value, _at = _best(total, columns, weight, inside, ending, first, 1, end - first)
            if value > best:
                best, stop = value, end
        if best == before:
            break
    return first, stop, best


def _best(
    total: Array,
    columns: Array,
    weight: Array,
    inside: Array,
    ending: Array,
    first: int,
    count: int,
    length: int,
) -> tuple[float, int]:
    """Best of `count` runs of one length from `first`."""
    xp: Any = namespace(total)
    n = total.shape[0] - 1
    early, late = slice(first, first + count), slice(first + length, first + length + count)
    at = to_device(np.arange(first, first + count), total)
    touching = (at == 0) | (at + length == n)
    known = xp.where(touching, ending[length], inside[length])
    whole = known * (weight[late] - weight[early]) / length
    part = columns[:, late] - columns[:, early]
    information = whole - xp.sum(part * part, axis=0)
    loss = total[early] - total[late]
    sound = information > 0.01 * whole
    square = xp.where(sound, loss * xp.abs(loss) / xp.where(sound, information, 1.0), 0.0)
    where = int(xp.argmax(square))
    return float(square[where]), first + where
