"""Launchers of photometry.cu: aperture sums and sky of many stars on many frames."""

import math

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._cuda import NO_PIXELS, Array, blocks, contiguous, launch
from gpu_kernels._numba.extraction import PER_SIGMA, REACH, normal_table
from gpu_kernels.device import namespace

THREADS, FINISH_THREADS = 64, 128

_TABLE = normal_table()[0]

LARGEST_SHARED = 96 * 1024
"""Bytes of shared memory that every device from sm_80 on grants a block."""

ROOM_BYTES = 2**28
"""Of the scratch in which the pixels of large annuli are listed."""


def aperture_sums(
    frames: Array, x: Array, y: Array, radii: NDArray[np.float64]
) -> tuple[Array, Array, Array]:
    """Sums, areas and peaks ``(n, s, r)`` of frames at `x`, `y` ``(n, s)``; radii ``(r,)`` on the host."""
    frames, x, y = contiguous(frames, x, y)
    n, height, width = frames.shape
    stars, xp = x.shape[1], namespace(frames)
    with frames.device:
        sums, areas, peaks = (xp.empty((n, stars, radii.size), np.float64) for _ in range(3))
        circles = xp.asarray(radii)
    launch(
        "photometry", "aperture_sums", frames, (n, stars), THREADS, frames, height, width, x, y, stars,
        circles, radii.size, sums, areas, peaks,
    )  # fmt: skip
    return sums, areas, peaks


def peaks_within(frames: Array, x: Array, y: Array, radius: float) -> Array:
    """`photometry.peaks_within` of frames at `x`, `y` ``(n, s)``."""
    _, areas, peaks = aperture_sums(frames, x, y, np.array([radius]))
    grid = (blocks(areas.size, FINISH_THREADS),)
    count = np.int64(areas.size)
    launch("photometry", "hide_unseen", frames, grid, FINISH_THREADS, areas, count, peaks, pixel=NO_PIXELS)
    return peaks.reshape(areas.shape[:2])


def clipped_sky(
    frames: Array, x: Array, y: Array, annulus: tuple[float, float, float, int]
) -> tuple[Array, Array, Array]:
    """Sky, its sigma and the pixels kept, ``(n, s)``; `annulus` is (inner, outer, clip, least pixels)."""
    frames, x, y = contiguous(frames, x, y)
    n, height, width = frames.shape
    stars, xp = x.shape[1], namespace(frames)
    most = most_pixels(annulus[0], annulus[1], height, width)
    shared = most // 2 * 8 + most * (8 if frames.dtype.name == "float64" else 4)
    outside = shared > LARGEST_SHARED
    room_bytes = most * 12 * max(stars, 1)
    step = max(1, min(n, ROOM_BYTES // room_bytes)) if outside else max(n, 1)
    with frames.device:
        sky, sigma, kept = (xp.empty((n, stars), kind) for kind in (np.float64, np.float64, np.int64))
        room = xp.empty(step * room_bytes // 8 if outside else 1, np.float64)
    for low in range(0, n, step):
        at = slice(low, min(low + step, n))
        launch(
            "photometry", "clipped_sky", frames, (at.stop - low, stars), THREADS, frames[at], height, width,
            x[at], y[at], stars, *annulus, most, outside, room, sky[at], sigma[at], kept[at],
            shared=0 if outside else shared,
        )  # fmt: skip
    return sky, sigma, kept


def most_pixels(inner: float, outer: float, height: int, width: int) -> int:
    """Pixels, a multiple of 8, that no annulus exceeds: centres lie within 0.71 px of what they cover."""
    wide, hole = outer + 0.75, max(inner - 0.75, 0.0)
    most = min(math.pi * (wide * wide - hole * hole), (2.0 * outer + 1.0) ** 2, float(height * width))
    return 8 * (math.ceil(most / 8.0) + 1)


def measure(
    frames: Array,
    x: Array,
    y: Array,
    radii: NDArray[np.float64],
    annulus: tuple[float, float, float, int],
) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """Fields of `photometry.StarMeasurements`, in their order."""
    frames, x, y = contiguous(frames, x, y)
    _, height, width = frames.shape
    sums, areas, peaks = aperture_sums(frames, x, y, radii)
    sky, sigma, kept = clipped_sky(frames, x, y, annulus)
    xp = namespace(frames)
    with frames.device:
        flux, status = xp.empty(sums.shape, np.float64), xp.empty(sums.shape, np.uint32)
        circles = xp.asarray(radii)
    launch(
        "photometry", "finish", frames, (blocks(sums.size, FINISH_THREADS),), FINISH_THREADS, height, width,
        x, y, np.int64(x.size), circles, radii.size, sums, areas, sky, peaks, flux, status, pixel=NO_PIXELS,
    )  # fmt: skip
    return flux, areas, sky, sigma, kept, peaks, status


def optimal_sums(
    frames: Array,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sky: NDArray[np.float64],
    scales: NDArray[np.float64],
    profile: NDArray[np.float64],
    softening: float,
    radius: float,
) -> Array:
    """`extraction.optimal_sums` as ``(n, s, 6)``; everything but the frames lies on the host.

    In the last axis: flux, sum of weights, of squares, of squares times light, share seen, peak.
    """
    (frames,) = contiguous(frames)
    n, height, width = frames.shape
    stars, xp = x.shape[1], namespace(frames)
    side = 2 * math.ceil(radius * float(scales.max(initial=1.0)) + 0.5) + 3
    with frames.device:
        out = xp.empty((n, stars, 6), np.float64)
        places = [xp.asarray(np.ascontiguousarray(values)) for values in (x, y, sky)]
        widths, terms, table = (xp.asarray(np.ascontiguousarray(z)) for z in (scales, profile, _TABLE))
    launch(
        "photometry", "optimal_sums", frames, (n, stars), THREADS, frames, height, width, *places, stars,
        widths, terms, profile.shape[0], side, softening, radius, table, _TABLE.size, PER_SIGMA, REACH, out,
        shared=16 * profile.shape[0] * side,
    )  # fmt: skip
    return out
