"""ETags and conditional requests (RFC 9110, 8.8.3 and 13), for all routes in one place.

What a GET answers in one piece gets a strong ETag, the SHA-256 of its bytes, unless its route gives a better
one; who has it already (`If-None-Match`) is told so by 304. PATCH, PUT and DELETE with `If-Match` are done
only if a GET of the same address by the same caller tells that ETag (else 412). So that nobody comes between
that look and the change, `Permit.over` looks at the row once more, locked, in the transaction that writes.
"""

import hashlib
import re
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.caller import KEY_HEADER
from api.access.declared import operation_of
from api.access.matrix import MATRIX, Area
from api.access.versions import CHANGED, Versions, with_versions
from api.problems import plain, respond, responses

READS = frozenset({"GET", "HEAD"})
CHANGES = frozenset({"PATCH", "PUT", "DELETE"})
PERSONAL = frozenset({Area.ACCOUNT, Area.USERS})
"""Of what nothing stays in any browser's cache."""
CONDITIONS = frozenset({b"if-match", b"if-none-match", b"if-range", b"range"})
OF_A_BODY = frozenset({b"content-type", b"content-length", b"transfer-encoding"})
KEPT = (
    "etag", "cache-control", "vary", "content-location", "expires", "date", "accept-ranges",
    "content-security-policy", "referrer-policy", "cross-origin-resource-policy",
)  # fmt: skip
"""Headers of a 200 that its 304 has too: with others, a browser would replace those of what it has kept."""
CACHE = "private, no-cache"
"""Kept by who asked, and asked for again each time, which costs a 304."""
TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
STREAM = "text/event-stream"


def matches(condition: str, etag: str, strong: bool = False) -> bool:
    """Whether a header If-Match (strong) or If-None-Match names an ETag.

    Parameters
    ----------
    etag : str
        Strong, with its quotation marks.
    """
    if condition.strip() == "*":
        return True
    return any(tag == etag and not (weak and strong) for weak, tag in TAG.findall(condition))


class Conditional:
    """ASGI middleware: tags what is read, and does changes under their conditions alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        method = scope.get("method", "") if scope["type"] == "http" else ""
        if method in READS:
            await self._app(scope, receive, _Tagging(scope, send))
        elif method in CHANGES and any(name in CONDITIONS for name, _ in scope["headers"]):
            await self._change(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _change(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a change through if what is there now is what it was meant for."""
        headers = Headers(scope=scope)
        wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
        if wanted is None and unwanted is None:
            await self._app(scope, receive, send)
            return
        versions = Versions()
        now = await self._look(scope, versions)
        etag = now.headers.get("etag", "")
        if now.status == 405 or (now.status == 200 and not etag):
            refusal = respond(plain(412, "If-Match: nothing at this address has an ETag; leave it out"))
        elif now.status != 200:
            await now.again(send)
            return
        elif (wanted is None or matches(wanted, etag, strong=True)) and not (
            unwanted is not None and matches(unwanted, etag)
        ):
            await self._app(with_versions(scope, Versions(versions.seen)), receive, send)
            return
        else:
            refusal = respond(plain(412, CHANGED))
            refusal.headers["ETag"] = etag
        await refusal(scope, receive, send)

    async def _look(self, scope: Scope, versions: Versions) -> "_Answer":
        """What a GET of the same address by the same caller answers now."""
        dropped = CONDITIONS | OF_A_BODY
        headers = [pair for pair in scope["headers"] if pair[0] not in dropped]
        asked = with_versions(scope, versions, method="GET", query_string=b"", headers=headers)
        answer = _Answer()

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        await self._app(asked, nothing, _Tagging(asked, answer))
        return answer


class _Answer:
    """A whole answer, kept."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self._messages.append(message)

    @property
    def status(self) -> int:
        return int(self._messages[0]["status"])

    @property
    def headers(self) -> Headers:
        return Headers(raw=self._messages[0]["headers"])

    async def again(self, send: Send) -> None:
        """Give it as one's own."""
        for message in self._messages:
            await send(message)


class _Tagging:
    """Sends an answer on with its ETag; or, where the caller has it, that it is the same as before.

    The beginning of an answer waits for its first piece, unless it is a stream of unknown length.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._known = Headers(scope=scope).get("if-none-match")
        self._held: Message | None = None
        self._silent = False

    async def __call__(self, message: Message) -> None:
        """Take a message of the app."""
        if message["type"] == "http.response.start":
            fields = Headers(raw=message["headers"])
            if message["status"] in {200, 206} and "content-length" in fields:
                self._held = message
            else:
                await self._send(message)
        elif self._held is not None:
            start, self._held = self._held, None
            await self._begin(start, message)
        elif not self._silent:
            await self._send(message)

    async def _begin(self, start: Message, first: Message) -> None:
        fields = MutableHeaders(scope=start)
        whole = first["type"] == "http.response.body" and not first.get("more_body", False)
        if "etag" not in fields and whole and start["status"] == 200 and self._scope["method"] == "GET":
            fields["ETag"] = f'"{hashlib.sha256(first.get("body", b"")).hexdigest()}"'
        etag = fields.get("etag")
        if etag is not None:
            if not fields.get("cache-control", "").startswith("public"):
                fields.add_vary_header(f"Cookie, {KEY_HEADER}")
            if not self._personal:
                fields.setdefault("Cache-Control", CACHE)
            if self._known is not None and matches(self._known, etag.removeprefix("W/")):
                self._silent = True
                kept = [(name, value) for name, value in start["headers"] if name.decode().lower() in KEPT]
                await self._send({"type": "http.response.start", "status": 304, "headers": kept})
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                return
        await self._send(start)
        await self._send(first)

    @property
    def _personal(self) -> bool:
        route = self._scope.get("route")
        operation = operation_of(route) if isinstance(route, APIRoute) else None
        return operation is not None and MATRIX[operation].area in PERSONAL


def describe(app: FastAPI) -> None:
    """Tell of ETags and conditions in the OpenAPI text of every route that they hold for."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            for methods in made()["paths"].values():
                if "get" in methods and _tagged(methods["get"]):
                    _describe(methods)
        return made()

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way of changing it


def _tagged(read: dict[str, Any]) -> bool:
    answer = read["responses"].get("200")
    return answer is not None and STREAM not in answer.get("content", {})


def _describe(methods: dict[str, Any]) -> None:
    read = methods["get"]
    held = read["responses"]["200"].setdefault("headers", {})
    held.setdefault("ETag", {"description": "Strong: the bytes.", "schema": {"type": "string"}})
    read["responses"].setdefault("304", {"description": "As the ETag of If-None-Match says"})
    _ask(read, "If-None-Match", "ETags that the caller has: 304 where it is one of them.")
    for method in CHANGES & {name.upper() for name in methods}:
        change = methods[method.lower()]
        change["responses"].setdefault("412", {**responses(412)[412], "description": "Changed meanwhile"})
        _ask(change, "If-Match", "The ETag that GET told: nothing is done if there is another by now.")


def _ask(described: dict[str, Any], name: str, words: str) -> None:
    asked = described.setdefault("parameters", [])
    if all(one["name"].lower() != name.lower() for one in asked):
        asked.append(
            {
                "name": name,
                "in": "header",
                "required": False,
                "description": words,
                "schema": {"type": "string"},
            }
        )
