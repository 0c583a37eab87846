"""Correlation by transforms against direct sums, scikit-image and astroalign."""

import math
from typing import Any

import astroalign
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal
from skimage import registration
from skimage.transform import warp_polar

from gpu_kernels.correlation import (
    BATCH,
    cross_correlation,
    fast_length,
    find_masked_shifts,
    find_shifts,
    masked_correlation,
    rotation_and_scale,
    taper,
)
from tests.gpu_kernels.homes import Home, in_homes

Floats = NDArray[np.float64]
phase_cross_correlation: Any = registration.phase_cross_correlation  # has no types
HEIGHT, WIDTH = 60, 82


def field(
    x: float = 0.0,
    y: float = 0.0,
    turned_deg: float = 0.0,
    scale: float = 1.0,
    noise: float = 4.0,
    seed: int = 0,
    shape: tuple[int, int] = (HEIGHT, WIDTH),
) -> Floats:
    """Stars turned and stretched about the middle, then shifted; beyond the edge too there are some."""
    stars = np.random.default_rng(3)
    height, width = shape
    n = 40
    u, v = stars.uniform(-20, width + 20, n), stars.uniform(-20, height + 20, n)
    flux = 100.0 * stars.uniform(1, 10, n)
    angle, cx, cy = math.radians(turned_deg), 0.5 * (width - 1), 0.5 * (height - 1)
    px = scale * (math.cos(angle) * (u - cx) - math.sin(angle) * (v - cy)) + cx + x
    py = scale * (math.sin(angle) * (u - cx) + math.cos(angle) * (v - cy)) + cy + y
    rows, columns = np.indices(shape)
    image = np.random.default_rng(seed).normal(50.0, noise, shape)
    for a, b, f in zip(px, py, flux, strict=True):
        image += f * np.exp(-0.5 * ((columns - a) ** 2 + (rows - b) ** 2) / 1.5**2)
    return image


def direct(frame: Floats, reference: Floats) -> Floats:
    """Correlation of images that fall to zero, summed directly, for shifts up to half the frame."""
    height, width = reference.shape
    whole = signal.correlate(frame, reference, mode="full", method="direct")
    whole /= np.sqrt((frame**2).sum() * (reference**2).sum())
    my, mx = height // 2, width // 2
    return np.asarray(whole[height - 1 - my : height + my, width - 1 - mx : width + mx])


@in_homes(cross_correlation)
@pytest.mark.parametrize("shape", [(24, 30), (21, 33)])
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_as_summed_directly(home: Home, shape: tuple[int, int], part: float) -> None:
    rng = np.random.default_rng(1)
    frames, reference = rng.normal(30, 5, (3, *shape)), rng.normal(90, 5, shape)
    frames[1, 3:5, 4] = np.nan
    window = taper(*shape, part)
    found = home.run(cross_correlation, frames, reference, window)
    other = (reference - reference.mean()) * window
    for k in range(3):
        flat = np.nan_to_num(frames[k] - np.nanmean(frames[k])) * window
        np.testing.assert_allclose(found[k], direct(flat, other), atol=1e-12)
    if part == 0.0:
        np.testing.assert_allclose(home.run(cross_correlation, frames, reference), found, atol=1e-12)


@in_homes(find_shifts)
@pytest.mark.parametrize("upsampling", [1, 20])
def test_known_shifts(home: Home, upsampling: int) -> None:
    truth = [(0.0, 0.0), (3.3, -2.6), (-8.7, 12.2), (20.4, 7.5), (0.5, -0.5)]
    frames = np.stack([field(x, y, seed=k + 1) for k, (x, y) in enumerate(truth)])
    window = taper(HEIGHT, WIDTH, 0.3)
    found = home.run(find_shifts, frames, field(), window, upsampling)
    np.testing.assert_allclose(np.stack([found.x, found.y], 1), truth, atol=0.3)  # the window pulls
    assert (np.diff(found.peak[:3]) < 0).all()  # less of the picture in common
    assert (found.peak <= 1.0 + 1e-9).all()


@in_homes(find_shifts)
def test_no_shift_of_itself(home: Home) -> None:
    frame = field()
    found = home.run(find_shifts, frame[None], frame, None, 10)
    np.testing.assert_allclose([found.x[0], found.y[0], found.peak[0]], [0.0, 0.0, 1.0], atol=1e-9)
    blank = home.run(find_shifts, np.full((1, HEIGHT, WIDTH), 7.0), frame)
    assert blank.peak[0] == pytest.approx(0.0, abs=1e-9)


@in_homes(find_shifts)
def test_sub_pixel_as_scikit_image(home: Home) -> None:
    """Stars well inside a frame that is dark elsewhere: scikit-image's wrap-around does not matter."""
    rows, columns = np.indices((64, 72))

    def stars(x: float, y: float) -> Floats:
        total = np.zeros((64, 72))
        for u, v, f in ((20, 25, 9.0), (45, 30, 5.0), (33, 42, 7.0)):
            total += f * np.exp(-0.5 * ((columns - u - x) ** 2 + (rows - v - y) ** 2) / 2.0**2)
        return total

    frames = np.stack([stars(2.37, -1.84), stars(-6.15, 4.42)])
    found = home.run(find_shifts, frames, stars(0, 0), None, 50)
    for k in range(2):
        (dy, dx), _, _ = phase_cross_correlation(
            stars(0, 0), frames[k], upsample_factor=50, normalization=None
        )
        assert (found.x[k], found.y[k]) == (pytest.approx(-dx, abs=0.02), pytest.approx(-dy, abs=0.02))
    np.testing.assert_allclose(found.x, [2.37, -6.15], atol=5e-3)
    np.testing.assert_allclose(found.y, [-1.84, 4.42], atol=5e-3)


def test_as_astroalign_finds_it() -> None:
    reference, frame = (
        field(noise=1.0, shape=(160, 200)),
        field(6.3, -4.2, noise=1.0, seed=1, shape=(160, 200)),
    )
    peer, _ = astroalign.find_transform(reference, frame)
    found = find_shifts(frame[None], reference, taper(160, 200, 0.2), 20)
    np.testing.assert_allclose([found.x[0], found.y[0]], peer.translation, atol=0.25)
    np.testing.assert_allclose([found.x[0], found.y[0]], [6.3, -4.2], atol=0.05)


def slow_coefficient(
    frame: Floats, reference: Floats, mask: NDArray[np.bool_], other: NDArray[np.bool_], least: float
) -> Floats:
    """Correlation coefficient at every shift, one by one."""
    height, width = frame.shape
    my, mx = height // 2, width // 2
    value, count = np.zeros((2 * my + 1, 2 * mx + 1)), np.zeros((2 * my + 1, 2 * mx + 1))
    for dy in range(-my, my + 1):
        for dx in range(-mx, mx + 1):
            a = (slice(max(dy, 0), height + min(dy, 0)), slice(max(dx, 0), width + min(dx, 0)))
            b = (slice(max(-dy, 0), height + min(-dy, 0)), slice(max(-dx, 0), width + min(-dx, 0)))
            both = ~mask[a] & ~other[b]
            count[dy + my, dx + mx] = both.sum()
            if both.sum() > 1:
                value[dy + my, dx + mx] = np.corrcoef(frame[a][both], reference[b][both])[0, 1]
    return np.where(count >= least * count.max(), value, 0.0)


@in_homes(masked_correlation)
@pytest.mark.parametrize("shape", [(18, 22), (15, 21)])
def test_masked_as_coefficients_one_by_one(home: Home, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    frames, reference = rng.normal(1000, 5, (2, *shape)), rng.normal(20, 3, shape)
    masks, other = rng.random((2, *shape)) < 0.3, rng.random(shape) < 0.2
    found = home.run(masked_correlation, np.where(masks, 1e6, frames), reference, masks, other, 0.4)
    for k in range(2):
        twin = slow_coefficient(frames[k], reference, masks[k], other, 0.4)
        np.testing.assert_allclose(found[k], twin, atol=1e-7)
    missing = np.where(masks, np.nan, frames)
    nothing = np.zeros(shape, np.bool_)
    np.testing.assert_allclose(
        home.run(masked_correlation, missing, reference, nothing, other, 0.4), found, atol=1e-7
    )


@in_homes(find_masked_shifts)
def test_an_overlay_does_not_hold_it(home: Home) -> None:
    """Digits that do not move, as bright as the stars: masked they are not seen, as with scikit-image."""
    truth = [(9.4, -6.7), (-15.2, 4.1)]
    reference = field(noise=2.0)
    frames = np.stack([field(x, y, noise=2.0, seed=k + 1) for k, (x, y) in enumerate(truth)])
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[50:58, 8:74] = True
    digits = np.where(mask & (np.indices(mask.shape).sum(axis=0) % 5 < 2), 3000.0, 0.0)
    frames, reference = frames + digits, reference + digits
    held = home.run(find_shifts, frames, reference)
    np.testing.assert_allclose([held.x, held.y], 0.0, atol=0.2)
    found = home.run(find_masked_shifts, frames, reference, mask, mask)
    np.testing.assert_allclose(np.stack([found.x, found.y], 1), truth, atol=0.25)
    for k in range(2):
        shift, _, _ = phase_cross_correlation(reference, frames[k], reference_mask=~mask, moving_mask=~mask)
        np.testing.assert_allclose([found.x[k], found.y[k]], -shift[::-1], atol=0.75)


@in_homes(rotation_and_scale)
def test_rotation_and_scale(home: Home) -> None:
    shape = (128, 150)
    truth = [(0.0, 1.0), (5.0, 1.0), (-12.3, 1.02), (30.0, 1.1), (2.0, 0.97)]
    frames = np.stack(
        [field(3.0, -2.0, angle, size, seed=k + 1, shape=shape) for k, (angle, size) in enumerate(truth)]
    )
    angle, scale = home.run(rotation_and_scale, frames, field(shape=shape))
    np.testing.assert_allclose(angle, [a for a, _ in truth], atol=0.25)
    np.testing.assert_allclose(scale, [s for _, s in truth], atol=0.006)


def test_rotation_and_scale_as_scikit_image_has_it() -> None:
    """Their recipe: amplitudes of the windowed pictures, to logarithmic polar coordinates, correlated."""
    shape = (128, 128)
    reference, frame = field(shape=shape), field(2.0, 1.0, 8.0, 1.05, seed=1, shape=shape)
    window = taper(*shape, 1.0)
    radius = 62
    polar = [
        np.log(
            1e-3
            + warp_polar(
                np.abs(np.fft.fftshift(np.fft.fft2((image - image.mean()) * window))),
                radius=radius,
                output_shape=(360, 200),
                scaling="log",
            )[:180]
        )
        for image in (reference, frame)
    ]
    polar = [image - image.mean(axis=0) for image in polar]  # else the fall of amplitudes rules
    shift, _, _ = phase_cross_correlation(*polar, upsample_factor=20, normalization=None)
    angle, scale = rotation_and_scale(frame[None], reference)
    assert angle[0] == pytest.approx(-shift[0], abs=1.0)
    assert angle[0] == pytest.approx(8.0, abs=0.25)
    assert scale[0] == pytest.approx(math.exp(shift[1] * math.log(radius) / 200), abs=0.02)
    assert scale[0] == pytest.approx(1.05, abs=0.006)


@in_homes(find_shifts, find_masked_shifts, rotation_and_scale)
def test_no_frame_knows_how_frames_are_grouped(home: Home) -> None:
    rng = np.random.default_rng(5)
    frames = rng.normal(20, 3, (BATCH + 5, 24, 31)).astype(np.float32)
    reference = rng.normal(20, 3, (24, 31)).astype(np.float32)
    mask = rng.random((24, 31)) < 0.1
    whole = home.run(find_shifts, frames, reference, None, 8)
    masked = home.run(find_masked_shifts, frames, reference, mask, mask)
    angle, _ = home.run(rotation_and_scale, frames, reference)
    for first, last in ((0, 1), (3, 11), (BATCH, BATCH + 5)):
        part = home.run(find_shifts, frames[first:last], reference, None, 8)
        for name in ("x", "y", "peak"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[first:last])
        part = home.run(find_masked_shifts, frames[first:last], reference, mask, mask)
        np.testing.assert_array_equal(part.x, masked.x[first:last])
        some, _ = home.run(rotation_and_scale, frames[first:last], reference)
        np.testing.assert_array_equal(some, angle[first:last])
    none = home.run(find_shifts, frames[:0], reference)
    assert none.x.shape == (0,)


def test_fast_lengths_and_windows() -> None:
    assert [fast_length(n) for n in (1, 11, 13, 97, 121, 960, 1921)] == [1, 12, 14, 98, 125, 960, 1944]
    for part in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(
            taper(1, 40, part)[0] / taper(1, 40, part).max(), tukey(40, part), atol=1e-12
        )


def tukey(n: int, part: float) -> Floats:
    """scipy's window, sampled at the middles of n pixels."""
    fine = signal.windows.tukey(2 * n + 1, part)[1::2]
    return np.asarray(fine / fine.max())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"frames of shape \(2, 3, 4\) against a reference of shape \(4, 3\)"
    ):
        find_shifts(np.zeros((2, 3, 4)), np.zeros((4, 3)))
