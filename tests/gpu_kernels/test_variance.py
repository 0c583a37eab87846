"""Variance of developed pixels against its formula, and against what thousands of frames scatter."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.calibrate import Development, develop
from gpu_kernels.variance import developed_variance
from tests.gpu_kernels.homes import Home, in_homes

SHAPE = (7, 9)
GAIN, READ = 1.7, 4.0


def masters(seed: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.7, 1.4, SHAPE).astype(np.float32)
    scale[2, 3] = np.nan
    return {"offset": rng.uniform(5, 20, SHAPE).astype(np.float32), "scale": scale}


def noise_of_masters() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(8)
    return (
        rng.uniform(0.1, 2.0, SHAPE).astype(np.float32),
        rng.uniform(1e-6, 1e-4, SHAPE).astype(np.float32),
    )


def twin(frame: NDArray[Any], made: Development, of_offset: Any, of_flat: Any) -> NDArray[np.float64]:
    """One pixel at a time."""
    out = np.empty(SHAPE)
    for y, x in np.ndindex(SHAPE):
        sample = frame[y, x]
        linear, step = float(sample), 0.0 if frame.dtype.kind == "f" else 1.0
        if made.response.size:
            low, high = max(int(sample) - 1, 0), min(int(sample) + 1, made.response.size - 1)
            linear = float(made.response[sample])
            step = (float(made.response[high]) - float(made.response[low])) / (high - low)
        light = linear - (float(made.offset[y, x]) if made.offset.size else 0.0)
        factor = float(made.scale[y, x]) if made.scale.size else 1.0
        total = max(light, 0.0) / GAIN + (READ / GAIN) ** 2 + step**2 / 12 + float(of_offset[y, x])
        out[y, x] = total * factor**2 + (light * factor) ** 2 * float(of_flat[y, x])
    return out


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("bent", [False, True])
@in_homes(developed_variance)
def test_pixel_by_pixel(home: Home, dtype: str, bent: bool) -> None:
    if bent and dtype == "float32":
        pytest.skip("floats have no levels, so no response")
    frames = (np.random.default_rng(1).random((2, *SHAPE)) * 250).astype(dtype)
    levels = np.arange(np.iinfo(dtype).max + 1) if bent else np.empty(0)
    given = {**masters(), "response": (levels**1.5 / 15).astype(np.float32)} if bent else masters()
    made, (of_offset, of_flat) = Development(**given), noise_of_masters()
    found = home.get(developed_variance(home.put(frames), made, GAIN, READ, of_offset, of_flat))
    assert found.dtype == np.float32
    for frame, variance in zip(frames, found, strict=True):
        np.testing.assert_allclose(variance, twin(frame, made, of_offset, of_flat), rtol=2e-5)


def test_a_repaired_pixel() -> None:
    frames = np.full((1, *SHAPE), 100, np.uint16)
    defect = np.zeros(SHAPE, np.bool_)
    defect[3, 3], defect[0, 0] = True, True
    found = developed_variance(frames, Development(defect=defect), 1.0, 0.0)[0]
    one = 100.0 + 1 / 12
    assert found[3, 4] == pytest.approx(one)
    assert found[3, 3] == pytest.approx(one / 8)
    assert found[0, 0] == pytest.approx(one / 3)


def test_is_what_frames_scatter() -> None:
    rng = np.random.default_rng(5)
    made, light = Development(**masters()), rng.uniform(20, 400, SHAPE)
    electrons = rng.poisson(light, (4000, *SHAPE)) + READ * rng.standard_normal((4000, *SHAPE))
    frames = np.rint(electrons / GAIN + made.offset).clip(0).astype(np.uint16)
    scatter = develop(frames, made).astype(np.float64).var(axis=0)
    predicted = developed_variance(frames, made, GAIN, READ).mean(axis=0)
    good = np.isfinite(predicted)
    assert good.sum() == good.size - 1
    np.testing.assert_allclose(scatter[good], predicted[good], rtol=0.12)
    assert np.mean(scatter[good] / predicted[good]) == pytest.approx(1.0, abs=0.01)
