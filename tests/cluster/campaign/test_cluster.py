"""Two nodes of Ray, PostgreSQL and an S3 server: the same bytes as in one process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.campaign.manifest import write_manifest
from cluster.store import Store, open_store
from tests import postgres, raycluster, s3
from tests.recordings import SMALL, SMALL_8BIT, avi_of, fits_of, ser_of
from tests.requirements import require

STATIONS = ("Anna", "Bert", "Carl", "Dora")
SAME = ("lightcurve.csv", "stars.parquet", "lightcurve.png", "finder.png")
OWN = ("seconds", "when", "machine")
"""What of a summary is of the run, and not of the result."""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifest")
    (folder / "r").mkdir()
    ser_of(SMALL, folder / "r" / "anna.ser")
    fits_of(SMALL, folder / "r" / "bert")
    avi_of(SMALL_8BIT, folder / "r" / "carl.avi")
    ser_of(replace(SMALL, seed=77), folder / "r" / "dora.ser")
    rows: list[dict[str, Any]] = [
        {"station": "Anna", "input": "r/anna.ser", "target": "80,61"},
        {"station": "Bert", "input": "r/bert", "target": "80,61"},
        {
            "station": "Carl",
            "input": "r/carl.avi",
            "target": "80,61",
            "times.table": "r/carl.csv",
            "times.meaning": "start",
        },
        {"station": "Dora", "input": "r/dora.ser", "target": "80,61"},
    ]
    write_manifest(folder / "m.csv", rows, False)
    return folder / "m.csv"


def run(manifest: Path, environment: dict[str, str], *options: str) -> list[dict[str, Any]]:
    """Run the campaign in a process of its own; its events."""
    command = [sys.executable, "-m", "umbra", "campaign", "run", str(manifest), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, ([event for event in events if event["event"] == "failed"], done.stderr)
    return events


def results(store: Store, name: str, folder: Path) -> dict[tuple[str, str], bytes | dict[str, Any]]:
    """What must be the same: files, and summaries without what is of the run."""
    found: dict[tuple[str, str], bytes | dict[str, Any]] = {}
    for station in STATIONS:
        into = folder / station
        store.fetch("results", store.versions(name, station)[-1], into)
        found |= {(station, file): (into / file).read_bytes() for file in SAME}
        summary: dict[str, Any] = json.loads((into / "summary.json").read_text())
        summary["provenance"] = {k: v for k, v in summary["provenance"].items() if k not in OWN}
        found[station, "summary.json"] = summary
    return found


@pytest.fixture(scope="module")
def alone(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """The same campaign in one process, on a disk."""
    folder = tmp_path_factory.mktemp("alone")
    run(manifest, dict(os.environ), "--store", str(folder / "store"), "--ray", "none")
    return results(open_store(str(folder / "store"), make=False), "m", folder)


@pytest.fixture(scope="module")
def nodes() -> Iterator[raycluster.Cluster]:
    require("ray")
    with raycluster.running(2, 2, environment=s3.CREDENTIALS) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def database() -> Iterator[postgres.Server]:
    require("postgres")
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="module")
def objects() -> Iterator[s3.Server]:
    require("s3")
    with s3.running() as server:
        yield server


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_two_nodes_give_the_bytes_of_one_process(
    workers: int,
    manifest: Path,
    alone: dict[tuple[str, str], Any],
    nodes: raycluster.Cluster,
    database: postgres.Server,
    objects: s3.Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in s3.CREDENTIALS.items():
        monkeypatch.setenv(variable, value)
    url, name = objects.url(f"with-{workers}"), f"m{workers}"
    where = ["--store", url, "--jobs", database.url, "--ray", nodes.address, "--workers", str(workers)]
    events = run(manifest, nodes.environment, *where, "--campaign", name)
    assert {event["station"] for event in events if event["event"] == "done"} == set(STATIONS)
    store = open_store(url, make=False)
    found = results(store, name, tmp_path)
    for place, content in alone.items():
        assert found[place] == content, place
    assert {finding.state for finding in store.verify(deep=True)} <= {"ok", "foreign"}
