"""An observer with a station in a campaign, who sends files."""

import base64
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.access.caller import digest_of
from api.database.tables import new_id, now
from api.database.transactions import Database
from api.people.tables import ApiKey
from tests.api.access.world import World, make_world
from tests.api.client import API, Client

UPLOADS = f"{API}/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
BODY = {"Content-Type": "application/offset+octet-stream"}


def metadata(**pairs: str) -> str:
    """Upload-Metadata, by the protocol's words: key, blank, base64; comma between."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def checksum(content: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


def key_for(database: Database, person: str) -> str:
    """An API key that may send and see data."""
    key = f"umbra_{new_id()}"
    scopes = ["data:read", "data:write", "predictions:read"]
    with database.writing() as session:
        session.add(
            ApiKey(
                id=new_id(), digest=digest_of(key), start=key[:12], person=person, name="k", scopes=scopes,
                created=now(),
            )
        )  # fmt: skip
    return key


@dataclass
class Observer:
    """Sends requests as one person."""

    client: Client
    world: World
    key: str
    observation: str

    def send(self, method: str, url: str, **options: Any) -> httpx.Response:
        headers = {"X-API-Key": self.key, **options.pop("headers", {})}
        return self.client.send(method, url, headers=headers, **options)

    def begin(self, length: int, name: str = "a.ser", **more: str) -> str:
        """A new upload's address."""
        answer = self.ask_for(length, name, **more)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def ask_for(self, length: int, name: str = "a.ser", **more: str) -> httpx.Response:
        told = metadata(observation=self.observation, filename=name, **more)
        headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": told}
        return self.send("POST", UPLOADS, headers=headers)

    def patch(self, url: str, offset: int, content: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**TUS, **BODY, "Upload-Offset": str(offset), **named}
        return self.send("PATCH", url, headers=sent, content=content)

    def offset(self, url: str) -> int:
        answer = self.send("HEAD", url, headers=TUS)
        assert answer.status_code == 200, answer.text
        return int(answer.headers["Upload-Offset"])

    def view(self, url: str) -> dict[str, Any]:
        found: dict[str, Any] = self.send("GET", url).json()
        return found

    def upload(self, content: bytes, name: str = "a.ser", **more: str) -> str:
        """All of a file at once; the upload's address."""
        url = self.begin(len(content), name, **more)
        if content:
            answer = self.patch(url, 0, content)
            assert answer.status_code == 204, answer.text
        return url

    def settled(self, url: str, seconds: float = 600.0) -> dict[str, Any]:
        """The upload, once it is stored or refused."""
        return self._when(url, {"stored", "refused"}, seconds)

    def file_of(self, url: str, seconds: float = 600.0) -> dict[str, Any]:
        """The file that an upload became, once it was looked at."""
        upload = self.settled(url)
        assert upload["state"] == "stored", upload
        return self._when(f"{API}/files/{upload['file']}", {"accepted", "refused"}, seconds)

    def part(self, url: str) -> Path:
        """Where the bytes of an upload wait."""
        home: Path = self.client.app.state.settings.home
        return home / "uploads" / f"{url[-32:]}.part"

    def _when(self, url: str, states: set[str], seconds: float) -> dict[str, Any]:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            view = self.view(url)
            if view["state"] in states:
                return view
            time.sleep(0.05)
        raise AssertionError(view)


def observer_of(client: Client) -> Observer:
    """The owner of an observation, in a new campaign."""
    world = make_world(client.app.state.database)
    key = key_for(world.database, world.people["owner"].id)
    return Observer(client, world, key, world.strict["observation"])
