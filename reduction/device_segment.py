"""Pass 2 on a CUDA device: blocks of frames placed and measured all at once, the next on their way.

Every frame is correlated with the reference, none is followed from its neighbour. A frame that this leaves in
doubt goes to the chain (`reduction.tracking`) on the CPU, in order, so that it knows of the frames before it
in its segment. Segments are those of the CPU; results do not depend on the blocks.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._cuda.develop import Masters, masters
from gpu_kernels._cuda.develop import develop as develop_there
from gpu_kernels.align import StarFits, Stars
from gpu_kernels.batch import Located, blanked, coarse_shifts, locate_all
from gpu_kernels.calibrate import develop
from gpu_kernels.device import SLOTS, Accelerator, Array, Uploader, to_host
from gpu_kernels.photometry import StarMeasurements, measure, peaks_within
from gpu_kernels.transforms import Transform
from reduction.drift import Seen
from reduction.errors import ResourceError
from reduction.following import Placed
from reduction.readahead import one_ahead
from reduction.result import STAR_DTYPE
from reduction.sampling import Measured
from reduction.segment import PLACE_DTYPE, Block, Segment, blocks, fill, note
from reduction.sparse_guides import refined
from reduction.survey import Survey
from reduction.tracking import (
    CORRELATION,
    LEAST_SNR,
    METHODS,
    ROTATION_STEP_DEG,
    SCALE_STEP,
    Placement,
    Tracker,
    shift_sigma,
)
from reduction.view import View

Floats = NDArray[np.float64]

WIDTH_STEP = 0.02
"""Relative steps in which the stars' width is followed where the focus changes."""

BLOCK_BYTES = 64 * 2**20
"""Of the frames that travel at once; some six such blocks lie on the host."""


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

    def place(self, frames: Array, image: Callable[[int], NDArray[Any]], first: int) -> Placed:
        """Place a block of frames.

        Parameters
        ----------
        frames : array, (n, height, width)
            Developed, on a device (or on the host: the same by the CPU's kernels).
        image : callable
            One of them on the host, by its place in the block: for frames in doubt.
        first : int
            Number of the first.
        """
        n = frames.shape[0]
        placed = Placed(
            np.full((n, 4), np.nan),
            np.full(n, METHODS.index(CORRELATION), np.uint8),
            np.zeros(n, np.uint16),
            np.full(n, np.nan),
            np.zeros(n, np.bool_),
        )
        sure = self._correlated(frames, first, placed)
        for i in range(n):
            if not sure[i]:
                one = self._tracker.place(image(i), self._tracker.expect(first + i, self._last))
                _put(placed, i, one)
                if not one.by_stars:
                    continue
            self._last = Seen(first + i, Transform(*placed.transform[i].tolist()))
        return placed

    def _correlated(self, frames: Array, first: int, placed: Placed) -> NDArray[np.bool_]:
        """Fill in the placements by correlation that leave no doubt; which they are, ``(n,)``."""
        n, field = frames.shape[0], self._tracker.field
        sure = np.zeros(n, np.bool_)
        if field.u.size == 0:
            return sure
        if field.mask is not None:
            frames = blanked(frames, field.mask)
        starts = self._starts(frames, first)
        widths = self._widths(first, n)
        runs = np.flatnonzero(np.diff(widths, prepend=widths[0] - 1, append=widths[-1] - 1)).tolist()
        for low, high in pairwise(runs):  # frames on which the stars are equally wide
            at = slice(low, high)
            stars = replace(self._stars, sigma=self._stars.sigma * float(np.exp(widths[low] * WIDTH_STEP)))
            sure[at] = self._refined(frames[at], starts[at], stars, at, placed)
        return sure

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

    def _starts(self, frames: Array, first: int) -> Floats:
        """Where the correlation puts each frame, (n, 4), with the rotation and scale that pass 1 saw."""
        tracker = self._tracker
        degrees, scale, _ = self._motion(first, frames.shape[0])
        turn, size = np.rint(degrees / ROTATION_STEP_DEG), np.rint((scale - 1.0) / SCALE_STEP)
        keys, which = np.unique(np.stack([turn, size]).astype(np.int64), axis=1, return_inverse=True)
        patterns = [tracker.pattern(*key) for key in keys.T.tolist()]
        shift = tracker.binning * coarse_shifts(
            frames, tracker.binning, patterns, which.reshape(-1), tracker.cap, tracker.bins_hidden
        )
        cy, cx = (tracker.field.shape[0] - 1) / 2.0, (tracker.field.shape[1] - 1) / 2.0
        c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
        tx, ty = cx - (c * cx - s * cy) + shift[:, 0], cy - (s * cx + c * cy) + shift[:, 1]
        return np.stack([c, s, tx, ty], axis=1)

    def _refined(
        self, frames: Array, starts: Floats, stars: Stars, at: slice, placed: Placed
    ) -> NDArray[np.bool_]:
        """Placements of frames from their guide stars; whether they leave no doubt."""
        tracker, field = self._tracker, self._tracker.field
        u, v = tracker.guides
        c, s, tx, ty = (starts[:, k, None] for k in range(4))
        rotate = field.rotate and u.size >= 2
        x, y = c * u - s * v + tx, s * u + c * v + ty
        seen = locate_all(frames, x, y, stars, tracker.search, rotate, LEAST_SNR)
        count = seen.used.sum(axis=1)
        sure: NDArray[np.bool_] = (count == u.size) & (u.size >= 3)
        placed.transform[at] = _after(seen.transform, starts)
        placed.stars[at] = count
        with np.errstate(divide="ignore", invalid="ignore"):  # frames without a star
            placed.sigma_px[at] = shift_sigma(seen.error**2, seen.used, u, v, field)
        for i in np.flatnonzero(~sure & (count >= 2)).tolist():
            start = Transform(*starts[i].tolist())
            sure[i] = tracker.undoubted(start, _fits(seen, i), seen.used[i])
        return sure


def _after(step: Floats, first: Floats) -> Floats:
    """Transforms (n, 4) that apply `first`, then `step`."""
    c, s, tx, ty = step.T
    fc, fs, fx, fy = first.T
    return np.stack([c * fc - s * fs, s * fc + c * fs, c * fx - s * fy + tx, s * fx + c * fy + ty], axis=1)


def _fits(seen: Located, i: int) -> StarFits:
    """The stars of one frame."""
    return StarFits(seen.x[i], seen.y[i], seen.flux[i], seen.error[i], seen.snr[i], seen.status[i])


def _put(placed: Placed, i: int, one: Placement) -> None:
    """Write one placement of the chain."""
    t = one.transform
    placed.transform[i] = (t.c, t.s, t.tx, t.ty) if one.found else np.nan
    placed.method[i] = METHODS.index(one.method)
    placed.stars[i], placed.sigma_px[i], placed.weak[i] = one.stars, one.sigma_px, one.weak


class DeviceRunner:
    """Runs pass 2 on a CUDA device: a `reduction.run.SegmentRunner`.

    Parameters
    ----------
    accelerator : Accelerator
    block : int, optional
        Frames at a time; what fits is taken otherwise.
    """

    def __init__(self, accelerator: Accelerator, block: int | None = None) -> None:
        self._accelerator, self._block = accelerator, block

    @property
    def device(self) -> str:
        """What stands in the provenance."""
        return f"cuda {self._accelerator.model} (CuPy {self._accelerator.library.__version__})"

    def __call__(
        self,
        found: Survey,
        view: View,
        spans: Sequence[tuple[int, int]],
        block: int,  # noqa: ARG002  # what a CPU would take
        done: Callable[[int], None],
    ) -> Iterator[Segment]:
        """Yield one Segment per (start, stop) of `spans`, in order; call `done` with frames finished.

        Raises
        ------
        ResourceError
            The device's memory is taken by others meanwhile.
        """
        device = self._accelerator
        try:
            yield from self._segments(found, view, spans, done)
        except device.library.cuda.memory.OutOfMemoryError as error:
            raise ResourceError(
                f"cuda:{device.number} ({device.model}): {error}; free its memory, or use --device cpu"
            ) from error

    def _segments(
        self, found: Survey, view: View, spans: Sequence[tuple[int, int]], done: Callable[[int], None]
    ) -> Iterator[Segment]:
        tracker = Tracker(found.field)
        size = self._block or frames_at_once(self._accelerator, found, view)
        arriving = one_ahead(self._arriving(view, spans, size))
        made: Masters | None = None
        try:
            for start, stop in spans:
                placer = DevicePlacer(tracker)
                rows = np.empty((stop - start, found.u.size), STAR_DTYPE)
                places = np.empty(stop - start, PLACE_DTYPE)
                for low in range(start, stop, size):
                    part, there = next(arriving)
                    with self._accelerator.library.cuda.Device(self._accelerator.number):
                        images = there
                        if part.development.active:
                            made = masters(part.development, there) if made is None else made
                            images = develop_there(there, made)
                        at = slice(low - start, low - start + len(part.frames))
                        _finish(found, view, part, there, images, placer, rows[at], places[at])
                    done(len(part.frames))
                yield Segment(start, rows.reshape(-1), places)
        finally:
            if isinstance(arriving, Generator):
                arriving.close()

    def _arriving(
        self, view: View, spans: Sequence[tuple[int, int]], size: int
    ) -> Iterator[tuple[Block, Array]]:
        """Blocks on the host and on the device, of all segments one after the other."""
        parts: deque[Block] = deque()

        def read() -> Iterator[NDArray[Any]]:
            for start, stop in spans:
                for part in blocks(view, start, stop, size):
                    parts.append(part)
                    yield part.frames

        incoming = read()
        head = next(incoming, None)
        if head is None:
            return
        uploader = Uploader(self._accelerator, head.shape[1:], head.dtype, size)

        def whole() -> Iterator[NDArray[Any]]:
            yield head
            yield from incoming

        for _, there in uploader.blocks(whole()):
            yield parts.popleft(), there


def _finish(
    found: Survey,
    view: View,
    part: Block,
    there: Array,
    images: Array,
    placer: DevicePlacer,
    rows: NDArray[Any],
    places: NDArray[Any],
) -> None:
    """Place and measure a block whose recorded and developed frames are on the device, and write its rows."""

    def image(i: int) -> NDArray[Any]:
        developed: NDArray[Any] = develop(part.frames[i : i + 1], part.development)[0]
        return developed

    placed = placer.place(images, image, part.start)
    if part.images is not None:
        placed = refined(found.sparse, view.sampling, part.images, placed, part.start)
    measured = None
    if part.images is None:
        x, y = placed.apply(found.u, found.v)
        seen = measure(images, x, y, np.array([found.aperture.radius]), *found.sky)
        peak = seen.peak
        if images is not there:
            peak = peaks_within(there, x, y, found.aperture.radius)[..., None]
        here = {name.name: to_host(getattr(seen, name.name)) for name in fields(StarMeasurements)}
        measured = Measured(StarMeasurements(**here | {"peak": to_host(peak)}), np.ones(here["flux"].shape))
    numbers = view.sampling.frame_numbers(part.start, len(part.frames))
    usable = part.images is None and found.extraction.on_device
    fill(rows, found, view, part, placed, numbers, measured, images if usable else None)
    note(places, numbers, placed)


def frames_at_once(accelerator: Accelerator, found: Survey, view: View) -> int:
    """Frames of a block: as many as travel well, and as the device's free memory holds."""
    height, width = found.field.shape
    pixels = height * width
    recorded = view.stack.info.frame_bytes
    developed = pixels * (8 if view.dtype == "float64" else 4)
    each = SLOTS * max(recorded, developed) + 2 * developed + pixels  # bins are a few per cent of the pixels
    each += 1024 * (found.u.size + found.field.u.size)
    return max(1, min(4096, BLOCK_BYTES // recorded, accelerator.free_bytes // 2 // each))
