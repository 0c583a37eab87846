"""The sky under each star from all stars' annuli: what a frame shares is known from many more pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRAY = 5.0
"""Sigmas by which a star's sky may differ from what the others say and still be shared."""
LEAST_FRAMES = 30


@dataclass(frozen=True, slots=True, eq=False)
class SharedSky:
    """How stars' skies go together, from the sample frames; arrays ``(n_star,)``.

    Attributes
    ----------
    offset : array
        A star's sky over what the frame shares, ADU.
    spread : array
        Variance of that from frame to frame beyond noise (an upper bound); infinite where the star
        has nothing in common with the others, and its own annulus is all there is.
    """

    offset: Floats
    spread: Floats

    def at(self, sky: Floats, count: Floats, pixel: Floats) -> tuple[Floats, Floats]:
        """Best estimate of each star's sky, and the pixels of a mean that is as precise.

        A star's own annulus, of variance ``pixel / count``, is combined with what the other stars' annuli,
        less their offsets, say of the frame; both by inverse variances (offsets that wander count
        into the second). A star whose sky is `STRAY` sigma off that keeps its own.

        Parameters
        ----------
        sky, count, pixel : array, (n, s)
            Levels, pixels of the annuli, variance of a sky pixel.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            own = pixel / np.maximum(count, 1.0)
            level = sky - self.offset
            known = np.isfinite(level) & np.isfinite(self.spread) & (count > 0) & (own > 0)
            wander = np.where(np.isfinite(self.spread), self.spread, 0.0)
            weight = np.where(known, 1.0 / (own + wander), 0.0)
            middle = _medians(level, known)
            known &= np.abs(level - middle[:, None]) * np.sqrt(weight) <= STRAY
            weight = np.where(known, weight, 0.0)
            part = weight * np.where(known, level, 0.0)
            others = weight.sum(axis=1, keepdims=True) - weight
            said = (part.sum(axis=1, keepdims=True) - part) / others + self.offset
            doubt = 1.0 / others + self.spread
            shared = (others > 0) & np.isfinite(said) & np.isfinite(doubt)
            shared &= np.abs(sky - said) <= STRAY * np.sqrt(own + doubt)
            best = np.where(shared, (sky * doubt + said * own) / (own + doubt), sky)
            worth = np.where(shared, count * (own + doubt) / doubt, count)
        return np.asarray(best, np.float64), np.asarray(worth, np.float64)


def _medians(level: Floats, known: NDArray[np.bool_]) -> Floats:
    """Median of each row's known values; NaN where there is none."""
    if known.all():
        return np.asarray(np.median(level, axis=1), np.float64)
    rows = zip(level, known, strict=True)
    return np.array([np.median(row[good]) if good.any() else np.nan for row, good in rows])


def alone(stars: int) -> SharedSky:
    """Every star's own annulus and nothing else."""
    return SharedSky(np.zeros(stars), np.full(stars, np.inf))


def shared_sky(sky: Floats, count: Floats, pixel: Floats) -> SharedSky:
    """Learn from the sample how stars' skies go together.

    Parameters
    ----------
    sky, count, pixel : array, (k, s)
        Levels, pixels of the annuli and variance of a sky pixel on the sample frames.
    """
    stars = sky.shape[1]
    usable = np.isfinite(sky) & (count > 0)
    good = usable.mean(axis=0) > 0.9
    rows = usable[:, good].all(axis=1)
    if good.sum() < 2 or rows.sum() < LEAST_FRAMES:
        return alone(stars)
    levels = sky[rows][:, good]
    own = (pixel / np.maximum(count, 1.0))[rows][:, good]
    offset, spread = np.zeros(levels.shape[1]), np.zeros(levels.shape[1])
    for _ in range(4):
        weight = 1.0 / (own + spread)
        part = weight * (levels - offset)
        others = weight.sum(axis=1, keepdims=True) - weight
        apart = levels - (part.sum(axis=1, keepdims=True) - part) / others
        offset = np.median(apart, axis=0)
        rest = apart - offset
        seen = np.mean(np.minimum(rest**2, 25.0 * np.median(rest**2, axis=0) / 0.455), axis=0)
        noise = np.mean(own + 1.0 / others, axis=0)
        spread = np.maximum(
            seen * (1.0 + 2.0 * np.sqrt(2.0 / rows.sum())) - noise, 0.02 * np.mean(own, axis=0)
        )
    out = alone(stars)
    out.offset[good], out.spread[good] = offset - np.mean(offset), spread
    return out
