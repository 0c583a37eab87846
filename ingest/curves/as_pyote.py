"""A light curve as a PyMovie CSV, which PyOTE reads: ``#`` lines, then ``FrameNum,timeInfo,...``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.curves.curve_table import CurveTable
from ingest.curves.exports import middle, said, writable
from ingest.curves.own import day_text
from ingest.instants import DAY_NS
from reduction.timing import utc_text

LEVEL = 1000.0
"""Out-of-event level where the curve has no counts of its own: PyOTE shows two decimals."""

LEAST_COUNTS = 100.0

COLUMNS = ("signal-target", "sigma-target", "flags", "exposure_s", "utc_sigma_s")


def counts_of(table: CurveTable) -> float:
    """Out-of-event level of the flux to be written: the target's own counts where they are known."""
    if table.level > LEAST_COUNTS:
        return table.level
    target = table.further.get("target_flux")
    if target is not None:
        level = middle(np.asarray(target, np.float64)[table.usable])
        if level is not None and level > LEAST_COUNTS:
            return float(level)
    return LEVEL


def write(table: CurveTable) -> bytes:
    """The file's bytes.

    Raises
    ------
    RequestError
        No sample has both a time and a usable flux.
    """
    good = writable(table).nonzero()[0].tolist()
    level = counts_of(table)
    out = [*said(table, "in the form of a PyMovie CSV"), f"# level: {level!r}"]
    if table.dated:
        out.append(f"# date at frame 0: {day_text(int(table.mid_ns[good[0]]))}")
    out.append(",".join(["FrameNum", "timeInfo", *COLUMNS]))
    arrays: list[NDArray[Any]] = [
        table.flux * level,
        table.sigma * level,
        table.flags,
        table.exposure_s,
        table.utc_sigma_s,
    ]
    columns = [array.tolist() for array in arrays]
    for k in good:
        clock = utc_text(int(table.mid_ns[k]) % (DAY_NS * 366))[11:-1]
        cells = [_text(column[k]) for column in columns]
        out.append(f"{table.frame[k]:.2f},[{clock}]," + ",".join(cells))
    return ("\n".join(out) + "\n").encode()


def _text(value: float) -> str:
    return repr(value) if value == value else ""  # noqa: PLR0124 NaN
