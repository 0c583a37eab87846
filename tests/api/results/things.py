"""Recordings of observers, put into the store and the database as an upload would."""

from pathlib import Path
from typing import Any

import httpx

from api.database.tables import new_id, now
from api.observations.tables import ObservationFile
from cluster.store.published import ObjectStore
from tests.api.access.world import World
from tests.api.client import API, Client

ABSENT = "0" * 64
"""SHA-256 of no file of the store: a reduction of it fails at once."""


def file_of(
    observation: str, sha256: str, size: int = 1000, name: str = "a.ser", role: str = "recording",
    state: str = "accepted", **finding: Any,
) -> ObservationFile:  # fmt: skip
    return ObservationFile(
        id=new_id(), observation=observation, role=role, name=name, size=size, sha256=sha256, state=state,
        finding=finding, created=now(),
    )  # fmt: skip


def uploaded(world: World, store: ObjectStore, path: Path, observation: str) -> str:
    """Id of a recording that an observer sent."""
    raw = store.put_raw(path)
    row = file_of(observation, raw.sha256, raw.size, path.name)
    world.add(row)
    return row.id


class Caller:
    """One who asks, of a world."""

    def __init__(self, client: Client, world: World, who: str) -> None:
        self.client, self.world, self.who = client, world, who

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        self.client.forget()
        headers = {**self.world.headers(self.who), **options.pop("headers", {})}
        return self.client.send(method, API + path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.send("POST", path, **options)

    def ask(self, file: str, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.post("/reductions", json={"file": file, **fields}, headers=headers)

    def batch(
        self, campaign: str, text: str, kind: str = "application/jsonl", **options: Any
    ) -> httpx.Response:
        headers = {"Content-Type": kind, **options.pop("headers", {})}
        return self.post("/batches", params={"campaign": campaign, **options}, content=text, headers=headers)

    def ended(self, job: str) -> dict[str, Any]:
        for _ in range(10):
            view: dict[str, Any] = self.get(f"/jobs/{job}", params={"wait": 30}).json()
            if view["state"] in {"done", "failed", "cancelled"}:
                return view
        raise AssertionError(f"{view}: does not end")


def events_of(text: str) -> list[dict[str, str]]:
    """Events of a stream: an independent reader of the format."""
    found = []
    for block in text.split("\n\n"):
        fields = [line.partition(": ") for line in block.split("\n") if line and not line.startswith(":")]
        if fields:
            found.append({name: value for name, _, value in fields})
    return found
