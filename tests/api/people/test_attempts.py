"""Whoever tries again and again is stopped."""

from pathlib import Path
from typing import Any

from tests.requirements import require

require("server")

from tests.api.client import serving  # noqa: E402 - after the check for the extra
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


def test_a_closed_service_takes_no_registrations(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted(), registration="closed") as client:
        body = {"email": "ann@example.org", "password": PASSWORD, "name": "Ann"}
        assert Browser(client).send("POST", "/accounts", body).status_code == 403
