"""What became of an order."""

import json
from dataclasses import asdict, dataclass

from cluster.store import Kind

KIND: Kind = "results"
"""Of what is published, in the store."""


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

    @property
    def text(self) -> str:
        """The same as JSON."""
        return json.dumps(asdict(self))
