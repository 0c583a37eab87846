"""Detection against photutils and against known truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from photutils.detection import DAOStarFinder

from gpu_kernels.detect import background, clipped_sigma, find_stars
from reduction.synthetic import Scene, SceneStar, star_field
from reduction.synthetic.psf import FWHM_PER_SIGMA

Floats = NDArray[np.float64]


def matched(x: Floats, y: Floats, u: Floats, v: Floats, within: float = 0.5) -> NDArray[np.intp]:
    """Which of (u, v) each of (x, y) is; -1 where none lies near."""
    distance = np.hypot(x[:, None] - u[None, :], y[:, None] - v[None, :])
    nearest = distance.argmin(axis=1)
    return np.where(distance.min(axis=1) < within, nearest, -1)


SCENE = Scene(
    frames=2,
    height=240,
    width=320,
    seed=4,
    stars=star_field(20, 240, 320, seed=4, flux_e=(1500.0, 60_000.0), margin_px=16.0, separation_px=20.0),
    fwhm_px=3.2,
    sky_e=150.0,
    read_noise_e=3.0,
)


class TestStars:
    def test_finds_what_photutils_finds_and_the_truth(self) -> None:
        image = SCENE.frame(0)
        truth = SCENE.truth(0)
        stars = find_stars(image, 5.0, 40)
        which = matched(stars.x, stars.y, truth.x, truth.y)
        assert sorted(which[which >= 0].tolist()) == list(range(20))
        assert (which < 0).sum() <= 1
        flat = image.astype(np.float64) - 250.0
        peer = DAOStarFinder(threshold=5.0 * 13.0 / 2.0, fwhm=3.2)(flat)
        assert peer is not None
        px, py = (np.asarray(peer[name], np.float64) for name in ("x_centroid", "y_centroid"))
        peers = matched(px, py, truth.x, truth.y)
        assert set(peers[peers >= 0].tolist()) <= set(which.tolist())
        own = np.hypot(stars.x - truth.x[which], stars.y - truth.y[which])[which >= 0]
        theirs = np.hypot(px - truth.x[peers], py - truth.y[peers])[peers >= 0]
        assert np.sqrt((own**2).mean()) <= np.sqrt((theirs**2).mean())

    def test_brightest_first_with_honest_flux_and_width(self) -> None:
        truth = SCENE.truth(0)
        stars = find_stars(SCENE.frame(0), 5.0, 40)
        assert (np.diff(stars.flux) <= 0).all()
        which = matched(stars.x, stars.y, truth.x, truth.y)
        bright = (which >= 0) & (stars.flux > 5000.0)
        np.testing.assert_allclose(stars.flux[bright], truth.flux_e[which[bright]], rtol=0.06)
        assert stars.sigma * FWHM_PER_SIGMA == pytest.approx(3.2, rel=0.04)
        assert stars.noise == pytest.approx(np.sqrt(159.1), rel=0.03)
        assert not stars.saturated.any()

    def test_no_more_than_the_limit_and_the_brightest_of_them(self) -> None:
        every, few = find_stars(SCENE.frame(0), 5.0, 40), find_stars(SCENE.frame(0), 5.0, 6)
        assert len(few) == 6
        np.testing.assert_array_equal(few.flux, every.flux[:6])

    @pytest.mark.parametrize("fwhm", [2.0, 3.0, 4.5, 6.0])
    def test_width_of_the_stars(self, fwhm: float) -> None:
        scene = Scene(
            frames=1,
            height=240,
            width=320,
            seed=6,
            fwhm_px=fwhm,
            stars=star_field(12, 240, 320, seed=6, flux_e=(2e4, 2e5), separation_px=40.0),
        )
        stars = find_stars(scene.frame(0), 5.0, 24)
        assert stars.sigma * FWHM_PER_SIGMA == pytest.approx(fwhm, rel=0.05)

    def test_pure_noise_has_hardly_any_star(self) -> None:
        rng = np.random.default_rng(3)
        found = sum(len(find_stars(rng.normal(100, 5, (240, 320)), 5.0, 24)) for _ in range(8))
        assert found <= 2

    @pytest.mark.parametrize("value", [0.0, 37.0, np.nan])
    def test_a_constant_image_has_none(self, value: float) -> None:
        stars = find_stars(np.full((64, 64), value, np.float32), 5.0, 10)
        assert len(stars) == 0

    def test_hot_pixels_and_cosmic_rays_are_no_stars(self) -> None:
        rng = np.random.default_rng(4)
        image = rng.normal(100, 4, (160, 200)).astype(np.float32)
        for y, x in ((20, 30), (80, 150), (140, 60)):
            image[y, x] += 3000
        assert len(find_stars(image, 5.0, 24, 1.3)) == 0
        assert len(find_stars(image, 5.0, 24)) == 0

    def test_a_saturated_star_is_found_and_said_to_be(self) -> None:
        scene = Scene(
            frames=1,
            height=160,
            width=200,
            seed=5,
            full_well_e=20_000.0,
            stars=(SceneStar(60.3, 70.2, 9e5), SceneStar(140.6, 90.1, 3e4)),
        )
        stars = find_stars(scene.frame(0), 5.0, 10, None, scene.saturation_adu)
        assert len(stars) >= 2
        which = matched(stars.x, stars.y, np.array([60.3, 140.6]), np.array([70.2, 90.1]), 1.0)
        assert set(which[which >= 0].tolist()) == {0, 1}
        assert stars.saturated[np.flatnonzero(which == 0)[0]]
        assert not stars.saturated[np.flatnonzero(which == 1)[0]]

    def test_missing_pixels_are_passed_over(self) -> None:
        image = SCENE.frame(0).astype(np.float32)
        image[:, 100:110] = np.nan
        image[0:20] = np.nan
        truth = SCENE.truth(0)
        stars = find_stars(image, 5.0, 40)
        which = matched(stars.x, stars.y, truth.x, truth.y)
        clear = (np.abs(truth.x - 104.5) > 15) & (truth.y > 30)
        assert set(np.flatnonzero(clear).tolist()) <= set(which.tolist())
        assert np.isfinite(stars.flux).all()

    def test_a_gradient_is_no_star(self) -> None:
        y, x = np.mgrid[:240, :320]
        image = SCENE.frame(0) + 2.0 * x + 0.01 * (y - 120.0) ** 2
        truth = SCENE.truth(0)
        stars = find_stars(image, 5.0, 40)
        which = matched(stars.x, stars.y, truth.x, truth.y)
        assert len(set(which[which >= 0].tolist())) >= 19
        assert (which < 0).sum() <= 2

    def test_two_close_stars_are_not_counted_thrice(self) -> None:
        scene = Scene(
            frames=1,
            height=120,
            width=160,
            seed=7,
            stars=(SceneStar(60.0, 60.0, 4e4), SceneStar(68.0, 60.0, 3e4)),
        )
        stars = find_stars(scene.frame(0), 5.0, 10, 3.0 / FWHM_PER_SIGMA)
        assert len(stars) == 2


class TestBackground:
    @pytest.mark.parametrize("kind", ["flat", "slope", "bowl"])
    def test_follows_the_sky_under_the_stars(self, kind: str) -> None:
        y, x = np.mgrid[:240, :320]
        sky = np.full((240, 320), 100.0)
        if kind == "slope":
            sky += 0.8 * x - 0.3 * y
        if kind == "bowl":
            sky += 0.001 * ((x - 160.0) ** 2 + (y - 120.0) ** 2)
        rng = np.random.default_rng(2)
        image = sky + rng.normal(0, 6, sky.shape)
        for px, py in rng.uniform(15, 225, (20, 2)):
            image += 3000 * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / 1.5**2)
        smooth, noise = background(image)
        assert smooth.dtype == np.float32
        assert noise == pytest.approx(6.0, rel=0.08)
        inner = (slice(24, 216), slice(24, 296))
        assert np.abs(smooth - sky)[inner].max() < 4.0
        assert abs(float((smooth - sky)[inner].mean())) < 0.5 + 0.02 * float(np.ptp(sky))

    @pytest.mark.parametrize("shape", [(20, 20), (33, 70), (31, 400), (5, 5)])
    def test_small_and_odd_shapes(self, shape: tuple[int, int]) -> None:
        image = np.random.default_rng(1).normal(50, 2, shape)
        smooth, noise = background(image)
        assert smooth.shape == shape
        np.testing.assert_allclose(smooth, 50.0, atol=2.0)
        assert noise == pytest.approx(2.0, rel=0.5)

    def test_without_a_finite_pixel(self) -> None:
        smooth, noise = background(np.full((64, 64), np.nan))
        assert np.isnan(noise)
        assert smooth.shape == (64, 64)


class TestClippedSigma:
    @given(seed=st.integers(0, 999), scale=st.floats(0.01, 1e4), clip=st.sampled_from([2.5, 3.0, 4.0]))
    @settings(max_examples=25, deadline=None)
    def test_unbiased_on_normal_noise(self, seed: int, scale: float, clip: float) -> None:
        values = np.random.default_rng(seed).normal(3.0 * scale, scale, 20_000)
        assert clipped_sigma(values, clip) == pytest.approx(scale, rel=0.03)

    def test_mean_over_many_draws(self) -> None:
        rng = np.random.default_rng(0)
        found = [clipped_sigma(rng.normal(0, 1, 4000)) for _ in range(300)]
        assert np.mean(found) == pytest.approx(1.0, abs=0.004)

    def test_outliers_count_for_little(self) -> None:
        values = np.random.default_rng(1).normal(0, 1, 20_000)
        values[:200] = 1e4
        values[200:230] = np.nan
        assert clipped_sigma(values) == pytest.approx(1.0, rel=0.04)

    @pytest.mark.parametrize("sigma", [0.35, 0.6, 1.0, 2.0])
    def test_whole_numbers(self, sigma: float) -> None:
        """Rounding adds 1/12 of a level squared, and nothing else."""
        draws = np.rint(np.random.default_rng(2).normal(20.3, sigma, 100_000)).astype(np.uint8)
        assert clipped_sigma(draws) == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.06)

    def test_nothing_and_one(self) -> None:
        assert np.isnan(clipped_sigma(np.array([np.nan, np.inf])))
        assert clipped_sigma(np.array([4.0])) == 0.0
        assert clipped_sigma(np.full(10, 4.0)) == 0.0
