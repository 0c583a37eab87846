"""Blocks of frames at once, against frames one by one: in every home, and on the host playing a device."""

from typing import Any

import numpy as np
import pytest

from gpu_kernels import align
from gpu_kernels.batch import Located, blanked, coarse_shifts, locate_all
from gpu_kernels.device import to_host
from tests.gpu_kernels.cuda_on_host import namespace as stand_in
from tests.gpu_kernels.homes import HOMES, Home, registers
from tests.gpu_kernels.test_cuda_stars import FLUX, SIGMA, SKY, TURNS, U, V, frames_of
from tests.requirements import require

STARS = align.Stars(SIGMA, SKY, 1.0, np.inf)
BINNING, CAP = 3, 4000.0


class Emulated(Home):
    """The CUDA texts, run on the host."""

    def put(self, value: Any) -> Any:
        require("cc")
        return stand_in.asarray(value)


PLACES = (*HOMES, pytest.param(Emulated("cuda on host"), id="cuda_on_host"))


def patterns() -> list[align.Pattern]:
    out = []
    for degrees in (0.0, 2.5):
        angle = np.radians(degrees)
        x, y = np.cos(angle) * U - np.sin(angle) * V, np.sin(angle) * U + np.cos(angle) * V
        rows, columns = (np.floor((z + 0.5) / BINNING).astype(np.int64) for z in (y, x))
        out.append(align.Pattern(rows, columns, FLUX.astype(np.float32), (30, 40)))
    return out


@registers(coarse_shifts)
@pytest.mark.parametrize("home", PLACES)
def test_shifts_of_a_block_are_those_of_its_frames(home: Home) -> None:
    frames = frames_of(TURNS)
    which = np.array([0, 0, 1, 0, 0])
    found = coarse_shifts(home.put(frames), BINNING, patterns(), which, CAP)
    for i, frame in enumerate(frames):
        expected = align.correlate(align.bin_sum(frame, BINNING), patterns()[which[i]], CAP)
        np.testing.assert_allclose(found[i], expected, atol=1e-4)
    assert found[1] * BINNING == pytest.approx([5.2, -4.9], abs=1.0)


@registers(locate_all)
@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("home", PLACES)
def test_located_stars_of_a_block_are_those_of_its_frames(home: Home, rotate: bool) -> None:
    frames = frames_of(TURNS)
    frames[4] = SKY
    x, y = np.tile(U, (5, 1)), np.tile(V, (5, 1))
    found: Located = locate_all(home.put(frames), x, y, STARS, 7, rotate)
    for i, frame in enumerate(frames):
        transform, fits, used = align.locate(frame, U, V, STARS, 7, rotate)
        np.testing.assert_array_equal(found.used[i], used)
        np.testing.assert_array_equal(found.status[i], fits.status)
        for name in ("x", "y", "flux", "error", "snr"):
            np.testing.assert_allclose(getattr(found, name)[i], getattr(fits, name), rtol=1e-5, atol=1e-5)
        if used.any():
            expected = [transform.c, transform.s, transform.tx, transform.ty]
            np.testing.assert_allclose(found.transform[i], expected, atol=1e-5)


@registers(blanked)
@pytest.mark.parametrize("home", PLACES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixels_under_a_mask_are_missing(home: Home, dtype: str) -> None:
    frames = (np.random.default_rng(2).random((3, 9, 11)) * 250).astype(dtype)
    mask = frames[0] > 120
    found = to_host(blanked(home.put(frames), mask))
    assert np.isnan(found[:, mask]).all()
    np.testing.assert_array_equal(found[:, ~mask], frames[:, ~mask])
