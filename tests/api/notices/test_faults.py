"""Faults of the service reach superusers: soon, seldom, and without what is nobody's business."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Annotated

import pytest

from tests.requirements import require

require("server")

from fastapi import APIRouter  # noqa: E402 - after the check for the extra
from sqlalchemy import delete, select, update  # noqa: E402

from api.access.matrix import Operation  # noqa: E402
from api.access.permit import Permit, may  # noqa: E402
from api.database.tables import now  # noqa: E402
from api.notices.faults import MOST_KINDS, OTHERS, FaultLog, keep  # noqa: E402
from api.notices.noticing import Noticing  # noqa: E402
from api.notices.tables import Fault  # noqa: E402
from api.problems import RefusedError  # noqa: E402
from reduction.errors import ResourceError  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.notices.outbox import mails  # noqa: E402

SECRET = "ann@example.org said hunter2"


@pytest.fixture
def log(callers: Callers) -> Iterator[FaultLog]:
    with callers.world.database.writing() as session:
        session.execute(delete(Fault))
    log = FaultLog()
    logging.getLogger("umbra").addHandler(log)
    yield log
    logging.getLogger("umbra").removeHandler(log)


@pytest.fixture(scope="module")
def routes(client: "object") -> None:
    """Routes that fail as told."""
    router = APIRouter(prefix="/api/v1/broken")

    @router.get("/{secret}/{how}")
    def broken(secret: str, how: str, permit: Annotated[Permit, may(Operation.SEE_HEALTH)]) -> str:
        del permit
        if how == "resource":
            raise ResourceError(f"{secret}: {SECRET}")
        if how == "full":
            raise RefusedError(507, "no room")
        raise KeyError(f"{secret} {SECRET}")

    client.app.include_router(router)  # type: ignore[attr-defined]  # of the fixture


def kept(callers: Callers, log: FaultLog) -> int:
    return keep(callers.world.database, callers.client.app.state.settings, log)


def rows(callers: Callers) -> list[Fault]:
    with callers.world.database.reading() as session:
        return list(session.scalars(select(Fault).order_by(Fault.count.desc())))


@pytest.mark.usefixtures("routes")
@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ("crash", 500, "umbra.api: a request failed, GET /api/v1/broken/{secret}/{how}: KeyError at tests/"),
        ("resource", 503, "umbra.api: a request waits: something is missing here, GET /api/v1/broken/"),
        ("full", 507, "umbra.api: no room on the disk, GET /api/v1/broken/{secret}/{how}"),
    ],
)
def test_a_request_that_fails(callers: Callers, log: FaultLog, how: str, status: int, told: str) -> None:
    answer = callers.client.get(f"/api/v1/broken/xyzzy/{how}")
    assert answer.status_code == status
    assert kept(callers, log) >= 1
    (mail,) = mails(callers, "superuser")
    assert mail.subject == "Umbra: 1 fault of the service"
    assert told in mail.text
    assert f"request {answer.headers['x-request-id']})" in mail.text
    assert not any(word in mail.text + mail.subject for word in ("xyzzy", "hunter2", "ann@"))
    assert mails(callers, "staff") == []


@pytest.mark.usefixtures("routes")
def test_a_storm_is_one_e_mail_and_then_one_an_hour(callers: Callers, log: FaultLog) -> None:
    for _ in range(2):
        for _ in range(100):
            callers.client.get("/api/v1/broken/x/crash")
        logging.getLogger("umbra.api").error("the queue cannot be reached: %s", SECRET)
        kept(callers, log)
    (mail,) = mails(callers, "superuser")
    assert mail.subject == "Umbra: 101 faults of the service"
    assert "umbra.api: the queue cannot be reached: %s (last" in mail.text
    assert sum(row.untold for row in rows(callers)) == 101
    with callers.world.database.writing() as session:
        session.execute(update(Fault).values(told=now() - timedelta(minutes=61)))
    assert kept(callers, log) >= 1, "also where nothing new was seen"
    assert kept(callers, log) == 0
    assert [each.subject for each in mails(callers, "superuser")] == ["Umbra: 101 faults of the service"] * 2
    assert sum(row.count for row in rows(callers)) == 202


def test_warnings_and_requests_are_no_faults(callers: Callers, log: FaultLog) -> None:
    logging.getLogger("umbra.mail").warning("the server is away")
    assert callers.client.get("/api/v1/nowhere").status_code == 404
    assert callers.client.get("/api/v1/account").status_code == 401
    assert log.drain() == []


def test_what_cannot_be_kept_is_kept_later(
    callers: Callers, log: FaultLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.note("umbra: the disk is on fire")
    with monkeypatch.context() as broken:

        def away() -> None:
            raise ResourceError("the database is away")

        broken.setattr(callers.world.database, "writing", away)
        with pytest.raises(ResourceError):
            kept(callers, log)
    log.note("umbra: the disk is on fire")
    kept(callers, log)
    assert [(row.what, row.count) for row in rows(callers)] == [("umbra: the disk is on fire", 2)]


def test_endless_kinds_of_faults_take_no_endless_memory(log: FaultLog) -> None:
    for number in range(3 * MOST_KINDS):
        log.note(f"umbra: fault {number}")
    seen = log.drain()
    assert len(seen) == MOST_KINDS + 1
    assert next(one.count for one in seen if one.what == OTHERS) == 2 * MOST_KINDS


def test_a_thread_that_has_stopped_is_told_once(callers: Callers, log: FaultLog) -> None:
    del log
    worker = SimpleNamespace(alive=True)
    noticing = Noticing(callers.world.database, callers.client.app.state.settings, {"the worker": worker})
    noticing.turn()
    assert mails(callers, "superuser") == []
    worker.alive = False
    for _ in range(3):
        noticing.turn()
    assert [row.what for row in rows(callers)] == ["umbra: the worker has stopped; restart the service"]
    (mail,) = mails(callers, "superuser")
    assert "the worker has stopped" in mail.text


def test_one_step_that_fails_does_not_hold_up_the_others(
    callers: Callers, log: FaultLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.notices import noticing as module

    done: list[str] = []

    def bad(*_arguments: object) -> int:
        raise ResourceError("the database is away")

    def good(*_arguments: object) -> int:
        done.append("told")
        return 0

    monkeypatch.setattr(module, "STEPS", (bad, good))
    Noticing(callers.world.database, callers.client.app.state.settings, {}).turn()
    assert done == ["told"]
    assert next(one.what for one in log.drain()).startswith(
        "umbra.notices: telling of %s waits: ResourceError at"
    )


def test_without_another_handler_warnings_are_still_shown(
    log: FaultLog, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del log
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logging.getLogger("umbra.mail").warning("the server is away")
    assert "the server is away" in capsys.readouterr().err
