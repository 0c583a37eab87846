"""The verb `umbra lightcurve`: a light curve in another form."""

import json
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ingest.curve_arguments import ARGUMENTS, Words, curve_options, with_arguments
from ingest.curves.curve_table import CurveTable
from ingest.curves.dialects import read_table
from ingest.curves.exports import export_curve, form_of, middle
from reduction.command import run_verb
from reduction.errors import RequestError
from reduction.timing import utc_text


def lightcurve(arguments: list[str]) -> int:
    """Run `umbra lightcurve`; returns the exit code."""
    return run_verb("lightcurve", with_arguments(_lightcurve, curve=ARGUMENTS), arguments)


def _lightcurve(
    path: Annotated[
        Path, typer.Argument(metavar="RESULT|FILE", help="What umbra reduce wrote, or a light curve's file.")
    ],
    curve: Words,
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="FORM",
            help="sora, portal, pyote, tangra, ecsv, fits, parquet, votable, csv (else by --out's ending).",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Tell what a light curve's file holds, and write it in another program's form."""
    table = read_table(path, curve_options(curve))
    files: tuple[Path, ...] = ()
    if out is not None:
        if out.resolve() == path.resolve():
            raise RequestError(f"--out {out}: is the light curve itself; name another file")
        files = export_curve(table, form_of(form, out), out, overwrite)
    elif form is not None:
        raise RequestError(f"--as {form}: give --out too, the file to write")
    document = described(table) | {"written": [str(file) for file in files]}
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_text(table, document, files))


def described(table: CurveTable) -> dict[str, object]:
    """What a light curve holds, as JSON can."""
    times = table.mid_ns[table.timed]
    ordered = np.sort(times)
    steps = np.diff(ordered)
    return {
        "umbra_lightcurve": 1,
        "name": table.name,
        "program": table.program,
        "samples": int(table.frame.size),
        "usable": int(np.count_nonzero(table.usable)),
        "timed": int(times.size),
        "first_utc": utc_text(int(ordered[0])) if table.dated and times.size else None,
        "last_utc": utc_text(int(ordered[-1])) if table.dated and times.size else None,
        "cadence_s": float(np.median(steps)) * 1e-9 if steps.size else None,
        "exposure_s": middle(table.exposure_s),
        "time_sigma_s": middle(table.utc_sigma_s),
        "level": table.level,
        "target": table.provenance.get("target"),
        "reference": table.provenance.get("reference"),
        "caveats": [{"code": note.caveat.value, "message": note.message} for note in table.notes],
    }


def _text(table: CurveTable, document: dict[str, object], files: tuple[Path, ...]) -> str:
    def seconds(key: str) -> str:
        value = document[key]
        return f"{value:.6g} s" if isinstance(value, float) else "unknown"

    span = f"{document['first_utc']} to {document['last_utc']}" if document["first_utc"] else "no dates"
    lines = [
        f"{table.name}: {table.program}, {document['samples']} samples, {document['usable']} usable",
        f"  times: {span}; cadence {seconds('cadence_s')}, exposure {seconds('exposure_s')}, "
        f"one sigma {seconds('time_sigma_s')}",
    ]
    if table.provenance.get("target"):
        over = f" over {table.provenance['reference']}" if "reference" in table.provenance else ""
        lines.append(f"  flux: {table.provenance['target']}{over}, out-of-event level {table.level:.6g}")
    lines += [f"  {note.caveat.value}: {note.message}" for note in table.notes]
    lines += [f"written: {file}" for file in files]
    return "\n".join(lines) + "\n"
