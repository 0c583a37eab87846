"""What a queue does, whatever keeps it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from cluster.jobs.job import Attempt, Claim, Failure, Job, Order, State


class JobStore(Protocol):
    """Keeps jobs. What a method has returned survives a power loss.

    At-least-once execution, exactly-once publication: a job whose worker falls silent is begun again, and
    of all that worked on it the latest to claim it alone can end it.
    """

    def submit(self, orders: Iterable[Order]) -> list[bool]:
        """Take jobs, all or none; which of them are new. One that is known stays as it is."""
        ...

    def claim(
        self,
        worker: str,
        lease_s: float,
        most: int = 1,
        jobs: Sequence[str] | None = None,
        owned: bool = False,
    ) -> list[Claim]:
        """Take up to `most` jobs to do: highest priority, then the owner served least, then the oldest.

        Where `jobs` are given, none but these; only the first 500 are looked at. With `owned`, none but
        those of an owner.
        """
        ...

    def renew(self, claims: Sequence[Claim], lease_s: float) -> Mapping[str, bool]:
        """Keep jobs for longer. By job: True where it is to be stopped; a job that was lost is not there."""
        ...

    def finish(self, claim: Claim, result: str, log: str | None = None) -> None:
        """Publish a result and end the job, in one step. Raises `FencedError`."""
        ...

    def fail(
        self,
        claim: Claim,
        failure: Failure,
        error: str,
        log: str | None = None,
        again_after_s: float | None = None,
    ) -> None:
        """End the job as failed, or queue it again in some seconds. Raises `FencedError`."""
        ...

    def release(self, claim: Claim, log: str | None = None) -> None:
        """Give a job back: queued again, or cancelled where that was asked. Raises `FencedError`."""
        ...

    def expire(self, most_deaths: int) -> list[str]:
        """Queue again the jobs whose workers fell silent; fail those that saw as many die; all their ids."""
        ...

    def get(self, job: str) -> Job:
        """Return a job. Raises `KeyError` without one."""
        ...

    def jobs(
        self,
        campaign: str | None = None,
        states: Sequence[State] = (),
        after: int = 0,
        limit: int = 1000,
    ) -> list[Job]:
        """Jobs by place, those after place `after`."""
        ...

    def counts(self, campaign: str | None = None) -> dict[State, int]:
        """How many jobs are in each state that has any."""
        ...

    def attempts(self, job: str) -> list[Attempt]:
        """Every time a job was begun."""
        ...

    def cancel(self, jobs: Sequence[str] | None = None, campaign: str | None = None) -> int:
        """Cancel what has not ended: at once what waits, at its next renewal what runs; how many."""
        ...

    def retry(self, jobs: Sequence[str] | None = None, campaign: str | None = None) -> list[str]:
        """Queue failed and cancelled jobs again, in their old places; their ids."""
        ...

    def redo(self, jobs: Sequence[str]) -> list[str]:
        """Queue done jobs again whose results are gone, in their old places; their ids."""
        ...

    def hold(self, campaign: str) -> int:
        """Let nothing more of a campaign begin; how many jobs wait for `resume`."""
        ...

    def resume(self, campaign: str) -> int:
        """Release what `hold` held; how many."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
