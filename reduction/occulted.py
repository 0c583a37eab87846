"""Which star was occulted, when nobody said: the one with the most significant run of missing light."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Caveat, Note
from reduction.lightcurve import Roles, columns, ensemble_weights, robust_sigma
from reduction.result import UNUSABLE
from reduction.survey import Survey

Floats = NDArray[np.float64]
SIGNIFICANT = 8.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The star taken as target, and the sentence that says why."""

    star: int
    note: Note


def deepest_run(ratio: Floats, usable: NDArray[np.bool_]) -> float:
    """Signal-to-noise ratio of the most significant run of low samples, over all starts and lengths.

    Runs of 1, 2, 4, ... samples up to half the curve, by prefix sums of the samples' deviation
    from the median in units of their robust sigma.
    """
    values = ratio[usable & np.isfinite(ratio)]
    if values.size < 8:
        return 0.0
    spread = robust_sigma(np.diff(values)) / np.sqrt(2.0)
    if not spread > 0:
        return 0.0
    level = float(np.percentile(values, 60.0))
    total = np.concatenate([[0.0], np.cumsum((level - values) / spread)])
    best, length = 0.0, 1
    while length <= values.size // 2:
        best = max(best, float((total[length:] - total[:-length]).max()) / float(np.sqrt(length)))
        length *= 2
    return best


def choose_target(survey: Survey, segments: Sequence[Path], frames: int) -> Choice:
    """Find the occulted star in the star table; else the brightest that is not saturated."""
    count = survey.u.size
    able = np.flatnonzero((survey.flux > 3.0 * survey.rms) & ~survey.saturated)
    if able.size == 0:
        able = np.arange(count)
    scores = np.zeros(count)
    for star in able:
        others = np.array([s for s in able if s != star and survey.references[s]], np.intp)
        roles = Roles(
            int(star), others, ensemble_weights(survey.flux, survey.rms, others), survey.flux[others]
        )
        raw = columns(segments, count, frames, roles)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores[star] = deepest_run(raw.flux / raw.reference, (raw.flags & UNUSABLE.value) == 0)
    best = int(np.argmax(scores))
    rest = np.delete(scores[able], np.flatnonzero(able == best))
    typical = float(np.median(rest)) if rest.size else 0.0
    x, y = (float(survey.geometry.to_full(z)) for z in (survey.u[best], survey.v[best]))
    if scores[best] >= max(SIGNIFICANT, 1.5 * typical):
        text = (
            f"No target was named; the star at {x:.1f},{y:.1f} was taken: its light drops by "
            f"{scores[best]:.0f} sigma in one run of frames, that of the others by {typical:.0f}."
        )
        return Choice(best, Note(Caveat.TARGET_CHOSEN, text))
    brightest = int(able[np.argmax(survey.flux[able])])
    x, y = (float(survey.geometry.to_full(z)) for z in (survey.u[brightest], survey.v[brightest]))
    text = (
        f"No target was named and no star drops significantly (largest {scores[best]:.1f} sigma); the "
        f"brightest unsaturated star, at {x:.1f},{y:.1f}, stands in. Name the target with --target X,Y."
    )
    return Choice(brightest, Note(Caveat.TARGET_CHOSEN, text))
