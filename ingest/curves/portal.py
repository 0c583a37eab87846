"""The Occultation Portal's own CSV: ``"DATE-OBS","Object+Occ./Ref1."``, ISO times and relative fluxes.

The file does not say which instant of an exposure DATE-OBS is, nor the exposure. What Umbra writes in this
form has a file ``NAME.about.json`` beside it that does.
"""

import csv

import numpy as np

from ingest.curves.raw import RawCurve, decoded, flux_of
from ingest.instants import parse_utc
from reduction.errors import DataError
from reduction.timing import UNKNOWN_NS

TIME = "DATE-OBS"


def recognise(head: bytes) -> bool:
    """Whether the first bytes of a file are of this dialect."""
    first = decoded(head).lstrip().partition("\n")[0]
    return first.replace('"', "").startswith(f"{TIME},")


def read(data: bytes, name: str) -> RawCurve:
    """Read the file.

    Raises
    ------
    DataError
        It is damaged, or holds no rows.
    """
    lines = csv.reader(decoded(data).lstrip().splitlines())
    names = [cell.strip() for cell in next(lines)]
    rows = [cells for cells in lines if len(cells) > 1]
    if len(names) < 2 or not rows:
        raise DataError(f"{name}: a light curve of the Occultation Portal without a row")
    stamp = np.full(len(rows), UNKNOWN_NS, np.int64)
    resolution = np.full(len(rows), np.nan)
    for k, cells in enumerate(rows):
        if not cells[0].strip():
            continue
        parsed = parse_utc(cells[0])
        if parsed is None:
            raise DataError(
                f"{name}: row {k + 1}: {cells[0][:40]!r} is no date and time; is the file damaged?"
            )
        stamp[k], resolution[k] = parsed[0], 0.5 * 10.0 ** -parsed[1]
    columns = {
        column or f"column {at + 1}": np.array(
            [flux_of(cells[at], name, k) if at < len(cells) else np.nan for k, cells in enumerate(rows, 1)]
        )
        for at, column in enumerate(names)
        if at > 0
    }
    return RawCurve(
        program="Occultation Portal CSV",
        fluxes=columns,
        frame=np.arange(len(rows), dtype=np.float64),
        stamp_ns=stamp,
        resolution_s=resolution,
        dating="utc",
        exposure_s=np.full(len(rows), np.nan),
        target=next(iter(columns)),
    )
