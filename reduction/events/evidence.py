"""What a run of low samples is worth: against slow noise, and against bad samples.

A run may look like an event without one in two ways. Noise may have a longer memory and a larger sigma than
it shows once the run has been taken out; and some of the run's samples may be bad ones. The score is that
against the better of the two explanations. One low sample is a bad one at the price of one, however low it
is; of a run of consistent low samples each has to be paid for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.autoregression import (
    PENALTY,
    Process,
    estimated,
    innovations,
    process_of,
    transposed,
)
from gpu_kernels.runs import Run
from reduction.events.results import NoiseModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BAD_RATIO = 10.0
"""Sigma of bad samples over that of good ones, where a curve shows none."""

MOST_DOUBTED = 64
"""Samples of a run that are taken for bad ones: so many that agree are never bad."""

ROUNDS = 3
"""Of telling bad samples by their neighbours, when the worst of them are known."""

ONE_BY_ONE = 8
"""Of them those that only their neighbours give away."""


def price_of_bad(noise: NoiseModel, samples: int) -> float:
    """Twice the log odds of a good sample, as expected, against a bad one.

    A curve of n samples that shows no bad one may still have one in 2 n. A bad one may be of any size: its
    density is taken as that of small ones.
    """
    share = max(noise.bad_share, 0.5 / max(samples, 1))
    ratio = max(noise.bad_ratio, BAD_RATIO) if noise.bad_share <= 0.0 else noise.bad_ratio
    return max(2.0 * float(np.log((1.0 - share) * ratio / share)), 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Samples of a curve without gaps, in units of their sigmas.

    Attributes
    ----------
    values : array, (n,)
        Over their sigmas, about a level.
    basis : array, (k, n)
        What is fitted for the level, over the sigmas.
    shape : array, (n,)
        A loss of one in the run, over the sigmas.
    """

    values: Floats
    basis: Floats
    shape: Floats

    @classmethod
    def of(cls, values: Floats, sigma: Floats, basis: Floats, run: Run) -> "Weighed":
        """Of a run of samples `values`, which have these sigmas."""
        shape = np.zeros(values.size)
        shape[run.first : run.stop] = -1.0
        return cls(values / sigma, basis / sigma, shape / sigma)

    def left(self, process: Process, event: bool) -> Floats:
        """Residuals about the level, or about level and loss, fitted by the samples that `process` sees."""
        columns = np.vstack([self.basis, self.shape[None, :]]) if event else self.basis
        white = innovations(process, np.vstack([columns, self.values[None, :]]))
        found, *_ = np.linalg.lstsq(white[:-1].T, white[-1], rcond=None)
        return np.asarray(self.values - found @ columns, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a run is worth.

    Attributes
    ----------
    gain : float
        Twice the gain in log likelihood by a loss in the run, against the better explanation without. In
        white noise, of many samples and a run of which none is doubtful, the square of its significance.
    doubted : array of bool, (n,)
        Samples of the run that are bad if there is no event.
    """

    gain: float
    doubted: Mask


def evidence(samples: Weighed, noise: NoiseModel, run: Run) -> Evidence:
    """Weigh a loss in a run against slow noise and against bad samples."""
    every = process_of(noise.ar, np.ones(samples.values.size, bool))
    with_event = samples.left(every, True)
    gain = against_noise(samples.left(every, False), with_event)
    bad = against_bad(samples, noise, run)
    return Evidence(min(gain, bad.gain), bad.doubted)


def against_noise(without: Floats, with_event: Floats) -> float:
    """Gain of residuals with an event over those without, the noise of each estimated from themselves.

    Noise whose memory was estimated after a run had been taken out knows nothing of what made that run
    stand out: slow noise would always look significant. So the curve without an event may have a longer
    memory, and a larger sigma, than that with one; each further coefficient costs as in the estimate.
    """
    return _criterion(without) - _criterion(with_event)


def _criterion(residual: Floats) -> float:
    """Twice the negative log likelihood of residuals as autoregressive noise, and its penalty."""
    every = np.ones(residual.size, bool)
    found = estimated(residual, every, mixed=False)
    process = process_of(found.ar, every)
    white = innovations(process, residual)
    square = float(white @ white) / residual.size
    return residual.size * float(np.log(max(square, 1e-300))) + process.log_det + PENALTY * found.parameters


def against_bad(samples: Weighed, noise: NoiseModel, run: Run) -> Evidence:
    """Gain of an event over bad samples in its run, the noise being the same.

    The likelihood without an event is that of the other samples alone, and each bad one has its price
    (`price_of_bad`). Bad are those beyond that price by themselves, and those that their neighbours, by the
    noise's memory, would not let be there. With an event a sample may be bad as well, at the same price; or
    it lies anywhere between bottom and level, of an edge or of an event that has no flat bottom.
    """
    price = price_of_bad(noise, samples.values.size)
    inside = slice(run.first, run.stop)
    seen = np.ones(samples.values.size, bool)
    seen[inside] = samples.values[inside] ** 2 <= price
    if seen.size - seen.sum() > MOST_DOUBTED:
        return Evidence(np.inf, ~seen)
    without, doubted = _cost(samples, noise, run, seen, np.full(run.stop - run.first, price), False)
    seen, costs = _of_event(samples, run, price)
    return Evidence(without - _cost(samples, noise, run, seen, costs, True)[0], doubted)


def _of_event(samples: Weighed, run: Run, price: float) -> tuple[Mask, Floats]:
    """Samples that a flat event explains, and what each of the run costs that is none of them."""
    inside = slice(run.first, run.stop)
    seen = np.ones(samples.values.size, bool)
    costs = np.full(run.stop - run.first, price)
    values, shape = samples.values[inside], samples.shape[inside]
    if values.size > 2:
        bottom = float(np.median(values / shape)) * shape
        seen[inside] = (values - bottom) ** 2 <= price
        between = (values > bottom) & (values < 0.0)
        evenly = 2.0 * np.log(2.0 * np.maximum(-bottom, 1.0) / np.sqrt(2.0 * np.pi))  # every other one
        costs = np.where(between, np.clip(evenly, 0.0, price), price)
    return seen, costs


def _cost(
    samples: Weighed, noise: NoiseModel, run: Run, seen: Mask, costs: Floats, event: bool
) -> tuple[float, Mask]:
    """Least of twice the negative log likelihood, as ever more samples of the run are left out, and which."""
    seen, least, out = seen.copy(), np.inf, ~seen
    inside = slice(run.first, run.stop)
    for _ in range(ONE_BY_ONE):
        process = process_of(noise.ar, seen)
        white = innovations(process, samples.left(process, event))
        value = float(white @ white) + process.log_det + float(costs[~seen[inside]].sum())
        if value < least:
            least, out = value, ~seen
        if not noise.ar:
            break
        doubt = conditional(process, white)[inside] ** 2
        worst = int(np.argmax(doubt))
        if doubt[worst] <= costs[worst] + sharpness(process):
            break
        seen[run.first + worst] = False
    return least, out


def conditional(process: Process, white: Floats) -> Floats:
    """How far each sample is from what all others let expect, in sigmas; 0 of those not seen.

    ``(C^-1 r)_i / sqrt((C^-1)_ii)``, the latter as within a long course without gaps.

    Parameters
    ----------
    process : Process
    white : array, (n,)
        Innovations of the residuals r.
    """
    return transposed(process, white) * float(np.exp(-0.5 * sharpness(process)))


def sharpness(process: Process) -> float:
    """Logarithm of the variance of a sample over that which all others leave it."""
    p = process.variance.size - 1
    return float(np.log((1.0 + (process.table[p, :p] ** 2).sum()) / process.variance[p]))


def bad_among(values: Floats, noise: NoiseModel) -> Mask:
    """Samples that are more likely bad than good, by themselves or beside their neighbours, ``(n,)``.

    Parameters
    ----------
    values : array, (n,)
        Residuals of samples without gaps, over their sigmas.
    noise : NoiseModel
    """
    price = price_of_bad(noise, values.size)
    bad: Mask = values**2 > price
    for _ in range(ROUNDS if noise.ar else 0):
        process = process_of(noise.ar, ~bad)
        off = np.abs(conditional(process, innovations(process, values)))
        beside = np.concatenate([[0.0], off, [0.0]])
        now = (off**2 > price + sharpness(process)) & (off >= beside[:-2]) & (off >= beside[2:])
        if not now.any():
            break
        bad |= now
    return bad
