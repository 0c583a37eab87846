"""CSV of LiMovie: header lines, then ``No.``; time in columns 4 to 6, results of objects in columns 11 to 13.

Times are those that a video time inserter wrote into the first field, or of each field where rows are fields.
"""

import csv
from collections.abc import Sequence

import numpy as np

from ingest.curves.raw import RawCurve, decoded, flux_of, frame_of, unwrapped
from ingest.side_times import clock_of
from reduction.errors import DataError
from reduction.timing import UNKNOWN_NS

FIRST_RESULT = 10
RESULTS = 3


def recognise(head: bytes) -> bool:
    """Whether the first bytes of a file are of this dialect."""
    return b"limovie" in head.partition(b"\n")[0].lower()


def read(data: bytes, name: str) -> RawCurve:
    """Read the file.

    Raises
    ------
    DataError, RequestError
        It is damaged, or holds no rows.
    """
    lines = iter(decoded(data).splitlines())
    if not any(line.lstrip().lstrip('"').startswith("No.") for line in lines):
        raise DataError(f"{name}: LiMovie CSV without a row that begins with No.; is it cut off?")
    rows = [cells for cells in csv.reader(lines) if len(cells) > FIRST_RESULT and cells[0].strip()]
    if not rows:
        raise DataError(f"{name}: LiMovie CSV without a row of measurements")
    clock = [_time(cells, name, k) for k, cells in enumerate(rows, 1)]
    frame = np.array([frame_of(cells[0], name, k) for k, cells in enumerate(rows, 1)])
    fluxes = {}
    for star in range(RESULTS):
        at = FIRST_RESULT + star
        values = [
            flux_of(cells[at], name, k) if at < len(cells) else np.nan for k, cells in enumerate(rows, 1)
        ]
        if star == 0 or (np.isfinite(values).any() and np.any(np.asarray(values) != 0)):
            fluxes[f"Object {star + 1}"] = np.array(values)
    fields = bool(np.any(frame % 1 == 0.5))
    return RawCurve(
        program="LiMovie CSV",
        fluxes=fluxes,
        frame=frame,
        stamp_ns=unwrapped([UNKNOWN_NS if time is None else time[0] for time in clock]),
        resolution_s=np.array([np.nan if time is None else time[1] for time in clock]),
        dating="clock",
        exposure_s=np.full(frame.size, np.nan),
        meaning="end" if fields else None,
        said_by="inserter: VSYNC that ends the field's exposure" if fields else "",
        inserted=None if fields else "first field",
        target="Object 1",
    )


def _time(cells: Sequence[str], name: str, row: int) -> tuple[int, float] | None:
    """Nanoseconds since midnight and half the last digit; None where the inserter's time was not read."""
    hours, minutes, seconds = (cell.strip() for cell in cells[3:6])
    if not (hours and minutes and seconds):
        return None
    return clock_of(name, row, f"{hours}:{minutes.zfill(2)}:{seconds}")
