"""Pages of issues: reported by anybody with an account, answered by staff."""

from typing import Annotated, Any

from fastapi import Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import AttemptsDep, Cursor, IdPath
from api.notices import issue_routes
from api.notices.issues import AnswerBody, IssueBody, IssueState, IssueStateBody
from api.web.forms import FORM_ERRORS, FormDep
from api.web.pages import Visit, VisitDep, page_router

router = page_router()
ROWS = 30
ABOUT = ("campaign", "observation", "reduction")


@router.get("/issues")
def issues(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_ISSUES)], cursor: Cursor = None
) -> Response:
    """Show one's own issues, and a form; what it is about may stand in the address."""
    asked = visit.request.query_params
    about = {name: asked[name] for name in ABOUT if asked.get(name)}
    return visit.page("issues/list.html", **_own(visit, permit, cursor), typed=about)


def _own(visit: Visit, permit: Permit, cursor: str | None = None) -> dict[str, Any]:
    found = issue_routes.list_issues(permit, visit.database, None, True, ROWS, cursor)
    return {"issues": found.items, "next": found.next, "about": ABOUT}


@router.post("/issues")
def report(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.REPORT_ISSUE)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Report an issue; staff get an e-mail."""
    try:
        made = issue_routes.report(
            form.read(IssueBody), visit.request, Response(), permit, visit.database, visit.settings, attempts
        )
    except FORM_ERRORS as error:
        own = _own(visit, visit.permit(Operation.SEE_ISSUES))
        return visit.again("issues/list.html", form, error, **own)
    return visit.back(f"/issues/{made.id}", "reported")


@router.get("/staff/issues")
def all_issues(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.SEE_ALL_ISSUES)],
    state: Annotated[IssueState | None, Query()] = None,
    cursor: Cursor = None,
) -> Response:
    """Show the issues of all."""
    del permit
    listing = visit.permit(Operation.SEE_ISSUES)
    found = issue_routes.list_issues(listing, visit.database, state, False, ROWS, cursor)
    return visit.page("issues/all.html", issues=found.items, next=found.next, state=state)


@router.get("/issues/{issue_id}")
def issue(issue_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_ISSUE)]) -> Response:
    """Show an issue and its answers."""
    return visit.page("issues/issue.html", issue=issue_routes.see(issue_id, permit, visit.database))


@router.post("/issues/{issue_id}/answers")
def answer(
    issue_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.ANSWER_ISSUE)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Answer; the other side gets an e-mail."""
    try:
        body = form.read(AnswerBody)
        issue_routes.answer(issue_id, body, visit.request, permit, visit.database, visit.settings, attempts)
    except FORM_ERRORS as error:
        seen = issue_routes.see(issue_id, visit.permit(Operation.SEE_ISSUE), visit.database)
        return visit.again("issues/issue.html", form, error, issue=seen)
    return visit.back(f"/issues/{issue_id}", "answered")


@router.post("/issues/{issue_id}/state")
def set_state(
    issue_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.ANSWER_ISSUE)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Close an issue, or open it again."""
    try:
        body = form.read(IssueStateBody)
        issue_routes.set_state(
            issue_id, body, visit.request, permit, visit.database, visit.settings, attempts
        )
    except FORM_ERRORS as error:
        seen = issue_routes.see(issue_id, visit.permit(Operation.SEE_ISSUE), visit.database)
        return visit.again("issues/issue.html", form, error, issue=seen)
    return visit.back(f"/issues/{issue_id}", "saved")
