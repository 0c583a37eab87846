"""QuickLZ 1.5.0 level 1 and Lagarith16 the other way round, plainly, from the facts of the formats."""

from collections.abc import MutableSequence, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def quicklz_block(data: bytes, *, long_header: bool | None = None, stored: bool = False) -> bytes:
    """A block of `data`; stored as it is where asked, or where that is shorter."""
    plain = np.frombuffer(data, np.uint8)
    out = room(len(data) * 2 + 64)
    made = 0 if stored else int(quicklz_stream(quick(plain), quick(_hashes(plain)), out))
    packed = bytes(out[:made])
    compressed = not stored and made < len(data)
    body = packed if compressed else data
    wide = long_header if long_header is not None else len(body) > 200 or len(data) > 216
    width = 4 if wide else 1
    size = 1 + 2 * width + len(body)
    flags = int(compressed) | (2 if wide else 0) | 0x44
    return bytes([flags]) + size.to_bytes(width, "little") + len(data).to_bytes(width, "little") + body


def quick(values: NDArray[Any]) -> Sequence[int]:
    """What is read one by one: from a list several times as fast as from an array, but for compiled code."""
    return cast(Sequence[int], values.tolist())


def room(size: int) -> MutableSequence[int]:
    """What is written to one by one."""
    return bytearray(size)


def quicklz_stream(data: Sequence[int], hashes: Sequence[int], out: MutableSequence[int]) -> int:
    """Control words, literals and matches of `data` into `out`; returns the bytes used."""
    table = [-1] * 4096
    size = len(data)
    at, word_at, bits, word = 0, -1, 31, 0
    done, hashed = 0, -1
    while done < size:
        if bits == 31:
            if word_at >= 0:
                _put_word(out, word_at, word)
            word_at, at, bits, word = at, at + 4, 0, 0
        length, key = 0, 0
        if done < size - 11:
            key = hashes[done]
            start = table[key]
            if start >= 0:
                while (
                    length < 255 and done + length < size - 4 and data[start + length] == data[done + length]
                ):
                    length += 1
        if length >= 3:
            word |= 1 << bits
            code = key << 4 | (length - 2 if length < 18 else 0)
            out[at], out[at + 1] = code & 255, code >> 8
            at += 2
            if length >= 18:
                out[at] = length
                at += 1
            while hashed < done:
                hashed += 1
                table[hashes[hashed]] = hashed
            done += length
            hashed = done - 1
        else:
            out[at] = data[done]
            at += 1
            done += 1
            while hashed < done - 3:
                hashed += 1
                table[hashes[hashed]] = hashed
        bits += 1
    if word_at >= 0:
        _put_word(out, word_at, word)
    return at


def _hashes(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The key of the three bytes that begin at each place (but the last two)."""
    wide = data.astype(np.int64)
    value = wide[:-2] | wide[1:-1] << 8 | wide[2:] << 16
    return (value >> 12 ^ value) & 4095


def _put_word(out: MutableSequence[int], at: int, word: int) -> None:
    word |= 1 << 31
    for k in range(4):
        out[at + k] = word >> 8 * k & 255


def lagarith_block(symbols: NDArray[np.uint16], *, raw: bool = False) -> bytes:
    """A frame of 16-bit symbols, range coded; eight zeros and the symbols where `raw`."""
    if raw:
        return bytes(8) + symbols.astype("<u2").tobytes()
    values, shares = _shares(symbols)
    head = (len(values) - 1).to_bytes(2, "little") + values.astype("<u2").tobytes()
    if len(values) == 1:
        return head
    bounds = np.concatenate([[0], np.cumsum(shares)])
    order = np.zeros(65536, np.int64)
    order[values] = np.arange(len(values))
    out = room(4 * len(symbols) + 64)
    made = int(range_code(quick(order[symbols]), quick(bounds), out))
    return head + _share_bits(shares) + bytes(out[:made])


def _shares(symbols: NDArray[np.uint16]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Values, most frequent first, and their probabilities in units of 2**-20, which add up to one."""
    values, counts = np.unique(symbols, return_counts=True)
    shares = np.maximum(1, np.rint(counts * (1 << 20) / len(symbols)).astype(np.int64))
    order = np.argsort(-shares, kind="stable")
    values, shares = values[order], shares[order]
    excess = int(shares.sum()) - (1 << 20)
    while excess:
        largest = int(np.argmax(shares))
        step = min(excess, int(shares[largest]) - 1) if excess > 0 else excess
        step = min(step, max(1, int(shares[largest]) // 2)) if excess > 0 else step
        shares[largest] -= step
        excess -= step
    order = np.argsort(-shares, kind="stable")
    return values[order], shares[order]


def _share_bits(shares: NDArray[np.int64]) -> bytes:
    """Each number from its lowest bit, in as many bits as the one before needed (20 for the first)."""
    bits: list[int] = []
    width = 20
    for share in shares.tolist():
        if width <= 1:
            assert share == 1
            continue
        assert share < 1 << width
        bits += [share >> k & 1 for k in range(width)]
        width = share.bit_length()
    return np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()


def range_code(entries: Sequence[int], bounds: Sequence[int], out: MutableSequence[int]) -> int:
    """Narrow an interval for each entry of the table; its lower end is what is written, carries included."""
    low, span, at = 0, 1 << 31, 0
    for entry in entries:
        scale = span >> 20
        low += bounds[entry] * scale
        span = (bounds[entry + 1] - bounds[entry]) * scale
        if low >= 1 << 32:
            low -= 1 << 32
            back = at - 1
            while out[back] == 255:
                out[back] = 0
                back -= 1
            out[back] += 1
        while span <= 0x00800000:
            out[at] = low >> 24
            at += 1
            low = (low & 0xFFFFFF) << 8
            span <<= 8
    for k in range(4):
        out[at + k] = low >> 8 * (3 - k) & 255
    return at + 4
