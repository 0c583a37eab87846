"""An upload node."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from api import problems
from api.database.transactions import Database
from api.guard import Guard
from api.nodes import node_routes, tickets
from api.nodes.handing import Handing
from api.nodes.settings import NodeSettings
from api.nodes.tables import Held, prepare
from api.uploads import protocol
from api.uploads.protocol import Tus
from api.uploads.receiving import Receiving
from reduction.errors import ResourceError
from reduction.version import VERSION

SENT = (
    "Content-Type",
    "Upload-Checksum",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Offset",
    tickets.HEADER,
)
TOLD = (
    "Location", "Retry-After", "Tus-Extension", "Tus-Max-Size", "Tus-Version", "Upload-Expires",
    "Upload-Length", "Upload-Offset", protocol.RESUMABLE,
)  # fmt: skip
PREFLIGHT_S = 86400


def create_node(settings: NodeSettings) -> FastAPI:
    """Return a node.

    Raises
    ------
    ResourceError
        Its folder cannot be used, or another node has it.
    """
    lock = _locked(settings.data)
    database = Database(settings.where)
    prepare(database)
    handing = Handing(database, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(handing.start)
        try:
            yield
        finally:
            await run_in_threadpool(handing.close)
            database.close()
            os.close(lock)

    app = FastAPI(
        title="Umbra upload node", version=VERSION, lifespan=lifespan, openapi_url=None, docs_url=None,
        redoc_url=None,
    )  # fmt: skip
    app.state.settings, app.state.database, app.state.handing = settings, database, handing
    app.state.receiving = Receiving(
        database, settings.folder, settings.days, settings.disk_reserve, handing.tell, Held
    )
    app.include_router(node_routes.router)
    problems.install(app)
    app.add_middleware(Tus)
    app.add_middleware(Guard, hosts=None)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[settings.central, *settings.pages],
        allow_methods=sorted(protocol.METHODS - {"PUT"}),
        allow_headers=[*SENT, protocol.RESUMABLE, protocol.OVERRIDE],
        expose_headers=TOLD,
        max_age=PREFLIGHT_S,
    )
    return app


def _locked(folder: Path) -> int:
    """A lock on the node's folder, which the system takes back when the process ends."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise ResourceError(
            f"{folder}: another node uses it; stop that one, or give another --data"
        ) from error
    return lock
