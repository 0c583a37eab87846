"""Times that a person gives: a table, a start and a cadence, or what the recorded stamps mean."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ingest.corrections import Corrections, corrected
from ingest.instants import SECOND_NS, parse_date, parse_utc
from ingest.ocr.options import Vti
from ingest.side_files import Beside, read_side_file, stamps_of_side, with_beside
from ingest.stamps import Stamps, meaning_assumed, recover_stamps, reviewed, solve
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.timing import UNKNOWN_NS, Instant, TimeSolution

COLUMNS = ("utc", "frame", "exposure_s", "sigma_s")
NAMED: dict[str, Instant] = {"mid_utc": "mid", "start_utc": "start", "end_utc": "end"}
"""Columns that may stand for `utc`, and the instant that they name."""
MAX_CADENCE_S = 86_400.0
NO_CORRECTIONS = Corrections()


@dataclass(frozen=True, slots=True)
class TimeOptions:
    """The options of a command that concern time; checked where they contradict each other.

    Attributes
    ----------
    meaning : Instant or None
        ``--time-is``: which instant of the exposure a stamp names; None leaves it to the format.
    table : Path or None
        ``--times``: a CSV file.
    start_utc : str or None
        ``--start-utc``: ISO-8601 time of frame 0.
    cadence_s : float or None
        ``--cadence``: seconds from frame to frame.
    date : str or None
        ``--date``: day of the first frame, for files that hold times of day.
    beside : tuple of Beside
        Side files that stand beside the recording; no option, but found on opening it.
    corrections : Corrections
        ``--camera``, ``--acquisition-delay``, ``--clock``, ``--row-time`` and their companions.
    vti : Vti or None
        ``--vti``, ``--vti-date``: the times are burnt into the frames.

    Raises
    ------
    RequestError
        On options that exclude or lack each other, or a cadence that is not positive.
    """

    meaning: Instant | None = None
    table: Path | None = None
    start_utc: str | None = None
    cadence_s: float | None = None
    corrections: Corrections = NO_CORRECTIONS
    date: str | None = None
    beside: tuple[Beside, ...] = ()
    vti: Vti | None = None

    def __post_init__(self) -> None:
        if self.meaning is not None and self.corrections.camera is not None:
            raise RequestError(
                "--time-is and --camera exclude each other: a camera's delay leads from its inserted stamp "
                "to mid-exposure, and nothing is corrected twice"
            )
        if self.meaning not in {None, "start", "mid", "end"}:
            raise RequestError(f"--time-is {self.meaning}: give start, mid or end")
        if (self.start_utc is None) != (self.cadence_s is None):
            given, missing = (
                ("--start-utc", "--cadence") if self.cadence_s is None else ("--cadence", "--start-utc")
            )
            raise RequestError(f"{given} is given without {missing}: computed times need both")
        if self.date is not None and (self.table is None or parse_date(self.date) is None):
            raise RequestError(f"--date {self.date}: give a day as 2026-01-31, with --times FILE")
        if self.table is not None and self.start_utc is not None:
            raise RequestError("--times and --start-utc exclude each other: give one of them")
        if self.vti is not None and (self.table is not None or self.start_utc is not None):
            given = "--times" if self.table is not None else "--start-utc"
            raise RequestError(f"--vti and {given} exclude each other: give one of them")
        if self.cadence_s is not None and not 0 < self.cadence_s <= MAX_CADENCE_S:
            raise RequestError(f"--cadence {self.cadence_s:g}: give seconds between frames, above 0")


def apply_times(native: TimeSolution, frames: int, options: TimeOptions) -> TimeSolution:
    """Times of a recording after the options: the person's, else the container's with the meaning settled.

    Parameters
    ----------
    native : TimeSolution
        The container's, or those stored beside a stack.
    frames : int
        Number of frames of the recording.
    options : TimeOptions
        What the person gave.

    Raises
    ------
    RequestError
        The table or the start cannot be used, or a correction does not fit, or is there already.
    """
    return corrected(_before_corrections(native, frames, options), options.corrections)


def _before_corrections(native: TimeSolution, frames: int, options: TimeOptions) -> TimeSolution:
    """Times with their meaning settled."""
    if options.table is not None:
        return _from_file(options.table, native, frames, options)
    if options.start_utc is not None and options.cadence_s is not None:
        return _computed(options.start_utc, options.cadence_s, native, frames, options.meaning)
    native = with_beside(native, frames, options.beside)
    settled = native.meaning == options.meaning and not meaning_assumed(native)
    if options.meaning is None or settled or not native.known.any():
        return reviewed(native)
    found = recover_stamps(native)
    if found is None or found[0].inserted is not None:
        steps = ", ".join(entry.what for entry in native.ledger) or "no ledger"
        raise RequestError(
            f"--time-is {options.meaning}: the times ({native.source}) carry corrections beyond the stamps "
            f"({steps}); ingest the recording again with --time-is"
        )
    stamps, shifts = found
    return replace(solve(replace(stamps, said_by=""), options.meaning, shifts), rows=native.rows)


def _computed(
    start_utc: str, cadence_s: float, native: TimeSolution, frames: int, meaning: Instant | None
) -> TimeSolution:
    """Times counted from frame 0; sigma is half the last decimal that the start is written with."""
    parsed = parse_utc(start_utc)
    if parsed is None:
        raise RequestError(
            f"--start-utc {start_utc}: not an ISO-8601 date and time such as 2026-01-31T22:10:05.250Z"
        )
    start_ns, decimals = parsed
    sigma = 0.5 * 10.0**-decimals
    step_ns = cadence_s * SECOND_NS
    offsets = np.rint(np.arange(frames) * step_ns).astype(np.int64)
    named = meaning or "start"
    source = "computed from --start-utc and --cadence"
    note = Note(
        Caveat.TIMES_COMPUTED,
        f"times are computed from {start_utc}, taken as the {named} of frame 0, and a "
        f"cadence of {cadence_s:g} s; dropped frames and a wrong cadence stay unseen; "
        f"{sigma:g} s uncertain as written",
    )
    stamps = Stamps(
        stamp_ns=start_ns + offsets,
        exposure_s=_recorded_exposure(native, cadence_s),
        sigma_s=np.full(frames, sigma),
        meaning=named,
        source=source,
        sigma_stated=True,
        notes=(note, *_exposure_note(native, cadence_s, source)),
    )
    return solve(stamps, meaning)


def _recorded_exposure(
    native: TimeSolution, fallback_s: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.where(_has_exposure(native), native.exposure_s, fallback_s)


def _has_exposure(native: TimeSolution) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Recorded exposures; not those that stood in for a missing one."""
    if any(note.caveat is Caveat.EXPOSURE_ASSUMED for note in native.notes):
        return np.zeros(native.exposure_s.shape, np.bool_)
    return np.isfinite(native.exposure_s)


def _exposure_note(native: TimeSolution, cadence_s: float, source: str) -> tuple[Note, ...]:
    if bool(_has_exposure(native).all()):
        return ()
    text = f"{source}: the exposure is not recorded; taken as the cadence, {cadence_s:.6g} s"
    return (Note(Caveat.EXPOSURE_ASSUMED, text),)


@dataclass(frozen=True, slots=True)
class _Row:
    frame: int
    utc_ns: int
    sigma_s: float
    exposure_s: float | None
    stated: bool


def _from_file(path: Path, native: TimeSolution, frames: int, options: TimeOptions) -> TimeSolution:
    """Times from a file of another program, or from a table."""
    side = read_side_file(path)
    if side is None:
        return _from_table(path, native, frames, options.meaning)
    date_ns = None if options.date is None else parse_date(options.date)
    stamps = stamps_of_side(side, path.name, native, frames, date_ns)
    if options.meaning is not None:
        stamps = replace(stamps, inserted=None)
    return solve(stamps, options.meaning)


def _from_table(path: Path, native: TimeSolution, frames: int, meaning: Instant | None) -> TimeSolution:
    """Times from a CSV file; frames that it lacks are unknown."""
    stamp = np.full(frames, UNKNOWN_NS, np.int64)
    exposure = np.where(_has_exposure(native), native.exposure_s, np.nan)
    sigma = np.full(frames, np.nan)
    lines: dict[int, int] = {}
    stated = False
    rows, named = _rows(path, frames)
    for line, row in rows:
        if row.frame in lines:
            raise RequestError(
                f"{path.name}: line {line}: frame {row.frame} stands already on line {lines[row.frame]}; "
                "keep one of them"
            )
        lines[row.frame] = line
        stamp[row.frame], sigma[row.frame] = row.utc_ns, row.sigma_s
        stated = stated or row.stated
        if row.exposure_s is not None:
            exposure[row.frame] = row.exposure_s
    if not lines:
        raise RequestError(f"{path.name}: no rows below the header; give one row with `utc` per frame")
    stamps = Stamps(stamp, exposure, sigma, named, "times table", stated)
    solution = solve(stamps, meaning)
    return replace(
        solution, exposure_s=np.where(np.isfinite(solution.exposure_s), solution.exposure_s, exposure)
    )


def _rows(path: Path, frames: int) -> tuple[list[tuple[int, _Row]], Instant | None]:
    """Parse the table: (line number, row) of each, and which instant it says that its times name."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"{path}: cannot read the times: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path.name}: the times are not UTF-8 text (byte {error.start})") from error
    reader = csv.reader(line for line in text.splitlines())
    columns: dict[str, int] | None = None
    meaning: Instant | None = None
    found: list[tuple[int, _Row]] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            if columns is None:
                columns, meaning = _header(path, reader.line_num, cells)
                continue
            where = f"{path.name}: line {reader.line_num}"
            found.append((reader.line_num, _row(where, cells, columns, len(found), frames)))
    except csv.Error as error:
        raise RequestError(f"{path.name}: line {reader.line_num}: {error}") from error
    if columns is None:
        raise RequestError(
            f"{path.name}: the times file is empty; it needs a header row with the column `utc`"
        )
    return found, meaning


def _header(path: Path, line: int, cells: list[str]) -> tuple[dict[str, int], Instant | None]:
    """Columns by name, and the instant that the column of times names, where it does."""
    names = [cell.strip().lower() for cell in cells]
    named = next((name for name in NAMED if name in names), None)
    if "utc" not in names and named is not None:
        names[names.index(named)] = "utc"
    if "utc" not in names:
        raise RequestError(
            f"{path.name}: line {line}: the header has no column `utc` (found {', '.join(names)}); "
            f"the columns are {', '.join(COLUMNS)}"
        )
    twice = sorted({name for name in names if names.count(name) > 1 and name in COLUMNS})
    if twice:
        raise RequestError(f"{path.name}: line {line}: the column {twice[0]} stands twice")
    plain = "utc" in (cell.strip().lower() for cell in cells)
    meaning = None if plain or named is None else NAMED[named]
    return {name: names.index(name) for name in COLUMNS if name in names}, meaning


def _row(where: str, cells: list[str], columns: Mapping[str, int], position: int, frames: int) -> _Row:
    if len(cells) <= max(columns.values()):
        raise RequestError(
            f"{where}: {len(cells)} cells, the header names column {max(columns.values()) + 1}"
        )
    value = {name: cells[index].strip() for name, index in columns.items()}
    frame = position
    if "frame" in value:
        if not value["frame"].isascii() or not value["frame"].isdigit():
            raise RequestError(f"{where}: frame {value['frame']!r} is not a whole number from 0")
        frame = int(value["frame"])
    if frame >= frames:
        raise RequestError(
            f"{where}: frame {frame} is beyond the recording, which has {frames} frames (0 to {frames - 1})"
        )
    parsed = parse_utc(value["utc"]) if value["utc"] else (UNKNOWN_NS, 9)
    if parsed is None:
        raise RequestError(
            f"{where}: utc {value['utc']!r} is not an ISO-8601 date and time such as 2026-01-31T22:10:05.250Z"
        )
    sigma = _number(where, value, "sigma_s")
    return _Row(
        frame=frame,
        utc_ns=parsed[0],
        sigma_s=0.5 * 10.0 ** -parsed[1] if sigma is None else sigma,
        exposure_s=_number(where, value, "exposure_s"),
        stated=sigma is not None,
    )


def _number(where: str, value: Mapping[str, str], name: str) -> float | None:
    """A finite number of seconds, not negative; None where the cell is empty or the column missing."""
    text = value.get(name, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise RequestError(f"{where}: {name} {text!r} is not a number of seconds")
    return number
