"""Pages of API keys."""

from typing import Annotated, Any

from fastapi import Response

from api.access.matrix import SCOPES, Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, IdPath
from api.people import key_routes
from api.people.views import KeyBody
from api.web.forms import FORM_ERRORS, FormDep
from api.web.navigation import account as tabs
from api.web.pages import Visit, VisitDep, page_router

router = page_router()
HERE = "/account/keys"
LASTS = (
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "a year"),
    ("1825", "5 years"),
    ("", "until I revoke it"),
)
ABOUT = {
    "account": "your own account and profile",
    "users": "accounts of others (superusers)",
    "predictions": "predictions, campaigns, calendar",
    "reductions": "reductions, results, chords, limb",
    "data": "equipment, observations, files, event data",
    "notices": "announcements and issues",
}


def _values(visit: Visit, permit: Permit, cursor: str | None = None) -> dict[str, Any]:
    found = key_routes.list_keys(permit, visit.database, cursor=cursor)
    return {"tabs": tabs(HERE), "keys": found, "scopes": SCOPES, "lasts": LASTS, "about": ABOUT, "chosen": ()}


@router.get("/account/keys")
def keys(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_KEYS)], cursor: Cursor = None
) -> Response:
    """One's keys, and a form for a new one."""
    return visit.page("account/keys.html", **_values(visit, permit, cursor))


@router.post("/account/keys")
def make_key(visit: VisitDep, permit: Annotated[Permit, may(Operation.MAKE_KEY)], form: FormDep) -> Response:
    """Make a key: this page tells it, and none after it does."""
    try:
        body = form.read(KeyBody, empty={"days": None})
        made = key_routes.make_key(body, permit, visit.database, visit.settings)
    except FORM_ERRORS as error:
        values = _values(visit, visit.permit(Operation.SEE_KEYS))
        return visit.again("account/keys.html", form, error, **values | {"chosen": form.texts("scopes[]")})
    return visit.page("account/key.html", 201, tabs=tabs(HERE), key=made)


@router.post("/account/keys/{key_id}/revoke")
def revoke_key(
    key_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.REVOKE_KEY)]
) -> Response:
    """Revoke a key."""
    key_routes.revoke_key(key_id, permit, visit.database)
    return visit.back(HERE, "key_revoked")
