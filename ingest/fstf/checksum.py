"""The checksum behind the pixels of a frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled

CRC_POLYNOMIAL = 0x04C11DB7


def crc32_table() -> NDArray[np.int64]:
    """Remainders of single bytes, highest bit first, by the polynomial of Ethernet."""
    table = np.arange(256, dtype=np.int64) << 24
    for _ in range(8):
        table = np.where(table & 0x80000000, table << 1 ^ CRC_POLYNOMIAL, table << 1) & 0xFFFFFFFF
    return table


@compiled
def crc32_plain(data: NDArray[Any], table: NDArray[Any]) -> int:
    """The remainder that writers of the family take: no zeros follow the data, the first four bytes inverted.

    Parameters
    ----------
    data : array, (n,), uint8
        At least four bytes.
    table : array, (256,), int64
        `crc32_table`.
    """
    value = np.int64(0)
    for k in range(4):
        value = value << 8 | np.int64(data[k])
    value ^= 0xFFFFFFFF
    for k in range(4, data.size):
        value = ((value << 8 | np.int64(data[k])) & 0xFFFFFFFF) ^ table[value >> 24]
    return int(value ^ 0xFFFFFFFF)
