"""When each sample's light was gathered."""

from dataclasses import dataclass

import numpy as np

from reduction.caveats import Caveat, Note
from reduction.events.curve import EventCurve
from reduction.events.flanks import Floats
from reduction.events.settings import EventSettings

LEAST = 1e-3
"""Of the cadence: no exposure is taken as shorter, so that its mean can be formed."""


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """Start and end of each sample's light, seconds after the curve's reference; arrays ``(n_sample,)``."""

    start_s: Floats
    stop_s: Floats
    notes: tuple[Note, ...] = ()


def exposures_of(curve: EventCurve, settings: EventSettings) -> Exposures:
    """Return the exposures: of the settings, else of the curve, else the cadence (with a note).

    A sample that integrates frames has the exposure of them all; dead time is what remains of the cadence.
    """
    cadence = curve.cadence_s()
    notes: tuple[Note, ...] = ()
    if settings.exposure_s is not None:
        exposure = np.full(curve.time_s.shape, settings.exposure_s)
    elif settings.dead_time_s is not None:
        exposure = np.full(curve.time_s.shape, cadence - settings.dead_time_s)
    else:
        known = np.isfinite(curve.exposure_s) & (curve.exposure_s > 0)
        typical = float(np.median(curve.exposure_s[known])) if known.any() else cadence
        exposure = np.where(known, curve.exposure_s, typical)
        if not known.any():
            text = f"exposure unknown: taken as the cadence, {cadence:g} s, without dead time"
            notes = (Note(Caveat.EXPOSURE_ASSUMED, text),)
    half = 0.5 * np.maximum(exposure, LEAST * cadence)
    return Exposures(curve.time_s - half, curve.time_s + half, notes)
