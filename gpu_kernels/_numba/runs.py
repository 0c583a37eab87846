"""The most significant run of low samples, over all starts and a ladder of lengths."""

from typing import Any

from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel

Floats = NDArray[Any]
Lengths = NDArray[Any]


@inner
def score(
    total: Floats, columns: Floats, weight: Floats, inside: Floats, ending: Floats, a: int, b: int
) -> float:
    """Signed square of the significance of the run from a up to b, positive of low samples."""
    n, length = total.size - 1, b - a
    known = ending[length] if a == 0 or b == n else inside[length]
    information = known * (weight[b] - weight[a]) / length
    whole = information
    for k in range(columns.shape[0]):
        part = columns[k, b] - columns[k, a]
        information -= part * part
    loss = total[a] - total[b]
    return float(loss * abs(loss) / information) if information > 0.01 * whole else 0.0


@inner
def _row(
    total: Floats, columns: Floats, weight: Floats, known: float, length: int, out: Floats, taken: Floats
) -> tuple[float, int]:
    """Best start of the runs of one length that touch no end."""
    n = total.size - 1
    count = n - length + 1
    early, late, before, after = total[:count], total[length:], weight[:count], weight[length:]
    taken[:count] = 0.0
    for k in range(columns.shape[0]):
        one, other = columns[k, :count], columns[k, length:]
        for a in range(count):
            part = other[a] - one[a]
            taken[a] += part * part
    scale = known / length
    for a in range(count):
        loss = early[a] - late[a]
        whole = scale * (after[a] - before[a])
        information = whole - taken[a]
        square = loss * abs(loss) / information
        out[a] = square if information > 0.01 * whole else 0.0
    best, at = 0.0, -1
    for a in range(1, count - 1):
        if out[a] > best:
            best, at = out[a], a
    return best, at


@kernel
def strongest(
    total: Floats,
    columns: Floats,
    weight: Floats,
    inside: Floats,
    ending: Floats,
    lengths: Lengths,
    room: Floats,
    found: Lengths,
) -> float:
    """Start and stop of the most significant run into `found`; its signed square."""
    n = total.size - 1
    best = 0.0
    found[0], found[1] = 0, 0
    for length in lengths:
        value, at = _row(total, columns, weight, inside[length], length, room[0], room[1])
        if value > best:
            best = value
            found[0], found[1] = at, at + length
        for a in (0, n - length):
            value = score(total, columns, weight, inside, ending, a, a + length)
            if value > best:
                best = value
                found[0], found[1] = a, a + length
    if best > 0.0:
        best = _refined(total, columns, weight, inside, ending, lengths[-1], found, best)
    return best


@inner
def _refined(
    total: Floats,
    columns: Floats,
    weight: Floats,
    inside: Floats,
    ending: Floats,
    longest: int,
    found: Lengths,
    best: float,
) -> float:
    """Move each end in turn over every sample about it, until neither gains."""
    n = total.size - 1
    reach = max(2, (found[1] - found[0]) // 16)
    for _ in range(20):
        before = best
        a, b = found[0], found[1]
        for start in range(max(0, a - reach, b - longest), min(b - 1, a + reach) + 1):
            value = score(total, columns, weight, inside, ending, start, b)
            if value > best:
                best = value
                found[0] = start
        a = found[0]
        for stop in range(max(a + 1, b - reach), min(n, b + reach, a + longest) + 1):
            value = score(total, columns, weight, inside, ending, a, stop)
            if value > best:
                best = value
                found[1] = stop
        if best == before:
            break
    return best
