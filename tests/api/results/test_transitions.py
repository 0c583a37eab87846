"""Moves of jobs as the database notes them itself: each once, in an order that is the same for all."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from sqlalchemy import select, text  # noqa: E402 - after the check for the extra

from api.database.migrate import migrate  # noqa: E402
from api.database.tables import new_id, now  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.results.tables import Reduction, Transition  # noqa: E402
from api.results.transitions import BEGINNING, latest, moves, watch_queue  # noqa: E402
from cluster.jobs.database import Database as QueueDatabase  # noqa: E402
from cluster.jobs.job import Order  # noqa: E402
from cluster.jobs.sql import SqlJobStore  # noqa: E402
from tests import postgres  # noqa: E402
from tests.api.access.world import World, make_world  # noqa: E402
from tests.api.results.things import ABSENT, file_of  # noqa: E402


class Queue:
    """A queue beside the service's tables, with reductions of one observation."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        migrate(self.database.engine)
        self.store = SqlJobStore(QueueDatabase(url))
        for _ in range(2):
            watch_queue(self.database.engine)
        self.world: World = make_world(self.database)

    def reductions(self, count: int) -> list[str]:
        things, owner = self.world.strict, self.world.people["owner"].id
        file = file_of(things["observation"], ABSENT)
        self.world.add(file)
        rows = [
            Reduction(
                id=new_id(), campaign=things["campaign"], observation=things["observation"], file=file.id,
                line=0, person=owner, asker=owner, priority=0, request={}, key=ABSENT, created=now(),
            )
            for _ in range(count)
        ]  # fmt: skip
        self.world.add(*rows)
        return [row.id for row in rows]

    def told(self, job: str) -> list[tuple[str, int]]:
        with self.database.reading() as session:
            return [(move.state, move.attempt) for move in moves(session, BEGINNING, job=job)]


@pytest.fixture(params=["sqlite", "postgres"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    with ExitStack() as closing:
        url = f"sqlite:///{tmp_path / 'umbra.sqlite'}"
        if request.param == "postgres":
            require("postgres")
            url = closing.enter_context(postgres.fresh())
        queue = Queue(url)
        closing.callback(queue.database.close)
        closing.callback(queue.store.close)
        yield queue


def test_each_move_once(queue: Queue) -> None:
    first, second = queue.reductions(2)
    for _ in range(2):
        queue.store.submit([Order(first, "{}", "ann"), Order(second, "{}", "ann"), Order("cli", "{}")])
    (claim,) = queue.store.claim("w", 30.0, owned=True)
    assert claim.id == first
    queue.store.renew([claim], 30.0)
    queue.store.fail(claim, "data", "bad", again_after_s=0.0)
    (again,) = queue.store.claim("w", 30.0, jobs=[first], owned=True)
    queue.store.finish(again, "key")
    queue.store.finish(again, "key")
    queue.store.cancel([second])
    queue.store.retry([second])
    assert queue.told(first) == [("queued", 0), ("running", 1), ("queued", 1), ("running", 2), ("done", 2)]
    assert queue.told(second) == [("queued", 0), ("cancelled", 0), ("queued", 0)]
    assert [each.id for each in queue.store.claim("w", 30.0, most=9, owned=True)] == [second]
    with queue.database.reading() as session:
        assert "cli" not in set(session.scalars(select(Transition.job)))
        everything = moves(session, BEGINNING)
        assert latest(session) == everything[-1].position
        for cut in range(len(everything)):
            assert moves(session, everything[cut].position) == everything[cut + 1 :]
        assert moves(session, BEGINNING, most=2) == everything[:2]


def test_nothing_comes_before_what_was_told(queue: Queue) -> None:
    """PostgreSQL: what began before another and commits after it comes after it, or holds it up."""
    slow, quick = queue.reductions(2)
    queue.store.submit([Order(slow, "{}", "ann"), Order(quick, "{}", "ann")])
    if queue.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite writes one at a time")
    heard = []
    position = BEGINNING
    moving = text("UPDATE job SET state = 'held' WHERE id = :id")
    with queue.database.writing() as open_one:
        open_one.execute(moving, {"id": slow})
        with queue.database.writing() as other:
            other.execute(moving, {"id": quick})
        with queue.database.reading() as session:
            for move in moves(session, position):
                heard.append((move.job, move.state))
                position = move.position
    with queue.database.reading() as session:
        heard += [(move.job, move.state) for move in moves(session, position)]
    assert sorted(heard) == sorted([(job, state) for job in (slow, quick) for state in ("queued", "held")])
