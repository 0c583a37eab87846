"""Which route answers a request, found by its method and the number of words in its path.

FastAPI tries one route after the other, builds each route of an included router a second time, and looks
through such a router twice for every request. With two hundred routes that is a quarter of the time of an
ordinary request, and most of the time of the first one.
"""

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send


class Directory(BaseRoute):
    """Stands before the routes themselves; what it does not find is for them to say (404, 405, redirects).

    Of routes that fit, the first one given answers, as without it.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: dict[tuple[str, int], list[APIRoute]] = {}
        for route in routes:
            if isinstance(route, APIRoute) and ":path}" not in route.path:
                for method in route.methods or ():
                    self._routes.setdefault((method, route.path.count("/")), []).append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a route fits, and what to add to the scope of its request."""
        if scope["type"] == "http":
            for route in self._routes.get((scope["method"], scope["path"].count("/")), ()):
                match, more = route.matches(scope)
                if match == Match.FULL:
                    return match, more
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route answer that was found."""
        await scope["route"].handle(scope, receive, send)


def add_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Add the routes of routers that name their whole paths, and set no limits of forms for all of them."""
    routers = list(routers)
    assert not any(router.form_limits for router in routers)
    routes = [route for router in routers for route in router.routes]
    app.router.routes += [Directory(routes), *routes]
