"""A watched folder: only what has come to rest is reduced, once, and what changes again."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cluster.campaign.watch import Arrivals, news
from cluster.campaign.watch_cli import watch
from cluster.store import open_store
from tests.recordings import SMALL, ser_of


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_grows_has_not_arrived(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals(tmp_path, 10.0, clock)
    path = tmp_path / "a.ser"
    for step in range(6):
        path.write_bytes(bytes(100 * (step + 1)))
        clock.now += 9.0
        assert arrivals.look() == ({}, ["a.ser"])
    clock.now += 9.9
    assert arrivals.look() == ({}, ["a.ser"])
    clock.now += 0.2
    arrived, coming = arrivals.look()
    assert (list(arrived), coming) == (["a.ser"], [])


def test_a_folder_has_arrived_with_its_last_file(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals(tmp_path, 10.0, clock)
    (tmp_path / "night" / "deep").mkdir(parents=True)
    assert arrivals.look() == ({}, [])  # nothing in it yet
    (tmp_path / "night" / "deep" / "1.fits").write_bytes(b"x")
    assert arrivals.look() == ({}, ["night"])
    clock.now = 9.0
    (tmp_path / "night" / "deep" / "2.fits").write_bytes(b"x")
    assert arrivals.look() == ({}, ["night"])
    clock.now = 18.0
    assert arrivals.look() == ({}, ["night"])
    clock.now = 19.5
    assert list(arrivals.look()[0]) == ["night"]


def test_a_change_of_the_same_size_is_a_change(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals(tmp_path, 1.0, clock)
    path = tmp_path / "a.ser"
    path.write_bytes(b"one")
    arrivals.look()
    clock.now = 2.0
    done, _ = arrivals.look()
    assert news(done, {}) == ["a.ser"]
    assert news(done, done) == []
    path.write_bytes(b"two")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert arrivals.look() == ({}, ["a.ser"])
    clock.now = 4.0
    assert news(arrivals.look()[0], done) == ["a.ser"]


def test_hidden_files_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".part").write_bytes(b"x")
    assert Arrivals(tmp_path, 0.0).look() == ({}, [])


def test_a_recording_dropped_in_gives_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop, store, out = tmp_path / "drop", tmp_path / "store", tmp_path / "out"
    drop.mkdir()
    ser_of(SMALL, drop / "anna.ser")
    (drop / "emil.ser").write_bytes((drop / "anna.ser").read_bytes()[:100])
    asked = [str(drop), "--store", str(store), "--out", str(out), "--settle", "0", "--once"]
    assert watch(asked) == 0
    assert "emil" in capsys.readouterr().out
    (anna,) = (name for name in open_store(store, make=False).observations("drop") if "anna" in name)
    assert (out / "report" / "index.html").exists()
    assert (out / "report" / "stations" / anna / "report.html").exists()

    ser_of(replace(SMALL, seed=77), drop / "bert.ser")
    assert watch(asked) == 0
    told = capsys.readouterr().out
    assert "done before" in told
    assert len(open_store(store, make=False).observations("drop")) == 2
    assert open_store(store, make=False).versions("drop", anna)[1:] == []


def test_what_is_asked_wrongly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inside = tmp_path / "in"
    assert watch([str(tmp_path / "none"), "--store", str(inside), "--out", str(inside)]) == 2
    assert watch([str(tmp_path), "--store", str(inside), "--out", str(tmp_path.parent / "o")]) == 2
    assert "lies in the folder that is watched" in capsys.readouterr().err


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    command = [sys.executable, "-m", "umbra", "watch", "drop", "--store", "store", "--out", "out"]
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr is not None
        assert "watched" in running.stderr.readline()
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        assert running.wait(300) == 130
    finally:
        running.kill()
        running.communicate()
