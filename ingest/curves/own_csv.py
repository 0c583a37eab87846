"""``lightcurve.csv`` of Umbra, and the folder that a reduction wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest.curves.curve_table import CurveTable, table_of
from reduction.caveats import Caveat, Note
from reduction.errors import DataError, RequestError
from reduction.outputs.tables import read_lightcurve

FIRST = b"frame,utc,exposure_s,target_flux,"
TABLE, SUMMARY = "lightcurve.csv", "summary.json"


def recognise(head: bytes) -> bool:
    """Whether the first bytes of a file are of ``lightcurve.csv``."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith(FIRST)


def read(path: Path) -> CurveTable:
    """Read the file; what stands in ``summary.json`` beside it tells where it came from.

    Raises
    ------
    DataError
        It is damaged.
    """
    curve = read_lightcurve(path)
    if not curve.frame.size:
        raise DataError(f"{path}: a light curve of Umbra without a row")
    summary = _summary(path.with_name(SUMMARY)) if path.name == TABLE else {}
    source = summary.get("input")
    name = source.get("name") if isinstance(source, dict) else None
    return table_of(
        curve, str(name) if name else path.name, _provenance(summary), tuple(_notes(summary.get("caveats")))
    )


def of_folder(folder: Path) -> Path:
    """The light curve of a folder that `umbra reduce` wrote.

    Raises
    ------
    RequestError
        It holds none.
    """
    path = folder / TABLE
    if not path.is_file():
        raise RequestError(f"{folder}: a folder without {TABLE}; give what umbra reduce wrote, or a file")
    return path


def _summary(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: no summary of Umbra: it holds {type(found).__name__}")
    return found


def _provenance(summary: Mapping[str, Any]) -> dict[str, str]:
    """Version, digests and the origin of the times, as text."""
    found: dict[str, str] = {}
    source, run = summary.get("input"), summary.get("provenance")
    if isinstance(source, dict):
        words = {"times": "time_source", "time stamps marked": "time_meaning", "recording": "name"}
        found |= {key: str(source[field]) for key, field in words.items() if source.get(field)}
    if isinstance(run, dict):
        fields = ("version", "key", "plan_digest", "pixel_digest", "time_digest")
        found |= {field.replace("_", " "): str(run[field]) for field in fields if run.get(field)}
    return found


def _notes(caveats: object) -> list[Note]:
    """Caveats of the reduction that this version knows."""
    known = {caveat.value: caveat for caveat in Caveat}
    rows = caveats if isinstance(caveats, list) else []
    return [
        Note(known[row["code"]], str(row.get("message", "")))
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("code"), str) and row["code"] in known
    ]
