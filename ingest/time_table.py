"""The times of every frame as a table, and their ledger for people."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ingest.cadence import Cadence, FrameFlag
from ingest.frame_status import NOTHING, FrameStatus
from ingest.time_verdict import TimeVerdict
from reduction.caveats import Note
from reduction.timing import UNKNOWN_NS, Correction, TimeSolution, utc_text

COLUMNS = ("frame", "start_utc", "mid_utc", "end_utc", "sigma_s", "exposure_s", "flags")
DIGITS = 7


@dataclass(frozen=True, slots=True, eq=False)
class TimeTable:
    """What `umbra times` tells of a recording.

    Attributes
    ----------
    name : str
        Of the recording.
    times : TimeSolution
    cadence : Cadence
    verdict : TimeVerdict
    notes : sequence of Note
    status : FrameStatus
        What the recorder wrote beside the frames: further columns of the table.
    """

    name: str
    times: TimeSolution
    cadence: Cadence
    verdict: TimeVerdict
    notes: Sequence[Note]
    status: FrameStatus = NOTHING

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the cells of a row."""
        return (*COLUMNS, *self.status.names)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Cells of each frame, as `columns` names them; empty where unknown."""
        times = self.times
        for n in range(times.mid_ns.size):
            mid, exposure = int(times.mid_ns[n]), float(times.exposure_s[n])
            half = round(exposure * 5e8) if np.isfinite(exposure) else None
            edges = (UNKNOWN_NS, UNKNOWN_NS)
            if half is not None and mid != UNKNOWN_NS:
                edges = (mid - half, mid + half)
            yield (
                str(n),
                utc_text(edges[0], DIGITS),
                utc_text(mid, DIGITS),
                utc_text(edges[1], DIGITS),
                _number(float(times.sigma_s[n])),
                _number(exposure),
                flag_words(int(self.cadence.flags[n])),
                *self.status.cells(n),
            )

    def csv(self) -> str:
        """The table; `--times` reads it again."""
        out = io.StringIO()
        out.write(f"# times of {self.name}: mid-exposure, UTC; digest {self.times.digest}\n")
        for entry in self.times.ledger:
            out.write(f"# {ledger_line(entry)}\n")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows())
        return out.getvalue()

    def document(self) -> dict[str, Any]:
        """The same as a JSON document."""
        rows, cadence = self.times.rows, self.cadence
        return {
            "umbra_times": 1,
            "input": self.name,
            "digest": self.times.digest,
            "verdict": asdict(self.verdict),
            "source": self.times.source,
            "meaning": self.times.meaning,
            "cadence_s": _finite(cadence.step_s),
            "regular": cadence.regular,
            "scatter_s": _finite(cadence.scatter_s),
            "frames_missing": cadence.dropped,
            "ledger": [asdict(entry) for entry in self.times.ledger],
            "rows": None if rows is None else asdict(rows),
            "notes": [{"caveat": note.caveat.value, "message": note.message} for note in self.notes],
            "columns": list(self.columns),
            "frames": [list(row) for row in self.rows()],
        }

    def text(self) -> str:
        """Verdict, ledger and caveats for people."""
        times = self.times
        lines = [f"{self.name}: {times.mid_ns.size} frames, times: {times.source}"]
        lines.append(f"  {self.verdict.state}: {self.verdict.sentence}")
        lines.append(f"  digest {times.digest}")
        lines += [f"  {ledger_line(entry)}" for entry in times.ledger]
        if times.rows is not None:
            step, source = times.rows.per_row_s, times.rows.source
            lines.append(f"  rows: {step:+.6g} s per row, added in results ({source})")
        lines += [f"  note: {note.message}" for note in self.notes]
        return "\n".join(lines) + "\n"


def ledger_line(entry: Correction) -> str:
    """One entry of the ledger: what, from which instant to which, sign, value, sigma, source."""
    added = "applied by the writer, not added" if entry.included else f"±{entry.sigma_s:.3g} s"
    return (
        f"{entry.what}: {entry.value_s:+.9g} s ({added}), from {entry.start} to {entry.end}; {entry.source}"
    )


def flag_words(bits: int) -> str:
    """Flags of a frame as words, joined by a bar."""
    return "|".join(str(flag.name).lower() for flag in FrameFlag if bits & flag.value)


def _number(value: float) -> str:
    return f"{value:.9g}" if np.isfinite(value) else ""


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
