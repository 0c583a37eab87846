"""What happens in a campaign, as everybody who looks on is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from cluster.jobs.job import Failure

Kind = Literal["queued", "started", "done", "failed", "cancelled", "retried", "lost", "released", "paused"]
"""`lost`: another supervisor has the job; `released`: given back to the queue undone."""

WAITS = "waits"
"""Stage of an observation that is handed over, and waits for a worker."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an observation.

    Attributes
    ----------
    job, key : str
        Of the queue, and of the result; empty where there is none.
    attempt : int
    frames : int
    wall_s, cpu_s, reduced_s, reduced_cpu_s : float
        Of the order, and of the reduction alone.
    format, estimated_s : str, float
        As of `cluster.campaign.account.Account`.
    failure : Failure or None
    error : str
        Why it failed or is begun again.
    before : bool
        It had ended before this run.
    known : bool
        The store had the result already, made for another observation or campaign.
    """

    kind: Kind
    station: str
    job: str = ""
    key: str = ""
    attempt: int = 0
    frames: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    failure: Failure | None = None
    error: str = ""
    before: bool = False
    known: bool = False
    reduced_s: float = 0.0
    reduced_cpu_s: float = 0.0
    format: str = ""
    estimated_s: float = 0.0

    @property
    def plain(self) -> dict[str, Any]:
        """Fields that say something."""
        return {"event": self.kind} | {k: v for k, v in asdict(self).items() if k != "kind" and v}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is.

    Attributes
    ----------
    total : int
        Observations that are asked for.
    planned : int
        Whose files have been looked at.
    counts : mapping
        How many have ended, by how.
    running : mapping
        Stations under way, with stage, done, total.
    frames : int
        Reduced by this run, those of recordings under way included.
    seconds : float
        Since it began.
    busy_s, left : float, int
        Seconds since the first recording began, and observations that have not ended.
    workers : int
    ended_here : int
        Observations that this run has reduced, or seen fail.
    starting : bool
        Workers are being started.
    """

    total: int
    planned: int
    counts: Mapping[Kind, int]
    running: Mapping[str, tuple[str, int, int]]
    frames: int
    seconds: float
    busy_s: float
    left: int
    workers: int
    ended_here: int = 0
    starting: bool = False

    @property
    def frames_per_s(self) -> float:
        """Since the first recording began."""
        return self.frames / self.busy_s if self.busy_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds until the end, at the pace so far; None before anything has ended."""
        return self.left * self.busy_s / self.ended_here if self.ended_here else None


class Onlooker(Protocol):
    """Is told what happens."""

    def tell(self, event: Event) -> None:
        """Take an event."""
        ...

    def show(self, progress: Progress) -> None:
        """Take the state of things; called a few times a second."""
        ...

    def close(self) -> None:
        """Let go of the terminal."""
        ...


@dataclass(slots=True)
class Silent:
    """Keeps all events and shows nothing."""

    events: list[Event] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        """Keep it."""
        self.events.append(event)

    def show(self, progress: Progress) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing is held."""
