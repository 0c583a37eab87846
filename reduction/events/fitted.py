"""The events of a curve: every dip that stands out of the noise, fitted."""

from collections.abc import Sequence

from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.events.curve import EventCurve
from reduction.events.results import Dip, Event, NoiseModel
from reduction.events.settings import EventSettings


def fitted_events(
    curve: EventCurve, settings: EventSettings, dips: Sequence[Dip], noise: NoiseModel
) -> tuple[tuple[Event, ...], tuple[Note, ...]]:
    """Fit each of the dips, the others left out.

    Returns
    -------
    events : tuple of Event
        In order of time; without those that cannot be fitted.
    notes : tuple of Note
        Why a dip has no fit.

    Raises
    ------
    RequestError
        For settings that contradict the curve.
    """
    from reduction.events.fit import fit_event

    events: list[Event] = []
    notes: list[Note] = []
    for number, dip in enumerate(dips):
        others = [*dips[:number], *dips[number + 1 :]]
        try:
            events.append(fit_event(curve, settings, dip, noise, others))
        except DataError as error:
            notes.append(Note(Caveat.EVENT_NOT_FITTED, f"samples {dip.first} to {dip.last}: {error}"))
    return tuple(sorted(events, key=lambda event: event.dip.first)), tuple(notes)
