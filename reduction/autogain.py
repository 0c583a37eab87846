"""Pass 1: whether the camera changed its gain by itself while it recorded."""

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.detect import clipped_sigma
from reduction.caveats import Caveat, Note
from reduction.sample import Sample
from reduction.view import View

Floats = NDArray[np.float64]

LOOKED_AT = 60
LEAST_FRAMES = 12
PIXELS = 20_000

RANGE = 1.12
"""Ratio of stars' common brightness, 95th over 5th percentile, from which on its cause is asked for."""

SLOPE = (0.75, 1.3)
"""Slope of log noise over log brightness that gain explains: it multiplies both alike.

Clouds dim stars and leave the noise (a brighter sky even raises it); the photon noise of a sky that dims with
them goes with the square root: 0.5 at most."""

CORRELATION = 0.9


def noise_of(image: NDArray[np.generic]) -> float:
    """Noise of a sky pixel of one image, from differences of neighbouring pixels of every other row."""
    step = max(1, round(image.size / PIXELS / 2))
    change = np.diff(image[::step].astype(np.float64), axis=1)
    return clipped_sigma(change) / float(np.sqrt(2.0))


def gain_note(view: View, sample: Sample, references: NDArray[np.bool_]) -> Note | None:
    """A caveat where stars and noise rise and fall together, as only a changing gain makes them.

    Parameters
    ----------
    view : View
    sample : Sample
        Fluxes of all stars on the placed frames of the sample.
    references : array, (star,), bool
        Stars whose common brightness is looked at.
    """
    if not references.any() or sample.kept.size < LEAST_FRAMES:
        return None
    middle = sample.flux.shape[2] // 2
    light = np.where(sample.complete[:, references], sample.flux[:, references, middle], np.nan).sum(axis=1)
    usable = np.flatnonzero(np.isfinite(light) & (light > 0))
    if usable.size < LEAST_FRAMES:
        return None
    low, high = np.percentile(light[usable], [5.0, 95.0])
    if high < RANGE * low:
        return None
    chosen = usable[np.unique(np.linspace(0, usable.size - 1, LOOKED_AT).round().astype(int))]
    noise = np.array([noise_of(view.sampled(int(k), int(k) + 1)[0].values) for k in sample.kept[chosen]])
    slope, correlation = _line(np.log(light[chosen]), noise)
    if not (SLOPE[0] <= slope <= SLOPE[1] and correlation >= CORRELATION):
        return None
    return Note(
        Caveat.AUTOMATIC_GAIN,
        f"Stars and noise rise and fall together, by a factor of {high / low:.2f}: the camera changed its "
        "gain by itself. Ratios hold, but sigmas only on average. Switch automatic gain off when recording.",
    )


def _line(brightness: Floats, noise: Floats) -> tuple[float, float]:
    """Slope of log noise over log brightness, and their correlation."""
    good = np.isfinite(noise) & (noise > 0)
    if good.sum() < LEAST_FRAMES:
        return 0.0, 0.0
    x, y = brightness[good] - brightness[good].mean(), np.log(noise[good])
    y = y - y.mean()
    xx, yy = float((x * x).sum()), float((y * y).sum())
    if xx == 0.0 or yy == 0.0:
        return 0.0, 0.0
    xy = float((x * y).sum())
    return xy / xx, xy / float(np.sqrt(xx * yy))
