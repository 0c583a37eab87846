"""A service on loopback, in a thread, with a reduced recording in it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
import uvicorn
from fastapi import FastAPI

from api.access.caller import digest_of
from api.app import create_app
from api.campaigns.tables import Campaign, Prediction
from api.database.tables import new_id, now
from api.people.tables import ApiKey
from api.settings import ServiceSettings
from cluster.executors import InProcess
from tests.api import migrated
from tests.api.access.world import World, make_world
from tests.api.results.things import uploaded
from tests.contracts.executors import PLAN, SCENE
from tests.scenes.scenes import little_ser

STAR: dict[str, Any] = {"ra_hours": 18.5, "dec_deg": -23.25}
RA, DEC = 277.5, -23.25
SCOPES = ["reductions:read", "reductions:write", "data:read"]


@dataclass
class Served:
    """Where it is, who may ask, and the one result: of the owner, in a campaign of the team's."""

    url: str
    app: FastAPI
    world: World
    keys: dict[str, str]
    result: str = ""

    @property
    def vo(self) -> str:
        return f"{self.url}/api/v1/obscore"

    def session(self, who: str) -> requests.Session:
        """What pyvo asks with."""
        session = requests.Session()
        if who != "anyone":
            session.headers["X-API-Key"] = self.keys[who]
        return session

    def open_from(self, when: timedelta | None) -> None:
        """End the embargo so long from now; None: never."""
        with self.app.state.database.writing() as session:
            campaign = session.get_one(Campaign, self.world.strict["campaign"])
            campaign.embargo = None if when is None else now() + when


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    (folder / "data").mkdir()
    (folder / "home").mkdir()
    migrated.put(folder / "home")
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = ServiceSettings(data=folder / "data", home=folder / "home", url=url, authority="umbra.test")
    app = create_app(settings, InProcess())
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        ends = time.monotonic() + 120
        while not server.started:
            assert time.monotonic() < ends, "the service does not start"
            assert thread.is_alive(), "the service has ended"
            time.sleep(0.02)
        world = make_world(app.state.database)
        here = Served(url, app, world, _keys(world))
        _placed(world)
        here.result = _reduced(here, folder)
        yield here
    finally:
        server.should_exit = True
        thread.join(120)
        listening.close()


def _keys(world: World) -> dict[str, str]:
    keys = {name: f"umbra_{new_id()}" for name in world.people}
    for name, key in keys.items():
        person = world.people[name].id
        world.add(
            ApiKey(
                id=new_id(), digest=digest_of(key), start=key[:12], person=person, name="k", scopes=SCOPES,
                created=now(),
            )
        )  # fmt: skip
    return keys


def _placed(world: World) -> None:
    """The star of the strict campaign."""
    with world.database.writing() as session:
        row = session.get_one(Prediction, world.strict["prediction"])
        row.elements, row.star_name = {"star": STAR}, "UCAC4 334-161718"
        row.object_number, row.object_key = "28978", "28978ixion"


def _reduced(here: Served, folder: Path) -> str:
    recording = little_ser(SCENE, folder)
    file = uploaded(here.world, here.app.state.store, recording, here.world.strict["observation"])
    staff = here.session("staff")
    plan = PLAN.model_dump(mode="json", exclude_unset=True)
    asked = staff.post(f"{here.url}/api/v1/reductions", json={"file": file, "plan": plan})
    job = f"{here.url}/api/v1/jobs/{asked.json()['id']}"
    for _ in range(20):
        view = staff.get(job, params={"wait": 30}).json()
        if view["state"] in {"done", "failed"}:
            assert view["state"] == "done", view
            return str(view["result"])
    raise AssertionError(f"{view}: does not end")
