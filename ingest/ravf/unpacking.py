"""Packed rows to samples: 10 bits (four in five bytes) and 12 bits (two in three).

Where the low bits stand differs between writers; `PACKINGS` names the orders, the format's own first.
"""

import numpy as np
from numpy.typing import NDArray

from ingest.packed_samples import take_samples

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

PATTERNS = {
    10: ("10 bit, low behind, first highest", "10 bit, low behind, first lowest"),
    12: (
        "12 bit, low before, first highest",
        "12 bit, low behind, first lowest",
        "12 bit, low behind, first highest",
        "12 bit, low before, first lowest",
    ),
}
"""Their names in `ingest.packed_samples.PATTERNS`."""


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
    if not 0 <= packing < len(PATTERNS[bits]):
        raise ValueError(f"{bits} bits, packing {packing}: there are {len(PATTERNS[bits])}")
    if len(rows) != len(samples):
        raise ValueError(f"{len(rows)} rows of bytes for {len(samples)} rows of samples")
    take_samples(rows.reshape(-1), rows.shape[1], samples, PATTERNS[bits][packing])
