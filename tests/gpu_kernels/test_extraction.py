"""Optimal extraction, fits of close stars, masks and cut-outs against obvious twins and photutils."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.extraction import (
    Profile,
    dynamic_mask_sums,
    fit_groups,
    frame_widths,
    gaussian,
    optimal_sums,
    static_mask_sums,
)
from gpu_kernels.stacking import cutouts
from reduction.synthetic.psf import FWHM_PER_SIGMA, star_image

Floats = NDArray[np.float64]

SHAPE = (40, 48)
TWO = Profile(np.array([[0.7, 1.1, 1.3], [0.3, 2.0, 1.7]]))


def places(count: int, stars: int, seed: int = 5) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.uniform(9.0, 38.0, (count, stars)), rng.uniform(9.0, 30.0, (count, stars))


def noise(count: int, dtype: str = "uint16", seed: int = 7) -> NDArray[Any]:
    return np.random.default_rng(seed).poisson(80.0, (count, *SHAPE)).astype(dtype)


def obvious_profile(profile: Profile, x: float, y: float) -> Floats:
    """By the scene's own exactly integrated Gaussians."""
    total = np.zeros(SHAPE)
    for share, sx, sy in profile.terms:
        across = star_image(x, 0.0, sx * FWHM_PER_SIGMA, (1, SHAPE[1]))
        down = star_image(0.0, y, sy * FWHM_PER_SIGMA, (SHAPE[0], 1))
        total += share * np.outer(down[:, 0] / down[:, 0].sum(), across[0] / across[0].sum())
    return total


def obvious_sums(
    frame: NDArray[Any], x: float, y: float, sky: float, profile: Profile, radius: float, softening: float
) -> tuple[float, float, float, float, float]:
    """Flux, area, squares, light and share over the whole frame at once."""
    light = obvious_profile(profile, x, y)
    rows, columns = np.indices(SHAPE)
    rim = np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0.0, 1.0)
    weight = rim * light / (1.0 + softening * light)
    total = (weight * light).sum()
    good = np.isfinite(frame)
    weight = np.where(good, weight, 0.0)
    seen = (weight * light).sum()
    flux = (weight * np.where(good, frame - sky, 0.0)).sum() / seen
    squares = (weight**2).sum() / seen**2
    return flux, weight.sum() / seen, squares, (weight**2 * light).sum() / seen**2, seen / total


@pytest.mark.parametrize("profile", [gaussian(1.2), TWO], ids=["gaussian", "two"])
@pytest.mark.parametrize("softening", [0.0, 30.0])
def test_weighted_sums_are_those_of_the_twin(profile: Profile, softening: float) -> None:
    frames = noise(3).astype(np.float64)
    x, y = places(3, 4)
    frames[1, round(y[1, 0]) + 1, round(x[1, 0])] = np.nan
    sky = np.full(x.shape, 79.5)
    got = optimal_sums(frames, x, y, sky, profile, 4.3, softening)
    for f, s in np.ndindex(x.shape):
        flux, area, squares, light, share = obvious_sums(
            frames[f], float(x[f, s]), float(y[f, s]), 79.5, profile, 4.3, softening
        )
        assert got.flux[f, s] == pytest.approx(flux, rel=1e-4, abs=2e-3)
        assert got.area[f, s] == pytest.approx(area, rel=1e-4)
        assert got.squares[f, s] == pytest.approx(squares, rel=1e-4)
        assert got.light[f, s] == pytest.approx(light, rel=1e-4)
        assert got.share[f, s] == pytest.approx(share, rel=1e-4)
    assert got.share[1, 0] < 0.99 < got.share[0, 0]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pixel_types_give_equal_sums(dtype: str) -> None:
    x, y = places(2, 3)
    sky = np.full(x.shape, 80.0)
    first = optimal_sums(noise(2, dtype), x, y, sky, TWO, 4.0)
    np.testing.assert_array_equal(first.flux, optimal_sums(noise(2, "float64"), x, y, sky, TWO, 4.0).flux)


def test_results_do_not_depend_on_blocks() -> None:
    frames, (x, y) = noise(6), places(6, 5)
    sky = np.full(x.shape, 80.0)
    scales = np.linspace(0.8, 2.0, 6)
    whole = optimal_sums(frames, x, y, sky, TWO, 4.0, 2.0, scales)
    for f in range(6):
        at = slice(f, f + 1)
        one = optimal_sums(frames[at], x[at], y[at], sky[at], TWO, 4.0, 2.0, scales[at])
        np.testing.assert_array_equal(one.flux[0], whole.flux[f])


def test_fluxes_are_unbiased_at_any_place_and_brightness() -> None:
    x, y = places(40, 1)
    for flux in (1.0, 1e6):
        frames = np.array(
            [
                50.0 + flux * star_image(float(a[0]), float(b[0]), 2.2, SHAPE)
                for a, b in zip(x, y, strict=True)
            ]
        )
        profile = gaussian(2.2 / FWHM_PER_SIGMA)
        got = optimal_sums(frames, x, y, np.full(x.shape, 50.0), profile, 4.0, 10.0)
        np.testing.assert_allclose(got.flux, flux, rtol=2e-5)


def test_a_wrong_profile_changes_bright_and_faint_by_one_factor() -> None:
    x, y = np.array([[12.3]]), np.array([[20.6]])
    light = star_image(12.3, 20.6, 3.0, SHAPE, beta=2.5)
    got = [
        optimal_sums(flux * light[None], x, y, np.zeros((1, 1)), gaussian(1.1), 3.5, 5.0).flux[0, 0] / flux
        for flux in (10.0, 1e5)
    ]
    assert got[0] == pytest.approx(got[1], rel=1e-9)
    assert abs(got[0] - 1.0) > 0.02


def test_noise_is_what_is_predicted_and_near_the_bound() -> None:
    rng = np.random.default_rng(3)
    n, sigma, level = 4_000, 1.5, 4.0
    frames = rng.normal(0.0, level, (n, 21, 21))
    x, y = rng.uniform(9.5, 10.5, (n, 1)), rng.uniform(9.5, 10.5, (n, 1))
    got = optimal_sums(frames, x, y, np.zeros((n, 1)), gaussian(sigma), 4.5 * sigma)
    predicted = level * np.sqrt(got.squares.mean())
    assert got.flux.std() == pytest.approx(predicted, rel=0.04)
    fwhm = sigma * FWHM_PER_SIGMA
    images = [
        star_image(float(a), float(b), fwhm, (21, 21)) for a, b in zip(x[:50, 0], y[:50, 0], strict=True)
    ]
    bound = level / np.sqrt(np.mean([(image**2).sum() for image in images]))
    assert predicted == pytest.approx(bound, rel=0.005)


def test_a_star_at_the_edge_or_lost_says_so() -> None:
    frames = noise(1)
    x, y = np.array([[0.2, 30.0, np.nan, -50.0]]), np.array([[20.0, 20.0, 20.0, 20.0]])
    got = optimal_sums(frames, x, y, np.full(x.shape, 80.0), gaussian(1.3), 4.0)
    assert 0.4 < got.share[0, 0] < 0.8
    assert got.share[0, 1] == 1.0
    assert np.isnan(got.flux[0, 2])
    assert got.share[0, 3] == 0.0


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.9])
def test_widths_of_frames_are_found(factor: float) -> None:
    rng = np.random.default_rng(8)
    n, sigma, shape = 40, 1.3, (60, 60)
    x, y = rng.uniform(18.0, 42.0, (n, 3)), np.array([[12.0, 30.0, 48.0]]) + rng.uniform(-0.5, 0.5, (n, 3))
    frames = rng.normal(100.0, 5.0, (n, *shape))
    for f, s in np.ndindex(x.shape):
        frames[f] += 4_000.0 * star_image(
            float(x[f, s]), float(y[f, s]), factor * sigma * FWHM_PER_SIGMA, shape
        )
    found, error = frame_widths(frames, x, y, np.full(x.shape, 100.0), gaussian(sigma), 4.0, 25.0)
    assert np.log(found).mean() == pytest.approx(np.log(factor), abs=4.0 * error.mean() / np.sqrt(n) + 2e-3)
    assert np.log(found).std() == pytest.approx(error.mean(), rel=0.4)


def test_a_frame_without_stars_keeps_the_expected_width() -> None:
    frames = np.random.default_rng(9).normal(100.0, 5.0, (4, *SHAPE))
    x, y = places(4, 2)
    found, _ = frame_widths(frames, x, y, np.full(x.shape, 100.0), gaussian(1.3), 4.0, 25.0, spread=0.1)
    assert np.abs(np.log(found)).max() < 0.15


def test_close_stars_are_separated_without_bias_and_with_honest_errors() -> None:
    rng = np.random.default_rng(11)
    n, fwhm, shape = 400, 3.0, (31, 31)
    x = 14.0 + rng.uniform(-0.5, 0.5, (n, 1)) + np.array([[0.0, 1.5 * fwhm]])
    y = 15.0 + rng.uniform(-0.5, 0.5, (n, 1)) + np.array([[0.0, 0.3]])
    frames = np.empty((n, *shape))
    for f in range(n):
        light = 60.0 * np.ones(shape)
        for s, flux in enumerate((600.0, 1_500.0)):
            light += flux * star_image(float(x[f, s]), float(y[f, s]), fwhm, shape)
        frames[f] = rng.poisson(light)
    got = fit_groups(
        frames, x, y, np.full(x.shape, 60.0), 400.0, 60.0, 1.0, np.array([[0, 1]]),
        gaussian(fwhm / FWHM_PER_SIGMA), 5.0, softening=5.0,
    )  # fmt: skip
    error = got.flux.std(axis=0) / np.sqrt(n)
    assert np.all(np.abs(got.flux.mean(axis=0) - [600.0, 1_500.0]) < 3.5 * error)
    np.testing.assert_allclose(np.sqrt(got.variance.mean(axis=0)), got.flux.std(axis=0), rtol=0.1)
    np.testing.assert_allclose(got.sky.mean(), 60.0, atol=0.2)


def test_fits_are_those_of_least_squares_written_out() -> None:
    frames = noise(1).astype(np.float64)
    x, y = np.array([[20.3, 24.1, 5.0]]), np.array([[15.2, 17.9, 5.0]])
    got = fit_groups(frames, x, y, np.full(x.shape, 81.0), 300.0, 80.0, 0.0, np.array([[0, 1, -1]]), TWO, 5.0)
    rows, columns = np.indices(SHAPE)
    light = [obvious_profile(TWO, x[0, s], y[0, s]) for s in (0, 1)]
    rim = [np.clip(5.5 - np.hypot(columns - x[0, s], rows - y[0, s]), 0.0, 1.0) for s in (0, 1)]
    weight = np.append(np.maximum(*rim).ravel(), 300.0)
    design = np.stack([np.append(p.ravel(), 0.0) for p in light] + [np.ones(weight.size)], axis=1)
    data = np.append(frames[0].ravel() - 81.0, 0.0)
    normal = design.T @ (weight[:, None] * design)
    best = np.linalg.solve(normal, design.T @ (weight * data))
    inverse = np.linalg.inv(normal)
    variance = np.append(np.full(weight.size - 1, 80.0), 80.0 / 300.0)
    covariance = inverse @ (design.T @ ((weight**2 * variance)[:, None] * design)) @ inverse
    np.testing.assert_allclose(got.flux[0, :2], best[:2], rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(got.sky[0, 0], 81.0 + best[2], rtol=1e-5)
    np.testing.assert_allclose(got.variance[0, :2], np.diag(covariance)[:2], rtol=1e-3)
    assert np.isnan(got.flux[0, 2])


def test_fits_agree_with_photutils() -> None:
    from astropy.table import Table
    from photutils.psf import CircularGaussianPRF, PSFPhotometry, SourceGrouper

    frame = 500.0 * star_image(20.3, 15.2, 3.0, SHAPE) + 900.0 * star_image(24.6, 16.1, 3.0, SHAPE)
    frame += np.random.default_rng(2).normal(0.0, 1.0, SHAPE)
    model = CircularGaussianPRF(fwhm=3.0)
    model.x_0.fixed = model.y_0.fixed = True
    start = Table({"x": [20.3, 24.6], "y": [15.2, 16.1], "flux": [400.0, 800.0]})
    fit = PSFPhotometry(model, (21, 21), aperture_radius=4.0, grouper=SourceGrouper(8.0))
    theirs = np.asarray(fit(frame, error=np.ones(SHAPE), init_params=start)["flux_fit"])
    x, y = np.array([[20.3, 24.6]]), np.array([[15.2, 16.1]])
    got = fit_groups(
        frame[None],
        x,
        y,
        np.zeros((1, 2)),
        1e9,
        1.0,
        0.0,
        np.array([[0, 1]]),
        gaussian(3.0 / FWHM_PER_SIGMA),
        8.0,
    )
    np.testing.assert_allclose(got.flux[0], theirs, atol=0.3 * np.sqrt(got.variance[0]).min())


def test_groups_of_one_equal_what_they_would_be_alone() -> None:
    frames, (x, y) = noise(3), places(3, 2)
    sky = np.full(x.shape, 80.0)
    both = fit_groups(frames, x, y, sky, 400.0, 80.0, 0.5, np.array([[0], [1]]), TWO, 4.0)
    one = fit_groups(frames, x, y, sky, 400.0, 80.0, 0.5, np.array([[1]]), TWO, 4.0)
    np.testing.assert_array_equal(both.flux[:, 1], one.flux[:, 1])


def footprint(radius: float) -> NDArray[np.bool_]:
    half = int(radius)
    grid = np.arange(-half, half + 1)
    return np.asarray(np.hypot(grid[:, None], grid[None, :]) <= radius, np.bool_)


def test_static_masks_sum_whole_pixels_as_photutils_does() -> None:
    from photutils.aperture import CircularAperture

    frames, (x, y) = noise(3), places(3, 4)
    got = static_mask_sums(frames, x, y, np.full(x.shape, 80.0), footprint(3.0))
    for f, s in np.ndindex(x.shape):
        middle = (np.floor(x[f, s] + 0.5), np.floor(y[f, s] + 0.5))
        aperture = CircularAperture(middle, 3.0 + 1e-9)
        sums, _ = aperture.do_photometry(frames[f].astype(np.float64), method="center")
        assert got.flux[f, s] == pytest.approx(sums[0] - 80.0 * got.pixels[f, s])
    assert (got.pixels == footprint(3.0).sum()).all()


def obvious_blob(
    frame: Floats, x: float, y: float, sky: float, threshold: float, half: int, snap: int
) -> NDArray[np.bool_]:
    """By scipy: smooth the box, label what exceeds the threshold, take the label of the brightest near by."""
    from scipy import ndimage

    column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
    kernel = np.array([0.25, 0.5, 0.25])
    smooth = ndimage.correlate1d(
        ndimage.correlate1d(frame - sky, kernel, 0, mode="constant"), kernel, 1, mode="constant"
    )
    box = np.full(frame.shape, -np.inf)
    inside = (slice(max(row - half, 0), row + half + 1), slice(max(column - half, 0), column + half + 1))
    box[inside] = smooth[inside]
    labels, _ = ndimage.label(box > threshold)
    rows, columns = np.indices(frame.shape)
    near = np.where((rows - row) ** 2 + (columns - column) ** 2 <= snap**2, box, -np.inf)
    peak = np.unravel_index(int(np.argmax(near)), frame.shape)
    return np.asarray((labels == labels[peak]) & (labels > 0), np.bool_)


def test_blobs_are_those_that_scipy_labels() -> None:
    rng = np.random.default_rng(4)
    x, y = places(12, 1)
    frames = rng.normal(50.0, 2.0, (12, *SHAPE))
    for f in range(12):
        frames[f] += 300.0 * star_image(x[f, 0] + 0.4, y[f, 0], 3.0, SHAPE)
    got = dynamic_mask_sums(frames, x, y, np.full(x.shape, 50.0), np.full(x.shape, 4.0), footprint(4.0))
    assert got.found.all()
    for f in range(12):
        blob = obvious_blob(frames[f], x[f, 0], y[f, 0], 50.0, 4.0, 6, 1)
        assert got.pixels[f, 0] == blob.sum()
        assert got.flux[f, 0] == pytest.approx((frames[f][blob] - 50.0).sum())


def test_a_vanished_star_is_measured_where_it_must_be() -> None:
    frames, (x, y) = noise(5, "float64"), places(5, 1)
    sky = np.full(x.shape, 80.0)
    got = dynamic_mask_sums(frames, x, y, sky, np.full(x.shape, 60.0), footprint(3.0))
    assert not got.found.any()
    np.testing.assert_array_equal(got.flux, static_mask_sums(frames, x, y, sky, footprint(3.0)).flux)


def test_cutouts_are_slices() -> None:
    frames, (x, y) = noise(3), places(3, 2)
    x[2, 1] = np.nan
    boxes, left, top = cutouts(frames, x, y, (7, 9))
    for f, s in np.ndindex(x.shape):
        if not np.isfinite(x[f, s]):
            assert np.isnan(boxes[f, s]).all()
            continue
        i, j = left[f, s], top[f, s]
        assert (i + 4, j + 3) == (np.floor(x[f, s] + 0.5), np.floor(y[f, s] + 0.5))
        np.testing.assert_array_equal(boxes[f, s], frames[f, j : j + 7, i : i + 9])
    corner, _, _ = cutouts(frames[:1], [[0.0]], [[0.0]], (3, 3))
    assert np.isnan(corner[0, 0, 0]).all()
    assert corner[0, 0, 1, 1] == frames[0, 0, 0]


def test_what_does_not_fit_is_refused() -> None:
    frames, (x, y) = noise(2), places(2, 2)
    sky = np.full(x.shape, 80.0)
    with pytest.raises(ValueError, match="are needed"):
        optimal_sums(frames[0], x, y, sky, TWO, 3.0)
    with pytest.raises(ValueError, match="radius 0"):
        optimal_sums(frames, x, y, sky, TWO, 0.0)
    with pytest.raises(ValueError, match="scales"):
        optimal_sums(frames, x, y, sky, TWO, 3.0, 0.0, np.ones(3))
    with pytest.raises(ValueError, match="groups"):
        fit_groups(frames, x, y, sky, 1.0, 1.0, 0.0, np.array([[5]]), TWO, 3.0)
    with pytest.raises(ValueError, match="odd"):
        static_mask_sums(frames, x, y, sky, np.ones((4, 4), bool))
    with pytest.raises(ValueError, match="snap"):
        dynamic_mask_sums(frames, x, y, sky, 1.0, footprint(2.0), snap=9)
    with pytest.raises(ValueError, match="positive"):
        frame_widths(frames, x, y, sky, TWO, 3.0, 0.0)
