"""Listeners to what happens to jobs: one reader of the database for all of them."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool

from api.database.transactions import Database
from api.results.tables import Reduction
from api.results.transitions import BEGINNING, MOST, Moved, Position, latest, moves
from cluster.jobs.job import ENDED
from cluster.jobs.tables import JobRow
from reduction.errors import ResourceError

TURN_S = 0.4
RECENT = 20_000
"""Moves that are remembered; a listener further behind reads the database."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A job, or a batch."""

    job: str | None = None
    batch: str | None = None

    def has(self, move: Moved) -> bool:
        """Whether a move is of it."""
        return move.job == self.job if self.job is not None else move.batch == self.batch


class Following:
    """Tells listeners what happens, in its order, each move once. Reads only while anybody listens.

    Parameters
    ----------
    database : Database
    stopping : threading.Event
        Set when the service is to end: then all streams end.
    """

    def __init__(self, database: Database, stopping: threading.Event) -> None:
        self._database, self._stopping = database, stopping
        self._recent: deque[Moved] = deque()
        self._floor: Position = BEGINNING  # `_recent` has all that came after it
        self._read: Position = BEGINNING
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None
        self._turned = asyncio.Event()
        self._open: dict[str, asyncio.Task[int]] = {}
        self._starting: asyncio.Lock | None = None

    async def follow(self, topic: Topic, after: Position) -> AsyncIterator[Moved]:
        """What happened to a topic after a position and what happens, until all of it has ended."""
        await self._enter()
        try:
            seen, first = after, True
            while not self._stopping.is_set():
                turned, read, floor = self._turned, self._read, self._floor
                if seen >= floor:
                    found = self._remembered(topic, seen)
                    whole, reached = True, read
                else:
                    found = await run_in_threadpool(self._kept, topic, seen)
                    whole = len(found) < MOST
                    reached = max(read, seen) if whole else seen
                    if found:
                        reached = max(reached, found[-1].position) if whole else found[-1].position
                for move in found:
                    yield move
                seen = max(seen, reached)
                if not whole:
                    continue
                if await self._over(topic, found, first):
                    return
                first = False
                await turned.wait()
        finally:
            self._listeners -= 1

    async def ended(self, job: str, seconds: float) -> None:
        """Wait until a job has ended, at most so long."""

        async def wait() -> None:
            async for _ in self.follow(Topic(job=job), BEGINNING):
                pass

        try:
            async with asyncio.timeout(seconds):
                await wait()
        except TimeoutError:
            return

    async def _enter(self) -> None:
        """Count a listener; begin to read where nobody does."""
        self._listeners += 1
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self._task is None or self._task.done():
                self._recent.clear()
                self._open.clear()
                self._read = self._floor = await run_in_threadpool(self._latest)
                self._task = asyncio.get_running_loop().create_task(self._reading())

    async def _reading(self) -> None:
        """Read what is new, turn by turn, while anybody listens."""
        while self._listeners and not self._stopping.is_set():
            try:
                found = await run_in_threadpool(self._new, self._read)
            except ResourceError:
                found = []  # the database is away; listeners wait with us
            for move in found:
                self._recent.append(move)
                self._read = move.position
                if move.batch is not None:
                    self._open.pop(move.batch, None)
            while len(self._recent) > RECENT:
                self._floor = self._recent.popleft().position
            if found:
                self._wake()
            if len(found) < MOST:
                await asyncio.sleep(TURN_S)
        self._wake()

    def _wake(self) -> None:
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    def _remembered(self, topic: Topic, seen: Position) -> list[Moved]:
        found: list[Moved] = []
        for move in reversed(self._recent):
            if move.position <= seen:
                break
            if topic.has(move):
                found.append(move)
        return found[::-1]

    async def _over(self, topic: Topic, found: list[Moved], first: bool) -> bool:
        """Whether nothing more is to be told of a topic; looked up at first, and where a batch has moved."""
        if topic.job is not None:
            if found:
                return found[-1].ended
            return first and await run_in_threadpool(self._left, topic) == 0
        if not found and not first:
            return False
        assert topic.batch is not None
        looking = self._open.get(topic.batch)
        if looking is None:  # once for all who listen to it
            looking = asyncio.get_running_loop().create_task(run_in_threadpool(self._left, topic))
            self._open[topic.batch] = looking
        return await asyncio.shield(looking) == 0

    def _left(self, topic: Topic) -> int:
        """How many jobs of a topic have not ended; those that the queue does not have yet, too."""
        of = Reduction.id == topic.job if topic.job is not None else Reduction.batch == topic.batch
        rows = (
            select(func.count())
            .select_from(Reduction)
            .outerjoin(JobRow, JobRow.id == Reduction.id)
            .where(of, JobRow.state.is_(None) | JobRow.state.not_in(ENDED))
        )
        with self._database.reading() as session:
            return session.scalars(rows).one()

    def _latest(self) -> Position:
        with self._database.reading() as session:
            return latest(session)

    def _new(self, after: Position) -> list[Moved]:
        with self._database.reading() as session:
            return moves(session, after)

    def _kept(self, topic: Topic, after: Position) -> list[Moved]:
        with self._database.reading() as session:
            return moves(session, after, topic.job, topic.batch)
