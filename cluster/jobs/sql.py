"""The queue in a database."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update
from sqlalchemy.dialects import sqlite

from cluster.jobs.claiming import taken
from cluster.jobs.database import Database
from cluster.jobs.job import STATES, Attempt, Claim, Failure, FencedError, Job, Order, State
from cluster.jobs.tables import AttemptRow, JobRow, OwnerRow

ROWS = 500
"""Rows of one statement."""
WAITING = ("queued", "held")
JOB = tuple(getattr(JobRow, name) for name in Job.__slots__)
ATTEMPT = tuple(getattr(AttemptRow, name) for name in Attempt.__slots__)


class SqlJobStore:
    """The queue of `cluster.jobs.store.JobStore`, in SQLite or PostgreSQL. Safe for threads.

    Every method raises `ResourceError` where the database cannot be reached.

    Parameters
    ----------
    database : Database
        Closed by `close`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, orders: Iterable[Order]) -> list[bool]:
        """Take jobs, all or none; which of them are new. One that is known stays as it is."""
        asked = list(orders)

        def work(connection: Connection) -> list[bool]:
            now = self._database.now(connection)
            new: set[str] = set()
            for start in range(0, len(asked), ROWS):
                part = asked[start : start + ROWS]
                self._level(connection, sorted({order.owner for order in part}))
                rows = [_row(order, now) for order in part]
                adding = self._insert(JobRow).on_conflict_do_nothing(index_elements=["id"])
                new |= set(connection.execute(adding.returning(JobRow.id), rows).scalars())
            first = {order.id: number for number, order in reversed(list(enumerate(asked)))}
            return [order.id in new and first[order.id] == number for number, order in enumerate(asked)]

        return self._database.write(work)

    def _insert(self, table: Any) -> Any:
        """An insertion that may say what is to be done where the row is there already."""
        if self._database.sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # a tenth of a second to import

        return postgresql.insert(table)

    def _level(self, connection: Connection, owners: Sequence[str]) -> None:
        """Let owners of whom nothing waits begin level with the least served of those who wait."""
        waits = select(JobRow.place).where(JobRow.state == "queued", JobRow.owner == OwnerRow.owner).exists()
        least = connection.execute(select(func.min(OwnerRow.served)).where(waits)).scalar()
        if least is None:
            least = connection.execute(select(func.max(OwnerRow.served))).scalar() or 0
        rows = [{"owner": owner, "served": least} for owner in owners]
        adding = self._insert(OwnerRow).values(rows)
        connection.execute(adding.on_conflict_do_nothing(index_elements=["owner"]))
        behind = (OwnerRow.owner.in_(owners), OwnerRow.served < least, ~waits)
        connection.execute(update(OwnerRow).where(*behind).values(served=least))

    def claim(
        self,
        worker: str,
        lease_s: float,
        most: int = 1,
        jobs: Sequence[str] | None = None,
        owned: bool = False,
    ) -> list[Claim]:
        """Take up to `most` jobs to do: highest priority, then the owner served least, then the oldest.

        Where `jobs` are given, at most `ROWS`, none but these; with `owned` none but those of an owner.
        """
        only = None if jobs is None else jobs[:ROWS]

        def work(connection: Connection) -> list[Claim]:
            return taken(connection, self._database.now(connection), worker, lease_s, most, only, owned)

        return self._database.write(work)

    def renew(self, claims: Sequence[Claim], lease_s: float) -> Mapping[str, bool]:
        """Keep jobs for longer. By job: True where it is to be stopped; a job that was lost is not there."""
        held = {claim.id: claim.attempt for claim in sorted(claims, key=lambda claim: claim.id)}
        mine = (
            JobRow.id == bindparam("of"),
            JobRow.state == "running",
            JobRow.attempts == bindparam("token"),
        )
        longer = update(JobRow).where(*mine).values(until=bindparam("later"))

        def work(connection: Connection) -> dict[str, bool]:
            until = self._database.now(connection) + lease_s
            rows = [{"of": job, "token": attempt, "later": until} for job, attempt in held.items()]
            connection.execute(longer, rows)
            kept: dict[str, bool] = {}
            for (which,) in _parts(list(held), None):
                running = select(JobRow.id, JobRow.attempts, JobRow.cancelling)
                found = connection.execute(running.where(which, JobRow.state == "running")).all()
                kept |= {row.id: bool(row.cancelling) for row in found if row.attempts == held[row.id]}
            return kept

        return self._database.write(work) if held else {}

    def finish(self, claim: Claim, result: str, log: str | None = None) -> None:
        """Publish a result and end the job, in one step. Raises `FencedError`."""
        self._end(claim, "done", {"state": "done", "result": result}, None, log)

    def fail(
        self,
        claim: Claim,
        failure: Failure,
        error: str,
        log: str | None = None,
        again_after_s: float | None = None,
    ) -> None:
        """End the job as failed, or queue it again in some seconds. Raises `FencedError`."""
        if again_after_s is None:
            changes = {"state": "failed", "failure": failure, "error": error}
            self._end(claim, "failed", changes, error, log)
        else:
            self._end(claim, "failed", {"state": "queued"}, error, log, again_after_s)

    def release(self, claim: Claim, log: str | None = None) -> None:
        """Give a job back: queued again, or cancelled where that was asked. Raises `FencedError`."""
        self._end(claim, "released", {"state": "queued"}, None, log)

    def _end(
        self,
        claim: Claim,
        outcome: str,
        changes: dict[str, Any],
        error: str | None,
        log: str | None,
        wait_s: float = 0.0,
    ) -> None:
        """End an attempt. The same again, where the answer to the first was lost, changes nothing."""

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            holding = select(JobRow.cancelling).where(*_held_by(claim)).with_for_update()
            cancelling = connection.execute(holding).scalar()
            if cancelling is None:
                self._was_ended_so(connection, claim, outcome, changes)
                return
            new, how = dict(changes), outcome
            if cancelling and new["state"] == "queued":
                new, how = {"state": "cancelled"}, "cancelled"
            ended = new["state"] != "queued"
            new |= {"until": None, "worker": None, "cancelling": False, "not_before": now + wait_s}
            new |= {"finished": now if ended else None}
            connection.execute(update(JobRow).where(JobRow.id == claim.id).values(**new))
            _close_attempt(connection, claim.id, claim.attempt, now, how, error, log)

        self._database.write(work)

    def _was_ended_so(
        self, connection: Connection, claim: Claim, outcome: str, changes: dict[str, Any]
    ) -> None:
        """Raise `FencedError` unless this very attempt was ended in this very way before."""
        key = (AttemptRow.job == claim.id, AttemptRow.number == claim.attempt)
        before = connection.execute(select(AttemptRow.outcome).where(*key)).scalar()
        result = connection.execute(select(JobRow.result).where(JobRow.id == claim.id)).scalar()
        same = before == outcome or (outcome in {"released", "failed"} and before == "cancelled")
        if not same or (outcome == "done" and result != changes["result"]):
            raise FencedError(
                f"job {claim.id}: attempt {claim.attempt} is {before or 'not'} over and may not end it"
            )

    def expire(self, most_deaths: int) -> list[str]:
        """Queue again the jobs whose workers fell silent; fail those that saw as many die; all their ids."""

        def work(connection: Connection) -> list[str]:
            now = self._database.now(connection)
            silent = select(JobRow.id, JobRow.attempts, JobRow.deaths, JobRow.cancelling, JobRow.worker)
            silent = silent.where(JobRow.state == "running", JobRow.until < now).order_by(JobRow.place)
            found = connection.execute(silent.with_for_update(skip_locked=True)).all()
            for row in found:
                new: dict[str, Any] = {"state": "queued", "finished": None}
                if row.cancelling:
                    new = {"state": "cancelled", "finished": now}
                elif row.deaths + 1 >= most_deaths:
                    error = (
                        f"{row.deaths + 1} workers fell silent over it, the last was {row.worker}: killed, "
                        "out of memory, or cut off"
                    )
                    new = {"state": "failed", "failure": "crash", "error": error, "finished": now}
                new |= {"deaths": row.deaths + 1, "until": None, "worker": None, "cancelling": False}
                connection.execute(update(JobRow).where(JobRow.id == row.id).values(**new))
                _close_attempt(connection, row.id, row.attempts, now, "died", None, None)
            return [row.id for row in found]

        return self._database.write(work)

    def get(self, job: str) -> Job:
        """Return a job. Raises `KeyError` without one."""
        one = select(*JOB).where(JobRow.id == job)
        row = self._database.read(lambda connection: connection.execute(one).one_or_none())
        if row is None:
            raise KeyError(job)
        return Job(*row)

    def jobs(
        self,
        campaign: str | None = None,
        states: Sequence[State] = (),
        after: int = 0,
        limit: int = 1000,
    ) -> list[Job]:
        """Jobs by place, those after place `after`."""
        some = select(*JOB).where(JobRow.place > after, *_of(campaign))
        if states:
            some = some.where(JobRow.state.in_(states))
        some = some.order_by(JobRow.place).limit(limit)
        return [Job(*row) for row in self._database.read(lambda connection: connection.execute(some).all())]

    def counts(self, campaign: str | None = None) -> dict[State, int]:
        """How many jobs are in each state that has any."""
        sums = select(JobRow.state, func.count()).where(*_of(campaign)).group_by(JobRow.state)
        found: dict[str, int] = dict(self._database.read(lambda c: [(r[0], r[1]) for r in c.execute(sums)]))
        return {state: found[state] for state in STATES if state in found}

    def attempts(self, job: str) -> list[Attempt]:
        """Every time a job was begun."""
        every = select(*ATTEMPT).where(AttemptRow.job == job).order_by(AttemptRow.number)
        return [
            Attempt(*row) for row in self._database.read(lambda connection: connection.execute(every).all())
        ]

    def cancel(self, jobs: Sequence[str] | None = None, campaign: str | None = None) -> int:
        """Cancel what has not ended: at once what waits, at its next renewal what runs; how many."""

        def work(connection: Connection) -> int:
            now, count = self._database.now(connection), 0
            for which in _parts(jobs, campaign):
                waiting = update(JobRow).where(*which, JobRow.state.in_(WAITING))
                count += connection.execute(waiting.values(state="cancelled", finished=now)).rowcount
                running = update(JobRow).where(*which, JobRow.state == "running", ~JobRow.cancelling)
                count += connection.execute(running.values(cancelling=True)).rowcount
            return count

        return self._database.write(work)

    def retry(self, jobs: Sequence[str] | None = None, campaign: str | None = None) -> list[str]:
        """Queue failed and cancelled jobs again, in their old places; their ids."""
        return self._again(_parts(jobs, campaign), ("failed", "cancelled"))

    def redo(self, jobs: Sequence[str]) -> list[str]:
        """Queue done jobs again whose results are gone, in their old places; their ids."""
        return self._again(_parts(jobs, None), ("done",))

    def _again(self, parts: Sequence[tuple[ColumnElement[bool], ...]], states: Sequence[State]) -> list[str]:
        anew = {"state": "queued", "result": None, "failure": None, "error": None, "finished": None}

        def work(connection: Connection) -> list[str]:
            ids: list[str] = []
            for which in parts:
                again = update(JobRow).where(*which, JobRow.state.in_(states))
                done = again.values(**anew, deaths=0, not_before=0.0).returning(JobRow.id)
                ids += connection.execute(done).scalars()
            return ids

        return self._database.write(work)

    def hold(self, campaign: str) -> int:
        """Let nothing more of a campaign begin; how many jobs wait for `resume`."""
        return self._move(campaign, "queued", "held")

    def resume(self, campaign: str) -> int:
        """Release what `hold` held; how many."""
        return self._move(campaign, "held", "queued")

    def _move(self, campaign: str, old: State, new: State) -> int:
        moving = update(JobRow).where(JobRow.campaign == campaign, JobRow.state == old).values(state=new)
        return self._database.write(lambda connection: connection.execute(moving).rowcount)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def _row(order: Order, now: float) -> dict[str, Any]:
    return {
        "id": order.id,
        "payload": order.payload,
        "owner": order.owner,
        "campaign": order.campaign,
        "priority": order.priority,
        "state": "queued",
        "submitted": now,
    }


def _held_by(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """A job that is still with its claim."""
    return JobRow.id == claim.id, JobRow.state == "running", JobRow.attempts == claim.attempt


def _of(campaign: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if campaign is None else (JobRow.campaign == campaign,)


def _parts(jobs: Sequence[str] | None, campaign: str | None) -> list[tuple[ColumnElement[bool], ...]]:
    """Conditions on jobs, some hundred ids in each."""
    if jobs is None:
        return [_of(campaign)]
    return [
        (JobRow.id.in_(jobs[start : start + ROWS]), *_of(campaign)) for start in range(0, len(jobs), ROWS)
    ]


def _close_attempt(
    connection: Connection,
    job: str,
    number: int,
    now: float,
    outcome: str,
    error: str | None,
    log: str | None,
) -> None:
    one = update(AttemptRow).where(AttemptRow.job == job, AttemptRow.number == number)
    connection.execute(one.values(finished=now, outcome=outcome, error=error, log=log))
