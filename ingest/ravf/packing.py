"""Which order the low bits of packed samples have, asked of the pixels.

The format names one order, raw camera buses use another, and both decode to pictures that look alike. The sky
tells them apart: its noise is smooth, so that neighbours of one colour differ least in the true order. Where
the noise is far wider than the low bits no order is smoother, and none matters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.ravf.unpacking import PACKINGS, unpack

LEAST_PAIRS = 2000
CLEARLY = 1.1  # the mean of 2,000 differences is known to 2 %, so this is five sigma
CAPS = {10: (16, 128), 12: (64, 512)}  # differences beyond, of stars, count as this: small, so that they hide
# nothing of the low bits; an eighth of the range, so that noise that is wider still counts


@dataclass(frozen=True, slots=True)
class Packing:
    """The order of the low bits, what it rests on, and whether the content overrules the format."""

    number: int
    reason: str
    contradicts: bool


def settle_packing(rows: NDArray[np.uint8], samples: int, bits: int, planes: int) -> Packing:
    """Order of the low bits of packed rows: the format's, unless the content contradicts it clearly.

    Parameters
    ----------
    rows : array, (n, row stride), uint8
        C-contiguous rows, one below the other, of one frame or of several with an even number of rows.
    samples : int
        Samples per row.
    bits : int
        10 or 12.
    planes : int
        Interleaved samples per pixel: 1 (mono or a mosaic) or 3.
    """
    names = PACKINGS[bits]
    full = samples // 4 * 4  # whole groups, which every order has
    if full <= 2 * planes or len(rows) < 2 or len(rows) * (full - 2 * planes) < LEAST_PAIRS:
        return Packing(0, f"{names[0]}: as the format says; too few pixels to ask the content", False)
    steps = np.array([_roughness(rows, full, bits, packing, planes) for packing in range(len(names))])
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = np.where(steps > 0, steps[0] / steps, 0.0).max(axis=1)
    best = int(np.flatnonzero(gains * CLEARLY >= gains.max())[0])  # what is as smooth is the more usual one
    if best and gains[best] > CLEARLY:
        reason = f"neighbouring pixels differ {gains[best]:.3g} times less than in the format's order"
        return Packing(best, f"{names[best]}: {reason}", True)
    agrees = bool((steps[0] > 0).all() and (gains[1:] * CLEARLY < 1).all())
    also = "and the content agrees" if agrees else "the content fits another order as well"
    return Packing(0, f"{names[0]}: as the format says, {also}", False)


def _roughness(
    rows: NDArray[np.uint8], samples: int, bits: int, packing: int, planes: int
) -> tuple[float, float]:
    """Mean difference of neighbours of one colour, large ones capped: with the small cap and with the large.

    The worst of three: even samples among themselves, odd ones among themselves, and even ones with odd ones
    (in a mosaic along two sets of diagonals, of which one joins equal colours). A wrong order may make one
    sort of samples constant, but not all alike.
    """
    values = np.empty((len(rows), samples), np.uint16)
    unpack(rows, values, bits, packing)
    signed = values.astype(np.int16)
    lag = 2 * planes
    own = np.abs(signed[:, lag:] - signed[:, :-lag])
    if planes == 1:
        down, up = signed[1:, 1:] - signed[:-1, :-1], signed[1:, :-1] - signed[:-1, 1:]
        across = [
            [down[0::2, k::2], down[1::2, 1 - k :: 2], up[0::2, 1 - k :: 2], up[1::2, k::2]] for k in (0, 1)
        ]
    else:
        across = [[signed[:, planes:] - signed[:, :-planes]]]
    small, large = (
        max(
            _mean(own[:, 0::2], cap),
            _mean(own[:, 1::2], cap),
            min(max(_mean(np.abs(part), cap) for part in diagonal) for diagonal in across),
        )
        for cap in CAPS[bits]
    )
    return small, large


def _mean(steps: NDArray[np.int16], cap: int) -> float:
    return float(np.minimum(steps, cap).mean()) if steps.size else 0.0
