"""Noise with a memory: an autoregressive process with missing samples, exactly, and its estimate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import autoregression as _compiled
from gpu_kernels._numba import octaves as _octaves
from gpu_kernels._numba import whitening as _whitening

Floats = NDArray[np.float64]

LONGEST = _compiled.LONGEST_LAG
"""Highest order that is fitted."""

PENALTY = _compiled.PENALTY
"""Of each coefficient, on the scale of -2 log likelihood."""


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """An autoregressive process of unit variance, seen at some samples.

    Attributes
    ----------
    table, variance : array, (p + 1, p) and (p + 1,)
        Best predictors of order 0 to p, and the variances that they leave.
    missing : array of int, (m,)
        Samples that are not seen, of `length`.
    factor : array, (m, w + 1)
        Cholesky factor of the precision of the missing samples given those seen, by its band.
    log_det : float
        Logarithm of the determinant of the covariance of the samples seen.
    bounds : array of int, (g + 1,)
        Where the coefficients change from lag to lag: of few ranges, each is taken at once. Empty: of many.
    """

    length: int
    table: Floats
    variance: Floats
    missing: NDArray[np.int64]
    factor: Floats
    log_det: float
    bounds: NDArray[np.int64]

    def backward(self, white: Floats, out: Floats) -> None:
        """The transpose of `innovations`."""
        if self.bounds.size:
            _octaves.backward_by_steps(white, self.table, self.variance, self.bounds, out)
        else:
            _compiled.backward(white, self.table, self.variance, out)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Noise of standardised residuals.

    Attributes
    ----------
    sigma : float
        Of one good sample.
    bad_share, bad_ratio : float
        Share of bad samples, and their sigma over that of the good ones; 0 and 1 where there are none.
    ar : tuple of float
        Coefficients of the sample before, of the one before that, ...; empty for white noise.
    parameters : float
        How many numbers these coefficients were made of.
    """

    sigma: float
    bad_share: float
    bad_ratio: float
    ar: tuple[float, ...]
    parameters: float


def process_of(ar: tuple[float, ...], seen: NDArray[np.bool_]) -> Process:
    """The process with coefficients `ar`, of which the samples `seen` are seen.

    With all samples the innovations ``A x`` are white and ``Q = A'A`` is the inverse of the covariance.
    Of the samples seen alone, the determinant is that of all times det Q_mm (Rue & Held 2005, Gaussian
    Markov Random Fields, ch. 2).

    Parameters
    ----------
    ar : tuple of float
    seen : array of bool, (n,)

    Raises
    ------
    ValueError
        The process is not stationary.
    """
    table, variance = _compiled.predictors(np.array(ar, np.float64))
    if not (variance > 0.0).all():
        raise ValueError(f"the autoregression {ar} is not stationary")
    missing = np.flatnonzero(~seen)
    n, p = seen.size, variance.size - 1
    head = float(np.log(variance[: min(n, p)]).sum())
    log_det = head + max(n - p, 0) * float(np.log(variance[p]))
    factor, extra = _compiled.factor_missing(missing, n, table, variance)
    return Process(n, table, variance, missing, factor, log_det + extra, _ranges(ar))


def _ranges(ar: tuple[float, ...]) -> NDArray[np.int64]:
    """Bounds of the ranges of equal coefficients; empty of more ranges than a quarter of the lags."""
    changes = 1 + np.flatnonzero(np.diff(ar)) if len(ar) > 1 else np.empty(0, np.int64)
    if 4 * (changes.size + 1) > len(ar):
        return np.empty(0, np.int64)
    return np.concatenate([[0], changes, [len(ar)]]).astype(np.int64)


def innovations(process: Process, values: Floats) -> Floats:
    """White values whose scalar products are those of the samples seen under their covariance.

    ``innovations(x) @ innovations(y)`` equals ``x' C^-1 y`` of the samples seen: what is not seen is set
    to what the process expects there. There are n of them; their sum of squares is the chi-square.

    Parameters
    ----------
    process : Process
    values : array, (n,) or (k, n)
        In units of sigma; what is not seen is not looked at.
    """
    rows = np.array(np.atleast_2d(values), np.float64, order="C")
    out = np.empty_like(rows)
    _whitening.whitened_rows(
        rows, process.table, process.variance, process.missing, process.factor, process.bounds, out
    )
    return out.reshape(np.shape(values))


def weighed(process: Process, values: Floats) -> Floats:
    """``C^-1 x`` of the samples seen, 0 at the others; ``(n,)``.

    Parameters
    ----------
    process : Process
    values : array, (n,)
        In units of sigma.
    """
    return transposed(process, innovations(process, values))


def transposed(process: Process, white: Floats) -> Floats:
    """The transpose of `innovations`: what of each sample seen is in white values, ``(n,)``.

    Parameters
    ----------
    process : Process
    white : array, (n,)
        A sum of what `innovations` returned.
    """
    out = np.empty(process.length)
    process.backward(np.ascontiguousarray(white, np.float64), out)
    out[process.missing] = 0.0
    return out


def realised(process: Process, white: Floats) -> Floats:
    """A course of the process out of white noise of unit variance, ``(n,)``; missing samples too."""
    out = np.empty(process.length)
    _compiled.process(np.ascontiguousarray(white, np.float64), process.table, process.variance, out)
    return out


def estimated(
    values: Floats, good: NDArray[np.bool_], highest: int = LONGEST, mixed: bool = True
) -> Estimate:
    """Sigma, bad samples and memory of residuals.

    Good and bad samples are two Gaussians about zero. The memory is an autoregression: of every lag up
    to 10, averaged over the orders by Akaike weights, or of means over the last 1, 2, 4, ... samples,
    whichever describes the autocovariances better. Few samples stay white unless they show otherwise.

    Parameters
    ----------
    values : array, (n,)
        Residuals about a level that was taken from these samples, over their sigmas.
    good : array of bool, (n,)
        Samples to judge by.
    highest : int
        Highest order; 0: white.
    mixed : bool
        Whether some samples may be bad.
    """
    found = _compiled.estimate(
        np.ascontiguousarray(values, np.float64), np.ascontiguousarray(good, np.bool_), highest, mixed
    )
    return Estimate(
        float(found[0]), float(found[1]), float(found[2]), tuple(found[3].tolist()), float(found[4])
    )


def correlation(ar: tuple[float, ...], lags: int) -> Floats:
    """Correlation of samples 0 to `lags` apart, ``(lags + 1,)``."""
    return np.asarray(_compiled.correlation(np.array(ar, np.float64), lags), np.float64)
