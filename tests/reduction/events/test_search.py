"""Search for the most significant run."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.events.around import LEAST_SAMPLES
from reduction.events.search import longest_run, most_telling, strongest
from tests.reduction.events.simulated import Floats, curve_of_flux, memory, pink, spoilt


def found_in(flux: Floats, order: int = 0) -> tuple[int, int, float, float]:
    curve = curve_of_flux(flux)
    best = strongest(curve, curve.usable, order)
    assert best is not None
    return best.first, best.last, best.snr, best.depth


class TestWhatIsThere:
    @pytest.mark.parametrize(("first", "length", "depth"), [(300, 40, 0.4), (100, 3, 0.9), (60, 700, 0.3)])
    def test_a_dip(self, first: int, length: int, depth: float) -> None:
        flux = 1.0 + 0.1 * np.random.default_rng(1).standard_normal(1000)
        flux[first : first + length] -= depth
        start, last, snr, found = found_in(flux)
        assert abs(start - first) <= 1
        assert abs(last - (first + length - 1)) <= 1
        expected = depth / 0.1 / np.sqrt(1.0 / length + 1.0 / (1000 - length))
        assert snr == pytest.approx(expected, rel=0.15)
        assert found == pytest.approx(depth, abs=0.1)

    @pytest.mark.parametrize("at_start", [True, False])
    def test_a_step(self, at_start: bool) -> None:
        flux = 1.0 + 0.1 * np.random.default_rng(2).standard_normal(400)
        flux[slice(0, 150) if at_start else slice(150, 400)] -= 0.3
        curve = curve_of_flux(flux)
        best = strongest(curve, curve.usable)
        assert best is not None
        assert best.step
        assert abs((best.last if at_start else best.first) - 150) <= 3

    def test_in_noise_with_memory(self) -> None:
        rng = np.random.default_rng(3)
        flux = 1.0 + 0.1 * memory(2000, 0.7, rng)
        flux[900:960] -= 0.3
        first, last, snr, _ = found_in(flux)
        assert abs(first - 900) <= 4
        assert abs(last - 959) <= 4
        # 60 samples count for about 60 (1 - 0.7) / (1 + 0.7) of them, and a little more at the ends
        assert snr == pytest.approx(3.0 * np.sqrt(60 * 0.3 / 1.7), rel=0.3)

    def test_under_bad_samples(self) -> None:
        rng = np.random.default_rng(4)
        flux = 1.0 + 0.1 * spoilt(rng.standard_normal(1000), rng)
        flux[500:540] -= 0.25
        first, last, _, depth = found_in(flux)
        assert abs(first - 500) <= 6
        assert abs(last - 539) <= 6
        assert depth == pytest.approx(0.25, abs=0.06)

    def test_on_a_slope(self) -> None:
        rng = np.random.default_rng(5)
        slope = np.linspace(-0.5, 0.5, 1000)
        flux = 1.0 + slope - 0.3 * slope**2 + 0.05 * rng.standard_normal(1000)
        flux[700:720] -= 0.3
        assert found_in(flux, order=2)[:2] == (700, 719)

    def test_short_and_deep_in_long_noise_with_memory(self) -> None:
        """Where slow noise makes larger runs than the event, as long as its memory is not known."""
        rng = np.random.default_rng(6)
        flux = 1.0 + 0.1 * memory(20_000, 0.6, rng)
        flux[300:310] -= 0.8
        first, last, _, _ = found_in(flux)
        assert (first, last) == (300, 309)


class TestWhatCounts:
    def test_one_low_sample_counts_for_no_more_than_a_bad_one(self) -> None:
        scores, most = [], 0.0
        for depth in (1.0, 3.0, 30.0):
            flux = 1.0 + 0.1 * np.random.default_rng(7).standard_normal(500)
            flux[200] -= depth
            best = strongest(curve_of_flux(flux), np.ones(500, bool))
            assert best is not None
            assert (best.first, best.last) == (200, 200)
            scores.append(best.score)
            most = most_telling(best.noise, 500)
        assert max(scores) <= most + 0.1
        assert np.ptp(scores) < 0.1

    def test_samples_that_are_not_usable(self) -> None:
        flux = 1.0 + 0.1 * np.random.default_rng(8).standard_normal(500)
        flux[100:120] = -5.0
        flux[130] = np.nan
        curve = curve_of_flux(flux)
        usable = np.ones(500, bool)
        usable[100:120] = False
        best = strongest(replace(curve, usable=usable), np.ones(500, bool))
        assert best is not None
        assert best.score < 5.0
        assert best.samples == 479

    def test_slow_noise_is_no_event(self) -> None:
        scores = []
        for seed in range(20):
            flux = 1.0 + 0.1 * pink(600, np.random.default_rng(seed))
            best = strongest(curve_of_flux(flux), np.ones(600, bool))
            assert best is not None
            scores.append(best.score)
        assert np.median(scores) < 5.0

    @pytest.mark.parametrize("n", [0, 1, LEAST_SAMPLES - 1])
    def test_too_few(self, n: int) -> None:
        assert strongest(curve_of_flux(np.random.default_rng(9).random(n)), np.ones(n, bool)) is None

    def test_constant(self) -> None:
        assert strongest(curve_of_flux(np.ones(50)), np.ones(50, bool)) is None

    def test_samples_out_of_the_run(self) -> None:
        assert longest_run(100) == 95
        assert longest_run(12) == 8


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(1e-3, 1e3), offset=st.floats(0.5, 5.0))
def test_scale_does_not_matter(seed: int, scale: float, offset: float) -> None:
    flux = offset + 0.1 * np.random.default_rng(seed).standard_normal(150)
    flux[40:50] -= 0.3
    one = strongest(curve_of_flux(flux), np.ones(150, bool))
    other = strongest(curve_of_flux(scale * flux), np.ones(150, bool))
    assert one is not None
    assert other is not None
    assert (other.first, other.last) == (one.first, one.last)
    assert other.score == pytest.approx(one.score, rel=1e-6)
    assert other.depth == pytest.approx(one.depth, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), phi=st.sampled_from([0.0, 0.5]))
def test_direction_of_time_does_not_matter(seed: int, phi: float) -> None:
    flux = 1.0 + 0.1 * memory(150, phi, np.random.default_rng(seed))
    flux[40:52] -= 0.5
    one = strongest(curve_of_flux(flux), np.ones(150, bool))
    back = strongest(curve_of_flux(flux[::-1].copy()), np.ones(150, bool))
    assert one is not None
    assert back is not None
    assert back.score == pytest.approx(one.score, rel=0.1)
    assert abs((149 - back.last) - one.first) <= 2


@pytest.mark.parametrize("seed", range(60))
def test_a_deep_event_is_never_overlooked(seed: int) -> None:
    """Ends anywhere within their exposures, a hundred sigma deep: once edges alone made it doubtful."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 500))
    length = max(float(rng.uniform(0.05, 0.4)) * n, 6.0)
    first = float(rng.uniform(3.0, n - 3.0 - length))
    at = np.arange(n)[:, None] + (np.arange(20) + 0.5) / 20
    light = 1.0 - 0.9 * ((at > first) & (at < first + length)).mean(1)
    sigma = 0.011 * np.sqrt(light)
    noise = [rng.standard_normal(n), memory(n, -0.3, rng), pink(n, rng)][seed % 3]
    curve = curve_of_flux(light + sigma * noise, sigma)
    best = strongest(curve, curve.usable)
    assert best is not None
    assert best.score > 8.0
    assert abs(best.first - first) <= 2
    assert abs(best.last + 1 - first - length) <= 2
    assert best.depth == pytest.approx(0.9, abs=0.02)
