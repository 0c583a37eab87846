"""What in a recording is fixed to the sensor and neither sky nor star: burnt-in digits and bad pixels.

Found in pass 1 from a sample of frames, before anything is aligned, and put into the recipe of the images:
an excess is subtracted, a broken pixel repaired, and what lies under digits becomes NaN, which every
later step leaves out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.calibrate import develop
from reduction.caveats import Caveat, Note
from reduction.defects import LEAST_FRAMES, find_defects
from reduction.overlay import MOST_FRAMES, Line, described, find_overlay, masked
from reduction.plan import ReductionPlan
from reduction.view import View

NO_PIXELS: NDArray[np.bool_] = np.empty(0, np.bool_)
NO_VALUES: NDArray[np.float32] = np.empty(0, np.float32)
SAMPLE_FRAMES = 32
SAMPLE_BYTES = 64 * 2**20
"""Frames looked at, and their size in memory as recorded, beyond `LEAST_FRAMES`."""


@dataclass(frozen=True, slots=True, eq=False)
class Blemishes:
    """What was found; arrays have the shape of a recorded frame, or size 0 where there is nothing.

    Attributes
    ----------
    lines : tuple of Line
        Burnt-in digits, pixels of an image.
    hidden : array, bool
        Pixels under them.
    excess : array, float32
        To subtract, ADU.
    broken : array, bool
        To be repaired from their neighbours.
    """

    lines: tuple[Line, ...] = ()
    hidden: NDArray[np.bool_] = field(default_factory=lambda: NO_PIXELS)
    excess: NDArray[np.float32] = field(default_factory=lambda: NO_VALUES)
    broken: NDArray[np.bool_] = field(default_factory=lambda: NO_PIXELS)

    @property
    def any(self) -> bool:
        """Whether there is anything to treat."""
        return bool(self.hidden.size or self.excess.size or self.broken.size)

    def notes(self) -> Iterator[Note]:
        """What a reader must know of them."""
        if self.lines:
            yield Note(Caveat.OVERLAY, described(self.lines))
        corrected, repaired = np.count_nonzero(self.excess), np.count_nonzero(self.broken)
        parts = []
        if corrected:
            parts.append(f"{corrected} hot pixel{'s were' if corrected > 1 else ' was'} corrected")
        if repaired:
            one = f"{repaired} dead or unstable pixel{'s were' if repaired > 1 else ' was'}"
            parts.append(f"{one} repaired from the neighbours")
        if parts:
            text = f"{' and '.join(parts)}; found in the recording itself."
            better = " Dark frames of the same exposure would do better." if corrected else ""
            yield Note(Caveat.DEFECTIVE_PIXELS, text + better)


def find_blemishes(view: View, frames: NDArray[np.int64], plan: ReductionPlan) -> Blemishes:
    """Look for digits and bad pixels on a sample of frames.

    Parameters
    ----------
    view : View
        The recording as it would be measured without knowing of them.
    frames : array, int64
        `sample_frames` of the recording.
    plan : ReductionPlan
        Says whether to look.
    """
    if not (plan.find_overlay or plan.find_defects) or frames.size == 0:
        return Blemishes()
    info = view.stack.info
    wanted = int(np.clip(SAMPLE_BYTES // max(info.frame_bytes, 1), LEAST_FRAMES, SAMPLE_FRAMES))
    planes = [_planes(view, int(frame)) for frame in _spread(frames, wanted)]
    lines: tuple[Line, ...] = ()
    if plan.find_overlay:
        few = _spread(np.arange(len(planes)), MOST_FRAMES)
        stated = tuple(Line(*box) for box in info.burnt_in)
        seen = find_overlay([planes[int(k)].max(axis=0) for k in few])
        lines = (*stated, *(line for line in seen if not any(line.within(box) for box in stated)))
    hidden = masked(lines, (info.height, info.width))
    if hidden.size:
        hidden = np.ascontiguousarray(np.broadcast_to(hidden, info.frame_shape))
    if not plan.find_defects or len(planes) < LEAST_FRAMES:
        return Blemishes(lines, hidden)
    step = 2 if view.geometry.layout == "mosaic" else 1
    whole = np.dtype(info.dtype).kind in "iu"
    found = [find_defects([frame[k] for frame in planes], step, whole) for k in range(len(planes[0]))]
    excess = np.stack([part.excess for part in found]).reshape(info.frame_shape)
    broken = np.stack([part.broken for part in found]).reshape(info.frame_shape)
    if hidden.size:  # bright strokes stand out too, and are dealt with
        excess[hidden], broken[hidden] = 0.0, False
    return Blemishes(
        lines,
        hidden,
        excess if excess.any() else NO_VALUES,
        broken if broken.any() else NO_PIXELS,
    )


def treated(view: View, blemishes: Blemishes) -> View:
    """The same recording, its images made with the blemishes dealt with."""
    if not blemishes.any:
        return view
    view.forget()
    recipe = replace(
        view.recipe, hidden=blemishes.hidden, excess=blemishes.excess, defect=_either(view, blemishes.broken)
    )
    return View(view.stack, recipe)


def _either(view: View, broken: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Defects that were known before, and those that were found."""
    known = view.recipe.defect
    if not broken.size:
        return known
    return known | broken if known.size else broken


def _spread(index: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Some entries, evenly spread."""
    return index[np.unique(np.round(np.linspace(0, index.size - 1, count)).astype(np.int64))]


def _planes(view: View, frame: int) -> NDArray[Any]:
    """Developed samples of a frame in the geometry as recorded, ``(c, height, width)``."""
    if view.sampling.plain:  # kept for what comes next
        return view.sampled(frame, frame + 1)[0].values
    values = develop(view.stack.read(frame, frame + 1), view.pointwise)[0]
    return np.asarray(values).reshape(-1, *values.shape[-2:])
