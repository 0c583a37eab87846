"""Which flanks an event has: of simulated truths, and of the simulators of others."""

import csv
import os

import numpy as np
import pytest

from reduction.cores import at_most
from reduction.events.curve import EventCurve
from reduction.events.diffraction import Fringes, Light, fresnel_unit_km
from reduction.events.disc import Penumbra
from reduction.events.fit import fit_event, flanks_of
from reduction.events.flanks import Flank, Floats, well
from reduction.events.gradual import Isothermal
from reduction.events.noise import estimate_noise
from reduction.events.results import Dip, Event, NoiseModel
from reduction.events.settings import EventSettings, Geometry
from reduction.events.square import Sharp
from tests.reduction.events.test_fit import make_curve, white
from tests.sample_data import sample

GEOMETRY = Geometry(distance_au=3.0, velocity_km_s=6.0, star_diameter_km=0.4)


def _seen(flanks: tuple[Flank, Flank], sigma: float = 0.03, cadence: float = 0.1) -> tuple[EventCurve, Dip]:
    time: Floats = np.arange(300, dtype=np.float64) * cadence
    gone = well(flanks, time - cadence / 2, time + cadence / 2, 10.03, 19.96)
    flux = 1.0 - 0.9 * gone + sigma * np.random.default_rng(8).standard_normal(300)
    low = np.flatnonzero(gone > 0.5)
    return make_curve(time, flux, cadence), Dip(int(low[0]), int(low[-1]), 0.9, 60.0, 0.0)


def _fit(flanks: tuple[Flank, Flank], settings: EventSettings, sigma: float = 0.03) -> Event:
    curve, dip = _seen(flanks, sigma)
    event = fit_event(curve, settings, dip, white(sigma), ())
    assert event.d is not None
    assert event.r is not None
    for edge, truth in ((event.d, 10.03), (event.r, 19.96)):
        low, high = edge.seconds.intervals[2]
        assert low < truth < high, event.label
    assert event.scores[0].model == event.label
    for score in event.scores:
        assert score.aic == pytest.approx(2 * score.parameters - 2 * score.log_likelihood)
    return event


@pytest.mark.parametrize("geometry", [None, GEOMETRY])
def test_sharp_edges_stay_square(geometry: Geometry | None) -> None:
    event = _fit((Sharp(), Sharp()), EventSettings(geometry=geometry), 0.08)
    assert event.label == "square"
    assert event.d is not None
    assert event.d.gradual_s is None


def test_an_atmosphere_is_gradual_and_timed_at_half_light() -> None:
    event = _fit((Isothermal(0.12), Isothermal(0.12)), EventSettings())
    assert event.label == "gradual"
    low, high = event.parameters["scale_height_s_d"].intervals[2]
    assert low < 0.12 < high
    assert event.d is not None
    assert event.d.gradual_s == pytest.approx(13.3 * 0.12, rel=0.3)
    flank = flanks_of(event, EventSettings())[0]
    assert isinstance(flank, Isothermal)


def test_a_penumbra_of_unknown_width_is_a_disc() -> None:
    event = _fit((Penumbra(0.6), Penumbra(0.6)), EventSettings())
    assert event.label == "disc"
    low, high = event.parameters["star_radius_s_d"].intervals[2]
    assert low < 0.6 < high


def test_a_known_star_needs_no_width() -> None:
    geometry = Geometry(distance_au=3.0, velocity_km_s=6.0, normal_d=0.8, normal_r=0.5, star_diameter_km=6.0)
    event = _fit(
        (Penumbra(0.625), Penumbra(1.0)), EventSettings(geometry=geometry, models=("disc", "gradual"))
    )
    assert event.label == "disc"
    assert event.parameters == {}
    assert flanks_of(event, EventSettings(geometry=geometry))[1] == Penumbra(1.0)


def test_fringes_are_diffraction() -> None:
    unit = fresnel_unit_km(0.7, 40.0) / 5.0
    light = Light(0.3 / 0.7, 0.0)
    geometry = Geometry(distance_au=40.0, velocity_km_s=5.0)
    event = _fit((Fringes(unit, light), Fringes(unit, light)), EventSettings(geometry=geometry), 0.015)
    assert event.label == "diffraction"


def test_only_models_that_are_wanted() -> None:
    event = _fit((Penumbra(0.6), Penumbra(0.6)), EventSettings(models=("square", "gradual")))
    assert {score.model for score in event.scores} == {"square", "gradual"}


def _of_others(name: str, exposure: float) -> EventCurve:
    """A simulated file of PyOTE or R-OTE; its times are starts of exposures."""
    with sample(f"pyote/{name}").open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if len(row) > 2 and row[0].strip().isdigit()]
    time = np.array(
        [float(row[1].strip("[]").split(":")[2]) + 60 * float(row[1].split(":")[1]) for row in rows]
    )
    flux = np.array([float(row[2]) for row in rows])
    return make_curve(time + exposure / 2, flux / np.median(np.r_[flux[:40], flux[-40:]]), exposure)


def _fitted(curve: EventCurve, settings: EventSettings) -> Event:
    low = np.flatnonzero(curve.flux < 0.5 * (np.quantile(curve.flux, 0.02) + 1.0))
    first, last = int(low[0]), int(low[-1])
    wide = 32  # half of the widest flank
    out = np.ones(curve.flux.size, bool)
    out[max(first - wide, 0) : last + wide] = False
    noise = estimate_noise(curve, out, np.full(curve.flux.size, np.median(curve.flux[out])))
    return fit_event(curve, settings, Dip(first, last, 0.8, 50.0, 0.0), noise, ())


@pytest.mark.parametrize("known", [True, False])
def test_pyotes_penumbra(known: bool) -> None:
    name = "edge_on_disk_standard_penumbral_D55_R35_shotnoise_2.0_readnoise_20.0.csv"
    normal = {"normal_d": float(np.sin(np.radians(55))), "normal_r": float(np.sin(np.radians(35)))}
    geometry = Geometry(
        distance_au=5, velocity_km_s=5, star_diameter_km=10, wavelength_um=0.54, band_um=0, **normal
    )
    settings = EventSettings(geometry=geometry if known else None, models=("square", "disc", "gradual"))
    event = _fitted(_of_others(name, 0.04), settings)
    assert event.label == "disc"
    for edge, truth in ((event.d, 3.2208), (event.r, 23.2208)):
        assert edge is not None
        assert edge.seconds.value == pytest.approx(truth, abs=2.5 * edge.seconds.sigma)
        assert edge.seconds.sigma < 0.12


def test_rotes_penumbra() -> None:
    event = _fitted(_of_others("example-penumbral.csv", 1.0), EventSettings())
    assert event.label == "disc"
    for edge, truth in ((event.d, 103.0), (event.r, 203.0)):
        assert edge is not None
        assert edge.seconds.value == pytest.approx(truth, abs=2.5 * edge.seconds.sigma)
        assert edge.seconds.sigma < 0.25


@pytest.mark.parametrize("known", [True, False])
def test_pyotes_annular_event(known: bool) -> None:
    """Without the star's diameter its limbs overlap all the same: what the width may be is in the errors."""
    geometry = Geometry(distance_au=3, velocity_km_s=5, star_diameter_km=14, wavelength_um=0.54, band_um=0)
    curve = _of_others("disk_on_disk_annular_shotnoise_1.0_readnoise_20.0.csv", 0.04)
    wanted = EventSettings(models=("square", "disc", "gradual"))
    event = _fitted(curve, wanted.model_copy(update={"geometry": geometry if known else None}))
    assert event.label in {"disc", "graze"}
    for edge, truth in ((event.d, 3.45), (event.r, 5.35)):
        assert edge is not None
        assert edge.seconds.value == pytest.approx(truth, abs=2.5 * edge.seconds.sigma)
        assert edge.seconds.sigma < 0.06


@pytest.mark.parametrize(("first", "last"), [(154, 156), (175, 178)])
def test_pyotes_diffraction_miss_is_no_square_event(first: int, last: int) -> None:
    curve = _of_others("diffraction_miss_shotnoise_1.0_readnoise_20.0.csv", 0.0344)
    event = fit_event(curve, EventSettings(), Dip(first, last, 0.1, 8.0, 0.0), white(0.019), ())
    assert event.label == "diffraction"


def test_the_memory_of_the_noise_does_not_pay_for_a_flank_that_misses() -> None:
    """A wide flank misses the samples by a sharp edge, one after the other: each is bad, at its price."""
    noise = NoiseModel(0.012, (0.034, 0.026, 0.033, -0.075, -0.009), 0.996, 0.16, weighted=True)
    time: Floats = np.arange(400, dtype=np.float64) * 0.04
    gone = well((Sharp(), Sharp()), time - 0.02, time + 0.02, 6.713, 9.611)
    sigma = 0.013 - 0.005 * gone
    flux = 1.0 - 0.8 * gone + sigma * np.random.default_rng(10).standard_normal(400)
    curve = make_curve(time, flux, 0.04, sigma=sigma)
    event = fit_event(curve, EventSettings(), Dip(168, 240, 0.8, 600.0, 0.0), noise, ())
    assert event.label == "square"
    assert all(score.chi2_reduced < 3.0 for score in event.scores)
    assert event.d is not None
    assert event.d.seconds.value == pytest.approx(6.713, abs=0.003)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: nothing goes on side by side")
def test_scores_do_not_depend_on_the_cores() -> None:
    curve = _of_others("example-penumbral.csv", 1.0)
    together = _fitted(curve, EventSettings())
    with at_most(1):
        alone = _fitted(curve, EventSettings())
    assert repr(together) == repr(alone)  # NaN stands where nothing is known
