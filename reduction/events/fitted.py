"""The events of a curve: every dip that stands out of the noise, fitted."""

import math
from collections.abc import Sequence

from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.events.curve import EventCurve
from reduction.events.doubts import doubts
from reduction.events.results import Dip, Event, NoiseModel
from reduction.events.settings import EventSettings


def fitted_events(
    curve: EventCurve, settings: EventSettings, dips: Sequence[Dip], noise: NoiseModel
) -> tuple[tuple[Event, ...], tuple[Note, ...]]:
    """Fit each of the dips, the most significant first, the others left out.

    What a gradual flank leaves beside the dip that it belongs to is found as a dip, too; its fit then gives
    the same edges.

    Returns
    -------
    events : tuple of Event
        In order of time; without those that cannot be fitted.
    notes : tuple of Note
        Why a dip has no fit; what an event leaves in doubt (`doubts`).

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
        where = f"samples {dip.first} to {dip.last}"
        try:
            event = fit_event(curve, settings, dip, noise, others)
        except DataError as error:
            notes.append(Note(Caveat.EVENT_NOT_FITTED, f"{where}: {error}"))
            continue
        twin = next((one for one in events if _same(one, event, curve.cadence_s())), None)
        if twin is None:
            events.append(event)
            notes.extend(doubts(event, settings))
            continue
        whose = f"samples {twin.dip.first} to {twin.dip.last}"
        text = f"{where}: a flank of the event in {whose}, no event of its own"
        notes.append(Note(Caveat.EVENT_NOT_FITTED, text))
    return tuple(sorted(events, key=lambda event: event.dip.first)), tuple(notes)


def _same(one: Event, other: Event, cadence_s: float) -> bool:
    """Whether two fits have the same edges, within three of their errors or two cadences."""
    for a, b in ((one.d, other.d), (one.r, other.r)):
        if (a is None) != (b is None):
            return False
        if a is not None and b is not None:
            reach = max(3.0 * math.hypot(a.seconds.sigma, b.seconds.sigma), 2.0 * cadence_s)
            if not abs(a.seconds.value - b.seconds.value) <= reach:
                return False
    return True
