"""Routes by which people say what they want to be told by e-mail: logged in, or by a link of an e-mail."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.dependencies import DatabaseDep
from api.mail import preferences
from api.mail.kinds import ABOUT, NECESSARY, Topic
from api.people.registration_routes import MOST_BODY_BYTES
from api.people.tables import Person
from api.problems import RefusedError, responses
from reduction.plan import Settings

router = APIRouter(prefix="/api/v1", tags=["notices"])
Signed = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}
"""The page has a button: browsers may send it to this service alone."""


class TopicView(Settings):
    """A topic of e-mails that one may refuse."""

    topic: Topic
    about: str
    wanted: bool


class NoticesView(Settings):
    """What one gets by e-mail; `always` says what cannot be refused."""

    topics: tuple[TopicView, ...]
    refused: tuple[Topic, ...]
    always: str


class NoticesBody(Settings):
    """Topics of which one wants no e-mails; all others are wanted."""

    refused: tuple[Topic, ...]


def _view(session: Session, person: str) -> NoticesView:
    refused = preferences.refused(session, person)
    topics = tuple(
        TopicView(topic=topic, about=about, wanted=topic not in refused) for topic, about in ABOUT.items()
    )
    return NoticesView(topics=topics, refused=refused, always=NECESSARY)


@router.get("/account/notices", responses=responses(401, 403, 503), summary="What one gets by e-mail")
def see(permit: Annotated[Permit, may(Operation.SEE_NOTICES)], database: DatabaseDep) -> NoticesView:
    """Tell of which topics one gets e-mails."""
    with database.reading() as session:
        return _view(session, permit.caller.known)


@router.put(
    "/account/notices",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 503),
    summary="Choose what one gets by e-mail",
)
def choose(
    body: NoticesBody, permit: Annotated[Permit, may(Operation.CHOOSE_NOTICES)], database: DatabaseDep
) -> NoticesView:
    """Choose of which topics one wants no e-mails."""
    with database.writing() as session:
        preferences.refuse(session, permit.caller.known, body.refused)
        refused = sorted({topic.value for topic in body.refused})
        record(session, permit.caller, "notices chosen", permit.caller.person, refused=refused)
        return _view(session, permit.caller.known)


def _meant(session: Session, token: str) -> tuple[Person, Topic]:
    """Whose e-mails of which topic a link is about. Raises `RefusedError` (404): it is none of ours."""
    found = preferences.read(session, token)
    person = None if found is None else session.get(Person, found[0])
    if found is None or person is None or person.deleted is not None:
        raise RefusedError(404, "no such link, or not of this service")
    return person, found[1]


def _page(request: Request, title: str, *parts: str) -> HTMLResponse:
    sheet = request.app.state.portal.assets.address("umbra.css")
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f'<link rel="stylesheet" href="{sheet}"><title>{escape(title)}</title></head>\n'
        f'<body><main class="page narrow"><h1>{escape(title)}</h1>\n'
    )
    return HTMLResponse(text + "\n".join(parts) + "\n</main></body></html>\n", headers=PAGE_HEADERS)


@router.get(
    "/unsubscribe/{token}",
    response_class=HTMLResponse,
    responses=responses(404, 422, 503),
    summary="The page behind the link at the end of an e-mail",
)
def ask(
    token: Signed,
    request: Request,
    permit: Annotated[Permit, may(Operation.UNSUBSCRIBE)],
    database: DatabaseDep,
) -> Response:
    """Ask whether e-mails of a topic shall end. Looking at it changes nothing: mail programs do that."""
    del permit
    with database.reading() as session:
        person, topic = _meant(session, token)
        wanted = preferences.wants(session, person.id, topic)
    about = f"<p>{escape(person.name)}: {escape(ABOUT[topic])}.</p>"
    if not wanted:
        return _page(request, "No more of these e-mails", about, "<p>You get none of these any more.</p>")
    button = '<button class="button main" type="submit">No more of these e-mails</button>'
    return _page(request, "E-mails from Umbra", about, f'<form method="post">{button}</form>')


@router.post(
    "/unsubscribe/{token}",
    response_class=HTMLResponse,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(404, 413, 422, 503),
    summary="End e-mails of a topic by one click (RFC 8058)",
)
def end(
    token: Signed,
    request: Request,
    permit: Annotated[Permit, may(Operation.UNSUBSCRIBE)],
    database: DatabaseDep,
) -> Response:
    """End e-mails of a topic: asked for by the mail program, or by the button of the page."""
    with database.writing() as session:
        person, topic = _meant(session, token)
        if preferences.wants(session, person.id, topic):
            preferences.choose(session, person.id, topic, False)
            record(session, permit.caller, "notices refused", person.id, topic=topic.value)
    again = '<p>To get them again, <a href="/account/notices">choose so in your account</a>.</p>'
    about = f"<p>{escape(person.name)}: {escape(ABOUT[topic])}.</p>"
    return _page(request, "No more of these e-mails", about, again)
