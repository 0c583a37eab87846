"""Routes of observations: join a campaign with a station, report what was seen."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.campaigns.tables import Campaign
from api.database.tables import new_id, now
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit
from api.equipment.tables import Equipment, Site
from api.observations.tables import Observation, ObservationFile
from api.observations.views import (
    ObservationBody,
    ObservationChange,
    ObservationView,
    Status,
    observation_view,
)
from api.pages import Page, page_of
from api.problems import RefusedError, responses
from api.uploads.tables import Upload
from reduction.errors import RequestError

MOST_BODY_BYTES = 1 << 16
KINDS = ("telescope", "camera", "recorder", "filter")
TAKEN = "you have a station of that name in this campaign; change its report, or name this one otherwise"
router = APIRouter(prefix="/api/v1", tags=["observations"])


@router.post(
    "/observations",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503),
    summary="Join a campaign with a station",
)
def join(
    body: ObservationBody,
    permit: Annotated[Permit, may(Operation.JOIN_CAMPAIGN)],
    database: DatabaseDep,
    response: Response,
) -> ObservationView:
    """Take part in a campaign: the one report of this station."""
    at = now()
    try:
        with database.writing() as session:
            campaign = permit.over(session, session.get(Campaign, body.campaign), "campaign")
            if campaign.state != "open":
                raise RefusedError(409, f"the campaign is {campaign.state}; ask its event responsible")
            _require_own(session, permit.caller.known, body.model_dump(include={"site", *KINDS}))
            row = Observation(
                id=new_id(),
                person=permit.caller.known,
                created=at,
                changed=at,
                **body.model_dump(exclude={"report"}),
                report=body.report.model_dump(mode="json", exclude_unset=True),
            )
            session.add(row)
            session.flush()
            record(
                session, permit.caller, "observation made", row.id, campaign=row.campaign, status=row.status
            )
            view = observation_view(row)
    except IntegrityError as error:
        raise RefusedError(409, TAKEN) from error
    response.headers["Location"] = f"/api/v1/observations/{view.id}"
    return view


@router.get("/observations", responses=responses(401, 403, 422, 503), summary="One's observations")
def list_own(
    permit: Annotated[Permit, may(Operation.SEE_OWN_OBSERVATIONS)],
    database: DatabaseDep,
    campaign: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ObservationView]:
    """List one's observations, newest first; of one campaign, or all."""
    rows = select(Observation).where(Observation.person == permit.caller.known)
    if campaign is not None:
        rows = rows.where(Observation.campaign == campaign)
    return _page(database, rows, limit, cursor)


@router.get(
    "/campaigns/{campaign_id}/observations",
    responses=responses(401, 403, 404, 422, 503),
    summary="All observations of a campaign",
)
def list_all(
    campaign_id: IdPath,
    permit: Annotated[Permit, may(Operation.SEE_OBSERVATIONS)],
    database: DatabaseDep,
    status: Status | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ObservationView]:
    """List the observations of a campaign, newest first, for those who manage it."""
    with database.reading() as session:
        permit.over(session, session.get(Campaign, campaign_id), "campaign")
    rows = select(Observation).where(Observation.campaign == campaign_id)
    if status is not None:
        rows = rows.where(Observation.status == status)
    return _page(database, rows, limit, cursor)


def _page(database: DatabaseDep, rows: Any, limit: int, cursor: str | None) -> Page[ObservationView]:
    with database.reading() as session:
        found, following = page_of(
            session, rows, (Observation.created, Observation.id), limit, cursor, newest_first=True
        )
    return Page(items=tuple(observation_view(row) for row in found), next=following)


@router.get(
    "/observations/{observation_id}",
    responses=responses(401, 403, 404, 422, 503),
    summary="An observation",
)
def show(
    observation_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_OBSERVATION)], database: DatabaseDep
) -> ObservationView:
    """Tell an observation's report."""
    with database.reading() as session:
        row = permit.over(session, session.get(Observation, observation_id), "observation")
        return observation_view(row)


@router.patch(
    "/observations/{observation_id}",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503),
    summary="Change a report",
)
def change(
    observation_id: IdPath,
    body: ObservationChange,
    permit: Annotated[Permit, may(Operation.CHANGE_OBSERVATION)],
    database: DatabaseDep,
) -> ObservationView:
    """Change what is named; `report` is replaced as a whole, null takes equipment away."""
    named = body.model_fields_set
    empty = sorted(name for name in named - set(KINDS) if getattr(body, name) is None)
    if empty:
        raise RequestError(f"{', '.join(empty)}: cannot be null; leave out what shall stay")
    try:
        with database.writing() as session:
            row = permit.over(session, session.get(Observation, observation_id), "observation")
            _require_own(session, row.person, body.model_dump(include=named & {"site", *KINDS}))
            for name in named - {"report"}:
                setattr(row, name, getattr(body, name))
            if body.report is not None:
                row.report = body.report.model_dump(mode="json", exclude_unset=True)
            row.changed = now()
            session.flush()
            record(session, permit.caller, "observation changed", row.id, fields=sorted(named))
            return observation_view(row)
    except IntegrityError as error:
        raise RefusedError(409, TAKEN) from error


@router.delete(
    "/observations/{observation_id}",
    status_code=204,
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="Leave a campaign",
)
def leave(
    observation_id: IdPath,
    permit: Annotated[Permit, may(Operation.CHANGE_OBSERVATION)],
    database: DatabaseDep,
) -> None:
    """Withdraw a station of which nothing was uploaded."""
    with database.writing() as session:
        row = permit.over(session, session.get(Observation, observation_id), "observation")
        for table in (ObservationFile, Upload):
            if session.scalar(select(exists().where(table.observation == row.id))):
                raise RefusedError(409, "the observation has files or uploads; it stays")
        session.delete(row)
        record(session, permit.caller, "observation withdrawn", row.id, campaign=row.campaign)


def _require_own(session: Session, person: str, chosen: dict[str, str | None]) -> None:
    """See that site and equipment are the observer's, of the right kind, and in use.

    Raises
    ------
    RequestError
        One is not.
    """
    wrong = sorted(_not_own(session, person, chosen))
    if wrong:
        raise RequestError(f"{', '.join(wrong)}: not among the observer's own; make it there first")


def _not_own(session: Session, person: str, chosen: dict[str, str | None]) -> Iterator[str]:
    for name, identity in chosen.items():
        if identity is None:
            continue
        row = session.get(Site, identity) if name == "site" else session.get(Equipment, identity)
        fits = row is not None and row.person == person and row.retired is None
        if not fits or (isinstance(row, Equipment) and row.kind != name):
            yield name
