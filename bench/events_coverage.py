"""Coverage of the error bars of event fits, on simulated events that the search detects.

``python -m bench events_coverage [--frames EVENTS_PER_CELL]``: every cell is a signal-to-noise ratio per
sample, a length, a share of exposure in the cadence, a noise (white, autoregressive, 1/f) and a share of bad
samples. An event counts if the search itself finds it with an integrated signal-to-noise ratio of 6 or more;
depth, phase and length vary within a cell.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bench.pinning import allowed_cores, on_cores
from bench.record import Record, Target
from reduction.events.analyse import find_dips
from reduction.events.curve import EventCurve
from reduction.events.fit import fit_event
from reduction.events.flanks import Floats, well
from reduction.events.results import LEVELS, Dip, Edge
from reduction.events.settings import EventSettings
from reduction.events.square import Sharp

EVENTS = 220
SAMPLES = 500
LEAST_SNR = 6.0
ENOUGH = 200
"""Detected events from which a cell is judged on its own."""

MARGINS = (0.03, 0.02, 0.007)
"""Within which the overall coverage of each level must lie."""

NOISES = ("white", "autoregressive", "1/f")
EXPOSURES = (1.0, 0.5, 0.15)
LENGTHS: dict[float, tuple[float, ...]] = {
    1.5: (60.0,),
    3.0: (20.0, 60.0),
    6.0: (8.0, 20.0),
    12.0: (3.0, 20.0),
    30.0: (1.5, 8.0, 60.0),
}
"""Lengths, in samples, that are tried at each signal-to-noise ratio per sample."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of event."""

    snr: float
    length: float
    exposure: float
    noise: str
    bad: float
    seed: int


def cells() -> list[Cell]:
    """All of the study; the share of exposure takes turns."""
    kinds = [
        (snr, length, noise, bad)
        for snr, lengths in LENGTHS.items()
        for length in lengths
        for noise in NOISES
        for bad in (0.0, 0.1)
    ]
    return [
        Cell(snr, length, EXPOSURES[(k + k // 6) % len(EXPOSURES)], noise, bad, k)
        for k, (snr, length, noise, bad) in enumerate(kinds)
    ]


def noise_of(kind: str, n: int, rng: np.random.Generator) -> Floats:
    """Noise of unit variance: white; with a memory of a few samples; half of it with a spectrum of 1/f."""
    white = rng.standard_normal(n)
    if kind == "white":
        return white
    if kind == "autoregressive":
        course = np.empty(n + 100)
        before = two = 0.0
        for k, one in enumerate(rng.standard_normal(n + 100)):
            course[k] = 0.5 * before + 0.15 * two + one
            two, before = before, course[k]
        settled: Floats = course[100:] / np.sqrt(_AR_VARIANCE)
        return settled
    size = 4 * n
    frequency = np.fft.rfftfreq(size)
    amplitude = np.where(frequency > 1.0 / size, 1.0 / np.sqrt(np.maximum(frequency, 1.0 / size)), 0.0)
    slow = np.fft.irfft(np.fft.rfft(rng.standard_normal(size)) * amplitude, size)
    slow *= 1.0 / np.sqrt(np.mean(amplitude**2))
    mixed: Floats = np.sqrt(0.5) * white + np.sqrt(0.5) * slow[:n]
    return mixed


_AR_VARIANCE = (1 - 0.15) / ((1 + 0.15) * ((1 - 0.15) ** 2 - 0.5**2))
"""Of ``x_k = 0.5 x_(k-1) + 0.15 x_(k-2) + e_k`` (Box & Jenkins, ch. 3)."""


def simulated(cell: Cell, rng: np.random.Generator) -> tuple[EventCurve, float, float]:
    """A curve of one event, and its D and R."""
    n = SAMPLES
    time = np.arange(n, dtype=np.float64)
    depth = rng.uniform(0.3, 1.0)
    length = cell.length * rng.uniform(0.85, 1.15)
    d = n / 2 + rng.uniform(-20, 20) - length / 2
    sharp = (Sharp(), Sharp())
    gone = well(sharp, time - cell.exposure / 2, time + cell.exposure / 2, d, d + length)
    sigma = depth / cell.snr
    flux = 1.0 - depth * gone + sigma * noise_of(cell.noise, n, rng)
    hit = rng.random(n) < cell.bad
    flux = np.where(hit, flux + sigma * rng.uniform(4.0, 15.0, n) * rng.choice((-1.0, 1.0), n), flux)
    nothing = np.full(n, np.nan)
    curve = EventCurve(
        "simulated", time, 0, np.full(n, cell.exposure), flux, nothing, np.ones(n, bool), time, nothing
    )
    return curve, d, d + length


def detected(curve: EventCurve, d: float, r: float) -> tuple[Dip, Any, tuple[Dip, ...]] | None:
    """The dip of the event, the noise, and other dips; None where the search did not find it."""
    settings = EventSettings()
    dips, last, _ = find_dips(curve, curve.usable, settings)
    if last is None:
        return None
    claimed = [dip for dip in dips if dip.false_alarm_probability < settings.false_alarm]
    for dip in claimed:
        if dip.snr >= LEAST_SNR and dip.last + 0.5 > d and dip.first - 0.5 < r:
            return dip, last.noise, tuple(other for other in claimed if other is not dip)
    return None


def run_cell(task: tuple[Cell, int]) -> dict[str, Any]:
    """Simulate, search and fit one cell's events."""
    cell, events = task
    rng = np.random.default_rng([20261122, cell.seed])
    inside: list[list[list[bool]]] = []
    off: list[list[float]] = []
    errors: list[list[float]] = []
    square = 0
    tried = 0
    while len(inside) < events and tried < 2 * events and not (tried > 80 and 4 * len(inside) < tried):
        tried += 1
        curve, d, r = simulated(cell, rng)
        found = detected(curve, d, r)
        if found is None:
            continue
        dip, noise, others = found
        event = fit_event(curve, EventSettings(), dip, noise, others)
        if event.d is None or event.r is None:
            continue
        square += event.label == "square"
        inside.append([_covers(event.d, d), _covers(event.r, r)])
        off.append([event.d.seconds.value - d, r - event.r.seconds.value])
        errors.append([event.d.seconds.sigma, event.r.seconds.sigma])
    return {
        "cell": cell, "tried": tried, "inside": np.array(inside, bool), "off": np.array(off),
        "errors": np.array(errors), "square": square,
    }  # fmt: skip


def _covers(edge: Edge, truth: float) -> list[bool]:
    return [low <= truth <= high for low, high in edge.seconds.intervals]


def bias(off: Floats, errors: Floats) -> float:
    """Mean deviation in units of the error, both edges inward; single ones count for 5 errors at most."""
    return float(np.mean(np.clip(off / np.maximum(errors, 1e-9), -5.0, 5.0)))


def events_coverage(_folder: Path, frames: int | None, _repetitions: int) -> Record:
    """The study; see the module."""
    events = frames or EVENTS
    tasks = [(cell, events) for cell in cells()]
    cores = allowed_cores()
    with on_cores(cores), ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(run_cell, tasks))
    record = Record("events_coverage", setting={"cells": len(tasks), "events_per_cell": events})
    every, rows, worst = [], [], 0.0
    for one in results:
        count = len(one["inside"])
        if not count:
            continue
        share = one["inside"].mean(axis=(0, 1))
        every.append(one)
        cell: Cell = one["cell"]
        error = np.sqrt(np.array(LEVELS) * (1 - np.array(LEVELS)) / count)
        away = (share - np.array(LEVELS)) / error
        if count >= ENOUGH:
            worst = max(worst, float(np.abs(away).max()))
        rows.append({
            "snr": cell.snr, "length": cell.length, "exposure": cell.exposure, "noise": cell.noise,
            "bad": cell.bad, "detected": count, "tried": one["tried"],
            "coverage": [round(float(s), 4) for s in share],
            "standard_errors": [round(float(a), 2) for a in away],
            "called_square": round(one["square"] / count, 3),
            "bias": round(bias(one["off"], one["errors"]), 3),
        })  # fmt: skip
    inside = np.concatenate([one["inside"] for one in every])
    total = inside.mean(axis=(0, 1))
    off = np.concatenate([one["off"] for one in every])
    errors = np.concatenate([one["errors"] for one in every])
    judged = [row for row in rows if row["detected"] >= ENOUGH]
    record.values = {
        "events": len(inside),
        "coverage": {str(level): round(float(s), 4) for level, s in zip(LEVELS, total, strict=True)},
        "bias_inward": round(bias(off, errors), 4),
        "bias_d": round(bias(off[:, :1], errors[:, :1]), 4),
        "bias_r": round(bias(off[:, 1:], errors[:, 1:]), 4),
        "cells_judged": len(judged),
        "cells_beyond_three": sum(max(map(abs, row["standard_errors"])) > 3.0 for row in judged),
        "cells": rows,
    }
    record.targets = [
        Target(f"coverage of {level} off by, overall", margin, abs(float(s) - level), at_least=False)
        for level, margin, s in zip(LEVELS, MARGINS, total, strict=True)
    ]
    record.targets += [
        Target(f"cells of {ENOUGH} events: standard errors off, at most", 3.0, worst, at_least=False),
        Target("bias over the error, overall", 0.1, abs(bias(off, errors)), at_least=False),
        Target(
            "bias over the error, less three of its standard errors, in any cell", 0.1,
            max((abs(row["bias"]) - 3.0 / np.sqrt(2 * row["detected"]) for row in judged), default=0.0),
            at_least=False,
        ),
    ]  # fmt: skip
    return record
