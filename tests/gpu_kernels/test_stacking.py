"""Resampling and stacks against astropy, scikit-image and loops over pixels."""

import math
from typing import Any

import numpy as np
import pytest
from astropy.stats import sigma_clip
from numpy.typing import NDArray
from skimage import transform as skimage_transform

from gpu_kernels.align import IDENTITY, Transform
from gpu_kernels.photometry import clip_correction
from gpu_kernels.stacking import resampled, stack
from tests.gpu_kernels.homes import Home, in_homes

SimilarityTransform: Any = skimage_transform.SimilarityTransform  # has no types
warp: Any = skimage_transform.warp


@in_homes(resampled)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_resampled_as_scikit_image(home: Home, dtype: str) -> None:
    frames = (np.random.default_rng(2).random((4, 40, 52)) * 250).astype(dtype)
    transforms = [
        IDENTITY,
        Transform(1.0, 0.0, 2.3, -1.6),
        Transform(math.cos(0.1), math.sin(0.1), -4.2, 3.1),
        Transform(1.05 * math.cos(0.2), -1.05 * math.sin(0.2), 3.0, 1.0),
    ]
    found = home.run(resampled, frames, transforms)
    for k, t in enumerate(transforms):
        matrix = SimilarityTransform([[t.c, -t.s, t.tx], [t.s, t.c, t.ty], [0, 0, 1]])
        peer = warp(frames[k].astype(np.float64), matrix, order=1, cval=np.nan, preserve_range=True)
        both = np.isfinite(found[k]) & np.isfinite(peer)
        np.testing.assert_allclose(found[k][both], peer[both], atol=1e-9)
        u, v = np.meshgrid(np.arange(52.0), np.arange(40.0))
        x, y = t.c * u - t.s * v + t.tx, t.s * u + t.c * v + t.ty
        inside = (x >= 0) & (y >= 0) & (x < 51) & (y < 39)
        np.testing.assert_array_equal(np.isfinite(found[k]), inside)


def slow_clip(values: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """The values kept of one pixel."""
    middle, kept = np.median(values), values
    spread = 1.482602218505602 * np.median(np.abs(values - middle))
    spread = spread if spread > 0 else values.std(ddof=1) if values.size > 1 else 0.0
    for _ in range(10):
        within = values[np.abs(values - middle) <= clip * spread]
        if within.size == kept.size:
            break
        kept = within
        factor = clip_correction(clip)
        middle, spread = kept.mean(), factor * kept.std(ddof=1) if kept.size > 1 else 0.0
    return kept


@in_homes(stack)
@pytest.mark.parametrize("method", ["mean", "clipped", "median"])
def test_pixel_by_pixel(home: Home, method: str) -> None:
    rng = np.random.default_rng(3)
    frames = rng.normal(100, 5, (12, 7, 9))
    frames[rng.random(frames.shape) < 0.05] += 400.0
    frames[rng.random(frames.shape) < 0.1] = np.nan
    frames[:, 2, 3], frames[1:, 4, 4], frames[:, 5, 5], frames[3, 6, 6] = np.nan, np.nan, 7.0, np.inf
    found = home.run(stack, frames, method, 3.0)
    for y, x in np.ndindex(7, 9):
        values = frames[:, y, x][np.isfinite(frames[:, y, x])]
        used = slow_clip(values, 3.0) if method == "clipped" and values.size else values
        assert found.count[y, x] == used.size
        if not used.size:
            assert np.isnan([found.image[y, x], found.error[y, x]]).all()
            continue
        twin = np.median(used) if method == "median" else used.mean()
        assert found.image[y, x] == pytest.approx(twin, rel=1e-12)
        if used.size < 2:
            assert np.isnan(found.error[y, x])
            continue
        error = used.std(ddof=1) / math.sqrt(used.size)
        error *= clip_correction(3.0) if method == "clipped" else 1.0
        error *= math.sqrt(math.pi / 2) if method == "median" and used.size > 2 else 1.0
        assert found.error[y, x] == pytest.approx(error, rel=1e-9)


def test_clipping_leaves_out_what_astropy_leaves_out() -> None:
    rng = np.random.default_rng(4)
    frames = rng.normal(100, 5, (40, 12, 12))
    frames[5, ::2, ::3] += 300.0
    peer = sigma_clip(frames, sigma=3.0, maxiters=None, cenfunc="median", axis=0)
    found = stack(frames, "clipped", 3.0)
    theirs = peer.mean(axis=0)
    assert np.abs(found.image - theirs).max() < 1.0
    assert (found.image - theirs).std() < 0.15
    assert abs(float(found.count.mean() - peer.count(axis=0).mean())) < 0.3


@in_homes(stack)
def test_errors_are_the_scatter_of_many_stacks(home: Home) -> None:
    rng = np.random.default_rng(5)
    frames = rng.normal(50, 4, (20, 60, 60))
    for method in ("mean", "clipped", "median"):
        found = home.run(stack, frames, method)
        assert float(found.image.std()) == pytest.approx(float(found.error.mean()), rel=0.06), method


def test_another_method_is_refused() -> None:
    with pytest.raises(ValueError, match="mean, clipped or median"):
        stack(np.zeros((2, 3, 3)), "mode")  # type: ignore[arg-type]  # what a caller without types may do
