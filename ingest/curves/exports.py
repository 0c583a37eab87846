"""Light curves in the forms of other programs, and in Umbra's own: the table of forms, and the writing."""

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.curves.about import SCHEMA, beside
from ingest.curves.curve_table import CurveTable
from ingest.durable import put
from reduction.errors import RequestError, ResourceError
from reduction.version import VERSION


@dataclass(frozen=True, slots=True)
class Form:
    """A form that a light curve is written in.

    Attributes
    ----------
    name : str
        As ``--as`` takes it.
    module : str
        Of `ingest.curves`, with ``write(table) -> bytes``; imported on use.
    suffixes : tuple of str
        By which the form is known where ``--as`` is not given.
    holds : str
        What of the curve it holds, for the documentation.
    limit : str
        How exactly it holds times and fluxes.
    bare : bool
        It has no place for what the numbers mean: ``NAME.about.json`` is written beside it.
    """

    name: str
    module: str
    suffixes: tuple[str, ...]
    holds: str
    limit: str
    bare: bool = False


_ALL = "every column, flags, words"
FORMS: tuple[Form, ...] = (
    Form("csv", "own_csv", (), "the columns of `lightcurve.csv`", "1 µs; fluxes 9 digits", bare=True),
    Form("ecsv", "own_ecsv", (".ecsv",), _ALL, "1 ns; fluxes exact"),
    Form("fits", "own_fits", (".fits", ".fit"), _ALL, "1 ns; fluxes exact"),
    Form("parquet", "own_parquet", (".parquet",), _ALL, "1 ns; fluxes exact"),
    Form("votable", "own_votable", (".vot", ".votable", ".xml"), _ALL, "1 ns; fluxes exact"),
    Form(
        "sora",
        "as_sora",
        (".dat", ".sora"),
        "usable samples: seconds, flux, its error; words",
        "1 ns; fluxes exact",
    ),
    Form("portal", "as_portal", (), "usable samples: ISO time, flux", "1 µs; fluxes exact", bare=True),
    Form(
        "pyote",
        "as_pyote",
        (),
        "usable samples: time, flux, error, flags, exposure; words",
        "1 µs; fluxes exact",
    ),
    Form("tangra", "as_tangra", (), "usable samples: time, flux; settings", "1 ms; fluxes exact"),
)


def form_of(name: str | None, out: Path) -> Form:
    """The form asked for, or the one that the file's name ends in.

    Raises
    ------
    RequestError
        There is no such form.
    """
    known = ", ".join(form.name for form in FORMS)
    for form in FORMS:
        if form.name == name or (name is None and out.suffix.lower() in form.suffixes):
            return form
    if name is None:
        raise RequestError(f"--out {out}: its ending tells no form; give --as, one of {known}")
    raise RequestError(f"--as {name}: no such form; known are {known}")


def export_curve(table: CurveTable, form: Form, out: Path, overwrite: bool = False) -> tuple[Path, ...]:
    """Write a light curve; the file is whole or not there.

    Parameters
    ----------
    table : CurveTable
    form : Form
    out : Path
        The file; parents are made.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    tuple of Path
        The file, and the one about it where the form is bare.

    Raises
    ------
    RequestError
        It exists, or the form cannot hold this curve.
    ResourceError
        It cannot be written.
    """
    files = (out, beside(out)) if form.bare else (out,)
    if out.is_dir():
        raise RequestError(f"--out {out}: is a folder; name a file in it")
    for path in files:
        if path.exists() and not overwrite:
            raise RequestError(f"--out {path}: exists; add --overwrite, or name another file")
    data: bytes = importlib.import_module(f"ingest.curves.{form.module}").write(table)
    about = json.dumps(_about(table, data), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        for path, part in zip(files, (data, about.encode()), strict=False):
            put(path, [part])
    except OSError as error:
        raise ResourceError(f"--out {out}: cannot be written: {error.strerror or error}") from error
    return files


def _about(table: CurveTable, data: bytes) -> Mapping[str, object]:
    """What a bare form cannot hold."""
    return {
        "schema": SCHEMA,
        "sha256": hashlib.sha256(data).hexdigest(),
        "written_by": f"Umbra {VERSION}",
        "name": table.name,
        "program": table.program,
        "time_meaning": "mid",
        "time_scale": "UTC" if table.dated else None,
        "exposure_s": middle(table.exposure_s),
        "time_sigma_s": middle(table.utc_sigma_s),
        "level": 1.0,
        "left_out": int(np.count_nonzero(~writable(table))),
        "provenance": dict(table.provenance),
        "caveats": [[note.caveat.value, note.message] for note in table.notes],
    }


def middle(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float | None:
    """Median of the known values; None without one."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None


def writable(table: CurveTable) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Samples with a time and a flux: the forms of other programs hold no others."""
    good: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = table.usable & table.timed
    if not good.any():
        raise RequestError(f"{table.name}: no sample has both a time and a flux; there is nothing to export")
    return good


def require_dated(table: CurveTable, form: str) -> None:
    """Refuse a curve without dates for a form of dates."""
    if not table.dated:
        raise RequestError(
            f"{table.name}: --as {form} needs UTC, and the curve has none; give --date or --tref"
        )


def said(table: CurveTable, form: str) -> list[str]:
    """Comment lines about a curve, for forms of text: meaning, exposure, sigma, provenance, caveats."""
    out = [f"# Umbra {VERSION}: light curve of {one_line(table.name)}, {form}", "# time meaning: mid"]
    for key, value in (("exposure_s", middle(table.exposure_s)), ("time_sigma_s", middle(table.utc_sigma_s))):
        if value is not None:
            out.append(f"# {key}: {value!r}")
    left = int(np.count_nonzero(~writable(table)))
    if left:
        out.append(f"# samples left out, without a time or a usable flux: {left}")
    out += [
        f"# umbra {one_line(key).lower()}: {one_line(value)}"
        for key, value in sorted(table.provenance.items())
    ]
    return out + [f"# caveat {note.caveat.value}: {one_line(note.message)}" for note in table.notes]


def one_line(text: str) -> str:
    """Text on one line."""
    return " ".join(text.split())
