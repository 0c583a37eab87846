"""Jobs are followed through streams that break, and without streams."""

import json
from typing import Any

import pytest

from tests.requirements import require

require("server")

from api.client import Service  # noqa: E402 - after the check for the extra
from api.remote import following  # noqa: E402
from reduction.errors import DataError, RequestError  # noqa: E402
from tests.api.remote.stub import Asked, Reply, answering  # noqa: E402

JOB = {"id": "j", "links": {"self": "/api/v1/jobs/j"}, "state": "queued"}
STATES = ("queued", "running", "done")


def block(number: int, state: str) -> bytes:
    data = {"job": "j", "state": state, "attempt": 1, "at": "2026-03-11T20:00:00Z"}
    return f": ping\n\nevent: {state}\ndata: {json.dumps(data)}\nid: {number}\n\n".encode()


def view(state: str) -> bytes:
    told = {"created": "2026-03-11T20:00:00Z", "started": None, "finished": None, "error": "bad file"}
    return json.dumps({**JOB, "state": state, "attempts": 1, **told}).encode()


def followed(answer: Any, polling: bool = False) -> tuple[list[str], list[Asked]]:
    with answering(answer) as stub, Service(stub.url, "k", patience_s=20) as service:
        return [event["state"] for event in service.follow(JOB, polling)], stub.asked


def test_a_stream_goes_on_where_it_was_cut() -> None:
    def answer(asked: Asked) -> Reply:
        if not asked.path.endswith("/events"):
            return Reply(200, view("done"))
        seen = int(asked.headers.get("last-event-id", "-1")) + 1
        whole, lost = block(seen, STATES[seen]), 0
        if STATES[seen] != "done":
            whole, lost = whole + b"data: {half", 3
        return Reply(200, whole, {"Content-Type": "text/event-stream"}, lost=lost)

    states, asked = followed(answer)
    assert states == list(STATES)
    assert [one.headers.get("last-event-id") for one in asked if one.path.endswith("/events")] == [
        None,
        "0",
        "1",
    ]


@pytest.mark.parametrize("kind", ["text/html", "cut"])
def test_polls_where_no_events_come_through(kind: str) -> None:
    told = iter(["queued", "running", "running", "done"])

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/events"):
            if kind == "cut":
                return Reply(200, b": ping\n\n", {"Content-Type": "text/event-stream"}, lost=2)
            return Reply(200, b"<html>", {"Content-Type": kind})
        return Reply(200, view(next(told)))

    states, asked = followed(answer)
    assert states == ["queued", "running", "done"]
    assert sum(one.path.endswith("/events") for one in asked) <= following.BROKEN
    assert any("wait=30" in one.path for one in asked)


def test_polls_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.01)
    turns = iter([{"queued": 2}, {"running": 1, "done": 1}, {"done": 1, "failed": 1}])
    now: dict[str, int] = {}

    def answer(asked: Asked) -> Reply:
        nonlocal now
        if "/jobs" not in asked.path:
            now = next(turns)
            return Reply(200, json.dumps({"counts": now, "total": 2, "links": {}}).encode())
        names = [state for state, count in now.items() for _ in range(count)]
        rows = [
            {"id": str(k), "state": state, "attempts": 1, "created": "c", "started": None, "finished": None}
            for k, state in enumerate(names)
        ]
        page = rows[1:] if "cursor=" in asked.path else rows[:1]
        following_page = None if "cursor=" in asked.path else "x"
        return Reply(200, json.dumps({"items": page, "next": following_page}).encode())

    with answering(answer) as stub, Service(stub.url, "k") as service:
        batch = {"links": {"self": "/api/v1/batches/b"}}
        found = [(event["job"], event["state"]) for event in service.follow(batch, polling=True)]
    assert found == [
        ("0", "queued"), ("1", "queued"), ("0", "running"), ("1", "done"), ("0", "done"), ("1", "failed"),
    ]  # fmt: skip


def test_what_failed_is_said() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/events"):
            return Reply(200, block(0, "failed"), {"Content-Type": "text/event-stream"})
        return Reply(200, view("failed"))

    with (
        answering(answer) as stub,
        Service(stub.url, "k") as service,
        pytest.raises(DataError, match="bad file"),
    ):
        service.ended(JOB)


def test_a_job_that_is_none() -> None:
    with pytest.raises(RequestError, match="no such job"):
        followed(lambda _: Reply(404, b'{"detail": "no such job"}'))
