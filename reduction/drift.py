"""How the field moves through a recording, from the frames that pass 1 placed: where any frame should lie.

The pivot's place is a level that wanders (a random walk about a constant rate), seen on some frames with
a scatter of its own (wind): a local-level model (Harvey 1989, Forecasting, structural time series models
and the Kalman filter, section 2.3), filtered from both ends. Between two sightings the level is therefore
interpolated, beyond the last it is extrapolated, and its variance grows with the frames passed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.transforms import IDENTITY, Transform, similarity

Floats = NDArray[np.float64]

LEAST_WIND_PX = 0.02
LEAST_WALK = 1e-5
"""Variance that a level gains in a frame at least, square pixels: 0.1 px in a thousand frames."""

KNOCK_SIGMAS = 4.0
"""Disagreement that is no drift any more."""

BLOCKS = 16
"""Parts of a recording between which its rate is taken."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame that stars placed."""

    frame: int
    transform: Transform


@dataclass(frozen=True, slots=True)
class Expectation:
    """Where a frame should lie, before it is looked at.

    Attributes
    ----------
    transform : Transform
        Reference to frame.
    sigma_px : float
        Error per axis of the place; inf: only rotation and scale are known.
    unseen : int
        Frames to the nearest one on which the field was seen.
    width : float
        Gaussian width of the stars, pixels; 0: that of the field.
    given : Transform or None
        Where a coordinates file puts the frame.
    """

    transform: Transform = IDENTITY
    sigma_px: float = float("inf")
    unseen: int = 1 << 30
    width: float = 0.0
    given: Transform | None = None


ANYWHERE = Expectation()


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Motion of a field; arrays are ``(k,)``, by the frames on which it was seen.

    Attributes
    ----------
    frames : array
        Frame numbers, increasing.
    pivot : (float, float)
        The place of the reference grid whose motion is followed.
    before, after : array, (k, 2)
        Level at each frame from those up to it, and from those from it on, pixels less `rate` x frame.
    before_variance, after_variance : array, (k,)
    rate : (float, float)
        Pixels per frame.
    wind, walk : float
        Scatter of a frame about the level, pixels; variance that the level gains per frame.
    degrees, scale, width : array
        Rotation and scale against the reference, and the stars' Gaussian width (0: that of the field).
    """

    frames: Floats
    pivot: tuple[float, float]
    before: Floats
    after: Floats
    before_variance: Floats
    after_variance: Floats
    rate: tuple[float, float]
    wind: float
    walk: float
    degrees: Floats
    scale: Floats
    width: Floats

    def expect(self, frame: int, last: Seen | None = None) -> Expectation:
        """Where a frame should lie, by the frames that pass 1 placed, and by the last one placed before it.

        Where the levels before and after the frame contradict each other, the field was knocked in
        between, nobody knows when: the error says so.
        """
        if self.frames.size == 0:
            return ANYWHERE if last is None else self._as_last(frame, last)
        sides = [side for side in (self._before(frame, last), self._after(frame)) if side is not None]
        weight = sum(1.0 / side.variance for side in sides)
        level = sum((side.level / side.variance for side in sides), np.zeros(2)) / weight
        variance = 1.0 / weight + self.wind**2
        if len(sides) == 2:
            apart = 0.5 * float(((sides[0].level - sides[1].level) ** 2).sum())  # per axis
            if apart > KNOCK_SIGMAS**2 * (sides[0].variance + sides[1].variance):
                near, far = sorted(sides, key=lambda side: side.lag)
                share = near.lag / max(near.lag + far.lag, 1)  # chance that the knock lies nearer
                level, variance = near.level, near.variance + self.wind**2 + share * (1.0 - share) * apart
        x, y = (float(level[i]) + self.rate[i] * frame for i in (0, 1))
        sigma, nearest = float(np.sqrt(variance)), min(side.lag for side in sides)
        return Expectation(self._turned(frame, x, y), sigma, nearest, self._at(frame, self.width))

    def _before(self, frame: int, last: Seen | None) -> "_Side | None":
        """The level by what was seen up to a frame."""
        k = int(np.searchsorted(self.frames, frame, side="right")) - 1
        level, variance, since = None, 0.0, -1.0
        if k >= 0:
            level, variance, since = self.before[k], float(self.before_variance[k]), float(self.frames[k])
        if last is not None and last.frame > since:
            there = np.array(_place(last.transform, self.pivot)) - np.multiply(self.rate, last.frame)
            seen = self.wind**2
            if level is not None:
                ahead = variance + self.walk * (last.frame - since)
                gain = ahead / (ahead + seen)
                if ((there - level) ** 2).sum() < 2.0 * KNOCK_SIGMAS**2 * (ahead + seen):
                    there, seen = level + gain * (there - level), gain * seen
            level, variance, since = there, seen, float(last.frame)
        if level is None:
            return None
        return _Side(level, variance + self.walk * (frame - since), int(frame - since))

    def _after(self, frame: int) -> "_Side | None":
        """The level by what was seen after a frame."""
        k = int(np.searchsorted(self.frames, frame, side="right"))
        if k == self.frames.size:
            return None
        lag = float(self.frames[k]) - frame
        return _Side(self.after[k], float(self.after_variance[k]) + self.walk * lag, int(lag))

    def _as_last(self, frame: int, last: Seen) -> Expectation:
        """As the last frame lay, where nothing else is known."""
        lag = frame - last.frame
        return Expectation(last.transform, float(np.sqrt(2.0 * self.wind**2 + self.walk * lag)), lag)

    def _turned(self, frame: int, x: float, y: float) -> Transform:
        return similarity(self._at(frame, self.scale), self._at(frame, self.degrees), *self.pivot, x, y)

    def _at(self, frame: int, values: Floats) -> float:
        return float(np.interp(frame, self.frames, values))


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Level by what was seen on one side of a frame, its variance there, and how many frames off."""

    level: Floats
    variance: float
    lag: int


def _place(transform: Transform, pivot: tuple[float, float]) -> tuple[float, float]:
    """Where the pivot lies on a frame."""
    u, v = pivot
    return (
        transform.c * u - transform.s * v + transform.tx,
        transform.s * u + transform.c * v + transform.ty,
    )


def drift_of(
    frames: NDArray[np.int64],
    transforms: list[Transform],
    sure: NDArray[np.bool_],
    pivot: tuple[float, float],
    degrees: Floats | None = None,
    scale: Floats | None = None,
    width: Floats | None = None,
) -> Drift:
    """Motion of a field from frames that were placed.

    Parameters
    ----------
    frames : array, (k,)
        Frame numbers, increasing.
    transforms : list of Transform
    sure : array, (k,), bool
        Whether more than one star placed the frame; one that does not fit its neighbours is left out else.
    pivot : (float, float)
        Place of the reference grid whose motion matters most.
    degrees, scale, width : array, (k,), optional
        See `Drift`; no rotation, no change of scale and the field's width where not given.
    """
    places = np.array([_place(t, pivot) for t in transforms]).reshape(-1, 2)
    kept = sure | ~_strays(places)
    at, places = frames[kept].astype(np.float64), places[kept]
    rate = _rate(at, places)
    level = places - at[:, None] * rate
    wind, walk = _scatter(at, level)
    seen = wind**2
    before, before_variance = _filtered(at, level, seen, walk)
    after, after_variance = _filtered(-at[::-1], level[::-1], seen, walk)
    nothing = np.zeros(at.size)
    return Drift(
        frames=at,
        pivot=pivot,
        before=before,
        after=after[::-1],
        before_variance=before_variance,
        after_variance=after_variance[::-1],
        rate=(float(rate[0]), float(rate[1])),
        wind=wind,
        walk=walk,
        degrees=nothing if degrees is None else degrees[kept],
        scale=nothing + 1.0 if scale is None else scale[kept],
        width=nothing if width is None else width[kept],
    )


def _strays(places: Floats) -> NDArray[np.bool_]:
    """Places far from the median of those around, against the scatter of all about theirs."""
    if places.shape[0] < 5:
        return np.zeros(places.shape[0], np.bool_)
    padded = np.pad(places, ((3, 3), (0, 0)), mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7, axis=0), axis=-1)
    off = np.hypot(*(places - around).T)
    return np.asarray(off > max(3.0, 6.0 * float(np.median(off))), np.bool_)


def _rate(at: Floats, places: Floats) -> Floats:
    """Median rate between the middles of successive parts of the recording, pixels per frame."""
    if at.size < 2:
        return np.zeros(2)
    parts = np.array_split(np.arange(at.size), min(BLOCKS, max(at.size // 4, 2)))
    when = np.array([np.median(at[p]) for p in parts])
    where = np.array([np.median(places[p], axis=0) for p in parts])
    if when.size < 2:
        return np.zeros(2)
    return np.asarray(np.median(np.diff(where, axis=0) / np.diff(when)[:, None], axis=0), np.float64)


def _scatter(at: Floats, level: Floats) -> tuple[float, float]:
    """Scatter of a frame about the level, and the level's gain of variance per frame, both robust.

    Differences over `lag` frames have the variance 2 wind^2 + walk x lag; a short and a long lag
    tell the two apart.
    """
    if at.size < 4:
        return 0.5, 1e-2  # too few to tell: a pixel in a hundred frames
    far = max(2, at.size // BLOCKS)
    short, long = np.diff(at), at[far:] - at[:-far]
    near = short <= np.median(short)
    one, many = _variance(np.diff(level, axis=0)[near]), _variance(level[far:] - level[:-far])
    lag_one, lag_many = float(np.median(short[near])), float(np.median(long))
    walk = max((many - one) / max(lag_many - lag_one, 1.0), LEAST_WALK)
    wind = np.sqrt(max(0.5 * (one - walk * lag_one), LEAST_WIND_PX**2))
    return float(wind), float(walk)


def _variance(steps: Floats) -> float:
    """Robust variance of steps, of both axes."""
    if steps.size == 0:
        return 0.0
    centred = np.abs(steps - np.median(steps, axis=0))
    return float((1.4826 * np.median(centred)) ** 2)


def _filtered(at: Floats, level: Floats, seen: float, walk: float) -> tuple[Floats, Floats]:
    """Kalman filter of the local-level model: estimates and variances after each sighting."""
    out, variance = np.empty_like(level), np.empty(at.size)
    if at.size == 0:
        return out, variance
    out[0], variance[0] = level[0], seen
    for k in range(1, at.size):
        ahead = variance[k - 1] + walk * (at[k] - at[k - 1])
        gain = ahead / (ahead + seen)
        out[k] = out[k - 1] + gain * (level[k] - out[k - 1])
        variance[k] = (1.0 - gain) * ahead
    return out, variance


NO_DRIFT = drift_of(np.empty(0, np.int64), [], np.empty(0, np.bool_), (0.0, 0.0))
