"""Character cells of a line: where its signs stand over a recording, and what each shows in each field."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.crop import PITCH
from ingest.ocr.find import DIGIT, MARKS, Spikes
from ingest.ocr.network import CLASSES, STRIDE

Floats = NDArray[np.float64]
LEAST_SHARE = 0.12
"""Of the fields, in which a cell shows a sign."""

SURE = 0.6
REACH = 0.3
"""Of a cell, from its middle, within which its sign is looked for."""

NEAREST = 0.55
"""Of a cell, between the middles of two signs at least."""

DOUBT = 0.01
"""That a picture of a sign is anything at all: no single cell outweighs a field."""

BLANK, OTHER = 0, 11
"""Classes of a cell: 0 is blank, 1 to 10 the digits 0 to 9, 11 any other sign."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of a line from left to right.

    Attributes
    ----------
    column : array, (c,), float64
        Middles, columns of the normalised picture.
    digits, marks : array, (c,), float64
        Share of the sampled fields in which a digit, and in which a colon or a point, stands there.
    """

    column: Floats
    digits: Floats
    marks: Floats

    @property
    def is_digit(self) -> NDArray[np.bool_]:
        """Which cells hold digits."""
        return self.digits > self.marks

    @property
    def spacing(self) -> float:
        """Columns from digit to digit within a group; `PITCH` where there are too few."""
        steps = np.diff(self.column[self.is_digit])
        near = steps[(steps > 0.6 * PITCH) & (steps < 1.4 * PITCH)]
        return float(np.median(near)) if near.size >= 3 else PITCH

    def chosen(self, which: list[int]) -> "Cells":
        """Some of the cells."""
        return Cells(self.column[which], self.digits[which], self.marks[which])


def find_cells(found: Spikes, pictures: int, width: int) -> Cells:
    """Cells from the signs read on a sample of fields.

    Parameters
    ----------
    found : Spikes
        Signs read.
    pictures, width : int
        Number of pictures that were read, and their columns.
    """
    sure = found.sure > SURE
    good = sure & (DIGIT[found.sign] | MARKS[found.sign])
    count = np.bincount(np.clip(found.column[good].astype(np.intp), 0, width - 1), minlength=width)
    spread = np.convolve(count, [1.0, 2.0, 3.0, 2.0, 1.0], mode="same")
    middles: list[float] = []
    for place in np.argsort(-spread, kind="stable"):
        if spread[place] <= 0.0:
            break
        if all(abs(place - other) >= NEAREST * PITCH for other in middles):
            near = good & (np.abs(found.column - place) <= REACH * PITCH)
            if near.sum() >= max(2.0, LEAST_SHARE * pictures):
                middles.append(float(found.column[near].mean()))
    column = np.array(sorted(middles), np.float64)
    shares = np.zeros((2, column.size))
    for k, place in enumerate(column):
        near = good & (np.abs(found.column - place) <= REACH * PITCH)
        shares[0, k] = np.count_nonzero(near & DIGIT[found.sign]) / max(1, pictures)
        shares[1, k] = np.count_nonzero(near & MARKS[found.sign]) / max(1, pictures)
    return Cells(column, shares[0], shares[1])


def read_cells(
    columns: NDArray[np.float32], cells: Cells, shift: NDArray[np.float64] | None = None
) -> Floats:
    """Logarithm of the probability that each cell is blank, shows each digit, or another sign.

    Parameters
    ----------
    columns : array, (n, columns, classes)
        Log-probabilities, from `Network.columns`.
    cells : Cells
        Where to look.
    shift : array, (n,), optional
        By how many columns of the picture each line stands farther right.

    Returns
    -------
    array, (n, c, 12), float64
        None is below log(`DOUBT` / 12).
    """
    n, wide, classes = columns.shape
    reach = max(1, round(REACH * PITCH / STRIDE))
    middle = np.broadcast_to(cells.column, (n, cells.column.size))
    if shift is not None:
        middle = middle + shift[:, None]
    first = np.rint(middle / STRIDE - 0.5).astype(np.intp)[:, :, None] + np.arange(-reach, reach + 1)
    inside = np.clip(first, 0, wide - 1)
    taken = columns[np.arange(n)[:, None, None], inside]
    inked = taken[:, :, :, 0].argmin(axis=2)
    best = np.take_along_axis(taken, inked[:, :, None, None], axis=2)[:, :, 0].astype(np.float64)
    out = np.empty((n, cells.column.size, 12))
    out[:, :, :OTHER] = np.exp(best[:, :, :OTHER])
    out[:, :, OTHER] = np.exp(best[:, :, OTHER:classes]).sum(axis=2)
    out *= 1.0 - DOUBT
    out += DOUBT / 12.0
    return np.asarray(np.log(out))


assert CLASSES[1:OTHER] == "0123456789"
