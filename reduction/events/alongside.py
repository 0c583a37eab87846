"""Two curves of one event laid upon each other: by how much the times of one are late."""

from dataclasses import dataclass

import numpy as np

from reduction.errors import DataError
from reduction.events.curve import EventCurve, Floats

LONGEST_S = 5.0
"""Shifts are looked for up to so many seconds, or twenty cadences where these are longer."""

MOST_SAMPLES = 2_000
FINE = 50
"""Steps of a cadence in which the best shift is looked for; none is surer than one."""

LEAST_OVERLAP = 10
LEAST_CORRELATION = 0.3
SMOOTH = 1.0
"""Sigma in samples of the Gaussian that smooths both curves: between samples they are interpolated."""

LAGS = 9
"""Over which the difference of the smoothed curves has a memory."""


@dataclass(frozen=True, slots=True)
class Offset:
    """By how much another curve's times are later than ours.

    Attributes
    ----------
    seconds, sigma_s : float
        Theirs less ours, seconds, positive where they are late; one sigma.
    cadence_s : float
        Of ours.
    correlation : float
        Of the two curves at that shift, 1 for one and the same.
    samples : int
        Compared.
    """

    seconds: float
    sigma_s: float
    cadence_s: float
    correlation: float
    samples: int

    @property
    def frames(self) -> float:
        """The offset in our cadences."""
        return self.seconds / self.cadence_s

    @property
    def frames_sigma(self) -> float:
        """Its sigma in our cadences."""
        return self.sigma_s / self.cadence_s


def offset_between(ours: EventCurve, theirs: EventCurve) -> Offset:
    """By how much `theirs` is later, by the peak of the cross-correlation of the two curves.

    Noise that both have in common (one recording, measured twice) helps; noise of their own does not bias
    the peak. How its error is found stands at `_peak`.

    Raises
    ------
    DataError
        The curves do not overlap, or do not resemble each other.
    """
    from scipy.interpolate import CubicSpline
    from scipy.ndimage import gaussian_filter1d

    shift0 = 0.0 if not (ours.dated and theirs.dated) else (theirs.ref_ns - ours.ref_ns) * 1e-9
    a, at = _clean(ours, 0.0)
    b, bt = _clean(theirs, shift0)
    cadence = max(ours.cadence_s(), theirs.cadence_s())
    longest = max(LONGEST_S, 20 * cadence)
    span = min(at[-1], bt[-1]) - max(at[0], bt[0])
    longest = min(longest, max(span / 4, 2 * cadence))
    inside = (at >= bt[0] + longest) & (at <= bt[-1] - longest)
    if np.count_nonzero(inside) < LEAST_OVERLAP:
        raise DataError(
            f"{theirs.name}: overlaps {ours.name} by {np.count_nonzero(inside)} samples; are the times of "
            "one of them of another event, or wrong by more than the recording?"
        )
    a, at = _most_telling(a[inside], at[inside])
    coarse = np.arange(-longest, longest + 0.25 * cadence, 0.5 * cadence)
    best = coarse[int(np.argmax(_correlation(a, at, b, bt, coarse)))]
    fine = best + cadence * np.arange(-FINE, FINE + 1) / FINE
    spline = CubicSpline(bt, gaussian_filter1d(b, SMOOTH))
    own = gaussian_filter1d(a, SMOOTH)
    moved = np.stack([spline(at + shift) for shift in fine])
    step, sigma_steps = _peak(own, moved)
    seconds = float(fine[0]) + step * cadence / FINE
    near = np.interp(at + seconds, bt, b)
    correlation = float(np.corrcoef(a, near)[0, 1])
    if not correlation > LEAST_CORRELATION:
        raise DataError(
            f"{theirs.name}: does not resemble {ours.name} at any shift up to {longest:g} s (correlation "
            f"{correlation:.2f})"
        )
    sigma = float(np.hypot(sigma_steps, 1.0)) * cadence / FINE
    return Offset(seconds, sigma, ours.cadence_s(), correlation, int(a.size))


def _peak(a: Floats, moved: Floats) -> tuple[float, float]:
    """Where the covariance of a curve with the moved other has its peak, in steps, and its sigma.

    With the mean of the two aligned curves `m` and their difference `e`, the slope of the covariance errs by
    ``sum(m' e)``, also through the noise in `m`; over the covariance's curvature ``sum(a' b')`` it is the
    error of the peak. The variance takes the memory of `e` from its own autocovariance.
    """
    own = a - a.mean()
    heights = np.array([float(np.vdot(own, row)) for row in moved])
    peak = int(np.argmax(heights))
    at = peak + _vertex(heights, peak)
    other = moved[peak] - moved[peak].mean()
    scale = float(np.vdot(own, other) / max(np.vdot(other, other), 1e-300))
    difference = own - scale * other
    slope = np.gradient(0.5 * (own + scale * other))
    step = np.gradient(scale * moved, axis=0)[peak]  # by one step of the shift
    steps_per_sample = float(np.sqrt(np.vdot(np.gradient(other), np.gradient(other)) * scale**2))
    steps_per_sample /= max(float(np.sqrt(np.vdot(step, step))), 1e-300)
    variance = 0.0
    for lag in range(min(LAGS, own.size - 1)):
        here, there = difference[: own.size - lag], difference[lag:]
        product = float(np.vdot(here, there)) / own.size
        variance += (1 if lag == 0 else 2) * product * float(np.vdot(slope[: own.size - lag], slope[lag:]))
    bend = float(np.vdot(np.gradient(own), scale * np.gradient(other)))
    return at, steps_per_sample * float(np.sqrt(max(variance, 0.0))) / max(bend, 1e-300)


def _top(heights: Floats) -> float:
    peak = int(np.argmax(heights))
    return peak + _vertex(heights, peak)


def _clean(curve: EventCurve, shift_s: float) -> tuple[Floats, Floats]:
    """Flux and times of usable samples."""
    good = curve.usable & np.isfinite(curve.flux)
    if np.count_nonzero(good) < LEAST_OVERLAP:
        raise DataError(f"{curve.name}: {np.count_nonzero(good)} usable samples are too few to compare")
    return curve.flux[good], curve.time_s[good] + shift_s


def _most_telling(values: Floats, at: Floats) -> tuple[Floats, Floats]:
    """At most `MOST_SAMPLES` neighbouring samples, about the deepest part of the curve."""
    if values.size <= MOST_SAMPLES:
        return values, at
    smooth = np.convolve(values, np.ones(25) / 25, "same")
    middle = int(np.argmin(smooth[25:-25])) + 25
    first = int(np.clip(middle - MOST_SAMPLES // 2, 0, values.size - MOST_SAMPLES))
    part = slice(first, first + MOST_SAMPLES)
    return values[part], at[part]


def _correlation(a: Floats, at: Floats, b: Floats, bt: Floats, shifts: Floats) -> Floats:
    """Covariance of `a` with `b` moved earlier by each shift."""
    own = a - a.mean()
    return np.array([float(np.vdot(own, np.interp(at + shift, bt, b))) for shift in shifts])


def _vertex(heights: Floats, peak: int) -> float:
    """Where the parabola through a peak and its neighbours has its vertex, in steps from the peak."""
    if not 0 < peak < heights.size - 1:
        return 0.0
    low, top, high = heights[peak - 1 : peak + 2]
    bend = low - 2 * top + high
    return float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5)) if bend < 0 else 0.0
