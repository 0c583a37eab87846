"""Dips become events: each fitted, in order of time; what cannot be fitted is said."""

import numpy as np

from reduction.caveats import Caveat
from reduction.events.analyse import analyse
from reduction.events.fitted import fitted_events
from reduction.events.results import Dip, NoiseModel
from reduction.events.settings import EventSettings
from tests.reduction.events.simulated import curve_of_flux


def test_two_events_in_order_of_time() -> None:
    flux = 1.0 + 0.05 * np.random.default_rng(1).standard_normal(600)
    flux[400:440] -= 0.9
    flux[200:212] -= 0.6
    found = analyse(curve_of_flux(flux))
    assert [event.dip.first for event in found.events] == [200, 400]
    deep = found.events[1]
    assert deep.d is not None
    assert deep.r is not None
    step = curve_of_flux(flux).cadence_s()
    assert abs(deep.d.seconds.value / step - 399.5) < 1.0
    assert abs(deep.depth.value - 0.9) < 5 * deep.depth.sigma


def test_what_a_long_flank_leaves_is_no_event_of_its_own() -> None:
    t = np.arange(400.0)
    shape = np.clip((t - 100) / 20, 0, 1) - np.clip((t - 200) / 20, 0, 1)
    curve = curve_of_flux(1.0 - 0.8 * shape + 0.02 * np.random.default_rng(1).standard_normal(400))
    found = analyse(curve)
    (whole,) = found.events
    dips = [whole.dip, Dip(whole.dip.first + 4, whole.dip.last + 4, 0.2, 20.0, 1e-6)]
    events, notes = fitted_events(curve, EventSettings(), dips, found.noise)
    assert [event.dip for event in events] == [whole.dip]
    assert [note.caveat for note in notes] == [Caveat.EVENT_NOT_FITTED]
    assert "a flank of the event in samples" in notes[0].message


def test_a_dip_that_cannot_be_fitted_is_said() -> None:
    flux = 1.0 + 0.05 * np.random.default_rng(1).standard_normal(40)
    dip = Dip(0, 39, 0.5, 9.0, 1e-9)
    events, notes = fitted_events(curve_of_flux(flux), EventSettings(), [dip], NoiseModel(0.05, (), 1.0, 0.0))
    assert events == ()
    assert [note.caveat for note in notes] == [Caveat.EVENT_NOT_FITTED]
    assert notes[0].message.startswith("samples 0 to 39: ")
