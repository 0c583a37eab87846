"""Events that nobody could overlook: how many the search misses, and where it puts their ends.

``python -m bench events_deep [--frames CURVES]``: curves of 60 to 2,000 samples with an event of 6 samples to
45 % of them, 5 to 200 sigma deep in each sample, its ends anywhere within their exposures or spread over
some samples; noise white, less in the event (a star's own light), with memory, against itself, or 1/f, some
with 2 % of bad samples. None may be missed whose edges take less than two samples where a sample has at
least ten sigma, or the noise is no slow one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.empty_curves import Course, Floats, memory, pink, white
from bench.record import Record, Target
from reduction.events.analyse import find_dips
from reduction.events.curve import EventCurve
from reduction.events.settings import EventSettings
from reduction.timing import UNKNOWN_NS

CURVES = 4000
NOISES: dict[str, Course] = {
    "white": white,
    "less in the event": white,
    "memory 0.6": memory(0.6),
    "against itself": memory(-0.4),
    "1/f": pink,
}
SLOW = ("memory 0.6", "1/f")
WIDTHS = (0.0, 0.0, 0.3, 1.0, 2.5)
"""Of the edges, samples: the scale of a hyperbolic tangent."""

PARTS = 21
"""Of an exposure, over which the light is averaged."""

CERTAIN = 1e-3
SURE_SIGMAS = 10.0
SHARP = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Deep:
    """A curve with a deep event."""

    curve: EventCurve
    kind: str
    first: float
    length: float
    width: float
    sigmas: float

    @property
    def plain(self) -> bool:
        """Whether nobody could overlook it."""
        return self.width <= SHARP and (self.sigmas >= SURE_SIGMAS or self.kind not in SLOW)


def events_deep(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Search curves with deep events; `frames` is their number."""
    del scratch, repetitions  # nothing is written, and each curve is searched once
    number = frames or CURVES
    record = Record("events_deep", {"curves": number})
    missed: list[_Deep] = []
    plain = 0
    apart: list[float] = []
    for seed in range(number):
        one = _deep(np.random.default_rng((20261122, seed)))
        plain += one.plain
        ends = _ends(one)
        if ends is None:
            missed.append(one)
        elif one.plain:
            off = np.abs(np.array(ends) - (one.first, one.first + one.length))
            apart.append(float(off.max()))
    for kind in NOISES:
        record.values[kind] = {
            "missed": sum(one.kind == kind for one in missed),
            "missed, plain": sum(one.kind == kind and one.plain for one in missed),
        }
    overlooked = 100.0 * sum(one.plain for one in missed) / max(plain, 1)
    record.values["curves that are plain"] = plain
    record.values["ends off, samples"] = {
        f"{q:g} %": float(np.percentile(apart, q)) for q in (50.0, 99.0, 99.9)
    }
    record.targets.append(Target("plain events missed, per cent", 0.2, overlooked, at_least=False))
    record.targets.append(
        Target("all of them missed, per cent", 3.0, 100.0 * len(missed) / number, at_least=False)
    )
    return record


def _deep(rng: np.random.Generator) -> _Deep:
    n = int(np.exp(rng.uniform(np.log(60), np.log(2000))))
    depth = float(rng.choice([0.3, 0.6, 0.9, 1.0]))
    sigma = depth / float(np.exp(rng.uniform(np.log(5.0), np.log(200.0))))
    length = max(float(rng.uniform(0.03, 0.45)) * n, 6.0)
    first = float(rng.uniform(3.0, n - 3.0 - length))
    width = float(rng.choice(WIDTHS))
    at = np.arange(n)[:, None] + (np.arange(PARTS) + 0.5) / PARTS - 0.5
    flux = 1.0 - depth * _gone(at, first, width).mean(1) + depth * _gone(at, first + length, width).mean(1)
    kind = str(rng.choice(list(NOISES)))
    values = NOISES[kind](n, rng)
    if rng.random() < 0.25:
        values = np.where(rng.random(n) < 0.02, 10.0 * rng.standard_normal(n), values)
    sigmas = np.full(n, sigma)
    if kind == "less in the event":
        sigmas = sigma * np.sqrt(np.clip(flux, 0.0, 1.0) * 0.8 + 0.2)
    curve = EventCurve(
        name="deep",
        time_s=np.asarray(0.05 * np.arange(n), np.float64),
        ref_ns=UNKNOWN_NS,
        exposure_s=np.full(n, 0.05),
        flux=np.asarray(flux + values * sigmas, np.float64),
        sigma=sigmas,
        usable=np.ones(n, bool),
        frame=np.arange(float(n)),
        utc_sigma_s=np.full(n, np.nan),
    )
    return _Deep(curve, kind, first, length, width, depth / sigma)


def _gone(at: Floats, edge: float, width: float) -> Floats:
    """Light that is missing after an edge."""
    if width == 0.0:
        return np.asarray(at > edge, np.float64)
    return 0.5 + 0.5 * np.tanh((at - edge) / width)


def _ends(one: _Deep) -> tuple[int, int] | None:
    """First and last sample of the dip that was found about its middle; None if none was."""
    dips, _, _ = find_dips(one.curve, one.curve.usable, EventSettings())
    for dip in dips:
        middle = 0.5 * (dip.first + dip.last)
        if dip.false_alarm_probability < CERTAIN and 0.0 <= middle - one.first <= one.length:
            return dip.first, dip.last
    return None
