"""A store on a disk: killed at every step, a full disk, damage of every kind."""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cluster.store import Raw, Store, open_store
from cluster.store.local import LocalObjects
from cluster.store.records import Commit, File, Version, Void
from cluster.store.transfer import digest_of
from reduction.errors import DataError, RequestError, ResourceError
from tests.contracts.stores import RESULT, content, folder_of
from tests.fuzzing import COUNT, endure, mutations

STEPS = {"open", "os.link", "os.rename", "os.mkdir", "os.remove", "os.rmdir"}


def killed_at(step: int, work: Callable[[], Any]) -> bool:
    """Run `work` in a process that kills itself before its `step`-th change to a disk; whether it did."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in STEPS:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), 9)

        code = 1
        try:  # whatever happens, the child never comes back into the tests
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(120)
            sys.addaudithook(count)
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in {0, -9}
    return os.WIFSIGNALED(status)


def steps(work: Callable[[int], Any]) -> int:
    """Kill `work` at its first step, at its second, and so on to its end; how many there are."""
    step = 0
    while killed_at(step, partial(work, step)):
        step += 1
        assert step < 500
    return step


def states(store: Store) -> set[str]:
    return {finding.state for finding in store.verify(deep=True)}


def test_killed_at_any_step_of_a_publication(tmp_path: Path) -> None:
    store, made = open_store(tmp_path / "store"), folder_of(tmp_path / "made", RESULT)

    def publish(step: int) -> None:
        open_store(tmp_path / "store").publish("results", f"k{step}", made, 1)

    last = steps(publish)
    assert last > 20
    whole = 0
    for step in range(last + 1):
        found = store.find("results", f"k{step}")
        whole += found is not None
        commit = store.publish("results", f"k{step}", made, 2)
        assert commit.attempt == (1 if found else 2)
        store.fetch("results", f"k{step}", tmp_path / "back" / str(step))
        assert content(tmp_path / "back" / str(step)) == RESULT
    assert 1 <= whole < 12
    assert states(store) == {"ok", "orphan"}
    store.collect(0.0)
    assert states(store) == {"ok"}
    assert not any((tmp_path / "store" / ".partial").iterdir())


def test_killed_at_any_step_of_all_else(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    made = folder_of(tmp_path / "made", RESULT)
    store.publish("results", "k", made)

    def other(step: int) -> None:
        again = open_store(tmp_path / "store")
        (tmp_path / f"raw-{step}").write_bytes(b"%d" % step)
        raw = again.put_raw(tmp_path / f"raw-{step}")
        again.fetch_raw(raw.sha256, tmp_path / f"back-{step}")
        again.fetch("results", "k", tmp_path / f"folder-{step}")
        assert again.add_version("c", f"o{step}", "k") == 1
        again.put_log("job", step, "text")

    last = steps(other)
    for step in range(last + 1):
        assert store.versions("c", f"o{step}") in ([], ["k"])
        assert store.log("job", step) in (None, "text")
        for path in (tmp_path / f"back-{step}",):
            assert not path.exists() or path.read_bytes() == b"%d" % step
        folder = tmp_path / f"folder-{step}"
        assert not folder.exists() or content(folder) == RESULT
    assert states(store) <= {"ok", "orphan"}
    store.collect(0.0)
    assert states(store) == {"ok"}


def test_a_store_whose_beginning_was_cut_off(tmp_path: Path) -> None:
    last = steps(lambda step: open_store(tmp_path / str(step)))
    for step in range(last + 1):
        assert open_store(tmp_path / str(step)).campaigns() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no small disk can be mounted: {error}")
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_nothing_half_visible(small_disk: Path, tmp_path: Path) -> None:
    store = open_store(small_disk / "store")
    fits = folder_of(tmp_path / "fits", {"a": b"a" * 300_000, "b": b"b" * 300_000})
    store.publish("results", "k1", fits)
    too_much = folder_of(tmp_path / "too much", {"a": b"c" * 100_000, "b": b"d" * 600_000})
    with pytest.raises(ResourceError, match=r"No space left on device; make room"):
        store.publish("results", "k2", too_much)
    with pytest.raises(ResourceError, match=r"raw/.*No space left on device"):
        store.put_raw(too_much / "b")
    with pytest.raises(ResourceError, match=r"cannot be written: No space left on device"):
        store.fetch("results", "k1", small_disk / "back")
    assert not (small_disk / "back").exists()
    assert store.find("results", "k2") is None
    assert states(store) == {"ok", "orphan"}
    assert [(lost.objects, lost.size) for lost in store.collect(0.0)] == [(1, 100_000)]
    assert states(store) == {"ok"}
    store.publish("results", "k2", folder_of(tmp_path / "less", {"a": b"e" * 100_000}))
    assert store.fetch("results", "k2", tmp_path / "back").attempt == 1


class Failing:
    """A function of the system whose `at`-th call fails."""

    def __init__(self, real: Callable[..., Any], at: int) -> None:
        self.left, self._real = at, real

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left == -1:
            raise OSError(5, "Input/output error")
        return self._real(*arguments, **named)


@pytest.mark.parametrize("name", ["link", "fsync", "replace"])
def test_every_call_of_the_system_fails_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told of, nothing half is to be seen, and done again it goes."""
    store, made = open_store(tmp_path / "store"), folder_of(tmp_path / "made", RESULT)
    at, failed = 0, True
    while failed:
        failing = Failing(getattr(os, name), at)
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing)
            error = failure(partial(all_kinds_of_writing, store, made, at))
        failed = failing.left < 0
        assert ("Input/output error" in error) == failed
        if store.find("results", f"k{at}") is not None:
            store.fetch("results", f"k{at}", tmp_path / "back" / str(at))
        all_kinds_of_writing(store, made, at)
        at += 1
    assert at > 1
    store.collect(0.0)
    assert states(store) == {"ok"}


def all_kinds_of_writing(store: Store, made: Path, number: int) -> None:
    store.publish("results", f"k{number}", made)
    store.put_log("job", number, "text")
    (made.parent / "raw").write_bytes(b"%d" % number)
    store.put_raw(made.parent / "raw")


def failure(work: Callable[[], object]) -> str:
    """What a lack of resources is said to be; empty where all went well."""
    try:
        work()
    except ResourceError as error:
        return str(error)
    return ""


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A store with one of everything."""
    store = open_store(tmp_path / "store")
    made = folder_of(tmp_path / "made", {"a.csv": b"content of a", "b/c.png": b"content of c"})
    store.publish("results", "k", made)
    store.put_raw(made / "a.csv")
    store.add_version("c", "o", "k")
    store.put_log("job", 1, "text")
    return tmp_path / "store"


DAMAGE: dict[str, tuple[str, Callable[[Path], object], str, bool]] = {
    "a file is gone": ("results/k/*/a.csv", Path.unlink, "missing", False),
    "a file is short": ("results/k/*/a.csv", lambda p: p.write_bytes(b"cont"), "wrong size", False),
    "a file differs": ("results/k/*/b/c.png", lambda p: p.write_bytes(b"content of d"), "wrong digest", True),
    "raw differs": ("raw/*/*", lambda p: p.write_bytes(b"content of d"), "wrong digest", True),
    "the commit is cut": ("results/k/commit.json", lambda p: os.truncate(p, 100), "damaged", False),
    "the commit is empty": ("results/k/commit.json", lambda p: os.truncate(p, 0), "damaged", False),
    "the commit is gone": ("results/k/commit.json", Path.unlink, "missing", False),
    "a version is damaged": ("observations/c/o/1.json", lambda p: p.write_text("{}"), "damaged", False),
    "a version is another's": (
        "observations/c/o/1.json",
        lambda p: p.write_bytes(Version(campaign="c", observation="p", number=1, key="k", when="").encoded()),
        "damaged",
        False,
    ),
    "the mark is damaged": ("store.json", lambda p: p.write_text("[]"), "damaged", False),
    "a stranger": ("results", lambda p: (p / "notes.txt").write_text("x"), "foreign", False),
    "another stranger": ("raw", lambda p: (p / "00").write_text("x"), "foreign", False),
    "a name that is not its digest": ("raw/*/*", lambda p: p.rename(p.with_name("0" * 64)), "foreign", False),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_found(what: str, kept: Path) -> None:
    pattern, damage, state, only_deep = DAMAGE[what]
    store = open_store(kept)
    assert states(store) == {"ok"}
    damage(next(kept.glob(pattern)))
    shallow = {finding.state for finding in store.verify()}
    assert (state in shallow) == (not only_deep)
    assert state in states(store)
    assert all(finding.detail for finding in store.verify(deep=True) if finding.state != "ok")


def test_damage_is_not_handed_out(kept: Path, tmp_path: Path) -> None:
    store = open_store(kept)
    next(kept.glob("results/k/*/a.csv")).write_bytes(b"something else")
    with pytest.raises(DataError, match=r"a\.csv: is damaged: 14 bytes"):
        store.fetch("results", "k", tmp_path / "back")
    next(kept.glob("results/k/*/a.csv")).unlink()
    with pytest.raises(DataError, match=r"a\.csv: is missing, though results k is published"):
        store.fetch("results", "k", tmp_path / "back")
    assert not (tmp_path / "back").exists()
    (kept / "results/k/commit.json").write_bytes(b"\0" * 600)
    for work in (
        lambda: store.find("results", "k"),
        lambda: store.publish("results", "k", tmp_path / "made"),
        lambda: store.add_version("c", "o", "k"),
    ):
        with pytest.raises(DataError, match=r"results/k/commit\.json: damaged"):
            work()


def test_nothing_below_a_damaged_commit_is_collected(kept: Path) -> None:
    os.truncate(kept / "results/k/commit.json", 50)
    assert open_store(kept).collect(0.0) == []
    assert len(list(kept.glob("results/k/*/a.csv"))) == 1


def test_only_what_is_old_is_collected(kept: Path, tmp_path: Path) -> None:
    store = open_store(kept)
    old = folder_of(kept / "results/k/2-0-0123456789abcdef", {"a": b"old", "b": b"also"})
    young = folder_of(kept / "results/new/1-0-0123456789abcdef", {"a": b"old", "b": b"young"})
    for path in (*old.iterdir(), young / "a", next(kept.glob("results/k/1-*/a.csv"))):
        os.utime(path, (1e9, 1e9))
    (kept / ".partial" / "0123").write_bytes(b"cut off")
    names = ["results/k/2-0-0123456789abcdef/"]
    assert [lost.name for lost in store.orphans(3600.0)] == names
    assert [lost.name for lost in store.collect(3600.0, dry_run=True)] == names
    assert old.exists()
    assert [(lost.name, lost.objects, lost.size) for lost in store.collect(3600.0)] == [(names[0], 2, 7)]
    assert not old.exists()
    assert sorted(path.name for path in young.iterdir()) == ["a", "b"]
    assert {lost.name for lost in store.collect(0.0)} == {
        "results/new/1-0-0123456789abcdef/",
        ".partial/0123",
    }
    assert states(store) == {"ok"}


def test_a_recording_that_grows_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, path = open_store(tmp_path / "store"), tmp_path / "growing.ser"
    path.write_bytes(b"1" * 1000)

    def then_grow(path: Path) -> Raw:
        found = digest_of(path)
        with path.open("ab") as file:
            file.write(b"2")
        return found

    monkeypatch.setattr("cluster.store.published.digest_of", then_grow)
    with pytest.raises(DataError, match=r"growing\.ser: changes while it is read"):
        store.put_raw(path)
    monkeypatch.undo()
    folder = folder_of(tmp_path / "made", {"growing.ser": b"1"})
    stage = LocalObjects.stage

    def grow(self: LocalObjects, name: str, parts: Iterator[bytes], size: int) -> None:
        first = next(parts)
        with (folder / "growing.ser").open("ab") as file:
            file.write(b"2")
        stage(self, name, itertools.chain([first], parts), size)

    monkeypatch.setattr(LocalObjects, "stage", grow)
    with pytest.raises(DataError, match=r"growing\.ser: changes while it is read"):
        store.publish("results", "k", folder)
    assert [finding.name for finding in store.verify()] == ["store.json"]


def test_other_hidden_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".queue").mkdir()
    (tmp_path / ".queue" / "jobs.sqlite").write_bytes(b"mine")
    store = open_store(tmp_path)
    assert [finding.name for finding in store.verify()] == ["store.json"]
    assert store.collect(0.0) == []
    assert (tmp_path / ".queue" / "jobs.sqlite").exists()


def test_mutated_inputs_of_records(tmp_path: Path) -> None:
    file = File(name="a/b.csv", size=12, sha256="0" * 64)
    commit = Commit(
        kind="results",
        key="k",
        attempt=1,
        folder="1-0-0123456789abcdef",
        files=(file, file),
        edition="0.1.0",
        when="now",
    )
    version = Version(campaign="c", observation="ä", number=3, key="k", when="now")
    void = Void(token="t", when="now")

    def read(path: Path) -> None:
        data = path.read_bytes()
        for kind in (Commit, Version, Void):
            kind.decoded(data, path.name)

    wholes = [one.encoded() for one in (commit, version, void)]
    assert [Commit.decoded(wholes[0], ""), Version.decoded(wholes[1], "")] == [commit, version]
    outcomes = endure(tmp_path / "record.json", mutations(wholes, COUNT, 400), read, "store records")
    assert outcomes["DataError"] == COUNT  # none is three things at once


@pytest.mark.parametrize(
    "changes",
    [
        {"folder": "../../../etc"},
        {"folder": "1-0-0123456789abcdef/../x"},
        {"files": ({"name": "../passwd", "size": 1, "sha256": "0" * 64},)},
        {"files": ({"name": "/etc/passwd", "size": 1, "sha256": "0" * 64},)},
        {"files": ({"name": "a//b", "size": 1, "sha256": "0" * 64},)},
        {"files": ({"name": "a\0b", "size": 1, "sha256": "0" * 64},)},
        {"files": ({"name": "a", "size": -1, "sha256": "0" * 64},)},
        {"files": ({"name": "a", "size": 1, "sha256": "../" * 20},)},
        {"files": ()},
        {"attempt": -1},
        {"kind": "raw"},
        {"key": ""},
        {"more": 1},
    ],
    ids=lambda changes: str(changes)[:40].replace("\0", "0"),
)
def test_hostile_records_are_refused(changes: dict[str, Any], kept: Path, tmp_path: Path) -> None:
    """Well-formed, with a right digest of themselves, and meant to write elsewhere."""
    path = kept / "results/k/commit.json"
    fields = json.loads(path.read_bytes()) | changes
    fields.pop("record_sha256")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    path.write_text(json.dumps({**fields, "record_sha256": hashlib.sha256(text.encode()).hexdigest()}))
    store = open_store(kept)
    with pytest.raises(DataError, match=r"results/k/commit\.json: damaged"):
        store.fetch("results", "k", tmp_path / "back")
    assert "damaged" in states(store)
    assert not (tmp_path / "back").exists()


def test_a_disk_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ResourceError, match="file system may have no hard links"):
        open_store(tmp_path / "store")


def test_an_attempt_has_a_number(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    with pytest.raises(RequestError, match="attempt -1"):
        store.publish("results", "k", folder_of(tmp_path / "made", RESULT), -1)


def test_a_folder_that_cannot_be_a_name(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    folder = tmp_path / "made"
    folder.mkdir()
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff"))).write_bytes(b"1")
    with pytest.raises(RequestError, match="no Unicode"):
        store.publish("results", "k", folder)
