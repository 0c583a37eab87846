"""What a campaign has: stations, what their observers stated, files, results; read in one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.campaigns.tables import Campaign, Prediction
from api.equipment.tables import Equipment, Site
from api.figures.tables import LimbFigure
from api.fits.tables import DONE, Fit
from api.observations.reporting import Stated, stated_of
from api.observations.tables import Observation, ObservationFile
from api.people.tables import Person
from api.results.tables import Reduction, Result


@dataclass(frozen=True, slots=True)
class Station:
    """A station of a campaign.

    Attributes
    ----------
    number : int
        In the order in which they joined, from 1.
    results : tuple of (Result, str)
        The last version of each recording, and the recording's name.
    """

    number: int
    stated: Stated
    files: tuple[ObservationFile, ...]
    results: tuple[tuple[Result, str], ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """All of a campaign; with results alone `fit`, its last limb that was done, and uploaded `figures`."""

    campaign: Campaign
    prediction: Prediction
    stations: tuple[Station, ...]
    with_results: bool
    fit: Fit | None
    figures: tuple[LimbFigure, ...] = ()


def contents_of(session: Session, campaign: Campaign, with_results: bool) -> Contents:
    """Read all of a campaign."""
    mine = Observation.campaign == campaign.id
    rows = session.scalars(
        select(Observation).where(mine).order_by(Observation.created, Observation.id)
    ).all()
    at_hand = list(_people_and_things(session, rows))  # `stated_of` finds them in the session
    files: dict[str, list[ObservationFile]] = {}
    asked = select(ObservationFile).join(Observation, Observation.id == ObservationFile.observation)
    for file in session.scalars(asked.where(mine).order_by(ObservationFile.created, ObservationFile.id)):
        files.setdefault(file.observation, []).append(file)
    results = _results(session, campaign.id) if with_results else {}
    stations = tuple(
        Station(number, stated_of(session, row), tuple(files.get(row.id, ())), tuple(results.get(row.id, ())))
        for number, row in enumerate(rows, 1)
    )
    del at_hand
    prediction = session.get_one(Prediction, campaign.prediction)
    fit = _last_fit(session, campaign.id) if with_results else None
    figures = _figures(session, campaign.id) if with_results else ()
    return Contents(campaign, prediction, stations, with_results, fit, figures)


def _figures(session: Session, campaign: str) -> tuple[LimbFigure, ...]:
    there = select(LimbFigure).where(LimbFigure.campaign == campaign, LimbFigure.removed.is_(None))
    return tuple(session.scalars(there.order_by(LimbFigure.version)))


def _last_fit(session: Session, campaign: str) -> Fit | None:
    done = select(Fit).where(Fit.campaign == campaign, Fit.state == DONE)
    return session.scalars(done.order_by(Fit.version.desc()).limit(1)).one_or_none()


def _people_and_things(session: Session, rows: Sequence[Observation]) -> Iterator[Any]:
    used: list[tuple[Any, set[Any]]] = [
        (Person, {row.person for row in rows}),
        (Site, {row.site for row in rows}),
    ]
    kinds = ("telescope", "camera", "recorder", "filter")
    used.append((Equipment, {getattr(row, kind) for row in rows for kind in kinds} - {None}))
    for table, ids in used:
        wanted = sorted(ids)
        for first in range(0, len(wanted), 500):  # a database takes so many parameters at once
            some = wanted[first : first + 500]
            yield list(session.scalars(select(table).where(table.id.in_(some))))


def _results(session: Session, campaign: str) -> dict[str, list[tuple[Result, str]]]:
    """Observation -> the last version of each of its recordings."""
    asked = (
        select(Result, Reduction.file, ObservationFile.name)
        .join(Reduction, Reduction.id == Result.reduction)
        .join(ObservationFile, ObservationFile.id == Reduction.file)
        .where(Result.campaign == campaign)
        .order_by(Result.observation, Result.version)
    )
    last = {(row.observation, file): (row, name) for row, file, name in session.execute(asked)}
    found: dict[str, list[tuple[Result, str]]] = {}
    for (observation, _), pair in sorted(last.items(), key=lambda item: item[1][0].version):
        found.setdefault(observation, []).append(pair)
    return found
