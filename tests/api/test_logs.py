"""The service's log, and whether it says that it is ready."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.requirements import require

require("server")

from api.logs import keep_log  # noqa: E402 - after the check for the extra
from api.people.attempts import evenly  # noqa: E402
from reduction.errors import RequestError  # noqa: E402
from tests.api.client import API, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.postgres import free_port  # noqa: E402


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "log"
    kept = logging.getLogger("umbra")
    before = list(kept.handlers), kept.level, kept.propagate
    keep_log(str(path))
    yield path
    for handler in kept.handlers:
        if handler not in before[0]:
            handler.close()
    kept.handlers, kept.level, kept.propagate = before


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_request_is_a_line(tmp_path: Path, log: Path) -> None:
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted()) as client:
        answer = client.get(f"{API}/health?secret=1")
        client.get("/absent", headers={"X-API-Key": "umbra_secret"})
        client.post(f"{API}/sessions", json={"email": "ann@example.org", "password": "a secret sentence"})
    told = lines(log)
    assert [(line["method"], line["path"], line["status"]) for line in told] == [
        ("GET", f"{API}/health", 200),
        ("GET", "/absent", 404),
        ("POST", f"{API}/sessions", 401),
    ]
    assert told[0]["request"] == answer.headers["x-request-id"]
    assert told[0]["ms"] >= 0
    assert told[0]["at"].endswith("+00:00")
    text = log.read_text()
    for hidden in ("secret", "ann@"):
        assert hidden not in text


def test_a_failure_keeps_its_traceback(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setattr("api.supervisor.Supervisor.count", lambda *_: 1 / 0)
    with serving(tmp_path / "data", tmp_path / "home", Scripted()) as client:
        answer = client.get(f"{API}/health")
        assert answer.status_code == 500
    told = lines(log)
    assert next(line for line in told if "status" in line)["status"] == 500
    failure = next(line for line in told if "traceback" in line)
    assert failure["request"] == answer.headers["x-request-id"]
    assert failure["route"] == f"GET {API}/health"
    assert "ZeroDivisionError" in failure["traceback"]


def test_paths_that_prove_something_are_not_kept(tmp_path: Path, log: Path) -> None:
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted()) as client:
        client.get(f"{API}/calendar/xyzzy/campaigns.ics")
        client.get(f"{API}/unsubscribe/xyzzy")
    assert [line["path"] for line in lines(log)] == [
        f"{API}/calendar/.../campaigns.ics",
        f"{API}/unsubscribe/...",
    ]


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="UMBRA_LOG"):
        keep_log(str(tmp_path / "absent" / "log"))


def test_readiness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted()) as client:
        assert client.get(f"{API}/ready").json() == {"database": "answers", "mail": "outbox"}
    server: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": free_port(), "smtp_security": "none"}
    with serving(tmp_path / "data", tmp_path / "home", Scripted(), **server) as client:
        assert client.get(f"{API}/ready").json() == {"database": "answers", "mail": "sends"}
        client.app.state.sender.close()
        stopped = client.get(f"{API}/ready")
        assert (stopped.status_code, stopped.headers["retry-after"]) == (503, "30")
        assert "e-mail" in stopped.json()["detail"]
    with serving(tmp_path / "data", tmp_path / "home", Scripted()) as client:
        threads = client.app.state.threads
        assert len(threads) == 5
        for name in threads:
            monkeypatch.setitem(threads, name, SimpleNamespace(alive=False))
            told = client.get(f"{API}/ready")
            assert told.status_code == 503
            assert told.json()["detail"].startswith(name)
            monkeypatch.undo()


def test_an_even_time() -> None:
    begun = time.monotonic()
    with evenly(0.05):
        pass
    assert time.monotonic() - begun >= 0.05
