"""A campaign of mixed formats with a corrupt recording, through local Ray and in this process."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.campaign.cli import campaign
from cluster.campaign.manifest import write_manifest
from cluster.store import Store, open_store
from ingest.writers import write_ser
from tests.processes import below
from tests.recordings import SMALL, SMALL_8BIT, avi_of, fits_of, run_reduce, ser_of
from tests.requirements import require

TARGET = "80,61"
SAME = ("lightcurve.csv", "stars.parquet", "lightcurve.png", "finder.png")
OWN = ("seconds", "when", "machine")
"""What of a summary is of the run, and not of the result."""


def recordings(folder: Path) -> list[dict[str, Any]]:
    """Six stations; the rows of their manifest."""
    folder.mkdir()
    ser_of(SMALL, folder / "anna.ser")
    fits_of(SMALL, folder / "bert")
    avi_of(SMALL_8BIT, folder / "carl.avi")
    ser_of(replace(SMALL, seed=77), folder / "inside.ser")
    shutil.make_archive(str(folder / "dora"), "zip", folder, "inside.ser")
    ser_of(SMALL, folder / "fred.ser", big_endian=True)
    whole = (folder / "anna.ser").read_bytes()
    (folder / "emil.ser").write_bytes(whole[:100])
    times = {"times.table": "r/carl.csv", "times.meaning": "start"}
    return [
        {"station": "Anna", "input": "r/anna.ser", "target": TARGET},
        {"station": "Bert", "input": "r/bert", "target": TARGET},
        {"station": "Carl", "input": "r/carl.avi", "target": TARGET, **times},
        {"station": "Dora", "input": "r/dora.zip", "target": TARGET},
        {"station": "Emil", "input": "r/emil.ser", "target": TARGET},
        {"station": "Fred", "input": "r/fred.ser", "target": TARGET, "plan.aperture_px": 4.0},
    ]


def options(row: dict[str, Any], folder: Path) -> list[str]:
    """The same for `umbra reduce`."""
    names = {"target": "--target", "times.meaning": "--time-is", "plan.aperture_px": "--aperture"}
    found = [str(folder / row["input"])]
    for column, option in names.items():
        found += [option, str(row[column])] if column in row else []
    return found + (["--times", str(folder / row["times.table"])] if "times.table" in row else [])


def results_of(store: Store, name: str, station: str, into: Path) -> Path:
    """The latest results of a station."""
    store.fetch("results", store.versions(name, station)[-1], into)
    return into


def plain(summary: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(summary.read_text())
    content["provenance"] = {k: v for k, v in content["provenance"].items() if k not in OWN}
    return content


class Finished:
    """A campaign that was run through Ray, and its events."""

    def __init__(self, folder: Path, code: int, events: list[dict[str, Any]]) -> None:
        self.folder, self.code, self.events = folder, code, events
        self.store = open_store(folder / "store", make=False)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]


def run(folder: Path, *arguments: str) -> Finished:
    """Run the real command in a process of its own."""
    command = [sys.executable, "-m", "umbra", "campaign", "run", str(folder / "m.csv"), "--store"]
    done = subprocess.run(
        [*command, str(folder / "store"), "--json", *arguments], capture_output=True, text=True, check=False
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events, done.stderr
    return Finished(folder, done.returncode, events)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("campaign")
    found = recordings(folder / "r")
    write_manifest(folder / "m.csv", found, False)
    return folder, found


@pytest.fixture(scope="module")
def finished(rows: tuple[Path, list[dict[str, Any]]]) -> Finished:
    require("ray")
    return run(rows[0], "--ray", "local", "--workers", "2")


class TestOnRay:
    def test_one_fails_alone_with_its_reason(self, finished: Finished) -> None:
        assert finished.code == 3
        assert {event["station"] for event in finished.of("done")} == {"Anna", "Bert", "Carl", "Dora", "Fred"}
        (failed,) = finished.of("failed")
        assert (failed["station"], failed["failure"]) == ("Emil", "data")
        assert "emil.ser" in failed["error"]
        (end,) = finished.of("end")
        assert (end["total"], end["done"], end["failed"], end["left"]) == (6, 5, 1, 0)
        assert end["frames"] == 5 * SMALL.frames

    def test_results_are_those_of_umbra_reduce(
        self, finished: Finished, rows: tuple[Path, list[dict[str, Any]]], tmp_path: Path
    ) -> None:
        folder, found = rows
        for row in found:
            station = row["station"]
            if station == "Emil":
                continue
            alone = run_reduce(tmp_path / f"{station}-alone", *options(row, folder))
            assert alone.code == 0, alone.err
            theirs = results_of(finished.store, "m", station, tmp_path / station)
            for name in SAME:
                assert (theirs / name).read_bytes() == (alone.folder / name).read_bytes(), (station, name)
            assert plain(theirs / "summary.json") == plain(alone.folder / "summary.json"), station

    def test_logs_are_kept(self, finished: Finished) -> None:
        for event in finished.events:
            if event["event"] in {"done", "failed"}:
                log = finished.store.log(event["job"], event["attempt"]) or ""
                assert event["station"] in log
                assert ("DataError" in log) == (event["event"] == "failed")

    def test_the_store_is_sound_and_nothing_is_left_over(self, finished: Finished) -> None:
        found = list(finished.store.verify(deep=True))
        assert {finding.state for finding in found} <= {"ok", "foreign"}
        assert not list((finished.folder / "store" / ".queue").glob(".umbra-*"))

    def test_again_it_only_looks(self, finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
        folder = finished.folder
        before = (folder / "store" / "observations").stat().st_mtime_ns
        began = time.process_time()
        code = campaign(["run", str(folder / "m.csv"), "--store", str(folder / "store"), "--ray", "no:1"])
        used = time.process_time() - began
        assert code == 3
        assert "5 done, 1 failed" in capsys.readouterr().out
        assert (folder / "store" / "observations").stat().st_mtime_ns == before
        first = sum(event.get("cpu_s", 0.0) for event in finished.events)
        assert used < max(0.2 * first, 2.0)

    def test_status(self, finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
        store = str(finished.folder / "store")
        assert campaign(["status", store, "m", "--json"]) == 0
        content = json.loads(capsys.readouterr().out)
        assert (content["total"], content["counts"]["done"], content["counts"]["failed"]) == (6, 5, 1)
        assert [entry["station"] for entry in content["observations"]][:2] == ["Anna", "Bert"]
        assert campaign(["status", store, "m"]) == 0
        assert "Emil: failed (data): emil.ser" in capsys.readouterr().out
        assert campaign(["status", store, "n"]) == 2
        assert campaign(["status", str(finished.folder / "r"), "m"]) == 2


class TestReport:
    def test_page_tables_and_results(
        self, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        store, out = str(finished.folder / "store"), tmp_path / "report"
        sites = tmp_path / "sites.csv"
        rows = [
            {
                "station": "Anna",
                "input": str(finished.folder / "r" / "anna.ser"),
                "latitude_deg": 50,
                "longitude_deg": 12,
            }
        ]
        write_manifest(sites, rows, False)
        assert campaign(["report", store, "m", "--out", str(out), "--manifest", str(sites)]) == 0
        assert "6 observations" in capsys.readouterr().out
        page = (out / "index.html").read_text()
        for word in ("Anna", "Bert", "Carl", "Dora", "Fred", "Emil", "emil.ser"):
            assert word in page
        assert page.count("<svg") == 5
        with (out / "campaign.csv").open(newline="") as file:
            table = {row["station"]: row for row in csv.DictReader(file)}
        assert set(table) == {"Anna", "Bert", "Carl", "Dora", "Fred"}
        summary = json.loads((out / "stations" / "Bert" / "summary.json").read_text())
        assert table["Bert"]["d_utc"] == (summary["event"]["d_utc"] or "")
        assert float(table["Bert"]["scatter"]) == summary["lightcurve"]["scatter"]
        lines = (out / "chords.csv").read_text().splitlines()
        assert lines[0] == "name,latitude_deg,longitude_deg,altitude_m,result"
        assert [line.split(",")[0] for line in lines[1:]] == ["Anna"]
        assert (out / lines[1].rpartition(",")[2] / "summary.json").is_file()
        assert campaign(["report", store, "m", "--out", str(out)]) == 2
        assert campaign(["report", store, "m", "--out", str(out), "--overwrite"]) == 0
        assert not (out / "chords.csv").exists()
        assert campaign(["report", store, "m", "--out", str(finished.folder / "r"), "--overwrite"]) == 2
        assert campaign(["report", store, "n", "--out", str(tmp_path / "n")]) == 2
        assert {path.name for path in tmp_path.iterdir()} == {"report", "sites.csv"}


class TestHere:
    def test_in_this_process_by_another_name(
        self, rows: tuple[Path, list[dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, _ = rows
        store = str(tmp_path / "store")
        arguments = [str(folder / "m.csv"), "--store", store, "--ray", "none", "--campaign", "other"]
        assert campaign(["run", *arguments, "--only", "Anna", "--only", "Emil"]) == 3
        text = capsys.readouterr().out
        assert "[1] Anna: done, 48 frames" in text
        assert "Emil: failed (data)" in text
        assert "other: 2 observations, 1 done, 1 failed" in text
        assert campaign(["retry-failed", store, "other"]) == 0
        assert "1 job queued" in capsys.readouterr().out
        arguments[-1] = "third"
        assert campaign(["run", *arguments, "--only", "Anna"]) == 0
        assert "Anna: done before" in capsys.readouterr().out
        assert open_store(store, make=False).versions("third", "Anna")

    def test_a_recording_of_the_store(
        self, rows: tuple[Path, list[dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, _ = rows
        store = open_store(tmp_path / "store")
        raw = store.put_raw(folder / "r" / "anna.ser")
        lines = [
            {"station": "A", "input": f"raw:{raw.sha256}", "target": TARGET},
            {"station": "B", "input": f"raw:{'0' * 64}"},
        ]
        write_manifest(tmp_path / "m.csv", lines, False)
        arguments = [str(tmp_path / "m.csv"), "--store", str(tmp_path / "store"), "--ray", "none"]
        assert campaign(["run", *arguments]) == 3
        text = capsys.readouterr().out
        assert "A: done, 48 frames" in text
        assert "B: failed (data)" in text
        theirs = results_of(store, "m", "A", tmp_path / "A")
        alone = run_reduce(tmp_path / "alone", folder / "r" / "anna.ser", "--target", TARGET)
        assert (theirs / "lightcurve.csv").read_bytes() == (alone.folder / "lightcurve.csv").read_bytes()

    def test_told_to_end_it_gives_back_what_runs(self, tmp_path: Path) -> None:
        pictures = [SMALL.frame(i) for i in range(10)]
        write_ser(tmp_path / "long.ser", pictures * 600)
        write_manifest(tmp_path / "m.csv", [{"station": "L", "input": "long.ser", "target": TARGET}], False)
        store = tmp_path / "store"
        command = [sys.executable, "-m", "umbra", "campaign", "run", str(tmp_path / "m.csv")]
        process = subprocess.Popen(
            [*command, "--store", str(store), "--ray", "none"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 600
        while not list(store.glob(".queue/.umbra-*/.umbra-*")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 143, (out, err)
        assert "queued again" in err
        assert not list(store.glob(".queue/.umbra-*"))
        assert not list(store.glob("results/*"))
        found = subprocess.run(
            [sys.executable, "-m", "umbra", "campaign", "status", str(store), "m", "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        (entry,) = json.loads(found.stdout)["observations"]
        assert (entry["state"], entry["attempts"]) == ("queued", 1)


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    require("ray")
    write_ser(tmp_path / "a.ser", [SMALL.frame(i) for i in range(10)] * 60)
    write_manifest(tmp_path / "m.csv", [{"station": "A", "input": "a.ser", "target": TARGET}], False)
    with a_worker_killed() as killed:
        found = run(tmp_path, "--ray", "local", "--workers", "1")
    assert killed
    assert found.code == 0
    (retried,) = found.of("retried")
    assert (retried["failure"], retried["attempt"]) == ("crash", 1)
    (done,) = found.of("done")
    assert done["attempt"] == 2
    assert len(found.store.versions("m", "A")) == 1


@contextmanager
def a_worker_killed() -> Iterator[list[int]]:
    """Kill the first worker below this process that is seen busy with an order during the body."""
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not killed and not over.wait(0.01):
            pids = [
                pid for pid, title in below(os.getpid()).items() if title.startswith(b"ray::perform_order")
            ]
            for pid in pids[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield killed
    finally:
        over.set()
        watching.join()
