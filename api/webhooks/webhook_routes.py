"""Routes of webhooks: one's addresses that are told of events, and what was sent to them."""

import asyncio
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import delete, func, select

from api.access.caller import new_secret
from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.database.tables import new_id, now
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, SettingsDep
from api.pages import Page, page_of
from api.people.account_routes import oneself
from api.problems import RefusedError, responses
from api.results.views import PREFIX
from api.settings import ServiceSettings
from api.webhooks.addresses import LONGEST, resolved, target_of
from api.webhooks.tables import Delivery, Webhook
from api.webhooks.telling import EVENTS, TEST, follow_jobs, put
from reduction.plan import Settings

MOST = 20
"""Webhooks of a person."""
MOST_BODY_BYTES = 1 << 16
SECRET = "whsec_"
TEXT = "This is a test: your receiver is reached."

router = APIRouter(prefix=PREFIX, tags=["webhooks"])
Event = Literal["job.ended", "batch.ended", "file.examined", "fit.ended"]


class WebhookBody(Settings):
    """An address, and what it is to be told."""

    url: Annotated[str, Field(max_length=LONGEST, examples=["https://example.org/umbra"])]
    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=len(EVENTS))]


class WebhookView(Settings):
    """A webhook."""

    id: str
    url: str
    events: tuple[Event, ...]
    created: datetime


class NewWebhookView(WebhookView):
    """A webhook, and what its requests are signed with: told once."""

    secret: str


class DeliveryView(Settings):
    """An event that was, or will be, sent.

    Attributes
    ----------
    state : str
        ``waiting`` (also for its next attempt), ``sent`` or ``failed``.
    status : int or None
        What the receiver answered last.
    next : datetime or None
        When it is tried again.
    """

    id: str
    event: str
    state: Literal["waiting", "sent", "failed"]
    attempts: int
    status: int | None
    error: str | None
    created: datetime
    sent: datetime | None
    next: datetime | None


def webhook_view(row: Webhook) -> WebhookView:
    """A webhook as its owner sees it, without its secret."""
    return WebhookView(id=row.id, url=row.url, events=tuple(row.events), created=row.created)


def delivery_view(row: Delivery) -> DeliveryView:
    """A delivery as the owner of its webhook sees it."""
    return DeliveryView.model_validate(
        {
            "id": row.id,
            "event": row.event,
            "state": row.state,
            "attempts": row.attempts,
            "status": row.status,
            "error": row.error,
            "created": row.created,
            "sent": row.sent,
            "next": row.not_before if row.state == "waiting" else None,
        }
    )


def _require_allowed(url: str, settings: ServiceSettings) -> None:
    """See that a webhook may go to an address.

    Raises
    ------
    RequestError
        It may not.
    RefusedError
        409: this service has none.
    """
    if settings.webhooks == "off":
        raise RefusedError(409, "this service sends no webhooks (UMBRA_WEBHOOKS)")
    anywhere = settings.webhooks == "anywhere"
    target = target_of(url, anywhere)
    asyncio.run(resolved(target, anywhere))


@router.post(
    "/webhooks",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 409, 413, 422, 503),
    summary="Make a webhook",
)
def make_webhook(
    body: WebhookBody,
    permit: Annotated[Permit, may(Operation.MAKE_WEBHOOK)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> NewWebhookView:
    """Have an address told of events that one would get e-mails of; `secret` is told now and never again."""
    _require_allowed(body.url, settings)
    with database.writing() as session:
        person = oneself(session, permit.caller)
        known = select(func.count()).select_from(Webhook).where(Webhook.person == person.id)
        if session.scalars(known).one() >= MOST:
            raise RefusedError(409, f"{MOST} webhooks already; remove some")
        row = Webhook(
            id=new_id(), person=person.id, url=body.url, events=sorted(set(body.events)),
            secret=SECRET + new_secret(), created=now(),
        )  # fmt: skip
        session.add(row)
        if "job.ended" in row.events:
            follow_jobs(session)
        record(session, permit.caller, "webhook made", row.id, events=list(row.events))
        view = webhook_view(row)
    return NewWebhookView(**view.model_dump(), secret=row.secret)


@router.get("/webhooks", responses=responses(401, 403, 422, 503), summary="One's webhooks")
def list_webhooks(
    permit: Annotated[Permit, may(Operation.SEE_WEBHOOKS)],
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[WebhookView]:
    """List one's webhooks, newest first."""
    rows = select(Webhook).where(Webhook.person == permit.caller.known)
    with database.reading() as session:
        found, following = page_of(session, rows, (Webhook.created, Webhook.id), limit, cursor, True)
    return Page(items=tuple(map(webhook_view, found)), next=following)


@router.delete(
    "/webhooks/{webhook_id}",
    status_code=204,
    responses=responses(401, 403, 404, 422, 503),
    summary="Remove a webhook",
)
def remove_webhook(
    webhook_id: IdPath, permit: Annotated[Permit, may(Operation.CHANGE_WEBHOOK)], database: DatabaseDep
) -> None:
    """Remove a webhook; what waits for it is not sent any more."""
    with database.writing() as session:
        row = permit.over(session, session.get(Webhook, webhook_id), "webhook")
        session.execute(delete(Delivery).where(Delivery.webhook == row.id))
        session.delete(row)
        record(session, permit.caller, "webhook removed", row.id)


@router.post(
    "/webhooks/{webhook_id}/test",
    status_code=202,
    responses=responses(401, 403, 404, 422, 503),
    summary="Send a test",
)
def test_webhook(
    webhook_id: IdPath, permit: Annotated[Permit, may(Operation.CHANGE_WEBHOOK)], database: DatabaseDep
) -> DeliveryView:
    """Have an event `test` sent within seconds, once; what came of it is among the deliveries."""
    with database.writing() as session:
        row = permit.over(session, session.get(Webhook, webhook_id), "webhook")
        return delivery_view(put(session, row, TEST, {"text": TEXT}))


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    responses=responses(401, 403, 404, 422, 503),
    summary="What was sent to a webhook",
)
def list_deliveries(
    webhook_id: IdPath,
    permit: Annotated[Permit, may(Operation.SEE_WEBHOOK)],
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeliveryView]:
    """List what was sent, or waits, the newest first; for thirty days."""
    with database.reading() as session:
        permit.over(session, session.get(Webhook, webhook_id), "webhook")
        rows = select(Delivery).where(Delivery.webhook == webhook_id)
        found, following = page_of(session, rows, (Delivery.created, Delivery.id), limit, cursor, True)
    return Page(items=tuple(map(delivery_view, found)), next=following)
