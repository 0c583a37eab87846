"""Row and column offsets against a plain loop, and against what was put in."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.lines import CLIP, FIRST, ROUNDS, line_offsets, remove_lines

Floats = NDArray[np.float64]


def sky(
    n: int = 3, height: int = 40, width: int = 200, sigma: float = 5.0, seed: int = 1
) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (100.0 + sigma * rng.standard_normal((n, height, width))).astype(np.float32)


def twin(images: NDArray[np.float32], cast: NDArray[np.float32], sigma: float) -> Floats:
    """Rows, one at a time."""
    out = np.zeros(images.shape[:2])
    for f, image in enumerate(images):
        for j, row in enumerate(image):
            line = (row - cast[j]).astype(np.float32)
            some = line[:: max(1, -(-line.size // FIRST))]
            some = some[np.isfinite(some)]
            if some.size == 0:
                out[f, j] = np.nan
                continue
            middle = np.median(some.astype(np.float64))
            for _ in range(ROUNDS):
                near = line[np.abs(line.astype(np.float64) - middle) <= CLIP * sigma]
                if near.size == 0:
                    break
                middle = near.astype(np.float64).mean()
            out[f, j] = middle
        good = np.isfinite(out[f])
        out[f] = np.where(good, out[f] - np.median(out[f][good]) if good.any() else 0.0, 0.0)
    return out


@pytest.mark.parametrize("shape", [(2, 9, 200), (1, 30, 33), (2, 5, 7), (1, 1, 1), (1, 4, 66)])
def test_row_by_row(shape: tuple[int, int, int]) -> None:
    images = sky(*shape)
    rng = np.random.default_rng(2)
    images[rng.random(images.shape) < 0.05] += 500.0
    images[rng.random(images.shape) < 0.05] = np.nan
    if shape[1] > 4:
        images[0, 3] = np.nan
    cast = rng.normal(0, 30, shape[1:]).astype(np.float32)
    with np.errstate(invalid="ignore"):
        expected, turned = twin(images, cast, 5.0), twin(images.transpose(0, 2, 1), cast.T, 5.0)
    np.testing.assert_allclose(line_offsets(images, cast, 5.0), expected, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(line_offsets(images, cast, 5.0, axis=1), turned, rtol=1e-9, atol=1e-6)


def test_offsets_are_found_within_their_error() -> None:
    images = sky(6, 60, 400)
    rng = np.random.default_rng(3)
    rows = rng.normal(0, 4, (6, 60))
    images += rows.astype(np.float32)[:, :, None]
    images[:, 20:30, 50:60] += 400.0  # a star
    found = line_offsets(images, np.zeros((60, 400), np.float32), 5.0)
    error = found - (rows - np.median(rows, axis=1, keepdims=True))
    error -= np.median(error, axis=1, keepdims=True)
    assert error.std() == pytest.approx(5.0 / 20.0, rel=0.2)
    assert abs(error[:, 20:30].mean()) < 0.15  # the star does not pull its rows


def test_frames_do_not_depend_on_each_other_and_stay_as_they_are() -> None:
    images, cast = sky(4), np.zeros((40, 200), np.float32)
    before = images.copy()
    whole = remove_lines(images, cast, 5.0, True, True)
    for k in range(4):
        np.testing.assert_array_equal(remove_lines(images[k : k + 1], cast, 5.0, True, True)[0], whole[k])
    np.testing.assert_array_equal(images, before)


def test_what_is_fixed_stays() -> None:
    y, x = np.mgrid[:40, :200]
    cast = (0.8 * x + 20.0 * (y > 20) + 30.0 * ((x + y) % 2)).astype(np.float32)
    images = sky() + cast
    made = remove_lines(images, cast, 5.0, True, True)
    assert made.dtype == np.float32
    difference = made - images
    assert abs(difference.mean()) < 0.1
    assert difference.std() < 1.0  # the errors of 40 and 200 pixels' means, no step and no slope


def test_integers() -> None:
    rng = np.random.default_rng(4)
    images = rng.integers(90, 110, (2, 20, 30)).astype(np.uint8)
    images[:, 7] += 40
    made = remove_lines(images, np.zeros((20, 30), np.float32), 6.0, True, False)
    assert np.abs(made[:, 7].mean() - 99.5) < 4.0
