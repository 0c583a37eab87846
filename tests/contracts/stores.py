"""What every store must do. A subclass gives the fixture `url`: a place where nothing is yet."""

import hashlib
import os
import pickle
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.store import Commit, Raw, Store, open_store
from cluster.store.names import raw_name
from cluster.store.objects import PIECE
from cluster.store.protocol import KINDS
from reduction.errors import DataError, RequestError

BIG = 20 * 2**20 + 7


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


def folder_of(place: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return place


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


RESULT = {"summary.json": b"{}", "stars.parquet": b"\0" * 3000, "empty": b"", "c/0/a b%&é~.bin": b"deep"}


class StoreContract:
    def test_raw_files_are_kept_by_their_digest(self, store: Store, tmp_path: Path) -> None:
        for data in (b"", b"short", os.urandom(BIG)):
            path = tmp_path / "recording.ser"
            path.write_bytes(data)
            assert not store.has_raw(sha256(data))
            assert store.raw_size(sha256(data)) == 0
            assert store.put_raw(path) == Raw(sha256(data), len(data))
            assert store.raw_size(sha256(data)) == len(data)
            assert store.put_raw(path) == Raw(sha256(data), len(data))
            assert store.has_raw(sha256(data))
            assert store.fetch_raw(sha256(data), tmp_path / "new" / "back").read_bytes() == data
            assert store.fetch_raw(sha256(data), tmp_path / "new").name == sha256(data)
        assert Counter(finding.state for finding in store.verify(deep=True)) == {"ok": 4}

    def test_a_raw_file_that_is_dropped_can_be_kept_again(self, store: Store, tmp_path: Path) -> None:
        path = tmp_path / "recording.ser"
        path.write_bytes(b"light")
        kept = store.put_raw(path).sha256
        for _ in range(2):
            store.drop_raw(kept)
            assert not store.has_raw(kept)
        with pytest.raises(RequestError):
            store.drop_raw("../../etc/passwd")
        assert store.put_raw(path).sha256 == kept
        assert store.fetch_raw(kept, tmp_path / "back").read_bytes() == b"light"

    def test_any_part_of_an_object_in_pieces(self, store: Store, tmp_path: Path) -> None:
        data, path = os.urandom(BIG), tmp_path / "recording.ser"
        path.write_bytes(data)
        name = raw_name(store.put_raw(path).sha256)
        assert store.object_size(name) == BIG
        for start, stop in (
            (0, BIG),
            (0, 1),
            (BIG - 1, BIG),
            (PIECE - 1, 3 * PIECE + 5),
            (5, 5),
            (BIG - 9, BIG + 9),
        ):
            pieces = list(store.read_object(name, start, stop))
            assert b"".join(pieces) == data[start:stop]
            assert all(0 < len(piece) <= PIECE for piece in pieces)
        commit = store.publish("results", "k", folder_of(tmp_path / "result", RESULT))
        for file, content in RESULT.items():
            inside = store.object_of(commit, file)
            assert store.object_size(inside) == len(content)
            assert b"".join(store.read_object(inside, 1, len(content))) == content[1:]
        assert store.object_size(raw_name("0" * 64)) is None
        with pytest.raises(DataError, match="is missing"):
            list(store.read_object(raw_name("0" * 64), 0, 1))

    def test_a_raw_file_that_is_not_there(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="has no file with the SHA-256 0000"):
            store.fetch_raw("0" * 64, tmp_path / "x")
        with pytest.raises(RequestError, match="no SHA-256"):
            store.fetch_raw("../../etc/passwd", tmp_path / "x")
        with pytest.raises(RequestError, match="No such file"):
            store.put_raw(tmp_path / "nothing")
        assert not (tmp_path / "x").exists()

    def test_a_result_comes_back_as_it_was_published(self, store: Store, tmp_path: Path) -> None:
        folder = folder_of(tmp_path / "result", RESULT)
        assert store.find("results", "k1") is None
        commit = store.publish("results", "k1", folder, 3)
        assert store.find("results", "k1") == commit
        assert (commit.kind, commit.key, commit.attempt) == ("results", "k1", 3)
        assert {f.name: (f.size, f.sha256) for f in commit.files} == {
            name: (len(data), sha256(data)) for name, data in RESULT.items()
        }
        assert store.fetch("results", "k1", tmp_path / "back") == commit
        assert content(tmp_path / "back") == RESULT
        assert list(store.published("results")) == [commit]
        assert list(store.published("stacks")) == []
        assert {finding.state for finding in store.verify(deep=True)} == {"ok"}

    def test_who_is_second_gets_the_first(self, store: Store, tmp_path: Path) -> None:
        first = store.publish("results", "k", folder_of(tmp_path / "a", {"x": b"1"}), 1)
        second = store.publish("results", "k", folder_of(tmp_path / "b", {"x": b"2", "y": b"3"}), 2)
        assert second == first
        store.fetch("results", "k", tmp_path / "back")
        assert content(tmp_path / "back") == {"x": b"1"}

    def test_of_many_at_once_one_publishes(self, store: Store, url: str, tmp_path: Path) -> None:
        def publish(number: int) -> Commit:
            folder = folder_of(tmp_path / str(number), {"x": str(number).encode()})
            return open_store(url).publish("results", "k", folder, number)

        with ThreadPoolExecutor(8) as pool:
            commits = set(pool.map(publish, range(8)))
        (commit,) = commits
        store.fetch("results", "k", tmp_path / "back")
        assert content(tmp_path / "back") == {"x": str(commit.attempt).encode()}
        states = Counter(finding.state for finding in store.verify(deep=True))
        assert set(states) <= {"ok", "orphan"}
        assert store.collect(1e6) == []
        store.collect(0.0)
        assert Counter(finding.state for finding in store.verify(deep=True)) == {"ok": 3}

    def test_kinds_do_not_meet(self, store: Store, tmp_path: Path) -> None:
        for kind in KINDS:
            store.publish(kind, "same", folder_of(tmp_path / kind, {"zarr.json": kind.encode()}))
        for kind in KINDS:
            store.fetch(kind, "same", tmp_path / "back" / kind)
            assert content(tmp_path / "back" / kind) == {"zarr.json": kind.encode()}

    def test_nothing_to_fetch_and_no_room_for_it(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match="nothing is published as results k"):
            store.fetch("results", "k", tmp_path / "back")
        store.publish("results", "k", folder_of(tmp_path / "a", {"x": b"1"}))
        folder_of(tmp_path / "full", {"mine": b"mine"})
        with pytest.raises(RequestError, match="exists and is not an empty folder"):
            store.fetch("results", "k", tmp_path / "full")
        assert content(tmp_path / "full") == {"mine": b"mine"}
        (tmp_path / "empty").mkdir()
        store.fetch("results", "k", tmp_path / "empty")
        assert content(tmp_path / "empty") == {"x": b"1"}

    def test_folders_that_cannot_be_published(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "none").mkdir()
        folder_of(tmp_path / "linked", {"x": b"1"})
        (tmp_path / "linked" / "y").symlink_to("/etc/passwd")
        for name, why in (("gone", "is no folder"), ("none", "has no file"), ("linked", "neither file nor")):
            with pytest.raises(RequestError, match=why):
                store.publish("results", "k", tmp_path / name)
        assert store.find("results", "k") is None

    def test_versions_count_up(self, store: Store, tmp_path: Path) -> None:
        for key in ("k1", "k2"):
            store.publish("results", key, folder_of(tmp_path / key, {"x": key.encode()}))
        where = ("2026 (Eris)", "station/7 ☾")
        assert (store.campaigns(), store.observations(where[0]), store.versions(*where)) == ([], [], [])
        added = [store.add_version(*where, key) for key in ("k1", "k1", "k2", "k2", "k1")]
        assert added == [1, 1, 2, 2, 3]
        assert store.versions(*where) == ["k1", "k2", "k1"]
        assert store.version(*where, 2).key == "k2"
        assert store.campaigns() == [where[0]]
        assert store.observations(where[0]) == [where[1]]
        with pytest.raises(RequestError, match="no version 4"):
            store.version(*where, 4)
        with pytest.raises(RequestError, match="no result k3 is published"):
            store.add_version(*where, "k3")
        assert {finding.state for finding in store.verify(deep=True)} == {"ok"}

    def test_versions_added_at_once_have_each_their_number(self, url: str, tmp_path: Path) -> None:
        store = open_store(url)
        keys = [f"k{i}" for i in range(6)]
        for key in keys:
            store.publish("results", key, folder_of(tmp_path / key, {"x": key.encode()}))
        with ThreadPoolExecutor(6) as pool:
            numbers = list(pool.map(lambda key: open_store(url).add_version("c", "o", key), keys))
        assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
        assert [store.versions("c", "o")[number - 1] for number in numbers] == keys

    def test_names_may_be_anything(self, store: Store, tmp_path: Path) -> None:
        store.publish("results", "k", folder_of(tmp_path / "k", {"x": b"1"}))
        names = ["..", ".", "a/b", "a b", "%41", "=41", "A", "ä", "*?#", "-", "commit.json", "x" * 255]
        for name in names:
            assert store.add_version(name, name, "k") == 1
            store.put_log(name, 1, name)
        assert store.campaigns() == sorted(names)
        assert all(store.observations(name) == [name] and store.log(name, 1) == name for name in names)
        for name in ("", "x" * 256, "ä" * 99, "\ud800"):
            with pytest.raises(RequestError, match=r"give one of 1 to 255 bytes|no Unicode"):
                store.put_log(name, 1, "")

    def test_logs(self, store: Store) -> None:
        assert store.log("job", 1) is None
        assert store.put_log("job", 1, "begun\n") == "logs/job/1.txt"
        store.put_log("job", 1, "begun\nended ☾\n")
        store.put_log("job", 12, "\ud800")
        assert store.log("job", 1) == "begun\nended ☾\n"
        assert store.log("job", 12) == "\\ud800"
        assert store.log("job", 2) is None
        assert (store.logged("job"), store.logged("jo"), store.logged("other")) == ([1, 12], [], [])

    def test_it_goes_to_other_processes(self, store: Store) -> None:
        store.put_log("job", 1, "text")
        again = pickle.loads(pickle.dumps(store))
        assert again.url == store.url
        assert again.log("job", 1) == "text"
        assert open_store(store.url).log("job", 1) == "text"
        assert open_store(store.url, make=False).log("job", 1) == "text"

    def test_there_must_be_one_to_look_into(self, url: str) -> None:
        with pytest.raises(RequestError, match="there is no store"):
            open_store(url, make=False)


PUBLISHER = """
import sys
from cluster.store import open_store
store = open_store(sys.argv[1])
for number in range(100000):
    print(store.publish("results", f"k{number}", sys.argv[2]).key, flush=True)
"""


class LastingStoreContract(StoreContract):
    """Of a store that outlives its processes."""

    @pytest.mark.parametrize("seconds", [0.02, 0.15, 0.4])
    def test_a_process_is_killed(self, seconds: float, store: Store, tmp_path: Path) -> None:
        """What it has acknowledged is there; of what it had not, nothing or all."""
        made = folder_of(tmp_path / "made", RESULT)
        command = [sys.executable, "-c", PUBLISHER, store.url, str(made)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(seconds)
            process.kill()
            acknowledged = {line.strip() for line in [first, *process.stdout] if line.endswith("\n")}
        time.sleep(0.3)  # what a server has heard, it may still do
        there = {commit.key for commit in store.published("results")}
        assert acknowledged <= there
        assert len(there - acknowledged) <= 1
        assert {finding.state for finding in store.verify(deep=True)} <= {"ok", "orphan"}
        store.collect(0.0)
        assert {finding.state for finding in store.verify(deep=True)} == {"ok"}
        assert {commit.key for commit in store.published("results")} == there
