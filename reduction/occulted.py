"""Which star was occulted, when nobody said: the one with a run of missing light that no other star has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.beforehand import wait_for
from reduction.caveats import Caveat, Note
from reduction.events.curve import EventCurve
from reduction.events.false_alarm import false_alarm_probability
from reduction.events.search import Strongest, screened, strongest
from reduction.events.settings import EventSettings
from reduction.lightcurve import Roles, columns, ensemble_weights
from reduction.result import UNUSABLE
from reduction.survey import Survey
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]

CANDIDATES = 3
"""Stars whose curves are searched under their own noise: those that stand out most in the screening."""

SHORT = 5000
"""Frames up to which four times as many are."""

LEAST_SNR = 1.0
"""Of one sample, of a star that is searched: what hides it for a second hides it on many frames."""

SUGGESTIVE = 6.0
"""Signal-to-noise from which a dip that is no proof still tells which star to look at."""

OWN = 0.5
"""Share of the dip in the ratio that a star's own light must show. Where a reference star is hidden at an end
of the recording, the ratios of the others dip when it comes back."""

COMMON = 0.3
"""Share of the candidate's loss from which another star dips with it."""

COMMON_SIGMA = 4.0
"""Its significance, at least."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The star taken as target, the number of stars searched, and the sentence that says why."""

    star: int
    searched: int
    note: Note


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A star, what its curve shows most, and how likely noise does as much in one of all curves."""

    star: int
    best: Strongest
    probability: float
    falls: bool  # its own light, too, not only its ratio to others that may have risen


def choose_target(
    survey: Survey, segments: Sequence[Path], frames: int, settings: EventSettings | None = None
) -> Choice:
    """Find the occulted star in the star table; else the brightest that is not saturated.

    Every star's ratio to the others is searched for runs of missing light. A dip that several stars have
    together is no occultation (clouds, tracking).
    """
    wanted = settings or EventSettings()
    able = np.flatnonzero(survey.flux > LEAST_SNR * survey.rms)
    if able.size == 0:
        able = np.arange(survey.u.size)
    curves: dict[int, EventCurve] = {}
    alone: dict[int, Floats] = {}
    for star in able.tolist():
        curves[star], alone[star] = _ratio(survey, segments, frames, star, able)
    scores = {star: screened(curve, wanted.baseline_order) for star, curve in curves.items()}
    first = sorted(scores, key=lambda star: -scores[star])[: CANDIDATES if frames > SHORT else 4 * CANDIDATES]
    candidates = [
        candidate
        for star in first
        if (candidate := _candidate(star, curves[star], alone[star], wanted, able.size)) is not None
    ]
    rest = [scores[star] for star in scores if star not in first[:1]]
    typical = float(np.median(rest)) if rest else 0.0

    def rank(c: _Candidate) -> tuple[bool, bool, bool, float, float]:
        sure = c.probability < wanted.false_alarm
        return not c.falls, not sure, bool(survey.saturated[c.star]), c.probability, -c.best.snr

    ranked = sorted(candidates, key=rank)
    for candidate in ranked:
        sure = candidate.probability < wanted.false_alarm
        if not sure and candidate.best.snr < SUGGESTIVE:
            continue
        if _in_common(candidate, curves):
            continue
        return Choice(candidate.star, int(able.size), _found(survey, candidate, able.size, typical, sure))
    return _stand_in(survey, able, candidates)


def settled_roles(
    survey: Survey, segments: Sequence[Path], frames: int, settings: EventSettings
) -> tuple[Roles, int, list[Note]]:
    """Target and ensemble, stars searched, caveats; the target chosen where none was named."""
    wait_for("events")
    notes: list[Note] = []
    searched = 1
    if "target" in survey.named:
        target = survey.named.index("target")
    else:
        choice = choose_target(survey, segments, frames, settings)
        target, searched = choice.star, choice.searched
        notes.append(choice.note)
    references = np.array([s for s in np.flatnonzero(survey.references) if s != target], np.intp)
    positive = references[survey.flux[references] > 0]
    weights = ensemble_weights(survey.flux, survey.rms, positive)
    if positive.size == 1 and "target" not in survey.named:
        notes.append(Note(Caveat.ONE_REFERENCE, "One reference star only: its noise adds to the ratio."))
    return Roles(target, positive, weights, survey.flux[positive]), searched, notes


def _ratio(
    survey: Survey, segments: Sequence[Path], frames: int, star: int, able: NDArray[np.intp]
) -> tuple[EventCurve, Floats]:
    """A star's light over that of the reference stars but itself, its median 1; and its light alone."""
    others = np.array([s for s in able if s != star and survey.references[s]], np.intp)
    weights = ensemble_weights(survey.flux, survey.rms, others)
    roles = Roles(star, others, weights, survey.flux[others])
    raw = columns(segments, survey.u.size, frames, roles)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = raw.flux / raw.reference
        sigma = np.abs(ratio) * np.hypot(raw.sigma / raw.flux, raw.reference_sigma / raw.reference)
    usable = ((raw.flags & UNUSABLE.value) == 0) & np.isfinite(ratio)
    middle = float(np.median(ratio[usable])) if usable.any() else 1.0
    scale = middle if middle > 0 else 1.0
    unknown = np.full(frames, np.nan)
    curve = EventCurve(
        name=f"star {star}",
        time_s=np.arange(frames, dtype=np.float64),
        ref_ns=UNKNOWN_NS,
        exposure_s=np.ones(frames),
        flux=ratio / scale,
        sigma=sigma / scale,
        usable=usable,
        frame=np.arange(frames, dtype=np.float64),
        utc_sigma_s=unknown,
    )
    return curve, raw.flux


def _candidate(
    star: int, curve: EventCurve, alone: Floats, settings: EventSettings, stars: int
) -> _Candidate | None:
    """What a star's curve shows most; `alone` is its own light."""
    best = strongest(curve, curve.usable, settings.baseline_order)
    if best is None:
        return None
    probability = false_alarm_probability(best.score, best.noise, best.samples, best.run, stars)
    inside = np.zeros(curve.flux.shape, bool)
    inside[best.first : best.last + 1] = True
    own = [float(np.median(alone[part])) for part in (curve.usable & inside, curve.usable & ~inside)]
    return _Candidate(star, best, probability, own[1] - own[0] > OWN * best.depth * own[1])


def _in_common(candidate: _Candidate, curves: dict[int, EventCurve]) -> bool:
    """Whether half of the other stars that could show it dip with the candidate.

    Each of them is measured against the references, to which an occulted star may belong: that makes the
    others rise, never dip.
    """
    first, last, depth = candidate.best.first, candidate.best.last, candidate.best.depth
    able = dips = 0
    for star, curve in curves.items():
        if star == candidate.star:
            continue
        inside = np.zeros(curve.flux.shape, bool)
        inside[first : last + 1] = True
        loss, error = _loss(curve, inside)
        if depth > 2.0 * COMMON_SIGMA * error:
            able += 1
            dips += loss > max(COMMON * depth, COMMON_SIGMA * error)
    return able > 0 and 2 * dips >= able


def _loss(curve: EventCurve, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Median loss in a run against the curve about it, and its error."""
    at = np.flatnonzero(inside)
    reach = max(at.size, 10)
    near = np.zeros(inside.shape, bool)
    near[max(0, int(at[0]) - reach) : int(at[-1]) + 1 + reach] = True
    one, other = curve.flux[curve.usable & inside], curve.flux[curve.usable & near & ~inside]
    if one.size == 0 or other.size < 3:
        return 0.0, float("inf")
    spread = 1.4826 * float(np.median(np.abs(other - np.median(other))))
    error = 1.2533 * spread * float(np.sqrt(1.0 / one.size + 1.0 / other.size))
    return float(np.median(other) - np.median(one)), error


def _place(survey: Survey, star: int) -> str:
    x, y = (float(survey.geometry.to_full(z)) for z in (survey.u[star], survey.v[star]))
    return f"{x:.1f},{y:.1f}"


def _found(survey: Survey, candidate: _Candidate, stars: int, typical: float, sure: bool) -> Note:
    """Why this star."""
    best = candidate.best
    count = best.last - best.first + 1
    run = "one frame" if count == 1 else f"one run of {count} frames"
    text = (
        f"No target was named; the star at {_place(survey, candidate.star)} was taken: its light drops by "
        f"{best.snr:.0f} sigma in {run}, that of the other stars by {typical:.0f} at most, each at its worst"
    )
    if sure:
        text += f"; noise does as much in one of {stars} stars with probability {candidate.probability:.1g}."
    else:
        text += "; that is no proof of an event. Name the target with --target X,Y if it is another."
    return Note(Caveat.TARGET_CHOSEN, text)


def _stand_in(survey: Survey, able: NDArray[np.intp], candidates: list[_Candidate]) -> Choice:
    """The brightest, where no star dips alone."""
    whole = able[~survey.saturated[able]]
    among = whole if whole.size else able
    brightest = int(among[np.argmax(survey.flux[among])])
    largest = max((candidate.best.snr for candidate in candidates), default=0.0)
    text = (
        f"No target was named and no star drops significantly (largest {largest:.1f} sigma); the "
        f"brightest unsaturated star, at {_place(survey, brightest)}, stands in. Name the target with "
        "--target X,Y."
    )
    return Choice(brightest, int(able.size), Note(Caveat.TARGET_CHOSEN, text))
