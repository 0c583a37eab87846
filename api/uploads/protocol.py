"""tus 1.0 (https://tus.io/protocols/resumable-upload) around the routes: version, headers, methods."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import plain, respond

PREFIX = "/api/v1/uploads"
VERSION = "1.0.0"
RESUMABLE = "Tus-Resumable"
OVERRIDE = "X-HTTP-Method-Override"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
ALGORITHMS = "sha1,sha256"
FREE = frozenset({"OPTIONS", "GET"})
"""Methods that need not name the version: the question for it, and those that are not of tus."""

METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"})


class Tus:
    """ASGI middleware of the routes below `PREFIX`; all others pass as they are.

    Every answer names the version. A request of another version is refused (412) before anything looks at
    it. Clients that cannot send PATCH or DELETE name the method by `OVERRIDE`; it counts from there on, for
    permissions and for the fence against other sites, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not _is_tus(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def versioned(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(RESUMABLE, VERSION)
            await send(message)

        headers = Headers(scope=scope)
        method = headers.get(OVERRIDE, scope["method"]).strip().upper()
        if method not in METHODS:
            await respond(plain(405, f"{OVERRIDE}: no such method"))(scope, receive, versioned)
            return
        if method not in FREE and headers.get(RESUMABLE) != VERSION:
            refusal = respond(plain(412, f"{RESUMABLE}: this service speaks tus {VERSION}; send that"))
            refusal.headers["Tus-Version"] = VERSION
            await refusal(scope, receive, versioned)
            return
        await self._app({**scope, "method": method}, receive, versioned)


def _is_tus(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")
