"""The CUDA texts of the coarse correlation, run on the host: equal to the CPU's kernels to the last bit."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels import align
from gpu_kernels._cuda import coarse

PATTERNS = (
    align.Pattern(np.array([5, 10, 15]), np.array([5, 20, 9]), np.array([1, 2, 3], np.float32), (24, 33)),
    align.Pattern(np.array([3, 20, -7]), np.array([25, 8, 60]), np.array([3, 1, 2], np.float32), (24, 33)),
)


def frames_of(dtype: str, height: int, width: int) -> NDArray[Any]:
    frames = np.random.default_rng(5).normal(60.0, 9.0, (3, height, width)).clip(0, 255).astype(dtype)
    if frames.dtype.kind == "f":
        frames[0, 3, 4] = np.nan
        frames[1, 7, :9] = np.inf
    return frames


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize(
    ("factor", "height", "width"),
    [(1, 24, 33), (2, 49, 66), (3, 75, 100), (4, 97, 132), (5, 120, 167), (16, 40, 50)],
)
def test_bins_are_the_cpu_kernels(xp: Any, dtype: str, factor: int, height: int, width: int) -> None:
    frames = frames_of(dtype, height, width)
    found = coarse.bin_sum(xp.asarray(frames), factor).get()
    for frame, bins in zip(frames, found, strict=True):
        assert np.array_equal(bins, align.bin_sum(frame, factor))
        assert np.allclose(bins, slow_bins(frame, factor), rtol=1e-5)


def slow_bins(frame: NDArray[Any], factor: int) -> NDArray[np.float64]:
    rows, columns = frame.shape[0] // factor, frame.shape[1] // factor
    values = np.where(np.isfinite(frame), frame, 0).astype(np.float64)
    return np.array(
        [
            [
                values[i * factor : (i + 1) * factor, k * factor : (k + 1) * factor].sum()
                for k in range(columns)
            ]
            for i in range(rows)
        ]
    )


@pytest.mark.parametrize(("rows", "columns"), [(24, 33), (2, 2), (7, 41), (40, 5), (18, 300)])
def test_flattened_frames_are_the_cpu_kernels(xp: Any, rows: int, columns: int) -> None:
    binned = np.random.default_rng(6).normal(900.0, 40.0, (2, rows, columns)).astype(np.float32)
    binned[0, rows // 2, columns // 2] = 5e4
    found = coarse.flattened(xp.asarray(binned), 120.0).get()
    for one, flat in zip(binned, found, strict=True):
        assert np.array_equal(flat, align.flattened(one, 120.0))


@pytest.mark.parametrize(("rows", "columns"), [(24, 33), (25, 32), (2, 2)])
def test_shifts_are_the_cpu_kernels(xp: Any, rows: int, columns: int) -> None:
    binned = np.random.default_rng(7).normal(100.0, 5.0, (4, rows, columns)).astype(np.float32)
    binned[3] = 0.0  # everywhere equal: the first shift wins
    which = np.array([0, 1, 1, 0], np.int32)
    points = [np.stack([getattr(p, name) for p in PATTERNS]) for name in ("rows", "columns", "weights")]
    flat = coarse.flattened(xp.asarray(binned), 12.0)
    found = coarse.correlate(
        flat, points[0].astype(np.int32), points[1].astype(np.int32), points[2], which
    ).get()
    for one, pattern, shift in zip(binned, which, found, strict=True):
        assert tuple(shift) == align.correlate(one, PATTERNS[pattern], 12.0)
