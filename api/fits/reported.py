"""The stations of a campaign, what came of each, and which of it is taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from api.equipment.tables import Equipment, Site
from api.fits.tables import ChordChoice
from api.observations.tables import Observation, ObservationFile
from api.people.tables import Person
from api.results.tables import Reduction, Result

Source = Literal["result", "curve", "report", "none"]
ENDED = frozenset({"positive", "negative"})
"""Ends of a search for events by which a result is good."""
ROWS = 500


@dataclass(frozen=True, slots=True)
class Reported:
    """A station of a campaign.

    Attributes
    ----------
    observer : str
        Name; empty of a deleted account.
    results : tuple of Result
        The latest first.
    choice : ChordChoice or None
        The team's.
    curves : tuple of ObservationFile
        Light curves that the observer sent, the latest first.
    telescope, camera : Equipment or None
        As the observer names them.
    """

    observation: Observation
    observer: str
    site: Site
    results: tuple[Result, ...]
    choice: ChordChoice | None
    curves: tuple[ObservationFile, ...] = ()
    telescope: Equipment | None = None
    camera: Equipment | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a station's times come from."""

    source: Source
    result: Result | None = None
    curve: ObservationFile | None = None
    notes: tuple[str, ...] = ()


def reported(session: Session, campaign: str) -> tuple[Reported, ...]:
    """Return all stations of a campaign, in the order they joined."""
    results: dict[str, list[Result]] = {}
    for row in session.scalars(
        select(Result).where(Result.campaign == campaign).order_by(Result.version.desc())
    ):
        results.setdefault(row.observation, []).append(row)
    chosen = select(ChordChoice).where(ChordChoice.campaign == campaign)
    choices = {row.observation: row for row in session.scalars(chosen)}
    curves: dict[str, list[ObservationFile]] = {}
    for file in session.scalars(_additional(campaign)):
        if "events" in file.finding:
            curves.setdefault(file.observation, []).append(file)
    telescopes, cameras = aliased(Equipment), aliased(Equipment)
    rows = session.execute(
        select(Observation, Person, Site, telescopes, cameras)
        .join(Person, Person.id == Observation.person)
        .join(Site, Site.id == Observation.site)
        .outerjoin(telescopes, telescopes.id == Observation.telescope)
        .outerjoin(cameras, cameras.id == Observation.camera)
        .where(Observation.campaign == campaign)
        .order_by(Observation.created, Observation.id)
    )
    return tuple(
        Reported(
            observation=observation,
            observer="" if person.deleted is not None else person.name,
            site=site,
            results=tuple(results.get(observation.id, ())),
            choice=choices.get(observation.id),
            curves=tuple(curves.get(observation.id, ())),
            telescope=telescope,
            camera=camera,
        )
        for observation, person, site, telescope, camera in rows
    )


def _additional(campaign: str) -> Any:
    """Additional files of a campaign, the latest first."""
    return (
        select(ObservationFile)
        .join(Observation, Observation.id == ObservationFile.observation)
        .where(Observation.campaign == campaign)
        .where(ObservationFile.role == "additional", ObservationFile.state == "accepted")
        .order_by(ObservationFile.created.desc(), ObservationFile.id)
    )


def recordings_of(session: Session, results: Sequence[str]) -> dict[str, str]:
    """SHA-256 of the recording that each result was made from, by the result's id."""
    found: dict[str, str] = {}
    for start in range(0, len(results), ROWS):
        pairs = (
            select(Result.id, ObservationFile.sha256)
            .join(Reduction, Reduction.id == Result.reduction)
            .join(ObservationFile, ObservationFile.id == Reduction.file)
            .where(Result.id.in_(results[start : start + ROWS]))
        )
        found.update((identity, digest) for identity, digest in session.execute(pairs))
    return found


def taken(one: Reported) -> Taken:
    """Decide where a station's times come from: the team's choice, the latest good result, the report."""
    chosen = None if one.choice is None else _chosen(one, one.choice)
    return chosen or _best(one)


def _chosen(one: Reported, choice: ChordChoice) -> Taken | None:
    """What the team chose; None where it left that open."""
    if choice.source == "report":
        return Taken("report", notes=_seen_otherwise(one, None))
    if choice.source == "curve":
        curve = next((file for file in one.curves if choice.file in {None, file.id}), None)
        return Taken("none" if curve is None else "curve", curve=curve)
    if choice.version is not None:
        result = next((row for row in one.results if row.version == choice.version), None)
        return Taken("none" if result is None else "result", result, notes=_seen_otherwise(one, result))
    if choice.source == "result" and not any(map(ended, one.results)):
        return Taken("none", notes=("no result whose search for events came to an end",))
    return None


def _best(one: Reported) -> Taken:
    """What is taken by itself."""
    good = next((row for row in one.results if ended(row)), None)
    if good is not None:
        notes = list(_seen_otherwise(one, good))
        if good is not one.results[0]:
            notes.append(
                f"version {one.results[0].version} is not used: its search for events came to no end"
            )
        return Taken("result", good, notes=tuple(notes))
    notes = [f"version {one.results[0].version}: its search for events came to no end"] if one.results else []
    notes += [
        f"{file.name}: a light curve in which Umbra finds the state {file.finding['events'].get('status')}; "
        "choose source curve to use it"
        for file in one.curves[:3]
    ]
    if one.observation.status in ENDED or contacts_of(one.observation.report):
        return Taken("report", notes=(*notes, "by the observer's report: no recording of it was reduced"))
    return Taken("none", notes=tuple(notes))


def ended(row: Result) -> bool:
    """Whether a result says that there was an event, or that there was none."""
    return (row.figures.get("event") or {}).get("status") in ENDED


def contacts_of(report: dict[str, Any]) -> tuple[str, ...]:
    """Which contacts a report has."""
    return tuple(name for name in ("disappearance", "reappearance") if report.get(name))


def _seen_otherwise(one: Reported, result: Result | None) -> tuple[str, ...]:
    """What result and report say against each other."""
    status = one.observation.status
    if result is None:
        told = {(row.figures.get("event") or {}).get("status") for row in one.results[:1]} & ENDED
        return tuple(f"its latest result is {other}, the report {status}" for other in told - {status})
    found = (result.figures.get("event") or {}).get("status")
    contrary = status in ENDED and found in ENDED and status != found
    return (f"the observer reports {status}, the recording is {found}",) if contrary else ()
