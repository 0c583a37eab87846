"""What recordings took before, by format, against what the estimate said: it corrects the next estimate."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.campaign.events import Event, Onlooker, Progress
from cluster.edition import edition
from ingest.durable import put
from reduction.errors import ResourceError

FILE = "costs.json"
FORM = "umbra-costs-1"
FEW = 3
"""Recordings of a format until they say more than the benches do."""

MANY = 200.0
"""Recordings that are remembered: older ones count less and less, as machines change."""


@dataclass(slots=True)
class Cost:
    """Recordings of a format: how many, and their processor time as estimated and as measured, seconds."""

    recordings: float = 0.0
    estimated_s: float = 0.0
    measured_s: float = 0.0

    def add(self, estimated_s: float, measured_s: float) -> None:
        """Take a recording into account."""
        if self.recordings >= MANY:
            share = 1.0 - 1.0 / MANY
            self.recordings, self.estimated_s, self.measured_s = (
                share * value for value in (self.recordings, self.estimated_s, self.measured_s)
            )
        self.recordings += 1.0
        self.estimated_s += estimated_s
        self.measured_s += measured_s


@dataclass(slots=True)
class Costs:
    """What recordings took, by format.

    Attributes
    ----------
    path : Path or None
        Where it is remembered.
    """

    path: Path | None = None
    formats: dict[str, Cost] = field(default_factory=dict)

    def add(self, kind: str, estimated_s: float, measured_s: float) -> None:
        """Take a recording into account."""
        self.formats.setdefault(kind, Cost()).add(estimated_s, measured_s)

    def factor(self, kind: str) -> float:
        """By how much the estimate of a format is to be corrected; 1 where too little is known."""
        cost = self.formats.get(kind)
        if cost is None or cost.recordings < FEW or cost.estimated_s <= 0.0:
            return 1.0
        return cost.measured_s / cost.estimated_s

    @property
    def recordings(self) -> int:
        """Recordings that factors other than 1 rest on."""
        return sum(round(cost.recordings) for cost in self.formats.values() if cost.recordings >= FEW)

    def keep(self) -> None:
        """Remember it.

        Raises
        ------
        ResourceError
            It cannot be written.
        """
        if self.path is None:
            return
        kinds = {
            kind: [cost.recordings, cost.estimated_s, cost.measured_s] for kind, cost in self.formats.items()
        }
        content = {"form": FORM, "edition": edition(), "formats": kinds}
        try:
            put(self.path, [json.dumps(content, indent=1, sort_keys=True).encode()], False)
        except OSError as error:
            raise ResourceError(f"{self.path}: cannot be written: {error.strerror or error}") from error


def read_costs(folder: Path | None) -> Costs:
    """What is remembered in a folder; nothing where it is of another edition, or damaged: it is made anew."""
    if folder is None:
        return Costs()
    costs = Costs(folder / FILE)
    try:
        content: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if (content["form"], content["edition"]) == (FORM, edition()):
            costs.formats = {
                str(kind): Cost(*(float(value) for value in cost))
                for kind, cost in content["formats"].items()
                if all(0.0 <= float(value) < math.inf for value in cost)
            }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        costs.formats = {}
    return costs


class Learning:
    """Looks on for another, and takes each recording that was reduced into account.

    Parameters
    ----------
    onlooker : Onlooker
        Is told the same.
    costs : Costs
        Kept by `close`.
    """

    def __init__(self, onlooker: Onlooker, costs: Costs) -> None:
        self._onlooker, self._costs, self._more = onlooker, costs, False

    def tell(self, event: Event) -> None:
        """Take an event."""
        if event.kind == "done" and event.format:
            self._costs.add(event.format, event.estimated_s, event.reduced_cpu_s)
            self._more = True
        self._onlooker.tell(event)

    def show(self, progress: Progress) -> None:
        """Pass on the state of things."""
        self._onlooker.show(progress)

    def close(self) -> None:
        """Remember what was learned, and let go of the terminal."""
        self._onlooker.close()
        if self._more:
            self._costs.keep()
