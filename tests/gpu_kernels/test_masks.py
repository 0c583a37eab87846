"""Masked pixels: left out of binned frames, of the correlation, of fits and of detections."""

import array_api_strict
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.align import Pattern, Stars, bin_sum, correlation, fit_stars, locate, peak_of, without_peak
from gpu_kernels.detect import find_stars
from gpu_kernels.masks import bin_mask, blank, blanked
from reduction.synthetic import star_image

SHAPE = (96, 128)
STRICT = array_api_strict.Device("device1")


def field(x: NDArray[np.float64], y: NDArray[np.float64], flux: float = 4000.0) -> NDArray[np.float32]:
    """Stars of width 1.3 px on a sky of 50 +- 3."""
    image = np.random.default_rng(3).normal(50.0, 3.0, SHAPE)
    for px, py in zip(x, y, strict=True):
        image += flux * star_image(px, py, 1.3 * 2.3548, SHAPE)
    return image.astype(np.float32)


def band(first: int, last: int) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, np.bool_)
    mask[first:last] = True
    return mask


@pytest.fixture(scope="module")
def overlaid() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A field of four stars moved by (6, 4), with bright digits burnt in below."""
    image = field(np.array([30.4, 80.2, 60.1, 101.7]) + 6.0, np.array([22.3, 31.9, 50.6, 15.2]) + 4.0)
    mask = band(74, 90)
    image[76:88, 10:120:6] = 2000.0
    image[76:88, 11:120:6] = 2000.0
    return image, mask


class TestBins:
    def test_what_is_left_is_scaled_and_holes_are_filled(self) -> None:
        rng = np.random.default_rng(1)
        image = rng.normal(100.0, 1.0, SHAPE).astype(np.float32)
        mask = rng.random(SHAPE) < 0.05
        mask[40:52, 20:70] = True
        image[mask] = 60_000.0
        got = bin_sum(image, 4, bin_mask(mask, 4))
        twin = np.full((24, 32), np.nan)
        for i in range(24):
            for k in range(32):
                good = ~mask[4 * i : 4 * i + 4, 4 * k : 4 * k + 4]
                if good.sum() >= 8:
                    twin[i, k] = 16.0 * image[4 * i : 4 * i + 4, 4 * k : 4 * k + 4][good].mean()
        known = np.isfinite(twin)
        assert 30 < (~known).sum() < 60
        np.testing.assert_allclose(got[known], twin[known], rtol=1e-3)
        np.testing.assert_allclose(got[~known], 1600.0, rtol=0.02)

    def test_no_mask_changes_nothing(self) -> None:
        image = np.random.default_rng(2).integers(0, 255, SHAPE).astype(np.uint8)
        np.testing.assert_array_equal(
            bin_sum(image, 4, bin_mask(np.zeros(SHAPE, bool), 4)), bin_sum(image, 4)
        )

    def test_a_frame_that_is_masked_altogether(self) -> None:
        image = np.full(SHAPE, 7, np.uint8)
        assert not bin_sum(image, 4, bin_mask(np.ones(SHAPE, bool), 4)).any()

    def test_another_library_gives_the_same(self) -> None:
        rng = np.random.default_rng(4)
        image, mask = rng.integers(0, 255, SHAPE).astype(np.uint8), rng.random(SHAPE) < 0.1
        mask[60:80, 100:] = True
        bins = bin_mask(mask, 4)
        there = array_api_strict.asarray(image, device=STRICT)
        got = np.from_dlpack(bin_sum(there, 4, bins))  # type: ignore[arg-type]  # of another library
        np.testing.assert_allclose(got, bin_sum(image, 4, bins), rtol=1e-5)


class TestPlacing:
    def test_burnt_in_digits_do_not_hold_the_correlation(
        self, overlaid: tuple[NDArray[np.float32], NDArray[np.bool_]]
    ) -> None:
        image, mask = overlaid
        rows, columns = np.array([5, 8, 12, 4]), np.array([7, 20, 15, 25])
        pattern = Pattern(rows, columns, np.ones(4, np.float32), (24, 32))
        bins = bin_mask(mask, 4)
        free = peak_of(correlation(bin_sum(image, 4, bins), pattern, 1e9, bins))
        assert np.hypot(4 * free[0] - 6.0, 4 * free[1] - 4.0) < 2.5
        held = peak_of(correlation(bin_sum(image, 4), pattern, 1e9))
        assert np.hypot(4 * held[0] - 6.0, 4 * held[1] - 4.0) > 10.0

    def test_the_next_peak(self) -> None:
        surface = np.zeros((21, 31), np.float32)
        surface[4, 6], surface[5, 6], surface[15, 20] = 9.0, 8.0, 7.0
        assert peak_of(surface)[0] == pytest.approx(6 - 15, abs=0.5)
        rest = without_peak(surface)
        assert peak_of(rest) == (5.0, 5.0)
        assert surface[4, 6] == 9.0

    def test_a_masked_star_is_not_fitted_and_others_are(
        self, overlaid: tuple[NDArray[np.float32], NDArray[np.bool_]]
    ) -> None:
        image, _ = overlaid
        mask = np.zeros(SHAPE, np.bool_)
        mask[20:32, 30:43] = True
        x, y = np.array([36.4, 86.2, 66.1]), np.array([26.3, 35.9, 54.6])
        fits = fit_stars(image, x, y, 0, 1.3, 9.0, 0.0, np.inf, mask)
        assert fits.status[0] != 0
        np.testing.assert_array_equal(fits.status[1:], 0)
        _, _, used = locate(image, x, y, Stars(1.3, 9.0, 0.0, np.inf), 4, False, mask=mask)
        assert used.tolist() == [False, True, True]

    def test_nothing_is_found_where_it_is_masked(
        self, overlaid: tuple[NDArray[np.float32], NDArray[np.bool_]]
    ) -> None:
        image, mask = overlaid
        assert (find_stars(image, 6.0, 40, 1.3).y > 73).any()
        found = find_stars(image, 6.0, 40, 1.3, mask=mask)
        assert len(found) == 4
        assert (found.y < 60).all()


def test_blanks() -> None:
    mask = band(3, 5)
    boxes = np.ones((2, 5, 5))
    blank(boxes, np.array([-2, 10]), np.array([1, 40]), mask)
    assert np.isnan(boxes[0, 2:4, 2:]).all()
    assert np.isfinite(boxes[0, :, :2]).all()  # beyond the frame: not the mask's
    assert np.isfinite(boxes[1]).all()
    whole = blanked(np.ones(SHAPE, np.uint8), mask)
    assert np.isnan(whole[3:5]).all()
    assert np.isfinite(whole[5:]).all()
