"""False alarms of the event search: empty curves that it would call events.

``python -m bench events_false_alarms [--frames CURVES]``: curves without an event in white noise, noise with
memory, 1/f noise and with 10 % of bad samples are searched. The share whose false-alarm probability falls
below 1 % and 0.1 % must be 1 % +- 0.5 and 0.1 % +- 0.15. The curves are others than those that the
probabilities were fitted to.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.record import Record, Target
from gpu_kernels.autoregression import process_of, realised
from reduction.events.curve import EventCurve
from reduction.events.false_alarm import false_alarm_probability
from reduction.events.search import strongest
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]
Course = Callable[[int, np.random.Generator], Floats]

CURVES = 5000
LENGTHS = (60, 150, 400, 1000)
LEVELS = ((0.01, 0.005), (0.001, 0.0015))
"""Probability of a false alarm, and how far the share of calls may lie from it."""

SEARCHED = 100_000
MOST_SECONDS = 2.0


def _white(n: int, rng: np.random.Generator) -> Floats:
    return rng.standard_normal(n)


def _memory(phi: float) -> Course:
    def course(n: int, rng: np.random.Generator) -> Floats:
        return realised(process_of((phi,), np.ones(n, bool)), rng.standard_normal(n))

    return course


def _pink(n: int, rng: np.random.Generator) -> Floats:
    """Power as 1/f, a part of a record four times as long."""
    f = np.fft.rfftfreq(4 * n)
    f[0] = np.inf
    whole = np.fft.irfft(np.fft.rfft(rng.standard_normal(4 * n)) / np.sqrt(f), 4 * n)
    return np.asarray(whole[:n] / whole.std(), np.float64)


def _bad(n: int, rng: np.random.Generator) -> Floats:
    values = rng.standard_normal(n)
    return np.where(rng.random(n) < 0.1, rng.uniform(4.0, 12.0) * rng.standard_normal(n), values)


NOISES: dict[str, Course] = {
    "white": _white,
    "memory 0.4": _memory(0.4),
    "memory 0.7": _memory(0.7),
    "1/f": _pink,
    "10 % bad": _bad,
}


def events_false_alarms(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Search empty curves; `frames` is their number."""
    del scratch, repetitions  # nothing is written, and each curve is searched once
    each = max((frames or CURVES) // (len(NOISES) * len(LENGTHS)), 1)
    record = Record(
        "events_false_alarms", {"curves": each * len(NOISES) * len(LENGTHS), "lengths": str(LENGTHS)}
    )
    every: list[float] = []
    for number, (name, noise) in enumerate(NOISES.items()):
        found: list[float] = []
        for length in LENGTHS:
            rng = np.random.default_rng((20261122, number, length))
            found += [_probability(noise(length, rng)) for _ in range(each)]
        record.values[name] = {f"{level:g}": float(np.mean(np.array(found) < level)) for level, _ in LEVELS}
        every += found
    for level, margin in LEVELS:
        share = 100.0 * float(np.mean(np.array(every) < level))
        what = f"share of empty curves called at {100.0 * level:g} %, per cent"
        record.targets.append(Target(f"{what}, at most", 100.0 * (level + margin), share, at_least=False))
        record.targets.append(Target(f"{what}, at least", max(100.0 * (level - margin), 0.0), share))
    seconds = _seconds(SEARCHED)
    record.targets.append(
        Target(f"CPU seconds to search {SEARCHED:,} points", MOST_SECONDS, seconds, at_least=False)
    )
    return record


def _curve(values: Floats) -> EventCurve:
    n = values.size
    return EventCurve(
        name="empty",
        time_s=np.arange(n, dtype=np.float64),
        ref_ns=UNKNOWN_NS,
        exposure_s=np.ones(n),
        flux=1.0 + 0.1 * values,
        sigma=np.full(n, np.nan),
        usable=np.ones(n, bool),
        frame=np.arange(n, dtype=np.float64),
        utc_sigma_s=np.full(n, np.nan),
    )


def _probability(values: Floats) -> float:
    curve = _curve(values)
    best = strongest(curve, curve.usable)
    if best is None:
        return 1.0
    return false_alarm_probability(best.score, best.noise, best.samples, best.run)


def _seconds(n: int) -> float:
    """CPU seconds of one whole search, kernels compiled, the better of two."""
    curve = _curve(np.random.default_rng(1).standard_normal(n))
    times = []
    for _ in range(2):
        began = time.process_time()
        strongest(curve, curve.usable)
        times.append(time.process_time() - began)
    return min(times)
