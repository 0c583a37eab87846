"""The model that figures draw: exact over exposures, level fitted, flanks by their edges."""

import numpy as np

from reduction.events.curve import Floats
from reduction.events.drawn import drawn, exposures, share_of
from reduction.events.settings import EventSettings
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


def test_a_ramp_by_brute_force() -> None:
    one = curve()
    share = share_of(analysis(one, gradual=0.4).events[0])
    start, stop = one.time_s - 0.04, one.time_s + 0.04
    fine = np.linspace(0, 1, 4001)[None, :] * (stop - start)[:, None] + start[:, None]
    width = 0.4 / 0.8

    def ramp(t: Floats, at: float) -> Floats:
        return np.clip((t - at) / width + 0.5, 0, 1)

    by_steps = (ramp(fine, D) - ramp(fine, R)).mean(axis=1)
    np.testing.assert_allclose(share(start, stop), by_steps, atol=2e-4)
    instant = share(np.array([D - 0.2, D, D + 0.2]), np.array([D - 0.2, D, D + 0.2]))
    np.testing.assert_allclose(instant, [0.1, 0.5, 0.9])  # 10 to 90 % in 0.4 s


def test_level_follows_a_trend_outside_the_event() -> None:
    one = curve(noise=1e-9)
    tilted = 0.8 + 0.02 * one.time_s
    from dataclasses import replace

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
