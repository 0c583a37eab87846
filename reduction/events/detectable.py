"""The shortest event that would have been seen: injected into the curve itself and searched for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.autoregression import Process, innovations, process_of, transposed
from gpu_kernels.runs import run_information
from reduction.events.curve import EventCurve
from reduction.events.noise import sample_sigma
from reduction.events.results import Detectable
from reduction.events.search import Strongest, most_telling, strongest

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Needed = Callable[[int], float]
"""Score from which a run of so many samples is an event."""

WANTED = 0.95
"""Share of the injected events that must be recovered."""

TRIALS = 40
CHECKED = 3
"""Injections of the duration found that go through the whole search, too."""

SPAN = 3000
"""Samples about an injection that are searched then."""

MOST_DURATIONS = 4
"""Durations that the whole search is tried at."""


def shortest_detectable(
    curve: EventCurve, usable: Mask, best: Strongest, depth: float, needed: Needed, seed: int = 0
) -> Detectable:
    """Return the shortest event of a depth that this curve's search would have called an event.

    Events of rising duration are put at `TRIALS` places of the user's own samples. How significant each
    would be is told by the sums of the search at its own samples; the duration found so is confirmed by the
    whole search, noise estimate and all, and raised until that finds it.

    Parameters
    ----------
    curve : EventCurve
    usable : array of bool, (n_sample,)
        Samples that were searched.
    best : Strongest
        What the search found, and its noise.
    depth : float
        Share of the light that goes.
    needed : callable
        Score from which a run of so many samples is an event.
    seed : int
        Of the places.
    """
    bench = _Bench.of(curve, usable, best)
    ladder = _durations(bench)
    low, high = 0, len(ladder)
    shares: dict[int, float] = {}
    while low < high:
        middle = (low + high) // 2
        shares[middle] = bench.share(depth, ladder[middle], needed, np.random.default_rng(seed))
        low, high = (low, middle) if shares[middle] >= WANTED else (middle + 1, high)
    for k in range(low, min(low + MOST_DURATIONS, len(ladder))):
        if k not in shares:
            shares[k] = bench.share(depth, ladder[k], needed, np.random.default_rng(seed))
        if bench.confirmed(depth, ladder[k], needed, np.random.default_rng(seed + 1)):
            return Detectable(depth, ladder[k], shares[k], TRIALS)
    last = shares.get(len(ladder) - 1, 0.0)
    return Detectable(depth, float("inf"), min(last, WANTED), TRIALS)


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """A curve's samples as the search takes them, ready for injections."""

    curve: EventCurve
    at: NDArray[np.intp]
    start: Floats  # of each exposure, seconds
    stop: Floats
    sigma: Floats
    level: Floats
    reach: Floats
    ar: tuple[float, ...]
    inside: Floats

    @classmethod
    def of(cls, curve: EventCurve, usable: Mask, best: Strongest) -> "_Bench":
        used = usable & ~best.bad
        at = np.flatnonzero(used)
        sigma = sample_sigma(best.noise, curve, usable)[at]
        exposure = np.where(np.isfinite(curve.exposure_s), curve.exposure_s, curve.cadence_s())[at]
        inside, _ = run_information(process_of(best.noise.ar, np.ones(at.size, bool)))
        return cls(
            curve=curve,
            at=at,
            start=curve.time_s[at] - 0.5 * exposure,
            stop=curve.time_s[at] + 0.5 * exposure,
            sigma=sigma,
            level=best.level[at],
            reach=most_telling(best.noise, at.size) * sigma,
            ar=best.noise.ar,
            inside=inside,
        )

    def covered(self, begin: float, end: float) -> tuple[int, int, Floats]:
        """Samples that an event touches, and the share of each one's exposure that it takes."""
        first = int(np.searchsorted(self.stop, begin, side="right"))
        last = int(np.searchsorted(self.start, end, side="left"))
        part = slice(first, max(last, first))
        overlap = np.minimum(self.stop[part], end) - np.maximum(self.start[part], begin)
        return first, max(last, first), np.clip(overlap / (self.stop[part] - self.start[part]), 0.0, 1.0)

    def places(self, duration: float, rng: np.random.Generator, number: int) -> Floats:
        """Beginnings, one at random in each of as many equal parts of the recording."""
        room = max(self.stop[-1] - self.start[0] - duration, 0.0)
        return np.asarray(
            self.start[0] + room * (np.arange(number) + rng.random(number)) / number, np.float64
        )

    def share(self, depth: float, duration: float, needed: Needed, rng: np.random.Generator) -> float:
        """Share of injected events whose own samples would be significant enough."""
        found = 0
        for begin in self.places(duration, rng, TRIALS):
            score, run = self._score(depth, begin, duration)
            found += run > 0 and score >= needed(run)
        return found / TRIALS

    def _score(self, depth: float, begin: float, duration: float) -> tuple[float, int]:
        """About the score of one injected event, and the samples of its run."""
        first, last, covered = self.covered(begin, begin + duration)
        deep = np.flatnonzero(covered > 0.5)
        if deep.size == 0:
            return 0.0, 0
        n, order = self.at.size, len(self.ar)
        left, right = max(0, first - order - 1), min(n, last + order + 1)
        part = slice(left, right)
        loss = np.zeros(right - left)
        loss[first - left : last - left] = depth * covered * self.level[first:last]
        off = self.curve.flux[self.at[part]] - self.level[part] - loss
        process = process_of(self.ar, np.ones(off.size, bool))
        a, b = first + int(deep[0]) - left, first + int(deep[-1]) + 1 - left
        shape = 1.0 / self.sigma[part]
        plain, clipped = (
            _significance(process, z, shape, a, b, self.inside[b - a], n)
            for z in (off * shape, np.clip(off, -self.reach[part], self.reach[part]) * shape)
        )
        against_noise = float(np.sqrt(n * np.log1p(plain * plain / n)))
        return min(against_noise, clipped), b - a

    def confirmed(self, depth: float, duration: float, needed: Needed, rng: np.random.Generator) -> bool:
        """Whether the whole search finds injected events of this duration."""
        found = 0
        for begin in self.places(duration, rng, CHECKED):
            first, last, covered = self.covered(begin, begin + duration)
            flux = self.curve.flux.copy()
            flux[self.at[first:last]] -= depth * covered * self.level[first:last]
            spare = max((SPAN - (last - first)) // 2, last - first)
            left, right = max(0, first - spare), min(self.at.size, last + spare)
            span = slice(int(self.at[left]), int(self.at[right - 1]) + 1)
            seen = np.zeros(flux.shape, bool)
            seen[self.at] = True
            best = strongest(cut(replace(self.curve, flux=flux), span), seen[span])
            found += best is not None and best.score >= needed(best.run)
        return 2 * found > CHECKED


def _significance(
    process: Process, z: Floats, shape: Floats, a: int, b: int, information: float, samples: int
) -> float:
    """Of the loss in samples a to b, the out-of-event level being that of all others; never negative."""
    weighed = transposed(process, innovations(process, z)) * shape
    known = information * float((shape[a:b] ** 2).mean()) * max(1.0 - (b - a) / samples, 0.01)
    value = -float(weighed[a:b].sum()) / np.sqrt(known)
    return max(float(value), 0.0)


def cut(curve: EventCurve, part: slice) -> EventCurve:
    """Part of a curve."""
    return replace(
        curve,
        time_s=curve.time_s[part],
        exposure_s=curve.exposure_s[part],
        flux=curve.flux[part],
        sigma=curve.sigma[part],
        usable=curve.usable[part],
        frame=curve.frame[part],
        utc_sigma_s=curve.utc_sigma_s[part],
    )


def _durations(bench: _Bench) -> list[float]:
    """Durations tried: half a sample, one, and on by a quarter, to a third of the recording."""
    cadence = bench.curve.cadence_s()
    longest = (bench.stop[-1] - bench.start[0]) / 3.0
    out = [0.5 * cadence, cadence]
    while out[-1] * 1.25 <= longest:
        out.append(out[-1] * 1.25)
    return out
