"""Pages: who visits, what they get, and how errors look."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.access.caller import Caller, as_reader, caller_of, cookie_name, csrf_of
from api.access.matrix import MATRIX, Operation
from api.access.permit import CallerDep, Permit
from api.access.relations import Concern, relations
from api.access.versions import versions_of
from api.database.transactions import Database
from api.people.tables import Person
from api.people.views import AccountView, account_view
from api.problems import Problem, RefusedError, plain, respond
from api.settings import ServiceSettings
from api.web import navigation
from api.web.addresses import own, with_query
from api.web.forms import Form
from api.web.rendering import make_environment, policy
from api.web.routes import PageRoute, page_router
from api.web.sentences import SENTENCES
from api.web.serving import Assets
from reduction.errors import UmbraError

__all__ = ["PageRoute", "Portal", "Visit", "VisitDep", "answer", "page_router", "visit_of"]
THEMES = ("light", "dark")
THEME = "theme"
PLAINLY = MappingProxyType(
    {
        404: "There is no page at this address. Perhaps it was cut off, or what it showed was removed.",
        405: "This address takes what a form sends; go back to the page with the form.",
        413: "What was sent is larger than this page takes.",
    }
)
"""What is said where the framework says no more than the status."""
REFUSED = frozenset({401, 403, 404})
"""Statuses that no form can be corrected for, unless they are about one of its fields."""


class Portal:
    """What pages are made with; one for the app.

    Attributes
    ----------
    assets : Assets
        Files that they name; by default those of this package.
    headers : dict
        Of every page. Forms tell this service alone where they come from, which it looks at.
    """

    def __init__(self, settings: ServiceSettings, assets: Assets | None = None) -> None:
        self.assets = assets or Assets()
        self.environment = make_environment(self.assets, settings)
        self.headers = {"Content-Security-Policy": policy(settings), "Referrer-Policy": "same-origin"}


@dataclass(frozen=True)
class Visit:
    """Somebody looks at a page.

    Attributes
    ----------
    csrf : str
        What their forms send; empty for who is not logged in.
    person : AccountView or None
        Their account.
    path : str
        Of the page, without its query.
    """

    caller: Caller
    request: Request
    database: Database
    settings: ServiceSettings
    csrf: str
    person: AccountView | None
    path: str

    def permit(self, operation: Operation) -> Permit:
        """The permit that a function behind an API route wants.

        Raises
        ------
        RefusedError
            401, 403: the caller may not.
        """
        return Permit(self.caller, operation, versions_of(self.request.scope))

    def may(self, operation: Operation, thing: Concern | None = None, session: Session | None = None) -> bool:
        """Whether the caller may: to show a button or hide it, never in place of the check."""
        row, standing = MATRIX[operation], self.caller.standing
        if self.caller.means == "key" and (not row.by_key or row.scope not in self.caller.scopes):
            return False
        if thing is not None and session is not None:
            standing |= relations(session, self.caller.person, thing)
        elif thing is not None:
            with self.database.reading() as looking:
                standing |= relations(looking, self.caller.person, thing)
        return bool(row.allowed & standing)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page of the portal; `values` are the template's."""
        return HTMLResponse(self._rendered(template, values), status, self._portal.headers)

    def fragment(self, template: str, **values: Any) -> Response:
        """Return a part of a page, for htmx: a template that extends nothing."""
        headers = {**self._portal.headers, "Vary": "HX-Request"}
        return HTMLResponse(self._rendered(template, values), headers=headers)

    def again(self, template: str, form: Form, error: Exception, **values: Any) -> Response:
        """Return the page of a form once more, with what was typed and what is wrong.

        Raises
        ------
        RefusedError
            `error`, if nothing that is typed could mend it: the error page tells it.
        """
        problem, told = form.told(error)
        if problem.status in REFUSED and "" in told:
            raise error
        values = {"typed": form.typed, "errors": told, **values}
        answer = self.page(template, problem.status, **values)
        if isinstance(error, RefusedError):
            answer.headers.update(error.headers)
        return answer

    def back(self, to: str, done: str = "") -> Response:
        """Lead on after a POST; `done` is the key of what is said there."""
        assert not done or done in SENTENCES, f"{done}: no sentence"
        return RedirectResponse(with_query(own(to), done=done or None), 303)

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks, for a part of the page alone."""
        return "hx-request" in self.request.headers

    @property
    def here(self) -> str:
        """Path and query of the page, without what was said on it."""
        query = self.request.url.query
        return with_query(f"{self.path}?{query}" if query else self.path, done=None)

    @property
    def _portal(self) -> Portal:
        portal: Portal = self.request.app.state.portal
        return portal

    def _rendered(self, template: str, values: dict[str, Any]) -> str:
        theme = self.request.cookies.get(THEME, "")
        context: dict[str, Any] = {
            "visit": self,
            "person": self.person,
            "csrf_token": self.csrf,
            "theme": theme if theme in THEMES else "",
            "done": SENTENCES.get(self.request.query_params.get("done", ""), ""),
            "here": self.here,
            "places": navigation.places(self.caller, self.path),
            "staff_places": navigation.staff(self.caller, self.path),
            "errors": {},
            "typed": {},
            "Operation": Operation,
        }
        return self._portal.environment.get_template(template).render(context | values)


def visit_of(request: Request, caller: CallerDep) -> Visit:
    """Who visits, of a route."""
    state = request.app.state
    database: Database = state.database
    settings: ServiceSettings = state.settings
    person = csrf = None
    if caller.person is not None:
        with database.reading() as session:
            row = session.get(Person, caller.person)
            person = None if row is None else account_view(row)
    if caller.means == "session":
        csrf = csrf_of(request.cookies.get(cookie_name(settings), ""))
    return Visit(caller, request, database, settings, csrf or "", person, request.url.path)


VisitDep = Annotated[Visit, Depends(visit_of)]


def _shows_pages(request: Request) -> bool:
    """Whether an error is told by a page: of the portal, or to a browser that asks for what is not there."""
    path = request.url.path
    if path == "/api" or path.startswith(("/api/", "/static/")):
        return False
    return isinstance(request.scope.get("route"), PageRoute) or "text/html" in request.headers.get(
        "accept", ""
    )


async def answer(request: Request, problem: Problem) -> Response:
    """Tell an error: by a page to people, as RFC 9457 has it to programs."""
    if not _shows_pages(request):
        return respond(problem)
    if problem.status == 422 and any(one.pointer.startswith("path ") for one in problem.errors):
        problem = plain(404, "")
    if problem.detail in {"", problem.title}:
        problem = problem.model_copy(update={"detail": PLAINLY.get(problem.status, problem.title)})
    hx = "hx-request" in request.headers
    if problem.status == 401 and (hx or request.method in {"GET", "HEAD"}):
        return _to_log_in(request, hx)
    visit = await run_in_threadpool(_visitor, request, problem.status < 500)
    if hx:
        page = visit.fragment("error_fragment.html", problem=problem, here="/")
        page.status_code = problem.status
    else:
        page = visit.page("error.html", problem.status, problem=problem, here="/")
    if problem.status == 503:
        page.headers["Retry-After"] = "30"
    return page


def _to_log_in(request: Request, hx: bool) -> Response:
    """Lead to the log-in, and from there back."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if hx:
        wanted = request.headers.get("hx-current-url", "/").removeprefix(str(request.base_url).rstrip("/"))
    where = f"/login?{urlencode({'next': own(wanted)})}"
    if hx:
        return Response(status_code=401, headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)


def _visitor(request: Request, known: bool) -> Visit:
    """Who gets an error page; nobody, where it cannot be told."""
    reader = as_reader(request)
    nobody = Caller("nobody")
    state = request.app.state
    try:
        found = caller_of(reader, state.database, state.settings) if known else nobody
        return visit_of(reader, found)
    except (RefusedError, UmbraError):
        return visit_of(reader, nobody)
