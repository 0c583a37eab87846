"""Background, noise and stars of an image in every home, against the same truths as on the CPU."""

import numpy as np
import pytest
from astropy.stats import SigmaClip, sigma_clipped_stats
from photutils.background import Background2D, MeanBackground
from photutils.detection import DAOStarFinder

from gpu_kernels.detect import background, clipped_sigma, find_stars, star_widths
from gpu_kernels.photometry import clip_correction
from reduction.synthetic.psf import FWHM_PER_SIGMA, star_image
from tests.gpu_kernels.homes import Home, in_homes
from tests.gpu_kernels.test_detect import SCENE, matched


@in_homes(background)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("shape", [(120, 170), (40, 33), (5, 5)])
def test_follows_the_sky_under_the_stars(home: Home, dtype: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    y, x = np.indices(shape)
    image = 100.0 + 0.8 * x - 0.1 * y + rng.normal(0, 6, shape)
    for px, py in rng.uniform(0, 120, (8, 2)):
        image += 3000 * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / 1.5**2)
    image = np.clip(image, 0, 65_535).astype(dtype)
    if dtype == "float32":
        image[:3] = np.nan
    smooth, noise = home.run(background, image)
    expected, sigma = background(image)
    assert smooth.dtype == np.float32
    np.testing.assert_allclose(smooth, expected, rtol=1e-5, atol=1e-3)
    assert noise == pytest.approx(sigma, rel=1e-4)


@in_homes(background, find_stars)
def test_without_a_finite_pixel(home: Home) -> None:
    smooth, noise = home.run(background, np.full((64, 64), np.nan))
    assert np.isnan(noise)
    assert (smooth == 0.0).all()
    assert len(find_stars(home.put(np.full((64, 64), np.nan, np.float32)), 5.0, 10)) == 0


@in_homes(clipped_sigma)
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_noise_of_a_gaussian_core(home: Home, dtype: str) -> None:
    values = np.random.default_rng(1).normal(40, 3, 6_000)
    values[:60] = 250.0
    values = values.astype(dtype)
    if dtype != "uint8":
        values[60:90] = np.nan
    assert home.run(clipped_sigma, values) == pytest.approx(clipped_sigma(values), rel=1e-6)
    assert home.run(clipped_sigma, values) == pytest.approx(3.0, rel=0.04)
    assert home.run(clipped_sigma, np.full(10, 4.0)) == 0.0
    assert np.isnan(home.run(clipped_sigma, np.full(4, np.nan)))


@in_homes(find_stars)
@pytest.mark.parametrize("width", [None, 3.2 / FWHM_PER_SIGMA])
def test_finds_the_truth_and_what_photutils_finds(home: Home, width: float | None) -> None:
    image, truth = SCENE.frame(0), SCENE.truth(0)
    stars = find_stars(home.put(image), 5.0, 40, width)
    expected = find_stars(image, 5.0, 40, width)
    np.testing.assert_allclose(stars.x, expected.x, atol=1e-3)
    np.testing.assert_allclose(stars.y, expected.y, atol=1e-3)
    np.testing.assert_allclose(stars.flux, expected.flux, rtol=1e-3)
    assert stars.sigma == pytest.approx(expected.sigma, rel=1e-3)
    which = matched(stars.x, stars.y, truth.x, truth.y)
    assert sorted(which[which >= 0].tolist()) == list(range(20))
    peer = DAOStarFinder(threshold=5.0 * 13.0 / 2.0, fwhm=3.2)(image.astype(np.float64) - 250.0)
    assert peer is not None
    found = matched(np.asarray(peer["x_centroid"]), np.asarray(peer["y_centroid"]), truth.x, truth.y)
    assert set(found[found >= 0].tolist()) <= set(which.tolist())


@in_homes(find_stars)
def test_hot_pixels_are_no_stars_and_masked_ones_are_not_seen(home: Home) -> None:
    image = SCENE.frame(0).astype(np.float32)
    for y, x in ((20, 30), (180, 250), (140, 60)):
        image[y, x] += 30_000
    mask = np.zeros(image.shape, np.bool_)
    mask[:, :90] = True
    stars, expected = find_stars(home.put(image), 5.0, 40, mask=mask), find_stars(image, 5.0, 40, mask=mask)
    assert len(stars) == len(expected)
    np.testing.assert_allclose(stars.x, expected.x, atol=1e-3)
    truth = SCENE.truth(0)
    which = matched(stars.x, stars.y, truth.x, truth.y)
    assert (which >= 0).sum() >= len(stars) - 1
    assert stars.x.min() > 88.0


@in_homes(star_widths)
def test_widths_of_stars(home: Home) -> None:
    sigma = np.array([1.0, 1.4, 2.0, 2.6])
    boxes = np.stack([50.0 + 5e4 * star_image(12.3, 11.8, s * FWHM_PER_SIGMA, (25, 25)) for s in sigma])
    boxes = np.concatenate([boxes, np.full((1, 25, 25), 50.0), boxes[:1, ::-1] * 0.0])
    sky = np.full(6, 50.0)
    found = home.run(star_widths, boxes, sky)
    np.testing.assert_allclose(found[:4], sigma, rtol=0.02)
    np.testing.assert_allclose(found, star_widths(boxes, sky), rtol=1e-6)
    assert np.isnan(found[4:]).all()


@in_homes(background)
def test_as_photutils_meshes_it(home: Home) -> None:
    rng = np.random.default_rng(5)
    y, x = np.indices((160, 192))
    sky = 200.0 + 0.3 * x + 0.002 * (y - 80.0) ** 2
    image = sky + rng.normal(0, 8, sky.shape)
    for px, py in rng.uniform(15, 150, (12, 2)):
        image += 4000 * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / 1.5**2)
    clip = SigmaClip(sigma=3.0)
    peer = Background2D(image, (32, 32), filter_size=3, sigma_clip=clip, bkg_estimator=MeanBackground())
    smooth, noise = home.run(background, image)
    inner = (slice(48, 112), slice(48, 144))  # at the edges theirs goes flat
    assert np.abs(smooth - peer.background)[inner].max() < 4.0
    assert (smooth - sky)[inner].std() <= 1.1 * (peer.background - sky)[inner].std()
    assert noise == pytest.approx(float(peer.background_rms_median), rel=0.05)


@in_homes(clipped_sigma)
def test_as_astropy_clips_it(home: Home) -> None:
    values = np.random.default_rng(6).normal(40, 3, 20_000)
    values[:300] += 60.0
    _, _, theirs = sigma_clipped_stats(values, sigma=3.0, maxiters=None)
    assert home.run(clipped_sigma, values) == pytest.approx(theirs * clip_correction(3.0), rel=0.01)
