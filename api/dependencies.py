"""What routes are given besides their permit; asynchronous, so that no thread is asked for it."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from api.database.transactions import Database
from api.people.attempts import Attempts
from api.settings import ServiceSettings
from cluster.store.published import ObjectStore


async def database_of(request: Request) -> Database:
    """Database of the app."""
    database: Database = request.app.state.database
    return database


async def settings_of(request: Request) -> ServiceSettings:
    """Settings of the app."""
    settings: ServiceSettings = request.app.state.settings
    return settings


async def attempts_of(request: Request) -> Attempts:
    """Counters of attempts, of the app."""
    attempts: Attempts = request.app.state.attempts
    return attempts


async def store_of(request: Request) -> ObjectStore:
    """Store of the app: recordings, results, logs."""
    store: ObjectStore = request.app.state.store
    return store


DatabaseDep = Annotated[Database, Depends(database_of)]
SettingsDep = Annotated[ServiceSettings, Depends(settings_of)]
StoreDep = Annotated[ObjectStore, Depends(store_of)]
AttemptsDep = Annotated[Attempts, Depends(attempts_of)]
IdPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Limit = Annotated[int, Query(ge=1, le=200, description="Rows of a page.")]
Cursor = Annotated[str | None, Query(min_length=1, max_length=200, description="`next` of the page before.")]
