"""The verb `umbra report`: report forms of one observation."""

import json
import sys
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError
from reduction.record_file import make_record, not_stated
from reduction.record_merge import Merged, merge_raw, record_from
from reduction.record_template import TEMPLATE
from reduction.reports.clock import DAY_NS
from reduction.reports.form import FORMS, WANTED_BY_ALL, Filled

RECORD = "record.json"


class FormName(StrEnum):
    """Forms by the names that `reduction.reports.form.FORMS` gives them."""

    IOTA_NA = "iota-na"
    TT = "tt"
    IOTA_ES = "iota-es"
    OCCULT_XML = "occult-xml"
    TEXT = "text"
    PAGE = "page"
    ALL = "all"


def report(arguments: list[str]) -> int:
    """Run `umbra report`; returns the exit code."""
    return run_verb("report", _report, arguments)


def _report(
    result: Annotated[
        Path | None,
        typer.Argument(
            metavar="RESULT",
            help="Folder of umbra reduce, an events.json, a record, or a filled form to convert.",
        ),
    ] = None,
    observer: Annotated[
        Path | None, typer.Option("--observer", metavar="FILE", help="What the observer states (TOML).")
    ] = None,
    form: Annotated[FormName, typer.Option("--form", help="Which form.")] = FormName.ALL,
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Write them there.")] = None,
    prediction: Annotated[
        Path | None,
        typer.Option("--prediction", metavar="FILE.xml", help="occelmnt file: body, star, predicted time."),
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="N|NAME", help="Which event of the prediction's file.")
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option("--template", metavar="FILE", help="Your own copy of the official form, to be filled."),
    ] = None,
    new: Annotated[
        Path | None, typer.Option("--new", metavar="FILE", help="Write an observer's file to fill in.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Fill report forms from one record; what nobody stated stays empty and is listed."""
    if new is not None:
        if result is not None or observer is not None or out is not None:
            raise RequestError("--new writes an observer's file: give it alone")
        _put({new: TEMPLATE.encode("utf-8")}, overwrite, f"--new {new}")
        sys.stdout.write(f"{new}: fill it in, then umbra report RESULT --observer {new} --out FOLDER\n")
        return
    merged = _with_prediction(_merged(result, observer), prediction, event)
    if out is None:
        _tell(merged, None, [], {}, as_json)
        return
    files, said = _filled(merged, form, template)
    record_text = json.dumps(merged.record.document(), indent=1, ensure_ascii=False) + "\n"
    contents = {out / file.name: file.content for file in files} | {out / RECORD: record_text.encode("utf-8")}
    _put(contents, overwrite, f"--out {out}")
    _tell(merged, out, files, said, as_json)


def _merged(result: Path | None, observer: Path | None) -> Merged:
    """The record; of a filled form as it was read, the observer's word before it."""
    from reduction.reports.conversion import form_of

    name = None if result is None else form_of(result)
    if result is None or name is None:
        return record_from(result, observer)
    read = FORMS[name].read(result)
    notes = (f"{result.name}: read as {FORMS[name].title}", *read.notes)
    if observer is None:
        return Merged(read.record, notes)
    from reduction.reports.conversion import with_observer

    merged = with_observer(read.record, observer)
    return Merged(merged.record, (*notes, *merged.notes))


def _with_prediction(merged: Merged, prediction: Path | None, event: str | None) -> Merged:
    """The record with body, star and predicted time of a prediction where it states none of its own."""
    if prediction is None:
        if event is not None:
            raise RequestError("--event chooses from a prediction: give --prediction too")
        return merged
    from reduction.record_prediction import predicted

    found, told = predicted(prediction, event, merged.record.site)
    notes = [*merged.notes, *told]
    raw = merge_raw(found, merged.record.document(), notes)
    record = make_record(raw, str(prediction))
    begun, expected = merged.record.recording.started, record.prediction.utc
    if begun is not None and expected is not None and abs(begun - expected) > DAY_NS:
        notes.append(f"{prediction.name}: its event is more than a day from the recording: is it this one?")
    return Merged(record, tuple(notes))


def _filled(
    merged: Merged, form: FormName, template: Path | None
) -> tuple[list[Filled], dict[str, list[str]]]:
    """Files of the forms, and by form what is to be said of it; of all forms, those that fit."""
    names = [name for name in FORMS if form in (FormName.ALL, name)]
    if template is not None and form is FormName.ALL:
        raise RequestError(f"--template {template}: say which form it is, by --form iota-na or --form tt")
    files: list[Filled] = []
    said: dict[str, list[str]] = {}
    for name in names:
        missing = FORMS[name].missing(merged.record)
        try:
            filled = FORMS[name].fill(merged.record, template)
        except RequestError as error:
            if form is not FormName.ALL:
                raise
            said[name] = [str(error)]
            continue
        files += filled
        said[name] = [f"{file.name}: {note}" for file in filled for note in file.notes]
        if missing:
            said[name].append(f"not stated: {', '.join(missing)}")
    if not files:
        raise RequestError(
            "no form can hold this observation: " + "; ".join(note for n in said.values() for note in n)
        )
    return files, said


def _put(contents: dict[Path, bytes], overwrite: bool, option: str) -> None:
    """Write files, each beside its place and then renamed; none where another of that name is there."""
    try:
        new = {path: content for path, content in contents.items() if not _holds(path, content)}
        there = [path.name for path in new if path.exists()]
        if there and not overwrite:
            exist = "exists" if len(there) == 1 else "exist"
            raise RequestError(
                f"{option}: {', '.join(there)} {exist}; add --overwrite, or choose another place"
            )
        for path, content in new.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
            try:
                beside.write_bytes(content)
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
    except OSError as error:
        raise ResourceError(f"{option}: cannot be written: {error.strerror or error}") from error


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _tell(
    merged: Merged, out: Path | None, files: list[Filled], said: dict[str, list[str]], as_json: bool
) -> None:
    record = merged.record
    missing = not_stated(record, WANTED_BY_ALL)
    if as_json:
        document = {
            "umbra_report": 1,
            "record": record.document(),
            "notes": merged.notes,
            "not_stated": missing,
            "files": [] if out is None else [str(out / file.name) for file in files],
            "forms": said,
        }
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        return
    body = " ".join(
        part
        for part in (
            f"({record.asteroid.number})" if record.asteroid.number else "",
            record.asteroid.name or "unnamed body",
        )
        if part
    )
    day = record.event_date
    lines = [f"{body}, {'undated' if day is None else day.isoformat()}: {record.status}"]
    lines += [f"  {note}" for note in merged.notes]
    if out is None:
        lines.append(
            f"  not stated: {', '.join(missing)}" if missing else "  nothing that every form wants is missing"
        )
        lines.append("  nothing was written; name a folder by --out")
    for file in files:
        lines.append(f"  wrote {Path(out or '.') / file.name}")
    for name, notes in said.items():
        lines += [f"  {name}: {note}" for note in notes]
    sys.stdout.write("\n".join(lines) + "\n")
