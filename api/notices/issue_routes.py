"""Routes of issues."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select

from api.access.matrix import Operation, Standing
from api.access.permit import Permit, may
from api.dependencies import AttemptsDep, Cursor, DatabaseDep, IdPath, Limit, SettingsDep
from api.notices import issues
from api.notices.issues import AnswerBody, IssueBody, IssueDetail, IssueState, IssueStateBody, IssueView
from api.notices.tables import Issue
from api.pages import Page, page_of
from api.people.tables import Person
from api.problems import responses

MOST_BODY_BYTES = 128 * 1024
router = APIRouter(prefix="/api/v1", tags=["notices"])


@router.post(
    "/issues",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 429, 503),
    summary="Report an issue",
)
def report(
    body: IssueBody,
    request: Request,
    response: Response,
    permit: Annotated[Permit, may(Operation.REPORT_ISSUE)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> IssueDetail:
    """Tell the people who run the service what does not work; they get an e-mail."""
    _count(request, permit, database, attempts)
    with database.writing() as session:
        row = issues.report(session, settings, permit.caller, body)
        session.flush()
        response.headers["Location"] = issues.path_of(row)
        return issues.detail(session, row)


def _count(request: Request, permit: Permit, database: DatabaseDep, attempts: AttemptsDep) -> None:
    """Nobody fills the mailboxes of staff."""
    with database.reading() as session:
        email = session.get_one(Person, permit.caller.known).email
    attempts.count(request, "issue", email)


def _admit(
    issue: str, request: Request, permit: Permit, database: DatabaseDep, attempts: AttemptsDep
) -> None:
    """See that the caller may write about an issue, which is counted of all but staff."""
    with database.reading() as session:
        permit.over(session, session.get(Issue, issue), "issue")
    if Standing.STAFF not in permit.caller.standing:
        _count(request, permit, database, attempts)


@router.get("/issues", responses=responses(401, 403, 422, 503), summary="Issues")
def list_issues(
    permit: Annotated[Permit, may(Operation.SEE_ISSUES)],
    database: DatabaseDep,
    state: IssueState | None = None,
    mine: Annotated[bool, Query(description="Staff: only those that one reported oneself.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[IssueView]:
    """List the issues that one reported; for staff those of all, newest first."""
    rows = select(Issue)
    if mine or Standing.STAFF not in permit.caller.standing:
        rows = rows.where(Issue.person == permit.caller.known)
    if state is not None:
        rows = rows.where(Issue.state == state)
    with database.reading() as session:
        found, following = page_of(session, rows, (Issue.created, Issue.id), limit, cursor, True)
        return Page(items=issues.views(session, found), next=following)


@router.get("/issues/{issue_id}", responses=responses(401, 403, 404, 422, 503), summary="An issue")
def see(
    issue_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_ISSUE)], database: DatabaseDep
) -> IssueDetail:
    """Tell an issue and its answers."""
    with database.reading() as session:
        return issues.detail(session, permit.over(session, session.get(Issue, issue_id), "issue"))


@router.post(
    "/issues/{issue_id}/answers",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 429, 503),
    summary="Answer an issue",
)
def answer(
    issue_id: IdPath,
    body: AnswerBody,
    request: Request,
    permit: Annotated[Permit, may(Operation.ANSWER_ISSUE)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> IssueDetail:
    """Answer; the other side gets an e-mail."""
    _admit(issue_id, request, permit, database, attempts)
    with database.writing() as session:
        row = permit.over(session, session.get(Issue, issue_id, with_for_update=True), "issue")
        issues.answer(session, settings, permit.caller, row, body.text)
        session.flush()
        return issues.detail(session, row)


@router.put(
    "/issues/{issue_id}/state",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 413, 422, 429, 503),
    summary="Close an issue, or open it again",
)
def set_state(
    issue_id: IdPath,
    body: IssueStateBody,
    request: Request,
    permit: Annotated[Permit, may(Operation.ANSWER_ISSUE)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> IssueDetail:
    """Close an issue that is settled; the other side gets an e-mail."""
    _admit(issue_id, request, permit, database, attempts)
    with database.writing() as session:
        row = permit.over(session, session.get(Issue, issue_id, with_for_update=True), "issue")
        issues.set_state(session, settings, permit.caller, row, body.state)
        session.flush()
        return issues.detail(session, row)
