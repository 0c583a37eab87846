"""The verb `umbra path`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from reduction.command import run_verb
from reduction.errors import RequestError
from reduction.geometry.occelmnt import PredictionFile, read_occelmnt
from reduction.geometry.prediction import Prediction
from reduction.geometry.stars import DOUBTFUL_RUWE
from reduction.geometry.stations import Station, read_stations, site_argument
from reduction.timing import utc_text

_SCHEMA = "umbra-summary-path-1"
_SHOWN = 12


def path(arguments: list[str]) -> int:
    """Run `umbra path`; returns the exit code."""
    return run_verb("path", _path, arguments)


def _path(
    prediction: Annotated[Path, typer.Argument(metavar="PREDICTION.xml", help="An occelmnt XML file.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Folder to make.")] = None,
    event: Annotated[
        str | None,
        typer.Option("--event", metavar="N|ID", help="Which event: number, id, or part of a name."),
    ] = None,
    stations: Annotated[
        list[Path] | None, typer.Option("--stations", metavar="FILE.csv", help="Stations (repeatable).")
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            "--site", metavar="LAT,LON[,ALT]|CODE", help="A station, or observatory code (repeatable)."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Predict an occultation's path, and what each station may expect."""
    if out is not None:
        from reduction.outputs.folder import check_out

        check_out(out, overwrite)
    found = read_occelmnt(prediction)
    one = choose_event(prediction, found, event)
    there = [station for file in stations or () for station in read_stations(file)]
    there += [site_argument(text) for text in site or ()]
    _report(one, found.notes, there, out, overwrite, as_json)


def choose_event(path: Path, found: PredictionFile, wanted: str | None) -> Prediction:
    """The one event that is asked for.

    Raises
    ------
    RequestError
        There are several and none is named; or the name fits none, or several.
    """
    events = found.predictions
    if wanted is None:
        matches = list(events)
    elif wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= len(events):
        matches = [events[int(wanted) - 1]]
    else:
        matches = [one for one in events if one.event_id == wanted] or [
            one for one in events if wanted.lower() in f"{one.title} {one.event_id}".lower()
        ]
    if len(matches) == 1:
        return matches[0]
    lines = [
        f"  {number}  {utc_text(one.elements.epoch_ns, 0)}  {one.title}  {one.event_id}"
        for number, one in enumerate(events, 1)
    ]
    shown = "\n".join(lines[:_SHOWN] + ([f"  ... {len(lines)} events"] if len(lines) > _SHOWN else []))
    if wanted is None:
        raise RequestError(f"{path}: {len(events)} events; choose one by --event\n{shown}")
    many = "no event fits" if not matches else f"{len(matches)} events fit"
    raise RequestError(f"{path}: --event {wanted!r}: {many}; there are\n{shown}")


def _report(
    one: Prediction,
    dirt: Sequence[str],
    there: Sequence[Station],
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    # astropy's tables take a moment to import: only after the input is known to be sound
    from reduction.geometry.circumstances import circumstances
    from reduction.geometry.path import shadow_path
    from reduction.geometry.path_files import path_document
    from reduction.geometry.skyplane import sky_plane
    from reduction.geometry.uncertainty import path_error

    plane = sky_plane(one)
    seen = circumstances(plane, [station.site for station in there])
    ground = shadow_path(plane)
    error = path_error(plane)
    notes = [*dirt, *plane.contradictions(), *(error.notes if error is not None else ())]
    notes += star_notes(one)
    if error is None:
        notes.append("the file states no uncertainty: there are no probabilities")
    if not ground.meets_the_earth:
        notes.append("the shadow misses the Earth")
    notes += [f"{station.site.name or 'site'}: {station.note}" for station in there if station.note]
    document = path_document(ground, there, seen, notes)
    if out is not None:
        from reduction.outputs.folder import write_folder
        from reduction.outputs.path_folder import write_path_files

        document = {"schema": _SCHEMA, **document}
        write_folder(out, overwrite, lambda folder: write_path_files(folder, ground, there, seen, document))
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(text_of(document))
    if out is not None:
        sys.stdout.write(f"written: {out}\n")


def star_notes(one: Prediction) -> list[str]:
    """What the file's own flags make doubtful of the star."""
    errors, notes = one.errors, []
    if errors.ruwe is not None and errors.ruwe > DOUBTFUL_RUWE:
        notes.append(f"RUWE of the star is {errors.ruwe:.2f}, above {DOUBTFUL_RUWE}: its place may be off")
    if errors.duplicate_source == "1":
        notes.append("the catalogue calls the star a duplicated source: its place may be off")
    if errors.no_proper_motion == "1":
        notes.append("the star's proper motion is not known: its place may be off")
    return notes


def text_of(document: dict[str, Any]) -> str:
    """What is printed: the event, a table of the stations, notes."""
    centre = document["geocentric"]
    lines = [document["title"]]
    sigma = centre["path_sigma_km"]
    parts = [
        f"closest to the Earth's centre {document['elements_epoch_utc']}",
        f"shadow {centre['shadow_speed_km_s']:.3f} km/s",
        f"path {document['path']['width_km']:.4g} km wide",
        "no uncertainty stated"
        if sigma is None
        else f"1 sigma {sigma:.3g} km and {centre['time_sigma_s']:.2g} s",
        f"at most {centre['max_duration_s']:.4g} s",
    ]
    lines.append("; ".join(parts))
    if document["stations"]:
        lines += ["", *_table(document["stations"])]
    if document["notes"]:
        lines += ["", *(f"note: {note}" for note in document["notes"])]
    return "\n".join(lines) + "\n"


_HEAD = ("station", "predicted UTC", "offset km", "", "chance", "lasts s", "star alt", "Sun alt", "sky")


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    cells = [_HEAD]
    for number, row in enumerate(rows, 1):
        chance = row["probability"]
        cells.append(
            (
                (row["name"] or f"site {number}")[:28],
                row["predicted_utc"][:21].replace("T", " "),
                f"{row['offset_km']:+.2f}",
                row["side"],
                "?" if chance is None else f"{100 * chance:.1f} %",
                f"{row['duration_s']:.2f}" if row["duration_s"] else "miss",
                f"{row['star_altitude_deg']:.1f}",
                f"{row['sun_altitude_deg']:.1f}",
                "star is down" if row["star_altitude_deg"] < 0 else row["darkness"],
            )
        )
    widths = [max(len(line[k]) for line in cells) for k in range(len(_HEAD))]
    left = {0, 1, 3, 8}
    return [
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
