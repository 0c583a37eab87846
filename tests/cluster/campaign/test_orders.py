"""Keys of orders: the same work is the same job, whatever its paths; other work is another."""

import hashlib
import os
import sqlite3
import time
from pathlib import Path

import pytest

from cluster.campaign.digests import Digests, files_of, state_of
from cluster.campaign.manifest import read_manifest
from cluster.campaign.orders import Work, name_of, order_of, work_for, work_of
from reduction.errors import DataError, RequestError

STORE = "store"


def works(folder: Path, line: str, header: str = "station,input", digests: Digests | None = None) -> Work:
    (folder / "m.csv").write_text(f"{header}\n{line}\n")
    read = read_manifest(folder / "m.csv")
    assert not read.faults, read.faults
    return work_for(read.observations[0], STORE, digests or Digests(None))


def put(path: Path, data: bytes, age_s: float = 100.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_paths_are_no_part_of_a_key_and_everything_else_is(tmp_path: Path) -> None:
    for name in ("one", "two"):
        put(tmp_path / name / "a.ser", b"pixels")
        put(tmp_path / name / "d.ser", b"dark")
    first = works(tmp_path / "one", "A,a.ser")
    assert works(tmp_path / "two", "B,a.ser").key == first.key
    others = [
        works(tmp_path / "one", "A,d.ser").key,
        works(tmp_path / "one", "A,a.ser,d.ser", "station,input,dark").key,
        works(tmp_path / "one", "A,a.ser,d.ser", "station,input,flat").key,
        works(tmp_path / "one", 'A,a.ser,"1,2"', "station,input,target").key,
        works(tmp_path / "one", "A,a.ser,start", "station,input,times.meaning").key,
        works(tmp_path / "one", "A,a.ser,no", "station,input,calibration").key,
    ]
    assert len({first.key, *others}) == 7
    assert works(tmp_path / "one", "A,a.ser,", "station,input,observer").key == first.key
    put(tmp_path / "one" / "a.ser", b"others")
    assert works(tmp_path / "one", "A,a.ser").key != first.key


def test_a_job_is_of_a_campaign_and_a_station(tmp_path: Path) -> None:
    put(tmp_path / "a.ser", b"pixels")
    one, other = works(tmp_path, "A,a.ser"), works(tmp_path, "B,a.ser")
    ids = {order_of("c", one).id, order_of("c", other).id, order_of("d", one).id}
    assert len(ids) == 3
    assert order_of("c", one).id == order_of("c", works(tmp_path, "A,a.ser")).id


def test_payloads(tmp_path: Path) -> None:
    put(tmp_path / "a.ser", b"pixels")
    work = works(tmp_path, 'A,a.ser,"1,2",4', "station,input,target,plan.aperture_px")
    assert work_of(work.text) == work
    for text in ("", "[]", "{}", work.text.replace("umbra-order-1", "umbra-order-0")):
        with pytest.raises(RequestError):
            work_of(text)


def test_files_that_belong_to_a_recording(tmp_path: Path) -> None:
    put(tmp_path / "a.ser", b"pixels")
    put(tmp_path / "a.wcs", b"solution")
    put(tmp_path / "a.txt", b"FireCapture v2.7 Settings\n------\nShutter=20.00ms\n")
    put(tmp_path / "f" / "10.fits", b"SIMPLE")
    put(tmp_path / "f" / "9.fits", b"SIMPLE")
    put(tmp_path / "f" / ".hidden", b"x")
    names = [name for name, _ in files_of(works(tmp_path, "A,a.ser").request)]
    assert names[0] == "input/a.ser"
    assert "wcs/a.wcs" in names
    names = [name for name, _ in files_of(works(tmp_path, "A,f").request)]
    assert names == ["input/f/9.fits", "input/f/10.fits"]


def test_digests_are_remembered_while_files_stay(tmp_path: Path) -> None:
    path = put(tmp_path / "a.ser", b"pixels")
    tmp_path /= "what? 50%#"
    tmp_path.mkdir()
    digests = Digests(tmp_path)
    first = digests.of(path)
    digests.close()
    digests = Digests(tmp_path)
    assert digests.of(path) == first
    assert digests.bytes_read == 0
    put(path, b"PIXELS", age_s=50.0)
    assert digests.of(path) != first
    assert digests.bytes_read == 6
    digests.close()


def test_campaigns_that_share_digests_do_not_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.campaign.digests.BUSY_S", 0.0)
    a, b = put(tmp_path / "a.ser", b"a"), put(tmp_path / "b.ser", b"b")
    one, other = Digests(tmp_path), Digests(tmp_path)
    one.of(a)
    other.of(b)
    other.settle()
    one.settle()
    assert (one.of(b), other.of(a)) == (hashlib.sha256(b"b").hexdigest(), hashlib.sha256(b"a").hexdigest())
    assert (one.bytes_read, other.bytes_read) == (1, 1)
    one.close()
    other.close()


def test_digests_that_cannot_be_written_are_written_later_or_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.campaign.digests.BUSY_S", 0.0)
    path = put(tmp_path / "a.ser", b"pixels")
    digests = Digests(tmp_path)
    with sqlite3.connect(tmp_path / "digests.sqlite") as locking:
        locking.execute("BEGIN EXCLUSIVE")
        found = digests.of(path)
        digests.settle()
        assert digests.of(path) == found
        assert digests.bytes_read == 6
    locking.close()
    digests.settle()
    with sqlite3.connect(tmp_path / "digests.sqlite") as looking:
        assert looking.execute("SELECT digest FROM digest").fetchall() == [(found,)]
    looking.close()
    digests.close()


def test_a_file_that_changed_just_now_is_read_again(tmp_path: Path) -> None:
    path = put(tmp_path / "a.ser", b"pixels", age_s=0.0)
    digests = Digests(tmp_path)
    digests.of(path)
    digests.of(path)
    assert digests.bytes_read == 12
    digests.close()


def test_reading_only_writes_nothing(tmp_path: Path) -> None:
    path = put(tmp_path / "a.ser", b"pixels")
    digests = Digests(tmp_path, read_only=True)
    digests.of(path)
    digests.close()
    assert [one.name for one in tmp_path.iterdir()] == ["a.ser"]


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "a.ser", b"pixels")

    def grow() -> bool:
        put(path, b"more pixels", age_s=10.0)
        return False

    digests = Digests(None)
    with pytest.raises(DataError, match="changes while it is read"):
        digests.of(path, grow)
    digests.close()


def test_state_tells_a_change(tmp_path: Path) -> None:
    put(tmp_path / "a.ser", b"pixels")
    work = works(tmp_path, "A,a.ser")
    assert state_of(work.request) == work.state
    put(tmp_path / "a.ser", b"PIXELS", age_s=5.0)
    assert state_of(work.request) != work.state


def test_the_campaign_is_named_after_its_manifest(tmp_path: Path) -> None:
    assert name_of(tmp_path / "pholus.csv") == "pholus"
    assert name_of(tmp_path / "manifest.csv") == tmp_path.name
