"""QuickLZ 1.5.0, level 1, without a streaming buffer: each block stands alone.

A block is a header (flags, compressed size, decompressed size) and either stored bytes or a stream of
control words, literals and matches; a match names an entry of a hash table that both sides fill from the
bytes that went before.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled

Bytes = NDArray[np.uint8]

ENTRIES = 4096
LEAST_BLOCK = 3
GREATEST_RATIO = 128
"""Bytes that one byte can stand for: 255 in a match of three bytes and a bit."""

DAMAGED = -1


def declared_size(block: Bytes) -> int | None:
    """Bytes that a block says it decompresses to; None where the header is cut or contradicts the block."""
    if block.size < LEAST_BLOCK:
        return None
    flags = int(block[0])
    head, width = (9, 4) if flags & 2 else (3, 1)
    if block.size < head:
        return None
    compressed = int.from_bytes(block[1 : 1 + width].tobytes(), "little")
    size = int.from_bytes(block[1 + width : 1 + 2 * width].tobytes(), "little")
    most = (compressed - head) * (GREATEST_RATIO if flags & 1 else 1)
    return size if head <= compressed <= block.size and size <= most else None


def decompress(block: Bytes, out: Bytes) -> bool:
    """Decompress a block whose `declared_size` is that of `out`; False where it is damaged."""
    if declared_size(block) != out.size:
        return False
    head = 9 if block[0] & 2 else 3
    if not block[0] & 1:
        out[:] = block[head : head + out.size]
        return True
    return int(_expand(block[head:], out)) == out.size


@compiled
def _expand(source: NDArray[Any], out: NDArray[Any]) -> int:
    """Fill `out` from control words, literals and matches; returns bytes made, or `DAMAGED`.

    A position of `out` is entered in the table once the three bytes from it on are there, but for those
    inside a match: these go to an entry that no match names, which spares a branch that cannot be foreseen.
    """
    table = np.full(ENTRIES + 1, -1, np.int32)
    length, size = source.size, out.size
    last = size - 11  # from here on there are literals alone
    at, made, hashed = np.int64(0), np.int64(0), np.int64(-1)
    control = np.int64(1)
    before = np.int64(0)  # the two bytes before the next one
    while made < last:
        if control == 1:
            if at + 4 > length:
                return DAMAGED
            control = np.int64(source[at]) | np.int64(source[at + 1]) << 8
            control |= np.int64(source[at + 2]) << 16 | np.int64(source[at + 3]) << 24
            at += 4
            if control == 0:
                return DAMAGED
        if control & 1:
            if at + 3 > length:
                return DAMAGED
            first = np.int64(source[at])
            start = np.int64(table[first >> 4 | np.int64(source[at + 1]) << 4])
            count = first & 15
            if count:
                count += 2
                at += 2
            else:
                count = np.int64(source[at + 2])
                at += 3
            if start < 0 or count < 3 or made + count > size:
                return DAMAGED
            for k in range(count):
                out[made + k] = out[start + k]
            run = before | np.int64(out[made]) << 16 | np.int64(out[made + 1]) << 24
            run |= np.int64(out[made + 2]) << 32
            for k in range(3):
                value = run >> 8 * k & 0xFFFFFF
                place = made - 2 + k
                table[(value >> 12 ^ value) & 4095 if place > hashed else ENTRIES] = place
            made += count
            hashed = made - 1
            before = np.int64(out[made - 2]) | np.int64(out[made - 1]) << 8
        else:
            if at >= length:
                return DAMAGED
            value = before | np.int64(source[at]) << 16
            out[made] = source[at]
            at += 1
            made += 1
            place = made - 3
            table[(value >> 12 ^ value) & 4095 if place > hashed else ENTRIES] = place
            hashed = max(hashed, place)
            before = value >> 8
        control >>= 1
    while made < size:
        if control == 1:
            at += 4
            control = np.int64(0x80000000)
        if at >= length:
            return DAMAGED
        out[made] = source[at]
        control >>= 1
        at += 1
        made += 1
    return int(made)
