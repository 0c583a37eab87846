"""LZW as TIFF has it (TIFF 6.0, section 13): codes of 9 to 12 bits, highest bit first, lengthened early."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled

CLEAR, END, FIRST, MOST = 256, 257, 258, 4096


def unpack_lzw(packed: bytes, size: int) -> NDArray[np.uint8]:
    """Bytes of a strip.

    Raises
    ------
    ValueError
        A code that does not exist, or fewer bytes than `size`.
    """
    out = np.empty(size, np.uint8)
    done = int(_unlzw(np.frombuffer(packed, np.uint8), out))
    if done < size:
        raise ValueError(f"LZW gives {done} of {size} bytes")
    return out


@compiled
def _unlzw(packed: Any, out: Any) -> Any:  # noqa: PLR0912  # one loop is one decoder
    """Fill `out`; how many bytes were given, at most its size."""
    before = np.zeros(MOST, np.int32)
    last = np.zeros(MOST, np.uint8)
    length = np.ones(MOST, np.int32)
    for k in range(256):
        last[k] = k
    bits, width, at, done = 0, 9, 0, 0
    held, following, previous = 0, FIRST, -1
    while done < out.size:
        while bits < width and at < packed.size:
            held = ((held << 8) | int(packed[at])) & 0xFFFFFF
            at += 1
            bits += 8
        if bits < width:
            break
        code = (held >> (bits - width)) & ((1 << width) - 1)
        bits -= width
        if code == END:
            break
        if code == CLEAR:
            width, following, previous = 9, FIRST, -1
            continue
        if code > following or (previous < 0 and code > 255) or (code == following and previous < 0):
            break
        source = code if code < following else previous
        count = length[source]
        place = done + count - 1
        while True:  # a string from its end
            if place < out.size:
                out[place] = last[source]
            place -= 1
            if length[source] == 1:
                break
            source = before[source]
        first = last[source]
        if code == following:
            if done + count < out.size:
                out[done + count] = first
            count += 1
        if previous >= 0 and following < MOST:
            before[following], last[following] = previous, first
            length[following] = length[previous] + 1
            following += 1
            if following == (1 << width) - 1 and width < 12:
                width += 1
        done += count
        previous = code
    return min(done, out.size)
