"""What the campaigns that are disturbed stand on: recordings, servers, a cluster, and what must come out."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cluster.campaign.manifest import write_manifest
from cluster.store import Store, open_store
from tests import postgres, raycluster, s3
from tests.proxy import Proxy, proxied
from tests.recordings import SMALL, ser_of

ROOT = Path(__file__).parents[4]
SAME = ("lightcurve.csv", "stars.parquet", "lightcurve.png", "finder.png")
OWN = ("seconds", "when", "machine")
"""What of a summary is of the run, and not of the result."""

MANY, LARGE = ("Anna", "Bert"), ("Carl",)
Bytes = dict[tuple[str, str], bytes | dict[str, Any]]

QUICK = {
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    "RAY_gcs_server_request_timeout_seconds": "5",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_worker_niceness": "0",
}
"""Ray notices within seconds that a part of it is gone, and its workers are as nice as others."""


def results(store: Store, campaign: str, stations: Sequence[str], folder: Path) -> Bytes:
    """What must be the same: files, and summaries without what is of the run."""
    found: Bytes = {}
    for station in stations:
        into = folder / station
        store.fetch("results", store.versions(campaign, station)[-1], into)
        found |= {(station, file): (into / file).read_bytes() for file in SAME}
        summary: dict[str, Any] = json.loads((into / "summary.json").read_text())
        summary["provenance"] = {k: v for k, v in summary["provenance"].items() if k not in OWN}
        found[station, "summary.json"] = summary
    return found


@dataclass(slots=True)
class Ground:
    """Started piece by piece, each when it is first asked for; everything is ended by `close`.

    Attributes
    ----------
    folder : Path
        With the manifests ``many.csv`` and ``large.csv``.
    undisturbed : dict
        By manifest, what comes out where nothing happens.
    seconds : float
        How long a recording takes, the first of a process left out.
    """

    folder: Path
    closing: ExitStack = field(default_factory=ExitStack)
    undisturbed: dict[str, Bytes] = field(default_factory=dict)
    seconds: float = 0.0
    _cluster: raycluster.Cluster | None = None
    _database: postgres.Server | None = None
    _objects: tuple[s3.Server, Proxy] | None = None

    def prepare(self) -> None:
        """Write the recordings, and reduce them once in one process."""
        for number, station in enumerate(MANY + LARGE):
            ser_of(replace(SMALL, seed=900 + number), self.folder / f"{station}.ser")
        many, large = (
            [{"station": one, "input": f"{one}.ser", "target": "80,61"} for one in some]
            for some in (MANY, LARGE)
        )
        large[0]["plan.segment"] = "4"
        for name, rows in (("many", many), ("large", large), ("all", many + large)):
            write_manifest(self.folder / f"{name}.csv", rows, False)
        where = ["--store", str(self.folder / "store"), "--ray", "none", "--json"]
        command = [sys.executable, "-m", "umbra", "campaign", "run", str(self.folder / "all.csv"), *where]
        done = subprocess.run(command, check=True, capture_output=True, env=self.environment(), cwd=ROOT)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.seconds = min(event["wall_s"] for event in events if event["event"] == "done")
        store = open_store(self.folder / "store", make=False)
        for name, stations in (("many", MANY), ("large", LARGE)):
            self.undisturbed[name] = results(store, "all", stations, self.folder / name)

    def environment(self) -> dict[str, str]:
        """Of every process."""
        return {
            **os.environ,
            **s3.CREDENTIALS,
            **raycluster.THREADS,
            **QUICK,
            "PYTHONPATH": str(ROOT),
        }

    @property
    def cluster(self) -> raycluster.Cluster:
        """A head that works itself, with one CPU."""
        if self._cluster is None:
            running = raycluster.running(environment=self.environment(), head_cpus=1)
            self._cluster = self.closing.enter_context(running)
        return self._cluster

    @property
    def database(self) -> postgres.Server:
        """PostgreSQL."""
        if self._database is None:
            self._database = self.closing.enter_context(postgres.running())
        return self._database

    @property
    def objects(self) -> tuple[s3.Server, Proxy]:
        """An S3 server, and the proxy before it."""
        if self._objects is None:
            server = self.closing.enter_context(s3.running())
            self._objects = server, self.closing.enter_context(proxied(server.port))
        return self._objects

    def close(self) -> None:
        """End everything."""
        self.closing.close()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a campaign keeps its results and its queue: `store` and `jobs` as the command takes them."""

    store: str
    jobs: str | None


def on_servers(ground: Ground, name: str) -> Place:
    """Behind S3 and in PostgreSQL."""
    server, proxy = ground.objects
    return Place(server.url(name, proxy.port), ground.database.url)


def on_disk(folder: Path) -> Place:
    """In a folder, with SQLite beside."""
    return Place(str(folder / "store"), None)


def somewhere(ground: Ground, folder: Path, name: str, rng: random.Random) -> Place:
    """One of the two."""
    return on_disk(folder) if rng.random() < 0.34 else on_servers(ground, name)
