"""The model that figures draw: exact over exposures, level fitted, flanks by their edges."""

from dataclasses import replace

import numpy as np
import pytest

from reduction.events.drawn import drawn, exposures, share_of
from reduction.events.settings import EventSettings, Geometry, ModelName
from tests.reduction.events.said import DEPTH, EXPOSURE, D, R, analysis, curve, negative, square


def test_light_over_each_exposure_is_the_wells() -> None:
    one = curve(noise=1e-9)
    model = drawn(one, analysis(one), EventSettings())
    t = one.time_s
    np.testing.assert_allclose(model.measured, square(t - EXPOSURE / 2, t + EXPOSURE / 2), atol=1e-6)
    np.testing.assert_allclose(model.half_exposure_s, EXPOSURE / 2)
    inside = (model.seconds > D) & (model.seconds < R)
    np.testing.assert_allclose(model.light[inside], 1 - DEPTH, atol=1e-6)
    np.testing.assert_allclose(
        model.light[~inside & (model.seconds != D) & (model.seconds != R)], 1, atol=1e-6
    )
    assert np.min(np.diff(model.seconds)) >= 0


@pytest.mark.parametrize("model", ["diffraction", "disc", "gradual"])
def test_every_kind_of_flank_by_brute_force(model: ModelName) -> None:
    """The mean over an exposure is the mean of the instants, whatever the flanks."""
    one = curve()
    geometry = Geometry(distance_au=2.0, velocity_km_s=5.0, star_diameter_km=1.5)
    event = replace(analysis(one).events[0], label=model)
    if model == "gradual":
        event = analysis(one, gradual=0.5).events[0]
    share = share_of(event, EventSettings(geometry=geometry, models=(model,)))
    start, stop = one.time_s - 0.04, one.time_s + 0.04
    fine = np.linspace(0, 1, 2001)[None, :] * (stop - start)[:, None] + start[:, None]
    instants = np.stack([share(row, row) for row in fine])
    np.testing.assert_allclose(share(start, stop), instants.mean(axis=1), atol=2e-3)
    inside = share(np.array([0.5 * (D + R)]), np.array([0.5 * (D + R)]))
    assert 0.8 < inside[0] <= 1.05


def test_level_follows_a_trend_outside_the_event() -> None:
    one = curve(noise=1e-9)
    tilted = 0.8 + 0.02 * one.time_s
    bent = replace(one, flux=one.flux * tilted)
    model = drawn(bent, analysis(bent), EventSettings(baseline_order=1))
    np.testing.assert_allclose(model.level, tilted, atol=1e-5)
    np.testing.assert_allclose(model.measured[one.usable], bent.flux[one.usable], atol=1e-5)


def test_without_an_event_or_with_one_edge() -> None:
    one = curve()
    np.testing.assert_allclose(drawn(one, negative(), EventSettings()).light, 1.0, atol=0.4)
    gone = drawn(one, analysis(one, r=False), EventSettings())
    assert (gone.measured[-50:] < 0.2).all()


def test_exposures() -> None:
    one = curve()
    assert exposures(one, EventSettings(exposure_s=0.03))[0] == 0.03
    assert abs(exposures(one, EventSettings(dead_time_s=0.04))[0] - 0.06) < 1e-12
    assert exposures(one, EventSettings())[0] == EXPOSURE
