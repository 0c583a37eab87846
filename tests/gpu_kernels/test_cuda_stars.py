"""The CUDA texts of star fits and transforms, run on the host, against the CPU's kernels and the truth."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels import align
from gpu_kernels._cuda import stars as cuda
from gpu_kernels.device import to_host
from reduction.synthetic import star_image
from reduction.synthetic.psf import FWHM_PER_SIGMA

Floats = NDArray[np.float64]
SIGMA, SKY, HEIGHT, WIDTH = 1.4, 40.0, 90, 120
U = np.array([30.0, 80.3, 55.6, 20.7, 100.2, 65.9])
V = np.array([25.4, 30.0, 60.2, 70.8, 72.3, 12.1])
FLUX = np.array([4e3, 3e3, 2.2e3, 1.8e3, 1.2e3, 900.0])


def how(search: int = 7, rotate: bool = False, leaders: int = 4, saturation: float = math.inf) -> cuda.Search:
    return cuda.Search(
        half=max(2, math.ceil(2.5 * SIGMA)), search=search, nearby=search if rotate else 2, leaders=leaders,
        sigma=SIGMA, variance=SKY, inv_gain=1.0, saturation=saturation, rotate=rotate,
        max_sin=math.sin(math.radians(8.0)),
    )  # fmt: skip


def frames_of(shifts: list[align.Transform], dtype: str = "float32", seed: int = 3) -> NDArray[Any]:
    """Noisy frames of six stars, each frame with its own transform."""
    rng, out = np.random.default_rng(seed), []
    for shift in shifts:
        mean = np.full((HEIGHT, WIDTH), SKY)
        for x, y, flux in zip(*shift.apply(U, V), FLUX, strict=True):
            mean += flux * star_image(x, y, SIGMA * FWHM_PER_SIGMA, (HEIGHT, WIDTH))
        out.append(np.clip(rng.poisson(mean), 0, 255 if dtype == "uint8" else 65535).astype(dtype))
    return np.stack(out)


def turn(degrees: float, tx: float, ty: float) -> align.Transform:
    angle = math.radians(degrees)
    return align.Transform(math.cos(angle), math.sin(angle), tx, ty)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("search", [0, 3])
def test_fits_are_the_cpu_kernels(xp: Any, dtype: str, search: int) -> None:
    frames = frames_of([turn(0, 0.3, -0.4), turn(0, 1.2, 0.7)], dtype)
    if frames.dtype.kind == "f":
        frames[0, 27, 31] = np.nan  # in the first star
        frames[1, 29:31, 79:83] = np.inf  # in the second
    frames[0, 60, 20] = 250  # a lone hot pixel
    u = np.array([*U, 20.2, 2.0, -50.0, np.nan, 60.0, 1e30])
    v = np.array([*V, 60.1, 40.0, 10.0, 12.0, 45.0, 3.0])
    x, y = np.stack([u, u + 1.0]), np.stack([v, v + 0.5])
    fits = cuda.fit_stars(xp.asarray(frames), xp.asarray(x), xp.asarray(y), how(search, saturation=240.0))
    out, status = fits.out.get(), fits.status.get()
    seen = 0
    for i, frame in enumerate(frames):
        x[i][np.abs(x[i]) > 1e9] = np.nan
        twin = align.fit_stars(frame, x[i], y[i], search, SIGMA, SKY, 1.0, 240.0)
        np.testing.assert_array_equal(status[i], twin.status)
        for column, values in ((0, twin.x), (1, twin.y), (2, twin.flux), (6, twin.snr)):
            np.testing.assert_allclose(out[i, :, column], values, rtol=1e-7, atol=1e-7)
        error = np.sqrt(0.5 * (out[i, :, 4] ** 2 + out[i, :, 5] ** 2))
        np.testing.assert_allclose(error, twin.error, rtol=1e-7)
        seen += int((twin.status == 0).sum())
    assert seen >= 8


TURNS = [turn(0, 0, 0), turn(0, 5.2, -4.9), turn(2.5, 1.0, -2.0), turn(-1.0, 3.0, 1.0), turn(0, -6.4, 6.3)]


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("leaders", [4, 2, 6])
def test_transforms_are_the_cpu_kernels(
    xp: Any, rotate: bool, leaders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(align, "LEADERS", leaders)
    frames = frames_of(TURNS)
    frames[3, 20:80, 70:] = SKY  # two stars or three are gone
    frames[4] = SKY  # and all
    x, y = np.tile(U, (5, 1)), np.tile(V, (5, 1))
    fits = cuda.locate(xp.asarray(frames), xp.asarray(x), xp.asarray(y), how(rotate=rotate, leaders=leaders))
    p, keep, status = fits.p.get(), fits.keep.get().astype(bool), fits.status.get()
    for i, frame in enumerate(frames):
        model = align.Stars(SIGMA, SKY, 1.0, math.inf)
        transform, twin, used = align.locate(frame, U, V, model, 7, rotate)
        np.testing.assert_array_equal(keep[i], used)
        np.testing.assert_array_equal(status[i], twin.status)
        np.testing.assert_allclose(fits.out.get()[i, :, 0], twin.x, atol=1e-7)
        if used.any():
            expected = [transform.c, transform.s, transform.tx, transform.ty]
            np.testing.assert_allclose(p[i], expected, atol=1e-6)
    for i in (0, 1) if not rotate else (0, 1, 2):
        assert keep[i].all()
        c, s, tx, ty = p[i]
        found = align.Transform(c, s, tx, ty).apply(U, V)
        np.testing.assert_allclose(found, TURNS[i].apply(U, V), atol=0.15)
    assert not keep[4].any()


def test_a_star_and_a_pair(xp: Any) -> None:
    frames = frames_of([turn(0, 2.0, 1.0)] * 2)
    for count in (1, 2):
        x, y = np.tile(U[:count], (2, 1)), np.tile(V[:count], (2, 1))
        fits = cuda.locate(xp.asarray(frames), xp.asarray(x), xp.asarray(y), how(rotate=True))
        for i, frame in enumerate(frames):
            transform, _, used = align.locate(
                frame, U[:count], V[:count], align.Stars(SIGMA, SKY, 1.0, math.inf), 7, True
            )
            expected = [transform.c, transform.s, transform.tx, transform.ty]
            np.testing.assert_allclose(fits.p.get()[i], expected, atol=1e-6)
            np.testing.assert_array_equal(fits.keep.get()[i], used)


def test_wide_stars_ask_for_more_shared_memory_than_is_given_unasked(xp: Any) -> None:
    frames = frames_of([turn(0, 0, 0)])
    wide = cuda.Search(
        half=35, search=19, nearby=2, leaders=4, sigma=14.0, variance=SKY, inv_gain=1.0, saturation=math.inf
    )
    fits = cuda.fit_stars(
        xp.asarray(frames), xp.asarray(np.array([[60.0]])), xp.asarray(np.array([[45.0]])), wide
    )
    twin = align.fit_stars(frames[0], np.array([60.0]), np.array([45.0]), 19, 14.0, SKY, 1.0, math.inf)
    assert fits.status.get()[0, 0] == twin.status[0]
    np.testing.assert_allclose(fits.out.get()[0, 0, 0], twin.x[0], atol=1e-6)


@pytest.mark.parametrize("hidden", [False, True])
def test_single_frames_take_the_cuda_texts(xp: Any, hidden: bool) -> None:
    frame = frames_of([turn(0, 2.0, 1.0)], "uint16")[0]
    mask = np.zeros(frame.shape, np.bool_)
    mask[20:34, 25:40] = hidden
    there, model = xp.asarray(frame), align.Stars(SIGMA, SKY, 1.0, math.inf)
    binned = align.bin_sum(frame, 3)
    np.testing.assert_array_equal(to_host(align.bin_sum(there, 3)), binned)
    flat = align.flattened(xp.asarray(binned), 90.0)
    np.testing.assert_array_equal(to_host(flat), align.flattened(binned, 90.0))
    transform, fits, used = align.locate(there, U, V, model, 7, False, mask=mask if hidden else None)
    twin = align.locate(frame, U, V, model, 7, False, mask=mask if hidden else None)
    assert transform.tx == pytest.approx(twin[0].tx, abs=1e-6)
    assert transform.ty == pytest.approx(twin[0].ty, abs=1e-6)
    np.testing.assert_array_equal(fits.status, twin[1].status)
    np.testing.assert_allclose(fits.x, twin[1].x, atol=1e-6)
    np.testing.assert_array_equal(used, twin[2])
