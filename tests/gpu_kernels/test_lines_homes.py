"""Row and column noise in every home, against the loops of the CPU's tests."""

import numpy as np
import pytest

from gpu_kernels.lines import line_offsets, remove_lines
from tests.gpu_kernels.homes import Home, in_homes
from tests.gpu_kernels.test_lines import sky, twin


@in_homes(line_offsets)
@pytest.mark.parametrize("shape", [(2, 9, 200), (1, 30, 33), (2, 5, 7), (1, 1, 1)])
def test_row_by_row(home: Home, shape: tuple[int, int, int]) -> None:
    images = sky(*shape)
    rng = np.random.default_rng(2)
    images[rng.random(images.shape) < 0.05] += 500.0
    images[rng.random(images.shape) < 0.05] = np.nan
    if shape[1] > 4:
        images[0, 3] = np.nan
    cast = rng.normal(0, 30, shape[1:]).astype(np.float32)
    with np.errstate(invalid="ignore"):
        expected, turned = twin(images, cast, 5.0), twin(images.transpose(0, 2, 1), cast.T, 5.0)
    np.testing.assert_allclose(home.run(line_offsets, images, cast, 5.0), expected, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(home.run(line_offsets, images, cast, 5.0, 1), turned, rtol=1e-9, atol=1e-6)


@in_homes(remove_lines)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_lines_go_and_the_rest_stays(home: Home, dtype: str) -> None:
    images = sky(2, 30, 80)
    rng = np.random.default_rng(3)
    images = (images + rng.normal(0, 9, (2, 30, 1)) + rng.normal(0, 9, (2, 1, 80)) + 50.0).astype(dtype)
    cast = np.zeros((30, 80), np.float32)
    before = images.copy()
    found = home.run(remove_lines, images, cast, 9.0, True, True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, remove_lines(images, cast, 9.0, True, True), atol=1e-3)
    np.testing.assert_array_equal(images, before)
    assert found.std() < 0.7 * images.std()
