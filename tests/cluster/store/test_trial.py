"""`umbra store check`: servers that do not what a store relies on are found, and nothing is left there."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from cluster.store import open_store
from cluster.store.cli import store as run
from cluster.store.objects import Entry
from cluster.store.trial import LARGE, Trial
from tests.cluster.store.memory import MemoryObjects


def bad(objects: MemoryObjects) -> list[str]:
    """What went wrong; nothing may be left."""
    outcomes = list(Trial(objects).run())
    assert len(outcomes) == 6
    assert not objects.kept
    return [f"{outcome.what}: {outcome.seen}" for outcome in outcomes if outcome.seen]


def test_a_sound_place() -> None:
    assert bad(MemoryObjects({})) == []


def test_conditions_are_ignored() -> None:
    class Ignoring(MemoryObjects):
        def create(self, name: str, data: bytes, after: Sequence[str] = ()) -> bool:
            del after
            self.put(name, data)
            return True

    first, second = bad(Ignoring({}))
    assert first.endswith("the second was accepted: the condition If-None-Match is ignored")
    assert second.endswith("8 were told that they created it: results could be published twice")


def test_conditions_hold_for_one_at_a_time_only() -> None:
    class Racing(MemoryObjects):
        def create(self, name: str, data: bytes, after: Sequence[str] = ()) -> bool:
            del after
            free = name not in self.kept
            time.sleep(0.01)
            if free:
                self.put(name, data)
            return free or self.kept[name] == data

    (only,) = bad(Racing({}))
    assert "were told that they created it" in only


def test_the_wrong_one_is_told() -> None:
    class Confused(MemoryObjects):
        lock = threading.Lock()

        def create(self, name: str, data: bytes, after: Sequence[str] = ()) -> bool:
            del after
            with self.lock:
                new = name not in self.kept
                self.kept[name] = data
                return new

    first, second = bad(Confused({}))
    assert first.endswith("the second was refused, and yet it holds b'second'")
    assert "was told that it created it, and it holds that of" in second


def test_old_states_short_lists_and_what_does_not_go() -> None:
    class Stale(MemoryObjects):
        def put(self, name: str, data: bytes) -> None:
            self.kept.setdefault(name, data)

    class Short(MemoryObjects):
        def upload(self, name: str, parts: Iterator[bytes], size: int) -> None:
            del size
            super().put(name, b"".join(parts)[:-1])

        def size(self, name: str) -> int | None:
            return LARGE if name in self.kept else None

        def entries(self, prefix: str) -> Iterator[Entry]:
            found = list(super().entries(prefix))
            return iter(found if not prefix.endswith("list/") else found[:-1])

    class Keeping(MemoryObjects):
        asked = 0

        def delete(self, names: Iterable[str]) -> None:
            self.asked += 1
            if self.asked > 2:
                super().delete(names)

    assert bad(Stale({})) == ["what was replaced is seen at once: an older state came back"]
    assert [line.split(": ")[1].split(",")[0] for line in bad(Short({}))] == ["other bytes came back", "a-"]
    (kept,) = bad(Keeping({}))
    assert kept.endswith("can be read still")


def test_on_a_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_store(tmp_path / "store").put_log("job", 1, "text")
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert run(["check", str(tmp_path / "store")]) == 0
    assert [line[:3] for line in capsys.readouterr().out.splitlines()] == ["ok "] * 6
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before


def test_what_it_says(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Stale(MemoryObjects):
        def put(self, name: str, data: bytes) -> None:
            self.kept.setdefault(name, data)

    monkeypatch.setattr("cluster.store.cli.objects_at", lambda _: Stale({}))
    assert run(["check", "memory"]) == 4
    out, err = capsys.readouterr()
    assert "BAD  what was replaced is seen at once: an older state came back" in out
    assert "memory: 1 of 6 things that a store relies on went wrong" in err
    assert run(["check", "memory", "--json"]) == 4
    assert '{"what": "what was replaced is seen at once", "seen": "an older' in capsys.readouterr().out
