"""Whatever the order of the steps of publishers, collectors and readers: nothing, or a whole result."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.store.published import ObjectStore
from cluster.store.upkeep import verify
from reduction.errors import ResourceError
from tests.cluster.store.memory import Actor, Killed, MemoryObjects
from tests.contracts import stores
from tests.contracts.stores import StoreContract, content, folder_of

CONTENTS = {
    1: {"lightcurve.csv": b"one", "plots/a.png": b"1", "summary.json": b"{1}"},
    2: {"lightcurve.csv": b"two", "summary.json": b"{2}"},
}
Step = Callable[[], None]


def publisher(kept: dict[str, bytes], folder: Path, attempt: int) -> Callable[[Step], object]:
    return lambda step: ObjectStore(MemoryObjects(kept, step)).publish("results", "k", folder, attempt)


def collector(kept: dict[str, bytes]) -> Callable[[Step], object]:
    def work(step: Step) -> None:
        for _ in range(3):
            ObjectStore(MemoryObjects(kept, step)).collect(0.0)

    return work


def reader(kept: dict[str, bytes], place: Path) -> Callable[[Step], object]:
    """Looks again and again; what it saw, None for nothing."""

    def work(step: Step) -> list[dict[str, bytes] | None]:
        store, seen = ObjectStore(MemoryObjects(kept, step)), []
        for number in range(6):
            commit = store.find("results", "k")
            if commit is not None:
                store.fetch("results", "k", place / str(number))
            seen.append(None if commit is None else content(place / str(number)))
        return seen

    return work


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    order=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=20),
    lives=st.tuples(*[st.none() | st.integers(0, 12)] * 3),
)
def test_two_publishers_a_collector_and_a_reader(
    order: list[tuple[int, int]], lives: tuple[int | None, ...]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        place, kept = Path(name), dict[str, bytes]()
        folders = {number: folder_of(place / f"made-{number}", CONTENTS[number]) for number in CONTENTS}
        actors = [Actor(publisher(kept, folders[n], n), lives[n - 1]) for n in (1, 2)]
        actors += [Actor(collector(kept), lives[2]), Actor(reader(kept, place))]
        for turn, steps in order:
            for _ in range(steps):
                actors[turn].advance()
        for actor in actors:
            actor.finish()
        for actor in actors[:2]:
            assert actor.error is None or isinstance(actor.error, Killed | ResourceError)
        assert actors[2].error is None or isinstance(actors[2].error, Killed)
        assert actors[3].error is None
        _check(kept, actors, place)


def _check(kept: dict[str, bytes], actors: list[Actor], place: Path) -> None:
    """What was seen is whole and stays; what was answered is so; nothing is left over in the end."""
    store = ObjectStore(MemoryObjects(kept))
    commit = store.find("results", "k")
    assert {actor.result for actor in actors[:2] if actor.result is not None} <= {commit}
    seen = [one for one in actors[3].result if one is not None]
    assert actors[3].result[len(actors[3].result) - len(seen) :] == seen  # what is there stays
    if commit is not None:
        assert [CONTENTS[commit.attempt]] * len(seen) == seen
        store.fetch("results", "k", place / "last")
        assert content(place / "last") == CONTENTS[commit.attempt]
    else:
        assert not seen
    store.collect(0.0)
    assert store.find("results", "k") == commit
    assert {finding.state for finding in verify(MemoryObjects(kept), deep=True)} <= {"ok"}


def test_a_publisher_that_slept_while_it_was_collected_starts_over(tmp_path: Path) -> None:
    kept: dict[str, bytes] = {}
    sleeper = Actor(publisher(kept, folder_of(tmp_path / "made", CONTENTS[1]), 1))
    for _ in range(5):  # up to its commit
        sleeper.advance()
    store = ObjectStore(MemoryObjects(kept))
    assert [lost.objects for lost in store.collect(0.0, dry_run=True)] == [3]
    assert len(kept) == 3
    assert [lost.objects for lost in store.collect(0.0)] == [3]
    assert list(kept) == ["results/k/commit.json"]  # void
    sleeper.finish()
    assert sleeper.error is None
    store.fetch("results", "k", tmp_path / "back")
    assert content(tmp_path / "back") == CONTENTS[1]
    assert set(kept) > {"results/k/commit.json", "results/k/commit-1.json"}


def test_who_is_collected_again_and_again_gives_up(tmp_path: Path) -> None:
    kept: dict[str, bytes] = {}
    store = ObjectStore(MemoryObjects(kept))
    folder = folder_of(tmp_path / "made", CONTENTS[2])
    unlucky = Actor(publisher(kept, folder, 1))
    while not unlucky.over:
        unlucky.advance()
        if len(kept) >= 2:
            store.collect(0.0)
    assert isinstance(unlucky.error, ResourceError)
    assert "collected 3 times" in str(unlucky.error)
    assert store.find("results", "k") is None
    assert store.publish("results", "k", folder, 2).attempt == 2


@pytest.mark.parametrize("lives", range(12))
def test_killed_before_any_step(lives: int, tmp_path: Path) -> None:
    kept: dict[str, bytes] = {}
    folder = folder_of(tmp_path / "made", CONTENTS[1])
    killed = Actor(publisher(kept, folder, 1), lives)
    killed.finish()
    store = ObjectStore(MemoryObjects(kept))
    assert (store.find("results", "k") is None) == isinstance(killed.error, Killed)
    assert store.publish("results", "k", folder, 2).attempt == (2 if killed.error else 1)
    store.collect(0.0)
    assert Counter(finding.state for finding in store.verify(deep=True)) == {"ok": 4}


class TestMemoryStore(StoreContract):
    """The twin is a store as well, but that it is gone with its process."""

    @pytest.fixture
    def url(self, monkeypatch: pytest.MonkeyPatch) -> str:
        kept: dict[str, bytes] = {}
        monkeypatch.setattr("cluster.store.opening.objects_at", lambda _: MemoryObjects(kept))
        return "memory"


store = stores.store
