"""The byte order of two-byte samples, asked of the pixels: headers are often wrong, pictures are smooth."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ByteOrder = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """The byte order of the samples, what it rests on, and whether they keep within the stated depth."""

    order: ByteOrder
    reason: str
    fits: bool


def settle_order(little: NDArray[np.uint16], depth: int, nominal: ByteOrder, lag: int) -> SampleOrder:
    """Byte order of samples: what the header says, unless the content contradicts it.

    Parameters
    ----------
    little : array, (rows, samples per row), uint16
        Samples read as little-endian.
    depth : int
        Bits per sample by the header.
    nominal : ByteOrder
        Order by the header.
    lag : int
        Samples from one to the next of the same colour.
    """
    swapped = little.byteswap()
    limit = (1 << depth) - 1
    order, reason = nominal, "as the header means it; the content fits either order"
    fits = int(little.max()) <= limit, int(swapped.max()) <= limit
    if fits[0] != fits[1]:
        order, reason = ("little" if fits[0] else "big"), f"only this order keeps within {depth} bits"
    elif (smooth := _smoother(little, swapped, lag)) is not None:
        order, reason = smooth, "neighbouring pixels differ less in this order"
    return SampleOrder(order, reason, fits[0] if order == "little" else fits[1])


def _smoother(little: NDArray[np.uint16], swapped: NDArray[np.uint16], lag: int) -> ByteOrder | None:
    """Order with the smaller high-frequency power, on neighbours of one colour; None if they are alike.

    If one byte of every sample is zero, either order is a picture (8-bit values, plain or scaled to 16).
    """
    if not (little & 0xFF).any() or not (little >> 8).any() or little.shape[1] <= lag:
        return None
    steps = [
        np.abs(np.diff(np.stack((array[:, :-lag], array[:, lag:])).astype(np.int32), axis=0))
        for array in (little, swapped)
    ]
    for measure, ratio in ((np.median, 2.0), (np.mean, 1.5)):
        low, high = (float(measure(step)) for step in steps)
        if max(low, high) > ratio * min(low, high):
            return "little" if low < high else "big"
    return None
