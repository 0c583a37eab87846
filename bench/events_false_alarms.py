"""False alarms of the event search: empty curves that it would call events.

``python -m bench events_false_alarms [--frames CURVES]``: curves without an event in white noise, noise with
memory and 1/f noise, each without and with 10 % of bad samples, are searched. The share whose false-alarm
probability falls below 1 % and 0.1 % must be 1 % +- 0.5 and 0.1 % +- 0.15; that of every kind of noise is
told. The curves are others than those that the probabilities were fitted to
(``python -m bench.events_calibration``).
"""

import time
from pathlib import Path

import numpy as np

from bench.empty_curves import Course, Floats, curve_of, half_pink, memory, off, pink, white, wide
from bench.record import Record, Target
from reduction.events.false_alarm import false_alarm_probability
from reduction.events.search import strongest

CURVES = 5000
LENGTHS = (60, 150, 400, 1000)
LEVELS = ((0.01, 0.005), (0.001, 0.0015))
"""Probability of a false alarm, and how far the share of calls may lie from it."""

SEARCHED = 100_000
MOST_SECONDS = 2.0


NOISES: dict[str, Course] = {
    "white": white,
    "memory 0.4": memory(0.4),
    "memory 0.7": memory(0.7),
    "two lags": memory(0.5, 0.15),
    "1/f": pink,
    "half 1/f": half_pink,
}


def _spoilt(noise: Course) -> Course:
    """The same with 10 % of bad samples, of either kind."""

    def course(n: int, rng: np.random.Generator) -> Floats:
        values = noise(n, rng)
        return off(values, rng) if rng.random() < 0.5 else wide(values, rng)

    return course


KINDS: dict[str, Course] = {
    **NOISES,
    **{f"{name}, 10 % bad": _spoilt(noise) for name, noise in NOISES.items()},
}
ANY_KIND = 2.5
"""Per cent of the curves of one kind that may be called at 1 %: three standard errors of 420 curves."""


def events_false_alarms(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Search empty curves; `frames` is their number."""
    del scratch, repetitions  # nothing is written, and each curve is searched once
    each = -(-(frames or CURVES) // (len(KINDS) * len(LENGTHS)))
    record = Record(
        "events_false_alarms", {"curves": each * len(KINDS) * len(LENGTHS), "lengths": str(LENGTHS)}
    )
    every: list[float] = []
    worst = 0.0
    for number, (name, noise) in enumerate(KINDS.items()):
        found: list[float] = []
        for length in LENGTHS:
            rng = np.random.default_rng((20261122, number, length))
            found += [_probability(noise(length, rng)) for _ in range(each)]
        record.values[name] = {f"{level:g}": float(np.mean(np.array(found) < level)) for level, _ in LEVELS}
        worst = max(worst, 100.0 * float(np.mean(np.array(found) < LEVELS[0][0])))
        every += found
    for level, margin in LEVELS:
        share = 100.0 * float(np.mean(np.array(every) < level))
        what = f"share of empty curves called at {100.0 * level:g} %, per cent"
        record.targets.append(Target(f"{what}, at most", 100.0 * (level + margin), share, at_least=False))
        record.targets.append(Target(f"{what}, at least", max(100.0 * (level - margin), 0.0), share))
    record.targets.append(
        Target("share called at 1 % of any kind of noise, per cent", ANY_KIND, worst, at_least=False)
    )
    seconds = _seconds(SEARCHED)
    record.targets.append(
        Target(f"CPU seconds to search {SEARCHED:,} points", MOST_SECONDS, seconds, at_least=False)
    )
    return record


def _probability(values: Floats) -> float:
    curve = curve_of(values)
    best = strongest(curve, curve.usable)
    if best is None:
        return 1.0
    return false_alarm_probability(best.score, best.noise, best.samples, best.run)


def _seconds(n: int) -> float:
    """CPU seconds of one whole search, kernels compiled, the better of two."""
    curve = curve_of(np.random.default_rng(1).standard_normal(n))
    times = []
    for _ in range(2):
        began = time.process_time()
        strongest(curve, curve.usable)
        times.append(time.process_time() - began)
    return min(times)
