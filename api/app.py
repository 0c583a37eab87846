"""The application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import problems, reductions
from api.guard import Guard
from api.settings import ServiceSettings
from api.store import FolderStore
from api.supervisor import Supervisor
from cluster.executors import Executor
from reduction.version import VERSION


def create_app(settings: ServiceSettings, executor: Executor) -> FastAPI:
    """Return the service.

    Parameters
    ----------
    settings : ServiceSettings
    executor : Executor
        Where reductions run; closed when the app ends.

    Raises
    ------
    ResourceError
        The folder of jobs cannot be used.
    """
    supervisor = Supervisor(FolderStore(settings.home), executor, settings.data)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(supervisor.start)
        try:
            yield
        finally:
            await run_in_threadpool(supervisor.close)

    app = FastAPI(
        title="Umbra",
        summary="Reduces stellar-occultation recordings to light curves.",
        version=VERSION,
        lifespan=lifespan,
        openapi_url=f"{reductions.PREFIX}/openapi.json",
        docs_url=None,  # the documentation pages of FastAPI load scripts from elsewhere
        redoc_url=None,
    )
    app.state.supervisor = supervisor
    app.include_router(reductions.router)
    problems.install(app)
    app.add_middleware(Guard, hosts=settings.hosts)
    return app
