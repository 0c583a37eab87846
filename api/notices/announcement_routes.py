"""Routes of announcements."""

from typing import Annotated

from fastapi import APIRouter, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, SettingsDep
from api.notices import announcements
from api.notices.announcements import AnnouncementBody, AnnouncementProgress, AnnouncementView
from api.notices.tables import Announcement
from api.pages import Page, page_of
from api.problems import responses

MOST_BODY_BYTES = 128 * 1024
router = APIRouter(prefix="/api/v1", tags=["notices"])


@router.post(
    "/announcements",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 503),
    summary="Announce something",
)
def announce(
    body: AnnouncementBody,
    response: Response,
    permit: Annotated[Permit, may(Operation.ANNOUNCE)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> AnnouncementProgress:
    """Tell everyone, those of a campaign, or of a level and those above; by e-mail, too.

    E-mails are written in portions, each person's once, also where the service is restarted meanwhile.
    """
    with database.writing() as session:
        row = announcements.announce(session, settings, permit.caller, body)
        session.flush()
        response.headers["Location"] = f"{router.prefix}/announcements/{row.id}"
        return announcements.progress(session, row)


@router.get("/announcements", responses=responses(401, 403, 422, 503), summary="Announcements")
def list_announcements(
    permit: Annotated[Permit, may(Operation.SEE_ANNOUNCEMENTS)],
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AnnouncementView]:
    """List what concerns the caller, newest first; for staff all, those withdrawn too."""
    with database.reading() as session:
        rows = announcements.concerning(permit.caller)
        found, following = page_of(
            session, rows, (Announcement.created, Announcement.id), limit, cursor, True
        )
        return Page(items=announcements.views(session, found), next=following)


@router.get(
    "/announcements/{announcement_id}",
    responses=responses(401, 403, 404, 422, 503),
    summary="How far an announcement is sent",
)
def follow(
    announcement_id: IdPath,
    permit: Annotated[Permit, may(Operation.FOLLOW_ANNOUNCEMENT)],
    database: DatabaseDep,
) -> AnnouncementProgress:
    """Tell how many e-mails were written, sent, and wait."""
    with database.reading() as session:
        row = permit.over(session, session.get(Announcement, announcement_id), "announcement")
        return announcements.progress(session, row)


@router.post(
    "/announcements/{announcement_id}/withdrawal",
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="Withdraw an announcement",
)
def withdraw(
    announcement_id: IdPath,
    permit: Annotated[Permit, may(Operation.ANNOUNCE)],
    database: DatabaseDep,
) -> AnnouncementProgress:
    """List it no more; e-mails that are not sent yet are not sent."""
    with database.writing() as session:
        row = session.get(Announcement, announcement_id, with_for_update=True)
        row = permit.over(session, row, "announcement")
        announcements.take_back(session, permit.caller, row)
        session.flush()
        return announcements.progress(session, row)
