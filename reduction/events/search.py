"""Matched search for runs of missing light, under the curve's own noise."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.autoregression import Process, innovations, process_of, transposed
from gpu_kernels.runs import Run, run_information, strongest_run
from reduction.events.curve import EventCurve
from reduction.events.evidence import Evidence, Weighed, bad_among, evidence, price_of_bad
from reduction.events.noise import estimate_noise, relative_sigma, sample_sigma
from reduction.events.results import NoiseModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_SAMPLES = 12
"""Usable samples with which a curve is searched at all."""

LEAST_OUTSIDE = 4
"""Samples out of the run, at least: without them there is no level to be lower than."""

OUTSIDE_SHARE = 0.05
"""Share of the curve that must lie out of the run."""

CUT_SIGMAS = 8.0
"""Loss in one sample from which those by the edges are taken for edges."""

DOUBTFUL_RUNS = 4
"""Runs that are looked at one after the other, as long as bad samples explain them."""

SURE = 0.7
"""Share of the square of its significance that a run must be worth not to be explained so."""

DEEP_SIGMAS = 5.0
"""Loss in one sample from which the ends of a run are tried as edges: noise alone makes no such runs."""

CUT_OFF_SIGMAS = 3.0
"""How far such an end lies above the bottom of its run."""

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
    run = rough[:2]
    level, inside = _model(curve, usable, basis, run)
    noise = estimate_noise(curve, usable & ~_cut_through(curve, usable, level, inside), level - inside)
    if not noise.sigma > 0.0:
        return None
    sigma = sample_sigma(noise, curve, usable)
    better = _searched(curve, usable, basis, noise, sigma, level)
    if (better.first, better.last) != run:
        level, inside = _model(curve, usable, basis, (better.first, better.last))
        noise = estimate_noise(curve, usable & ~_cut_through(curve, usable, level, inside), level - inside)
        if not noise.sigma > 0.0:
            return None
        sigma = sample_sigma(noise, curve, usable)
    bad = np.zeros(usable.shape, bool)
    bad[usable] = bad_among(((curve.flux - level + inside) / sigma)[usable], noise)
    if (usable & ~bad).sum() < LEAST_SAMPLES + order:
        bad[:] = False
    elif noise.ar and bad.any():
        noise = _memory_without(curve, usable & ~bad, level - inside, noise)
    return _judged(curve, usable, basis, noise, sigma, level, bad)


def screened(curve: EventCurve, order: int = 0) -> float:
    """Significance of the best run about the median in white noise: tells which curves are worth a search."""
    usable = curve.usable & np.isfinite(curve.flux)
    if int(usable.sum()) < LEAST_SAMPLES + order:
        return 0.0
    found = _rough(curve, usable, polynomials(curve.time_s, order))
    return 0.0 if found is None else found[2]


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


def _rough(curve: EventCurve, usable: Mask, basis: Floats) -> tuple[int, int, float] | None:
    """Best run about the median or the trend, in white noise, samples clipped."""
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
    return int(at[run.first]), int(at[run.stop - 1]), run.significance


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


def _model(curve: EventCurve, usable: Mask, basis: Floats, run: tuple[int, int]) -> tuple[Floats, Floats]:
    """Out-of-event level and the loss in a run, fitted together, clipped at four sigma."""
    inside = np.zeros(curve.flux.shape)
    inside[run[0] : run[1] + 1] = 1.0
    shape = relative_sigma(curve.sigma, usable)
    design = np.vstack([basis, -inside[None, :]]) / shape
    value = curve.flux / shape
    kept = usable & _near(value, usable & (inside > 0)) & _near(value, usable & (inside == 0))
    of_run = np.flatnonzero(usable & (inside > 0))
    if (kept[of_run[1:-1]]).any():
        kept[of_run[[0, -1]]] = False  # edges within their exposures, unless they prove to agree
    found: Floats = np.zeros(design.shape[0])
    for _ in range(3):
        part = design[:, kept]
        found = np.asarray(np.linalg.lstsq(part.T, value[kept], rcond=None)[0], np.float64)
        off: Floats = np.where(usable, value - found @ design, 0.0)
        sigma = 1.4826 * float(np.median(np.abs(off[usable])))
        now = usable & (np.abs(off) <= 4.0 * sigma) if sigma > 0 else usable
        if (now == kept).all() or (now & (inside > 0)).sum() == 0 or (now & (inside == 0)).sum() < 2:
            break
        kept = now
    return np.asarray(found[:-1] @ basis, np.float64), found[-1] * inside


def _cut_through(curve: EventCurve, usable: Mask, level: Floats, inside: Floats) -> Mask:
    """Samples by the ends of a run that is deep in every sample: an edge may lie in their exposures.

    What they are off is no noise: a share of bad samples taken from them would make the run itself doubtful.
    """
    out = np.zeros(inside.shape, bool)
    off = np.abs(curve.flux - level + inside)[usable]
    deep = float(np.max(inside)) > CUT_SIGMAS * 1.4826 * float(np.median(off))
    if deep:
        jumps = np.flatnonzero(np.diff(inside > 0))
        out[np.concatenate([jumps, jumps + 1])] = True
    return out if (usable & ~out).sum() >= LEAST_SAMPLES else np.zeros(inside.shape, bool)


def _memory_without(curve: EventCurve, good: Mask, model: Floats, noise: NoiseModel) -> NoiseModel:
    """The noise, its memory estimated again by good samples: bad ones remember nothing."""
    again = estimate_noise(curve, good, model)
    return replace(noise, ar=again.ar, innovation=again.innovation, longest_s=again.longest_s)


def _near(values: Floats, group: Mask) -> Mask:
    """Where `values` are of another group, or near enough to the median of their own."""
    some = values[group]
    if some.size < 3:
        return np.ones(values.shape, bool)
    middle = float(np.median(some))
    reach = 5.0 * 1.4826 * float(np.median(np.abs(some - middle)))
    return ~group | (np.abs(values - middle) <= reach) if reach > 0 else np.ones(values.shape, bool)


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
    """Best run of some samples of a curve: its samples, its ends among them and in the curve."""

    at: NDArray[np.intp]
    clipped: Floats
    run: Run
    first: int
    last: int


def _searched(
    curve: EventCurve, used: Mask, basis: Floats, noise: NoiseModel, sigma: Floats, level: Floats
) -> _Searched:
    """All runs of the samples `used`, each counting for no more than a bad one would."""
    at = np.flatnonzero(used)
    reach = most_telling(noise, at.size) * sigma[at]
    clipped = np.clip(curve.flux[at] - level[at], -reach, reach)
    run = matched(clipped, sigma[at], basis[:, at], noise.ar)
    return _Searched(at, clipped, run, int(at[run.first]), int(at[max(run.stop - 1, run.first)]))


def _judged(
    curve: EventCurve, used: Mask, basis: Floats, noise: NoiseModel, sigma: Floats, level: Floats, bad: Mask
) -> Strongest:
    """The best run under a noise that was estimated about it, and what it is worth.

    In noise with a memory one bad sample stands out by more than itself. Where bad samples explain a run,
    they are left out and the next best is looked at, too.
    """
    found: list[Strongest] = []
    z = (curve.flux - level) / sigma
    for _ in range(DOUBTFUL_RUNS):
        best = _searched(curve, used & ~bad, basis, noise, sigma, level)
        worth, gain = _weighed(curve, best, basis, noise, sigma, level, used, bad)
        found.append(_told(curve, best, gain, basis, noise, sigma, level, used, bad))
        cut = _cut_ends(z[best.at], best)
        if cut.any():
            without = bad.copy()
            without[best.at[cut]] = True
            inner = _searched(curve, used & ~without, basis, noise, sigma, level)
            _, more = _weighed(curve, inner, basis, noise, sigma, level, used, without)
            found.append(_told(curve, inner, more, basis, noise, sigma, level, used, without))
        if not noise.ar or gain > SURE * best.run.significance**2 or not worth.doubted.any():
            break
        bad = bad.copy()
        bad[best.at[worth.doubted]] = True
        if (used & ~bad).sum() < LEAST_SAMPLES + len(basis):
            break
    return max(found, key=lambda one: one.score)


def _weighed(
    curve: EventCurve,
    best: _Searched,
    basis: Floats,
    noise: NoiseModel,
    sigma: Floats,
    level: Floats,
    used: Mask,
    bad: Mask,
) -> tuple[Evidence, float]:
    """What a run is worth by its own samples, and with those that were left out as bad."""
    at = best.at
    if best.run.stop == best.run.first:  # not one sample is low
        return Evidence(0.0, np.zeros(at.size, bool)), 0.0
    samples = Weighed.of(curve.flux[at] - level[at], sigma[at], basis[:, at], best.run)
    worth = evidence(samples, noise, best.run)
    beside = _beside((curve.flux - level) / sigma, used, bad, best, price_of_bad(noise, at.size))
    return worth, worth.gain + beside


def _cut_ends(z: Floats, best: _Searched) -> Mask:
    """First and last sample of a deep run where they lie well above its bottom: edges within exposures."""
    out = np.zeros(z.size, bool)
    first, last = best.run.first, best.run.stop - 1
    if last - first < 2:
        return out
    bottom = float(np.median(z[first + 1 : last]))
    if bottom < -DEEP_SIGMAS:
        ends = np.array([first, last])
        out[ends] = (z[ends] > bottom + CUT_OFF_SIGMAS) & (z[ends] < 0.0)
    return out


def _beside(z: Floats, used: Mask, bad: Mask, best: _Searched, price: float) -> float:
    """Gain by an event of samples that were left out as bad, of which the run knows nothing.

    Those within the run are bad ones with the event; without it they may be good. Those beside it that lie
    between level and bottom are edges within exposures, evenly likely to be anywhere there; without an event
    they are bad.
    """
    inside = bad.copy()
    inside[: best.first] = inside[best.last :] = False
    gain = -float((price - np.minimum(z[inside] ** 2, price)).sum())
    bottom = float(np.median(z[best.first : best.last + 1][(used & ~bad)[best.first : best.last + 1]]))
    order = np.flatnonzero(used)
    for at, step in ((best.first, -1), (best.last, 1)):
        place = int(np.searchsorted(order, at)) + step
        if 0 <= place < order.size and bad[order[place]] and bottom < z[order[place]] < 0.0:
            edge = min(float(z[order[place]]) ** 2, price) - 2.0 * np.log(-bottom / np.sqrt(2.0 * np.pi))
            gain += max(float(edge), 0.0)
    return gain


def _told(
    curve: EventCurve,
    best: _Searched,
    gain: float,
    basis: Floats,
    noise: NoiseModel,
    sigma: Floats,
    level: Floats,
    used: Mask,
    bad: Mask,
) -> Strongest:
    """A run with what is said of it."""
    depth, snr = loss_in(curve.flux, sigma, used & ~bad, basis, noise.ar, best.first, best.last)
    middle = float(np.median(level[best.at]))
    return Strongest(
        first=best.first,
        last=best.last,
        score=float(np.sqrt(max(gain, 0.0))),
        snr=snr,
        depth=depth / middle if middle > 0 else depth,
        step=best.run.first == 0 or best.run.stop == best.at.size,
        samples=best.at.size,
        run=best.run.stop - best.run.first,
        noise=noise,
        level=level,
        bad=bad,
    )


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
