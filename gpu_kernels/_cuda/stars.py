"""Launchers of stars.cu and transform.cu: fits of stars and the transform they agree on, on many frames."""

from dataclasses import dataclass

import numpy as np

from gpu_kernels._cuda import NO_PIXELS, Array, blocks, contiguous, launch
from gpu_kernels.device import namespace

LANES, SUMS, THREADS = 32, 15, 128


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What the fits and the transform are to be like; see `align.locate`."""

    half: int
    search: int
    nearby: int
    leaders: int
    sigma: float
    variance: float
    inv_gain: float
    saturation: float
    rotate: bool = False
    least_snr: float = 4.0
    loose_px: float = 1.0
    max_sin: float = 0.0
    floor_px: float = 0.02


class Fits:
    """Fits of g stars on each of n frames, in the making.

    `out` is ``(n, g, 7)``: x, y, flux, sky, x_err, y_err, snr; `status` ``(n, g)``; `p` ``(n, 4)``: cos, sin,
    tx, ty; `keep` ``(n, g)``: the stars that agree.
    """

    def __init__(self, frames: Array, x: Array, y: Array, how: Search) -> None:
        frames, x, y = contiguous(frames, x, y)
        self._frames, self._x, self._y, self._how = frames, x, y, how
        self._n, self._stars = x.shape
        xp, shape = namespace(frames), x.shape
        with frames.device:
            self._bx, self._by = xp.empty(shape, np.float64), xp.empty(shape, np.float64)
            self._radius = xp.empty(self._n, np.int32)
            self.out, self.status = xp.empty((*shape, 7), np.float64), xp.empty(shape, np.int32)
            self.p, self.keep = xp.empty((self._n, 4), np.float64), xp.empty(shape, np.uint8)
        launch(
            "transform", "expect", frames, (blocks(x.size, THREADS),), THREADS, x, y, self._stars, self._n,
            how.search, how.half, self._bx, self._by, self._radius, self.out, self.status, self.p, self.keep,
            pixel=NO_PIXELS,
        )  # fmt: skip

    def fit(self, first: int, stop: int) -> None:
        """Fit stars `first` to `stop` (excluded) of every frame."""
        how, (_, height, width) = self._how, self._frames.shape
        side = 2 * how.half + 1
        rows = (2 * (how.search + how.half) + 1) * (2 * how.search + 1)
        doubles = side + 4 * (side + 1) + SUMS * (LANES + 1) + SUMS + rows
        launch(
            "stars", "fit", self._frames, (self._n, stop - first), LANES, self._frames, height, width,
            self._x, self._y, self._bx, self._by, self._radius, self._stars, first, how.search, how.sigma,
            how.half, how.variance, how.inv_gain, how.saturation, self.out, self.status, shared=8 * doubles,
        )  # fmt: skip

    def agree(self, guide: bool) -> None:
        """Find the transform of every frame; with `guide` it tells where the other stars are looked for."""
        how, xp = self._how, namespace(self._frames)
        with self._frames.device:
            scratch = xp.empty((self._n, 5, self._stars), np.float64)
            marks = xp.empty((self._n, 2, self._stars), np.uint8)
        launch(
            "transform", "agree", self._frames, (blocks(self._n, THREADS),), THREADS, self._x, self._y,
            self.out, self.status, self._n, self._stars, how.leaders, guide, how.rotate, how.loose_px,
            how.floor_px, how.max_sin, how.least_snr, how.search, how.nearby, how.half, self._bx, self._by,
            self._radius, self.p, self.keep, scratch, marks, pixel=NO_PIXELS,
        )  # fmt: skip


def fit_stars(frames: Array, x: Array, y: Array, how: Search) -> Fits:
    """Fit every star near the place expected, ``(n, g)``, within `Search.search` pixels."""
    fits = Fits(frames, x, y, how)
    fits.fit(0, x.shape[1])
    return fits


def locate(frames: Array, x: Array, y: Array, how: Search) -> Fits:
    """Fit the leaders, then the others, and find each frame's transform; see `align.locate`."""
    fits = Fits(frames, x, y, how)
    stars, leaders = x.shape[1], min(how.leaders, x.shape[1])
    fits.fit(0, leaders)
    fits.agree(guide=stars > leaders)
    if stars > leaders:
        fits.fit(leaders, stars)
        fits.agree(guide=False)
    return fits
