"""Matched search for runs of missing light, under the curve's own noise."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.autoregression import Process, innovations, process_of, transposed
from gpu_kernels.runs import Run, run_information, strongest_run
from reduction.events.around import LEAST_SAMPLES, Around, around
from reduction.events.curve import EventCurve
from reduction.events.ends import deep_runs, flanks, placed
from reduction.events.evidence import Evidence, Weighed, evidence, price_of_bad
from reduction.events.noise import relative_sigma
from reduction.events.results import NoiseModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_OUTSIDE = 4
"""Samples out of the run, at least: without them there is no level to be lower than."""

OUTSIDE_SHARE = 0.05
"""Share of the curve that must lie out of the run."""

DOUBTFUL_RUNS = 4
"""Runs that are looked at one after the other, as long as bad samples explain them."""

SURE = 0.7
"""Share of the square of its significance that a run must be worth not to be explained so."""

CLEARER = 1.5
"""Ratio of scores from which a run that is deep in every sample is taken in place of the best of all runs:
under another noise a part of an event may score a little higher than the whole."""

ROUGH_CLIP = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Strongest:
    """The run of samples that stands out most, and the noise under which it does.

    Attributes
    ----------
    first, last : int
        Samples of the curve, both in the run.
    score : float
        Significance in sigma against noise alone (`evidence`), no sample counting for more than its odds
        of being a bad one.
    snr : float
        Integrated signal-to-noise of the loss.
    depth : float
        Mean loss, in units of the out-of-event level.
    step : bool
        Whether the run touches an end of the recording.
    samples, run : int
        That were searched, and of them in the run.
    noise : NoiseModel
    level : array, (n_sample,)
        Out-of-event level.
    bad : array of bool, (n_sample,)
        Samples taken as bad.
    """

    first: int
    last: int
    score: float
    snr: float
    depth: float
    step: bool
    samples: int
    run: int
    noise: NoiseModel
    level: Floats
    bad: Mask


def strongest(curve: EventCurve, usable: Mask, order: int = 0) -> Strongest | None:
    """Return the most significant run of low samples; None with too few samples or without noise.

    First a rough search about the median, in white noise. About the run found, level and loss are fitted
    and the noise is estimated; then all runs are searched under that noise, its memory included, bad
    samples left out. In both no sample counts for more than a bad one would (`most_telling`): one low
    sample, be it ever so low, is no proof of an event. Last, the run is weighed against noise of
    longer memory without an event (`evidence`).

    Parameters
    ----------
    curve : EventCurve
    usable : array of bool, (n_sample,)
        Samples to search; a run may bridge others.
    order : int
        Of the polynomial that the out-of-event level follows.
    """
    usable = usable & curve.usable & np.isfinite(curve.flux)
    n = int(usable.sum())
    if n < LEAST_SAMPLES + order:
        return None
    basis = polynomials(curve.time_s, order)
    rough = _rough(curve, usable, basis)
    if rough is None:
        return None
    best = _about(curve, usable, basis, rough.run)
    for run in rough.deep:
        other = _at(curve, usable, basis, run)
        if other is not None and (best is None or other.score > CLEARER * best.score):
            best = other
    return best


def _about(curve: EventCurve, usable: Mask, basis: Floats, run: tuple[int, int]) -> Strongest | None:
    """The most significant run under the noise about a first one."""
    found = around(curve, usable, basis, run)
    if found is None:
        return None
    better = _searched(curve, usable, basis, found)
    if (better.first, better.last) != run:
        found = around(curve, usable, basis, (better.first, better.last))
        if found is None:
            return None
    return _judged(curve, usable, basis, found)


def _at(curve: EventCurve, usable: Mask, basis: Floats, run: tuple[int, int]) -> Strongest | None:
    """A deep run as it is: no search among clipped samples finds it again in slow noise."""
    found = around(curve, usable, basis, run)
    if found is None:
        return None
    _, told = _weighed(curve, _given(usable & ~found.bad, run), basis, found, usable)
    without = _without_flanks(curve, told, found, usable)
    if without is None:
        return told
    _, inner = _weighed(curve, _given(usable & ~without.bad, run), basis, without, usable)
    return max(told, replace(inner, first=told.first, last=told.last), key=lambda one: one.score)


def screened(curve: EventCurve, order: int = 0) -> float:
    """Significance of the best run about the median in white noise: tells which curves are worth a search."""
    usable = curve.usable & np.isfinite(curve.flux)
    if int(usable.sum()) < LEAST_SAMPLES + order:
        return 0.0
    found = _rough(curve, usable, polynomials(curve.time_s, order))
    return 0.0 if found is None else found.significance


def polynomials(time_s: Floats, order: int) -> Floats:
    """Legendre polynomials over a recording, ``(order + 1, n_sample)``."""
    span = time_s[-1] - time_s[0]
    x = 2.0 * (time_s - time_s[0]) / span - 1.0 if span > 0 else np.zeros(time_s.shape)
    return np.asarray(np.polynomial.legendre.legvander(x, order).T, np.float64)


def most_telling(noise: NoiseModel, samples: int) -> float:
    """Sigma beyond which a sample says nothing more: it is as likely to be bad."""
    return float(np.sqrt(price_of_bad(noise, samples)))


def longest_run(samples: int) -> int:
    """Longest run that leaves enough samples out of it."""
    return samples - max(LEAST_OUTSIDE, int(np.ceil(OUTSIDE_SHARE * samples)))


@dataclass(frozen=True, slots=True)
class _Rough:
    """What a first look finds: the best run, its significance, and runs that are deep in every sample."""

    run: tuple[int, int]
    significance: float
    deep: tuple[tuple[int, int], ...]


def _rough(curve: EventCurve, usable: Mask, basis: Floats) -> _Rough | None:
    """Best run about the median or the trend, in white noise, samples clipped.

    Among samples clipped so far a long run of slow noise outweighs a short deep one: those are added.
    """
    at = np.flatnonzero(usable)
    shape = relative_sigma(curve.sigma, usable)[at]
    middle = clipped_fit(curve.flux[at], shape, basis[:, at])
    z = (curve.flux[at] - middle) / shape
    steps: Floats = np.diff(z)
    sigma = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2.0)
    if not sigma > 0.0:
        sigma = float(np.std(z))
    if not sigma > 0.0:
        return None
    clipped = np.clip(z / sigma, -ROUGH_CLIP, ROUGH_CLIP) * sigma * shape
    run = matched(clipped, sigma * shape, basis[:, at], ())
    if run.stop == run.first:
        return None
    ends = int(at[run.first]), int(at[run.stop - 1])
    deep = [(int(at[first]), int(at[stop - 1])) for first, stop in deep_runs(z / sigma, longest_run(at.size))]
    return _Rough(ends, run.significance, tuple(deep))


def clipped_fit(flux: Floats, sigma: Floats, basis: Floats) -> Floats:
    """Median, or a polynomial by repeatedly clipped least squares, ``(n,)``."""
    if basis.shape[0] == 1:
        return np.full(flux.shape, float(np.median(flux)))
    kept: Mask = np.ones(flux.shape, bool)
    value = flux
    for _ in range(4):
        value = _least_squares(flux, sigma, basis, kept)
        off = (flux - value) / sigma
        kept = np.abs(off) <= 3.0 * 1.4826 * float(np.median(np.abs(off)))
        if kept.sum() < 2 * basis.shape[0]:
            break
    return value


def _least_squares(flux: Floats, sigma: Floats, basis: Floats, kept: Mask) -> Floats:
    design = (basis / sigma)[:, kept]
    found, *_ = np.linalg.lstsq(design.T, (flux / sigma)[kept], rcond=None)
    return np.asarray(found @ basis, np.float64)


def matched(values: Floats, sigma: Floats, basis: Floats, ar: tuple[float, ...]) -> Run:
    """Best run of samples without gaps in autoregressive noise, the baseline fitted together with it."""
    n = values.size
    process = process_of(ar, np.ones(n, bool))
    total, columns = sums(process, values, sigma, basis)
    weight = np.concatenate([[0.0], np.cumsum(sigma**-2)])
    inside, ending = run_information(process)
    return strongest_run(total, columns, weight, inside, ending, longest_run(n))


def sums(process: Process, values: Floats, sigma: Floats, basis: Floats) -> tuple[Floats, Floats]:
    """Sums from the beginning of samples and baseline, weighed by the inverse covariance."""
    white = innovations(process, np.vstack([basis, values[None, :]]) / sigma)
    q, _ = np.linalg.qr(white[:-1].T)
    left = white[-1] - q @ (q.T @ white[-1])
    rows = np.vstack([left[None, :], q.T])
    out = np.zeros((rows.shape[0], values.size + 1))
    for row, goal in zip(rows, out, strict=True):
        np.cumsum(transposed(process, row) / sigma, out=goal[1:])
    return out[0], out[1:]


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    """A run of some samples of a curve: its samples, its ends among them and in the curve."""

    at: NDArray[np.intp]
    run: Run
    first: int
    last: int


def _searched(curve: EventCurve, used: Mask, basis: Floats, about: Around) -> _Searched:
    """Best of all runs of the samples `used`, each counting for no more than a bad one would."""
    at = np.flatnonzero(used)
    sigma = about.sigma[at]
    reach = most_telling(about.noise, at.size) * sigma
    loss = curve.flux[at] - about.level[at]
    run = matched(np.clip(loss, -reach, reach), sigma, basis[:, at], about.noise.ar)
    run = placed(loss / sigma, run, longest_run(at.size))
    return _Searched(at, run, int(at[run.first]), int(at[max(run.stop - 1, run.first)]))


def _given(used: Mask, run: tuple[int, int]) -> _Searched:
    """A run of the samples `used` that is known."""
    at = np.flatnonzero(used)
    first, stop = int(np.searchsorted(at, run[0])), int(np.searchsorted(at, run[1], "right"))
    return _Searched(at, Run(first, stop, 0.0), run[0], run[1])


def _judged(curve: EventCurve, used: Mask, basis: Floats, about: Around) -> Strongest:
    """The best run under a noise that was estimated about it, and what it is worth.

    In noise with a memory one bad sample stands out by more than itself. Where bad samples explain a run,
    they are left out and the next best is looked at, too.
    """
    found: list[Strongest] = []
    for _ in range(DOUBTFUL_RUNS):
        best = _searched(curve, used & ~about.bad, basis, about)
        worth, told = _weighed(curve, best, basis, about, used)
        found.append(told)
        without = _without_flanks(curve, told, about, used)
        if without is not None:
            inner = _searched(curve, used & ~without.bad, basis, without)
            _, more = _weighed(curve, inner, basis, without, used)
            found.append(replace(more, first=min(best.first, inner.first), last=max(best.last, inner.last)))
        sure = told.score**2 > SURE * best.run.significance**2
        if not about.noise.ar or sure or not worth.doubted.any():
            break
        bad = about.bad.copy()
        bad[best.at[worth.doubted]] = True
        if (used & ~bad).sum() < LEAST_SAMPLES + len(basis):
            break
        about = replace(about, bad=bad)
    return max(found, key=lambda one: one.score)


def _without_flanks(curve: EventCurve, told: Strongest, about: Around, used: Mask) -> Around | None:
    """The same with the flanks of a run left out, if there are any."""
    at = np.flatnonzero(used & ~about.bad)
    z = ((curve.flux - about.level) / about.sigma)[at]
    first, stop = np.searchsorted(at, told.first), np.searchsorted(at, told.last, "right")
    cut = flanks(z, int(first), int(stop))
    if not cut.any():
        return None
    bad = about.bad.copy()
    bad[at[cut]] = True
    return replace(about, bad=bad) if (used & ~bad).sum() >= LEAST_SAMPLES else None


def _weighed(
    curve: EventCurve, best: _Searched, basis: Floats, about: Around, used: Mask
) -> tuple[Evidence, Strongest]:
    """What a run is worth by its own samples, and what is said of it with those that were left out as bad."""
    at, level, sigma = best.at, about.level, about.sigma
    worth, gain = Evidence(0.0, np.zeros(at.size, bool)), 0.0
    if best.run.stop > best.run.first:  # some sample is low
        samples = Weighed.of(curve.flux[at] - level[at], sigma[at], basis[:, at], best.run)
        worth = evidence(samples, about.noise, best.run)
        price = price_of_bad(about.noise, at.size)
        gain = worth.gain + _beside((curve.flux - level) / sigma, used, about.bad, best, price)
    clear: Mask = used & ~about.bad
    clear[at[flanks((curve.flux[at] - level[at]) / sigma[at], best.run.first, best.run.stop)]] = False
    depth, snr = loss_in(curve.flux, sigma, clear, basis, about.noise.ar, best.first, best.last)
    middle = float(np.median(level[at]))
    told = Strongest(
        first=best.first,
        last=best.last,
        score=float(np.sqrt(max(gain, 0.0))),
        snr=snr,
        depth=depth / middle if middle > 0 else depth,
        step=best.run.first == 0 or best.run.stop == at.size,
        samples=at.size,
        run=best.run.stop - best.run.first,
        noise=about.noise,
        level=level,
        bad=about.bad,
    )
    return worth, told


def _beside(z: Floats, used: Mask, bad: Mask, best: _Searched, price: float) -> float:
    """Gain by an event of samples that were left out as bad, of which the run knows nothing.

    Those within the run are bad ones with the event, or lie between level and bottom, evenly likely to be
    anywhere there, as those beside it; without an event they may be good.
    """
    low: Mask = used & ~bad
    low[: best.first] = low[best.last + 1 :] = False
    if not low.any():
        return 0.0
    bottom = float(np.median(z[low]))
    evenly = min(2.0 * float(np.log(max(-bottom, 1.0) / np.sqrt(2.0 * np.pi))), price)
    every_other = min(evenly + 2.0 * float(np.log(2.0)), price)
    without = np.minimum(z**2, price)
    between = (z > bottom) & (z < 0.0)
    inside = used & bad
    inside[: best.first] = inside[best.last + 1 :] = False
    gain = float((without - np.where(between, every_other, price))[inside].sum())
    order = np.flatnonzero(used)
    for at, step in ((best.first, -1), (best.last, 1)):
        place, cost = int(np.searchsorted(order, at)) + step, evenly  # that next to a run is of an edge
        while 0 <= place < order.size and bad[order[place]] and between[order[place]]:
            gain += max(float(without[order[place]]) - cost, 0.0)
            place, cost = place + step, every_other
    return gain


def loss_in(
    flux: Floats, sigma: Floats, used: Mask, basis: Floats, ar: tuple[float, ...], first: int, last: int
) -> tuple[float, float]:
    """Loss of light in a run and its integrated signal-to-noise, the baseline fitted together with it."""
    at = np.flatnonzero(used)
    run = ((at >= first) & (at <= last)).astype(np.float64)
    process = process_of(ar, np.ones(at.size, bool))
    rows = np.vstack([basis[:, at], -run[None, :], flux[at][None, :]]) / sigma[at]
    white = innovations(process, rows)
    q, _ = np.linalg.qr(white[:-2].T)
    shape, value = (row - q @ (q.T @ row) for row in white[-2:])
    information = float(shape @ shape)
    if not information > 0.0:
        return 0.0, 0.0
    loss = float(shape @ value) / information
    return loss, loss * float(np.sqrt(information))
