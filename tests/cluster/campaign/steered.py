"""A campaign run by a supervisor whose hands do not reduce: for what steers it."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.campaign.account import Account
from cluster.campaign.digests import Digests
from cluster.campaign.events import Silent
from cluster.campaign.hands import Hands
from cluster.campaign.manifest import read_manifest
from cluster.campaign.places import open_queue
from cluster.campaign.planning import Planning
from cluster.campaign.supervisor import Supervisor
from cluster.jobs.sql import SqlJobStore
from cluster.store import open_store


class Endless:
    """Hands whose work never ends by itself."""

    workers = 4
    slots = 8

    def __init__(self) -> None:
        self.busy = threading.Semaphore(0)

    def start(self, check: Callable[[], None] | None = None) -> None:
        """Nothing."""

    def perform(self, *order: Any) -> Account:
        """Until `check`, the last of what is given, raises."""
        self.busy.release()
        while True:
            order[-1]()
            threading.Event().wait(0.02)

    def close(self) -> None:
        """Nothing."""


def queue_of(where: list[str]) -> SqlJobStore:
    """The queue of a store, a campaign and maybe ``--jobs URL``."""
    return open_queue(where[0], where[-1] if "--jobs" in where else None)


def supervise(folder: Path, where: list[str], hands: Hands, stations: list[str]) -> Counter[str]:
    """Run the campaign with these hands; how many observations ended how."""
    for station in stations:
        if not (folder / f"{station}.ser").exists():
            (folder / f"{station}.ser").write_bytes(station.encode())
    rows = "".join(f"{station},{station}.ser\n" for station in stations)
    (folder / "m.csv").write_text(f"station,input\n{rows}")
    read = read_manifest(folder / "m.csv")
    store = open_store(where[0])
    with queue_of(where) as queue:
        supervisor = Supervisor(queue, store, hands, "c", Silent())
        with Planning(read.observations, store.url, Digests(None)) as planning:
            try:
                return Counter({str(kind): n for kind, n in supervisor.run(planning, len(stations)).items()})
            finally:
                supervisor.close()
