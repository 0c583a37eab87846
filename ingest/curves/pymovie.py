"""CSV of PyMovie, PyOTE and R-OTE: lines of ``#``, then ``FrameNum,timeInfo,...`` by name.

PyMovie writes all ``signal-NAME`` columns first, then a block per aperture (``appsum-``, ``avgbkg-``,
``hit-defect-`` ...); PyOTE and R-OTE plain columns. Times are ``[hh:mm:ss.ffff]``, empty where unread. In a
file of fields (n and n + 0.5) each row is a field, and an inserter's time the end of its exposure; of frames
it is the first field's, the middle of the frame.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.curves.raw import RawCurve, decoded, flux_of, frame_of, stated_notes, unwrapped
from ingest.instants import DAY_NS
from ingest.side_times import cells_below, clock_of, first_day, of_video
from ingest.stamps import Insertion
from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.events.curve import Floats
from reduction.result import Flag
from reduction.timing import UNKNOWN_NS, Instant

SIGNAL = "signal-"
BLOCK = (
    "appsum", "avgbkg", "stdbkg", "nmaskpx", "maxpx", "xcentroid", "ycentroid", "hit-defect", "sigma",
    "flags", "exposure_s", "utc_sigma_s",
)  # fmt: skip
"""What stands beside the signals: no flux of its own to look for events in (appsum: sky not taken off)."""

TARGETS = ("target", "occulted", "occ", "star")
REFERENCES = ("reference", "ref", "comparison", "comp")
_HEADED = re.compile(r"^#?\s*FrameNum\s*,\s*timeInfo", re.MULTILINE)
_SAID = re.compile(
    r"^#\s*(exposure_s|frame_time|level|time meaning|umbra [a-z. ]+):\s*(.+?)\s*$", re.MULTILINE
)
_ROTE_STEP = re.compile(r"^#\s*timedelta\s*=\s*([0-9.]+)\s*$", re.MULTILINE)


def recognise(head: bytes) -> bool:
    """Whether the first bytes of a file are of this dialect."""
    text = decoded(head)
    return _HEADED.search(text) is not None or text.startswith(("# PyMovie Version", "#R-OTE", "# PYOTE"))


def read(data: bytes, name: str) -> RawCurve:
    """Read the file.

    Raises
    ------
    DataError, RequestError
        It is damaged, or holds no rows.
    """
    text = decoded(data)
    said = {key.lower(): value for key, value in _SAID.findall(text)}
    header, lines = cells_below(text, name, "FrameNum")
    names = [cell.strip() for cell in header]
    rows = [cells for cells in lines if len(cells) >= 3 and not cells[0].lstrip().startswith("#")]
    if len(names) < 3 or not rows:
        raise DataError(f"{name}: no rows of frame, time and flux under FrameNum,timeInfo")
    frame = np.array([frame_of(cells[0], name, k) for k, cells in enumerate(rows, 1)])
    clock = [clock_of(name, k, cells[1]) for k, cells in enumerate(rows, 1)]
    columns = _columns(names, rows, name)
    fields = bool(np.any(frame % 1 == 0.5))
    meaning, inserted = _meaning(said, of_video(text), fields)
    day = first_day(text)
    stamp = unwrapped([UNKNOWN_NS if time is None else time[0] for time in clock])
    if day is not None:
        stamp = np.where(stamp == UNKNOWN_NS, UNKNOWN_NS, stamp + day)
    target, notes = _target(columns, rows, names)
    sigma = _optional(names, rows, f"sigma-{target.removeprefix(SIGNAL)}" if target else "sigma", name)
    exposure = _optional(names, rows, "exposure_s", name)
    return RawCurve(
        program=_program(text),
        fluxes=columns,
        frame=frame,
        stamp_ns=stamp,
        resolution_s=np.array([np.nan if time is None else time[1] for time in clock]),
        dating="clock" if day is None else "utc",
        exposure_s=np.full(frame.size, _exposure(said, text)) if exposure is None else exposure,
        meaning=meaning,
        said_by="inserter: VSYNC that ends the field's exposure"
        if fields and meaning == "end"
        else "its header",
        inserted=inserted,
        sigmas={} if sigma is None or target is None else {target: sigma},
        target=target,
        reference=_named(columns, REFERENCES) if target else None,
        level=_positive(said.get("level", "")),
        time_sigma_s=_optional(names, rows, "utc_sigma_s", name),
        flags=_flags(names, rows, target),
        notes=(*notes, *stated_notes(text)),
        provenance={key.removeprefix("umbra "): value for key, value in said.items() if key[:6] == "umbra "},
    )


def _program(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    if "R-OTE" in first:
        return "R-OTE CSV"
    return "PyOTE CSV" if "pyote" in first.lower() else "PyMovie CSV"


def _columns(names: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> dict[str, Floats]:
    """Flux columns by name: the signals of PyMovie, else all that are no column of a block."""
    at = {column: k for k, column in reversed(list(enumerate(names))) if column.startswith(SIGNAL)}
    if not at:
        plain = [(k, column) for k, column in enumerate(names) if k > 1 and not column.startswith(BLOCK)]
        at = {column: k for k, column in reversed(plain) if column}
    if not at:
        raise DataError(f"{name}: no column of flux in its header row: {', '.join(names)[:120]}")
    return {column: _values(rows, k, name) for column, k in sorted(at.items(), key=lambda item: item[1])}


def _values(rows: Sequence[Sequence[str]], at: int, name: str) -> Floats:
    return np.array(
        [flux_of(cells[at], name, k) if at < len(cells) else np.nan for k, cells in enumerate(rows, 1)]
    )


def _optional(names: Sequence[str], rows: Sequence[Sequence[str]], column: str, name: str) -> Floats | None:
    """Values of a column that only some files have."""
    return _values(rows, names.index(column), name) if column in names else None


def _named(columns: Mapping[str, Floats], words: Sequence[str]) -> str | None:
    """The column of the aperture that is called like one of the words; the first of those."""
    for word in words:
        for column in columns:
            aperture = column.removeprefix(SIGNAL).lower()
            if aperture == word or re.fullmatch(rf"{word}[-_ ]?\d*", aperture):
                return column
    return None


def _target(
    columns: Mapping[str, Floats], rows: Sequence[Sequence[str]], names: Sequence[str]
) -> tuple[str | None, tuple[Note, ...]]:
    """The aperture that is called the target's, and a note where pixels of it were marked as defects."""
    target = _named(columns, TARGETS) or (next(iter(columns)) if len(columns) == 1 else None)
    if target is None:
        return None, ()
    hit = int(np.count_nonzero(_defects(names, rows, target)))
    text = f"PyMovie marks a defective pixel in the target's mask in {hit} rows"
    return target, (Note(Caveat.DEFECTIVE_PIXELS, text),) if hit else ()


def _defects(names: Sequence[str], rows: Sequence[Sequence[str]], target: str) -> NDArray[np.bool_]:
    column = f"hit-defect-{target.removeprefix(SIGNAL)}"
    if column not in names:
        return np.zeros(len(rows), np.bool_)
    at = names.index(column)
    return np.array(
        [at < len(cells) and cells[at].strip() not in {"", "0", "0.0"} for cells in rows], np.bool_
    )


def _flags(names: Sequence[str], rows: Sequence[Sequence[str]], target: str | None) -> NDArray[np.uint32]:
    """Bits that Umbra wrote, and repaired where PyMovie marks a defect."""
    flags = np.zeros(len(rows), np.uint32)
    if target is not None:
        flags[_defects(names, rows, target)] |= np.uint32(Flag.REPAIRED.value)
    if "flags" in names:
        at = names.index("flags")
        for k, cells in enumerate(rows):
            text = cells[at].strip() if at < len(cells) else ""
            if text.isascii() and text.isdigit():
                flags[k] |= np.uint32(int(text[-9:]) & 0xFFFFFFFF)
    return flags


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1e30 else None


def _exposure(said: Mapping[str, str], text: str) -> float:
    """Exposure that the header states, seconds; NaN where it does not."""
    step = _ROTE_STEP.search(text)
    for words in (said.get("exposure_s", ""), said.get("frame_time", ""), step.group(1) if step else ""):
        value = _positive(words.removesuffix("sec").strip())
        if value is not None and value < DAY_NS * 1e-9:
            return value
    return float("nan")


def _meaning(said: Mapping[str, str], video: bool, fields: bool) -> tuple[Instant | None, Insertion | None]:
    """Which instant the header says a time names, or of which field an inserter's is."""
    stated = said.get("time meaning", "").partition(" ")[0].partition(",")[0]
    known: dict[str, Instant] = {"start": "start", "mid": "mid", "mid-exposure": "mid", "end": "end"}
    if stated in known:
        return known[stated], None
    if video and fields:
        return "end", None
    return None, "first field" if video else None
