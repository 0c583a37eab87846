"""A plate solution on every frame of a recording: moved by how each frame lies on the one that was solved."""

from dataclasses import replace

import numpy as np

from reduction.astrometry.reference import deep_image
from reduction.astrometry.solution import SkySolution
from reduction.drift import ANYWHERE
from reduction.placement import Placement
from reduction.plan import make_plan
from reduction.stack import Stack
from reduction.tracking import Tracker

MOST_GUIDES = 60


class FrameSky:
    """The solution of any frame; safe from several threads.

    Parameters
    ----------
    stack : Stack
        The recording.
    solution : SkySolution
        Of one of its frames.

    Raises as `reduction.astrometry.reference.deep_image`.
    """

    def __init__(self, stack: Stack, solution: SkySolution) -> None:
        plan = make_plan({"frame": solution.frame, "max_stars": MOST_GUIDES}, "plate solution")
        deep = deep_image(stack, plan)
        self._solution, self._view, self._registered = solution, deep.view, deep.registered
        self._tracker = Tracker(deep.registered.field)

    def of(self, frame: int) -> SkySolution | None:
        """The solution on a frame; None where its stars do not tell how it lies."""
        if frame == self._solution.frame:
            return self._solution
        placed = self._placed(frame)
        if not placed.by_stars:
            return None
        moved = self._solution.moved(placed.transform, frame)
        covariance = moved.covariance.copy()
        covariance[0, 0] += (placed.sigma_px * moved.scale_arcsec / 3600.0) ** 2
        return replace(moved, covariance=covariance)

    def _placed(self, frame: int) -> Placement:
        """How a frame lies on the grid: looked for as the nearest frame of the sample is turned."""
        index, placements = self._registered.index, self._registered.placements
        found = np.flatnonzero([p.found for p in placements])
        near = placements[int(found[np.argmin(np.abs(index[found] - frame))])]
        image = self._view.images(frame, frame + 1).values[0]
        return self._tracker.place(image, replace(ANYWHERE, transform=near.transform))
