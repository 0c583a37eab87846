"""What was read of each frame, as a table."""

import csv
import io

import numpy as np

from ingest.ocr.stamps import BurntIn, summary
from reduction.timing import utc_text

COLUMNS = ("frame", "inserted_utc", "confidence", "state", "number", "residual_ms", "residual_2_ms")


def report_csv(found: BurntIn, name: str) -> str:
    """Rows of frames: the time inserted in the first field, how sure it is, and how it came about.

    `number` counts the inserter's fields (frames, where they are whole) from the first; it jumps where some
    are missing. Residuals are times shown less the line of times, of the first and the second field; empty
    where a field was not read digit for digit.
    """
    out = io.StringIO()
    out.write(f"# {name}: {summary(found)}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    together = 1 if found.order.first is None else 2
    residual_ms = found.solution.residual * found.overlay.layout.unit_s * 1e3
    first, last = residual_ms[0::together], residual_ms[together - 1 :: together]
    for k in range(found.sure.size):
        second = _number(float(last[k])) if together == 2 else ""
        writer.writerow(
            (
                k,
                utc_text(int(found.stamps.stamp_ns[k]), 4),
                f"{found.sure[k]:.6f}",
                _state(found, k),
                int(found.solution.number[together * k]),
                _number(float(first[k])),
                second,
            )
        )
    return out.getvalue()


def _state(found: BurntIn, k: int) -> str:
    if found.unsure[k]:
        return "unsure"
    if found.mixed[k]:
        return "two frames"
    return "repaired" if found.repaired[k] else "read"


def _number(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else ""
