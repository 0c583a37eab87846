"""The verbs `umbra times` and `umbra retime`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from ingest.cadence import cadence_notes, find_cadence
from ingest.cli import Member, opened_recording
from ingest.frame_status import status_of
from ingest.ocr.options import Vti
from ingest.stack import ZarrStack, open_stack
from ingest.stack_times import put_times, read_times, time_digests, use_times
from ingest.time_arguments import Words, time_options, with_time_options
from ingest.time_plot import write_time_plot
from ingest.time_table import TimeTable, ledger_line
from ingest.time_verdict import judge_times
from ingest.timeoptions import TimeOptions, apply_times
from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError
from reduction.stack import FrameSource
from reduction.timing import TimeSolution, utc_text

SHORT = 12


def times(arguments: list[str]) -> int:
    """Run `umbra times`; returns the exit code."""
    return run_verb("times", with_time_options(_times), arguments)


def retime(arguments: list[str]) -> int:
    """Run `umbra retime`; returns the exit code."""
    return run_verb("retime", with_time_options(_retime), arguments)


def _times(
    paths: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="A recording: file, folder, glob, files, stack.")
    ],
    times: Words,
    member: Member = None,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write the table (-: print).")
    ] = None,
    plot: Annotated[str | None, typer.Option("--plot", metavar="PNG", help="Draw the residuals.")] = None,
    burnt_in: Annotated[
        str | None, typer.Option("--burnt-in", metavar="FILE", help="Write how each line was read (--vti).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Tell the time of every frame, how sure it is, and every correction on its way."""
    if as_json and csv == "-":
        raise RequestError("--json and --csv -: only one of them can be printed")
    with opened_recording(paths, time_options(times), member) as source:
        table = table_of(source)
    if burnt_in is not None:
        _write_reading(paths, time_options(times).vti, member, Path(burnt_in))
    if csv is not None and csv != "-":
        _write(Path(csv), table.csv())
    if plot is not None:
        write_time_plot(Path(plot), table.name, table.times, table.cadence, table.verdict)
    if as_json:
        sys.stdout.write(json.dumps(table.document(), indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(table.csv() if csv == "-" else table.text())


def table_of(source: FrameSource) -> TimeTable:
    """Times of a recording with what is odd about them; repeats too, where its pixels are hashed already."""
    same = same_pixels(source.known_digests) if isinstance(source, ZarrStack) else None
    found = find_cadence(source.times, same)
    notes = list(dict.fromkeys([*source.times.notes, *cadence_notes(found)]))
    verdict = judge_times(source.times, found, [*source.info.notes, *notes])
    return TimeTable(source.info.name, source.times, found, verdict, notes, status_of(source))


def same_pixels(digests: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Frames whose digest (a row) is that of the frame before."""
    same = np.zeros(len(digests), np.bool_)
    same[1:] = (digests[1:] == digests[:-1]).all(axis=1)
    return same


def _retime(
    stack: Annotated[Path, typer.Argument(metavar="STACK.zarr", help="A stack that umbra ingest made.")],
    times: Words,
    use: Annotated[str | None, typer.Option("--use", metavar="DIGEST", help="Make it current.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DIGEST", help="Correct that version (the current one).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Make a new version of a stack's times, or choose one; the pixels and older versions stay."""
    options = time_options(times)
    if use is not None and (times or start is not None):
        raise RequestError("--use chooses a version that is there: give it alone")
    opened = open_stack(stack)
    if use is not None:
        use_times(stack, _version(stack, use))
    elif times:
        base = read_times(stack, None if start is None else _version(stack, start))
        put_times(stack, _retimed(opened, base, options))
    elif start is not None:
        raise RequestError("--from is given without anything to change; see umbra retime --help")
    sys.stdout.write(_versions(stack, as_json))


def _write_reading(paths: list[str], vti: Vti | None, member: str | None, path: Path) -> None:
    """Write what was read of each frame's burnt-in line."""
    if vti is None:
        raise RequestError("--burnt-in tells of a burnt-in time: give --vti-date too")
    from ingest.burnt_in import read_burnt_in
    from ingest.ocr.report import report_csv

    with opened_recording(paths, TimeOptions(), member) as source:
        found = read_burnt_in(source, vti)
        _write(path, report_csv(found, source.info.name))


def _retimed(stack: ZarrStack, base: TimeSolution, options: TimeOptions) -> TimeSolution:
    """Times of a stack after the options: those of a version of its times, or the burnt-in ones."""
    if options.vti is None:
        return apply_times(base, stack.info.frames, options)
    from ingest.burnt_in import burnt_in_times

    return burnt_in_times(stack, options)


def _version(stack: Path, text: str) -> str:
    """The one version whose digest begins with `text`."""
    there = time_digests(stack)
    matches = [digest for digest in there if digest.startswith(text.lower())] if text else []
    if len(matches) != 1:
        found = "none begins so" if not matches else f"{len(matches)} begin so"
        listed = ", ".join(digest[:SHORT] for digest in there)
        raise RequestError(f"{stack}: times {text!r}: {found}; there are {listed}")
    return matches[0]


def _versions(stack: Path, as_json: bool) -> str:
    """Every version of a stack's times, the current one marked."""
    current = read_times(stack).digest
    versions = [(digest, read_times(stack, digest)) for digest in time_digests(stack)]
    if as_json:
        document = {
            "umbra_retime": 1,
            "stack": str(stack),
            "current": current,
            "versions": [_document(digest, one) for digest, one in versions],
        }
        return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    lines = [f"{stack}: {len(versions)} version{'s' if len(versions) > 1 else ''} of its times"]
    for digest, one in versions:
        lines.append(f"  {'*' if digest == current else ' '} {digest[:SHORT]}  {_first(one)}  {one.source}")
        lines += [f"      {line}" for line in _ledger(one)]
    return "\n".join(lines) + "\n"


def _document(digest: str, one: TimeSolution) -> dict[str, object]:
    return {"digest": digest, "first_utc": _first(one), "source": one.source, "ledger": _ledger(one)}


def _first(one: TimeSolution) -> str:
    known = np.flatnonzero(one.known)
    return utc_text(int(one.mid_ns[known[0]])) if known.size else "no times"


def _ledger(one: TimeSolution) -> Sequence[str]:
    rows = [] if one.rows is None else [f"rows: {one.rows.per_row_s:+.6g} s per row; {one.rows.source}"]
    return [*map(ledger_line, one.ledger), *rows]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"--csv {path}: cannot be written: {error.strerror or error}") from error
