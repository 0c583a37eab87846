"""Campaigns with files in the store, and those who ask for their data."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import httpx

from api.observations.tables import ObservationFile
from cluster.store.names import raw_name
from cluster.store.published import ObjectStore
from tests.api.access.world import World, make_world
from tests.api.client import API, Client
from tests.api.results.things import file_of


class Team:
    """A campaign of its own; files are put there as uploads put them, but for their checksums."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.world: World = make_world(client.app.state.database)
        self.campaign = self.world.strict["campaign"]
        self.observation = self.world.strict["observation"]

    @property
    def store(self) -> ObjectStore:
        store: ObjectStore = self.client.app.state.store
        return store

    def send(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        self.client.forget()
        headers = {**self.world.headers(who), **options.pop("headers", {})}
        return self.client.send(method, API + path, headers=headers, **options)

    def add(
        self,
        content: bytes,
        name: str = "a.ser",
        role: str = "recording",
        state: str = "accepted",
        **finding: Any,
    ) -> ObservationFile:
        path = self.folder / hashlib.sha256(content).hexdigest()
        path.write_bytes(content)
        raw = self.store.put_raw(path)
        row = file_of(self.observation, raw.sha256, raw.size, name, role, state, **finding)
        self.world.add(row)
        return row

    def ask(self, who: str = "staff", **body: Any) -> httpx.Response:
        return self.send(who, "POST", f"/campaigns/{self.campaign}/data-requests", json=body)

    def asked(self, **body: Any) -> dict[str, Any]:
        answer = self.ask(**body)
        assert answer.status_code == 201, answer.text
        view: dict[str, Any] = answer.json()
        return view

    def bundle(self, request: dict[str, Any], who: str = "staff", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(who, "GET", f"/data-requests/{request['id']}/bundle.zip", headers=named)

    def replace(self, row: ObservationFile, content: bytes | None) -> None:
        """Have other bytes in the store under the name of a file; None: nothing."""
        objects = self.store._objects
        objects.delete([raw_name(row.sha256)])
        if content is not None:
            objects.put(raw_name(row.sha256), content)


def contents(whole: bytes) -> dict[str, bytes]:
    """Files of an archive by their path below its one folder."""
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert read.testzip() is None
        assert len({name.partition("/")[0] for name in read.namelist()}) == 1
        return {name.partition("/")[2]: read.read(name) for name in read.namelist()}
