"""Pages of one's own account: profile, password, address, sessions, e-mails, export, deletion."""

import json
from typing import Annotated, Any

from fastapi import Response
from pydantic_core import to_jsonable_python

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import AttemptsDep, Cursor, IdPath
from api.mail.kinds import ABOUT
from api.notices import preference_routes
from api.notices.preference_routes import NoticesBody
from api.people import account_routes
from api.people.passwords import SHORTEST
from api.people.views import NewAddressBody, NewPasswordBody, PasswordBody, ProfileChange
from api.uploads import upload_routes
from api.web.forms import FORM_ERRORS, FormDep
from api.web.navigation import account as tabs
from api.web.pages import Visit, VisitDep, page_router

router = page_router()
MaySee = Annotated[Permit, may(Operation.SEE_ACCOUNT)]


def _page(visit: Visit, name: str, **values: Any) -> Response:
    return visit.page(f"account/{name}.html", tabs=tabs(visit.path), **values)


@router.get("/account")
def profile(visit: VisitDep, permit: MaySee) -> Response:
    """The profile, to be changed."""
    account = account_routes.see(visit.request, permit, visit.database, visit.settings)
    return _page(visit, "profile", account=account)


@router.post("/account")
def change_profile(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.CHANGE_ACCOUNT)], form: FormDep
) -> Response:
    """Change the profile."""
    try:
        body = form.read(ProfileChange, empty={"affiliation": "", "orcid": None, "name": ""})
        account_routes.change(body, permit, visit.database, visit.settings)
    except FORM_ERRORS as error:
        return visit.again("account/profile.html", form, error, tabs=tabs("/account"), account=visit.person)
    return visit.back("/account", "profile_changed")


@router.get("/account/security")
def security(visit: VisitDep, permit: MaySee) -> Response:
    """Forms for password and address."""
    del permit
    return _page(visit, "security", shortest=SHORTEST)


def _security_again(visit: Visit, form: FormDep, error: Exception) -> Response:
    here = "/account/security"
    return visit.again("account/security.html", form, error, tabs=tabs(here), shortest=SHORTEST)


@router.post("/account/password")
def change_password(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.CHANGE_PASSWORD)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Change the password."""
    try:
        body = form.read(NewPasswordBody)
        account_routes.change_password(body, visit.request, permit, visit.database, visit.settings, attempts)
    except FORM_ERRORS as error:
        return _security_again(visit, form, error)
    return visit.back("/account/security", "password_changed")


@router.post("/account/email")
def change_address(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.CHANGE_PASSWORD)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Ask for another address."""
    try:
        body = form.read(NewAddressBody)
        account_routes.ask_address(body, visit.request, permit, visit.database, visit.settings, attempts)
    except FORM_ERRORS as error:
        return _security_again(visit, form, error)
    return visit.back("/account/security", "address_asked")


@router.get("/account/sessions")
def sessions(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.SEE_SESSIONS)],
    cursor: Cursor = None,
) -> Response:
    """Where one is logged in."""
    found = account_routes.list_sessions(permit, visit.database, cursor=cursor)
    return _page(visit, "sessions", sessions=found)


@router.post("/account/sessions/{session_id}/end")
def end_session(
    session_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.END_SESSION)]
) -> Response:
    """End a session."""
    account_routes.end_session(session_id, permit, visit.database)
    return visit.back("/account/sessions", "session_ended")


@router.get("/account/notices")
def notices(visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_NOTICES)]) -> Response:
    """What one gets by e-mail."""
    return _page(visit, "notices", notices=preference_routes.see(permit, visit.database))


@router.post("/account/notices")
def choose_notices(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.CHOOSE_NOTICES)], form: FormDep
) -> Response:
    """Choose what one gets by e-mail: topics that are not ticked are refused."""
    wanted = set(form.texts("wanted"))
    refused = tuple(topic for topic in ABOUT if topic.value not in wanted)
    preference_routes.choose(NoticesBody(refused=refused), permit, visit.database)
    return visit.back("/account/notices", "notices_chosen")


@router.get("/account/data")
def data(visit: VisitDep, permit: MaySee) -> Response:
    """What is kept, how much room it takes, and how to take it along or delete it."""
    del permit
    usage = upload_routes.usage(visit.permit(Operation.SEE_OWN_UPLOADS), visit.database, visit.settings)
    return _page(visit, "data", usage=usage)


@router.get("/account/export")
def export(visit: VisitDep, permit: Annotated[Permit, may(Operation.EXPORT_ACCOUNT)]) -> Response:
    """All that is kept of oneself, as a file."""
    held = to_jsonable_python(account_routes.export(permit, visit.database))
    headers = {"Content-Disposition": 'attachment; filename="umbra-account.json"'}
    text = json.dumps(held, indent=1, ensure_ascii=False)
    return Response(text, media_type="application/json", headers=headers)


@router.post("/account/deletion")
def delete_account(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.DELETE_ACCOUNT)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Delete the account."""
    answer = visit.back("/", "deleted")
    try:
        body = form.read(PasswordBody)
        account_routes.delete_account(
            body, visit.request, answer, permit, visit.database, visit.settings, attempts
        )
    except FORM_ERRORS as error:
        usage = upload_routes.usage(visit.permit(Operation.SEE_OWN_UPLOADS), visit.database, visit.settings)
        return visit.again("account/data.html", form, error, tabs=tabs("/account/data"), usage=usage)
    return answer
