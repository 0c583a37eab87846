"""Counting: a few queries that the database adds up, put together for a period."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.campaigns.tables import Campaign, Prediction
from api.equipment.tables import Equipment, Site
from api.observations.tables import Observation, ObservationFile
from api.people.tables import Person
from api.statistics.cameras import SENSORS, sensor_of
from api.statistics.classes import CLASSES, class_of
from api.statistics.countries import UNKNOWN, Gazetteer
from api.statistics.periods import Period
from api.statistics.views import (
    OUTCOMES,
    ApertureCount,
    Busiest,
    CellCount,
    ClassCount,
    CountryCount,
    MonthCount,
    Outcome,
    OutcomeCount,
    SensorCount,
    Statistics,
    Totals,
)

APERTURES_CM = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 100.0, None)
"""Limits of the classes of apertures; a limit belongs to the class above it."""


@dataclass(slots=True)
class _Event:
    """A campaign, and its reports by status."""

    name: str
    at: datetime
    reports: Counter[str] = field(default_factory=Counter)

    @property
    def outcome(self) -> Outcome:
        return next((one for one in OUTCOMES if self.reports[one]), "none")


@dataclass(slots=True)
class _Place:
    """A site."""

    person: str
    latitude_deg: float
    longitude_deg: float
    country: str
    created: datetime


def count(session: Session, period: Period, gazetteer: Gazetteer) -> Statistics:
    """Count the archive.

    Parameters
    ----------
    session : Session
        Of a transaction that reads.
    gazetteer : Gazetteer
        Tells the countries.
    period : Period
        Of occultations: of campaigns, their reports and bodies. Of registration: of observers, their
        sites and equipment.
    """
    events = _events(session, period)
    places, reports = _places(session, gazetteer), _reports_by_site(session, period)
    registered = {key: place for key, place in places.items() if period.holds(place.created)}
    apertures, cameras = _telescopes(session, period), _cameras(session, period)
    classes, bodies = _classes(session, period)
    return Statistics(
        start=period.start,
        end=period.end,
        totals=Totals(
            campaigns=len(events),
            with_stations=sum(bool(event.reports) for event in events.values()),
            with_data=_with_data(session, period),
            reports=sum(event.reports.total() for event in events.values()),
            bodies=bodies,
            observers=_observers(session, period),
            sites=len(registered),
            telescopes=sum(one.telescopes for one in apertures),
            cameras=sum(one.cameras for one in cameras),
        ),
        outcomes=_outcomes(events.values()),
        classes=classes,
        cells=_cells(registered.values()),
        countries=_countries(places, registered, reports),
        apertures=apertures,
        cameras=cameras,
        months=_months(events.values()),
        busiest=_busiest(events),
    )


def _within(column: InstrumentedAttribute[datetime], period: Period) -> list[ColumnElement[bool]]:
    found = []
    if period.first is not None:
        found.append(column >= period.first)
    if period.after is not None:
        found.append(column < period.after)
    return found


def _events(session: Session, period: Period) -> dict[str, _Event]:
    rows = (
        select(Campaign.id, Campaign.name, Prediction.at, Observation.status, func.count(Observation.id))
        .join(Prediction, Prediction.id == Campaign.prediction)
        .outerjoin(Observation, Observation.campaign == Campaign.id)
        .group_by(Campaign.id, Campaign.name, Prediction.at, Observation.status)
    )
    found: dict[str, _Event] = {}
    for key, name, at, status, reports in session.execute(rows.where(*_within(Prediction.at, period))):
        event = found.setdefault(key, _Event(name, at))
        if status is not None:
            event.reports[status] += reports
    return found


def _with_data(session: Session, period: Period) -> int:
    rows = (
        select(func.count(Observation.campaign.distinct()))
        .select_from(ObservationFile)
        .join(Observation, Observation.id == ObservationFile.observation)
        .join(Campaign, Campaign.id == Observation.campaign)
        .join(Prediction, Prediction.id == Campaign.prediction)
        .where(ObservationFile.role == "recording", ObservationFile.state == "accepted")
    )
    return int(session.scalar(rows.where(*_within(Prediction.at, period))) or 0)


def _classes(session: Session, period: Period) -> tuple[tuple[ClassCount, ...], int]:
    """Campaigns and bodies of each class, and how many bodies there are: one may be stated in two classes."""
    orbit = Prediction.elements["orbit"]
    rows = select(
        Prediction.object_key, Prediction.object_class, Prediction.object_number, Prediction.object_name,
        orbit["semimajor_au"].as_float(), orbit["eccentricity"].as_float(), orbit["perihelion_au"].as_float(),
    ).join(Campaign, Campaign.prediction == Prediction.id)  # fmt: skip
    campaigns: Counter[str] = Counter()
    bodies: dict[str, set[str]] = {name: set() for name in CLASSES}
    for key, stated, number, name, *elements in session.execute(rows.where(*_within(Prediction.at, period))):
        found = class_of(stated, number if number[-1:] in {"P", "D"} else name, *elements)
        campaigns[found] += 1
        bodies[found].add(key)
    counted = tuple(
        ClassCount(name=name, campaigns=campaigns[name], bodies=len(bodies[name]))
        for name in CLASSES
        if campaigns[name]
    )
    return counted, len(set().union(*bodies.values()))


def _places(session: Session, gazetteer: Gazetteer) -> dict[str, _Place]:
    rows = session.execute(
        select(Site.id, Site.person, Site.latitude_deg, Site.longitude_deg, Site.country, Site.created)
    ).all()
    countries = gazetteer.countries([(north, east, stated) for _, _, north, east, stated, _ in rows])
    return {
        key: _Place(person, north, east, country, created)
        for (key, person, north, east, _, created), country in zip(rows, countries, strict=True)
    }


def _reports_by_site(session: Session, period: Period) -> dict[str, int]:
    rows = (
        select(Observation.site, func.count())
        .join(Campaign, Campaign.id == Observation.campaign)
        .join(Prediction, Prediction.id == Campaign.prediction)
        .group_by(Observation.site)
    )
    found = session.execute(rows.where(*_within(Prediction.at, period)))
    return {row[0]: row[1] for row in found}


def _countries(
    places: dict[str, _Place], registered: dict[str, _Place], reports: dict[str, int]
) -> tuple[CountryCount, ...]:
    sites = Counter(place.country for place in registered.values())
    observers: dict[str, set[str]] = {}
    for place in registered.values():
        observers.setdefault(place.country, set()).add(place.person)
    reported: Counter[str] = Counter()
    for site, times in reports.items():
        reported[places[site].country] += times
    found = [
        CountryCount(
            name=name, observers=len(observers.get(name, ())), sites=sites[name], reports=reported[name]
        )
        for name in {*sites, *reported}
    ]
    return tuple(sorted(found, key=lambda one: (one.name == UNKNOWN, -one.observers, -one.reports, one.name)))


def _cells(places: Iterable[_Place]) -> tuple[CellCount, ...]:
    cells: dict[tuple[float, float], list[str]] = {}
    for place in places:
        key = _middle(place.latitude_deg, 90.0), _middle(place.longitude_deg, 180.0)
        cells.setdefault(key, []).append(place.person)
    return tuple(
        CellCount(latitude_deg=north, longitude_deg=east, sites=len(people), observers=len(set(people)))
        for (north, east), people in sorted(cells.items())
    )


def _middle(degrees: float, most: float) -> float:
    """Middle of the cell of 1 degree; the last one holds its upper end, too."""
    return min(float(degrees // 1), most - 1) + 0.5


def _observers(session: Session, period: Period) -> int:
    rows = select(func.count()).select_from(Person).where(Person.deleted.is_(None))
    return int(session.scalar(rows.where(*_within(Person.created, period))) or 0)


def _telescopes(session: Session, period: Period) -> tuple[ApertureCount, ...]:
    millimetres = Equipment.details["aperture_mm"].as_float()
    rows = select(millimetres, func.count()).where(Equipment.kind == "telescope").group_by(millimetres)
    limits = list(pairwise(APERTURES_CM))
    counts: Counter[tuple[float | None, float | None]] = Counter()
    for aperture, telescopes in session.execute(rows.where(*_within(Equipment.created, period))):
        counts[_limits(aperture, limits)] += telescopes
    return tuple(
        ApertureCount(from_cm=low, below_cm=high, telescopes=counts[low, high])
        for low, high in [*limits, (None, None)]
    )


def _limits(
    aperture_mm: float | None, limits: Sequence[tuple[float | None, float | None]]
) -> tuple[float | None, float | None]:
    if aperture_mm is None:
        return (None, None)
    return next((low, high) for low, high in limits if high is None or aperture_mm < 10 * high)


def _cameras(session: Session, period: Period) -> tuple[SensorCount, ...]:
    sensor = Equipment.details["sensor"].as_string()
    rows = (
        select(Equipment.name, sensor, func.count())
        .where(Equipment.kind == "camera")
        .group_by(Equipment.name, sensor)
    )
    counts: Counter[str] = Counter()
    for name, told, cameras in session.execute(rows.where(*_within(Equipment.created, period))):
        counts[sensor_of(name, told or "")] += cameras
    return tuple(SensorCount(name=name, cameras=counts[name]) for name in SENSORS if counts[name])


def _outcomes(events: Iterable[_Event]) -> tuple[OutcomeCount, ...]:
    campaigns: Counter[str] = Counter()
    reports: Counter[str] = Counter()
    for event in events:
        campaigns[event.outcome] += 1
        reports.update(event.reports)
    return tuple(
        OutcomeCount(outcome=one, campaigns=campaigns[one], reports=reports[one]) for one in OUTCOMES
    )


def _months(events: Iterable[_Event]) -> tuple[MonthCount, ...]:
    months: dict[str, list[_Event]] = {}
    for event in events:
        months.setdefault(f"{event.at:%Y-%m}", []).append(event)
    return tuple(
        MonthCount(
            month=month,
            campaigns=len(held),
            positive=sum(event.outcome == "positive" for event in held),
            reports=sum(event.reports.total() for event in held),
        )
        for month, held in sorted(months.items())
    )


def _busiest(events: dict[str, _Event]) -> Busiest | None:
    """The campaign with the most reports, the later one of two."""
    joined = [(event.reports.total(), event.at, key) for key, event in events.items() if event.reports]
    if not joined:
        return None
    stations, _, key = max(joined)
    return Busiest(stations=stations, campaign=key, name=events[key].name)
