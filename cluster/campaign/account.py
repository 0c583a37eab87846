"""What became of an order."""

import json
from dataclasses import asdict, dataclass

from cluster.campaign.events import Event
from cluster.jobs.job import Claim, Failure
from cluster.stopping import DiedError
from cluster.store import Kind
from reduction.errors import DataError, RequestError, ResourceError, UmbraError

KIND: Kind = "results"
"""Of what is published, in the store."""

TOLD = (
    "frames", "wall_s", "cpu_s", "known", "reduced_s", "reduced_cpu_s", "format", "estimated_s",
)  # fmt: skip
"""What an `Account` and its `Event` both have."""


@dataclass(frozen=True, slots=True)
class Account:
    """What became of an order.

    Attributes
    ----------
    result : str
        Key of the published result.
    frames : int
    wall_s, cpu_s : float
        Of the whole order; `cpu_s` is the process's.
    reduced_s, reduced_cpu_s : float
        Of the reduction alone.
    format : str
        Of the recording, as estimates know it; empty where its processor time tells nothing for others.
    estimated_s : float
        Processor time that the estimate would have said, uncorrected.
    log : str or None
        Where the attempt's log is kept.
    known : bool
        The store had the result; nothing was reduced.
    """

    result: str
    frames: int
    wall_s: float
    cpu_s: float
    log: str | None
    known: bool = False
    reduced_s: float = 0.0
    reduced_cpu_s: float = 0.0
    format: str = ""
    estimated_s: float = 0.0

    @property
    def text(self) -> str:
        """The same as JSON."""
        return json.dumps(asdict(self))


def done_event(account: Account, station: str, claim: Claim) -> Event:
    """What everybody who looks on is told of an order that is done."""
    told = {name: getattr(account, name) for name in TOLD}
    return Event("done", station, claim.id, account.result, claim.attempt, **told)


def failure_of(error: BaseException) -> Failure:
    """What kind of failure an error is; any that Umbra does not explain is a crash."""
    if isinstance(error, DiedError):
        return "crash"
    kinds: tuple[tuple[type[UmbraError], Failure], ...] = (
        (DataError, "data"), (RequestError, "request"), (ResourceError, "resource"),
    )  # fmt: skip
    return next((failure for kind, failure in kinds if isinstance(error, kind)), "crash")
