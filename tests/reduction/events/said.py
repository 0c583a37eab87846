"""A curve with a known event, and what might be said of it."""

import numpy as np

from reduction.caveats import Caveat, Note
from reduction.events.curve import EventCurve, Floats
from reduction.events.results import (
    Detectable,
    Dip,
    Edge,
    Event,
    EventAnalysis,
    Figure,
    ModelScore,
    NoiseModel,
)
from reduction.timing import UNKNOWN_NS

REF_NS = 1_498_166_400_056_000_000  # 2017-06-22T21:20:00.056
CADENCE, EXPOSURE, D, R, DEPTH = 0.1, 0.08, 10.033, 14.071, 0.9


def figure(value: float, sigma: float) -> Figure:
    return Figure(value, sigma, tuple((value - k * sigma, value + 1.5 * k * sigma) for k in (1, 2, 3)))


def square(start: Floats, stop: Floats) -> Floats:
    """Light of a square well over exposures, by the overlap of intervals."""
    dark = np.clip(np.minimum(stop, R) - np.maximum(start, D), 0.0, None)
    return np.asarray(1.0 - DEPTH * dark / (stop - start))


def curve(
    n: int = 250, noise: float = 0.05, seed: int = 1, dated: bool = True, name: str = "a<b>.csv"
) -> EventCurve:
    t = CADENCE * np.arange(n, dtype=np.float64)
    flux = square(t - EXPOSURE / 2, t + EXPOSURE / 2) + np.random.default_rng(seed).normal(0, noise, n)
    usable = np.ones(n, bool)
    flux[20], usable[20] = np.nan, False
    usable[30] = False
    return EventCurve(
        name=name,
        time_s=t,
        ref_ns=REF_NS if dated else UNKNOWN_NS,
        exposure_s=np.full(n, EXPOSURE),
        flux=flux,
        sigma=np.full(n, noise),
        usable=usable,
        frame=np.arange(n, dtype=float),
        utc_sigma_s=np.full(n, 0.001),
        notes=(Note(Caveat.CLOCK_UNSTATED, "the clock <is> unsaid"),),
    )


def edge(kind: str, value: float, one: EventCurve, gradual: float | None = None) -> Edge:
    assert kind in ("D", "R")
    return Edge(
        kind="D" if kind == "D" else "R",
        seconds=figure(value, 0.01),
        utc_ns=one.utc_ns(value),
        timing_sigma_s=0.001,
        utc=figure(value, 0.012),
        gradual_s=gradual,
    )


def analysis(one: EventCurve, gradual: float | None = None, r: bool = True) -> EventAnalysis:
    dip = Dip(100, 141, DEPTH, 40.0, 1e-20)
    event = Event(
        label="square" if gradual is None else "gradual",
        d=edge("D", D, one, gradual),
        r=edge("R", R, one, gradual) if r else None,
        depth=figure(DEPTH, 0.02),
        duration=figure(R - D, 0.02) if r else None,
        dip=dip,
        scores=(
            ModelScore("square", 3, -10.0, 26.0, 36.0, 1.02),
            ModelScore("gradual", 4, -9.5, 27.0, 40.0, 1.01),
        ),
        parameters={f"scale_height_s_{end}": figure(0.03, 0.01) for end in "dr"} if gradual else {},
    )
    noise = NoiseModel(0.05, (), 1.0, 0.0)
    return EventAnalysis("positive", 1e-20, (event,), (dip,), noise, None, "A dip <stands> out.")


def negative() -> EventAnalysis:
    dip = Dip(50, 52, 0.1, 3.0, 0.4)
    seen = Detectable(0.9, 0.25, 0.95, 200)
    noise = NoiseModel(0.05, (0.4,), 0.9, 0.3)
    return EventAnalysis("negative", 0.4, (), (dip,), noise, seen, "No dip stands out.")
