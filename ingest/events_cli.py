"""The verb `umbra events`: what a light curve says of an occultation."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ingest.curve_arguments import ARGUMENTS as CURVE
from ingest.curve_arguments import Words, curve_options, with_arguments
from ingest.curves.curve_table import CurveTable
from ingest.curves.dialects import read_table
from ingest.curves.own import day_text
from ingest.curves.settled import CurveOptions
from ingest.durable import put
from ingest.event_arguments import ARGUMENTS as EVENT
from ingest.event_arguments import event_settings
from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError
from reduction.events.analyse import analyse
from reduction.events.curve import EventCurve
from reduction.events.document import SCHEMA, analysis_text, document
from reduction.events.results import EventAnalysis
from reduction.events.settings import EventSettings

JSON, PAGE = "events.json", "events.html"
FILES = (JSON, PAGE, "events.png", "events.svg", "events.pdf")
"""What a folder of `--out` holds."""

HALF_DAY_NS = 43_200 * 10**9


def events(arguments: list[str]) -> int:
    """Run `umbra events`; returns the exit code."""
    return run_verb("events", with_arguments(_events, curve=CURVE, event=EVENT), arguments)


def _events(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|RESULT...", help="Light curves: files, or what umbra reduce wrote."),
    ],
    curve: Words,
    event: Words,
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", metavar="FILE", help="Another curve of the same event, laid upon it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write JSON, figures and a page there.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of an earlier run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Look for events in light curves, and time them."""
    options = curve_options(curve)
    settings = event_settings(event, options.exposure_s)
    if overlay is not None and len(paths) > 1:
        raise RequestError("--overlay is laid upon one curve: give one FILE")
    folders = _folders(paths, out, overwrite)
    documents = []
    for number, path in enumerate(paths):
        table = read_table(path, options)
        found = _looked(table.event_curve(), settings, None if overlay is None else (overlay, table))
        if folders:
            _write(found, folders[number])
        documents.append(found.document)
        if not as_json:
            where = f"written: {folders[number]}\n" if folders else ""
            sys.stdout.write(found.text + where)
    if as_json:
        whole = documents[0] if len(documents) == 1 else {"schema": SCHEMA, "curves": documents}
        sys.stdout.write(json.dumps(whole, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


class _Found:
    """A curve, its analysis, and what was laid upon it."""

    def __init__(
        self, curve: EventCurve, analysis: EventAnalysis, settings: EventSettings, other: Any
    ) -> None:
        self.curve, self.analysis, self.settings, self.other = curve, analysis, settings, other
        self.document = document(analysis, curve, settings)
        self.text = analysis_text(analysis, curve)
        if other is None:
            return
        from reduction.outputs.event_figure import offset_text

        offset = other.offset
        self.text += f"  overlay: {offset_text(other)}, correlation {offset.correlation:.3f}\n"
        self.document["overlay"] = {
            "name": other.curve.name,
            "offset_s": offset.seconds,
            "sigma_s": offset.sigma_s,
            "offset_frames": offset.frames,
            "sigma_frames": offset.frames_sigma,
            "correlation": offset.correlation,
            "samples": offset.samples,
        }


def _looked(curve: EventCurve, settings: EventSettings, overlay: tuple[Path, CurveTable] | None) -> _Found:
    analysis = analyse(curve, settings)
    if overlay is None:
        return _Found(curve, analysis, settings, None)
    from reduction.events.alongside import offset_between
    from reduction.outputs.event_figure import Overlay

    other = _other(*overlay)
    return _Found(curve, analysis, settings, Overlay(other, offset_between(curve, other)))


def _other(path: Path, ours: CurveTable) -> EventCurve:
    """The curve to be laid upon ours; times of day take our date.

    Raises
    ------
    RequestError
        One of the two has no dates, and they cannot be had from the other.
    """
    table = read_table(path)
    if table.dated == ours.dated:
        return table.event_curve()
    if not ours.dated:
        raise RequestError(f"{ours.name}: no dates; give --date, so that {path.name} can be laid upon it")
    first = int(ours.mid_ns[ours.timed].min())
    moved = read_table(path, CurveOptions(date=day_text(first)))
    if not moved.dated:
        raise RequestError(f"{path.name}: no times that could be laid upon {ours.name}")
    late = int(moved.mid_ns[moved.timed].min()) - first
    days = -1 if late > HALF_DAY_NS else 1 if late < -HALF_DAY_NS else 0
    shifted = moved.mid_ns + days * 2 * HALF_DAY_NS * moved.timed
    return replace(moved, mid_ns=shifted).event_curve()


def _folders(paths: list[Path], out: Path | None, overwrite: bool) -> list[Path]:
    """A folder for each curve, checked before any work.

    Raises
    ------
    RequestError
        One holds files that are not an earlier run's, or is to be replaced unasked.
    """
    if out is None:
        return []
    names = [path.resolve().name if path.is_dir() else path.stem for path in paths]
    if len(paths) > 1 and len(set(names)) < len(names):
        raise RequestError("--out: two of the curves have one name; give them one by one")
    folders = [out] if len(paths) == 1 else [out / name for name in names]
    for folder in folders:
        if folder.exists() and not folder.is_dir():
            raise RequestError(f"--out {folder}: is a file; name a folder")
        there = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if there & set(FILES) and not overwrite:
            raise RequestError(
                f"--out {folder}: holds an earlier run; add --overwrite, or name another folder"
            )
        if there - set(FILES):
            strange = sorted(there - set(FILES))[0]
            raise RequestError(f"--out {folder}: holds {strange}, not of this verb; name another folder")
    return folders


def _write(found: _Found, folder: Path) -> None:
    """Figures and page, and the document last: where it is, all of them are whole."""
    from reduction.events.drawn import drawn
    from reduction.outputs.event_figure import rendered
    from reduction.outputs.event_page import event_page

    model = drawn(found.curve, found.analysis, found.settings)
    pictures = rendered(found.curve, found.analysis, model, found.other)
    page = event_page(found.curve, found.analysis, model, pictures["png"], found.other)
    text = json.dumps(found.document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    try:
        for kind, data in pictures.items():
            put(folder / f"events.{kind}", [data])
        put(folder / PAGE, [page.encode()])
        put(folder / JSON, [text.encode()])
    except OSError as error:
        raise ResourceError(f"--out {folder}: cannot be written: {error.strerror or error}") from error
