"""Jobs are followed by server-sent events, and by long polls where those do not come through."""

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx

from api.remote.connection import API, AwayError, Connection, Patience

SILENT_S = 45.0
"""The service says something every 15 s: a stream that is silent for so long is held back on its way."""
BROKEN = 2
"""Streams in a row that bring nothing before they are given up for polls."""
WAIT_S, POLL_S = 30, 5.0
ENDED = frozenset({"done", "failed", "cancelled"})
STREAM = "text/event-stream"

Event = dict[str, Any]


def follow(connection: Connection, path: str, polling: bool = False) -> Iterator[Event]:
    """Tell each state of the jobs of a job or batch; as `api.client.Service.follow`.

    Parameters
    ----------
    path : str
        ``/jobs/ID`` or ``/batches/ID``.
    polling : bool
        Ask again and again from the beginning, without a stream.
    """
    stream = _Stream(connection, path)
    patience = Patience(connection)
    seen: dict[str, tuple[str, int]] = {}
    while not polling:
        try:
            for event in stream.events():
                patience.renew()
                seen[event["job"]] = event["state"], event["attempt"]
                yield event
            if over(connection.patiently(lambda: connection.ask("GET", path))):
                return
            polling = stream.empty >= BROKEN
        except AwayError as error:
            polling = stream.empty >= BROKEN
            if not polling:
                patience.wait(error)
    yield from _polled(connection, path, seen)


def over(view: dict[str, Any]) -> bool:
    """Whether all of a job or batch has ended."""
    if "counts" in view:
        return bool(sum(view["counts"].get(state, 0) for state in ENDED) >= view["total"])
    return view["state"] in ENDED


class _Stream:
    """A stream of events that goes on where it was cut off.

    Attributes
    ----------
    empty : int
        How many streams in a row brought nothing.
    """

    def __init__(self, connection: Connection, path: str) -> None:
        self._connection, self._path = connection, f"{API}{path}/events"
        self._last: str | None = None
        self.empty = 0

    def events(self) -> Iterator[Event]:
        """Events until the stream ends; raises `AwayError` where it is cut, or is none."""
        headers = {"Accept": STREAM, "Accept-Encoding": "identity"} | (
            {} if self._last is None else {"Last-Event-ID": self._last}
        )
        timeout = httpx.Timeout(SILENT_S)
        with (
            self._connection.explained(),
            self._connection.client.stream("GET", self._path, headers=headers, timeout=timeout) as answer,
        ):
            self.empty += 1
            self._connection.require(answer)
            kind = answer.headers.get("content-type", "")
            if not kind.startswith(STREAM):
                self.empty = BROKEN
                raise AwayError(f"{self._path}: {kind or 'nothing'} came, no events")
            for identity, text in _blocks(answer.iter_lines()):
                self._last = identity or self._last
                self.empty = 0
                yield json.loads(text)


def _blocks(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """(id, data) of each event of a stream."""
    identity, data = "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield identity, "\n".join(data)
            identity, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "id":
            identity = value


def _polled(connection: Connection, path: str, seen: dict[str, tuple[str, int]]) -> Iterator[Event]:
    """The same, by asking: states between two questions are not told."""
    params = {} if path.startswith("/batches/") else {"wait": WAIT_S}
    while True:
        view = connection.patiently(lambda: connection.ask("GET", path, params=params))
        jobs = pages(connection, f"{path}/jobs") if "counts" in view else iter([view])
        for job in jobs:
            state = job["state"], job["attempts"]
            if seen.get(job["id"]) != state:
                seen[job["id"]] = state
                at = job["finished"] or job["started"] or job["created"]
                yield {"job": job["id"], "state": job["state"], "attempt": job["attempts"], "at": at}
        if over(view):
            return
        if not params:
            time.sleep(POLL_S)


def pages(connection: Connection, path: str, **params: Any) -> Iterator[dict[str, Any]]:
    """All rows of a list, page by page."""
    cursor: str | None = None
    while True:
        asked = {**params, **({} if cursor is None else {"cursor": cursor})}
        page = connection.patiently(partial(connection.ask, "GET", path, params=asked))
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return
