"""Bad samples: those that no edge explains are left out; beside an edge every likely choice is tried.

A sample far from an edge is plainly good or bad. One beside an edge may be the edge itself, cut through an
exposure, or a bad sample: then the event is fitted once with it and once without, and both answers count by
their probability.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from reduction.events.flanks import Floats
from reduction.events.results import NoiseModel

Mask = NDArray[np.bool_]

LEAST_RATIO = 5.0
"""Width of a bad sample where the curve shows none, in sigmas of a good one."""

UNSEEN = 0.3
"""Bad samples that a curve may hold in which none was seen."""

BEYOND = 4.5
"""Sigmas above the level, or below the event's bottom, from which no edge explains a sample."""


@dataclass(frozen=True, slots=True)
class Contamination:
    """Share of bad samples (Cauchy's density: as bad as they may be), and their width, in sigmas."""

    share: float
    ratio: float

    @classmethod
    def of(cls, noise: NoiseModel, seen: int) -> Self:
        """As the noise of the curve shows it."""
        return cls(max(noise.bad_share, UNSEEN / seen), max(noise.bad_ratio, LEAST_RATIO))

    def log_odds(self) -> float:
        """Logarithm of bad over good, for a sample just as expected."""
        return float(np.log(self.share / (1.0 - self.share) * np.sqrt(2.0 / np.pi) / self.ratio))

    def bad_over_good(self, z: Floats) -> Floats:
        """Logarithm of bad over good, of standardised residuals."""
        square = z * z
        log: Floats = self.log_odds() + 0.5 * square - np.log1p(square / self.ratio**2)
        return log

    def log_density(self, z: Floats) -> Floats:
        """Logarithm of the density of standardised residuals, good or bad; about 0 at 0."""
        mixed: Floats = -0.5 * z * z + np.logaddexp(0.0, self.bad_over_good(z))
        return mixed

    def log_bad(self, z: Floats, sigma: Floats) -> float:
        """Logarithm of the probability density of bad samples over the chance of as many good ones."""
        density = (
            self.share / (1.0 - self.share) / (np.pi * self.ratio * sigma * (1.0 + (z / self.ratio) ** 2))
        )
        return float(np.log(density).sum())

    def limit(self) -> float:
        """Sigmas from which a sample is more likely bad than good."""
        z = np.linspace(1.0, 12.0, 221)
        bad = self.bad_over_good(z) > 0
        return float(z[bad][0]) if bad.any() else 12.0


def left_within(limit: float) -> float:
    """Sigma of Gaussian noise over its own, once samples beyond so many sigmas are left out."""
    share = math.erf(limit / math.sqrt(2.0))
    return math.sqrt(1.0 - 2.0 * limit * math.exp(-0.5 * limit * limit) / math.sqrt(2.0 * math.pi) / share)


def unexplained(
    flux: Floats, gone: Floats, levels: tuple[Floats, Floats], sigma: Floats, near: Mask, limit: float
) -> Mask:
    """Samples that no event of these levels explains.

    Parameters
    ----------
    flux, gone : array, (n_sample,)
        Flux, and share of the event that the present model takes there.
    levels : tuple of array
        Out of the event and in it, at each sample.
    sigma : array, (n_sample,)
    near : array of bool
        Samples by an edge, which may lie anywhere between the levels.
    limit : float
        Sigmas.
    """
    top, bottom = levels
    off = np.abs(flux - top + gone * (top - bottom)) > limit * sigma
    far = max(limit, BEYOND) * sigma
    found: Mask = np.where(near, (flux > top + far) | (flux < bottom - far), off)
    return found
