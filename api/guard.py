"""What holds for every request and response: host names, problems, headers for browsers."""

import time
from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.database.tables import new_id
from api.logs import log_request
from api.problems import plain, respond

REQUEST_ID = "X-Request-ID"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}


class Guard:
    """ASGI middleware: answers known host names only, and adds `HEADERS` where a route set none.

    Every request gets an id, which the answer, the audit log and the service's log tell.

    Errors that the framework answers in plain text before any route, such as a body that is too large,
    become problems.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] | None) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        request, begun, status = new_id(), time.monotonic(), 500
        scope.setdefault("state", {})["request_id"] = request
        replaced = False

        async def guarded(message: Message) -> None:
            nonlocal replaced, status
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                status = message["status"]
                plain_text = headers.get("content-type", "").startswith("text/plain")
                if message["status"] >= HTTPStatus.BAD_REQUEST and plain_text:
                    phrase = HTTPStatus(message["status"]).phrase
                    await respond(plain(message["status"], phrase))(scope, receive, guarded)
                    replaced = True
                    return
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault(REQUEST_ID, request)
                headers.setdefault("Cache-Control", "no-store")
            if not replaced:
                await send(message)

        try:
            await self._answer(scope, receive, guarded)
        finally:
            client = scope["client"][0] if scope.get("client") else ""
            seconds = time.monotonic() - begun
            log_request(scope["method"], scope["path"], status, seconds, request, client)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, if the request is for this service."""
        host = Headers(scope=scope).get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            refusal = respond(
                plain(421, f"this service is not {host!r}; use the address it was started with")
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _name(host: str) -> str:
    """Host name of a Host header, without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
