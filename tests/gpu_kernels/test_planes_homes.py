"""Colour planes and fields in every home, against the text for NumPy and numpy.pad's reflection."""

import numpy as np
import pytest

from gpu_kernels.planes import even_luminance, mosaic_planes, repeated_rows, whole_frames
from tests.gpu_kernels.homes import Home, in_homes
from tests.gpu_kernels.test_planes import frames_of


@in_homes(mosaic_planes)
@pytest.mark.parametrize("shape", [(3, 6, 8), (2, 7, 9)])
def test_planes(home: Home, shape: tuple[int, ...]) -> None:
    frames = frames_of(shape)
    found = home.run(mosaic_planes, frames, ((0, 1), (1, 0)))
    for k, (py, px) in enumerate(((0, 1), (1, 0))):
        even = frames[:, : shape[1] // 2 * 2, : shape[2] // 2 * 2]
        np.testing.assert_array_equal(found[k], even[:, py::2, px::2])


@in_homes(even_luminance)
@pytest.mark.parametrize("shape", [(2, 6, 8), (1, 7, 5), (1, 2, 2)])
def test_luminance(home: Home, shape: tuple[int, ...]) -> None:
    frames = frames_of(shape)
    mirrored = np.pad(frames.astype(float), ((0, 0), (1, 1), (1, 1)), mode="reflect")
    twin = np.zeros(shape)
    for dy, wy in enumerate((0.25, 0.5, 0.25)):
        for dx, wx in enumerate((0.25, 0.5, 0.25)):
            twin += wy * wx * mirrored[:, dy : dy + shape[1], dx : dx + shape[2]]
    found = home.run(even_luminance, frames)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, twin, rtol=1e-6)


@in_homes(whole_frames, repeated_rows)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("shape", [(2, 6, 4), (1, 7, 3), (1, 3, 1)])
def test_fields(home: Home, shape: tuple[int, ...], first: int) -> None:
    frames = frames_of(shape)
    for kernel in (whole_frames, repeated_rows):
        found, expected = home.run(kernel, frames, first), kernel(frames, first)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
