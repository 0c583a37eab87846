"""Ends of deep runs: where they are, what lies in between, and runs that are deep in every sample.

The search clips samples, lest one bad one passes for an event. It then no longer knows how deep a run is, and
so not quite where it ends; and at a high signal-to-noise one sample on the wrong side of an end, or an edge
that takes a few samples, weighs more than all the rest. Here the samples are looked at as they are, yet each
counts as one.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.runs import Run

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DEEP_SIGMAS = 5.0
"""Loss in one sample from which the ends of a run are looked at: noise alone makes no such runs."""

STEEPER = (1.0, 3.0, 9.0)
"""Such losses, in these units, by which deep runs are told: slow noise may reach the first."""

LEAST_DEEP = 3
"""Samples by which those of a run that are deep must outnumber the others in it."""

CUT_OFF_SIGMAS = 3.0
"""How far a sample of an edge lies from the bottom and from the level."""

END_SAMPLES = 32
"""Samples about an end of a deep run among which it is looked for again; of a long one, half of it."""


def deep_runs(z: Floats, longest: int) -> list[tuple[int, int]]:
    """Longest runs of which most samples are deep, for some losses: first and stop of each.

    Parameters
    ----------
    z : array, (n,)
        Samples about their level, in sigmas.
    longest : int
        Of a run.
    """
    out: list[tuple[int, int]] = []
    for steeper in STEEPER:
        total = np.concatenate([[0], np.cumsum(np.where(z < -steeper * DEEP_SIGMAS, 1, -1))])
        gain = total - np.minimum.accumulate(total)
        stop = int(np.argmax(gain))
        if gain[stop] < LEAST_DEEP:
            break
        first = int(np.flatnonzero(total[:stop] == total[stop] - gain[stop])[-1])
        run = placed(z, Run(first, stop, 0.0), longest)
        if run.stop - run.first <= longest and (run.first, run.stop) not in out:
            out.append((run.first, run.stop))
    return out


def placed(z: Floats, run: Run, longest: int) -> Run:
    """The run with its ends where the samples themselves have them, if it is deep in most of them.

    Each end is put where most samples within lie nearer to the bottom, most without nearer to the level; one,
    be it ever so low, counts as one.

    Parameters
    ----------
    z : array, (n,)
        Samples about their level, in sigmas.
    run : Run
    longest : int
        Of a run.
    """
    first, stop = run.first, run.stop
    bottom = float(np.median(z[first:stop])) if stop > first else 0.0
    if bottom > -DEEP_SIGMAS:
        return run
    inward = np.clip(2.0 * z / bottom - 1.0, -1.0, 1.0)
    middle, near = (first + stop) // 2, max(END_SAMPLES, (stop - first) // 2)
    left = max(first - near, 0), min(first + near, middle)
    right = max(stop - near, middle), min(stop + near, z.size)
    first = left[1] - int(np.argmax(np.concatenate([[0.0], np.cumsum(inward[left[0] : left[1]][::-1])])))
    stop = right[0] + int(np.argmax(np.concatenate([[0.0], np.cumsum(inward[right[0] : right[1]])])))
    return replace(run, first=first, stop=stop) if 0 < stop - first <= longest else run


def flanks(z: Floats, first: int, stop: int) -> Mask:
    """Samples of the ends of a deep run, and next to it, that lie well between its bottom and the level.

    Edges within exposures, or edges that take their time: a run of one common loss would be blamed for them.

    Parameters
    ----------
    z : array, (n,)
        Samples about their level, in sigmas.
    first, stop : int
        Of the run.
    """
    out = np.zeros(z.size, bool)
    bottom = float(np.median(z[first + 1 : stop - 1])) if stop - first > 2 else 0.0
    if bottom > -DEEP_SIGMAS:
        return out
    above = z > bottom + CUT_OFF_SIGMAS
    middle = (first + stop) // 2
    inward, outward = above & (z < 0.0), above & (z < -CUT_OFF_SIGMAS)
    out[first : first + _leading(inward[first:middle])] = True
    out[stop - _leading(inward[middle:stop][::-1]) : stop] = True
    out[first - _leading(outward[:first][::-1]) : first] = True
    out[stop : stop + _leading(outward[stop:])] = True
    return out


def _leading(mask: Mask) -> int:
    """How many are true from the first on."""
    return int(mask.size if mask.all() else np.argmin(mask))
