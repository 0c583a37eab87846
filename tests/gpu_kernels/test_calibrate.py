"""Calibration, luminance and raw peaks against loops over pixels."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from gpu_kernels.calibrate import calibrate, largest_sample, luminance


def frames_of(dtype: DTypeLike, shape: tuple[int, ...], seed: int = 1) -> NDArray[Any]:
    return (np.random.default_rng(seed).random(shape) * 250).astype(dtype)


class TestCalibrate:
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    @pytest.mark.parametrize("shape", [(2, 5, 7), (2, 3, 5, 7)])
    def test_pixel_by_pixel(self, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
        frames = frames_of(dtype, shape)
        rng = np.random.default_rng(2)
        offset = rng.uniform(0, 300, shape[1:]).astype(
            np.float32
        )  # above the frames too: results go negative
        flat = rng.uniform(0.5, 1.5, shape[1:]).astype(np.float32)
        twin = np.empty(shape)
        for index in np.ndindex(shape):
            twin[index] = (float(frames[index]) - float(offset[index[1:]])) / float(flat[index[1:]])
        found = calibrate(frames, offset, flat)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, twin, rtol=1e-5, atol=1e-4)
        only_offset = frames.astype(np.float64) - offset
        np.testing.assert_allclose(calibrate(frames, offset, None), only_offset, rtol=1e-6, atol=1e-4)
        np.testing.assert_allclose(calibrate(frames, None, flat), frames.astype(np.float64) / flat, rtol=1e-5)

    def test_nothing_to_do_costs_nothing(self) -> None:
        frames = frames_of("uint8", (2, 4, 4))
        assert calibrate(frames, None, None) is frames

    @pytest.mark.parametrize("dead", [0.0, -0.5])
    def test_a_dead_pixel_of_the_flat_is_no_number(self, dead: float) -> None:
        frames = frames_of("uint16", (1, 4, 4))
        flat = np.ones((4, 4), np.float32)
        flat[1, 2] = dead
        found = calibrate(frames, None, flat)
        assert np.isnan(found[0, 1, 2])
        assert np.isfinite(np.delete(found.ravel(), 6)).all()

    def test_masters_and_frames_are_left_as_they_are(self) -> None:
        frames, offset = frames_of("float32", (2, 4, 4)), np.full((4, 4), 3.0, np.float32)
        flat = np.full((4, 4), 2.0, np.float32)
        before = frames.copy()
        calibrate(frames, offset, flat)
        np.testing.assert_array_equal(frames, before)
        assert (flat == 2.0).all()
        assert (offset == 3.0).all()


class TestLuminance:
    def test_mono_is_itself(self) -> None:
        frames = frames_of("uint8", (2, 4, 4))
        assert luminance(frames, "mono") is frames
        assert largest_sample(frames, "mono") is frames

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_planes_are_summed(self, dtype: DTypeLike) -> None:
        frames = frames_of(dtype, (2, 3, 5, 6))
        twin, top = np.zeros((2, 5, 6)), np.zeros((2, 5, 6))
        for n, y, x in np.ndindex(2, 5, 6):
            samples = [float(frames[n, c, y, x]) for c in range(3)]
            twin[n, y, x], top[n, y, x] = sum(samples), max(samples)
        np.testing.assert_allclose(luminance(frames, "rgb"), twin, rtol=1e-6)
        np.testing.assert_array_equal(largest_sample(frames, "rgb"), top)

    @pytest.mark.parametrize("shape", [(4, 6), (5, 6), (4, 7), (5, 7)])
    def test_cells_are_summed_and_odd_edges_left_out(self, shape: tuple[int, int]) -> None:
        frames = frames_of("uint16", (2, *shape))
        height, width = shape[0] // 2, shape[1] // 2
        twin, top = np.zeros((2, height, width)), np.zeros((2, height, width))
        for n, y, x in np.ndindex(2, height, width):
            cell = [float(frames[n, 2 * y + j, 2 * x + i]) for j in (0, 1) for i in (0, 1)]
            twin[n, y, x], top[n, y, x] = sum(cell), max(cell)
        np.testing.assert_array_equal(luminance(frames, "mosaic"), twin)
        np.testing.assert_array_equal(largest_sample(frames, "mosaic"), top)

    def test_full_scale_is_exact(self) -> None:
        assert (luminance(np.full((1, 2, 2), 65_535, np.uint16), "mosaic") == 4 * 65_535).all()
        assert (luminance(np.full((1, 3, 2, 2), 65_535, np.uint16), "rgb") == 3 * 65_535).all()
