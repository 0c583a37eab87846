"""Noise of a recording from the recording."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.photometry import aperture_sums
from reduction.noise import (
    Aperture,
    Noise,
    aperture_of,
    gain_from_pairs,
    least_nuisance,
    pair_variance,
    settle,
)
from reduction.synthetic import star_image
from reduction.synthetic.psf import FWHM_PER_SIGMA

Floats = NDArray[np.float64]


def fluxes(
    gain: float, electrons: Floats, sky_e2: float, frames: int, seed: int, cloud: float = 0.0
) -> tuple[Floats, Floats, Floats]:
    """ADU of stars on neighbouring frames, and the variance that is not photons'."""
    rng = np.random.default_rng(seed)
    steps = cloud * rng.standard_normal(frames)
    light = np.exp(np.cumsum(steps) - np.maximum.accumulate(np.cumsum(steps)))[:, None]
    seen = rng.poisson(light * electrons[None, :]) + rng.normal(0, np.sqrt(sky_e2), (frames, electrons.size))
    adu = seen / gain
    return adu[:-1], adu[1:], np.full(electrons.size, sky_e2 / gain**2)


STARS = np.array([40_000.0, 25_000.0, 12_000.0, 6_000.0])


class TestGain:
    @pytest.mark.parametrize("cloud", [0.0, 0.02, 0.05])
    @pytest.mark.parametrize("gain", [0.3, 2.5])
    def test_within_its_stated_error(self, gain: float, cloud: float) -> None:
        pulls = []
        for seed in range(12):
            first, second, fixed = fluxes(gain, STARS, 900.0, 400, seed, cloud)
            value, error = gain_from_pairs(first, second, fixed, np.ones(4, bool))
            assert value == pytest.approx(1 / gain, rel=0.2)
            assert 0 < error < 0.1 / gain
            pulls.append((value - 1 / gain) / error)
        # the stars share each other's noise, so their mean is less sure than stars on their own
        assert abs(np.mean(pulls)) < 1.0
        assert 0.3 < np.sqrt(np.mean(np.square(pulls))) < 2.0

    def test_one_star_under_a_clear_sky(self) -> None:
        first, second, fixed = fluxes(2.0, STARS[:1], 900.0, 400, 3)
        value, error = gain_from_pairs(first, second, fixed, np.ones(1, bool))
        assert value == pytest.approx(0.5, abs=4 * error)
        assert error < 0.1

    def test_faint_stars_know_little_and_say_so(self) -> None:
        first, second, fixed = fluxes(2.0, np.array([200.0, 150.0]), 4000.0, 100, 3)
        value, error = gain_from_pairs(first, second, fixed, np.ones(2, bool))
        assert error > 0.3
        assert abs(value - 0.5) < 4 * error

    def test_frames_with_missing_stars_are_left_out(self) -> None:
        first, second, fixed = fluxes(2.0, STARS, 900.0, 400, 5)
        first[::5, 0] = np.nan
        second[3::7, 2] = np.nan
        value, error = gain_from_pairs(first, second, fixed, np.ones(4, bool))
        assert value == pytest.approx(0.5, abs=5 * error)

    def test_stars_that_do_not_fit_are_left_out(self) -> None:
        first, second, fixed = fluxes(2.0, STARS, 900.0, 400, 5)
        fit = np.array([True, True, True, False])
        clean = gain_from_pairs(first, second, fixed, fit)
        first[:, 3] = 1e9
        second[:, 3] = -5.0
        assert gain_from_pairs(first, second, fixed, fit) == clean

    def test_an_occultation_does_not_look_like_noise(self) -> None:
        first, second, fixed = fluxes(2.0, STARS, 900.0, 400, 6)
        first[151:250, 0] *= 0.05
        second[150:249, 0] *= 0.05
        value, error = gain_from_pairs(first, second, fixed, np.ones(4, bool))
        assert value == pytest.approx(0.5, abs=max(5 * error, 0.06))

    def test_too_little_to_tell(self) -> None:
        first, second, fixed = fluxes(2.0, STARS, 900.0, 8, 5)
        assert np.isnan(gain_from_pairs(first, second, fixed, np.ones(4, bool))).all()
        assert np.isnan(gain_from_pairs(first, second, fixed, np.zeros(4, bool))).all()


class TestPairs:
    def test_what_is_fixed_drops_out(self) -> None:
        rng = np.random.default_rng(1)
        pattern = rng.normal(0, 50, (60, 80))
        frames = [pattern + level + rng.normal(0, 3.0, (60, 80)) for level in (0, 2, 5, 4, 9, 1)]
        pairs = [(b - a).astype(np.float32) for a, b in pairwise(frames)]
        assert pair_variance(pairs) == pytest.approx(9.0, rel=0.06)

    def test_none(self) -> None:
        assert np.isnan(pair_variance([]))


class TestModel:
    def test_variance_of_a_flux_by_hand(self) -> None:
        noise = Noise(25.0, 100.0, 0.5, 0.0, "option", None, "unknown", 0.1)
        stars = noise.at(np.array([25.0, 16.0]), np.array([100.0, 90.0]))
        circle = Aperture(3.0, 30.0, 26.0, 0.9)
        flux, sky, count = np.array([1000.0, -50.0]), np.array([100.0, 120.0]), np.array([300.0, 450.0])
        expected = [
            1000.0 * 0.5 * 0.9 + (26.0 + 30.0**2 / 300.0) * 25.0,
            (26.0 + 30.0**2 / 450.0) * (16.0 + 0.5 * 30.0),
        ]
        assert stars.flux_variance(flux, sky, count, circle) == pytest.approx(expected)
        assert (stars.pixel_variance(np.full(2, -1e9)) == 0.1).all()

    @pytest.mark.parametrize("radius", [1.0, 2.5, 4.7, 12.0])
    def test_apertures_as_noise_sees_them(self, radius: float) -> None:
        """The variance of sums over circles, on frames of noise and of photons."""
        rng = np.random.default_rng(3)
        frames = rng.normal(0, 1, (3000, 31, 31))
        places = 15 + rng.uniform(-0.5, 0.5, (2, 3000))
        sums, areas = aperture_sums(frames, places[0][:, None], places[1][:, None], [radius])
        circle = aperture_of(radius, 1.4)
        assert areas.mean() == pytest.approx(circle.area, rel=1e-6)
        assert sums.var() == pytest.approx(circle.squares, rel=0.1)
        fwhm = 1.4 * 2.0 * np.sqrt(2.0 * np.log(2.0))
        stars = np.stack([star_image(x, y, fwhm, (31, 31)) for x, y in places.T])
        light, _ = aperture_sums(5000.0 * stars, places[0][:, None], places[1][:, None], [radius])
        seen, _ = aperture_sums(
            rng.poisson(5000.0 * stars).astype(np.float64), places[0][:, None], places[1][:, None], [radius]
        )
        photons = (seen - light).var() / light.mean()
        assert photons == pytest.approx(circle.light, rel=0.12)

    @pytest.mark.parametrize(("beta", "doubt"), [(None, 0.07), (2.5, 0.3)])
    def test_a_circle_holds_more_or_less_with_the_place(self, beta: float | None, doubt: float) -> None:
        """Undersampled light in exact circles, at random places; the Gaussian that fits knows it of wings."""
        radii = np.array([1.1, 1.5, 1.9, 2.3, 2.7])
        places = 15 + np.random.default_rng(5).uniform(-0.5, 0.5, (2, 3000))
        fwhm = 1.6
        stars = np.stack([star_image(x, y, fwhm, (31, 31), beta) for x, y in places.T])
        light, _ = aperture_sums(stars, places[0][:, None], places[1][:, None], radii)
        seen = light[:, 0].std(axis=0) / light[:, 0].mean(axis=0)
        sigma = fwhm * (1.0 if beta is None else 1.17) / FWHM_PER_SIGMA
        found = np.array([aperture_of(r, sigma).phase for r in radii])
        if beta is None:
            np.testing.assert_allclose(found, seen, rtol=doubt, atol=1e-4)
        assert np.sqrt((found**2).sum()) == pytest.approx(np.sqrt((seen**2).sum()), rel=doubt)
        assert aperture_of(1.5, sigma).where_stars_move(0.25).phase == pytest.approx(0.5 * found[1])

    def test_what_the_place_does_is_part_of_the_sigma(self) -> None:
        stars = Noise(25.0, 100.0, 0.5, 0.0, "option", None, "unknown", 0.1).at(
            np.array([25.0]), np.array([100.0])
        )
        flux, sky, count = np.array([1e5]), np.array([100.0]), np.array([300.0])
        still, moving = Aperture(3.0, 30.0, 26.0, 0.9), Aperture(3.0, 30.0, 26.0, 0.9, 0.01)
        more = stars.flux_variance(flux, sky, count, moving) - stars.flux_variance(flux, sky, count, still)
        assert more == pytest.approx(1e6)

    def test_photons_are_sought_where_they_stand_out(self) -> None:
        """In small circles where stars are faint; in larger ones where a rim would tell of places."""
        three = np.full(3, 1.0)
        for sigma, flux, least in ((0.6, 3e4, 2.0), (1.5, 3e4, 2.0), (1.5, 500.0, 2.0)):
            circles = [aperture_of(r, sigma) for r in (1.0, 2.0, 3.0, 4.0)]
            best, rest = least_nuisance(circles, 1, 300.0 * three, 400.0 * three, flux * three, three > 0)
            circle = circles[best]
            assert circle.radius >= least
            by_hand = 300.0 * (circle.squares + circle.area**2 / 400.0) + (circle.phase * flux) ** 2
            assert rest == pytest.approx(np.full(3, by_hand))
            assert circle.phase * flux < np.sqrt(flux)
        assert best == 1

    def settled(
        self,
        variance: float = 25.0,
        level: float = 100.0,
        kind: str = "u",
        gain: float | None = None,
        read: float | None = None,
        measured: tuple[float, float] = (float("nan"), float("nan")),
    ) -> Noise:
        source = "option" if gain is not None else "unknown"
        return settle(
            variance,
            level,
            1.0 / 12.0 if kind in "iu" else 1e-12,
            gain,
            source,
            read,
            "header" if read is not None else "unknown",
            measured,
        )

    def test_what_is_stated_wins(self) -> None:
        noise = self.settled(gain=4.0, read=3.0, measured=(0.7, 0.1))
        assert (noise.inv_gain, noise.inv_gain_sigma, noise.gain_source) == (0.25, 0.0, "option")
        assert (noise.read_noise_e, noise.read_noise_source) == (3.0, "header")
        assert noise.variance == 25.0

    def test_else_what_was_measured(self) -> None:
        noise = self.settled(measured=(0.2, 0.01))
        assert (noise.inv_gain, noise.inv_gain_sigma, noise.gain_source) == (0.2, 0.01, "recording")
        # 25 - 1/12 - 100 x 0.2 is read noise, in ADU
        assert noise.read_noise_e == pytest.approx(np.sqrt(25 - 1 / 12 - 20.0) / 0.2)
        assert noise.read_noise_source == "recording"

    def test_a_negative_measurement_is_no_gain(self) -> None:
        noise = self.settled(measured=(-0.05, 0.1))
        assert noise.inv_gain == 0.0
        assert noise.inv_gain_sigma == 0.1

    def test_a_level_with_offset_leaves_the_read_noise_unknown(self) -> None:
        noise = self.settled(variance=25.0, level=500.0, gain=2.0)
        assert noise.read_noise_e is None

    @pytest.mark.parametrize("kind", ["u", "i"])
    def test_rounding_is_the_least_noise(self, kind: str) -> None:
        assert self.settled(variance=0.0, kind=kind).variance == pytest.approx(1 / 12)
        assert self.settled(variance=float("nan"), kind=kind).variance == pytest.approx(1 / 12)
        assert 0 < self.settled(variance=0.0, kind="f").variance < 1e-6

    def test_nothing_known(self) -> None:
        noise = self.settled(level=0.0)
        assert (noise.inv_gain, noise.gain_source) == (0.0, "unknown")
        assert noise.inv_gain_sigma == np.inf
        one = np.ones(1)
        circle = aperture_of(3.0, 1.4)
        assert np.isfinite(noise.at(one, one).flux_variance(one, one, one, circle)).all()
