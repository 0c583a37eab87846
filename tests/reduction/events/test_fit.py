"""Fits of events with known truth, against a brute-force posterior, and in awkward curves."""

from typing import Any

import numpy as np
import pytest

from reduction.errors import DataError, RequestError
from reduction.events.curve import EventCurve
from reduction.events.fit import fit_event
from reduction.events.flanks import Floats, well
from reduction.events.results import Dip, Edge, NoiseModel
from reduction.events.settings import EventSettings
from reduction.events.square import Sharp
from reduction.timing import UNKNOWN_NS
from tests.sample_data import sample

SHARP = (Sharp(), Sharp())


def make_curve(time: Floats, flux: Floats, exposure: float, **changes: Any) -> EventCurve:
    n = time.size
    values: dict[str, Any] = {
        "name": "made", "time_s": time, "ref_ns": 10**18, "exposure_s": np.full(n, exposure), "flux": flux,
        "sigma": np.full(n, np.nan), "usable": np.ones(n, bool), "frame": np.arange(n, dtype=np.float64),
        "utc_sigma_s": np.full(n, np.nan),
    }  # fmt: skip
    return EventCurve(**{**values, **changes})


def white(sigma: float) -> NoiseModel:
    return NoiseModel(sigma, (), 1.0, 0.0)


def made(
    d: float,
    r: float,
    depth: float = 0.8,
    sigma: float = 0.1,
    exposure: float = 1.0,
    n: int = 200,
    seed: int = 1,
) -> tuple[EventCurve, Dip]:
    time = np.arange(n, dtype=np.float64)
    gone = well(SHARP, time - exposure / 2, time + exposure / 2, d, r)
    flux = 1.0 - depth * gone + sigma * np.random.default_rng(seed).standard_normal(n)
    inside = np.flatnonzero(gone > 0.5)
    return make_curve(time, flux, exposure), Dip(int(inside[0]), int(inside[-1]), depth, 20.0, 1e-9)


def _edges(event: Any) -> tuple[Edge, Edge]:
    assert event.d is not None
    assert event.r is not None
    return event.d, event.r


@pytest.mark.parametrize(("d", "r", "exposure"), [(90.3, 110.8, 1.0), (90.3, 110.8, 0.2), (95.4, 98.9, 0.7)])
def test_a_simulated_event(d: float, r: float, exposure: float) -> None:
    off = []
    for seed in range(8):
        curve, dip = made(d, r, exposure=exposure, seed=seed)
        event = fit_event(curve, EventSettings(), dip, white(0.1), ())
        assert event.label == "square"
        for edge, truth in zip(_edges(event), (d, r), strict=True):
            low, high = edge.seconds.intervals[2]
            assert low < truth < high
            off.append((edge.seconds.value - truth) / edge.seconds.sigma)
            assert edge.seconds.sigma < 0.5
            levels = [b - a for a, b in edge.seconds.intervals]
            assert levels == sorted(levels)
        assert event.depth.intervals[2][0] < 0.8 < event.depth.intervals[2][1]
        assert event.duration is not None
        assert event.duration.intervals[2][0] < r - d < event.duration.intervals[2][1]
    assert 0.3 < np.std(off) < 2.0


def _brute(curve: EventCurve, exposure: float, sigma: float, d: Floats, r: Floats) -> tuple[Floats, Floats]:
    """Marginals of D and R with the level and depth integrated by a plain sum, one model at a time."""
    start, stop = curve.time_s - exposure / 2, curve.time_s + exposure / 2
    log = np.empty((d.size, r.size))
    for j, one in enumerate(d):
        for k, other in enumerate(r):
            gone = well(SHARP, start, stop, float(one), float(other))
            x = np.stack([np.ones_like(gone), -gone], axis=1)
            found, *_ = np.linalg.lstsq(x, curve.flux, rcond=None)
            log[j, k] = -0.5 * (((curve.flux - x @ found) / sigma) ** 2).sum()
    p = np.exp(log - log.max())
    return p.sum(axis=1), p.sum(axis=0)


def test_against_a_brute_force_posterior() -> None:
    curve, dip = made(95.3, 103.6, sigma=0.2, exposure=0.6, n=80 + 40, seed=3)
    event = fit_event(curve, EventSettings(), dip, white(0.2), ())
    flat = Dip(dip.first, dip.last, 0.8, 1.0, 0.0)
    assert event.dip.first == flat.first
    d, r = np.linspace(93.5, 97.5, 121), np.linspace(101.5, 105.5, 121)
    for edge, nodes, p in zip(_edges(event), (d, r), _brute(curve, 0.6, 0.2, d, r), strict=True):
        cumulative = np.cumsum(p) / p.sum()
        for q, found in zip((0.16, 0.84), edge.seconds.intervals[0], strict=True):
            assert found == pytest.approx(float(np.interp(q, cumulative, nodes)), abs=0.08)


def test_an_edge_in_dead_time_may_lie_anywhere_in_it() -> None:
    curve, dip = made(90.5, 110.5, sigma=0.02, exposure=0.2)
    for edge in _edges(fit_event(curve, EventSettings(), dip, white(0.02), ())):
        low, high = edge.seconds.intervals[1]
        assert high - low == pytest.approx(0.95 * 0.8, abs=0.06)
        assert edge.seconds.value == pytest.approx(round(edge.seconds.value - 0.5) + 0.5, abs=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_bad_samples_widen_the_answer_but_do_not_move_it(seed: int) -> None:
    curve, dip = made(90.3, 120.6, sigma=0.05, n=300, seed=seed)
    rng = np.random.default_rng(100 + seed)
    hit = rng.random(300) < 0.1
    flux = curve.flux + np.where(hit, 0.5 * rng.standard_normal(300), 0.0)
    noise = NoiseModel(0.05, (), 1.0, 0.0, bad_share=0.1, bad_ratio=10.0)
    event = fit_event(make_curve(curve.time_s, flux, 1.0), EventSettings(), dip, noise, ())
    for edge, truth in zip(_edges(event), (90.3, 120.6), strict=True):
        low, high = edge.seconds.intervals[2]
        assert low - 0.05 < truth < high + 0.05


def test_a_bad_sample_on_the_edge_is_weighed_both_ways() -> None:
    curve, dip = made(90.5, 120.5, sigma=0.04, seed=2)
    flux = curve.flux.copy()
    flux[91] = 0.6  # the event's first sample, half lit
    noise = NoiseModel(0.04, (), 1.0, 0.0, bad_share=0.1, bad_ratio=8.0)
    event = fit_event(make_curve(curve.time_s, flux, 1.0), EventSettings(), dip, noise, ())
    low, high = _edges(event)[0].seconds.intervals[2]
    assert low < 90.6
    assert high > 90.95


def test_the_baseline_is_fitted_with_the_event() -> None:
    curve, dip = made(90.3, 110.8, depth=0.6, sigma=0.03)
    trend = 1.0 + 0.4 * (curve.time_s - 100.0) / 100.0
    tilted = make_curve(curve.time_s, curve.flux * trend, 1.0)
    event = fit_event(tilted, EventSettings(baseline_order=1), dip, white(0.03), ())
    d, r = _edges(event)
    assert d.seconds.value == pytest.approx(90.3, abs=4 * d.seconds.sigma)
    assert r.seconds.value == pytest.approx(110.8, abs=4 * r.seconds.sigma)
    assert event.depth.value == pytest.approx(0.6, abs=0.05)


def test_the_recordings_timing_is_in_the_utc_errors() -> None:
    curve, dip = made(90.3, 110.8)
    event = fit_event(
        make_curve(curve.time_s, curve.flux, 1.0, utc_sigma_s=np.full(200, 0.3)),
        EventSettings(), dip, white(0.1), (),
    )  # fmt: skip
    d, _ = _edges(event)
    assert d.timing_sigma_s == 0.3
    assert d.utc.sigma == pytest.approx(np.hypot(d.seconds.sigma, 0.3))
    assert d.utc.intervals[1][0] < d.seconds.intervals[1][0]
    assert d.utc_ns == 10**18 + round(d.seconds.value * 1e9)


def test_undated_curves_have_no_utc() -> None:
    curve, dip = made(90.3, 110.8)
    undated = make_curve(curve.time_s, curve.flux, 1.0, ref_ns=UNKNOWN_NS)
    d, r = _edges(fit_event(undated, EventSettings(), dip, white(0.1), ()))
    assert d.utc_ns == r.utc_ns == UNKNOWN_NS
    assert d.utc == d.seconds


@pytest.mark.parametrize("end", ["D", "R"])
def test_an_edge_outside_the_recording_is_none(end: str) -> None:
    d, r = (-50.0, 60.4) if end == "D" else (140.4, 900.0)
    curve, dip = made(d, r)
    event = fit_event(curve, EventSettings(), dip, white(0.1), ())
    assert (event.d is None, event.r is None) == (end == "D", end == "R")
    assert event.duration is None
    edge, truth = (event.r, r) if end == "D" else (event.d, d)
    assert edge is not None
    assert edge.seconds.value == pytest.approx(truth, abs=5 * edge.seconds.sigma)


def test_other_events_are_left_out() -> None:
    curve, dip = made(90.3, 110.8)
    flux = curve.flux.copy()
    flux[115:121] -= 0.7
    other = Dip(115, 120, 0.7, 9.0, 0.0)
    event = fit_event(make_curve(curve.time_s, flux, 1.0), EventSettings(), dip, white(0.1), (other,))
    assert _edges(event)[1].seconds.value == pytest.approx(110.8, abs=0.5)
    assert event.depth.value == pytest.approx(0.8, abs=0.1)


def test_quieter_light_in_the_event_sharpens_nothing_falsely() -> None:
    time = np.arange(400.0)
    gone = well(SHARP, time - 0.5, time + 0.5, 150.35, 250.6)
    rng = np.random.default_rng(5)
    flux = 1.0 - 0.9 * gone + np.where(gone > 0, 0.02, 0.15) * rng.standard_normal(400)
    event = fit_event(
        make_curve(time, flux, 1.0), EventSettings(), Dip(151, 250, 0.9, 50.0, 0.0), white(0.15), ()
    )
    assert event.depth.sigma < 0.012
    assert event.depth.value == pytest.approx(0.9, abs=4 * event.depth.sigma)


def test_same_curve_same_answer() -> None:
    curve, dip = made(90.3, 110.8)
    one, other = (fit_event(curve, EventSettings(), dip, white(0.1), ()) for _ in range(2))
    assert repr(one) == repr(other)


def test_what_cannot_be_fitted_is_said() -> None:
    curve, dip = made(90.3, 110.8)
    with pytest.raises(DataError, match="samples 0 to 900 of a curve of 200"):
        fit_event(curve, EventSettings(), Dip(0, 900, 0.5, 9.0, 0.0), white(0.1), ())
    with pytest.raises(DataError, match="fills the whole curve"):
        fit_event(curve, EventSettings(), Dip(0, 199, 0.5, 9.0, 0.0), white(0.1), ())
    with pytest.raises(RequestError, match="leaves no exposure"):
        fit_event(curve, EventSettings(dead_time_s=1.5), dip, white(0.1), ())
    few = make_curve(curve.time_s, curve.flux, 1.0, usable=np.arange(200) % 40 == 0)
    with pytest.raises(DataError, match="usable samples"):
        fit_event(few, EventSettings(), dip, white(0.1), ())


def test_chariklo_as_published() -> None:
    jd, flux = np.loadtxt(sample("sora/lc_example.dat"), unpack=True)
    order = np.argsort(jd)
    time = np.round((jd[order] - 2457927.5) * 86400.0, 5)  # of 0 h
    published = (
        (21 * 3600 + 21 * 60 + 20.325 - 86400.0, 0.030),
        (21 * 3600 + 21 * 60 + 30.349 - 86400.0, 0.033),
    )
    first, last = np.searchsorted(time, [p[0] for p in published])
    curve = make_curve(time, flux[order], 0.100)
    out = np.ones(time.size, bool)
    out[first - 3 : last + 3] = False
    noise = white(float(flux[order][out].std()))
    event = fit_event(curve, EventSettings(), Dip(int(first), int(last) - 1, 0.9, 50.0, 0.0), noise, ())
    for edge, (value, sigma) in zip(_edges(event), published, strict=True):
        assert edge.seconds.value == pytest.approx(value, abs=sigma)
        assert sigma / 1.5 < edge.seconds.sigma < sigma * 1.5
