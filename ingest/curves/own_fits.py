"""Umbra's light curve as a FITS binary table (FITS standard 4.0, chapters 7 and 9).

Column TIME is mid-exposure, seconds after MJDREFI, scale TIMESYS; TIMEPIXR = 0.5 says that it is the middle.
Column UTC holds the same in ISO-8601 to the nanosecond.
"""

import io
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.curves.curve_table import CurveTable
from ingest.curves.own import MARK, SCHEMA, OwnColumn, midnight_before, own_columns, own_table, own_words
from ingest.fits_cards import Card, commentary, header_bytes
from ingest.fits_header import BLOCK, FitsHeader, read_cards
from ingest.fits_time_cards import date_text
from ingest.instants import DAY_NS, MJD_OF_UNIX_EPOCH
from reduction.errors import DataError
from reduction.version import VERSION

MAGIC = b"SIMPLE  ="
KEYWORD = "UMBRALC"
MOST_COLUMNS = 64
TIME = "TIME"
_FORMS = {"f": ("1D", ">f8"), "i": ("1K", ">i8"), "u": ("1B", "u1")}
_LONG = 32
"""Characters of JSON in one card, each of which may be written twice."""


def recognise(head: bytes) -> bool:
    """Whether the first bytes are of such a file."""
    return head.startswith(MAGIC) and f"{KEYWORD:<8}=".encode() in head[: 4 * BLOCK]


def write(table: CurveTable) -> bytes:
    """The file's bytes."""
    columns = own_columns(table)
    primary = [
        Card("SIMPLE", True, "FITS standard 4.0"),
        Card("BITPIX", 8),
        Card("NAXIS", 0),
        Card("EXTEND", True),
        Card("ORIGIN", f"Umbra {VERSION}"),
        Card(KEYWORD, SCHEMA, "form of this light curve"),
    ]
    dtype = np.dtype([(column.name, _stored(column)) for column in columns])
    rows = np.zeros(table.frame.size, dtype)
    for column in columns:
        text = column.values.dtype.kind == "U"
        rows[column.name] = np.char.encode(column.values, "ascii") if text else column.values
    data = rows.tobytes()
    cards = [*_structure(columns, dtype, rows.size), *_time_cards(table), *_word_cards(table)]
    return header_bytes(primary) + header_bytes(cards) + data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")


def _stored(column: OwnColumn) -> str:
    if column.values.dtype.kind == "U":
        return f"S{max(1, column.values.dtype.itemsize // 4)}"
    return _FORMS[column.values.dtype.kind][1]


def _structure(columns: list[OwnColumn], dtype: np.dtype[Any], rows: int) -> Iterator[Card]:
    yield Card("XTENSION", "BINTABLE")
    yield Card("BITPIX", 8)
    yield Card("NAXIS", 2)
    yield Card("NAXIS1", dtype.itemsize)
    yield Card("NAXIS2", rows)
    yield Card("PCOUNT", 0)
    yield Card("GCOUNT", 1)
    yield Card("TFIELDS", len(columns))
    yield Card("EXTNAME", "LIGHTCURVE")
    for number, column in enumerate(columns, 1):
        kind = column.values.dtype.kind
        form = f"{dtype[column.name].itemsize}A" if kind == "U" else _FORMS[kind][0]
        name = TIME if column.name == "time_s" else column.name.upper()
        yield Card(f"TTYPE{number}", name, column.meaning)
        yield Card(f"TFORM{number}", form)
        if column.unit and column.unit != "UTC":
            yield Card(
                f"TUNIT{number}",
                {"px": "pixel", "ADU": "adu", "ADU/px": "adu/pixel"}.get(column.unit, column.unit),
            )


def _time_cards(table: CurveTable) -> Iterator[Card]:
    """Scale, reference and meaning of the times (FITS standard 4.0, table 30 and section 9)."""
    yield Card("TIMEUNIT", "s", "unit of TIME")
    yield Card("TIMEPIXR", 0.5, "TIME is the middle of each exposure")
    if table.dated:
        origin, times = midnight_before(table), table.mid_ns[table.timed]
        exposure = float(np.nan_to_num(np.nanmax(np.append(table.exposure_s, 0.0))))
        half = round(0.5e9 * exposure)
        yield Card("TIMESYS", "UTC", "scale of all times here")
        yield Card("TREFPOS", "TOPOCENTER", "times are those at the telescope")
        yield Card("MJDREFI", MJD_OF_UNIX_EPOCH + origin // DAY_NS, "[d] zero of TIME: a midnight, UTC")
        yield Card("MJDREFF", 0.0)
        yield Card("DATE-OBS", date_text(int(times.min()) - half), "UTC, start of the first exposure")
        yield Card("DATE-BEG", date_text(int(times.min()) - half), "UTC, start of the first exposure")
        yield Card("DATE-END", date_text(int(times.max()) + half), "UTC, end of the last exposure")
        yield Card("TSTART", (int(times.min()) - half - origin) * 1e-9, "[s] the same after MJDREF")
        yield Card("TSTOP", (int(times.max()) + half - origin) * 1e-9, "[s]")
    else:
        yield Card("TIMESYS", "LOCAL", "not tied to UTC: seconds of the file's own")
    steps = np.diff(np.sort(table.mid_ns[table.timed]))
    for key, value, what in (
        ("TIMEDEL", float(np.median(steps)) * 1e-9 if steps.size else math.nan, "[s] median interval"),
        ("XPOSURE", _median(table.exposure_s), "[s] median exposure"),
        ("TIMSYER", _median(table.utc_sigma_s), "[s] median one-sigma error of TIME against UTC"),
    ):
        if math.isfinite(value):
            yield Card(key, value, what)


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else math.nan


def _word_cards(table: CurveTable) -> Iterator[Card]:
    """The words about the whole curve as JSON in ASCII, cut into cards, and for people the caveats."""
    text = json.dumps(own_words(table))
    parts = [text[at : at + _LONG] for at in range(0, len(text), _LONG)]
    yield Card("UMBRAW", len(parts), "cards UW00001... hold JSON about this curve")
    for number, part in enumerate(parts, 1):
        yield Card(f"UW{number:05d}", f"<{part}>")
    for note in table.notes:
        yield from commentary("COMMENT", f"Caveat {note.caveat.value}: {note.message}")


def read(data: bytes, name: str) -> CurveTable:
    """Read what `write` wrote.

    Raises
    ------
    DataError
        It is damaged.
    """
    file = io.BytesIO(data)
    read_cards(file, name, first=True, wanted=frozenset({KEYWORD}))
    cards, length = read_cards(file, name, first=False, wanted=_Every())
    if not length:
        raise DataError(f"{name}: a light curve of Umbra without its table; it is cut off")
    header = FitsHeader(name, cards)
    fields = header.count("TFIELDS", high=MOST_COLUMNS)
    width, rows = header.count("NAXIS1", high=1 << 20), header.count("NAXIS2", high=1 << 32)
    dtype = np.dtype([_field(header, number) for number in range(1, fields + 1)])
    start = file.tell()
    if dtype.itemsize != width or not rows or start + rows * width > len(data):
        seen = f"{rows} rows of {width} bytes, fields of {dtype.itemsize}, {len(data) - start} bytes left"
        raise DataError(f"{name}: FITS table of {seen}; the file is damaged or cut off")
    table = np.frombuffer(data, dtype, rows, start)
    columns = {("time_s" if key == "time" else key): _native(table[key]) for key in table.dtype.names or ()}
    return own_table(columns, _words(header), name)


class _Every:
    """All keywords."""

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str)


def _field(header: FitsHeader, number: int) -> tuple[str, str]:
    """Name, lower case, and type of a column."""
    label, form = header.text(f"TTYPE{number}"), header.text(f"TFORM{number}") or ""
    kinds = dict(_FORMS.values())
    count, letter = form[:-1] or "1", form[-1:]
    kind = kinds.get("1" + letter) if count == "1" else None
    if letter == "A" and count.isascii() and count.isdigit() and 0 < int(count[:6]) <= 4096:
        kind = f"S{int(count[:6])}"
    if label is None or kind is None or not label.isascii():
        raise DataError(f"{header.name}: column {number} is {label!r} of form {form!r}; the file is damaged")
    key = label.lower()
    if any((header.text(f"TTYPE{other}") or "").lower() == key for other in range(1, number)):
        raise DataError(f"{header.name}: two columns are called {label}; the file is damaged")
    return key, kind


def _native(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "S":
        return np.array([cell.decode("latin-1") for cell in values.tolist()])
    return values.astype(values.dtype.newbyteorder("="))


def _words(header: FitsHeader) -> dict[str, str]:
    parts = []
    for number in range(1, header.count("UMBRAW", 0, high=20_000) + 1):
        text = header.text(f"UW{number:05d}") or ""
        if not (text.startswith("<") and text.endswith(">")):
            raise DataError(f"{header.name}: card UW{number:05d} is damaged")
        parts.append(text[1:-1])
    try:
        found = json.loads("".join(parts))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{header.name}: {MARK}: its cards UW00001... cannot be read: {error}") from error
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
