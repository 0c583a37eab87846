"""Shifts, rotation and scale of frames against a reference by fast Fourier transforms, in batches.

Plain cross-correlation (of frames whose mean is taken off), not phase correlation: on star fields phase
normalisation blows up the noise of empty frequencies. Frames are transformed `BATCH` at a time, the last
batch filled up with zeros, so that no frame's result depends on how frames are grouped.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic.polar import log_polar, polar_grid
from gpu_kernels.device import Array, namespace, to_device, to_host

BATCH = 8
"""Frames that are transformed together."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """Shifts (n,), pixels, that bring the reference onto each frame; on the device of the frames.

    ``frame[v + y, u + x]`` shows what ``reference[v, u]`` shows. `peak` is the correlation there, over what
    frame and reference would give if they were equal but for a factor: at most 1.
    """

    x: Array
    y: Array
    peak: Array


def fast_length(n: int) -> int:
    """Smallest number from `n` on without a prime factor above 7."""
    while True:
        rest = n
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def taper(height: int, width: int, part: float = 0.2) -> Floats:
    """Window that falls to zero towards the frame's edges as a cosine (Tukey 1967), for apodisation.

    Parameters
    ----------
    height, width : int
    part : float
        Part of each side, at either end together, over which it falls; 0 is no window, 1 Hann's.

    Returns
    -------
    array, (height, width), float64
        On the host.
    """

    def along(n: int) -> Floats:
        place = np.minimum(np.arange(n) + 0.5, n - 0.5 - np.arange(n)) / n
        return np.where(place < 0.5 * part, np.sin(math.pi * place / max(part, 1e-9)) ** 2, 1.0)

    return along(height)[:, None] * along(width)


def cross_correlation(frames: Array, reference: Array, window: Array | None = None) -> Array:
    """Plain or apodised cross-correlation for shifts up to half the frame, without wrap-around.

    Parameters
    ----------
    frames : array, (n, height, width)
        Pixels that are not finite count as the frame's mean.
    reference : array, (height, width)
    window : array, (height, width), optional
        Factor to both once their means are off; see `taper`.

    Returns
    -------
    array, (n, 2 (height // 2) + 1, 2 (width // 2) + 1), float64
        The middle is no shift; 1 is the most that is possible.

    Raises
    ------
    ValueError
        The shapes do not match.
    """
    _checked(frames, reference)
    padded = _padded(frames.shape[1:])
    other, power = _prepared(reference[None, ...], window, padded)

    def surface(block: Array) -> Array:
        spectrum, energy = _prepared(block, window, padded)
        return _centred(spectrum, other, padded, frames.shape[1:]) / _scale(energy, power)

    return _in_batches(surface, frames)


def find_shifts(frames: Array, reference: Array, window: Array | None = None, upsampling: int = 1) -> Shifts:
    """Shift of each frame against the reference at the highest place of `cross_correlation`.

    Parameters
    ----------
    frames, reference, window
        As for `cross_correlation`.
    upsampling : int
        1: a parabola through the peak and its neighbours along each axis. More: the correlation is first
        evaluated on a grid that much finer about the peak, by a matrix Fourier transform (Guizar-Sicairos,
        Thurman & Fienup 2008, Opt. Lett. 33, 156), then the parabola.

    Raises
    ------
    ValueError
        The shapes do not match.
    """
    _checked(frames, reference)
    shape, padded = frames.shape[1:], _padded(frames.shape[1:])
    other, power = _prepared(reference[None, ...], window, padded)
    xp = namespace(frames)

    def place(block: Array) -> Array:
        spectrum, energy = _prepared(block, window, padded)
        surface = _centred(spectrum, other, padded, shape)
        x, y, peak = _peaks(surface)
        x, y = x - shape[1] // 2, y - shape[0] // 2
        if upsampling > 1:
            x, y, peak = _finer(spectrum * xp.conj(other), padded, x, y, upsampling)
        return xp.stack([x, y, peak / _scale(energy, power)[:, 0, 0]], axis=1)

    found = _in_batches(place, frames)
    return Shifts(found[:, 0], found[:, 1], found[:, 2])


def masked_correlation(
    frames: Array, reference: Array, masks: Array, reference_mask: Array, least_overlap: float = 0.3
) -> Array:
    """Correlation coefficient of what is usable in both, for shifts up to half the frame.

    Means and variances are those of the pixels that overlap at each shift (Padfield 2012, IEEE Trans. Image
    Process. 21, 2706), so neither a burnt-in overlay nor the edge of a mask makes a peak of its own.

    Parameters
    ----------
    frames : array, (n, height, width)
    reference : array, (height, width)
    masks : array, (n, height, width) or (height, width), bool
        Pixels of the frames that are left out; so are those that are not finite.
    reference_mask : array, (height, width), bool
        Pixels of the reference that are left out.
    least_overlap : float
        Part of the most pixels that overlap at any shift, below which a shift is not considered: 0 there.

    Returns
    -------
    array, (n, 2 (height // 2) + 1, 2 (width // 2) + 1), float64
        From -1 to 1; the middle is no shift.

    Raises
    ------
    ValueError
        The shapes do not match.
    """
    _checked(frames, reference)
    xp = namespace(frames)
    shape, padded = frames.shape[1:], _padded(frames.shape[1:])
    left_out = xp.broadcast_to(masks, frames.shape)
    one = _masked_spectra(reference[None, ...], ~reference_mask[None, ...], padded, xp)

    def surface(block: Array, hidden: Array) -> Array:
        two = _masked_spectra(block, ~hidden, padded, xp)

        def shared(first: int, second: int) -> Array:
            return _centred(two[second], one[first], padded, shape)

        count = xp.maximum(xp.round(shared(0, 0)), 0.0)
        enough = count >= xp.maximum(least_overlap * xp.max(count, axis=(1, 2), keepdims=True), 1.0)
        count = xp.maximum(count, 1.0)
        first, second = shared(1, 0), shared(0, 1)
        top = shared(1, 1) - first * second / count
        spread = xp.maximum(shared(2, 0) - first * first / count, 0.0)
        spread = spread * xp.maximum(shared(0, 2) - second * second / count, 0.0)
        floor = 1e-12 * xp.max(spread, axis=(1, 2), keepdims=True)
        fit = enough & (spread > floor)
        return xp.where(fit, xp.clip(top / xp.sqrt(xp.where(fit, spread, 1.0)), -1.0, 1.0), 0.0)

    return _in_batches(surface, frames, left_out)


def find_masked_shifts(
    frames: Array, reference: Array, masks: Array, reference_mask: Array, least_overlap: float = 0.3
) -> Shifts:
    """Shift of each frame at the highest place of `masked_correlation`, by parabolas.

    Parameters
    ----------
    frames, reference, masks, reference_mask, least_overlap
        As for `masked_correlation`.

    Raises
    ------
    ValueError
        The shapes do not match.
    """
    surface = masked_correlation(frames, reference, masks, reference_mask, least_overlap)
    x, y, peak = _peaks(surface)
    return Shifts(x - frames.shape[2] // 2, y - frames.shape[1] // 2, peak)


def rotation_and_scale(frames: Array, reference: Array) -> tuple[Array, Array]:
    """Rotation and scale of each frame against the reference, whatever its shift.

    The amplitude of the Fourier transform does not feel a shift; in logarithmic polar coordinates a rotation
    and a scale are shifts of it (Reddy & Chatterji 1996, IEEE Trans. Image Process. 5, 1266). It repeats
    after half a turn, so rotations are told within +-90 degrees.

    Parameters
    ----------
    frames : array, (n, height, width)
    reference : array, (height, width)

    Returns
    -------
    rotation_deg : array, (n,)
        From x to y: where the frame shows what the reference shows turned by so much.
    scale : array, (n,)
        Size of the frame's picture over that of the reference's.

    Raises
    ------
    ValueError
        The shapes do not match.
    """
    _checked(frames, reference)
    xp = namespace(frames)
    side = fast_length(max(frames.shape[1:]))
    grid = polar_grid(side)
    window = to_device(taper(frames.shape[1], frames.shape[2], 1.0), frames)

    def polar(block: Array) -> Array:
        images, _ = _flat(block, window)
        return log_polar(images, side, grid)

    home = polar(reference[None, ...])[0, ...]
    span = to_device(taper(grid.radii, 1, 0.5)[:, 0], frames)[None, :, None]

    def turned(block: Array) -> Array:
        """Circular along the angle, not along the logarithm of the frequency."""
        many, one = polar(block) * span, home[None, ...] * span
        length = (fast_length(2 * grid.radii), grid.angles)
        spectrum = xp.fft.rfftn(many, s=length, axes=(1, 2))
        surface = _circular(spectrum * xp.conj(xp.fft.rfftn(one, s=length, axes=(1, 2))), length)
        x, y, _ = _peaks(surface)
        return xp.stack([x - grid.angles // 2, y - length[0] // 2], axis=1)

    found = _in_batches(turned, frames)
    return found[:, 0] * (180.0 / grid.angles), xp.exp(-found[:, 1] * grid.step)


def _checked(frames: Array, reference: Array) -> None:
    if frames.ndim != 3 or tuple(reference.shape) != tuple(frames.shape[1:]):
        raise ValueError(
            f"frames of shape {tuple(frames.shape)} against a reference of shape {tuple(reference.shape)}: "
            "(n, height, width) and (height, width) are needed"
        )


def _padded(shape: tuple[int, ...]) -> tuple[int, int]:
    """Transform lengths that leave no wrap-around in shifts up to half the frame."""
    return fast_length(shape[0] + shape[0] // 2), fast_length(shape[1] + shape[1] // 2)


def _in_batches(work: Callable[..., Array], *arrays: Array) -> Array:
    """`work` on `BATCH` frames of each array at a time, the last filled up with zeros."""
    xp = namespace(arrays[0])
    n = arrays[0].shape[0]
    parts = []
    for start in range(0, max(n, 1), BATCH):
        blocks = [array[start : min(start + BATCH, n), ...] for array in arrays]
        have = blocks[0].shape[0]
        if have < BATCH:
            blocks = [
                xp.concat([block, *[_zero(block, array, xp)] * (BATCH - have)], axis=0)
                for block, array in zip(blocks, arrays, strict=True)
            ]
        parts.append(work(*blocks)[:have, ...])
    return xp.concat(parts, axis=0)


def _zero(block: Array, array: Array, xp: Any) -> Array:
    """One frame of zeros of an array's type and place."""
    like = block if block.shape[0] else array
    host = np.zeros((1, *like.shape[1:]))
    return xp.astype(to_device(host, like), like.dtype)


def _flat(images: Array, window: Array | None) -> tuple[Array, Array]:
    """Images less their means, times the window, and the sum of their squares (n, 1, 1)."""
    xp = namespace(images)
    values = xp.astype(images, xp.float64)
    finite = xp.isfinite(values)
    count = xp.maximum(xp.sum(xp.astype(finite, xp.float64), axis=(1, 2), keepdims=True), 1.0)
    mean = xp.sum(xp.where(finite, values, 0.0), axis=(1, 2), keepdims=True) / count
    flat = xp.where(finite, values - mean, 0.0)
    flat = flat if window is None else flat * window
    return flat, xp.sum(flat * flat, axis=(1, 2), keepdims=True)


def _prepared(images: Array, window: Array | None, padded: tuple[int, int]) -> tuple[Array, Array]:
    """Spectra of flattened images, and the sums of their squares."""
    flat, energy = _flat(images, window)
    return namespace(images).fft.rfftn(flat, s=padded, axes=(1, 2)), energy


def _scale(energy: Array, power: Array) -> Array:
    """What equal pictures of these sums of squares would correlate to; 1 where one is empty."""
    xp = namespace(energy)
    both = xp.sqrt(energy * power)
    return xp.where(both > 0.0, both, 1.0)


def _circular(product: Array, length: tuple[int, int]) -> Array:
    """Real image of a product of spectra, rolled so that no shift lies in the middle."""
    xp = namespace(product)
    surface = xp.fft.irfftn(product, s=length, axes=(1, 2))
    return xp.roll(surface, (length[0] // 2, length[1] // 2), axis=(1, 2))


def _centred(spectrum: Array, other: Array, padded: tuple[int, int], shape: tuple[int, ...]) -> Array:
    """Correlation of two spectra for shifts up to half of `shape`; the middle is no shift."""
    whole = _circular(spectrum * namespace(spectrum).conj(other), padded)
    top, left = padded[0] // 2 - shape[0] // 2, padded[1] // 2 - shape[1] // 2
    return whole[:, top : top + 2 * (shape[0] // 2) + 1, left : left + 2 * (shape[1] // 2) + 1]


def _masked_spectra(images: Array, usable: Array, padded: tuple[int, int], xp: Any) -> tuple[Array, ...]:
    """Spectra of the usable pixels, of their values (less a mean) and of the squares of these."""
    values = xp.astype(images, xp.float64)
    usable = usable & xp.isfinite(values)
    ones = xp.astype(usable, xp.float64)
    count = xp.maximum(xp.sum(ones, axis=(1, 2), keepdims=True), 1.0)
    mean = xp.sum(xp.where(usable, values, 0.0), axis=(1, 2), keepdims=True) / count
    flat = xp.where(usable, values - mean, 0.0)
    return tuple(xp.fft.rfftn(part, s=padded, axes=(1, 2)) for part in (ones, flat, flat * flat))


def _peaks(surface: Array) -> tuple[Array, Array, Array]:
    """Column, row and height of the highest place of each surface (n, h, w), by parabolas."""
    xp = namespace(surface)
    n, height, width = surface.shape
    flat = xp.reshape(surface, (-1,))
    best = xp.argmax(xp.reshape(surface, (n, height * width)), axis=1)
    row, column = best // width, best % width
    first = to_device(np.arange(n) * (height * width), surface)

    def at(y: Array, x: Array) -> Array:
        return xp.take(flat, first + xp.clip(y, 0, height - 1) * width + xp.clip(x, 0, width - 1), axis=0)

    here = at(row, column)
    places = []
    for size, centre, before, after in (
        (width, column, at(row, column - 1), at(row, column + 1)),
        (height, row, at(row - 1, column), at(row + 1, column)),
    ):
        bend = before - 2.0 * here + after
        inner = (centre > 0) & (centre < size - 1) & (bend < 0.0)
        offset = xp.where(inner, 0.5 * (before - after) / xp.where(inner, bend, 1.0), 0.0)
        places.append(xp.astype(centre, xp.float64) + offset)
    return places[0], places[1], here


def _finer(
    product: Array, padded: tuple[int, int], x: Array, y: Array, upsampling: int
) -> tuple[Array, Array, Array]:
    """Peaks of the correlation on a grid `upsampling` times finer, within 3/4 pixel of (x, y)."""
    xp = namespace(product)
    half = math.ceil(0.75 * upsampling)
    offset = np.arange(-half, half + 1) / upsampling
    start = [np.round(to_host(place) * upsampling) / upsampling for place in (y, x)]
    rows = np.fft.fftfreq(padded[0])
    columns = np.fft.rfftfreq(padded[1])
    twice = np.full(columns.size, 2.0)
    twice[0] = 1.0
    if padded[1] % 2 == 0:
        twice[-1] = 1.0
    down = np.exp(2j * math.pi * (start[0][:, None] + offset)[:, :, None] * rows)
    across = np.exp(2j * math.pi * columns[:, None] * (start[1][:, None] + offset)[:, None, :])
    across *= twice[:, None] / (padded[0] * padded[1])
    fine = xp.matmul(xp.matmul(to_device(down, product), product), to_device(across, product))
    column, row, peak = _peaks(xp.real(fine))
    x = to_device(start[1], product) + (column - half) / upsampling
    y = to_device(start[0], product) + (row - half) / upsampling
    return x, y, peak
