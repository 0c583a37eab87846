"""Fit of an event beside SORA's on the same curve, and of a long recording.

``python -m bench events_fit``: needs `sora-astro` and the sample curves beside the repository.
"""

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bench.events_coverage import noise_of
from bench.record import Record, Target
from bench.timing import Case, Timed, interleave
from reduction.errors import ResourceError
from reduction.events.analyse import find_dips
from reduction.events.curve import EventCurve
from reduction.events.fit import fit_event
from reduction.events.flanks import Floats, well
from reduction.events.results import Event
from reduction.events.settings import EventSettings, Geometry
from reduction.events.square import Sharp

SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "sora" / "lc_example.dat"
PUBLISHED = {"D": (20.325, 0.030), "R": (30.349, 0.033)}
"""Seconds after 2017-06-22 21:21 UTC."""

MINUTE_JD = 2457926.5 + (21 * 60 + 21) / 1440.0
CHARIKLO = Geometry(
    distance_au=14.66, velocity_km_s=22.0, wavelength_um=0.7, band_um=0.6, star_diameter_km=0.2
)
TRIALS = 10_000
LONG = 7_184


def curve_of(seconds: Floats, flux: Floats, exposure_s: float) -> EventCurve:
    """An undisturbed curve."""
    nothing, n = np.full(flux.size, np.nan), flux.size
    frame = np.arange(n, dtype=np.float64)
    return EventCurve(
        "bench", seconds, 0, np.full(n, exposure_s), flux, nothing, np.ones(n, bool), frame, nothing
    )


def found_and_fitted(curve: EventCurve, settings: EventSettings) -> Event:
    """Search, and fit of the most significant dip."""
    dips, last, _ = find_dips(curve, curve.usable, settings)
    if last is None:
        raise ResourceError("the curve of the bench cannot be searched")
    return fit_event(curve, settings, dips[0], last.noise, dips[1:])


def by_sora(seconds: Floats, flux: Floats) -> Any:
    """SORA's fit in a window of 300 points, as its own example does it."""
    from sora import LightCurve

    part = (seconds > 10.0) & (seconds < 40.0)
    curve = LightCurve(
        "Outeniqua", time=seconds[part], flux=flux[part], exptime=0.100, tref="2017-06-22 21:21"
    )
    curve.set_vel(CHARIKLO.velocity_km_s)
    curve.set_dist(CHARIKLO.distance_au)
    curve.set_star_diam(0.2)
    curve.set_filter(0.7, 0.3)
    return curve.occ_lcfit(
        immersion_time=20.3, emersion_time=30.3, delta_t=0.3, loop=TRIALS, sigma="auto", opacity=1.0
    )


def long_curve() -> EventCurve:
    """7,184 points with a memory, a tenth of them bad, of a penumbral event."""
    rng = np.random.default_rng(7184)
    seconds = np.arange(LONG, dtype=np.float64) / 25.0
    gone = well((Sharp(), Sharp()), seconds - 0.02, seconds + 0.02, 141.013, 146.377)
    flux = 1.0 - 0.7 * gone + 0.15 * noise_of("autoregressive", LONG, rng)
    flux = np.where(rng.random(LONG) < 0.1, flux + rng.normal(0.0, 1.0, LONG), flux)
    return curve_of(seconds, flux, 0.04)


def events_fit(_folder: Path, _frames: int | None, repetitions: int) -> Record:
    """The comparison; see the module."""
    if not SAMPLE.exists():
        raise ResourceError(f"no sample curve at {SAMPLE.parent}; lay the sample data beside the repository")
    jd, flux = np.loadtxt(SAMPLE, unpack=True)
    seconds = np.round((jd - MINUTE_JD) * 86400.0, 5)
    order = np.argsort(seconds)
    seconds, flux = seconds[order], flux[order]
    curve, settings, long = curve_of(seconds, flux, 0.100), EventSettings(geometry=CHARIKLO), long_curve()
    event = found_and_fitted(curve, settings)  # compiles and fills the tables
    found_and_fitted(long, EventSettings())
    cases = [
        Case(
            "umbra", "search, fit of every model: 2,000 points", 1, lambda: found_and_fitted(curve, settings)
        ),
        Case("umbra-7184", "the same: 7,184 points", 1, lambda: found_and_fitted(long, EventSettings())),
    ]
    timed = interleave(cases, min(repetitions, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Timed("sora", f"occ_lcfit, 300 points, {TRIALS} trials", 1)
        wall, cpu = time.perf_counter(), time.process_time()
        fit = by_sora(seconds, flux).get_nsigma(1)
        theirs.cpu_s, theirs.wall_s = [time.process_time() - cpu], [time.perf_counter() - wall]
    theirs.cpu_s *= len(timed["umbra"].cpu_s)
    theirs.wall_s *= len(timed["umbra"].wall_s)
    record = Record("events_fit", setting={"points": seconds.size, "trials": TRIALS, "long": LONG})
    record.timed = [*timed.values(), theirs]
    record.compare(["umbra"], ["sora"])
    targets = [
        Target("faster than SORA's occ_lcfit", 30.0, record.found("umbra", "sora")),
        Target("seconds for 7,184 points", 10.0, timed["umbra-7184"].wall_us * 1e-6, at_least=False),
    ]
    for edge, name in ((event.d, "immersion"), (event.r, "emersion")):
        if edge is None:
            raise ResourceError("an edge of the bench's curve was not found")
        value, sigma = PUBLISHED[edge.kind]
        record.values[edge.kind] = {
            "umbra": [round(edge.seconds.value, 4), round(edge.seconds.sigma, 4)],
            "sora": [round(float(one), 4) for one in fit[name]],
            "published": [value, sigma],
        }
        off = abs(edge.seconds.value - value) / sigma
        targets.append(Target(f"{edge.kind} off the published, in its errors", 1.0, off, at_least=False))
        larger = max(edge.seconds.sigma / sigma, sigma / edge.seconds.sigma)
        targets.append(Target(f"{edge.kind} error and the published, factor", 1.5, larger, at_least=False))
    record.values["label"] = event.label
    record.targets = targets
    return record
