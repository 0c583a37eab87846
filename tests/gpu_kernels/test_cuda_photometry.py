"""The CUDA texts of photometry, run on the host by way of the public functions, against the CPU's."""

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels._cuda import photometry as cuda
from gpu_kernels.device import to_host
from gpu_kernels.extraction import Extracted, Profile, optimal_sums
from gpu_kernels.photometry import StarMeasurements, aperture_sums, measure

PIXELS = ("uint8", "uint16", "float32", "float64")
RADII = np.array([0.4, 1.3, 4.0, 7.5])


def sky_frames(dtype: str, n: int = 2, height: int = 60, width: int = 80) -> NDArray[Any]:
    frames = np.random.default_rng(8).normal(90.0, 12.0, (n, height, width))
    frames[:, 20:24, 30:34] += 80.0
    if dtype == "uint16":
        frames *= 250.0
    frames = np.clip(frames, 0, 255 if dtype == "uint8" else 65535).astype(dtype)
    if frames.dtype.kind == "f":
        frames[0, 40, 41] = np.nan
        frames[0, 5, 60] = np.inf
        frames[-1, :12, :12] = np.nan
        frames[-1, 44, 60] = -np.inf
    return frames


X = [31.0, 31.5, 12.25, 40.5, 41.3, 60.4, 79.5, 0.0, -3.2, 5.0, 200.0, np.nan, 50.0, 83.0, 60.123, -1e300]
Y = [21.5, 22.0, 41.75, 40.5, 38.2, 6.0, 59.5, 0.0, 30.0, 5.0, 10.0, 9.0, np.inf, 30.0, 44.456, 3.0]


def assert_equal_measurements(found: StarMeasurements, twin: StarMeasurements, rtol: float) -> None:
    with np.errstate(invalid="ignore"):
        total = np.abs(twin.flux) + twin.area * twin.sky[..., None]
    largest = float(total[np.isfinite(total)].max(initial=255.0))
    for field in fields(StarMeasurements):
        mine, other = getattr(found, field.name).get(), getattr(twin, field.name)
        assert mine.dtype == other.dtype
        if field.name in {"status", "sky_count", "peak"}:
            np.testing.assert_array_equal(mine, other, err_msg=field.name)
        else:
            # fluxes are differences of sums, which may be much larger
            np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol * largest, err_msg=field.name)


@pytest.mark.parametrize("dtype", PIXELS)
@pytest.mark.parametrize(("inner", "outer", "clip"), [(8.0, 14.0, 3.0), (0.0, 3.0, 1.5), (5.0, 27.5, 4.0)])
def test_measurements_are_the_cpu_kernels(
    xp: Any, dtype: str, inner: float, outer: float, clip: float
) -> None:
    frames = sky_frames(dtype)
    x, y = np.stack([X, np.array(X) + 0.31]), np.stack([Y, np.array(Y) - 0.17])
    found = measure(xp.asarray(frames), x, y, RADII, inner, outer, clip)
    assert_equal_measurements(found, measure(frames, x, y, RADII, inner, outer, clip), 1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_skies_of_few_levels(xp: Any, dtype: str) -> None:
    """Even and odd counts, medians between levels, no spread at all."""
    rng, places = np.random.default_rng(2), np.full((1, 1), 20.0)
    for levels in (1, 2, 3, 5):
        for outer in (2.0, 3.0, 4.5, 6.0):
            frame = (100 + rng.integers(0, levels, (1, 41, 41))).astype(dtype)
            found = measure(xp.asarray(frame), places, places, [1.0], 1.0, outer)
            assert_equal_measurements(found, measure(frame, places, places, [1.0], 1.0, outer), 1e-12)


@pytest.mark.parametrize("largest", [96 * 1024, 0])
def test_large_annuli_are_listed_outside_shared_memory(
    xp: Any, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "LARGEST_SHARED", largest)
    monkeypatch.setattr(cuda, "ROOM_BYTES", 1)
    frames = sky_frames("float32", 2, 150, 160)
    x, y = np.array([[75.0, 20.0], [80.0, 75.25]]), np.array([[70.5, 130.0], [75.0, 60.0]])
    found = measure(xp.asarray(frames), x, y, [40.0], 41.0, 70.0)
    assert_equal_measurements(found, measure(frames, x, y, [40.0], 41.0, 70.0), 1e-12)


@pytest.mark.parametrize("inner", [0.0, 1.0, 3.3, 10.0, 20.5])
def test_no_annulus_has_more_pixels_than_there_is_room_for(inner: float) -> None:
    rng = np.random.default_rng(3)
    j, i = np.mgrid[0:60, 0:60]
    for outer in inner + np.array([0.05, 0.5, 1.0, 2.2, 8.0]):
        for x, y in rng.uniform(29.0, 31.0, (20, 2)):
            distance = np.hypot(j - y, i - x)
            count = int(((distance >= inner) & (distance < outer)).sum())
            assert count <= cuda.most_pixels(inner, float(outer), 60, 60)


def test_sums_of_a_constant_are_areas_of_circles(xp: Any) -> None:
    frames = np.full((1, 40, 40), 3, np.uint8)
    x, y = np.array([[20.0, 19.63, 20.5]]), np.array([[20.0, 20.11, 20.5]])
    sums, areas = map(to_host, aperture_sums(xp.asarray(frames), x, y, RADII))
    circles = np.broadcast_to(math.pi * RADII**2, (1, 3, 4))
    np.testing.assert_allclose(areas, circles, rtol=1e-13)
    np.testing.assert_allclose(sums, 3.0 * circles, rtol=1e-13)


@pytest.mark.parametrize("dtype", PIXELS)
@pytest.mark.parametrize("softening", [0.0, 3.0])
def test_optimal_sums_are_the_cpu_kernels(xp: Any, dtype: str, softening: float) -> None:
    frames = sky_frames(dtype)
    x, y = np.stack([X, np.array(X) + 0.31]), np.stack([Y, np.array(Y) - 0.17])
    sky = np.full(x.shape, 90.0)
    sky[0, 3] = np.nan
    profile = Profile(np.array([[0.7, 1.2, 1.3], [0.3, 2.5, 2.4]]))
    scales = np.array([1.0, 1.3])
    there = optimal_sums(xp.asarray(frames), x, y, sky, profile, 4.2, softening, scales)
    here = optimal_sums(frames, x, y, sky, profile, 4.2, softening, scales)
    for field in fields(Extracted):
        mine, twin = to_host(getattr(there, field.name)), getattr(here, field.name)
        np.testing.assert_allclose(mine, twin, rtol=1e-11, atol=1e-8, err_msg=field.name)
    assert np.isfinite(to_host(there.flux)).sum() >= 14
