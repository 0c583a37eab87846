"""Pass 2's quick way: within a segment, guide stars are followed from frame to frame.

A frame that leaves any doubt is placed by the chain (`reduction.tracking`), which starts from the
correlation with the reference; so are the first of a segment and the one after a frame that stars did
not place. What is carried on is the last placement alone, so blocks do not show in the result.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba.follow import follow, profile_tables
from gpu_kernels.align import correlate_each
from gpu_kernels.beforehand import wait_for
from gpu_kernels.calibrate import Development, develop
from gpu_kernels.photometry import development_arrays
from gpu_kernels.transforms import Transform
from reduction.drift import Seen
from reduction.tracking import (
    CORRELATION,
    METHODS,
    ROTATION_STEP_DEG,
    SCALE_STEP,
    TRACKING,
    Placement,
    Tracker,
    shift_sigma,
)

Floats = NDArray[np.float64]

WIDTH_STEP = 0.02
"""Relative steps in which the stars' width is followed where the focus changes."""

LOOSE_PX = 0.5
FLOOR_PX = 0.02
"""Disagreement of a star that is tolerated, and the error that no star is better than."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where the frames of a block lie; arrays ``(n,)``.

    Attributes
    ----------
    transform : array, (n, 4)
        c, s, tx, ty of each frame (`Transform`); NaN where it is lost.
    method : array, uint8
        Index in `METHODS`.
    stars : array, uint16
        Stars that placed it.
    sigma_px : array
        One-sigma error per axis, pixels.
    weak : array, bool
    """

    transform: Floats
    method: NDArray[np.uint8]
    stars: NDArray[np.uint16]
    sigma_px: Floats
    weak: NDArray[np.bool_]

    def apply(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Positions (n, s) of reference positions (s,) on each frame."""
        c, s, tx, ty = (self.transform[:, k, None] for k in range(4))
        return c * u - s * v + tx, s * u + c * v + ty


class Follower:
    """Places the frames of one segment in order.

    Parameters
    ----------
    tracker : Tracker
    able : bool
        Whether frames may be followed; else every one is correlated with the reference.
    """

    def __init__(self, tracker: Tracker, able: bool = True) -> None:
        self.tracker = tracker
        field = tracker.field
        order = np.argsort(-field.flux, kind="stable")
        self._u, self._v = field.u[order], field.v[order]
        self._flux = np.maximum(field.flux[order], 0.0)
        self._least = min(3, field.u.size)
        self._able = able and field.u.size > 0
        self._mask = field.mask if field.mask is not None else np.empty((0, 0), np.bool_)
        self._last: Seen | None = None
        self._sure = False  # whether enough stars placed the frame before the next
        self._tables: dict[int, tuple[float, int, Floats]] = {}

    def place(self, frames: NDArray[Any], development: Development, first: int) -> Placed:
        """Place a block of recorded frames (n, height, width), `first` being the number of its first."""
        n = len(frames)
        frames = frames.view()
        frames.flags.writeable = False  # one compiled text serves frames that can be written to, and others
        placed = Placed(
            np.full((n, 4), np.nan),
            np.zeros(n, np.uint8),
            np.zeros(n, np.uint16),
            np.full(n, np.nan),
            np.zeros(n, np.bool_),
        )
        widths = self._widths(first, n) if self._able else np.zeros(n, np.int64)
        at = 0
        sure = (
            self._correlated(frames, development, first, placed)
            if self._together(frames, development)
            else None
        )
        while at < n:
            if sure is not None and sure[at]:
                at += 1
                continue
            if self._able and self._sure and self._last is not None and self._last.frame == first + at - 1:
                stop = at + int(np.argmax(np.append(widths[at:] != widths[at], True)))
                at = self._follow(frames, development, first, at, stop, int(widths[at]), placed)
                if at == stop:
                    continue
            image = develop(frames[at : at + 1], development)[0]
            one = self.tracker.place(image, self.tracker.expect(first + at, self._last))
            self._note(placed, at, one)
            if one.by_stars:
                self._last = Seen(first + at, one.transform)
            self._sure = one.by_stars and one.stars >= self._least
            at += 1
        return placed

    def _together(self, frames: NDArray[Any], development: Development) -> bool:
        """Whether a block's frames can be correlated in one call: none is followed, and nothing is masked."""
        whole = frames.dtype.kind == "u" and not development.response.size and not self._mask.size
        return not self._able and self._u.size > 0 and whole

    def _correlated(
        self, frames: NDArray[Any], development: Development, first: int, placed: Placed
    ) -> NDArray[np.bool_]:
        """Correlate every frame of a block with the reference; returns those that leave no doubt."""
        tracker, n = self.tracker, len(frames)
        cy, cx = (tracker.field.shape[0] - 1) / 2.0, (tracker.field.shape[1] - 1) / 2.0
        wanted, widths = self._expected(first, n), self._widths(first, n)
        c, s = wanted[:, 0], wanted[:, 1]
        turns = np.rint(np.degrees(np.arctan2(s, c)) / ROTATION_STEP_DEG).astype(np.int64)
        sizes = np.rint((np.hypot(c, s) - 1.0) / SCALE_STEP).astype(np.int64)
        wanted[:, 2:] = 0.0
        starts = np.stack([c, s, cx - c * cx + s * cy, cy - s * cx - c * cy], axis=1)
        sure = np.zeros(n, np.bool_)
        changes = (np.diff(turns) != 0) | (np.diff(sizes) != 0) | (np.diff(widths) != 0)
        edges = [0, *(np.flatnonzero(changes) + 1).tolist(), n]
        for start, stop in itertools.pairwise(edges):
            pattern = tracker.pattern(int(turns[start]), int(sizes[start]))
            shift = correlate_each(frames[start:stop], tracker.binning, development, pattern, tracker.cap)
            starts[start:stop, 2:] += tracker.binning * shift
            at = start
            while at < stop:
                done = self._fit(
                    frames[at:stop], development, int(widths[start]), wanted[at:stop], starts[at:stop],
                    tracker.binning, starts[at], placed, at, CORRELATION,
                )  # fmt: skip
                sure[at : at + done] = True
                at += done + 1  # the one in doubt is for the chain
        return sure

    def _widths(self, first: int, n: int) -> NDArray[np.int64]:
        """Step of the stars' width on each frame."""
        drift, sigma = self.tracker.field.drift, self.tracker.field.sigma
        if drift.frames.size == 0:
            return np.zeros(n, np.int64)
        width = np.interp(np.arange(first, first + n), drift.frames, drift.width)
        ratio = np.where(width > 0.0, width / sigma, 1.0)
        return np.rint(np.log(ratio) / WIDTH_STEP).astype(np.int64)

    def _follow(
        self,
        frames: NDArray[Any],
        development: Development,
        first: int,
        start: int,
        stop: int,
        width: int,
        placed: Placed,
    ) -> int:
        """Follow frames `start` to `stop` (excluded) of a block; returns the first that is in doubt."""
        last = self._last
        assert last is not None
        before = np.array([last.transform.c, last.transform.s, last.transform.tx, last.transform.ty])
        done = self._fit(
            frames[start:stop], development, width, self._expected(first + start, stop - start),
            np.empty((0, 4)), 0, before, placed, start, TRACKING,
        )  # fmt: skip
        if done > 0:
            self._last = Seen(
                first + start + done - 1, Transform(*placed.transform[start + done - 1].tolist())
            )
        return start + done

    def _fit(
        self,
        frames: NDArray[Any],
        development: Development,
        width: int,
        wanted: Floats,
        starts: Floats,
        search: int,
        before: Floats,
        placed: Placed,
        at: int,
        method: str,
    ) -> int:
        """Fit the guides of frames until one is in doubt, and note where they lie; returns how many."""
        field = self.tracker.field
        if width not in self._tables:
            sigma = field.sigma * float(np.exp(width * WIDTH_STEP))
            half = max(2, int(np.ceil(2.5 * sigma)))
            self._tables[width] = sigma, half, profile_tables(sigma, half)
        sigma, half, tables = self._tables[width]
        response, offset, scale, defect = development_arrays(frames, development)
        shape = len(frames), self._u.size
        p, fits, used = np.empty((len(frames) + 1, 4)), np.zeros((*shape, 7)), np.zeros(shape, np.bool_)
        p[0] = before
        wait_for("following")
        done = follow(
            frames, response, offset, scale, defect, self._mask, self._u, self._v, self._flux, sigma, tables,
            half, field.variance, field.inv_gain, field.saturation, FLOOR_PX, LOOSE_PX, field.rotate, wanted,
            starts, search, p, fits, used,
        )  # fmt: skip
        if done > 0:
            rows = slice(at, at + done)
            error2 = 0.5 * (fits[:done, :, 4] ** 2 + fits[:done, :, 5] ** 2)
            placed.transform[rows] = p[1 : done + 1]
            placed.method[rows] = METHODS.index(method)
            placed.stars[rows] = used[:done].sum(axis=1)
            placed.sigma_px[rows] = shift_sigma(error2, used[:done], self._u, self._v, field)
        return int(done)

    def _expected(self, first: int, n: int) -> Floats:
        """Rotation and scale (c, s) expected on each frame, and its motion since the one before, (n, 4)."""
        drift = self.tracker.field.drift
        wanted = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
        if drift.frames.size:
            frames = np.arange(first, first + n)
            angle = np.radians(np.interp(frames, drift.frames, drift.degrees))
            size = np.interp(frames, drift.frames, drift.scale)
            wanted[:, 0], wanted[:, 1] = size * np.cos(angle), size * np.sin(angle)
            wanted[:, 2:] = drift.rate
        return wanted

    def _note(self, placed: Placed, at: int, one: Placement) -> None:
        if one.found:
            t = one.transform
            placed.transform[at] = t.c, t.s, t.tx, t.ty
        placed.method[at] = METHODS.index(one.method)
        placed.stars[at], placed.sigma_px[at], placed.weak[at] = one.stars, one.sigma_px, one.weak
