"""Pass 1: the place of a faint target, from all sample frames rather than the few that make the reference."""

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba.stars import SEEN
from gpu_kernels.align import Transform, add_registered, fit_stars
from gpu_kernels.detect import clipped_sigma
from reduction.register import Registered
from reduction.sweep import each_image
from reduction.view import View

Floats = NDArray[np.float64]
FAINT_SNR = 100.0
"""Of a star in all sample frames together, above which the reference image places it well enough."""

LEAST_SNR = 6.0
LEAST_FRAMES = 8
LARGEST_MOVE_PX = 1.0


def settle_faint(view: View, registered: Registered, u: float, v: float) -> tuple[float, float]:
    """Place of a star on the grid from the mean of all placed sample frames around it.

    The reference image is the mean of a few frames; a star that is barely seen on one lies there by
    ``sigma / snr`` beside its place, which goes into every forced position.

    Parameters
    ----------
    view : View
    registered : Registered
    u, v : float
        Place found on the reference image; kept for a bright star, or where the fit leads away.
    """
    sigma = registered.field.sigma
    half = int(np.ceil(4.0 * sigma)) + 6
    left, top = round(u) - half, round(v) - half
    window = Transform(1.0, 0.0, float(left), float(top))
    size = 2 * half + 1
    total, count = np.zeros((size, size)), np.zeros((size, size))
    for k, image, _ in each_image(view, registered.index):
        placement = registered.placements[k]
        if not placement.found:
            continue
        column, row = placement.transform.apply(np.array([u]), np.array([v]))
        first, line = round(float(column[0])) - half, round(float(row[0])) - half
        part = image[max(line, 0) : line + size, max(first, 0) : first + size]
        if part.shape == total.shape:
            back = Transform(1.0, 0.0, -float(first), -float(line))
            add_registered(part, back.after(placement.transform.after(window)), total, count)
    if count[half, half] < LEAST_FRAMES:
        return u, v
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count >= 0.5 * count[half, half])
    rows, columns = np.indices(mean.shape)
    around = np.hypot(columns - (u - left), rows - (v - top)) > 3.0 * sigma + 1.0
    noise = clipped_sigma(mean[around])
    if not noise > 0.0:
        return u, v
    at = np.array([u - left]), np.array([v - top])
    fit = fit_stars(mean.astype(np.float32), *at, 1, sigma, noise**2, 0.0, np.inf)
    x, y, snr = float(fit.x[0]) + left, float(fit.y[0]) + top, float(fit.snr[0])
    moved = np.hypot(x - u, y - v)
    if fit.status[0] != SEEN or not LEAST_SNR <= snr < FAINT_SNR or moved > LARGEST_MOVE_PX:
        return u, v
    return x, y
