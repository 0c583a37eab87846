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
U = np.uint64
ZERO, ONE, TWO, THREE, FOUR = (U(k) for k in range(5))
BYTE, TWO_BYTES, THREE_BYTES = U(8), U(16), U(24)
MASK, NOWHERE, TRIPLE = U(ENTRIES - 1), U(ENTRIES), U(0xFFFFFF)
EMPTY = np.uint32(0xFFFFFFFF)


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
    All numbers are unsigned: numba then has no indices from the end to provide for.
    """
    table = np.full(ENTRIES + 1, EMPTY, np.uint32)
    length, size = U(source.size), U(out.size)
    last = size - U(11) if size > U(11) else ZERO  # from here on there are literals alone
    at, made = ZERO, ZERO
    due = ZERO  # positions before it are entered, or never will be
    before = ZERO  # the two bytes before the next one
    control = ONE
    while made < last:
        if control == ONE:
            if at + FOUR > length:
                return DAMAGED
            control = U(source[at]) | U(source[at + ONE]) << BYTE
            control |= U(source[at + TWO]) << TWO_BYTES | U(source[at + THREE]) << THREE_BYTES
            at += FOUR
            if control == ZERO:
                return DAMAGED
        if control & ONE:
            if at + THREE > length:
                return DAMAGED
            first = U(source[at])
            start = U(table[first >> FOUR | U(source[at + ONE]) << FOUR])
            count = first & U(15)
            if count:
                count += TWO
                at += TWO
            else:
                count = U(source[at + TWO])
                at += THREE
            if start >= made or count < THREE or made + count > size:
                return DAMAGED
            out[made] = out[start]
            out[made + ONE] = out[start + ONE]
            out[made + TWO] = out[start + TWO]
            out[made + THREE] = out[start + THREE]  # one too many in a match of three, soon written over
            run = before | U(out[made]) << TWO_BYTES | U(out[made + ONE]) << THREE_BYTES
            run |= U(out[made + TWO]) << U(32)
            k = FOUR
            while k < count:
                out[made + k] = out[start + k]
                k += ONE
            value = run & TRIPLE
            table[(value >> U(12) ^ value) & MASK if made >= due + TWO else NOWHERE] = made - TWO
            value = run >> BYTE & TRIPLE
            table[(value >> U(12) ^ value) & MASK if made >= due + ONE else NOWHERE] = made - ONE
            value = run >> TWO_BYTES
            table[(value >> U(12) ^ value) & MASK] = made
            made += count
            due = made
            before = U(out[made - TWO]) | U(out[made - ONE]) << BYTE
        else:
            if at >= length:
                return DAMAGED
            value = before | U(source[at]) << TWO_BYTES
            out[made] = source[at]
            at += ONE
            made += ONE
            enter = made >= due + THREE
            table[(value >> U(12) ^ value) & MASK if enter else NOWHERE] = made - THREE
            due = made - TWO if enter else due
            before = value >> BYTE
        control >>= ONE
    while made < size:
        if control == ONE:
            at += FOUR
            control = U(0x80000000)
        if at >= length:
            return DAMAGED
        out[made] = source[at]
        control >>= ONE
        at += ONE
        made += ONE
    return int(made)
