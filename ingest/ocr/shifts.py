"""Lines that jump sideways: by how much each stands farther right than where its cells were found."""

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.cells import Cells
from ingest.ocr.crop import PITCH
from ingest.ocr.find import DIGIT, Spikes

SURE = 0.6
NEAR = 0.25
"""Of a cell, from its middle, within which a sign is in its place."""

FARTHEST = 1.3
GAIN = 1.25
"""Signs in place after a shift, over those before, from which the line has moved."""


def line_shifts(found: Spikes, cells: Cells, pictures: int) -> NDArray[np.float64]:
    """Columns of the picture by which each line has moved; 0 for nearly all.

    Parameters
    ----------
    found : Spikes
        Signs read on the pictures.
    cells : Cells
        Where they were found on the sample.
    pictures : int
        How many there are.
    """
    sure = (found.sure > SURE) & DIGIT[found.sign]
    picture, column = found.picture[sure], found.column[sure]
    places = cells.column[cells.is_digit]
    if not places.size:
        return np.zeros(pictures)
    shifts = np.arange(-round(FARTHEST * PITCH), round(FARTHEST * PITCH) + 1)
    order = np.argsort(np.abs(shifts), kind="stable")
    counts = np.empty((shifts.size, pictures))
    for k, shift in enumerate(shifts):
        away = np.abs(column[:, None] - shift - places[None, :]).min(axis=1)
        counts[k] = np.bincount(picture[away <= NEAR * PITCH], minlength=pictures)
    best = order[counts[order].argmax(axis=0)]
    here = int(np.flatnonzero(shifts == 0)[0])
    moved = counts[best, np.arange(pictures)] > GAIN * counts[here] + 1.0
    return np.where(moved, _middle(counts, shifts, best), 0.0)


def _middle(
    counts: NDArray[np.float64], shifts: NDArray[np.int64], best: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Middle of the shifts that are as good as the best and next to it."""
    top = counts[best, np.arange(counts.shape[1])]
    good = (counts >= top) & (np.abs(shifts[:, None] - shifts[best]) <= NEAR * PITCH)
    return np.asarray((good * shifts[:, None]).sum(axis=0) / good.sum(axis=0), np.float64)
