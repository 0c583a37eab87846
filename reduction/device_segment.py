"""Pass 2 on a CUDA device: blocks of frames placed against the reference all at once.

Every frame is correlated with the reference, none is followed from its neighbour. A frame that this leaves in
doubt goes to the chain (`reduction.tracking`) on the CPU, in order, so that it knows of the frames before it
in its segment.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.align import StarFits, Stars
from gpu_kernels.batch import blanked, coarse_shifts, locate_all
from gpu_kernels.device import Array
from gpu_kernels.transforms import Transform, similarity
from reduction.drift import Seen
from reduction.tracking import LEAST_SNR, ROTATION_STEP_DEG, SCALE_STEP, Placement, Tracker

Floats = NDArray[np.float64]

WIDTH_STEP = 0.02
"""Relative steps in which the stars' width is followed where the focus changes."""


class DevicePlacer:
    """Places the frames of one segment, block by block.

    Parameters
    ----------
    tracker : Tracker
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        field = tracker.field
        self._stars = Stars(field.sigma, field.variance, field.inv_gain, field.saturation)
        self._last: Seen | None = None

    def place(self, frames: Array, images: NDArray[Any], first: int) -> list[Placement]:
        """Place a block of frames.

        Parameters
        ----------
        frames : array, (n, height, width)
            Developed, on a device (or on the host: the same by the CPU's kernels).
        images : array, (n, height, width)
            The same on the host, for frames in doubt.
        first : int
            Number of the first.
        """
        placements = []
        for i, found in enumerate(self._undoubted(frames, first)):
            one = found
            if one is None:
                one = self._tracker.place(images[i], self._tracker.expect(first + i, self._last))
            if one.by_stars:
                self._last = Seen(first + i, one.transform)
            placements.append(one)
        return placements

    def _undoubted(self, frames: Array, first: int) -> list[Placement | None]:
        """Placements by correlation that leave no doubt; None for the other frames."""
        n, tracker = frames.shape[0], self._tracker
        found: list[Placement | None] = [None] * n
        if tracker.field.u.size == 0:
            return found
        if tracker.field.mask is not None:
            frames = blanked(frames, tracker.field.mask)
        starts = self._coarse(frames, first)
        widths = self._widths(first, n)
        runs = np.flatnonzero(np.diff(widths, prepend=widths[0] - 1, append=widths[-1] - 1)).tolist()
        for low, high in pairwise(runs):  # frames on which the stars are equally wide
            width = float(np.exp(widths[low] * WIDTH_STEP))
            found[low:high] = self._refined(frames[low:high], starts[low:high], width)
        return found

    def _coarse(self, frames: Array, first: int) -> list[Transform]:
        """Where the correlation puts each frame, with the rotation and scale that pass 1 saw."""
        tracker, n = self._tracker, frames.shape[0]
        degrees, scale, _ = self._motion(first, n)
        patterns = [
            tracker.pattern(round(degrees[i] / ROTATION_STEP_DEG), round((scale[i] - 1.0) / SCALE_STEP))
            for i in range(n)
        ]
        different = list({id(pattern): pattern for pattern in patterns}.values())
        number = {id(pattern): k for k, pattern in enumerate(different)}
        which = np.array([number[id(pattern)] for pattern in patterns], np.int64)
        shifts = coarse_shifts(frames, tracker.binning, different, which, tracker.cap, tracker.bins_hidden)
        cy, cx = (tracker.field.shape[0] - 1) / 2.0, (tracker.field.shape[1] - 1) / 2.0
        starts = []
        for (dx, dy), angle, size in zip((tracker.binning * shifts).tolist(), degrees, scale, strict=True):
            turn = similarity(float(size), float(angle), cx, cy, cx, cy)
            starts.append(replace(turn, tx=turn.tx + dx, ty=turn.ty + dy))
        return starts

    def _motion(self, first: int, n: int) -> tuple[Floats, Floats, Floats]:
        """Rotation (degrees), scale and width of the stars (0: the field's) that pass 1 saw."""
        drift = self._tracker.field.drift
        if drift.frames.size == 0:
            return np.zeros(n), np.ones(n), np.zeros(n)
        at = np.arange(first, first + n, dtype=np.float64)
        degrees, scale, width = (
            np.interp(at, drift.frames, seen) for seen in (drift.degrees, drift.scale, drift.width)
        )
        return degrees, scale, width

    def _widths(self, first: int, n: int) -> NDArray[np.int64]:
        """Step of the stars' width on each frame."""
        width = self._motion(first, n)[2]
        ratio = np.where(width > 0.0, width / self._stars.sigma, 1.0)
        return np.rint(np.log(ratio) / WIDTH_STEP).astype(np.int64)

    def _refined(self, frames: Array, starts: list[Transform], width: float) -> list[Placement | None]:
        """Placements of frames from their guide stars, where these leave no doubt."""
        tracker, field = self._tracker, self._tracker.field
        u, v = tracker.guides
        x, y = (np.array(place) for place in zip(*(start.apply(u, v) for start in starts), strict=True))
        stars = replace(self._stars, sigma=self._stars.sigma * width)
        rotate = field.rotate and u.size >= 2
        seen = locate_all(frames, x, y, stars, tracker.search, rotate, LEAST_SNR)
        out = []
        for i, start in enumerate(starts):
            fits = StarFits(seen.x[i], seen.y[i], seen.flux[i], seen.error[i], seen.snr[i], seen.status[i])
            step = Transform(*(float(value) for value in seen.transform[i]))
            out.append(tracker.undoubted(start, step, fits, seen.used[i]))
        return out
