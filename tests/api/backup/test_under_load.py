"""A backup of a service that is at work, restored to a running one: nothing is lost that was acknowledged."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from sqlalchemy import select  # noqa: E402 - after the check for the extra

from api.campaigns.tables import Campaign  # noqa: E402
from api.client import Service  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.observations.tables import Observation  # noqa: E402
from api.people.tables import ApiKey  # noqa: E402
from cluster.store import open_store  # noqa: E402
from tests import postgres  # noqa: E402
from tests.api.backup.crowd import Crowd, Promise, Promised  # noqa: E402
from tests.api.backup.forge import Forge, forging  # noqa: E402
from tests.api.client import API  # noqa: E402
from tests.api.results.things import file_of  # noqa: E402
from tests.api.uploads.observer import BODY, TUS  # noqa: E402
from tests.api.uploads.served import Forged  # noqa: E402

UPLOADERS = 3
BACKUPS = 2
STARTED = 15
"""Uploads that are begun before the first backup is."""


def settings(backend: str, closing: ExitStack) -> dict[str, str]:
    """Of a service on a new database of this kind."""
    if backend == "sqlite":
        return {"UMBRA_DISK_RESERVE": "0"}
    require("postgres")
    return {"UMBRA_DISK_RESERVE": "0", "UMBRA_DATABASE": closing.enter_context(postgres.fresh())}


def environment(served: Forged) -> dict[str, str]:
    return {"UMBRA_STORE": "", "UMBRA_DATABASE": "", **served.settings, "UMBRA_HOME": str(served.home)}


def reducible(served: Forged) -> str:
    """Id of a file that holds no recording: its reductions are taken, and fail soon."""
    path = served.home / "junk"
    path.write_bytes(b"no recording")
    database = Database(served.database)
    store = open_store(served.settings.get("UMBRA_STORE") or served.home / "store")
    raw = store.put_raw(path)
    with database.writing() as session:
        observation = session.get_one(Observation, served.observation)
        row = file_of(observation.id, raw.sha256, raw.size)
        session.add(row)
        campaign = session.get_one(Campaign, observation.campaign)
        campaign.observers_reduce = True
        key = session.scalars(select(ApiKey)).one()
        key.scopes = [*key.scopes, "reductions:read", "reductions:write"]
    database.close()
    path.unlink()
    return row.id


def backed_up(forge: Forge, served: Forged, place: Path, crowd: Crowd) -> Promised:
    """What was promised when the last of some backups began."""
    ends = time.monotonic() + 600
    while len(crowd.promised.uploads) < STARTED or len(crowd.promised.jobs) < 3:
        assert not crowd.failed, crowd.failed
        assert time.monotonic() < ends, "the crowd is too slow"
        time.sleep(0.05)
    for _ in range(BACKUPS):
        promised = crowd.promised.copy()
        code = forge.run("backup", str(place), environment=environment(served))
        assert code == 0, forge.said
    return promised


def settled(service: Service, upload: str) -> dict[str, str]:
    """An upload once it is stored."""
    ends = time.monotonic() + 600
    while (view := service.ask("GET", f"/uploads/{upload}"))["state"] == "whole":
        assert time.monotonic() < ends, view
        time.sleep(0.1)
    found: dict[str, str] = view
    return found


def go_on(service: Service, home: Path, upload: str, promise: Promise) -> None:
    """See that what was acknowledged is there, send the rest, and see it stored."""
    connection = service.connection.client
    where = f"{API}/uploads/{upload}"
    answer = connection.head(where, headers=TUS)
    assert answer.status_code == 200, answer
    at = int(answer.headers["Upload-Offset"])
    assert at >= promise.received
    if at < len(promise.content):
        if at:
            assert (home / "uploads" / f"{upload}.part").read_bytes()[:at] == promise.content[:at]
        headers = {**TUS, **BODY, "Upload-Offset": str(at)}
        sent = connection.patch(where, headers=headers, content=promise.content[at:])
        assert sent.status_code == 204, sent.text
    view = settled(service, upload)
    assert view["state"] == "stored", view
    assert view["sha256"] == promise.sha256


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as one:
        yield one


@pytest.fixture(scope="module")
def smithy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forged]:
    """Whose process all services are forked from."""
    one = Forged(tmp_path_factory.mktemp("smithy") / "home")
    one.kindle()
    yield one
    one.close()


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_nothing_acknowledged_is_lost(backend: str, tmp_path: Path, forge: Forge, smithy: Forged) -> None:
    place = tmp_path / "backups"
    with ExitStack() as closing:
        served = Forged(tmp_path / "home", settings=settings(backend, closing), forge=smithy.forge)
        served.people()
        file = reducible(served)
        served.start()
        try:
            with Crowd(served, file, UPLOADERS) as crowd:
                promised = backed_up(forge, served, place, crowd)
        finally:
            served.kill()
        assert not crowd.failed, crowd.failed

        there = Forged(tmp_path / "new", settings=settings(backend, closing), key=served.key)
        there.forge = smithy.forge
        assert forge.run("restore", str(place), environment=environment(there)) == 0, forge.said
        there.start()
        try:
            with Service(there.url, there.key, patience_s=120) as service:
                for job in promised.jobs:
                    assert service.ask("GET", f"/jobs/{job}")["id"] == job
                for upload, promise in promised.uploads.items():
                    if upload not in crowd.promised.ended:
                        go_on(service, there.home, upload, promise)
        finally:
            there.kill()
    store = open_store(there.home / "store", make=False)
    assert all(finding.harmless for finding in store.verify(deep=True))
