"""The fit of one event: its edges, its depth, their errors, and what its flanks are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.errors import DataError, RequestError
from reduction.events.badpoints import Contamination, unexplained
from reduction.events.curve import EventCurve
from reduction.events.edges import OUTSIDE_D, OUTSIDE_R, Range, close_in
from reduction.events.exposures import Exposures, exposures_of
from reduction.events.firstlook import Case, Look, first_look
from reduction.events.flanks import Flank, Floats, well
from reduction.events.likelihood import Scene, surface
from reduction.events.noise import Whitener, sample_sigma
from reduction.events.posterior import (
    Parts,
    Posterior,
    figure_of_density,
    figure_of_depth,
    figure_of_duration,
    marginals,
    posterior,
)
from reduction.events.results import Dip, Edge, Event, Figure, NoiseModel
from reduction.events.settings import EventSettings
from reduction.events.square import Sharp
from reduction.timing import UNKNOWN_NS

Mask = NDArray[np.bool_]

GREATEST_DEPTH = 1.2
"""Depth that is allowed for: all of the light, and a zero level that is a little off."""

LEAST_SAMPLES = 8
"""That a curve must have for a fit, besides the columns that are fitted."""

ROUNDS = 3
"""Of telling bad samples, and of the noise in the event, from the rest."""

MOST_SAMPLES = 20_000
"""Fitted about one event; those farther off say nothing of it."""

SHORT = 3
"""Samples of a dip, less one, from which its edges are looked at one by one."""

NEGLIGIBLE = 1e-4
"""Probability of a choice of bad samples that is not carried on."""

INSIDE = 8
"""Samples that the noise in an event must be judged by, and that the noise out of it counts for there."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The part of a curve that one event is fitted in; arrays ``(n_sample,)``.

    Attributes
    ----------
    start_s, stop_s : array, seconds
        Of the exposures.
    flux, sigma : array
        Sigma at the noise's scale.
    usable : array of bool
        Without other events.
    first, last : int
        Of the dip, in the cut.
    cadence_s : float
    """

    start_s: Floats
    stop_s: Floats
    flux: Floats
    sigma: Floats
    usable: Mask
    first: int
    last: int
    cadence_s: float

    @property
    def middle_s(self) -> Floats:
        """Of the exposures."""
        return 0.5 * (self.start_s + self.stop_s)


def cut_of(
    curve: EventCurve, exposures: Exposures, dip: Dip, noise: NoiseModel, others: Sequence[Dip]
) -> Cut:
    """The samples that one event is fitted in.

    Raises
    ------
    DataError
        With too few usable samples, or a dip that lies outside the curve.
    """
    n = curve.flux.size
    if not 0 <= dip.first <= dip.last < n:
        raise DataError(f"{curve.name}: a dip at samples {dip.first} to {dip.last} of a curve of {n}")
    out = np.ones(n, bool)
    usable = curve.usable & np.isfinite(curve.flux)
    for one in (dip, *others):
        out[one.first : one.last + 1] = False
    for one in others:
        length = one.last - one.first + 1
        margin = 1 + length // 4
        low, high = max(one.first - margin, 0), one.last + margin + 1
        if one.last < dip.first:
            high = min(high, one.last + 1 + (dip.first - one.last) // 2)
        elif one.first > dip.last:
            low = max(low, one.first - (one.first - dip.last) // 2)
        else:
            continue  # within this dip, or about it: its share is fitted by whoever asks for both
        usable[low:high] = False
    sigma = sample_sigma(noise, curve, out)
    half = max(MOST_SAMPLES // 2, 3 * (dip.last - dip.first + 1))
    part = slice(max(dip.first - half, 0), min(dip.last + half + 1, n))
    return Cut(
        exposures.start_s[part],
        exposures.stop_s[part],
        curve.flux[part],
        sigma[part],
        usable[part],
        dip.first - part.start,
        dip.last - part.start,
        curve.cadence_s(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A model of the flanks, fitted.

    Attributes
    ----------
    parts : list of (probability, Posterior)
        One for every choice of bad samples by the edges.
    scene : Scene
        Of the likeliest choice, as all below.
    seen : array of bool, (n_sample,)
        Samples that counted.
    sigma : array, (n_sample,)
    d_s, r_s : float
        At the greatest density.
    log_likelihood : float
        There.
    """

    parts: Parts
    scene: Scene
    seen: Mask
    sigma: Floats
    d_s: float
    r_s: float
    log_likelihood: float


def columns_of(cut: Cut, order: int) -> Floats:
    """Legendre polynomials in time, ``(order + 1, n_sample)``."""
    low, high = cut.middle_s[0], cut.middle_s[-1]
    x = 2.0 * (cut.middle_s - low) / (high - low) - 1.0
    return np.polynomial.legendre.legvander(x, order).T


def ranges_of(cut: Cut, margin_s: float) -> tuple[Range, Range]:
    """Where the edges are looked for first: about the dip; outside, of a dip at an end of the curve."""
    at = np.flatnonzero(cut.usable)
    d_at, r_at = cut.start_s[cut.first], cut.stop_s[cut.last]
    begin, end = float(cut.start_s[at[0]]), float(cut.stop_s[at[-1]])
    middle = 0.5 * (d_at + r_at)
    length = r_at - d_at
    margin = max(4.0 * cut.cadence_s, min(0.75 * length, 64 * cut.cadence_s)) + margin_s
    inward = min(margin, max(0.5 * length, 2.0 * cut.cadence_s))
    d = Range(max(d_at - margin, begin), min(d_at + inward, end), begin, end)
    r = Range(max(r_at - inward, begin), min(r_at + margin, end), begin, end)
    if cut.first <= at[0]:
        d = OUTSIDE_D
    if cut.last >= at[-1]:
        r = OUTSIDE_R
    if d.outside and r.outside:
        raise DataError(f"the dip fills the whole curve ({middle:g} s): nothing to tell its depth by")
    return d, r


def fit_flanks(
    cut: Cut,
    flanks: tuple[Flank, Flank],
    settings: EventSettings,
    noise: NoiseModel,
    margin_s: float = 0.0,
    extra: Floats | None = None,
) -> Fitted:
    """Fit the edges of one pair of flanks: bad samples, the level and the noise in the event in turns.

    Parameters
    ----------
    cut : Cut
    flanks : tuple of Flank
        At D and at R.
    settings : EventSettings
    noise : NoiseModel
    margin_s : float
        Added to the range about the dip in which edges are looked for.
    extra : array, (k, n_sample), optional
        Columns fitted along (light lost to other events).

    Raises
    ------
    DataError
        With too few samples.
    """
    columns = columns_of(cut, settings.baseline_order)
    if extra is not None:
        columns = np.concatenate([columns, extra])
    flux = np.where(cut.usable, cut.flux, 0.0)
    seen, sigma = cut.usable.copy(), cut.sigma
    if seen.sum() < LEAST_SAMPLES + len(columns):
        raise DataError(f"{int(seen.sum())} usable samples; a fit needs {LEAST_SAMPLES + len(columns)}")
    bad = Contamination.of(noise, int(seen.sum()))
    look, cases = looked(cut, flux, flanks, margin_s, bad, noise)
    near = look.by_the_edges(cut.cadence_s)
    gone = np.where((cut.middle_s > look.d.low) & (cut.middle_s < look.r.high), 1.0, 0.0)
    level, bottom = np.full(flux.shape, look.top), np.full(flux.shape, look.bottom)
    plain: Mask | None = None
    fitted: Fitted | None = None
    for _ in range(ROUNDS):
        before, plain = plain, unexplained(flux, gone, (level, bottom), sigma, near, bad.limit())
        if fitted is not None and before is not None:
            if np.array_equal(before, plain) and np.array_equal(sigma, fitted.sigma):
                break
        scale = float(level[(cut.first + cut.last) // 2])
        trial = Trial(cut, flanks, flux, sigma, columns, level / scale, scale, noise, bad)
        fitted = trial.over(cases, cut.usable & ~plain)
        gone = well(flanks, cut.start_s, cut.stop_s, fitted.d_s, fitted.r_s)
        level, lost = _levels(flux, fitted.seen, fitted.scene.whitener, columns, gone, fitted.scene.level)
        bottom = level - lost
        sigma = _sigma_inside(cut, flux, level - lost * gone, gone, fitted.seen & ~near, noise)
    assert fitted is not None
    return fitted


def looked(
    cut: Cut, flux: Floats, flanks: tuple[Flank, Flank], margin_s: float, bad: Contamination, noise: NoiseModel
) -> tuple[Look, list[Case]]:
    """Where the edges may lie, and which samples beside them may be bad."""
    d, r = ranges_of(cut, margin_s)
    dip = np.zeros(flux.shape, bool)
    dip[cut.first : cut.last + 1] = True
    inside, out = cut.usable & dip, cut.usable & ~dip
    top = float(np.median(flux[out])) if out.any() else 1.0
    bottom = float(np.median(flux[inside])) if inside.any() else top - 1.0
    look = Look(
        cut.start_s, cut.stop_s, flux, cut.sigma, cut.usable, flanks, d, r, top, bottom, _memory(noise)
    )
    if cut.last - cut.first < SHORT:
        return look, [Case(frozenset(), d, r, 0.0)]
    return first_look(look, bad)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One pair of flanks with levels and noise as they are held now; see `fit_flanks`."""

    cut: Cut
    flanks: tuple[Flank, Flank]
    flux: Floats
    sigma: Floats
    columns: Floats
    level: Floats
    scale: float
    noise: NoiseModel
    bad: Contamination

    def over(self, cases: list[Case], seen: Mask) -> Fitted:
        """Fit every choice of bad samples, and weigh them."""
        sigma: float | None = None
        fits: list[Fitted] = []
        logs: list[float] = []
        for case in cases:
            good = seen.copy()
            good[list(case.bad)] = False
            if good.sum() < LEAST_SAMPLES + len(self.columns):
                continue
            one = self.fitted(case, good, sigma)
            sigma = one.parts[0][1].sigma
            fits.append(one)
            logs.append(self._log_weight(one, [i for i in case.bad if seen[i]]))
        shares = np.exp(np.array(logs) - max(logs))
        shares = shares / shares.sum()
        best = fits[int(np.argmax(shares))]
        parts = [(float(p), f.parts[0][1]) for p, f in zip(shares, fits, strict=True) if p > NEGLIGIBLE]
        return replace(best, parts=parts)

    def fitted(self, case: Case, seen: Mask, sigma: float | None) -> Fitted:
        """Fit one choice; `sigma` is the scale of the noise, None: as the best edges leave it."""
        cut, whitener = self.cut, Whitener.of(self.noise, self.sigma, seen)
        scene = Scene.of(
            (cut.start_s, cut.stop_s), self.flux, seen, whitener, self.columns, self.level, self.scale
        )

        def judge(d_s: Floats, r_s: Floats) -> Posterior:
            on = surface(scene, self.flanks, d_s, r_s)
            scale = np.sqrt(max(float(on.chi2.min()), 1e-300) / scene.freedom) if sigma is None else sigma
            return posterior(on, GREATEST_DEPTH * self.scale, float(scale))

        found = close_in(judge, case.d, case.r, 0.5 * cut.cadence_s)
        return _fitted(found, scene, seen, self.sigma)

    def _log_weight(self, one: Fitted, left_out: list[int]) -> float:
        """Logarithm of the probability of a choice: of the samples kept, and of those left out as bad."""
        found = one.parts[0][1]
        log = found.log_evidence - 0.5 * one.scene.whitener.log_det
        log -= int(one.seen.sum()) * (0.5 * np.log(2 * np.pi) + np.log(found.sigma))
        if left_out:
            gone = well(self.flanks, self.cut.start_s, self.cut.stop_s, one.d_s, one.r_s)
            j, k = found.best()
            expected = self.level * (self.scale - gone * float(found.surface.lost[j, k]))
            sigma = found.sigma * self.sigma[left_out]
            log += self.bad.log_bad((self.flux - expected)[left_out] / sigma, sigma)
        return float(log)


def _memory(noise: NoiseModel) -> float:
    """Samples that one independent sample stands for."""
    if not noise.ar:
        return 1.0
    return float(np.clip(noise.innovation**2 / (1.0 - min(sum(noise.ar), 0.95)) ** 2, 1.0, 12.0))


def _levels(
    flux: Floats, seen: Mask, whitener: Whitener, columns: Floats, gone: Floats, level: Floats
) -> tuple[Floats, Floats]:
    """Out-of-event level and loss at each sample, of the best edges."""
    rows = np.concatenate([columns, -(gone * level)[None, :]])
    white = whitener(np.concatenate([rows, flux[None, :]]))
    found = np.linalg.lstsq(white[:-1].T, white[-1], rcond=None)[0]
    return found[:-1] @ columns, found[-1] * level


def _sigma_inside(
    cut: Cut, flux: Floats, model: Floats, gone: Floats, judged: Mask, noise: NoiseModel
) -> Floats:
    """Sigma of each sample, where the light that is left in the event brings less noise with it.

    Where the curve has no sigmas of its own that hold. The variance follows the light; few samples in the
    event change little.
    """
    inside = judged & (gone > 0.95)
    n = int(inside.sum())
    if noise.weighted or n < INSIDE:
        return cut.sigma
    out = judged & (gone < 0.05)
    ratio = _spread(flux[inside] - model[inside]) / max(_spread(flux[out] - model[out]), 1e-300)
    if abs(np.log(max(ratio, 1e-3))) < 3.0 / np.sqrt(n):
        return cut.sigma
    ratio2 = float(np.clip((n * ratio**2 + INSIDE) / (n + INSIDE), 0.02, 4.0))
    sigma: Floats = cut.sigma * np.sqrt(np.clip(1.0 - (1.0 - ratio2) * gone, 0.02, 4.0))
    return sigma


def _spread(values: Floats) -> float:
    """Sigma from the median of the absolute values."""
    return 1.4826 * float(np.median(np.abs(values))) if values.size else 0.0


def _fitted(found: Posterior, scene: Scene, seen: Mask, sigma: Floats) -> Fitted:
    on = found.surface
    j, k = found.best()
    count = int(seen.sum())
    log = -0.5 * (count * (np.log(2 * np.pi * float(on.chi2[j, k]) / count) + 1.0) + scene.whitener.log_det)
    return Fitted([(1.0, found)], scene, seen, sigma, float(on.d_s[j]), float(on.r_s[k]), float(log))


def fit_event(
    curve: EventCurve, settings: EventSettings, dip: Dip, noise: NoiseModel, others: Sequence[Dip]
) -> Event:
    """Fit one event of a curve.

    Parameters
    ----------
    curve : EventCurve
    settings : EventSettings
    dip : Dip
        What the search found.
    noise : NoiseModel
        Of the curve out of events.
    others : sequence of Dip
        Other events of the curve; their samples are left out.

    Raises
    ------
    DataError
        With too few usable samples, or a dip that fills the curve.
    RequestError
        For settings that contradict the curve.
    """
    if settings.dead_time_s is not None and settings.dead_time_s >= curve.cadence_s():
        raise RequestError(
            f"{curve.name}: a dead time of {settings.dead_time_s:g} s in a cadence of {curve.cadence_s():g} s "
            "leaves no exposure; give less"
        )
    cut = cut_of(curve, exposures_of(curve, settings), dip, noise, others)
    sharp = Sharp()
    fitted = fit_flanks(cut, (sharp, sharp), settings, noise)
    return event_of(curve, fitted, dip)


def event_of(curve: EventCurve, fitted: Fitted, dip: Dip) -> Event:
    """The event that a fit says."""
    by_d, by_r = marginals(fitted.parts)
    d = r = duration = None
    if np.isfinite(by_d[0][0]):
        d = edge_of(curve, "D", figure_of_density(*by_d))
    if np.isfinite(by_r[0][0]):
        r = edge_of(curve, "R", figure_of_density(*by_r))
    if d is not None and r is not None:
        duration = figure_of_duration(fitted.parts)
    scale = fitted.scene.scale
    depth = figure_of_depth(fitted.parts, scale, GREATEST_DEPTH * scale)
    return Event("square", d, r, depth, duration, dip)


def edge_of(curve: EventCurve, kind: str, seconds: Figure) -> Edge:
    """An edge with the timing sigma of the recording in it."""
    near = int(np.argmin(np.abs(curve.time_s - seconds.value)))
    timing = float(curve.utc_sigma_s[near])
    utc = seconds
    if np.isfinite(timing):
        utc = Figure(
            seconds.value,
            float(np.hypot(seconds.sigma, timing)),
            tuple(
                (
                    seconds.value - float(np.hypot(seconds.value - low, z * timing)),
                    seconds.value + float(np.hypot(high - seconds.value, z * timing)),
                )
                for (low, high), z in zip(seconds.intervals, (0.994458, 1.959964, 2.967738), strict=True)
            ),
        )
    return Edge(
        "D" if kind == "D" else "R",
        seconds,
        curve.utc_ns(seconds.value) if curve.dated else UNKNOWN_NS,
        timing,
        utc,
    )
