"""Autoregressive noise: predictors of every order, innovations, missing samples, estimates from a curve."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.mixture import bad_from, mixture

Floats = NDArray[Any]
Mask = NDArray[Any]

MOST_DENSE = 10
"""Order up to which every lag has a coefficient of its own."""

LONGEST_LAG = 256
"""Longest lag of the means over octaves."""

LEAST_PER_LAG = 8
"""Samples per lag that a coefficient is taken from."""

LEAST_SAMPLES = 16
"""Samples from which a memory is looked for."""

BLOCK, LONG_BLOCK = 64, 512
"""Samples of the means whose scatter tells whether a long curve has more memory than single lags."""

MOST_MIXED = 8192
"""Samples that good and bad ones are told apart by; of a longer curve every so manieth."""

LANES = 16
"""Sums kept side by side."""

PENALTY = 3.0
"""Of each coefficient, on the scale of -2 log likelihood: between Akaike's 2 and Schwarz's log n."""


@kernel
def predictors(ar: Floats) -> tuple[Floats, Floats]:
    """Best predictors of order 0 to p of a process of unit variance, and the variances they leave.

    Step-down recursion (Durbin 1960, Rev. Inst. Int. Stat. 28, 233). Row m of the table holds the
    coefficients of the sample before, the one before that, ... . A variance of 0: not stationary.
    """
    p = ar.size
    table, variance = np.zeros((p + 1, max(p, 1))), np.zeros(p + 1)
    table[p, :p] = ar
    for m in range(p, 1, -1):
        k = table[m, m - 1]
        if not abs(k) < 1.0:
            return table, np.zeros(p + 1)
        for j in range(m - 1):
            table[m - 1, j] = (table[m, j] + k * table[m, m - 2 - j]) / (1.0 - k * k)
    variance[0] = 1.0
    for m in range(1, p + 1):
        k = table[m, m - 1]
        if not abs(k) < 1.0:
            return table, np.zeros(p + 1)
        variance[m] = variance[m - 1] * (1.0 - k * k)
    return table, variance


@kernel
def backward(values: Floats, table: Floats, variance: Floats, out: Floats) -> None:
    """The transpose of the innovations of a row (`whitening.whitened_rows`)."""
    p, n = variance.size - 1, values.size
    out[:] = 0.0
    for t in range(n):
        m = min(t, p)
        row = table[m]
        scaled = values[t] / math.sqrt(variance[m])
        out[t] += scaled
        for j in range(m):
            out[t - 1 - j] -= row[j] * scaled


@kernel
def process(noise: Floats, table: Floats, variance: Floats, out: Floats) -> None:
    """The inverse of `innovations`: a process of unit variance out of white noise."""
    p = variance.size - 1
    for t in range(noise.size):
        m = min(t, p)
        row = table[m]
        total = noise[t] * math.sqrt(variance[m])
        for j in range(m):
            total += row[j] * out[t - 1 - j]
        out[t] = total


@inner
def _weight(t: int, i: int, table: Floats, variance: Floats) -> float:
    """How innovation t depends on sample i, ``i <= t``."""
    m = min(t, variance.size - 1)
    if i == t:
        return 1.0 / math.sqrt(variance[m])
    return float(-table[m, t - 1 - i] / math.sqrt(variance[m])) if t - i <= m else 0.0


@kernel
def factor_missing(missing: NDArray[Any], n: int, table: Floats, variance: Floats) -> tuple[Floats, float]:
    """Cholesky factor of the precision of the missing samples given the others, and its log determinant.

    Row k of the factor, ``(m, w + 1)``, holds column ``k - w`` to ``k``: two missing samples further apart
    than the order do not depend on each other directly.
    """
    p, m = variance.size - 1, missing.size
    width = 0
    for k in range(m):
        back = k
        while back > 0 and missing[k] - missing[back - 1] <= p:
            back -= 1
        width = max(width, k - back)
    factor, log_det = np.zeros((m, width + 1)), 0.0
    for k in range(m):
        first = max(0, k - width)
        for row in range(first, k + 1):
            i, j = missing[row], missing[k]
            total = 0.0
            for t in range(j, min(n, i + p + 1)):
                total += _weight(t, i, table, variance) * _weight(t, j, table, variance)
            for c in range(max(first, row - width), row):
                total -= factor[row, c - row + width] * factor[k, c - k + width]
            if row == k:
                factor[k, width] = math.sqrt(max(total, 1e-300))
                log_det += math.log(max(total, 1e-300))
            else:
                factor[k, row - k + width] = total / factor[row, width]
    return factor, log_det


@kernel
def solve_missing(factor: Floats, right: Floats) -> None:
    """Solve for the missing samples in place."""
    m, width = factor.shape[0], factor.shape[1] - 1
    for k in range(m):
        total = right[k]
        for c in range(max(0, k - width), k):
            total -= factor[k, c - k + width] * right[c]
        right[k] = total / factor[k, width]
    for k in range(m - 1, -1, -1):
        total = right[k]
        for c in range(k + 1, min(m, k + width + 1)):
            total -= factor[c, k - c + width] * right[c]
        right[k] = total / factor[k, width]


@kernel
def autocovariance(z: Floats, good: Mask, lags: int) -> Floats:
    """Mean products of samples 0 to `lags` apart, both good: each lag by its own pairs."""
    n = z.size
    masked, ok = np.zeros(n), np.zeros(n, np.uint8)
    for i in range(n):
        if good[i]:
            masked[i], ok[i] = z[i], 1
    gaps = not good.all()
    out, lanes = np.zeros(lags + 1), np.zeros(LANES)
    for k in range(lags + 1):
        total, pairs = 0.0, n - k
        a, b = masked[: n - k], masked[k:]
        lanes[:] = 0.0
        whole = (n - k) // LANES * LANES
        for base in range(0, whole, LANES):
            for i in range(LANES):
                lanes[i] += a[base + i] * b[base + i]
        for i in range(whole, n - k):
            total += a[i] * b[i]
        total += lanes.sum()
        if gaps:
            pairs = 0
            for i in range(n - k):
                pairs += ok[i] & ok[i + k]
        count = float(pairs)
        # a shrinkage by the pairs that are missing at the end keeps the sequence that of some process
        out[k] = total / count * (1.0 - k / n) if count > 0.0 else 0.0
    return out


@inner
def _levinson(c: Floats, order: int, partial: Floats) -> int:
    """Partial correlations of order 1 to `order`; returns the order up to which they are below one."""
    a, b = np.zeros(order + 1), np.zeros(order + 1)
    v = c[0]
    for m in range(1, order + 1):
        total = c[m]
        for j in range(1, m):
            total -= a[j] * c[m - j]
        k = total / v if v > 0.0 else 0.0
        if not abs(k) < 0.98:
            return m - 1
        for j in range(1, m):
            b[j] = a[j] - k * a[m - j]
        b[m] = k
        a[1 : m + 1] = b[1 : m + 1]
        v *= 1.0 - k * k
        partial[m - 1] = k
    return order


@kernel
def from_partial(partial: Floats) -> Floats:
    """Coefficients of the autoregression with these partial correlations (Levinson's step up)."""
    p = partial.size
    a, b = np.zeros(p), np.zeros(p)
    for m in range(p):
        k = partial[m]
        for j in range(m):
            b[j] = a[j] - k * a[m - 1 - j]
        b[m] = k
        a[: m + 1] = b[: m + 1]
    return a


@inner
def _dense(c: Floats, n: float, most: int) -> tuple[Floats, float, float]:
    """Autoregression with a coefficient for every lag, averaged over orders; its criterion's least value.

    Partial correlation k is shrunk by the weight of the orders from k up (Akaike's weights); the sum of
    these weights counts as the number of coefficients.
    """
    partial = np.zeros(most)
    most = _levinson(c, most, partial)
    score, value, least = np.zeros(most + 1), 0.0, 0.0
    for k in range(most):
        value += n * math.log(1.0 - partial[k] ** 2) + PENALTY
        score[k + 1] = value
        least = min(least, value)
    weight, total = np.exp(-0.5 * (score - least)), 0.0
    for k in range(most + 1):
        total += weight[k]
    above, order, counted = 0.0, 0, 0.0
    for k in range(most, 0, -1):
        above += weight[k] / total
        partial[k - 1] *= above
        counted += above
        if order == 0 and above > 0.1:
            order = k
    return from_partial(partial[:order]), least, counted


@inner
def _octave_moments(c: Floats, number: int) -> tuple[Floats, Floats]:
    """Covariances of means over the last 1, 2, 4, ... samples, and theirs with the next sample."""
    gram, right = np.zeros((number, number)), np.zeros(number)
    for i in range(number):
        one = 2**i
        for k in range(1, one + 1):
            right[i] += c[k] / one
        for j in range(i, number):
            other = 2**j
            total = 0.0
            for k in range(1 - one, other):  # lag between the samples of the two means, and how often
                total += c[abs(k)] * (min(one, other - k) - max(0, -k))
            gram[i, j] = gram[j, i] = total / (one * other)
        gram[i, i] += 1e-9 * c[0]
    return gram, right


@inner
def _solved(matrix: Floats, right: Floats) -> Floats:
    """Solution of a symmetric positive system; NaN where it is none."""
    n = right.size
    factor, x = np.zeros((n, n)), right.copy()
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            factor[i, j] = math.sqrt(total) if i == j else total / factor[j, j]
        for j in range(i):
            x[i] -= factor[i, j] * x[j]
        x[i] /= factor[i, i]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            x[i] -= factor[j, i] * x[j]
        x[i] /= factor[i, i]
    return x


@inner
def _octaves(c: Floats, gram: Floats, right: Floats, n: float) -> tuple[Floats, float]:
    """Autoregression on means over the last 1, 2, 4, ... samples (Corsi 2009, J. Fin. Econometrics 7, 174).

    A few coefficients follow noise whose memory fades slowly, as 1/f noise does. Returns coefficients of
    single lags, and the criterion; no coefficients where the fit has no solution.
    """
    number = right.size
    beta = _solved(gram, right)
    left = c[0] - (beta * right).sum()
    if not 0.01 * c[0] < left <= c[0]:
        return np.zeros(0), np.inf
    a = np.zeros(2 ** (number - 1))
    for i in range(number):
        a[: 2**i] += beta[i] / 2**i
    for _ in range(40):
        _, variance = predictors(a)
        if variance[-1] > 0.0:
            return a, n * math.log(left / c[0]) + PENALTY * number
        fade = 1.0
        for j in range(a.size):
            fade *= 0.995
            a[j] *= fade
    return np.zeros(0), np.inf


@kernel
def correlation(a: Floats, lags: int) -> Floats:
    """Correlation of samples 0 to `lags` apart, 0 from where it has faded."""
    p = a.size
    table, variance = predictors(a)
    rho = np.zeros(lags + 1)
    rho[0] = 1.0
    largest = 0.0
    for k in range(1, lags + 1):
        value = 0.0
        if k <= p:
            for j in range(k - 1):
                value += table[k - 1, j] * rho[k - 1 - j]
            value += table[k, k - 1] * variance[k - 1]
        else:
            for j in range(p):
                value += a[j] * rho[k - 1 - j]
        rho[k] = value
        largest = max(largest, abs(value))
        if k > p and k % (p + 1) == 0:
            if largest < 1e-12:
                break
            largest = 0.0
    return rho


@inner
def _mean_variance(a: Floats, n: int) -> float:
    """Variance of the mean of `n` samples of a process of unit variance."""
    rho, total = correlation(a, n - 1), 1.0
    for k in range(1, n):
        total += 2.0 * (1.0 - k / n) * rho[k]
    return max(total, 0.0) / n


@inner
def _more_memory(z: Floats, ok: Mask, sigma: float, a: Floats, block: int) -> bool:
    """Whether means over blocks scatter more than an autoregression has it."""
    total, blocks = 0.0, 0
    for base in range(0, z.size - block + 1, block):
        some, count = 0.0, 0
        for i in range(base, base + block):
            if ok[i]:
                some += z[i]
                count += 1
        if 2 * count >= block:
            total += some * some / count
            blocks += 1
    if blocks == 0:
        return True
    expected = _mean_variance(a, block) * block * sigma * sigma
    return total / blocks > expected * (1.0 + 2.5 * math.sqrt(2.0 / blocks))


@kernel
def estimate(z: Floats, good: Mask, ar_most: int, mixed: bool) -> tuple[float, float, float, Floats, float]:
    """Noise of standardised residuals: sigma, share of bad samples, their sigma over it, autoregression.

    The mean (or a low polynomial) had been taken off the same samples: what that took from the
    covariances is given back, once the coefficients are known, and they are found again. Without `mixed`
    all samples are good ones.
    """
    n = 0
    for i in range(z.size):
        n += good[i]
    some = np.empty(n)
    n = 0
    for i in range(z.size):
        if good[i]:
            some[n] = z[i]
            n += 1
    sigma, share, ratio = 0.0, 0.0, 1.0
    if mixed:
        stride = (n + MOST_MIXED - 1) // MOST_MIXED
        sigma, share, ratio = mixture(some[:: max(stride, 1)].copy())
    elif n > 0:
        sigma = math.sqrt((some * some).sum() / n)
    if n < LEAST_SAMPLES or not sigma > 0.0 or ar_most == 0:
        return sigma, share, ratio, np.zeros(0), 0.0
    limit = bad_from(share, ratio) * sigma
    ok = np.empty(z.size, np.bool_)
    for i in range(z.size):
        ok[i] = good[i] and abs(z[i]) <= limit
    most = min(MOST_DENSE, ar_most, n // LEAST_PER_LAG)
    longest, octaves = 1, 1
    while longest * 2 <= min(LONGEST_LAG, ar_most, n // LEAST_PER_LAG):
        longest, octaves = longest * 2, octaves + 1
    raw = autocovariance(z, ok, max(most, longest) if n < BLOCK * BLOCK else most)
    lost, a, counted = 0.0, np.zeros(0), 0.0
    if octaves >= 3 and n >= BLOCK * BLOCK:
        a, _, _ = _dense(raw, n, most)
        if _more_memory(z, ok, sigma, a, BLOCK) or _more_memory(z, ok, sigma, a, LONG_BLOCK):
            raw = autocovariance(z, ok, max(most, longest))
        else:
            octaves = 1
    c = raw.copy()
    for _ in range(3):
        for k in range(c.size):
            c[k] = raw[k] + lost * raw[0]
        a, score, counted = _dense(c, n, most)
        if octaves >= 3:
            gram, right = _octave_moments(c, octaves)
            for number in range(3, octaves + 1):
                part = np.ascontiguousarray(gram[:number, :number])
                other, value = _octaves(c, part, right[:number].copy(), n)
                if other.size > 0 and value < score:
                    a, score, counted = other, value, float(number)
        if a.size == 0:
            break
        taken = min(_mean_variance(a, z.size), 0.5)
        lost = taken / (1.0 - taken)
    return sigma * math.sqrt(1.0 + lost), share, ratio, a, counted
