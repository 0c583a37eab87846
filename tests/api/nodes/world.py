"""A service and a node of it in this process; the node reaches the service without a network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from api.database.transactions import Database
from api.nodes.app import create_node
from api.nodes.handing import Handing
from api.nodes.known import UploadNode
from api.nodes.settings import NodeSettings
from api.nodes.tables import Held
from api.nodes.tickets import HEADER, key_of
from api.observations.tables import ObservationFile
from api.uploads.keeping import Keeping
from api.uploads.tables import Upload
from tests.api.client import API, Client, living, serving
from tests.api.executors import Scripted
from tests.api.uploads.conftest import SMALL
from tests.api.uploads.observer import BODY, TUS, UPLOADS, Observer, observer_of

SECRET = "s" * 40
KEY = key_of(SECRET, "chile")
AWAY = "http://127.0.0.1:1"
"""Nothing listens there."""


@dataclass
class Both:
    """An observer, the service, and the node that files go by; nothing goes on by itself.

    Attributes
    ----------
    online : bool
        Whether the service is there for the node.
    cut : int or None
        After so many more answers to the node it is not.
    """

    observer: Observer
    node: Client
    online: bool = True
    cut: int | None = None

    def directed(self, length: int, **more: str) -> tuple[str, dict[str, str]]:
        """A new upload's address, here as there, and the header with its ticket."""
        url = self.observer.begin(length, **more)
        answer = self.observer.send("POST", f"{url}/tickets", headers=TUS, json={"node": "chile"})
        assert answer.status_code == 201, answer.text
        return url, {HEADER: answer.json()["ticket"]}

    def begin(self, ticket: dict[str, str], length: int, **more: Any) -> httpx.Response:
        headers = {**TUS, **ticket, "Upload-Length": str(length), **more.pop("headers", {})}
        return self.node.send("POST", UPLOADS, headers=headers, **more)

    def patch(self, url: str, ticket: dict[str, str], at: int, content: bytes, **more: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        headers = {**TUS, **BODY, **ticket, "Upload-Offset": str(at), **named}
        return self.node.send("PATCH", url, headers=headers, content=content)

    def sent(self, content: bytes, **more: str) -> tuple[str, dict[str, str]]:
        """A file that is whole at the node."""
        url, ticket = self.directed(len(content), **more)
        assert self.begin(ticket, len(content)).status_code == 201
        assert self.patch(url, ticket, 0, content).status_code == 204
        return url, ticket

    def view(self, url: str, ticket: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = self.node.get(url, headers=ticket).json()
        return found

    def row(self, url: str) -> Held:
        with self.database.reading() as session:
            return session.get_one(Held, url[-32:])

    @property
    def database(self) -> Database:
        found: Database = self.node.app.state.database
        return found

    @property
    def handing(self) -> Handing:
        found: Handing = self.node.app.state.handing
        return found

    def part(self, url: str) -> Path:
        settings: NodeSettings = self.node.app.state.settings
        return settings.folder / f"{url[-32:]}.part"

    def store(self) -> None:
        """Let the service do what it does with whole uploads."""
        keeping: Keeping = self.observer.client.app.state.keeping
        keeping.store_all()

    def files(self) -> int:
        """How many files of the observation the service has."""
        with self.observer.world.database.reading() as session:
            rows = select(func.count()).select_from(ObservationFile)
            mine = ObservationFile.observation == self.observer.observation
            return session.scalars(rows.where(mine)).one()

    def at_the_service(self, url: str) -> Upload:
        with self.observer.world.database.reading() as session:
            return session.get_one(Upload, url[-32:])

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The service's, to the node."""
        if not self.online or self.cut == 0:
            raise httpx.ConnectError("away", request=request)
        if self.cut is not None:
            self.cut -= 1
        client = self.observer.client
        found = client.send(
            request.method, request.url.path, headers=request.headers, content=request.content
        )
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)


@contextmanager
def both(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Both]:
    """Start them."""
    monkeypatch.setattr("api.uploads.keeping.Keeping.start", lambda _self: None)
    monkeypatch.setattr(Handing, "start", lambda _self: None)
    (folder / "data").mkdir()
    (folder / "node" / "uploads").mkdir(parents=True)
    central: dict[str, Any] = {
        "upload_nodes": (UploadNode(name="chile", url="https://cl.example.org"),),
        "node_secret": SECRET,
    }
    mine = NodeSettings(central=AWAY, data=folder / "node", name="chile", key=KEY, **settings)  # type: ignore[arg-type]  # checked by the model
    with (
        serving(folder / "data", folder / "home", Scripted(), **SMALL, **central) as service,
        living(create_node(mine)) as node,
    ):
        found = Both(observer_of(service), node)
        connected = Handing._connected

        def reached(self: Handing, row: Held) -> Any:
            connection = connected(self, row)
            connection.client = httpx.Client(
                base_url="http://localhost",
                transport=httpx.MockTransport(found.answer),
                auth=connection.client.auth,
            )
            return connection

        monkeypatch.setattr(Handing, "_connected", reached)
        yield found


__all__ = ["API", "KEY", "SECRET", "Both", "both"]
