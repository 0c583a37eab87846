"""``lightcurve.csv`` of Umbra, and the folder that a reduction wrote."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ingest.curves.curve_table import FURTHER, CurveTable, Floats, table_of
from reduction.caveats import Caveat, Note
from reduction.errors import DataError, RequestError
from reduction.outputs.tables import read_lightcurve, write_lightcurve
from reduction.result import LightCurve
from reduction.timing import UNKNOWN_NS

MOST_SECONDS = 3.2e9

SECONDS = "time_s"
"""A further column of a curve without dates: seconds after an origin of the file's own."""

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
    seconds = _seconds(path)
    summary = _summary(path.with_name(SUMMARY)) if path.name == TABLE else {}
    source = summary.get("input")
    name = source.get("name") if isinstance(source, dict) else None
    table = table_of(
        curve, str(name) if name else path.name, _provenance(summary), tuple(_notes(summary.get("caveats")))
    )
    if table.dated or seconds is None:
        return table
    known = np.abs(seconds) < MOST_SECONDS
    ns = np.rint(np.where(known, seconds, 0.0) * 1e9).astype(np.int64)
    return replace(table, mid_ns=np.where(known, ns, UNKNOWN_NS))


def write(table: CurveTable) -> bytes:
    """The bytes of ``lightcurve.csv``; columns that only a reduction has are empty in other curves."""
    nothing = np.full(table.frame.size, np.nan)
    further = {name: table.further.get(name, nothing) for name in FURTHER}
    curve = LightCurve(
        frame=table.frame,
        mid_ns=table.mid_ns if table.dated else np.full(table.frame.size, UNKNOWN_NS),
        utc_sigma_s=table.utc_sigma_s,
        exposure_s=table.exposure_s,
        flux_norm=table.flux,
        flux_norm_sigma=table.sigma,
        flags=table.flags,
        **{
            **further,
            "baseline": np.asarray(table.further.get("baseline", np.zeros(nothing.size, bool)), bool),
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / TABLE
        write_lightcurve(curve, path)
        data = path.read_bytes()
    return data if table.dated or not table.timed.any() else _with_seconds(data, table)


def _with_seconds(data: bytes, table: CurveTable) -> bytes:
    """The same with one further column: seconds of a curve without dates."""
    header, *rows = data.decode().splitlines()
    times = zip(rows, table.mid_ns.tolist(), table.timed.tolist(), strict=True)
    out = [f"{header},{SECONDS}", *(f"{row},{ns * 1e-9!r}" if ok else f"{row}," for row, ns, ok in times)]
    return ("\n".join(out) + "\n").encode()


def _seconds(path: Path) -> Floats | None:
    """The column of seconds, where the file has one."""
    import pyarrow as pa
    import pyarrow.csv

    with path.open("rb") as file:
        header = file.readline(4096).decode("utf-8", errors="replace")
    if not header.rstrip().endswith(f",{SECONDS}"):
        return None
    options = pyarrow.csv.ConvertOptions(column_types={SECONDS: pa.float64()}, include_columns=[SECONDS])
    try:
        found: Floats = pyarrow.csv.read_csv(path, convert_options=options).column(SECONDS).to_numpy()
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise DataError(f"{path}: not a light curve of Umbra: {error}") from error
    return np.where(np.isfinite(found), found, np.inf)


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
