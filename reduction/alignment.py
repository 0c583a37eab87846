"""What the placements of all frames come to: figures and caveats."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Caveat, Note
from reduction.result import AlignmentSummary
from reduction.survey import Survey
from reduction.tracking import HELD, LOST, METHODS


def alignment_of(found: Survey, places: NDArray[Any], lost: int) -> AlignmentSummary:
    """Figures of the alignment as a whole."""
    scale = found.geometry.scale
    placed = places[places["method"] != METHODS.index(LOST)]
    method = "cross-correlation, refined on guide stars"
    if found.field.rotate:
        method += ", shift and rotation"
    return AlignmentSummary(
        method=method,
        counts={name: int((places["method"] == k).sum()) for k, name in enumerate(METHODS)},
        lost_frames=lost,
        guides=int(found.guides.sum()),
        shift_sigma_px=float(np.median(placed["sigma_px"])) * scale,
        range_x_px=found.range_px[0],
        range_y_px=found.range_px[1],
        rotation_deg=float(np.abs(placed["rotation_deg"]).max()),
    )


def note_held(places: NDArray[Any], found: Survey, frames: int) -> Iterator[Note]:
    """Caveat on frames measured at a place that no star on them confirms."""
    held = places[places["method"] == METHODS.index(HELD)]
    if held.size:
        worst = float(held["sigma_px"].max()) * found.geometry.scale
        yield Note(
            Caveat.FRAMES_HELD,
            f"{held.size} of {frames} frames show no guide star; they were measured where the frames around "
            f"them put the field, to {worst:.2f} px or better, and are flagged.",
        )
