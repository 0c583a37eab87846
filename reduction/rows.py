"""Times at the row of a star, where the sensor is read row by row."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.result import LightCurve
from reduction.timing import Correction, TimeSolution

LAST = "mid-exposure"


def at_target(times: TimeSolution, curve: LightCurve, height: int) -> tuple[TimeSolution, LightCurve]:
    """Times at the target's row on each sample, and the light curve with them."""
    own = at_rows(times, curve.target_y, height)
    return own, replace(curve, mid_ns=own.mid_ns, utc_sigma_s=own.sigma_s)


def at_rows(times: TimeSolution, row: NDArray[np.float64], height: int) -> TimeSolution:
    """Mid-exposure times of the rows on which a star stands; the same times where rows are exposed together.

    Parameters
    ----------
    times : TimeSolution
        Of the frames; `TimeSolution.rows` says how rows differ.
    row : array, (t,)
        The star's row on each frame, pixels from the top; where it is NaN (star lost) the median is taken.
    height : int
        Rows of a frame.
    """
    rows = times.rows
    seen = np.isfinite(row)
    if rows is None or not times.known.any() or not seen.any():
        return times
    away = rows.rows_away(np.where(seen, row, np.median(row[seen])), height)
    delay_s = rows.per_row_s * away
    known = times.known
    mid = times.mid_ns.copy()
    mid[known] += np.rint(delay_s[known] * 1e9).astype(np.int64)
    entry = Correction(
        what="row",
        start=times.ledger[-1].end if times.ledger else LAST,
        end="mid-exposure of the target's row",
        value_s=float(np.median(delay_s[known])),
        sigma_s=float(np.median(np.abs(away[known]))) * rows.sigma_s,
        source=f"{rows.source}; the target's row on each frame",
    )
    return replace(
        times,
        mid_ns=mid,
        sigma_s=np.where(known, np.hypot(times.sigma_s, rows.sigma_s * away), np.nan),
        ledger=(*times.ledger, entry),
        rows=None,
    )
