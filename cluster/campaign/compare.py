"""What changed between two versions of a campaign, observation by observation."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cluster.campaign.outcomes import Outcome

Change = Literal["same", "within errors", "changed", "new", "gone"]
"""`same`: the same result; `within errors`: another one that says nothing else."""

MOST_SIGMA = 1.0
"""D and R that differ by more than this many of their own errors have changed; of one recording's noise that
both reductions share, an honest change is far smaller."""

WORSE_SCATTER = 1.1
GRADES = {"good": 0, "caution": 1, "bad": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """An observation in both; None where one lacks it."""

    station: str
    old: Outcome | None
    new: Outcome | None

    @property
    def change(self) -> Change:
        """How much differs."""
        if self.old is None:
            return "new"
        if self.new is None:
            return "gone"
        if self.old.key == self.new.key:
            return "same"
        return "changed" if self.reasons else "within errors"

    @property
    def reasons(self) -> list[str]:
        """What differs, in words; empty where nothing does that matters."""
        old, new = self.old, self.new
        if old is None or new is None or old.key == new.key:
            return []
        found = []
        if old.status != new.status:
            found.append(f"event {old.status or 'not searched'} → {new.status or 'not searched'}")
        for name in ("d", "r"):
            moved = self.moved_s(name)
            sigmas = self.moved_sigma(name)
            if moved is not None and sigmas is not None and abs(sigmas) > MOST_SIGMA:
                found.append(f"{name.upper()} {moved:+.4f} s ({sigmas:+.1f} sigma)")
            elif (old.edge(name) is None) != (new.edge(name) is None):
                found.append(f"{name.upper()} {'gone' if new.edge(name) is None else 'found'}")
        ratio = self.scatter_ratio
        if ratio is not None and not 1 / WORSE_SCATTER <= ratio <= WORSE_SCATTER:
            found.append(f"scatter × {ratio:.2f}")
        if old.verdict != new.verdict:
            found.append(f"{old.verdict} → {new.verdict}")
        found += [f"{name.replace('_', ' ')} {a} → {b}" for name, a, b in self.flags]
        return found

    @property
    def better(self) -> bool | None:
        """Whether the new one can be trusted more (or less); None where nothing tells."""
        if self.old is None or self.new is None:
            return None
        grades = GRADES.get(self.old.verdict, 1) - GRADES.get(self.new.verdict, 1)
        if grades:
            return grades > 0
        ratio = self.scatter_ratio
        if ratio is None or 1 / WORSE_SCATTER <= ratio <= WORSE_SCATTER:
            return None
        return ratio < 1

    def moved_s(self, name: str) -> float | None:
        """New less old D or R, seconds; None where one of them lacks it."""
        old, new = self._edges(name)
        return None if old is None or new is None else (new[0] - old[0]) * 1e-9

    def moved_sigma(self, name: str) -> float | None:
        """The same over the larger of their errors; None where neither states one."""
        old, new = self._edges(name)
        moved = self.moved_s(name)
        if moved is None or old is None or new is None:
            return None
        sigmas = [sigma for sigma in (old[1], new[1]) if math.isfinite(sigma) and sigma > 0]
        return moved / max(sigmas) if sigmas else None

    def _edges(self, name: str) -> tuple[tuple[int, float] | None, tuple[int, float] | None]:
        found = [None if outcome is None else outcome.edge(name) for outcome in (self.old, self.new)]
        old, new = (None if edge is None else (edge.ns, edge.sigma_s) for edge in found)
        return old, new

    @property
    def scatter_ratio(self) -> float | None:
        """New over old scatter of the out-of-event flux."""
        found = [
            None if outcome is None else outcome.figure("lightcurve", "scatter")
            for outcome in (self.old, self.new)
        ]
        return found[1] / found[0] if found[0] and found[1] else None

    @property
    def flags(self) -> list[tuple[str, int, int]]:
        """Flags of other numbers of samples: name, old, new."""
        old = {} if self.old is None else self.old.flags
        new = {} if self.new is None else self.new.flags
        names = sorted(old.keys() | new.keys())
        return [
            (name, old.get(name, 0), new.get(name, 0))
            for name in names
            if old.get(name, 0) != new.get(name, 0)
        ]


def pairs_of(old: Sequence[Outcome], new: Sequence[Outcome]) -> list[Pair]:
    """Observations of both, in the order of the new ones, then those that are gone."""
    before = {outcome.station: outcome for outcome in old}
    after = {outcome.station: outcome for outcome in new}
    names = [*after, *(name for name in before if name not in after)]
    return [Pair(name, before.get(name), after.get(name)) for name in names]


def headline(pairs: Sequence[Pair]) -> str:
    """How many observations changed, and for better or worse."""
    counts = Counter(pair.change for pair in pairs)
    said = [f"{count} {change}" for change, count in counts.items()]
    trust = Counter(pair.better for pair in pairs if pair.change == "changed")
    said += [f"{trust[value]} {word}" for value, word in ((True, "better"), (False, "worse")) if trust[value]]
    return f"{len(pairs)} observations: {', '.join(said)}"


COLUMNS = (
    "station", "change", "better", "reasons", "old_version", "new_version", "old_status", "new_status",
    "d_moved_s", "d_moved_sigma", "r_moved_s", "r_moved_sigma", "scatter_ratio", "old_verdict", "new_verdict",
    "old_key", "new_key",
)  # fmt: skip


def table_csv(pairs: Sequence[Pair]) -> str:
    """A row per observation."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for pair in pairs:
        row: dict[str, object] = {"station": pair.station, "change": pair.change}
        row |= {
            "better": "" if pair.better is None else str(pair.better).lower(),
            "reasons": "; ".join(pair.reasons),
        }
        for side, outcome in (("old", pair.old), ("new", pair.new)):
            if outcome is not None:
                row |= {
                    f"{side}_{name}": getattr(outcome, name)
                    for name in ("version", "status", "verdict", "key")
                }
        for name in ("d", "r"):
            row |= {f"{name}_moved_s": pair.moved_s(name), f"{name}_moved_sigma": pair.moved_sigma(name)}
        writer.writerow(row | {"scatter_ratio": pair.scatter_ratio})
    return out.getvalue()


def text(pairs: Sequence[Pair], most: int = 40) -> str:
    """The comparison for people: what changed first."""
    lines = [headline(pairs)]
    shown = [pair for pair in pairs if pair.change in {"changed", "new", "gone"}]
    for pair in shown[:most]:
        sign = {True: " (better)", False: " (worse)", None: ""}[pair.better]
        lines.append(f"  {pair.station}: {'; '.join(pair.reasons) or pair.change}{sign}")
    if len(shown) > most:
        lines.append(f"  and {len(shown) - most} more")
    return "\n".join(lines) + "\n"


def document(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The comparison for programs."""
    rows = list(csv.DictReader(io.StringIO(table_csv(pairs))))
    numbers = ("old_version", "new_version", "scatter_ratio", *(c for c in COLUMNS if "_moved_" in c))
    for row in rows:
        row |= {name: json.loads(row[name]) if row[name] else None for name in numbers}
    return {"umbra_campaign_comparison": 1, "headline": headline(pairs), "observations": rows}
