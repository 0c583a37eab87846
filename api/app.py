"""The application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import problems, readiness, reductions
from api.access.declared import check_declared
from api.bundles import bundle_routes, request_routes
from api.bundles.checking import ResultFiles
from api.campaigns import (
    author_routes,
    calendar_routes,
    campaign_routes,
    listing_routes,
    path_routes,
    prediction_routes,
)
from api.conditional import Conditional, describe
from api.database.migrate import migrate
from api.database.transactions import Database
from api.directory import add_routes
from api.equipment import equipment_routes, site_routes
from api.figures import figure_routes
from api.fits import chord_routes, fit_routes, map_routes, page_routes
from api.fits.fitting import Fitting
from api.guard import Guard
from api.mail import outbox_routes
from api.mail.sender import Sender
from api.nodes import directing_routes
from api.notices import announcement_routes, issue_routes, preference_routes
from api.notices.noticing import Noticing, Working
from api.observations import file_routes, observation_routes, report_routes
from api.people import account_routes, key_routes, registration_routes, user_routes
from api.people.attempts import Attempts
from api.results import (
    batch_routes,
    column_routes,
    frame_routes,
    pixel_routes,
    queue_routes,
    reduction_routes,
    result_routes,
)
from api.results.service import reducing
from api.settings import ServiceSettings
from api.standards import routes as standard_routes
from api.statistics import statistics_routes
from api.statistics.keeping import Kept
from api.store import FolderStore
from api.supervisor import Supervisor
from api.uploads import tus_routes, upload_routes
from api.uploads.creating import folder_of
from api.uploads.keeping import Keeping
from api.uploads.protocol import Tus
from api.uploads.receiving import Receiving
from api.uploads.tables import Upload
from api.web.heads import Heads
from api.web.pages import Portal, answer
from api.web.routers import PAGE_ROUTERS
from api.webhooks import webhook_routes
from api.webhooks.delivering import Deliverer
from cluster.executors import Executor
from cluster.store import open_store
from reduction.version import VERSION

ROUTERS = (
    registration_routes.router,
    account_routes.router,
    key_routes.router,
    user_routes.router,
    observation_routes.router,
    file_routes.router,
    report_routes.router,
    request_routes.router,
    bundle_routes.router,
    tus_routes.router,
    upload_routes.router,
    directing_routes.router,
    listing_routes.router,
    prediction_routes.router,
    path_routes.router,
    campaign_routes.router,
    calendar_routes.router,
    author_routes.router,
    equipment_routes.router,
    site_routes.router,
    reductions.router,
    readiness.router,
    reduction_routes.router,
    batch_routes.router,
    queue_routes.router,
    result_routes.router,
    column_routes.router,
    frame_routes.router,
    pixel_routes.router,
    chord_routes.router,
    fit_routes.router,
    page_routes.router,
    map_routes.router,
    figure_routes.router,
    preference_routes.router,
    announcement_routes.router,
    issue_routes.router,
    outbox_routes.router,
    statistics_routes.router,
    standard_routes.router,
    webhook_routes.router,
    *PAGE_ROUTERS,
)
"""All routes: an area adds its own."""


E_MAILS = "the sender of e-mails"


def _senders(database: Database, settings: ServiceSettings) -> dict[str, Sender | Deliverer]:
    """What sends to the world outside, as far as the settings let it."""
    found: dict[str, Sender | Deliverer] = {}
    if settings.smtp_host:
        found[E_MAILS] = Sender(database, settings)
    if settings.webhooks != "off":
        found["the sender of webhooks"] = Deliverer(database, settings)
    return found


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
        The folder of jobs or the database cannot be used.
    """
    supervisor = Supervisor(FolderStore(settings.home), executor, settings.data)
    database = Database(settings.where)
    migrate(database.engine)
    store = open_store(settings.kept)
    arriving = folder_of(settings)
    keeping = Keeping(database, store, arriving, settings)
    work = reducing(settings, database, store, executor, supervisor.stopping)
    fitting = Fitting(database, store, work.cache, settings.home / "fits", settings)
    threads: dict[str, Working] = {
        "the worker": work.worker,
        "the examination of uploads": keeping,
        "the fits of limbs": fitting,
    }
    senders = _senders(database, settings)
    threads |= senders
    noticing = Noticing(database, settings, threads)
    starts = [supervisor.start, keeping.start, work.worker.start, fitting.start, noticing.start]
    ends = [noticing.close, fitting.close, work.close, keeping.close, supervisor.close]
    starts[1:1] = [one.start for one in senders.values()]
    ends += [one.close for one in senders.values()]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        for start in starts:
            await run_in_threadpool(start)
        try:
            yield
        finally:
            supervisor.stopping.set()
            for end in ends:
                await run_in_threadpool(end)
            database.close()

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
    app.state.database = database
    app.state.sender = senders.get(E_MAILS)
    app.state.store = store
    app.state.result_files = ResultFiles()
    app.state.reducing = work
    app.state.fitting = fitting
    app.state.settings = settings
    app.state.noticing = noticing
    app.state.portal, app.state.statistics = Portal(settings), Kept()
    app.state.threads = threads | {"the notices of what has ended": noticing}
    app.state.attempts = Attempts(settings, database)
    app.state.keeping = keeping
    app.state.receiving = Receiving(
        database, arriving, settings.upload_days, settings.disk_reserve, keeping.tell, Upload
    )
    add_routes(app, ROUTERS)
    check_declared(app)
    problems.install(app, answer)
    describe(app)
    for layer in (Conditional, Heads, Tus):
        app.add_middleware(layer)
    app.add_middleware(Guard, hosts=settings.hosts)
    return app
