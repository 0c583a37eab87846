"""The CUDA text of the development, run on the host: equal to the CPU's kernel to the last bit."""

from typing import Any

import numpy as np
import pytest

from gpu_kernels import _cuda
from gpu_kernels.batch import blanked
from gpu_kernels.calibrate import Development, develop, scale_of
from gpu_kernels.device import to_host

NONE = np.empty((0, 0), np.float32)


def development(shape: tuple[int, ...], levels: int, steps: str, step: int) -> Development:
    rng = np.random.default_rng(4)
    flat = rng.normal(1.0, 0.1, shape).astype(np.float32)
    flat.flat[17] = 0.0
    defect = rng.random(shape) < 0.15
    defect[..., :4, :5] = True  # one without a good neighbour
    return Development(
        response=(np.arange(levels) ** 1.3).astype(np.float32) if "r" in steps else np.empty(0, np.float32),
        offset=rng.normal(20.0, 3.0, shape).astype(np.float32) if "o" in steps else NONE,
        scale=scale_of(flat) if "s" in steps else NONE,
        defect=defect if "d" in steps else np.empty((0, 0), np.bool_),
        step=step,
    )


@pytest.mark.parametrize(
    ("dtype", "levels"), [("uint8", 256), ("uint16", 65536), ("float32", 0), ("float64", 0)]
)
@pytest.mark.parametrize("steps", ["rosd", "os", "d", "r", "s"])
@pytest.mark.parametrize(("shape", "step"), [((21, 34), 1), ((20, 34), 2), ((3, 9, 16), 1)])
def test_developed_frames_are_the_cpu_kernels(
    xp: Any, dtype: str, levels: int, steps: str, shape: tuple[int, ...], step: int
) -> None:
    if not levels:
        steps = steps.replace("r", "") or "o"
    frames: Any = np.random.default_rng(1).normal(100.0, 30.0, (2, *shape)).clip(0, 255).astype(dtype)
    if not levels:
        frames[0, ..., 8, 8] = np.inf
    made = development(shape, levels, steps, step)
    on_device: Any = xp.asarray(frames)
    found = to_host(develop(on_device, made))
    np.testing.assert_array_equal(found, develop(frames, made))
    assert found.dtype == np.float32


def test_a_frame_of_more_pixels_than_a_grid_has_threads(xp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cuda, "MOST_BLOCKS", 2)
    frames: Any = np.random.default_rng(2).integers(0, 255, (2, 40, 50), np.uint8)
    made = development((40, 50), 256, "rosd", 1)
    on_device: Any = xp.asarray(frames)
    np.testing.assert_array_equal(to_host(develop(on_device, made)), develop(frames, made))
    mask = frames[0] > 200
    np.testing.assert_array_equal(
        to_host(blanked(on_device, mask)), np.where(mask, np.nan, frames.astype(np.float32))
    )
