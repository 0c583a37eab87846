"""Columns and words by which Umbra writes and reads light curves as ECSV, FITS, VOTable and Parquet."""

import datetime
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.curves.curve_table import FURTHER, CurveTable
from ingest.instants import DAY_NS, parse_utc
from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.outputs.tables import LIGHTCURVE_COLUMNS
from reduction.timing import UNKNOWN_NS, utc_text
from reduction.version import VERSION

SCHEMA = "umbra-curve-1"
"""The number rises when a column or word goes or changes its meaning."""

MARK = "umbra_curve"
"""The word that says that a table is one of these; its value is `SCHEMA`."""

UTC_DIGITS = 9
_MEANINGS = {column.name: column for column in LIGHTCURVE_COLUMNS}
_TYPES: Mapping[str, str] = {"flags": "int64", "baseline": "uint8", "utc": "str"}


class OwnColumn(NamedTuple):
    """A column: name, unit, meaning, values (float64, int64, uint8, or text of equal or lesser length)."""

    name: str
    unit: str
    meaning: str
    values: NDArray[Any]


def midnight_before(table: CurveTable) -> int:
    """UTC midnight of the day of the first sample, nanoseconds; 0 where the curve is undated."""
    timed = table.timed
    return int(table.mid_ns[timed].min()) // DAY_NS * DAY_NS if table.dated and timed.any() else 0


def utc_column(mid_ns: NDArray[np.int64], digits: int = UTC_DIGITS) -> list[str]:
    """ISO-8601 UTC of each sample; empty where unknown."""
    return [utc_text(ns, digits) for ns in mid_ns.tolist()]


def own_columns(table: CurveTable) -> list[OwnColumn]:
    """The columns of a curve, those of ``lightcurve.csv`` and seconds after midnight besides."""
    origin = midnight_before(table)
    zero = utc_text(origin, 0) if table.dated else "an origin of the file's own"
    seconds = np.where(table.timed, np.where(table.timed, table.mid_ns - origin, 0) * 1e-9, np.nan)
    found = [_column("frame", table.frame)]
    if table.dated:
        found.append(_column("utc", np.array(utc_column(table.mid_ns))))
    found.append(OwnColumn("time_s", "s", f"mid-exposure, seconds after {zero}", seconds))
    own = {
        "exposure_s": table.exposure_s,
        "flux_norm": table.flux,
        "flux_norm_sigma": table.sigma,
        "utc_sigma_s": table.utc_sigma_s,
        "flags": table.flags.astype(np.int64),
    }
    found += [_column(name, values) for name, values in own.items()]
    return found + [_column(name, table.further[name]) for name in FURTHER if name in table.further]


def _column(name: str, values: NDArray[Any]) -> OwnColumn:
    said = _MEANINGS[name]
    meaning = said.meaning.replace("microseconds", "nanoseconds") if name == "utc" else said.meaning
    kind = _TYPES.get(name, "float64")
    unit = "" if name in {"utc", "flags"} else said.unit
    return OwnColumn(name, unit, meaning, values if kind == "str" else values.astype(kind))


def own_words(table: CurveTable) -> dict[str, str]:
    """What is told of the whole curve: schema, meaning of its times, provenance, caveats (JSON)."""
    words = {
        MARK: SCHEMA,
        "name": table.name,
        "program": table.program,
        "written_by": f"Umbra {VERSION}",
        "time_meaning": "mid",
        "time_scale": "UTC" if table.dated else "none",
        "level": repr(float(table.level)),
    }
    if table.dated:
        words["time_reference"] = utc_text(midnight_before(table), 0)
    words["provenance"] = json.dumps(dict(table.provenance), ensure_ascii=False, sort_keys=True)
    words["caveats"] = json.dumps([[n.caveat.value, n.message] for n in table.notes], ensure_ascii=False)
    return words


def own_table(columns: Mapping[str, NDArray[Any]], words: Mapping[str, str], name: str) -> CurveTable:
    """The curve of columns and words as `own_columns` and `own_words` make them.

    Parameters
    ----------
    columns : mapping
        Arrays by lower-case name; `utc` as texts or as nanoseconds.
    words : mapping
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        They are not such.
    """
    if words.get(MARK) != SCHEMA:
        raise DataError(f"{name}: a light curve of form {words.get(MARK)!r}; this version reads {SCHEMA!r}")
    missing = [n for n in ("frame", "exposure_s", "flux_norm", "flags", "time_s") if n not in columns]
    if missing:
        raise DataError(f"{name}: a light curve of Umbra without its column {missing[0]}; is it damaged?")
    frame = _floats(columns, "frame", name)
    if not frame.size or not np.isfinite(frame).all():
        raise DataError(f"{name}: a light curve of Umbra without rows, or with a frame that is no number")
    dated = words.get("time_scale") == "UTC"
    mid = _utc(columns, name) if dated else _nanoseconds(_floats(columns, "time_s", name))
    return CurveTable(
        name=words.get("name") or name,
        program=words.get("program") or "Umbra",
        frame=frame,
        mid_ns=mid,
        dated=dated and bool((mid != UNKNOWN_NS).any()),
        exposure_s=_floats(columns, "exposure_s", name),
        utc_sigma_s=_floats(columns, "utc_sigma_s", name),
        flux=_floats(columns, "flux_norm", name),
        sigma=_floats(columns, "flux_norm_sigma", name),
        flags=_flags(columns["flags"], name),
        level=_level(words.get("level", "")),
        notes=_notes(words.get("caveats", ""), name),
        provenance=_provenance(words.get("provenance", ""), name),
        further=_further(columns, name),
    )


def _floats(columns: Mapping[str, NDArray[Any]], column: str, name: str) -> NDArray[np.float64]:
    if column not in columns:
        return np.full(columns["frame"].size, np.nan)
    try:
        return columns[column].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: column {column}: {error}; is the file damaged?") from error


def _further(columns: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {n: _floats(columns, n, name) for n in FURTHER if n in columns}
    if "baseline" in found:
        found["baseline"] = found["baseline"] == 1
    return found


def _flags(values: NDArray[Any], name: str) -> NDArray[np.uint32]:
    try:
        bits = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: column flags: {error}; is the file damaged?") from error
    if not ((bits >= 0) & (bits < 2**32) & (bits % 1 == 0)).all():
        raise DataError(f"{name}: column flags holds what is no sum of bits; is the file damaged?")
    return bits.astype(np.uint32)


def _nanoseconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Nanoseconds of seconds; unknown where they are no number or beyond a century."""
    known = np.abs(seconds) < 3.2e9
    return np.where(known, np.rint(np.where(known, seconds, 0.0) * 1e9).astype(np.int64), UNKNOWN_NS)


def _utc(columns: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.int64]:
    if "utc" not in columns:
        raise DataError(f"{name}: a light curve of Umbra without its column utc; is it damaged?")
    values = columns["utc"]
    if values.dtype.kind == "i":
        return values.astype(np.int64)
    out = np.full(values.size, UNKNOWN_NS, np.int64)
    for k, cell in enumerate(values.tolist()):
        text = str(cell).strip()
        if not text:
            continue
        parsed = parse_utc(text)
        if parsed is None:
            raise DataError(f"{name}: row {k + 1}: utc is {text[:40]!r}; is the file damaged?")
        out[k] = parsed[0]
    return out


def _level(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return value if 0 < value < 1e30 else 1.0


def _provenance(text: str, name: str) -> dict[str, str]:
    found = _json(text, name)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _notes(text: str, name: str) -> tuple[Note, ...]:
    known = {caveat.value: caveat for caveat in Caveat}
    found = _json(text, name)
    rows = found if isinstance(found, list) else []
    return tuple(
        Note(known[row[0]], str(row[1]))
        for row in rows
        if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and row[0] in known
    )


def _json(text: str, name: str) -> object:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: its provenance cannot be read: {error}") from error


def day_text(ns: int) -> str:
    """``YYYY-MM-DD`` of a UTC time."""
    return f"{datetime.date(1970, 1, 1) + datetime.timedelta(days=ns // DAY_NS)}"
