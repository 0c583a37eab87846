"""The verb `umbra chords`: the limb from the chords of a campaign."""

import json
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError, UmbraError
from reduction.events.curve import EventCurve
from reduction.limb.ades import ades_psv, ades_xml, observation
from reduction.limb.campaign import Campaign, read_campaign
from reduction.limb.ellipse import Model
from reduction.limb.study import ChordStudy, study
from reduction.limb.tables import chords_csv, document, text

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
        contents = _contents(found, notes)
        _put(out, contents, overwrite)
    if as_json:
        sys.stdout.write(_json(found))
        return
    sys.stdout.write(text(found))
    for note in notes:
        sys.stdout.write(f"note: {note}\n")
    if out is not None:
        sys.stdout.write(f"{out}: {', '.join(contents)}\n")


def _json(found: ChordStudy) -> str:
    return json.dumps(document(found), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _contents(found: ChordStudy, notes: list[str]) -> dict[str, bytes]:
    """Every file by its name."""
    # matplotlib takes a second to import
    from reduction.limb.figures import draw_all
    from reduction.limb.page import page

    body, settings = found.campaign.prediction.body, found.campaign.settings
    remarks = f"{len(found.kept)} chords, {found.limb.model} fitted"
    fields = observation(found.place, body.number, body.name, settings.star_catalogue, remarks)
    if settings.ades is None:
        notes.append("ades.xml and ades.psv name no observers: add [ades] to the campaign to submit them")
    if len(found.limb.solutions) > 1 and found.limb.solutions[1].probability > 0.01:
        notes.append("ades.xml and ades.psv hold the first of several possible centres: do not submit them")
    texts = {
        "chords.csv": chords_csv(found),
        "limb.json": _json(found),
        "limb.txt": text(found),
        "limb.html": page(found),
        "ades.xml": ades_xml(fields, settings.ades),
        "ades.psv": ades_psv(fields, settings.ades),
    }
    pictures = draw_all(found, _curves(found.campaign, notes))
    return {name: one.encode("utf-8") for name, one in texts.items()} | pictures


def _curves(campaign: Campaign, notes: list[str]) -> Mapping[str, EventCurve]:
    """Light curves of the stations whose results are folders of `umbra reduce`."""
    from ingest.curves.dialects import read_curve
    from ingest.curves.settled import CurveOptions

    answer: dict[str, EventCurve] = {}
    for station, result in zip(campaign.stations, campaign.results, strict=True):
        if result is None or not result.is_dir():
            continue
        try:
            answer[station.name] = read_curve(result, CurveOptions())
        except UmbraError as error:
            notes.append(f"{station.name}: its light curve is not drawn: {error}")
    return answer


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
