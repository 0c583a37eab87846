"""Stations whose chord fits the limb only when its times are shifted."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from reduction.limb.causes import Cause, likeliest_causes
from reduction.limb.descent import descend
from reduction.limb.ellipse import ELLIPSE_TIMES, FREE_S, Model, limb_components
from reduction.limb.likelihood import Prior, Times, misfit
from reduction.limb.shape import Floats

NAMED = 0.01
"""A shift is named where chance makes one as significant among all stations less often than this."""
PAIRS_OF = 10
"""Stations of which all pairs are tried where no single one explains the misfit."""


@dataclass(frozen=True, slots=True)
class Offset:
    """The shift of one station's times against the limb of the others.

    Attributes
    ----------
    chord : int
    shift_s, sigma_s : float
        Positive: its times are late.
    chance : float
        Probability of a shift as significant in any of the stations (pairs of stations, where two were
        found together) by chance: Student's t, corrected for the number of places looked at.
    length_sigmas : float
        Observed less computed duration, in its sigmas: small where the chord's length fits as it is.
    odds : float
        Odds of this station against the likeliest other one.
    causes : tuple of Cause
        The likeliest first; empty where nothing is named.
    """

    chord: int
    shift_s: float
    sigma_s: float
    chance: float
    length_sigmas: float
    odds: float
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class OffsetSearch:
    """What was found: stations to be named, and the shift of every station by itself."""

    named: tuple[Offset, ...]
    each: tuple[Offset, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Released:
    """A fit in which some stations' times are free."""

    chords: tuple[int, ...]
    shift_s: Floats
    covariance: Floats
    length_sigmas: Floats
    log_mass: float
    freedom: int


def released(times: Times, chords: Sequence[int]) -> Times:
    """The same times with those stations' clocks free: for the fit that does not believe them."""
    clocks = times.clock_s.copy()
    clocks[list(chords)] = FREE_S
    return dataclasses.replace(times, clock_s=clocks)


def find_offsets(
    times: Times, prior: Prior, model: Model | None = None, exposures_s: Sequence[float | None] = ()
) -> OffsetSearch:
    """Look for stations whose times are shifted, one by one, then two together.

    Each station's clock is set free in turn, and its shift against the limb that the others and its own
    chord's length give is compared with its error, the relief included. What shifts all stations alike
    cannot be seen.

    Parameters
    ----------
    times, prior, model
        As for `fit_limb`.
    exposures_s : sequence of float or None
        Of each chord; for the causes.
    """
    model = model or ("ellipse" if times.edges >= ELLIPSE_TIMES else "circle")
    stations = [k for k in range(times.clock_s.size) if (times.owner == k).sum() == 2]
    if len(stations) < 3:
        return OffsetSearch((), ())
    singles = [_release(times, prior, model, (k,)) for k in stations]
    if singles[0].freedom < 1:
        return OffsetSearch((), ())
    each = _offsets(singles)
    found: tuple[int, ...] = ()
    chance: dict[int, Offset] = {}
    best = min(each, key=lambda one: one.chance)
    if best.chance < NAMED:
        found, chance = (best.chord,), {best.chord: best}
        seconds = [_release(times, prior, model, (best.chord, k)) for k in stations if k != best.chord]
        if seconds[0].freedom >= 1:
            second = min(_offsets(seconds, of=1), key=lambda one: one.chance)
            if second.chance < NAMED:
                found, chance[second.chord] = (best.chord, second.chord), second
    else:
        pair = _pair(times, prior, model, each)
        found, chance = (tuple(pair), pair) if pair else ((), {})
    return OffsetSearch(_named(times, prior, model, found, chance, exposures_s), tuple(each))


def _release(times: Times, prior: Prior, model: Model, chords: tuple[int, ...]) -> _Released:
    """Fit with those stations' clocks free; their shifts with covariance, the limb's errors included."""
    parts = limb_components(released(times, chords), prior, model)
    best = int(np.argmax(parts.log_mass))
    x, relief = parts.x[best][None, :], parts.relief_km[best : best + 1]
    found = misfit(times, x, relief)
    jacobian = descend(times, prior, x, relief, 0).jacobian[0]
    covariance = parts.factor[best] @ parts.factor[best].T
    shift, rows, lengths = [], [], []
    own = np.zeros((len(chords), len(chords)))
    for index, chord in enumerate(chords):
        d, r = np.flatnonzero(times.owner == chord)
        weight = 1 / found.variance[0, [d, r]]
        share = weight / weight.sum()
        slopes = _slopes(times, found.variance[0], jacobian, [int(d), int(r)])
        shift.append(share @ found.residual_s[0, [d, r]])
        rows.append(share @ slopes)
        own[index, index] = 1 / weight.sum() + times.clock_s[chord] ** 2
        apart = slopes[1] - slopes[0]
        spread = (1 / weight).sum() + apart @ covariance @ apart
        lengths.append((found.residual_s[0, r] - found.residual_s[0, d]) / np.sqrt(spread))
    leverage = np.array(rows)
    return _Released(
        chords=chords,
        shift_s=np.array(shift),
        covariance=own + leverage @ covariance @ leverage.T,
        length_sigmas=np.array(lengths),
        log_mass=float(np.logaddexp.reduce(parts.log_mass)),
        freedom=times.edges - x.shape[1] - len(chords) + int(prior.sigma_km is not None),
    )


def _slopes(times: Times, variance: Floats, jacobian: Floats, edges: list[int]) -> Floats:
    """How residuals change with the limb, seconds per unit: the whitened ones' rows, made unwhite again."""
    clock = times.clock_s[times.owner[edges[0]]]
    root = 1 / np.sqrt(variance[edges])
    length = float((root**2).sum())
    share = (1 - 1 / np.sqrt(1 + clock**2 * length)) / length
    whiten = np.diag(root) - share * np.outer(root, root**2)
    answer: Floats = np.linalg.solve(whiten, jacobian[edges])
    return answer


def _offsets(fits: Sequence[_Released], of: int = 0) -> list[Offset]:
    """The shift of the `of`-th station of each fit; significance among all of them."""
    from scipy.stats import t

    answer = []
    masses = np.array([fit.log_mass for fit in fits])
    for index, fit in enumerate(fits):
        sigma = float(np.sqrt(fit.covariance[of, of]))
        shift = float(fit.shift_s[of])
        alone = 2 * float(t.sf(abs(shift) / sigma, fit.freedom))
        others = np.delete(masses, index)
        answer.append(
            Offset(
                chord=fit.chords[of],
                shift_s=shift,
                sigma_s=sigma,
                chance=-float(np.expm1(len(fits) * np.log1p(-min(alone, 1 - 1e-12)))),
                length_sigmas=float(fit.length_sigmas[of]),
                odds=float(np.exp(min(masses[index] - others.max(), 50.0))) if others.size else 1.0,
            )
        )
    return answer


def _pair(times: Times, prior: Prior, model: Model, each: Sequence[Offset]) -> dict[int, Offset]:
    """Two stations that only together explain the misfit (each hides the other); empty where none do."""
    from scipy.stats import f

    likely = sorted(each, key=lambda one: one.chance)[:PAIRS_OF]
    fits = [_release(times, prior, model, (one.chord, two.chord)) for one, two in combinations(likely, 2)]
    if not fits or fits[0].freedom < 2:
        return {}
    best = max(fits, key=lambda one: one.log_mass)
    square = float(best.shift_s @ np.linalg.solve(best.covariance, best.shift_s))
    pairs = len(each) * (len(each) - 1) / 2
    chance = min(pairs * float(f.sf(square / 2, 2, best.freedom)), 1.0)
    sigma = np.sqrt(np.diag(best.covariance))
    if chance >= NAMED or bool((np.abs(best.shift_s) < 3 * sigma).any()):
        return {}
    others = max((one.log_mass for one in fits if one is not best), default=-np.inf)
    odds = float(np.exp(min(best.log_mass - others, 50.0)))
    return {
        chord: Offset(
            chord, float(best.shift_s[k]), float(sigma[k]), chance, float(best.length_sigmas[k]), odds
        )
        for k, chord in enumerate(best.chords)
    }


def _named(
    times: Times,
    prior: Prior,
    model: Model,
    found: tuple[int, ...],
    chance: dict[int, Offset],
    exposures_s: Sequence[float | None],
) -> tuple[Offset, ...]:
    """The named stations with shifts measured while all of them are free, and causes."""
    if not found:
        return ()
    fit = _release(times, prior, model, found)
    answer = []
    for k, chord in enumerate(found):
        shift, sigma = float(fit.shift_s[k]), float(np.sqrt(fit.covariance[k, k]))
        exposure = exposures_s[chord] if len(exposures_s) > chord else None
        answer.append(
            dataclasses.replace(
                chance[chord],
                shift_s=shift,
                sigma_s=sigma,
                length_sigmas=float(fit.length_sigmas[k]),
                causes=likeliest_causes(shift, sigma, exposure),
            )
        )
    return tuple(answer)
