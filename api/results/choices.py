"""What of an observation, or of a campaign, can be reduced, and with which other files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.observations.tables import Observation, ObservationFile
from api.results.tables import Result
from reduction.plan import Settings

CalibrationKind = Literal["bias", "dark", "flat"]
MOST_FILES = 2000
MOST_RECORDINGS = 10_000


class RecordingChoice(Settings):
    """A recording that can be reduced.

    Attributes
    ----------
    members : tuple of str
        Recordings of the sky in an archive, where there are several: one has to be named.
    frames : int or None
        Of the first of them, as inspected.
    calibrated : tuple of str
        Bias, dark or flat frames in the same archive, which a reduction uses.
    """

    id: str
    name: str
    size: int
    members: tuple[str, ...]
    frames: int | None
    width: int | None
    height: int | None
    timed: bool | None
    calibrated: tuple[str, ...]
    created: datetime


class SideChoice(Settings):
    """Another file; `kind`: what its frames are by their headers or names, or that nothing tells."""

    id: str
    name: str
    kind: str


class Choices(Settings):
    """What a reduction of an observation can be made of."""

    recordings: tuple[RecordingChoice, ...]
    sides: tuple[SideChoice, ...]

    def of_kind(self, kind: CalibrationKind) -> tuple[SideChoice, ...]:
        """Files whose frames are of a kind, then those of which nothing is known."""
        fitting = [side for side in self.sides if side.kind == kind]
        return (*fitting, *(side for side in self.sides if side.kind == "unknown"))


class CampaignRecording(Settings):
    """A recording of a campaign: whose station, and which version of results there is of the observation."""

    observation: str
    station: str
    status: str
    recording: RecordingChoice
    version: int | None


def _told(row: ObservationFile) -> list[dict[str, Any]]:
    return [each for each in row.finding.get("recordings", ()) if isinstance(each, dict)]


def recording_choice(row: ObservationFile) -> RecordingChoice | None:
    """A file as what can be reduced; None where it shows no sky."""
    told = _told(row)
    lights = [each for each in told if each.get("role", "light") == "light" and "problem" not in each]
    if row.role != "recording" or row.state != "accepted" or (told and not lights):
        return None
    first: dict[str, Any] = lights[0] if lights else {}
    inspection = first.get("inspection") or {}
    facts, times = inspection.get("input") or {}, inspection.get("times") or {}
    known = times.get("known")
    return RecordingChoice(
        id=row.id,
        name=row.name,
        size=row.size,
        members=tuple(str(each.get("name")) for each in lights) if len(lights) > 1 else (),
        frames=facts.get("frames"),
        width=facts.get("width"),
        height=facts.get("height"),
        timed=None if known is None else bool(known),
        calibrated=tuple(sorted({str(each["role"]) for each in told if each.get("role") != "light"})),
        created=row.created,
    )


def _side_kind(row: ObservationFile) -> str | None:
    """What the frames of a file are; None: it is no file of frames beside a recording."""
    roles = {str(each.get("role")) for each in _told(row)}
    if len(roles) == 1 and roles <= {"bias", "dark", "flat", "flat dark"}:
        return roles.pop()
    return (
        "unknown" if row.role == "additional" and "light curve" not in str(row.finding.get("kind")) else None
    )


def choices_of(session: Session, observation: str) -> Choices:
    """What a reduction of an observation can be made of, in the order that it came."""
    rows = session.scalars(
        select(ObservationFile)
        .where(ObservationFile.observation == observation, ObservationFile.state == "accepted")
        .order_by(ObservationFile.created, ObservationFile.id)
        .limit(MOST_FILES)
    ).all()
    recordings = [choice for row in rows if (choice := recording_choice(row)) is not None]
    sides = [
        SideChoice(id=row.id, name=row.name, kind=kind)
        for row in rows
        if (kind := _side_kind(row)) is not None
    ]
    return Choices(recordings=tuple(recordings), sides=tuple(sides))


def campaign_recordings(
    session: Session, campaign: str, person: str | None = None
) -> tuple[CampaignRecording, ...]:
    """Recordings of a campaign that can be reduced, all or one person's, by station, then as they came."""
    wanted = (
        select(ObservationFile, Observation)
        .join(Observation, Observation.id == ObservationFile.observation)
        .where(
            Observation.campaign == campaign,
            ObservationFile.role == "recording",
            ObservationFile.state == "accepted",
        )
        .order_by(Observation.station, Observation.id, ObservationFile.created, ObservationFile.id)
        .limit(MOST_RECORDINGS)
    )
    if person is not None:
        wanted = wanted.where(Observation.person == person)
    rows = session.execute(wanted).all()
    versions = _versions(session, campaign)
    return tuple(
        CampaignRecording(
            observation=observation.id,
            station=observation.station,
            status=observation.status,
            recording=choice,
            version=versions.get(observation.id),
        )
        for row, observation in rows
        if (choice := recording_choice(row)) is not None
    )


def _versions(session: Session, campaign: str) -> dict[str, int]:
    """The newest version of each observation that has one."""
    found: dict[str, int] = {}
    rows: Sequence[Any] = session.execute(
        select(Result.observation, Result.version).where(Result.campaign == campaign)
    ).all()
    for observation, version in rows:
        found[observation] = max(version, found.get(observation, 0))
    return found
