"""Noise of a light curve."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reduction.events.curve import EventCurve
from reduction.events.noise import (
    Whitener,
    bad_samples,
    estimate_noise,
    sample_sigma,
    simulate,
    whiten,
)
from reduction.events.results import NoiseModel

Floats = NDArray[np.float64]


def curve_from(
    flux: Floats, sigma: Floats | float = np.nan, usable: NDArray[np.bool_] | None = None
) -> EventCurve:
    n = flux.size
    return EventCurve(
        name="simulated",
        time_s=np.asarray(0.04 * np.arange(n), np.float64),
        ref_ns=0,
        exposure_s=np.full(n, 0.04),
        flux=flux,
        sigma=np.broadcast_to(np.asarray(sigma, np.float64), (n,)).copy(),
        usable=np.ones(n, bool) if usable is None else usable,
        frame=np.arange(float(n)),
        utc_sigma_s=np.full(n, np.nan),
    )


EVERY = np.ones(2000, bool)


def test_sigmas_of_samples_are_kept() -> None:
    rng = np.random.default_rng(1)
    sigma = np.where(np.arange(2000) < 1000, 0.05, 0.2)
    curve = curve_from(1.0 + 1.5 * sigma * rng.standard_normal(2000), sigma)
    noise = estimate_noise(curve, EVERY, np.ones(2000))
    assert noise.weighted
    np.testing.assert_allclose(sample_sigma(noise, curve, EVERY), 1.5 * sigma, rtol=0.06)


def test_sigmas_that_say_nothing_are_left() -> None:
    rng = np.random.default_rng(2)
    curve = curve_from(1.0 + 0.1 * rng.standard_normal(2000), rng.uniform(0.02, 0.5, 2000))
    noise = estimate_noise(curve, EVERY, np.ones(2000))
    assert not noise.weighted
    assert noise.sigma == pytest.approx(0.1, rel=0.05)
    np.testing.assert_array_equal(sample_sigma(noise, curve, EVERY), noise.sigma)


def test_what_is_cut_out_counts_not() -> None:
    rng = np.random.default_rng(3)
    flux = 1.0 + 0.1 * rng.standard_normal(2000)
    usable, out = EVERY.copy(), EVERY.copy()
    usable[300:320], out[900:1200] = False, False
    spoilt = np.where(usable & out, flux, np.nan)
    one, other = (estimate_noise(curve_from(f, 0.1, usable), out, np.ones(2000)) for f in (flux, spoilt))
    assert one == other


def test_memory_in_seconds() -> None:
    noise = NoiseModel(0.1, (0.8,), 0.6, 1.0)
    flux = 1.0 + simulate(noise, np.full(2000, 0.1), EVERY, np.random.default_rng(4))
    found = estimate_noise(curve_from(flux), EVERY, np.ones(2000))
    assert found.longest_s == pytest.approx(0.04 * np.log(0.05) / np.log(0.8), rel=0.4)
    assert found.innovation == pytest.approx(0.6, rel=0.1)
    assert estimate_noise(curve_from(flux), EVERY, np.ones(2000), highest=0).ar == ()


def test_bad_samples_are_marked() -> None:
    noise = NoiseModel(0.1, (), 1.0, 0.0, bad_share=0.1, bad_ratio=10.0)
    sigma, residual = np.full(200, 0.1), np.zeros(200)
    residual[[5, 9]] = [0.6, -0.2]
    assert np.flatnonzero(bad_samples(noise, residual, sigma, EVERY[:200])).tolist() == [5]
    assert not bad_samples(replace(noise, bad_share=0.0), residual, sigma, EVERY[:200]).any()


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_noise_scales_with_the_flux(scale: float, seed: int) -> None:
    flux = np.random.default_rng(seed).standard_normal(300)
    one = estimate_noise(curve_from(flux), EVERY[:300], np.zeros(300))
    other = estimate_noise(curve_from(scale * flux), EVERY[:300], np.zeros(300))
    assert other.sigma == pytest.approx(scale * one.sigma, rel=1e-6)
    np.testing.assert_allclose(other.ar, one.ar, atol=1e-6)


def test_likelihood_is_the_gaussian_one() -> None:
    rng, n = np.random.default_rng(5), 60
    noise = NoiseModel(0.2, (0.6, 0.2), 0.5, 1.0)
    sigma, usable, residual = rng.uniform(0.1, 0.3, n), rng.random(n) > 0.2, rng.standard_normal(n)
    # covariance by a very long simulation's exact recursion: Yule-Walker of order two
    rho = [1.0, 0.6 / 0.8]
    for _ in range(n - 2):
        rho.append(0.6 * rho[-1] + 0.2 * rho[-2])
    at = np.arange(n)
    matrix = (np.array(rho)[np.abs(at[:, None] - at)] * sigma * sigma[:, None])[np.ix_(usable, usable)]
    white, log_det = whiten(noise, residual, sigma, usable)
    r = residual[usable]
    assert white @ white == pytest.approx(r @ np.linalg.solve(matrix, r), rel=1e-9)
    assert log_det == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-9)
    expected = -0.5 * (white @ white + log_det + r.size * np.log(2 * np.pi))
    assert Whitener.of(noise, sigma, usable).log_likelihood(residual) == pytest.approx(expected)


def test_simulated_curves_have_their_noise() -> None:
    rng = np.random.default_rng(6)
    noise = NoiseModel(0.1, (0.5,), 0.75**0.5, 1.0, bad_share=0.05, bad_ratio=9.0)
    usable = rng.random(2000) > 0.1
    course = simulate(noise, np.full(2000, 0.1), usable, rng)
    assert np.isnan(course[~usable]).all()
    found = estimate_noise(curve_from(1.0 + course, usable=usable), EVERY, np.ones(2000))
    assert found.sigma == pytest.approx(0.1, rel=0.08)
    assert found.bad_share == pytest.approx(0.05, abs=0.02)
    assert found.ar[0] == pytest.approx(0.5, abs=0.1)
