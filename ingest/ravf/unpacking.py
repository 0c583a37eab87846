"""Packed rows to samples: 10 bits (four in five bytes) and 12 bits (two in three).

Where the low bits stand differs between writers; `PACKINGS` names the orders, the format's own first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled

PACKINGS = {
    10: (
        "low bits behind four pixels, first pixel highest",
        "low bits behind four pixels, first pixel lowest",
    ),
    12: (
        "low bits before two pixels, first pixel highest",
        "low bits behind two pixels, first pixel lowest",
        "low bits behind two pixels, first pixel highest",
        "low bits before two pixels, first pixel lowest",
    ),
}
"""Orders of low bits by number: 0 is the format's; 1 is that of the CSI-2 bus (MIPI RAW10 and RAW12)."""


def unpack(rows: NDArray[np.uint8], samples: NDArray[np.uint16], bits: int, packing: int = 0) -> None:
    """Unpack rows of bytes.

    Parameters
    ----------
    rows : array, (n, row stride), uint8
        C-contiguous; bytes behind the samples of a row are padding.
    samples : array, (n, samples per row), uint16
        C-contiguous; written.
    bits : int
        10 or 12.
    packing : int
        Which of ``PACKINGS[bits]``.

    Raises
    ------
    ValueError
        The rows are too short for their samples, or there is no such packing.
    """
    count = samples.shape[1]
    needed = (
        -(-count // 4) * 5
        if bits == 10
        else (3 * count + 1) // 2
        if packing in {0, 3}
        else -(-count // 2) * 3
    )
    if rows.shape[0] != samples.shape[0] or rows.shape[1] < needed or packing >= len(PACKINGS[bits]):
        raise ValueError(f"{rows.shape} bytes for {samples.shape} samples of {bits} bits, packing {packing}")
    if bits == 10:
        _unpack10(rows, samples, packing == 0)
    elif packing in {0, 3}:
        _unpack12(rows, samples, 0, 1, packing == 0)
    else:
        _unpack12(rows, samples, 2, 0, packing == 2)


@compiled
def _unpack12(rows: Any, samples: Any, low: int, high: int, first_highest: bool) -> None:
    """`low` and `high`: places, among three bytes, of the low bits and of the first pixel's high ones."""
    count = samples.shape[1]
    for r in range(samples.shape[0]):
        line = rows[r]
        goal = samples[r]
        if low == 0 and high == 1 and first_highest:  # the format's own: constants make it quick
            for k in range(count // 2):
                both = np.uint16(line[3 * k])
                goal[2 * k] = (np.uint16(line[3 * k + 1]) << np.uint16(4)) | (both >> np.uint16(4))
                goal[2 * k + 1] = (np.uint16(line[3 * k + 2]) << np.uint16(4)) | (both & np.uint16(15))
        else:
            first, second = (4, 0) if first_highest else (0, 4)
            for k in range(count // 2):
                both = np.uint16(line[3 * k + low])
                goal[2 * k] = (np.uint16(line[3 * k + high]) << np.uint16(4)) | (
                    (both >> np.uint16(first)) & np.uint16(15)
                )
                goal[2 * k + 1] = (np.uint16(line[3 * k + high + 1]) << np.uint16(4)) | (
                    (both >> np.uint16(second)) & np.uint16(15)
                )
        if count % 2:
            at = 3 * (count // 2)
            both = np.uint16(line[at + low])
            part = both >> np.uint16(4) if first_highest else both & np.uint16(15)
            goal[count - 1] = (np.uint16(line[at + high]) << np.uint16(4)) | part


@compiled
def _unpack10(rows: Any, samples: Any, first_highest: bool) -> None:
    count = samples.shape[1]
    three = np.uint16(3)
    for r in range(samples.shape[0]):
        line = rows[r]
        goal = samples[r]
        if first_highest:
            for k in range(count // 4):
                low = np.uint16(line[5 * k + 4])
                goal[4 * k] = (np.uint16(line[5 * k]) << np.uint16(2)) | (low >> np.uint16(6))
                goal[4 * k + 1] = (np.uint16(line[5 * k + 1]) << np.uint16(2)) | (
                    (low >> np.uint16(4)) & three
                )
                goal[4 * k + 2] = (np.uint16(line[5 * k + 2]) << np.uint16(2)) | (
                    (low >> np.uint16(2)) & three
                )
                goal[4 * k + 3] = (np.uint16(line[5 * k + 3]) << np.uint16(2)) | (low & three)
        else:
            for k in range(count // 4):
                low = np.uint16(line[5 * k + 4])
                goal[4 * k] = (np.uint16(line[5 * k]) << np.uint16(2)) | (low & three)
                goal[4 * k + 1] = (np.uint16(line[5 * k + 1]) << np.uint16(2)) | (
                    (low >> np.uint16(2)) & three
                )
                goal[4 * k + 2] = (np.uint16(line[5 * k + 2]) << np.uint16(2)) | (
                    (low >> np.uint16(4)) & three
                )
                goal[4 * k + 3] = (np.uint16(line[5 * k + 3]) << np.uint16(2)) | (low >> np.uint16(6))
        at = 5 * (count // 4)
        for k in range(count % 4):
            shift = 6 - 2 * k if first_highest else 2 * k
            low = (np.uint16(line[at + 4]) >> np.uint16(shift)) & three
            goal[4 * (count // 4) + k] = (np.uint16(line[at + k]) << np.uint16(2)) | low
