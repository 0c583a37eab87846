"""How often the intervals of the limb's parameters hold the truth, over many campaigns of known limbs."""

import dataclasses
import math
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from bench.record import Record, Target
from reduction.events.results import LEVELS
from reduction.limb.ellipse import LimbFit, Model, fit_limb
from reduction.limb.likelihood import Prior
from reduction.limb.offsets import find_offsets
from reduction.limb.shape import Ellipse
from tests.reduction.limb.simulated import stations

TRIALS = 1000
NAMES = (
    "f_km", "g_km", "semi_major_km", "semi_minor_km", "diameter_km", "oblateness", "pa_deg", "relief_km",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Campaigns:
    """One kind of campaign: stations at random over 0.9 of the shadow's width, 12 km/s.

    `shares`: further stations at these shares of the shadow's half-width; beyond 1 they see nothing.
    """

    name: str
    stations: int = 12
    sigma_s: float = 0.1
    oblateness: float = 0.15
    relief_km: float = 0.0
    semi_major_km: float = 60.0
    pa_deg: float = 35.0
    shares: tuple[float, ...] = ()
    model: Model = "ellipse"
    held: bool = False  # whether coverage must hold: the others are told

    @property
    def truth(self) -> Ellipse:
        """The limb."""
        a = self.semi_major_km
        return Ellipse(8.0, -5.0, a, a * (1 - self.oblateness), self.pa_deg)

    @property
    def values(self) -> dict[str, float]:
        """The true figure of each of `NAMES`; without those that there are none of."""
        truth = self.truth
        answer = {
            "f_km": truth.f_km,
            "g_km": truth.g_km,
            "semi_major_km": truth.a_km,
            "semi_minor_km": truth.b_km,
            "diameter_km": 2 * truth.radius_km,
            "oblateness": truth.oblateness,
            "pa_deg": truth.pa_deg,
            "relief_km": self.relief_km,
        }
        if self.model == "circle":
            none = {"semi_major_km", "semi_minor_km", "oblateness", "pa_deg"}
        else:
            none = {"pa_deg"} if self.oblateness == 0 else set()
        return {name: value for name, value in answer.items() if name not in none}


KINDS = (
    Campaigns("12 stations on an ellipse", held=True),
    Campaigns("12, flattening 0.3, errors 0.02 s", sigma_s=0.02, oblateness=0.3, held=True),
    Campaigns("20, errors 0.2 s", stations=20, sigma_s=0.2, held=True),
    Campaigns("12, flattening 0.6, errors 0.02 s", sigma_s=0.02, oblateness=0.6, held=True),
    Campaigns("12, errors 0.5 s", sigma_s=0.5),
    Campaigns("6, errors 0.05 s", stations=6, sigma_s=0.05),
    Campaigns("4, errors 0.02 s", stations=4, sigma_s=0.02),
    Campaigns("3 on a circle", stations=3, oblateness=0.0, model="circle"),
    Campaigns("12 on a round body", oblateness=0.0),
    Campaigns("6 on a round body", stations=6, oblateness=0.0),
    Campaigns("12 on a nearly round body (0.05)", oblateness=0.05),
    Campaigns("12, relief 0.7 km, errors 0.05 s", sigma_s=0.05, relief_km=0.7),
    Campaigns("12, relief 2 km", relief_km=2.0),
    Campaigns("6, relief 2 km", stations=6, relief_km=2.0),
    Campaigns("30, relief 2 km, errors 0.02 s", stations=30, sigma_s=0.02, relief_km=2.0),
    Campaigns("5, a miss beside the limb", stations=5, shares=(1.03,)),
    Campaigns("5, a graze", stations=5, shares=(0.985,)),
    Campaigns("5, a graze, relief 1 km", stations=5, shares=(0.985,), relief_km=1.0),
)


def limb_coverage(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """1,000 campaigns of 12 stations on a known ellipse, fewer of other kinds; and an injected second."""
    del scratch, repetitions
    trials = frames or TRIALS
    others = max(trials // 8, 40)
    record = Record("limb_coverage", {"campaigns": trials, "of each other kind": others})
    tables: dict[str, dict[str, dict[str, Any]]] = {
        f"intervals of {100 * level:g} % that hold the truth, %": {} for level in LEVELS
    }
    middles: dict[str, dict[str, Any]] = {}
    for index, kind in enumerate(KINDS):
        count = trials if index == 0 else others
        found = covered(kind, count, seed=index)
        for level, rows in enumerate(tables.values()):
            rows[kind.name] = {
                name: found.percent[name][level] if name in found.percent else "" for name in NAMES
            }
        middles[kind.name] = {name: found.median.get(name, "") for name in NAMES}
        middles[kind.name]["ms per fit"] = found.ms_per_fit
        if kind.held:
            record.targets += _targets(kind.name, found, count)
    record.values |= tables
    record.values["median error, sigmas (of pa_deg: degrees)"] = middles
    named = injected(max(trials // 20, 20))
    record.values["a station one second late among 12"] = named
    record.targets.append(Target("share of late stations that are named", 0.98, named["named"]))
    return record


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """Of each figure: shares of intervals that hold the truth, percent, at each level; the median error."""

    percent: dict[str, list[float]]
    median: dict[str, float]
    ms_per_fit: float


def covered(kind: Campaigns, count: int, seed: int) -> Coverage:
    """What `count` campaigns of a kind give."""
    rng = np.random.default_rng((20261122, seed))
    values = kind.values
    hits = {name: np.zeros(len(LEVELS)) for name in values}
    off: dict[str, list[float]] = {name: [] for name in values}
    spent = 0.0
    for trial in range(count):
        data = stations(rng, kind.stations, kind.truth, kind.sigma_s, kind.relief_km, shares=kind.shares)
        began = process_time()
        fit = fit_limb(data, Prior(), kind.model, seed=trial)
        spent += process_time() - began
        for name, value in values.items():
            hits[name] += [holds(fit, name, value, level) for level in range(len(LEVELS))]
            one = fit.figures[name]
            error = one.value - value
            off[name].append((error + 90) % 180 - 90 if name == "pa_deg" else error / max(one.sigma, 1e-9))
    return Coverage(
        percent={name: [round(float(100 * share / count), 1) for share in hits[name]] for name in values},
        median={name: round(float(np.median(off[name])), 2) for name in values},
        ms_per_fit=round(1000 * spent / count, 1),
    )


def holds(fit: LimbFit, name: str, truth: float, level: int) -> bool:
    """Whether an interval holds the truth."""
    low, high = fit.figures[name].intervals[level]
    if name == "pa_deg":
        return (truth - low) % 180 <= high - low
    return low <= truth <= high


def _targets(name: str, found: Coverage, count: int) -> list[Target]:
    """Worst distances from the nominal coverage; for fewer campaigns with three standard errors more.

    Of relief that is not there no interval that begins at 0 can miss: it is told, not held.
    """
    answer = []
    for level, allowed in ((0, 4.0), (1, 2.0)):
        nominal = 100 * LEVELS[level]
        off = [abs(one[level] - nominal) for key, one in found.percent.items() if key != "relief_km"]
        slack = 0.0 if count >= TRIALS else 3 * math.sqrt(nominal * (100 - nominal) / count)
        what = f"{name}: worst coverage at {nominal:g} %, points off"
        answer.append(Target(what, round(allowed + slack, 2), max(off), at_least=False))
    return answer


def injected(count: int) -> dict[str, Any]:
    """One of 12 stations is a second late: how often it alone is named, with its cause; false ones."""
    rng = np.random.default_rng((20261122, 99))
    named = whole = false = 0
    for _ in range(count):
        data = stations(rng)
        bad = int(rng.integers(12))
        false += bool(find_offsets(data, Prior()).named)
        moved = data.point.copy()
        moved[data.owner == bad] += data.velocity[data.owner == bad]
        found = find_offsets(dataclasses.replace(data, point=moved), Prior())
        if [one.chord for one in found.named] == [bad]:
            named += 1
            whole += found.named[0].causes[0].name == "whole seconds"
    return {
        "campaigns": count,
        "named": round(named / count, 3),
        "cause_whole_second": round(whole / count, 3),
        "false_alarms": round(false / count, 3),
    }
