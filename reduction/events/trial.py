"""One pair of flanks fitted: bad samples, the level and the noise in the event in turns."""

from dataclasses import dataclass, replace

import numpy as np

from reduction.errors import DataError
from reduction.events.badpoints import Contamination, Mask, left_within, unexplained
from reduction.events.cut import Cut, columns_of, ranges_of
from reduction.events.edges import close_in
from reduction.events.firstlook import Case, Look, first_look
from reduction.events.flanks import Flank, Floats, well
from reduction.events.likelihood import Scene, surface
from reduction.events.noise import Whitener
from reduction.events.posterior import Parts, Posterior, posterior
from reduction.events.results import NoiseModel
from reduction.events.settings import EventSettings

GREATEST_DEPTH = 1.2
"""Depth that is allowed for: all of the light, and a zero level that is a little off."""

LEAST_SAMPLES = 8
"""That a curve must have for a fit, besides the columns that are fitted."""

ROUNDS = 3
"""Of telling bad samples, and of the noise in the event, from the rest."""

SHORT = 3
"""Samples of a dip, less one, from which its edges are looked at one by one."""

NEGLIGIBLE = 1e-4
"""Probability of a choice of bad samples that is not carried on."""

INSIDE = 8
"""Samples that the noise in an event must be judged by, and that the noise out of it counts for there."""


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
        if fitted is not None and before is not None and _same(before, plain, sigma, fitted.sigma):
            break
        scale = float(level[(cut.first + cut.last) // 2])
        trial = Trial(cut, flanks, flux, sigma, columns, level / scale, scale, noise, bad)
        fitted = trial.over(cases, cut.usable & ~plain)
        gone = well(flanks, cut.start_s, cut.stop_s, fitted.d_s, fitted.r_s)
        level, lost = _levels(flux, fitted.scene.whitener, columns, gone, fitted.scene.level)
        bottom = level - lost
        sigma = _sigma_inside(cut, flux, level - lost * gone, gone, fitted.seen & ~near)
    if fitted is None:
        raise AssertionError("no turn was taken")
    return fitted


def _same(before: Mask, now: Mask, sigma: Floats, fitted: Floats) -> bool:
    return np.array_equal(before, now) and np.array_equal(sigma, fitted)


def looked(
    cut: Cut,
    flux: Floats,
    flanks: tuple[Flank, Flank],
    margin_s: float,
    bad: Contamination,
    noise: NoiseModel,
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

        # Each edge at its best takes its share of the scatter, and so do good samples that were left out.
        freedom = max(scene.freedom - 2 + case.d.outside + case.r.outside, 1)
        left = left_within(self.bad.limit())

        def judge(d_s: Floats, r_s: Floats) -> Posterior:
            on = surface(scene, self.flanks, d_s, r_s)
            scale = np.sqrt(max(float(on.chi2.min()), 1e-300) / freedom) / left if sigma is None else sigma
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
    flux: Floats, whitener: Whitener, columns: Floats, gone: Floats, level: Floats
) -> tuple[Floats, Floats]:
    """Out-of-event level and loss at each sample, of the best edges."""
    rows = np.concatenate([columns, -(gone * level)[None, :]])
    white = whitener(np.concatenate([rows, flux[None, :]]))
    found = np.linalg.lstsq(white[:-1].T, white[-1], rcond=None)[0]
    return found[:-1] @ columns, found[-1] * level


def _sigma_inside(cut: Cut, flux: Floats, model: Floats, gone: Floats, judged: Mask) -> Floats:
    """Sigma of each sample, where the light that is left in the event brings less noise with it.

    Where the curve has no sigmas of its own that hold. The variance follows the light; few samples in the
    event change little.
    """
    inside = judged & (gone > 0.95)
    n = int(inside.sum())
    if n < INSIDE or cut.sigma.max() > cut.sigma.min():
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
