"""Good and bad samples told apart: two Gaussians about zero."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel

Floats = NDArray[Any]

BAD_RATIO = 3.0
"""Sigma of bad samples over that of good ones, at least."""

MOST_BAD = 0.3
"""Share of samples that may be bad."""


@kernel
def mixture(z: Floats) -> tuple[float, float, float]:
    """Sigma of good samples, share of bad ones, and their sigma over that of the good ones.

    Two Gaussians about zero by expectation and maximisation (Dempster, Laird & Rubin 1977, JRSS B 39, 1);
    the wide one only where it is worth its two parameters by Schwarz's criterion.
    """
    n = z.size
    plain = 0.0
    for i in range(n):
        plain += z[i] * z[i]
    plain = math.sqrt(plain / n) if n > 0 else 0.0
    core = 1.4826 * np.sort(np.abs(z))[n // 2] if n > 0 else 0.0
    if n < 8 or not plain > 0.0 or not core > 0.0:
        return plain, 0.0, 1.0
    share, ratio = 0.05, max(2.0 * BAD_RATIO, plain / core)
    log_likelihood = -np.inf
    for _ in range(50):
        before = log_likelihood
        log_likelihood = 0.0
        good, bad, weight = 0.0, 0.0, 0.0
        for i in range(n):
            square = (z[i] / core) ** 2
            near = (1.0 - share) * math.exp(-0.5 * square)
            far = share / ratio * math.exp(-0.5 * square / (ratio * ratio))
            total = near + far
            if not total > 1e-300:
                total, far, near = 1e-300, 1.0, 0.0
                log_likelihood += math.log(share / ratio) - 0.5 * square / (ratio * ratio)
                odds = 1.0
            else:
                log_likelihood += math.log(total)
                odds = far / total
            good += (1.0 - odds) * z[i] * z[i]
            bad += odds * z[i] * z[i]
            weight += odds
        log_likelihood -= n * math.log(core)
        if not (0.0 < weight < n) or not good > 0.0:
            break
        core = math.sqrt(good / (n - weight))
        ratio = max(math.sqrt(bad / weight) / core, BAD_RATIO)
        share = min(max(weight / n, 0.2 / n), MOST_BAD)
        if abs(log_likelihood - before) < 1e-3:
            break
    alone = -0.5 * n - n * math.log(plain)
    if log_likelihood - alone < math.log(n) + 2.0:
        return plain, 0.0, 1.0
    return core, share, ratio


@inner
def bad_from(share: float, ratio: float) -> float:
    """Sigmas from which a sample is more likely bad than good."""
    if share <= 0.0:
        return np.inf
    odds = math.log((1.0 - share) * ratio / share)
    return math.sqrt(2.0 * odds / (1.0 - 1.0 / (ratio * ratio)))
