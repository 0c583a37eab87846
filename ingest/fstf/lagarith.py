"""Lagarith16: a range coder of 16-bit symbols with one table of probabilities per frame.

A frame is eight zero bytes and the symbols themselves; or a table of the values that occur, most frequent
first, with their probabilities in units of ``2**-20``, then the coded symbols. A single value stands for all.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled

Bytes = NDArray[np.uint8]

FRACTION_BITS = 20
LOOKUP_BITS = 13
LEAST_RANGE = 0x00800000
SLACK = 4
"""Bytes beyond the end that may be asked for, as zeros: writers differ in how they flush."""

DAMAGED = -1


def decompress(block: Bytes, out: NDArray[np.uint16]) -> bool:
    """Fill `out` with the first symbols of a block; False where it is damaged or holds fewer.

    The number of symbols is not in a block: as many as are asked for are decoded.
    """
    if block.size > 8 and not block[:8].any():
        if block.size - 8 < 2 * out.size:
            return False
        out[:] = block[8 : 8 + 2 * out.size].view("<u2")
        return True
    if block.size < 4:
        return False
    entries = int.from_bytes(block[:2].tobytes(), "little") + 1
    values = 2 + 2 * entries
    if block.size < values:
        return False
    table = block[2:values].view("<u2").astype(np.uint16)
    if entries == 1:
        out[:] = table[0]
        return True
    bounds = np.empty(entries + 1, np.int64)
    start = int(_probabilities(block[values:], bounds))
    if start < 0:
        return False
    return int(_decode(block[values + start :], table, bounds, out)) == out.size


@compiled
def _probabilities(source: NDArray[Any], bounds: NDArray[Any]) -> int:
    """Cumulative probabilities; returns the bytes that they took, or `DAMAGED`.

    Each is a number written from its lowest bit up, in as many bits as the one before it needed.
    """
    bit, total = np.int64(0), np.int64(0)
    most = np.int64(1) << 19
    for k in range(bounds.size - 1):
        bounds[k] = total
        value = np.int64(0)
        if most <= 1:
            value = np.int64(1)
        else:
            weight = np.int64(1)
            highest = np.int64(0)
            while weight <= most:
                if bit >> 3 >= source.size:
                    return DAMAGED
                if source[bit >> 3] >> (bit & 7) & 1:
                    value |= weight
                    highest = weight
                weight <<= 1
                bit += 1
            most = highest
        if value == 0:
            return DAMAGED
        total += value
    bounds[bounds.size - 1] = total
    return int((bit + 7) >> 3) if total == 1 << FRACTION_BITS else DAMAGED


@compiled
def _decode(source: NDArray[Any], values: NDArray[Any], bounds: NDArray[Any], out: NDArray[Any]) -> int:
    """Symbols of a range-coded stream; returns how many were made, or `DAMAGED`.

    Where in the table a symbol lies is looked up by the highest bits of the scaled code, then counted on.
    Instead of the division by the scale (8 to 2048) its reciprocal is multiplied: exact for codes below the
    range, which is less than ``(scale + 1) << 20``.
    """
    buckets = 1 << LOOKUP_BITS
    shift = FRACTION_BITS - LOOKUP_BITS
    lookup = np.empty(buckets, np.uint16)
    entry = np.int64(0)
    for k in range(buckets):
        while bounds[entry + 1] <= k << shift:
            entry += 1
        lookup[k] = entry
    reciprocals = np.empty(2049, np.uint64)
    for k in range(8, 2049):
        reciprocals[k] = np.uint64(((np.int64(1) << 43) + k - 1) // k)
    length = source.size
    if length < 4:
        return DAMAGED
    low = (
        np.int64(source[0]) << 24 | np.int64(source[1]) << 16 | np.int64(source[2]) << 8 | np.int64(source[3])
    )
    at = 4
    span = np.int64(0x80000000)
    for n in range(out.size):
        while span <= LEAST_RANGE:
            span <<= 8
            low <<= 8
            if at < length:
                low |= np.int64(source[at])
            elif at >= length + SLACK:
                return DAMAGED
            at += 1
        if low >= span:
            return DAMAGED
        scale = span >> FRACTION_BITS
        code = np.int64(np.uint64(low) * reciprocals[scale] >> np.uint64(43))
        if code >= 1 << FRACTION_BITS:
            return DAMAGED
        entry = np.int64(lookup[code >> shift])
        while bounds[entry + 1] <= code:
            entry += 1
        low -= bounds[entry] * scale
        span = (bounds[entry + 1] - bounds[entry]) * scale
        out[n] = values[entry]
    return out.size
