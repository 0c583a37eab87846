"""Plain text of columns, as SORA takes it: time, flux, perhaps its error; by blanks, tabs, ``,`` or ``;``.

The time is a Julian date (above 2,400,000), an ISO date and time (one that has a ``:``), or seconds after
an instant: a comment ``# tref: UTC`` or the option ``--tref``. Lines that begin with ``#`` are comments; a
row of names may come first. A file that does not say so holds mid-exposures: SORA takes them for that.
"""

import csv
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.curves.raw import Dating, RawCurve, decoded, flux_of, stated_notes
from ingest.curves.tangra import JD_DIGIT_S, JD_EPOCH_MJD
from ingest.instants import DAY_NS, days_to_ns, parse_date, parse_utc
from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.events.curve import Floats
from reduction.timing import Instant

MJD_DIGIT_S = 0.32e-6
"""The same of a modified Julian date, seconds."""

FIRST_JD = 2_400_000.0
LAST_JD = 2_600_000.0
PROGRAM = "text of columns"
SIGMAS = ("dflux", "sigma", "err", "error", "flux_err", "flux_error", "fluxerr", "e_flux", "uncertainty")
EXPOSURES = ("exposure", "exposure_s", "exptime", "exp")
TIMES = ("time", "jd", "utc", "date", "date-obs", "mjd", "t", "seconds", "sec", "isot", "jd_utc")
NOT_UTC = ("bjd", "hjd", "tdb", "bmjd", "jd_tt", "jd(tt)", "jd_tdb")
_SAID = re.compile(
    r"^#\s*(tref|exposure_s|level|time meaning|time_sigma_s|columns|umbra [a-z. ]+):\s*(.+?)\s*$",
    re.MULTILINE,
)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d{1,3})?\s*")
_INSTANTS: Mapping[str, Instant] = {"start": "start", "mid": "mid", "mid-exposure": "mid", "end": "end"}


def recognise(head: bytes) -> bool:
    """Whether the first bytes are text whose first rows (after names, perhaps) are a time and a number."""
    if b"\0" in head:
        return False
    lines = [
        line for line in decoded(head).splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    return any(_is_row(_split(line)) for line in lines[:2])


def _is_row(cells: Sequence[str]) -> bool:
    is_time = len(cells) > 1 and (_NUMBER.fullmatch(cells[0]) or ":" in cells[0])
    return bool(is_time and _NUMBER.fullmatch(cells[1]))


def _split(line: str) -> list[str]:
    mark = next((m for m in (",", ";", "\t") if m in line), None)
    cells = line.split() if mark is None else next(csv.reader([line], delimiter=mark))
    if (
        mark is None
        and len(cells) > 2
        and re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", cells[0])
        and ":" in cells[1]
    ):
        cells = [f"{cells[0]}T{cells[1]}", *cells[2:]]
    return [cell.strip() for cell in cells]


def read(data: bytes, name: str) -> RawCurve:
    """Read the file.

    Raises
    ------
    DataError
        It is damaged, holds no rows, or its times are of another scale than UTC.
    """
    text = decoded(data)
    said = {key.lower(): value for key, value in _SAID.findall(text[: 1 << 20])}
    names, rows = _rows(text, name, said)
    if any(word in names[0] for word in NOT_UTC):
        raise DataError(
            f"{name}: its times are {names[0]!r}, of another scale or place; give UTC at the telescope"
        )
    stamp, resolution, dating = _times([cells[0] for cells in rows], names[0], name)
    zero = parse_utc(said.get("tref", "").removesuffix(" UTC"))
    if dating == "seconds" and zero is not None:
        stamp, dating = stamp + zero[0], "utc"
    fluxes, sigmas, exposure = _columns(names, rows, name)
    if exposure is None:
        exposure = np.full(len(rows), _number(said.get("exposure_s", "")))
    stated = _INSTANTS.get(said.get("time meaning", "").partition(",")[0].partition(" ")[0])
    time_sigma = _number(said.get("time_sigma_s", ""))
    level = _number(said.get("level", ""))
    assumed = Note(
        Caveat.TIME_MEANING_ASSUMED,
        f"{name}: nothing says whether its times are start, middle or end of an exposure; taken as the "
        "middle, as SORA does: half an exposure off if they are not; say --time-is start, mid or end",
    )
    return RawCurve(
        program=PROGRAM,
        fluxes=fluxes,
        frame=np.arange(len(rows), dtype=np.float64),
        stamp_ns=stamp,
        resolution_s=resolution,
        dating=dating,
        exposure_s=exposure,
        meaning=stated or "mid",
        said_by="its header" if stated else "the convention of SORA for such files",
        sigmas=sigmas,
        target=next(iter(fluxes)),
        level=level if level > 0 else None,
        time_sigma_s=np.full(len(rows), time_sigma) if time_sigma > 0 else None,
        notes=stated_notes(text) if stated else (assumed,),
        provenance={key.removeprefix("umbra "): value for key, value in said.items() if key[:6] == "umbra "},
    )


def _number(text: str) -> float:
    try:
        value = float(text.partition(" ")[0])
    except ValueError:
        return float("nan")
    return value if 0 <= value < 1e30 else float("nan")


def _rows(text: str, name: str, said: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """Names of the columns, lower case, and the rows, all as long."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    rows = [_split(line) for line in lines]
    names = said.get("columns", "").lower().split()
    if rows and not _is_row(rows[0]):
        names = [cell.lower() for cell in rows.pop(0)]
    if not rows or len(rows[0]) < 2:
        raise DataError(f"{name}: no rows of a time and a flux")
    width = len(rows[0])
    for number, cells in enumerate(rows, 1):
        if len(cells) != width:
            seen = f"{len(cells)} cells, {width} in the rows before"
            raise DataError(f"{name}: row {number}: {seen}; is the file damaged?")
    if len(names) != width:
        names = (
            ["time", "flux", "dflux"][:width]
            if width <= 3
            else ["time", *(f"column {k}" for k in range(2, width + 1))]
        )
    return names, rows


def _times(cells: Sequence[str], label: str, name: str) -> tuple[NDArray[np.int64], Floats, Dating]:
    """Nanoseconds, half the last digit in seconds, and how they are dated."""
    first = cells[0]
    if ":" in first or parse_date(first) is not None:
        found = [parse_utc(cell) for cell in cells]
        dating: Dating = "utc"
        pairs = [None if pair is None else (pair[0], 0.5 * 10.0 ** -pair[1]) for pair in found]
    elif "mjd" in label:
        dating, pairs = "utc", [_days(cell, 0.0) for cell in cells]
    elif FIRST_JD < _value(first) < LAST_JD:
        dating, pairs = "utc", [_days(cell, JD_EPOCH_MJD) for cell in cells]
    else:
        dating, pairs = "seconds", [_seconds(cell) for cell in cells]
    stamp, resolution = np.empty(len(cells), np.int64), np.empty(len(cells))
    for k, pair in enumerate(pairs):
        if pair is None:
            raise DataError(f"{name}: row {k + 1}: {cells[k][:40]!r} is no time like {first[:40]!r}")
        stamp[k], resolution[k] = pair
    return stamp, resolution, dating


def _value(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _days(cell: str, epoch_mjd: float) -> tuple[int, float] | None:
    """A day count exactly as written; digits beyond those of a double tell nothing."""
    days = days_to_ns(cell, epoch_mjd)
    return None if days is None else (days[0], 0.5 * days[1] + (JD_DIGIT_S if epoch_mjd < 0 else MJD_DIGIT_S))


def _seconds(cell: str) -> tuple[int, float] | None:
    """Seconds exactly as written; where they have more digits than a double, half of its last."""
    match = re.fullmatch(r"([+-]?)(\d{1,9})(?:\.(\d*))?", cell)
    if match is None:
        value = _value(cell)
        return (round(value * 1e9), max(abs(value), 1e-9) * 2.0**-53) if abs(value) < 1e9 else None
    digits = match[3] or ""
    ns = int(match[2]) * 10**9 + (int((digits + "0" * 10)[:10]) + 5) // 10
    if ns > 30 * 366 * DAY_NS:
        return None
    return (-ns if match[1] == "-" else ns), max(
        0.5 * 10.0 ** -len(digits), float(match[2]) * 2.0**-53, 5e-10
    )


def _columns(
    names: Sequence[str], rows: Sequence[Sequence[str]], name: str
) -> tuple[dict[str, Floats], dict[str, Floats], Floats | None]:
    """Fluxes, their sigmas, and exposures, by the names of the columns."""
    values = {
        column: np.array([flux_of(cells[at], name, k) for k, cells in enumerate(rows, 1)])
        for at, column in enumerate(names)
        if at > 0
    }
    exposure = next((column for column in values if column in EXPOSURES), None)
    sigma = next((column for column in values if column in SIGMAS), None)
    fluxes = {column: array for column, array in values.items() if column not in {exposure, sigma}}
    if not fluxes:
        raise DataError(f"{name}: its columns are {', '.join(names)[:120]}: none of them is a flux")
    sigmas = {} if sigma is None else {next(iter(fluxes)): values[sigma]}
    return fluxes, sigmas, None if exposure is None else values[exposure]
