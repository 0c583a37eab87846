"""An observer without scripts, with a station in a campaign."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.api.access.world import World, make_world
from tests.api.client import API, Client, serving
from tests.api.executors import Scripted
from tests.api.web.surfer import Surfer

FREE: dict[str, Any] = {"rate_visitor": "999999/second", "rate_address": "999999/second", "disk_reserve": 0}
ROOM: dict[str, Any] = {"largest_file": 4 << 20, "quota": 12 << 20}


@contextmanager
def service(folder: Path, **settings: Any) -> Iterator[Client]:
    """A service with nobody in it."""
    (folder / "data").mkdir(parents=True)
    with serving(folder / "data", folder / "home", Scripted(), **FREE | settings) as client:
        yield client


@dataclass
class Station:
    """A person's observation, and their browser."""

    client: Client
    world: World
    surfer: Surfer
    observation: str

    @property
    def path(self) -> str:
        return f"/observations/{self.observation}"

    def api(self, path: str) -> dict[str, Any]:
        """What the API says to them; the page at hand stays."""
        beside = Surfer(self.client)
        beside.cookies = self.surfer.cookies
        found: dict[str, Any] = beside.send("GET", API + path).json()
        return found

    def report(self, **fields: Any) -> httpx.Response:
        """Open the page, fill in its report, send it, and follow."""
        self.surfer.get(self.path)
        return self.surfer.post(f"{self.path}#report", **fields)

    def send(self, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
        """Open the page and send files by its plain form; not followed."""
        self.surfer.get(self.path)
        form = next(one for one in self.surfer.forms if one.action == f"{self.path}/upload#upload")
        told = {name: values[-1] for name, values in form.fields.items()} | fields
        sent = [("file", (name, content)) for name, content in files] or [("file", ("", b""))]
        return self.surfer.send("POST", f"{self.path}/upload", data=told, files=sent)

    def looked_at(self, count: int, seconds: float = 120.0) -> list[dict[str, Any]]:
        """The observation's files, once so many were looked at."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            files: list[dict[str, Any]] = self.api(f"/observations/{self.observation}/files")["items"]
            if len(files) == count and all(file["state"] != "quarantined" for file in files):
                return files
            time.sleep(0.05)
        raise AssertionError(files)


def surfer_of(client: Client, world: World, who: str) -> Surfer:
    """The browser of somebody of a world, logged in."""
    surfer = Surfer(client)
    surfer.cookies["umbra_session"] = world.secrets[who]
    return surfer


def station_of(client: Client, who: str = "owner") -> Station:
    """The owner's observation in a new campaign, as `who` sees it."""
    world = make_world(client.app.state.database)
    return Station(client, world, surfer_of(client, world, who), world.strict["observation"])
