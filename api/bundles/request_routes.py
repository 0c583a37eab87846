"""Routes of requests for a campaign's data."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from sqlalchemy import select

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.bundles import requesting
from api.bundles.gathering import contents_of
from api.bundles.planning import planned
from api.bundles.service import KnownDep
from api.bundles.tables import DataRequest
from api.campaigns.tables import Campaign
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, SettingsDep, StoreDep
from api.pages import Page, page_of
from api.problems import responses
from reduction.plan import Settings

PREFIX = "/api/v1"
MOST_BODY_BYTES = 1 << 12

router = APIRouter(prefix=PREFIX, tags=["event data"])


class DataRequestBody(Settings):
    """What is asked for.

    Attributes
    ----------
    results : bool
        Also the last reduction of each recording.
    missing : str
        What to do about files that the store has lost: refuse, or list them in the archive and go on.
    """

    results: bool = False
    missing: Literal["refuse", "list"] = "refuse"


class AbsentView(Settings):
    """A file that is not in the archive; `lost`: it should be there."""

    station: str
    name: str
    why: str
    lost: bool


class DataRequestView(Settings):
    """A request for a campaign's data: the archive that belongs to it stays as it is until it expires.

    Attributes
    ----------
    size, files : int
        Of the archive.
    digest : str
        Of what it follows from; its ETag.
    """

    id: str
    campaign: str
    person: str
    results: bool
    size: int
    files: int
    digest: str
    absent: tuple[AbsentView, ...]
    created: datetime
    expires: datetime
    links: dict[str, str]


def request_view(row: DataRequest) -> DataRequestView:
    """Return what is told of a request."""
    here = f"{PREFIX}/data-requests/{row.id}"
    return DataRequestView(
        id=row.id,
        campaign=row.campaign,
        person=row.person,
        results=row.results,
        size=row.size,
        files=row.files,
        digest=row.digest,
        absent=tuple(AbsentView(**one) for one in row.absent["files"]),
        created=row.created,
        expires=row.expires,
        links={"self": here, "bundle": f"{here}/bundle.zip"},
    )


@router.post(
    "/campaigns/{campaign_id}/data-requests",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses={
        **responses(401, 403, 404, 409, 413, 422, 503),
        200: {"description": "The same as a request of yours that is still good", "model": DataRequestView},
    },
    summary="Request event data",
)
def request_data(
    campaign_id: IdPath,
    body: DataRequestBody,
    permit: Annotated[Permit, may(Operation.REQUEST_EVENT_DATA)],
    database: DatabaseDep,
    store: StoreDep,
    settings: SettingsDep,
    known: KnownDep,
    response: Response,
) -> DataRequestView:
    """Settle an archive of all recordings, other files and reports; you and the superusers get an e-mail.

    Asked again while nothing has changed, it is the same request, and no e-mail goes out.
    """
    with database.reading() as session:
        campaign = permit.over(session, session.get(Campaign, campaign_id), "campaign")
        contents = contents_of(session, campaign, body.results)
    made = planned(store, contents, known)
    assert made.plan.content  # compressed now, not in the transaction
    with database.writing() as session:
        campaign = permit.over(session, session.get(Campaign, campaign_id, with_for_update=True), "campaign")
        requesting.note_files(session, made)
        requesting.forget_old(session)
        row = requesting.live_request(session, permit.caller, campaign.id, made.plan.digest)
        refused = body.missing == "refuse" and any(one.lost for one in made.absent)
        if row is not None:
            response.status_code = 200
        elif not refused:
            row = requesting.make_request(session, settings, permit.caller, campaign, made, body.results)
    if row is None or refused:
        requesting.require_all(made.absent)
    assert row is not None
    response.headers["Location"] = f"{PREFIX}/data-requests/{row.id}"
    return request_view(row)


@router.get(
    "/campaigns/{campaign_id}/data-requests",
    responses=responses(401, 403, 404, 422, 503),
    summary="Requests for a campaign's data",
)
def list_requests(
    campaign_id: IdPath,
    permit: Annotated[Permit, may(Operation.SEE_EVENT_DATA)],
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DataRequestView]:
    """List who asked for the data of a campaign, newest first."""
    rows = select(DataRequest).where(DataRequest.campaign == campaign_id)
    with database.reading() as session:
        permit.over(session, session.get(Campaign, campaign_id), "campaign")
        found, following = page_of(session, rows, (DataRequest.created, DataRequest.id), limit, cursor, True)
    return Page(items=tuple(request_view(row) for row in found), next=following)


@router.get(
    "/data-requests/{request_id}",
    responses=responses(401, 403, 404, 422, 503),
    summary="A request for a campaign's data",
)
def see_request(
    request_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_EVENT_DATA)], database: DatabaseDep
) -> DataRequestView:
    """Tell a request: how large its archive is, what is not in it, until when it is there."""
    with database.reading() as session:
        return request_view(permit.over(session, session.get(DataRequest, request_id), "request"))
