"""Jobs as everybody but the database sees them: frozen records."""

from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["queued", "held", "running", "done", "failed", "cancelled"]
"""`held`: queued, and not to be begun until it is released."""

Failure = Literal["data", "request", "resource", "crash"]
"""Why a job failed: its data, what was asked for, something missing here, or workers that died."""

STATES: tuple[State, ...] = get_args(State)
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Order:
    """A job to be done.

    Attributes
    ----------
    id : str
        Key of the result it makes: the same again is the same job.
    payload : str
        What is to be done, JSON; the queue does not look into it.
    owner : str
        Who asks; the queue is fair between owners.
    campaign : str
        What it belongs to, empty for none.
    priority : int
        Higher ones go first.
    """

    id: str
    payload: str
    owner: str = ""
    campaign: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A job and what has become of it. Instants are POSIX seconds of the database's clock.

    Attributes
    ----------
    place : int
        Its place in the order of submission; retrying keeps it.
    attempts : int
        How often it was begun.
    deaths : int
        How often a worker fell silent while it had this job, since it was submitted or retried.
    cancelling : bool
        It runs, and its worker has been asked to stop.
    result : str or None
        Where the published result is.
    """

    id: str
    place: int
    payload: str
    owner: str
    campaign: str
    priority: int
    state: State
    submitted: float
    started: float | None
    finished: float | None
    attempts: int
    deaths: int
    worker: str | None
    cancelling: bool
    result: str | None
    failure: Failure | None
    error: str | None

    @property
    def ended(self) -> bool:
        """Whether it will not change by itself."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that a worker has taken, until `until` unless it renews.

    `attempt` rises with every claim of the job: the fencing token, by which who had it before is refused.
    """

    id: str
    payload: str
    owner: str
    campaign: str
    attempt: int
    until: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time a job was begun; `outcome` is empty while it runs.

    Attributes
    ----------
    outcome : str
        ``done``, ``failed``, ``cancelled``, ``released`` (given back) or ``died`` (its worker fell silent).
    log : str or None
        Where its log is kept.
    """

    job: str
    number: int
    worker: str
    started: float
    finished: float | None
    outcome: str
    error: str | None
    log: str | None


class FencedError(Exception):
    """The job has gone to another worker, or has ended: what this one did must not be published."""
