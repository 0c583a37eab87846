"""The verb `umbra chords`: the limb from the chords of a campaign."""

import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ingest.chord_files import contents_of, json_text
from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError
from reduction.limb.campaign import read_campaign
from reduction.limb.ellipse import Model
from reduction.limb.study import study
from reduction.limb.tables import text

MODELS: dict[str, Model | None] = {"auto": None, "circle": "circle", "ellipse": "ellipse"}


def chords(arguments: list[str]) -> int:
    """Run `umbra chords`; returns the exit code."""
    return run_verb("chords", _chords, arguments)


def _chords(
    campaign: Annotated[
        Path, typer.Argument(metavar="CAMPAIGN", help="campaign.toml, a CSV of stations, or their folder.")
    ],
    prediction: Annotated[
        Path | None, typer.Option("--prediction", metavar="FILE", help="Occelmnt XML, instead of the file's.")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="ID", help="Which event of it: id, number or name.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="auto|circle|ellipse", help="Limb to fit (auto).")
    ] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws of the posterior (0).")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write table, fit, figures and ADES there.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Lay the stations' times into the sky plane, fit the limb, name stations whose times are shifted."""
    if model not in MODELS:
        raise RequestError(f"--model {model}: not one of {', '.join(MODELS)}")
    read = read_campaign(campaign, prediction, event)
    found = study(read, MODELS[model], seed)
    notes = list(read.notes)
    if out is not None:
        contents = contents_of(found, notes)
        _put(out, contents, overwrite)
    if as_json:
        sys.stdout.write(json_text(found))
        return
    sys.stdout.write(text(found))
    for note in notes:
        sys.stdout.write(f"note: {note}\n")
    if out is not None:
        sys.stdout.write(f"{out}: {', '.join(contents)}\n")


def _put(out: Path, contents: Mapping[str, bytes], overwrite: bool) -> None:
    """Write every file beside its place, then rename them; nothing is replaced unasked."""
    there = [name for name in contents if (out / name).exists()]
    if there and not overwrite:
        raise RequestError(f"--out {out}: {there[0]} exists; add --overwrite, or name another folder")
    beside: dict[Path, Path] = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            path = out / name
            partial = path.with_name(f".{name}.{uuid.uuid4().hex[:8]}.partial")
            beside[partial] = path
            partial.write_bytes(content)
        for partial, path in beside.items():
            partial.replace(path)
    except OSError as error:
        raise ResourceError(f"--out {out}: cannot be written: {error.strerror or error}") from error
    finally:
        for partial in beside:
            partial.unlink(missing_ok=True)
