"""Routes of the figures that a campaign's team uploads: versions with captions, shown beside the limb."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.campaigns.tables import Campaign
from api.database.tables import new_id, now
from api.database.transactions import Database
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, StoreDep
from api.downloads import attachment, described, ranged
from api.figures.keeping import Picture, kept
from api.figures.tables import SUFFIXES, LimbFigure, file_name_of
from api.pages import Page, page_of
from api.people.tables import Person
from api.problems import RefusedError, responses
from api.results.views import PREFIX
from api.uploads.discarding import discard, hold
from api.words import Prose, Words
from cluster.store.names import raw_name
from cluster.store.published import ObjectStore
from reduction.plan import Settings

MOST_BYTES = 20 << 20
MOST_CAPTION = 2000
BINARY = {"schema": {"type": "string", "format": "binary"}}
ANY = "image/png, image/jpeg or image/webp"
GONE = "gone from the store, or damaged there; have it restored, or upload it anew"

router = APIRouter(prefix=PREFIX, tags=["chords and limb"])
MaySee = Annotated[Permit, may(Operation.SEE_CHORDS)]
MayChange = Annotated[Permit, may(Operation.FIT_CAMPAIGN)]
VersionPath = Annotated[int, Path(ge=1, le=1_000_000)]
Caption = Annotated[Prose, Field(max_length=MOST_CAPTION, description="What it shows, and who made it how.")]


class ImageResponse(StreamingResponse):
    """For the OpenAPI text."""

    media_type = "image/png"


_IMAGE_ANSWERS = described("image/png", 401, 403, 404, 410, 422, 503)
for _status in (200, 206):
    _IMAGE_ANSWERS[_status]["content"] = dict.fromkeys(SUFFIXES, BINARY)


class FigureView(Settings):
    """A figure that was uploaded.

    Attributes
    ----------
    name : str
        Of the file that was sent.
    by : str
        Who uploaded it.
    sha256, size : str, int
        Of the image as it is given out: decoded and encoded anew, without metadata.
    """

    campaign: str
    version: int
    name: str
    caption: str
    by: str
    media_type: str
    width: int
    height: int
    size: int
    sha256: str
    created: datetime
    links: dict[str, str]


def figure_view(row: LimbFigure, by: str) -> FigureView:
    """A figure as it is told."""
    here = f"{PREFIX}/campaigns/{row.campaign}/limb-figures/{row.version}"
    return FigureView(
        campaign=row.campaign,
        version=row.version,
        name=row.name,
        caption=row.caption,
        by=by,
        media_type=row.media,
        width=row.width,
        height=row.height,
        size=row.size,
        sha256=row.sha256,
        created=row.created,
        links={"self": here, "image": f"{here}/image"},
    )


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in SUFFIXES:
        raise RefusedError(415, f"a figure is sent as {ANY}")
    return await request.body()


@router.post(
    "/campaigns/{campaign_id}/limb-figures",
    status_code=201,
    max_body_size=MOST_BYTES,
    responses=responses(401, 403, 404, 413, 415, 422, 503) | {200: {"model": FigureView}},
    openapi_extra={"requestBody": {"required": True, "content": dict.fromkeys(SUFFIXES, BINARY)}},
    summary="Upload a figure of the limb",
)
def upload_figure(
    campaign_id: IdPath,
    data: Annotated[bytes, Depends(_body)],
    caption: Annotated[Caption, Query()],
    response: Response,
    permit: MayChange,
    database: DatabaseDep,
    store: StoreDep,
    name: Annotated[Words, Query(description="Of the file.")] = "",
) -> FigureView:
    """Keep a figure as the campaign's latest version, beside the limbs that are computed.

    At most 20 MiB and 40 million pixels, one picture that does not move. It is decoded whole and encoded
    anew, so that places and other metadata stay behind. The latest version sent again is that version: 200.
    """
    with database.reading() as session:
        permit.over(session, session.get(Campaign, campaign_id), "campaign")
    view, new = keep_figure(campaign_id, data, caption, name, permit, database, store)
    response.status_code = 201 if new else 200
    response.headers["Location"] = view.links["self"]
    return view


def keep_figure(
    campaign: str,
    data: bytes,
    caption: str,
    name: str,
    permit: Permit,
    database: Database,
    store: ObjectStore,
) -> tuple[FigureView, bool]:
    """Keep a figure of a campaign that the permit was asked over; and whether it is a new version.

    Raises
    ------
    RequestError
        It is no picture that can be shown.
    """
    picture = kept(data, store)
    with database.writing() as session:
        row, new = _version(session, permit.caller, campaign, picture, caption, name)
        hold(session, store, row.sha256)
        return figure_view(row, session.get_one(Person, row.person).name), new


def _version(
    session: Session, caller: Caller, campaign: str, picture: Picture, caption: str, name: str
) -> tuple[LimbFigure, bool]:
    session.execute(select(Campaign.id).where(Campaign.id == campaign).with_for_update())
    latest = latest_figure(session, campaign)
    if latest is not None and (latest.sha256, latest.caption) == (picture.raw.sha256, caption):
        return latest, False
    last = session.scalar(select(func.max(LimbFigure.version)).where(LimbFigure.campaign == campaign))
    row = LimbFigure(
        id=new_id(), campaign=campaign, version=(last or 0) + 1, person=caller.known, name=name[:200],
        caption=caption, media=picture.media, sha256=picture.raw.sha256, size=picture.raw.size,
        crc32=picture.crc32, width=picture.width, height=picture.height, created=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    facts: dict[str, Any] = {"version": row.version, "sha256": row.sha256, "size": row.size}
    record(session, caller, "limb figure uploaded", campaign, **facts)
    return row, True


def latest_figure(session: Session, campaign: str) -> LimbFigure | None:
    """The latest version that was not removed."""
    there = select(LimbFigure).where(LimbFigure.campaign == campaign, LimbFigure.removed.is_(None))
    return session.scalars(there.order_by(LimbFigure.version.desc()).limit(1)).one_or_none()


@router.get(
    "/campaigns/{campaign_id}/limb-figures",
    responses=responses(401, 403, 404, 422, 503),
    summary="Uploaded figures of the limb",
)
def list_figures(
    campaign_id: IdPath, permit: MaySee, database: DatabaseDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[FigureView]:
    """List the versions that were not removed, the latest first."""
    with database.reading() as session:
        permit.over(session, session.get(Campaign, campaign_id), "campaign")
        rows = select(LimbFigure).where(LimbFigure.campaign == campaign_id, LimbFigure.removed.is_(None))
        order = (LimbFigure.version, LimbFigure.id)
        found, following = page_of(session, rows, order, limit, cursor, True)
        items = tuple(figure_view(row, session.get_one(Person, row.person).name) for row in found)
    return Page(items=items, next=following)


def _figure(session: Session, permit: Permit, campaign: str, version: int) -> LimbFigure:
    permit.over(session, session.get(Campaign, campaign), "campaign")
    there = select(LimbFigure).where(LimbFigure.campaign == campaign, LimbFigure.version == version)
    row = session.scalar(there.where(LimbFigure.removed.is_(None)))
    if row is None:
        raise RefusedError(404, "no such figure of this campaign")
    return row


@router.get(
    "/campaigns/{campaign_id}/limb-figures/{version}",
    responses=responses(401, 403, 404, 422, 503),
    summary="An uploaded figure",
)
def see_figure(
    campaign_id: IdPath, version: VersionPath, permit: MaySee, database: DatabaseDep
) -> FigureView:
    """Tell its caption, who uploaded it, and when."""
    with database.reading() as session:
        row = _figure(session, permit, campaign_id, version)
        return figure_view(row, session.get_one(Person, row.person).name)


@router.get(
    "/campaigns/{campaign_id}/limb-figures/{version}/image",
    response_class=ImageResponse,
    responses=_IMAGE_ANSWERS,
    summary="The image of an uploaded figure",
)
def figure_image(
    campaign_id: IdPath,
    version: VersionPath,
    request: Request,
    permit: MaySee,
    database: DatabaseDep,
    store: StoreDep,
) -> Response:
    """Return the image, or a range of its bytes; a page shows it, a link saves it."""
    with database.reading() as session:
        row = _figure(session, permit, campaign_id, version)
    name = raw_name(row.sha256)

    def opened(start: int, stop: int) -> Iterator[bytes]:
        if store.object_size(name) != row.size:
            raise RefusedError(410, f"figure {row.version}: {GONE}")
        return store.read_object(name, start, stop)

    headers = {"Content-Disposition": attachment(file_name_of(row)), "X-Content-Type-Options": "nosniff"}
    return ranged(request, row.size, f'"{row.sha256}"', opened, row.media, headers)


@router.delete(
    "/campaigns/{campaign_id}/limb-figures/{version}",
    status_code=204,
    responses=responses(401, 403, 404, 422, 503),
    summary="Remove an uploaded figure",
)
def remove_figure(
    campaign_id: IdPath, version: VersionPath, permit: MayChange, database: DatabaseDep
) -> None:
    """Take a version away: it is shown and given out no more; the one before it is the latest again."""
    with database.writing() as session:
        row = _figure(session, permit, campaign_id, version)
        session.refresh(row, with_for_update=True)
        row.removed, row.removed_by = now(), permit.caller.known
        discard(session, row.sha256)
        facts: dict[str, Any] = {"version": row.version, "sha256": row.sha256}
        record(session, permit.caller, "limb figure removed", campaign_id, **facts)
