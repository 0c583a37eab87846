"""What is said of a light curve."""

import numpy as np
import pytest

from reduction.events.analyse import analyse, find_dips
from reduction.events.false_alarm import false_alarm_probability, least_score
from reduction.events.results import NoiseModel
from reduction.events.search import strongest
from reduction.events.settings import EventSettings
from tests.reduction.events.simulated import curve_of_flux, memory, spoilt


class TestStatus:
    def test_positive(self) -> None:
        flux = 1.0 + 0.1 * np.random.default_rng(1).standard_normal(600)
        flux[200:230] -= 0.6
        found = analyse(curve_of_flux(flux))
        assert found.status == "positive"
        assert found.false_alarm_probability < 1e-6
        assert (found.dips[0].first, found.dips[0].last) == (200, 229)
        assert found.dips[0].kind == "dip"
        assert found.detectable is None
        assert "in 30 samples" in found.reason

    def test_negative_says_what_would_have_been_seen(self) -> None:
        flux = 1.0 + 0.1 * np.random.default_rng(2).standard_normal(600)
        found = analyse(curve_of_flux(flux))
        assert found.status == "negative"
        assert found.events == ()
        assert found.false_alarm_probability > 0.01
        assert found.detectable is not None
        assert found.detectable.depth == 1.0
        assert 0.04 < found.detectable.shortest_s < 0.2
        assert found.detectable.recovered >= 0.9

    def test_too_noisy(self) -> None:
        flux = 1.0 + 3.0 * np.random.default_rng(3).standard_normal(40)
        found = analyse(curve_of_flux(flux))
        assert found.status == "inconclusive"
        assert found.detectable is not None
        assert found.detectable.shortest_s == np.inf

    def test_without_times_nothing_is_negative(self) -> None:
        flux = 1.0 + 0.1 * np.random.default_rng(2).standard_normal(600)
        found = analyse(curve_of_flux(flux, dated=False))
        assert found.status == "inconclusive"
        assert "no times" in found.reason

    def test_one_low_sample(self) -> None:
        flux = 1.0 + 0.05 * np.random.default_rng(4).standard_normal(600)
        flux[300] = 0.1
        found = analyse(curve_of_flux(flux))
        assert found.status == "inconclusive"
        assert "one low sample" in found.reason

    @pytest.mark.parametrize(
        ("n", "length", "snr"), [(30, 4, 60.0), (48, 9, 500.0), (48, 9, 9.0), (48, 20, 9.0), (100, 30, 500.0)]
    )
    @pytest.mark.parametrize("phase", [0.0, 0.5])
    def test_deep_in_a_short_curve(self, n: int, length: int, snr: float, phase: float) -> None:
        """Also where both edges lie within exposures."""
        flux = 1.0 + np.random.default_rng(12).standard_normal(n) / snr
        first = n // 3
        flux[first : first + length] -= 0.9
        flux[first - 1] -= 0.9 * phase
        flux[first + length] -= 0.9 * (1.0 - phase)
        found = analyse(curve_of_flux(flux))
        assert found.status == "positive"
        assert found.false_alarm_probability < 1e-4
        assert abs(found.dips[0].first - first) <= 1
        assert abs(found.dips[0].last - (first + length)) <= 1

    @pytest.mark.parametrize("n", [0, 1, 2, 11])
    def test_too_few(self, n: int) -> None:
        found = analyse(curve_of_flux(np.random.default_rng(5).random(n)))
        assert found.status == "inconclusive"
        assert "too few" in found.reason

    def test_no_noise(self) -> None:
        assert "do not scatter" in analyse(curve_of_flux(np.ones(100))).reason


class TestSeveral:
    def test_rings(self) -> None:
        flux = 1.0 + 0.05 * np.random.default_rng(6).standard_normal(2000)
        truth = [(500, 506, 0.4), (900, 1100, 0.95), (1500, 1506, 0.4)]
        for first, last, depth in truth:
            flux[first : last + 1] -= depth
        found = analyse(curve_of_flux(flux))
        assert found.status == "positive"
        assert sorted((dip.first, dip.last) for dip in found.dips) == [(a, b) for a, b, _ in truth]
        assert "2 more dips" in found.reason

    def test_no_more_than_asked_for(self) -> None:
        flux = 1.0 + 0.05 * np.random.default_rng(7).standard_normal(1000)
        for first in (200, 400, 600):
            flux[first : first + 10] -= 0.5
        curve = curve_of_flux(flux)
        dips, _, _ = find_dips(curve, curve.usable, EventSettings(most_events=2))
        assert len(dips) == 2


class TestFalseAlarms:
    @pytest.mark.parametrize("stars", [1, 20])
    def test_threshold_is_the_inverse(self, stars: int) -> None:
        noise = NoiseModel(0.1, (0.4,), 0.9, 1.0, bad_share=0.02, bad_ratio=6.0)
        for p in (0.2, 1e-2, 1e-3, 1e-6):
            score = least_score(p, noise, 800, 30, stars)
            assert false_alarm_probability(score, noise, 800, 30, stars) == pytest.approx(p, rel=1e-6)

    def test_more_stars_make_more_false_alarms(self) -> None:
        noise = NoiseModel(0.1, (), 1.0, 0.0)
        one, many = (false_alarm_probability(5.0, noise, 500, 10, stars) for stars in (1, 24))
        assert many == pytest.approx(24 * one, rel=0.2)

    @pytest.mark.parametrize("kind", ["white", "memory", "bad", "memory and bad"])
    def test_empty_curves(self, kind: str) -> None:
        rng, calls, n = np.random.default_rng(8), [], 200
        for _ in range(150):
            values = memory(n, 0.5 if "memory" in kind else 0.0, rng)
            if "bad" in kind:
                values = spoilt(values, rng)
            curve = curve_of_flux(1.0 + 0.1 * values)
            best = strongest(curve, curve.usable)
            assert best is not None
            calls.append(false_alarm_probability(best.score, best.noise, best.samples, best.run))
        assert 0.01 < np.mean(np.array(calls) < 0.1) < 0.22
        assert np.mean(np.array(calls) < 0.001) < 0.02


class TestDetectable:
    def test_such_events_are_found_and_shorter_ones_not(self) -> None:
        rng = np.random.default_rng(9)
        flux = 1.0 + 0.4 * rng.standard_normal(800)
        found = analyse(curve_of_flux(flux)).detectable
        assert found is not None
        shares = []
        for samples in (found.shortest_s / 0.04, found.shortest_s / 0.08):
            seen = 0
            for _ in range(30):
                fresh = 1.0 + 0.4 * rng.standard_normal(800)
                first = int(rng.integers(50, 700))
                fresh[first : first + round(samples)] -= 1.0
                seen += analyse(curve_of_flux(fresh)).status == "positive"
            shares.append(seen / 30)
        assert shares[0] > 0.75
        assert shares[1] < shares[0] - 0.15

    def test_shallow_events_must_last_longer(self) -> None:
        flux = 1.0 + 0.2 * np.random.default_rng(10).standard_normal(800)
        curve = curve_of_flux(flux)
        deep, shallow = (
            analyse(curve, EventSettings(expected_depth=depth)).detectable for depth in (1.0, 0.3)
        )
        assert deep is not None
        assert shallow is not None
        assert shallow.shortest_s > 4.0 * deep.shortest_s

    def test_the_same_for_the_same_seed(self) -> None:
        flux = 1.0 + 0.2 * np.random.default_rng(11).standard_normal(300)
        assert analyse(curve_of_flux(flux)) == analyse(curve_of_flux(flux))
