"""Routes of API keys."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy import func, select

from api.access.caller import KEY_PREFIX, digest_of, new_secret
from api.access.matrix import SCOPES, Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.database.tables import new_id, now
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, SettingsDep
from api.mail.outbox import tell
from api.pages import Page, page_of
from api.people.account_routes import oneself
from api.people.registration_routes import MOST_BODY_BYTES
from api.people.tables import ApiKey
from api.people.views import KeyBody, KeyView, NewKeyView, key_view
from api.problems import RefusedError, responses
from reduction.errors import RequestError

MOST = 100
"""Keys of a person, revoked ones not counted."""
SHOWN = len(KEY_PREFIX) + 6

router = APIRouter(prefix="/api/v1", tags=["account"])


@router.get("/keys", responses=responses(401, 403, 422, 503), summary="One's API keys")
def list_keys(
    permit: Annotated[Permit, may(Operation.SEE_KEYS)],
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[KeyView]:
    """List one's keys, newest first, the revoked ones too."""
    rows = select(ApiKey).where(ApiKey.person == permit.caller.known)
    with database.reading() as session:
        found, following = page_of(session, rows, (ApiKey.created, ApiKey.id), limit, cursor, True)
    return Page(items=tuple(key_view(row) for row in found), next=following)


@router.post(
    "/keys",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 409, 413, 422, 503),
    summary="Make an API key",
)
def make_key(
    body: KeyBody,
    permit: Annotated[Permit, may(Operation.MAKE_KEY)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> NewKeyView:
    """Make a key for programs; `key` is told now and never again."""
    unknown = sorted(set(body.scopes) - set(SCOPES))
    if unknown:
        raise RequestError(f"scopes: no {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    secret = KEY_PREFIX + new_secret()
    at = now()
    with database.writing() as session:
        person = oneself(session, permit.caller)
        living = select(func.count()).where(ApiKey.person == person.id, ApiKey.revoked.is_(None))
        if session.scalars(living).one() >= MOST:
            raise RefusedError(409, f"{MOST} keys already; revoke some")
        row = ApiKey(
            id=new_id(),
            digest=digest_of(secret),
            start=secret[:SHOWN],
            person=person.id,
            name=body.name,
            scopes=sorted(set(body.scopes)),
            created=at,
            expires=None if body.days is None else at + timedelta(days=body.days),
        )
        session.add(row)
        record(session, permit.caller, "key made", row.id, scopes=list(row.scopes))
        tell(session, settings, "key", person, key=row.name, start=row.start, scopes=list(row.scopes))
        view = key_view(row)
    return NewKeyView(**view.model_dump(), key=secret)


@router.delete(
    "/keys/{key_id}",
    status_code=204,
    responses=responses(401, 403, 404, 422, 503),
    summary="Revoke an API key",
)
def revoke_key(
    key_id: IdPath, permit: Annotated[Permit, may(Operation.REVOKE_KEY)], database: DatabaseDep
) -> None:
    """Revoke a key: from the answer on it opens nothing."""
    with database.writing() as session:
        row = permit.over(session, session.get(ApiKey, key_id), "key")
        if row.revoked is None:
            row.revoked = now()
            record(session, permit.caller, "key revoked", row.id)
