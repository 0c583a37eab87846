"""Coverage of the error bars of event fits, on simulated events that the search detects.

``python -m bench events_coverage [--frames EVENTS_PER_CELL]``: every cell is a signal-to-noise ratio per
sample, a length, a share of exposure in the cadence, a noise (white, autoregressive, 1/f) and a share of bad
samples; depth, phase and length vary within a cell.

An event counts if its integrated signal-to-noise ratio is 6 or more, as it was simulated (under the noise's
true covariance, of the samples that are not bad, the level fitted along), and if the search claims it. To go
by the ratio that the search measures would choose, near 6, the events that noise had helped; what holds for
those is told beside it. Events below 6 are counted, not looked at.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.pinning import allowed_cores, on_cores
from bench.record import Record, Target
from reduction.events.analyse import find_dips
from reduction.events.badpoints import Mask
from reduction.events.curve import EventCurve
from reduction.events.fit import fit_event
from reduction.events.flanks import Floats, well
from reduction.events.results import LEVELS, Dip, Edge, Event, Figure
from reduction.events.settings import EventSettings
from reduction.events.square import Sharp

EVENTS = 220
SAMPLES = 500
LEAST_SNR = 6.0
ENOUGH = 200
"""Detected events from which a cell is judged on its own."""

MARGINS = (0.03, 0.02, 0.007)
"""Within which the overall coverage of each level must lie."""

MOST_BIAS = 0.1
"""Of a figure, in units of its error."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A curve of one event: its D, R and depth, and the integrated signal-to-noise ratio it was given."""

    curve: EventCurve
    d: float
    r: float
    depth: float
    snr: float


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


@lru_cache(maxsize=len(NOISES))
def covariance(kind: str, n: int) -> Floats:
    """Of the noise that `noise_of` makes, ``(n, n)``."""
    lag = np.abs(np.arange(n)[:, None] - np.arange(n)[None, :])
    if kind == "white":
        return np.eye(n)
    if kind == "autoregressive":
        rho = np.ones(n)
        rho[1] = 0.5 / (1 - 0.15)
        for k in range(2, n):
            rho[k] = 0.5 * rho[k - 1] + 0.15 * rho[k - 2]
        return np.asarray(rho[lag])
    size = 4 * n
    frequency = np.fft.rfftfreq(size)
    power = np.where(frequency > 1.0 / size, 1.0 / np.maximum(frequency, 1.0 / size), 0.0)
    slow = np.fft.irfft(power, size)[:n]
    return np.asarray(0.5 * np.eye(n) + 0.5 * (slow / slow[0])[lag])


def integrated_snr(gone: Floats, seen: Mask, kind: str) -> float:
    """Of a loss of one sigma under the noise that it is simulated in, the level fitted with it."""
    matrix = covariance(kind, gone.size)[np.ix_(seen, seen)]
    columns = np.stack([gone[seen], np.ones(int(seen.sum()))])
    square = columns @ np.linalg.solve(matrix, columns.T)
    return float(np.sqrt(square[0, 0] - square[0, 1] ** 2 / square[1, 1]))


def simulated(cell: Cell, rng: np.random.Generator) -> Simulated:
    """A curve of one event."""
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
    return Simulated(curve, d, d + length, depth, cell.snr * integrated_snr(gone, ~hit, cell.noise))


def detected(curve: EventCurve, d: float, r: float) -> tuple[Dip, Any, tuple[Dip, ...]] | None:
    """The dip of the event, the noise, and other dips; None where the search did not find it."""
    settings = EventSettings()
    dips, last, _ = find_dips(curve, curve.usable, settings)
    if last is None:
        return None
    claimed = [dip for dip in dips if dip.false_alarm_probability < settings.false_alarm]
    for dip in claimed:
        if dip.last + 0.5 > d and dip.first - 0.5 < r:
            return dip, last.noise, tuple(other for other in claimed if other is not dip)
    return None


@dataclass(frozen=True, slots=True, eq=False)
class CellResult:
    """What the fits of one cell said; arrays over the fitted events.

    Attributes
    ----------
    cell : Cell
    tried : int
        Simulated events of an integrated signal-to-noise ratio of `LEAST_SNR` or more.
    faint : int
        Simulated events below that, which are not looked at.
    inside : array of bool, (n, 2, 3)
        Whether D and R lie in their intervals.
    off, errors : array, (n, 2)
        Deviations of D and R, inward positive, and their errors.
    depth : array, (n,)
        Deviation of the depth in its errors.
    depth_inside : array of bool, (n, 3)
    measured : array, (n,)
        Integrated signal-to-noise ratio that the search measured.
    square : int
        Events called square.
    """

    cell: Cell
    tried: int
    faint: int
    inside: NDArray[np.bool_]
    off: Floats
    errors: Floats
    depth: Floats
    depth_inside: NDArray[np.bool_]
    measured: Floats
    square: int


def run_cell(task: tuple[Cell, int]) -> CellResult:
    """Simulate, search and fit one cell's events; give up where the search finds too few of them."""
    cell, events = task
    rng = np.random.default_rng([20261122, cell.seed])
    fits: list[tuple[Simulated, Event, Edge, Edge]] = []
    tried = faint = 0
    while len(fits) < events and tried + faint < 2 * events and not (tried > 80 and 3 * len(fits) < tried):
        made = simulated(cell, rng)
        if made.snr < LEAST_SNR:
            faint += 1
            continue
        tried += 1
        found = detected(made.curve, made.d, made.r)
        if found is None:
            continue
        dip, noise, others = found
        event = fit_event(made.curve, EventSettings(), dip, noise, others)
        if event.d is not None and event.r is not None:
            fits.append((made, event, event.d, event.r))
    return CellResult(
        cell, tried, faint,
        np.array([[_covers(d.seconds, m.d), _covers(r.seconds, m.r)] for m, _, d, r in fits], bool),
        np.array([[d.seconds.value - m.d, m.r - r.seconds.value] for m, _, d, r in fits]),
        np.array([[d.seconds.sigma, r.seconds.sigma] for _, _, d, r in fits]),
        np.array([(e.depth.value - m.depth) / e.depth.sigma for m, e, _, _ in fits]),
        np.array([_covers(e.depth, m.depth) for m, e, _, _ in fits], bool),
        np.array([e.dip.snr for _, e, _, _ in fits]),
        sum(e.label == "square" for _, e, _, _ in fits),
    )  # fmt: skip


def _covers(figure: Figure, truth: float) -> list[bool]:
    return [low <= truth <= high for low, high in figure.intervals]


def bias(off: Floats, errors: Floats) -> float:
    """Mean deviation in units of the error, both edges inward; single ones count for 5 errors at most."""
    return float(np.mean(np.clip(off / np.maximum(errors, 1e-9), -5.0, 5.0)))


def row_of(one: CellResult) -> dict[str, Any]:
    """One cell's line of the table, with its verdict.

    Standard errors are those of as many draws as there are events, though each has two edges.
    """
    cell, count = one.cell, len(one.inside)
    row: dict[str, Any] = {
        "snr": cell.snr, "length": cell.length, "exposure": cell.exposure, "noise": cell.noise,
        "bad": cell.bad, "fitted": count, "tried": one.tried, "below_6": one.faint,
    }  # fmt: skip
    if not count:
        return row | {"verdict": "none found" if one.tried else f"all below {LEAST_SNR:g}"}
    share = one.inside.mean(axis=(0, 1))
    away = (share - np.array(LEVELS)) / np.sqrt(np.array(LEVELS) * (1 - np.array(LEVELS)) / count)
    found = bias(one.off, one.errors)
    verdict = "holds"
    if count < ENOUGH:
        verdict = "too few to judge"
    elif np.abs(away).max() > 3.0:
        verdict = "COVERAGE OFF"
    elif abs(found) - 3.0 / np.sqrt(2 * count) > MOST_BIAS:
        verdict = "BIASED"
    return row | {
        "coverage": [round(100 * float(s), 1) for s in share],
        "standard_errors": [round(float(a), 1) for a in away],
        "bias": round(found, 3),
        "depth_coverage": [round(100 * float(s), 1) for s in one.depth_inside.mean(axis=0)],
        "depth_bias": round(float(np.mean(np.clip(one.depth, -5.0, 5.0))), 3),
        "called_square": round(one.square / count, 3),
        "verdict": verdict,
    }


def events_coverage(_folder: Path, frames: int | None, _repetitions: int) -> Record:
    """The study; see the module."""
    events = frames or EVENTS
    tasks = sorted(((cell, events) for cell in cells()), key=lambda task: (-task[0].bad, -task[0].length))
    cores = allowed_cores()
    with on_cores(cores), ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        results = sorted(pool.map(run_cell, tasks), key=lambda one: one.cell.seed)
    return record_of(results, events)


def record_of(results: Sequence[CellResult], events: int) -> Record:
    """Figures and targets of the study."""
    record = Record("events_coverage", setting={"cells": len(results), "events_per_cell": events})
    rows = [row_of(one) for one in results]
    every = [one for one in results if len(one.inside)]
    inside = np.concatenate([one.inside for one in every])
    off, errors = (np.concatenate([getattr(one, name) for one in every]) for name in ("off", "errors"))
    measured = np.concatenate([one.measured for one in every]) >= LEAST_SNR
    depth = np.clip(np.concatenate([one.depth for one in every]), -5.0, 5.0)
    total = inside.mean(axis=(0, 1))
    judged = [row for row in rows if row["fitted"] >= ENOUGH]
    worst = max((abs(away) for row in judged for away in row["standard_errors"]), default=0.0)
    record.values = {
        "events": len(inside),
        "coverage": _shares(total),
        "coverage where the search measured 6 or more": _shares(inside[measured].mean(axis=(0, 1))),
        "coverage of the depth": _shares(np.concatenate([one.depth_inside for one in every]).mean(axis=0)),
        "bias_inward": round(bias(off, errors), 4),
        "bias_d": round(bias(off[:, :1], errors[:, :1]), 4),
        "bias_r": round(bias(off[:, 1:], errors[:, 1:]), 4),
        "bias_depth": round(float(depth.mean()), 4),
        "verdicts": dict(Counter(row["verdict"] for row in rows)),
        "cells": {_name(one.cell): _columns(row) for one, row in zip(results, rows, strict=True)},
    }
    record.targets = [
        Target(f"coverage of {level} off by, overall", margin, abs(float(s) - level), at_least=False)
        for level, margin, s in zip(LEVELS, MARGINS, total, strict=True)
    ]
    record.targets += [
        Target(f"cells of {ENOUGH} events: standard errors off, at most", 3.0, worst, at_least=False),
        Target("bias over the error, overall", MOST_BIAS, abs(bias(off, errors)), at_least=False),
        Target(
            "bias over the error, less three of its standard errors, in any cell", MOST_BIAS,
            max((abs(row["bias"]) - 3.0 / np.sqrt(2 * row["fitted"]) for row in judged), default=0.0),
            at_least=False,
        ),
        Target(
            "bias of the depth over its error, overall", MOST_BIAS, abs(float(depth.mean())), at_least=False
        ),
    ]  # fmt: skip
    return record


def _name(cell: Cell) -> str:
    """A cell in words: S/N of a sample, length in samples, share of exposure, noise."""
    bad = ", 10 % bad" if cell.bad else ""
    return f"S/N {cell.snr:g}, {cell.length:g} long, exposure {cell.exposure:g}, {cell.noise}{bad}"


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    """What the table shows of a cell: the same columns of every cell."""
    text = {
        name: " / ".join(f"{value:g}" for value in row[name]) if name in row else "-"
        for name in ("coverage", "standard_errors")
    }
    rest = {name: row.get(name, "-") for name in ("bias", "depth_bias", "called_square", "verdict")}
    return {name: row[name] for name in ("fitted", "tried", "below_6")} | text | rest


def _shares(values: Floats) -> dict[str, float]:
    return {f"{level:g}": round(float(s), 4) for level, s in zip(LEVELS, values, strict=True)}
