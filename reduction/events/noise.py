"""Noise of a light curve out of events: its sigma, its bad samples, its memory."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.autoregression import (
    LONGEST,
    Process,
    correlation,
    estimated,
    innovations,
    process_of,
    realised,
)
from reduction.events.curve import EventCurve
from reduction.events.results import NoiseModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FADED = 0.05
"""Correlation below which samples count as independent in `NoiseModel.longest_s`."""

TELLING = 5.0
"""Gain in log likelihood from which a curve's sigmas are not believed against one sigma for all."""


def estimate_noise(curve: EventCurve, out: Mask, level: Floats, highest: int = LONGEST) -> NoiseModel:
    """Noise of a curve about a level that was fitted to it.

    Parameters
    ----------
    curve : EventCurve
    out : array of bool, (n_sample,)
        Samples to judge by: those out of events (or whose event is in `level`).
    level : array, (n_sample,)
        What the flux would be without noise.
    highest : int
        Highest order of the autoregression; 0: white.
    """
    good = out & curve.usable & np.isfinite(curve.flux) & np.isfinite(level)
    residual = np.where(good, curve.flux - level, 0.0)
    shape = relative_sigma(curve.sigma, good)
    found = estimated(residual / shape, good, highest)
    weighted = bool((shape != 1.0).any())
    if weighted:
        flat = estimated(residual, good, 0)
        if _log_likelihood(residual[good], flat.sigma, flat.bad_share, flat.bad_ratio) > TELLING + (
            _log_likelihood(residual[good] / shape[good], found.sigma, found.bad_share, found.bad_ratio)
            - float(np.log(shape[good]).sum())
        ):
            found, weighted = estimated(residual, good, highest), False
    if not found.sigma > 0.0:
        return NoiseModel(0.0, (), 1.0, 0.0, weighted=weighted)
    process = process_of(found.ar, np.ones(1, bool))
    return NoiseModel(
        sigma=found.sigma,
        ar=found.ar,
        innovation=float(np.sqrt(process.variance[-1])),
        longest_s=_memory_s(found.ar, curve),
        bad_share=found.bad_share,
        bad_ratio=found.bad_ratio,
        weighted=weighted,
    )


def relative_sigma(sigma: Floats, good: Mask) -> Floats:
    """Sigmas of a curve over their median over good samples; 1 where the curve has none."""
    known = np.isfinite(sigma) & (sigma > 0)
    if not (known & good).any() or not known[good].all():
        return np.ones(sigma.shape)
    return np.where(known, sigma / np.median(sigma[known & good]), 1.0)


def sample_sigma(noise: NoiseModel, curve: EventCurve, out: Mask) -> Floats:
    """Sigma of each sample, ``(n_sample,)``: the curve's own, brought to the noise's scale.

    Parameters
    ----------
    noise : NoiseModel
        Estimated of the samples `out` of this curve.
    curve : EventCurve
    out : array of bool
    """
    if not noise.weighted:
        return np.full(curve.flux.shape, noise.sigma)
    good = out & curve.usable & np.isfinite(curve.flux)
    return noise.sigma * relative_sigma(curve.sigma, good)


@dataclass(frozen=True, slots=True, eq=False)
class Whitener:
    """What makes a curve's residuals white: made once for a mask, used for many residuals.

    Attributes
    ----------
    process : Process
    sigma : array, (n_sample,)
    log_det : float
        Of the covariance of the usable samples, logarithm.
    """

    process: Process
    sigma: Floats
    log_det: float

    @classmethod
    def of(cls, noise: NoiseModel, sigma: Floats, usable: Mask) -> Self:
        """The whitener of usable samples with these sigmas."""
        process = process_of(noise.ar, usable)
        return cls(process, sigma, process.log_det + 2.0 * float(np.log(sigma[usable]).sum()))

    def __call__(self, residuals: Floats) -> Floats:
        """White residuals: their scalar products are those under the inverse covariance."""
        return innovations(self.process, np.nan_to_num(residuals) / self.sigma)

    def log_likelihood(self, residuals: Floats) -> float:
        """Logarithm of the Gaussian likelihood of the usable residuals."""
        white = self(residuals)
        seen = self.process.length - self.process.missing.size
        return -0.5 * (float(white @ white) + self.log_det + seen * float(np.log(2.0 * np.pi)))


def whiten(noise: NoiseModel, residuals: Floats, sigma: Floats, usable: Mask) -> tuple[Floats, float]:
    """Whiten residuals; the exact Gaussian likelihood of an autoregression with missing samples.

    Parameters
    ----------
    noise : NoiseModel
    residuals : array, (n_sample,) or (k, n_sample)
        Flux less model; what is not usable is not looked at.
    sigma : array, (n_sample,)
        Of each sample (`sample_sigma`).
    usable : array of bool, (n_sample,)

    Returns
    -------
    whitened : array
        As `residuals`. Scalar products of two of them are ``r' C^-1 s`` over the usable samples, whose
        covariance is C; so the sum of squares is the chi-square. ``-2 log L = sum of squares + log_det +
        usable.sum() log(2 pi)``.
    log_det : float
        ``log det C``.
    """
    whitener = Whitener.of(noise, sigma, usable)
    return whitener(residuals), whitener.log_det


def simulate(
    noise: NoiseModel, sigma: Floats, usable: Mask, rng: np.random.Generator, bad: bool = True
) -> Floats:
    """A course of the noise, ``(n_sample,)``, in units of flux; NaN where not usable.

    Parameters
    ----------
    noise : NoiseModel
    sigma : array, (n_sample,)
        Of each sample.
    usable : array of bool, (n_sample,)
    rng : Generator
    bad : bool
        With bad samples, as many and as bad as the noise has.
    """
    n = sigma.size
    values = realised(process_of(noise.ar, np.ones(n, bool)), rng.standard_normal(n))
    if bad and noise.bad_share > 0.0:
        hit = rng.random(n) < noise.bad_share
        values = np.where(hit, noise.bad_ratio * rng.standard_normal(n), values)
    return np.where(usable, values * sigma, np.nan)


def bad_samples(noise: NoiseModel, residuals: Floats, sigma: Floats, usable: Mask) -> Mask:
    """Samples that are more likely bad than good, ``(n_sample,)``."""
    if noise.bad_share <= 0.0:
        return np.zeros(sigma.shape, bool)
    odds = np.log((1.0 - noise.bad_share) * noise.bad_ratio / noise.bad_share)
    limit = np.sqrt(2.0 * odds / (1.0 - noise.bad_ratio**-2))
    return np.asarray(usable & (np.abs(residuals) > limit * sigma), np.bool_)


def _log_likelihood(z: Floats, sigma: float, share: float, ratio: float) -> float:
    """Of standardised residuals as good and bad samples, less a constant."""
    if not sigma > 0.0:
        return -np.inf
    square = (z / sigma) ** 2
    near = np.log1p(-share) - 0.5 * square
    if share <= 0.0:
        return float(near.sum()) - z.size * float(np.log(sigma))
    far = np.log(share / ratio) - 0.5 * square / ratio**2
    return float(np.logaddexp(near, far).sum()) - z.size * float(np.log(sigma))


def _memory_s(ar: tuple[float, ...], curve: EventCurve) -> float:
    """Longest time over which samples are correlated, seconds."""
    if not ar:
        return 0.0
    lags = max(min(4 * LONGEST, curve.time_s.size - 1), 1)
    above = np.flatnonzero(np.abs(correlation(ar, lags)) > FADED)
    return float(above.max()) * curve.cadence_s()
