"""What is asked of observations, and what is told of them."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AwareDatetime, Field, model_validator

from api.observations.tables import Observation, ObservationFile
from api.words import Name, Words
from reduction.plan import Settings

Status = Literal["planned", "positive", "negative", "overcast", "technical_failure", "unknown"]
FileState = Literal["quarantined", "accepted", "refused", "flagged", "withdrawn"]
IdText = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sigma = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Contact(Settings):
    """A time that the observer reports, UTC, and how sure it is."""

    utc: AwareDatetime
    sigma_s: Sigma | None = None


class Report(Settings):
    """The report form, as far as the recording does not say it.

    Attributes
    ----------
    begin, end : datetime or None
        Of the recording, UTC.
    disappearance, reappearance : Contact or None
        As the observer measured them; a reduction measures its own.
    timing : str or None
        Where the times come from.
    exposure_s : float or None
    clouds_percent : float or None
    transparency, seeing : str
        In the observer's words or scale.
    wind, temperature_c
        Conditions at the telescope.
    limiting_mag : float or None
    comments : str
    """

    begin: AwareDatetime | None = None
    end: AwareDatetime | None = None
    disappearance: Contact | None = None
    reappearance: Contact | None = None
    timing: Literal["gps", "ntp", "radio", "phone", "visual", "other"] | None = None
    exposure_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] | None = None
    clouds_percent: Percent | None = None
    transparency: Words = ""
    seeing: Words = ""
    wind: Words = ""
    temperature_c: Annotated[float, Field(ge=-100, le=70, allow_inf_nan=False)] | None = None
    limiting_mag: Annotated[float, Field(ge=-5, le=30, allow_inf_nan=False)] | None = None
    comments: Annotated[tuple[Words, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.begin is not None and self.end is not None and self.end <= self.begin:
            raise ValueError("end is not after begin")
        first, last = self.disappearance, self.reappearance
        if first is not None and last is not None and last.utc <= first.utc:
            raise ValueError("reappearance is not after disappearance")
        return self


class Setup(Settings):
    """What of one's equipment was used."""

    telescope: IdText | None = None
    camera: IdText | None = None
    recorder: IdText | None = None
    filter: IdText | None = None


class ObservationBody(Setup):
    """A station that takes part in a campaign."""

    campaign: IdText
    site: IdText
    station: Name
    status: Status = "planned"
    report: Report = Report()
    consent: bool = False
    role: Words = ""


class ObservationChange(Settings):
    """What is changed; what is not named stays."""

    site: IdText | None = None
    station: Name | None = None
    status: Status | None = None
    telescope: IdText | None = None
    camera: IdText | None = None
    recorder: IdText | None = None
    filter: IdText | None = None
    report: Report | None = None
    consent: bool | None = None
    role: Words | None = None


class ObservationView(ObservationBody):
    """An observation."""

    id: str
    person: str
    created: datetime
    changed: datetime


class FileView(Settings):
    """A file of an observation; all that was found in it is told of the file alone.

    Attributes
    ----------
    state : str
        ``quarantined`` until it was looked at; ``accepted``, or ``refused`` (`message` says why);
        ``flagged``: not used any more, by the team's decision (`message`); ``withdrawn``: taken back by its
        observer.
    recordings : int
        How many are in it.
    """

    id: str
    observation: str
    role: Literal["recording", "additional", "roi"]
    name: str
    size: int
    sha256: str
    state: FileState
    message: str
    recordings: int
    created: datetime


class FileDetail(FileView):
    """A file, and what was found.

    Attributes
    ----------
    finding : dict
        ``recordings``: name, role, format and inspection of each; ``files``: format, image type, NAXIS and
        times of each; ``sides``: other files of an archive; ``notes``.
    """

    finding: dict[str, Any]


class FlagBody(Settings):
    """Why a file is not to be used; empty: it may be used again."""

    reason: Words


def observation_view(row: Observation) -> ObservationView:
    """Return what those see who may."""
    return ObservationView(
        id=row.id,
        campaign=row.campaign,
        person=row.person,
        site=row.site,
        station=row.station,
        status=cast(Status, row.status),
        telescope=row.telescope,
        camera=row.camera,
        recorder=row.recorder,
        filter=row.filter,
        report=Report.model_validate(row.report),
        consent=row.consent,
        role=row.role,
        created=row.created,
        changed=row.changed,
    )


def _file_fields(row: ObservationFile) -> dict[str, Any]:
    return {
        "id": row.id,
        "observation": row.observation,
        "role": row.role,
        "name": row.name,
        "size": row.size,
        "sha256": row.sha256,
        "state": row.state,
        "message": _message(row),
        "recordings": len(row.finding.get("recordings", ())),
        "created": row.created,
    }


def _message(row: ObservationFile) -> str:
    flag = row.finding.get("flag")
    return str(row.finding.get("message", "") if flag is None else f"flagged by the team: {flag['reason']}")


def file_view(row: ObservationFile) -> FileView:
    """Return a file as lists show it."""
    return FileView(**_file_fields(row))


def file_detail(row: ObservationFile) -> FileDetail:
    """Return a file with all that was found."""
    return FileDetail(**_file_fields(row), finding=row.finding)
