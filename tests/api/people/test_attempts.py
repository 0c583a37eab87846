"""Whoever tries again and again is stopped."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from fastapi import Request  # noqa: E402 - after the check for the extra
from sqlalchemy import select, update  # noqa: E402

from api.database.tables import now  # noqa: E402
from api.people.attempts import Attempts, forget_old  # noqa: E402
from api.people.tables import Attempt  # noqa: E402
from api.problems import RefusedError  # noqa: E402
from tests.api.backends import service_on  # noqa: E402
from tests.api.client import serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.api.people.browser import PASSWORD, Browser, registered  # noqa: E402


def test_passwords_are_not_tried_for_long(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    limits: dict[str, Any] = {"rate_visitor": "8/hour", "rate_address": "4/hour"}
    with serving(tmp_path / "data", tmp_path / "home", Scripted(), **limits) as client:
        registered(client, "ann@example.org")
        browser = Browser(client)
        answers = [browser.log_in("ann@example.org", f"guess number {i}").status_code for i in range(5)]
        assert answers == [401] * 4 + [429]
        stopped = browser.log_in("ANN@example.org")
        assert stopped.status_code == 429
        assert 0 < int(stopped.headers["retry-after"]) <= 3601
        assert stopped.headers["content-type"] == "application/problem+json"
        # another address from the same place, until the place itself is stopped
        others = [browser.log_in(f"{i}@example.org").status_code for i in range(4)]
        assert others == [401, 401, 429, 429]


def test_mailboxes_are_not_filled(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted(), rate_address="3/hour") as client:
        browser = Browser(client)
        body = {"email": "ann@example.org", "password": PASSWORD, "name": "Ann"}
        assert [browser.send("POST", "/accounts", body).status_code for _ in range(4)] == [202] * 3 + [429]
        reset = [browser.send("POST", "/password-resets", {"email": "b@example.org"}) for _ in range(4)]
        assert [answer.status_code for answer in reset] == [202] * 3 + [429]


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    limits: dict[str, Any] = {"rate_address": "3/hour"}
    for expected in ([401, 401], [401, 429], [429]):
        with serving(tmp_path / "data", tmp_path / "home", Scripted(), **limits) as client:
            browser = Browser(client)
            answers = [browser.log_in("ann@example.org", "a guess").status_code for _ in expected]
            assert answers == expected


def waits(attempts: Attempts, request: Request, what: str = "log in") -> int:
    """Seconds that somebody is told to wait; 0: the attempt was counted."""
    try:
        attempts.count(request, what)
    except RefusedError as error:
        return int(error.headers["Retry-After"])
    return 0


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_processes_count_together(tmp_path: Path, backend: str) -> None:
    """Many at the same moment: exactly as many as are allowed, and each tells when it goes on."""
    for client in service_on(backend, tmp_path):
        database = client.app.state.database
        settings = client.app.state.settings.model_copy(update={"rate_visitor": "7/hour"})
        several = [Attempts(settings, database) for _ in range(16)]
        request = Request({"type": "http", "client": ("192.0.2.1", 1)})
        with ThreadPoolExecutor(16) as pool:
            told = sorted(pool.map(lambda attempts: waits(attempts, request), several))  # noqa: B023 - now
        assert told[:7] == [0] * 7
        assert all(3590 < seconds <= 3601 for seconds in told[7:])
        assert waits(several[0], request, "reset") == 0
        assert waits(several[1], Request({"type": "http", "client": ("192.0.2.2", 1)})) == 0
        with database.writing() as session:
            session.execute(update(Attempt).values(until=now()))
        assert waits(several[2], request) == 0
        assert forget_old(database) == 9
        assert forget_old(database) == 0


def test_the_window_moves(tmp_path: Path) -> None:
    """Room comes as the oldest attempts leave the window, not all at once."""
    for client in service_on("sqlite", tmp_path):
        database = client.app.state.database
        settings = client.app.state.settings.model_copy(update={"rate_visitor": "3/hour"})
        attempts, request = Attempts(settings, database), Request({"type": "http", "client": ("::1", 1)})
        for _ in range(3):
            attempts.count(request, "log in")
        with database.writing() as session:
            first, second, _ = session.scalars(select(Attempt).order_by(Attempt.place))
            first.until, second.until = now(), now() + timedelta(seconds=30)
        attempts.count(request, "log in")
        with pytest.raises(RefusedError) as stopped:
            attempts.count(request, "log in")
        assert 25 < int(stopped.value.headers["Retry-After"]) <= 31


def test_a_closed_service_takes_no_registrations(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted(), registration="closed") as client:
        body = {"email": "ann@example.org", "password": PASSWORD, "name": "Ann"}
        assert Browser(client).send("POST", "/accounts", body).status_code == 403
