"""How often the intervals of the limb's parameters hold the truth, over many campaigns of known limbs."""

import dataclasses
import math
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from bench.record import Record, Target
from reduction.events.results import LEVELS
from reduction.limb.ellipse import LimbFit, fit_limb
from reduction.limb.likelihood import Prior
from reduction.limb.offsets import find_offsets
from reduction.limb.shape import Ellipse
from tests.reduction.limb.simulated import stations

TRIALS = 1000
NAMES = ("f_km", "g_km", "semi_major_km", "semi_minor_km", "diameter_km", "oblateness", "pa_deg")


@dataclasses.dataclass(frozen=True, slots=True)
class Campaigns:
    """One kind of campaign: stations at random over 0.9 of the shadow's width, 12 km/s."""

    stations: int = 12
    sigma_s: float = 0.1
    oblateness: float = 0.15
    relief_km: float = 0.0
    semi_major_km: float = 60.0
    pa_deg: float = 35.0
    held: bool = False  # whether coverage must hold: the others are told

    @property
    def name(self) -> str:
        """For the record."""
        return (
            f"{self.stations} stations, {self.sigma_s:g} s, oblateness {self.oblateness:g}, "
            f"relief {self.relief_km:g} km"
        )

    @property
    def truth(self) -> Ellipse:
        """The limb."""
        a = self.semi_major_km
        return Ellipse(8.0, -5.0, a, a * (1 - self.oblateness), self.pa_deg)


KINDS = (
    Campaigns(held=True),
    Campaigns(sigma_s=0.02, oblateness=0.3, held=True),
    Campaigns(stations=20, sigma_s=0.2, held=True),
    Campaigns(sigma_s=0.02, oblateness=0.6, held=True),
    Campaigns(stations=6, sigma_s=0.05),
    Campaigns(stations=4, sigma_s=0.02),
    Campaigns(sigma_s=0.5),
    Campaigns(sigma_s=0.05, relief_km=0.7),
    Campaigns(sigma_s=0.1, relief_km=2.0),
    Campaigns(oblateness=0.0),
)


def limb_coverage(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """1,000 campaigns of 12 stations on a known ellipse, fewer of other kinds; and an injected second."""
    del scratch, repetitions
    trials = frames or TRIALS
    record = Record("limb_coverage", {"trials": trials, "other_kinds": max(trials // 4, 40)})
    for index, kind in enumerate(KINDS):
        count = trials if index == 0 else max(trials // 4, 40)
        found = covered(kind, count, seed=index)
        record.values[kind.name] = found
        if kind.held:
            record.targets += _targets(kind.name, found, count)
    named = injected(max(trials // 10, 20))
    record.values["a station one second late among 12"] = named
    record.targets.append(Target("share of late stations that are named", 0.98, named["named"]))
    return record


def covered(kind: Campaigns, count: int, seed: int) -> dict[str, Any]:
    """Shares of campaigns whose intervals hold the truth, percent, at each level; bias and error."""
    rng = np.random.default_rng((20261122, seed))
    truth = kind.truth
    values = {
        "f_km": truth.f_km,
        "g_km": truth.g_km,
        "semi_major_km": truth.a_km,
        "semi_minor_km": truth.b_km,
        "diameter_km": 2 * truth.radius_km,
        "oblateness": truth.oblateness,
        "pa_deg": truth.pa_deg,
    }
    hits = {name: np.zeros(len(LEVELS)) for name in NAMES}
    off: dict[str, list[float]] = {name: [] for name in NAMES}
    spent = 0.0
    for trial in range(count):
        data = stations(rng, kind.stations, truth, kind.sigma_s, kind.relief_km)
        began = process_time()
        fit = fit_limb(data, Prior(), "ellipse", seed=trial)
        spent += process_time() - began
        for name in NAMES:
            hits[name] += [holds(fit, name, values[name], level) for level in range(len(LEVELS))]
            one = fit.figures[name]
            error = one.value - values[name]
            off[name].append((error + 90) % 180 - 90 if name == "pa_deg" else error / max(one.sigma, 1e-9))
    answer: dict[str, Any] = {
        name: {
            "percent": [round(float(100 * share / count), 1) for share in hits[name]],
            ("median_error_deg" if name == "pa_deg" else "median_error_sigma"): round(
                float(np.median(off[name])), 2
            ),
        }
        for name in NAMES
        if not (name == "pa_deg" and kind.oblateness == 0)
    }
    return {"campaigns": count, "ms_per_fit": round(1000 * spent / count, 1), **answer}


def holds(fit: LimbFit, name: str, truth: float, level: int) -> bool:
    """Whether an interval holds the truth."""
    low, high = fit.figures[name].intervals[level]
    if name == "pa_deg":
        return (truth - low) % 180 <= high - low
    return low <= truth <= high


def _targets(name: str, found: dict[str, Any], count: int) -> list[Target]:
    """Worst distances from the nominal coverage; for fewer campaigns with three standard errors more."""
    answer = []
    for level, allowed in ((0, 4.0), (1, 2.0)):
        nominal = 100 * LEVELS[level]
        worst = max(abs(found[one]["percent"][level] - nominal) for one in NAMES)
        slack = 0.0 if count >= TRIALS else 3 * math.sqrt(nominal * (100 - nominal) / count)
        what = f"{name}: worst coverage at {nominal:g} %, points off"
        answer.append(Target(what, round(allowed + slack, 2), worst, at_least=False))
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
