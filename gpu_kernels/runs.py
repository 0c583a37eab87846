"""Runs of low samples: matched search over all starts and lengths by sums from the beginning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic import runs as _elsewhere
from gpu_kernels._numba import runs as _compiled
from gpu_kernels.autoregression import Process
from gpu_kernels.device import Array, on_host

Floats = NDArray[np.float64]

STEP = 1.03
"""Ratio of neighbouring lengths of the ladder: no run is further than 1.5 % from one of them, which costs
less than 0.8 % of its significance before the ends are refined."""


@dataclass(frozen=True, slots=True)
class Run:
    """Samples `first` up to, not including, `stop`; `significance` in sigma, positive of low ones."""

    first: int
    stop: int
    significance: float


def ladder(longest: int, step: float = STEP) -> NDArray[np.int64]:
    """Lengths from 1 to `longest`: every one at first, then each `step` times the one before."""
    lengths, length = [], 1
    while length <= longest:
        lengths.append(length)
        length = max(length + 1, round(length * step))
    if lengths and lengths[-1] != longest:
        lengths.append(longest)
    return np.array(lengths, np.int64)


def run_information(process: Process) -> tuple[Floats, Floats]:
    """Information on a common loss of the samples of a run, by its length: ``1' C^-1 1``.

    C is the covariance of all samples of a process without missing ones, 1 the run's.

    Returns
    -------
    inside, ending : array, (n + 1,)
        Of runs with samples on either side, and of those that touch an end of the recording. A run
        nearer to an end than the process' order is taken as inside.
    """
    n, p = process.length, process.variance.size - 1
    a, v = process.table[p, :p], process.variance
    summed = np.concatenate([[0.0], np.cumsum(a)])
    length = np.arange(n + 1)
    head = (1.0 - summed[np.minimum(np.arange(n), p)]) ** 2 / v[p]
    # what a run's end does to the samples behind it: for each of them the coefficients that reach the run
    short, k = np.arange(p + 1)[None, :], np.arange(p)[:, None]
    reached = summed[np.minimum(k + short, p)] - summed[k]
    tail = ((reached**2).sum(axis=0) / v[p])[np.minimum(length, p)]
    ending = np.concatenate([[0.0], np.cumsum(head)])
    return ending + tail, ending


def strongest_run(
    total: Array, columns: Array, weight: Array, inside: Array, ending: Array, longest: int
) -> Run:
    """Return the run of low samples that stands out most, of 1 to `longest` samples.

    Its significance is that of a common loss, fitted together with `columns`: with sums from the beginning
    of the recording every run costs the same few operations. Starts are all tried, lengths on a ladder
    (`STEP`), then both ends over every sample about the best.

    Parameters
    ----------
    total : array, (n + 1,)
        Sums of the samples, weighed by the inverse covariance and freed of `columns`.
    columns : array, (k, n + 1)
        Sums of what is fitted together with the run (level, trend), weighed likewise and orthonormal
        under it.
    weight : array, (n + 1,)
        Sums of ``1 / sigma^2``.
    inside, ending : array, (n + 1,)
        Information of a run by its length (`run_information`), for sigma 1.
    longest : int
    """
    n = int(total.shape[0]) - 1
    lengths = ladder(min(longest, n - 1))
    if lengths.size == 0:
        return Run(0, 0, 0.0)
    if not on_host(total):
        first, stop, square = _elsewhere.strongest(
            total, columns, weight, inside, ending, [int(x) for x in lengths]
        )
        return Run(first, stop, float(np.sqrt(square)))
    found = np.zeros(2, np.int64)
    square = _compiled.strongest(
        np.ascontiguousarray(total, np.float64), np.ascontiguousarray(columns, np.float64),
        np.ascontiguousarray(weight, np.float64), np.ascontiguousarray(inside, np.float64),
        np.ascontiguousarray(ending, np.float64), lengths, np.empty((2, n + 1)), found,
    )  # fmt: skip
    return Run(int(found[0]), int(found[1]), float(np.sqrt(square)))
