"""CSV of Tangra: settings, objects, then ``FrameNo`` or ``BinNo``, a time, and columns per object.

Times are ``Time (UT)`` (time of day), ``Time (Days UT)`` (fraction of a day) or ``Time (JD)``; fluxes
``Signal (n), Background (n)`` (taken off here), ``SignalMinusBackground (n)``, ``Binned Measurment (n)``
[sic], or magnitudes. Of which object is what, the object table tells: ``OccultedStar`` is the target,
``ComparisonStar`` the reference. Tangra writes fluxes with five significant digits, times of day to 1 ms.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from ingest.curves.raw import RawCurve, decoded, flux_of, frame_of, unwrapped
from ingest.instants import DAY_NS, days_to_ns
from ingest.side_times import clock_of, tangra_statement
from reduction.errors import DataError
from reduction.events.curve import Floats
from reduction.timing import UNKNOWN_NS

JD_EPOCH_MJD = -2400000.5
JD_DIGIT_S = 2.0**-32 * 86_400
"""Half the step of a Julian date in double precision, seconds: 2^-31 day is 40 microseconds."""

_COLUMN = re.compile(
    r"(Signal|Background|SignalMinusBackground|Binned Measurment|Magnitude|Binned Magnitude)\s*\((\d{1,4})\)"
)
_OBJECT = re.compile(r"^\s*(\d{1,4})\s*,\s*(OccultedStar|ComparisonStar|GuidingStar)\s*,", re.MULTILINE)
_TIMES = {"UT": "clock", "Days UT": "days", "JD": "utc"}


def recognise(head: bytes) -> bool:
    """Whether the first bytes of a file are of this dialect."""
    return b"Tangra" in head.partition(b"\n")[0]


def read(data: bytes, name: str) -> RawCurve:
    """Read the file.

    Raises
    ------
    DataError, RequestError
        It is damaged, or holds no rows.
    """
    text = decoded(data)
    header, lines = _below(text, name)
    label = re.fullmatch(r"Time \((UT|Days UT|JD)\)", header[1].strip()) if len(header) > 1 else None
    if label is None:
        seen = header[1].strip()[:40] if len(header) > 1 else "nothing"
        raise DataError(f"{name}: Tangra CSV whose times are {seen!r}; known are UT, Days UT and JD")
    rows = [cells for cells in lines if len(cells) >= 3]
    if not rows:
        raise DataError(f"{name}: Tangra CSV without a row of measurements")
    how = _TIMES[label.group(1)]
    stamps = [_stamp(how, cells[1], name, k) for k, cells in enumerate(rows, 1)]
    nanoseconds = [stamp[0] for stamp in stamps]
    settings = _settings(text)
    sigma = _number(settings.get("Time sigma (s)", ""))
    resolution = np.array([stamp[1] for stamp in stamps])
    inserted, meaning, included = tangra_statement(text)
    fluxes = _fluxes(header, rows, name)
    kinds = {kind: f"Object {number}" for number, kind in reversed(_OBJECT.findall(text))}
    return RawCurve(
        program="Tangra CSV",
        fluxes=fluxes,
        frame=np.array([frame_of(cells[0], name, k) for k, cells in enumerate(rows, 1)]),
        stamp_ns=np.array(nanoseconds, np.int64) if how == "utc" else unwrapped(nanoseconds),
        resolution_s=resolution,
        dating="utc" if how == "utc" else "clock",
        exposure_s=np.full(len(rows), _number(settings.get("Exposure (s)", ""))),
        meaning=meaning,
        said_by="Tangra's settings",
        inserted=inserted,
        included=included,
        target=kinds["OccultedStar"] if kinds.get("OccultedStar") in fluxes else None,
        reference=kinds["ComparisonStar"] if kinds.get("ComparisonStar") in fluxes else None,
        time_sigma_s=np.hypot(resolution, sigma) if sigma > 0 else None,
        level=_positive(_number(settings.get("Level (1)", ""))),
        provenance={"video": text.splitlines()[2].strip()[:200]} if text.count("\n") > 2 else {},
    )


def _below(text: str, name: str) -> tuple[list[str], Iterator[list[str]]]:
    """Cells of the header row, and the rows below it."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(("FrameNo", "BinNo")):
            return next(csv.reader([line])), csv.reader(lines)
    raise DataError(f"{name}: Tangra CSV without a row that begins with FrameNo or BinNo; is it cut off?")


def _settings(text: str) -> dict[str, str]:
    """Its settings by name."""
    for names, values in pairwise(text[:65_536].splitlines()):
        if "Instrumental Delay Corrections" in names:
            return dict(zip((n.strip() for n in names.split(",")), values.split(","), strict=False))
    return {}


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return float("nan")
    return value if 0 < value < 1e30 else float("nan")


def _positive(value: float) -> float | None:
    return value if value > 0 else None


def _stamp(how: str, cell: str, name: str, row: int) -> tuple[int, float]:
    """Nanoseconds and half the last digit in seconds; unknown where Tangra wrote question marks."""
    bare = cell.strip().strip("[]").strip()
    if not bare or "?" in bare:
        return UNKNOWN_NS, float("nan")
    if how == "clock":
        time = clock_of(name, row, bare)
        return (UNKNOWN_NS, float("nan")) if time is None else time
    days = days_to_ns(bare, JD_EPOCH_MJD if how == "utc" else 40_587.0)
    if days is None or (how == "days" and not 0 <= days[0] <= DAY_NS):
        raise DataError(f"{name}: row {row}: {bare[:40]!r} is no time; is the file damaged?")
    return days[0], 0.5 * days[1] + (JD_DIGIT_S if how == "utc" else 0.0)


def _fluxes(header: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> dict[str, Floats]:
    """Flux of each object, sky taken off; magnitudes become fluxes."""
    columns: dict[str, dict[str, Floats]] = {}
    for at, cell in enumerate(header[2:], 2):
        parts = _COLUMN.fullmatch(cell.strip())
        if parts is not None:
            values = [
                flux_of(cells[at], name, k) if at < len(cells) else np.nan for k, cells in enumerate(rows, 1)
            ]
            columns.setdefault(f"Object {int(parts[2])}", {})[parts[1]] = np.array(values)
    if not columns:
        raise DataError(f"{name}: Tangra CSV without a column of a signal: {', '.join(header)[:120]}")
    return {star: _flux(parts, star, name) for star, parts in columns.items()}


def _flux(parts: dict[str, Floats], star: str, name: str) -> Floats:
    for own in ("SignalMinusBackground", "Binned Measurment"):
        if own in parts:
            return parts[own]
    for own in ("Magnitude", "Binned Magnitude"):
        if own in parts:
            return np.asarray(10 ** (-0.4 * np.clip(parts[own], -50, 80)))
    if len(parts) != 2:
        raise DataError(
            f"{name}: {star} has only one of the columns Signal and Background; is the file cut off?"
        )
    return parts["Signal"] - parts["Background"]
