"""What a fitted event leaves in doubt that its errors do not hold."""

from reduction.caveats import Caveat, Note
from reduction.events.results import Event
from reduction.events.settings import EventSettings

UNEXPECTED = 3.0
"""Errors of the depth from which it is not the one that was expected."""

TOLERATED = 0.02
"""Depth that magnitudes and the zero of the photometry are never trusted beyond."""

OVERLAP = 0.5
"""Rise of the flanks over the event's duration from which the limbs cross the star together."""


def doubts(event: Event, settings: EventSettings) -> tuple[Note, ...]:
    """Caveats of one event.

    Its depth against the expected one (`EventSettings.depth`): a graze, one star of two, a neighbour's light
    in the aperture all leave light that should go. And flanks about as long as the event: the body, or the
    chord, is about as small as the star, and no limb is straight before it.
    """
    where = f"samples {event.dip.first} to {event.dip.last}"
    notes: list[Note] = []
    expected = settings.depth()
    if expected is not None:
        off = event.depth.value - expected
        if abs(off) > max(UNEXPECTED * event.depth.sigma, TOLERATED):
            why = (
                "a graze, one star of two, or a neighbour's light in the aperture"
                if off < 0
                else "the magnitudes or the zero of the light are off"
            )
            notes.append(
                Note(
                    Caveat.EVENT_DEPTH,
                    f"{where}: {event.depth.value:.3f} +- {event.depth.sigma:.3f} of the light goes, "
                    f"{expected:.3f} is expected: {why}",
                )
            )
    if event.d is not None and event.r is not None and event.duration is not None:
        rise = 0.5 * ((event.d.gradual_s or 0.0) + (event.r.gradual_s or 0.0))
        if rise > OVERLAP * event.duration.value > 0:
            notes.append(
                Note(
                    Caveat.EVENT_LIMBS_OVERLAP,
                    f"{where}: the flanks take {rise:.3g} s of {event.duration.value:.3g} s: body or chord "
                    "are hardly larger than the star; D and R are those of straight limbs, a round body's "
                    "differ",
                )
            )
    return tuple(notes)
