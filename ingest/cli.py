"""The verbs `umbra ingest` and `umbra inspect`."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ingest.archives.opening import FromArchive, archive_of, open_archive
from ingest.convert import convert
from ingest.formats import expand, open_source
from ingest.inspection import inspect_recording
from ingest.inspection_text import inspection_text
from ingest.scratch import scratch_folder
from ingest.stack import ZarrStack
from ingest.time_arguments import Words, time_options, with_time_options
from ingest.time_plot import write_time_plot
from ingest.timeoptions import TimeOptions
from reduction.command import INTERRUPTED, run_verb
from reduction.errors import RequestError, ResourceError
from reduction.stack import FrameSource

Member = Annotated[str | None, typer.Option(metavar="NAME", help="Which recording of an archive.")]


def ingest(arguments: list[str]) -> int:
    """Run `umbra ingest`; returns the exit code."""
    return run_verb("ingest", with_time_options(_ingest), arguments)


def inspect(arguments: list[str]) -> int:
    """Run `umbra inspect`; returns the exit code."""
    return run_verb("inspect", with_time_options(_inspect), arguments)


def _ingest(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="INPUT... STACK.zarr", help="A recording, and the stack to write."),
    ],
    times: Words,
    member: Member = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a stack.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Convert a recording to a Zarr stack; an interrupted conversion goes on where it was."""
    *inputs, last = paths
    target = Path(last)
    if not inputs:
        raise RequestError(f"{last}: give a recording and the stack to write: umbra ingest INPUT STACK.zarr")
    if target.suffix != ".zarr":
        raise RequestError(f"{last}: the last argument names the stack to write and must end in .zarr")
    require_apart(inputs, target)
    options = time_options(times)
    began = time.perf_counter()
    try:
        with (
            opened_recording(inputs, options, member, target.parent) as source,
            progress_bar("ingest") as progress,
        ):
            stack = convert(source, target, progress, overwrite=overwrite)
    except KeyboardInterrupt:
        kept = "run the same command again to go on" if target.exists() else "nothing was written"
        sys.stderr.write(f"umbra ingest: interrupted; {kept}\n")
        raise SystemExit(INTERRUPTED) from None
    document = _document(stack, time.perf_counter() - began)
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if as_json else _report(document))


def _inspect(
    paths: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="A recording: file, folder, glob, files, stack.")
    ],
    times: Words,
    member: Member = None,
    plot: Annotated[str | None, typer.Option("--plot", metavar="PNG", help="Draw the times.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Tell what a recording or a stack holds, and whether its times are sure."""
    options = time_options(times)
    with opened_recording(paths, options, member) as source, progress_bar("inspect") as progress:
        found = inspect_recording(source, progress)
    if plot is not None:
        write_time_plot(Path(plot), found.info.name, found.solution, found.cadence, found.verdict)
    sys.stdout.write(found.json() if as_json else inspection_text(found, sys.stdout.isatty()))


def require_apart(inputs: list[str], target: Path) -> None:
    """Refuse a target that is an input, or holds one: --overwrite would delete it."""
    goal = target.resolve()
    for path in expand(inputs):
        if goal in {path.resolve(), *path.resolve().parents}:
            raise RequestError(f"{target}: is the input; give the stack another name")


@contextmanager
def opened_recording(
    inputs: list[str], options: TimeOptions, member: str | None, beside: Path | None = None
) -> Iterator[FrameSource]:
    """The recording that is given, or the one in an archive, unpacked into a folder that goes again."""
    if member is None and archive_of(inputs) is None:
        with closing(open_source(inputs, options)) as source:
            yield source
        return
    with ExitStack() as kept:
        try:
            if beside is not None:
                beside.mkdir(parents=True, exist_ok=True)
            folder = kept.enter_context(scratch_folder(beside))
        except OSError as error:
            where = error.filename or beside
            raise ResourceError(f"{where}: {error.strerror}; no room to unpack the archive") from error
        with progress_bar("unpack") as progress:
            opened = open_archive(inputs, folder, member, progress)
        if opened is not None:
            with closing(open_source(opened.inputs, options)) as source:
                yield FromArchive(source, opened)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _document(stack: ZarrStack, seconds: float) -> dict[str, Any]:
    files = [p for p in stack.path.rglob("*") if p.is_file()]
    return {
        "stack": str(stack.path),
        "frames": stack.info.frames,
        "width": stack.info.width,
        "height": stack.info.height,
        "dtype": stack.info.dtype,
        "pixel_digest": stack.digest,
        "time_digest": stack.times.digest,
        "time_source": stack.times.source,
        "shard_size": stack.shard_size,
        "pixel_bytes": stack.info.frames * stack.info.frame_bytes,
        "stored_bytes": sum(p.stat().st_size for p in files),
        "seconds": round(seconds, 3),
        "notes": [
            {"caveat": note.caveat.value, "message": note.message}
            for note in (*stack.info.notes, *stack.times.notes)
        ],
    }


def _report(document: dict[str, Any]) -> str:
    """A few lines for people."""
    stored, pixels = document["stored_bytes"], document["pixel_bytes"]
    lines = [
        f"{document['stack']}: {document['frames']} frames of {document['width']} x {document['height']} px, "
        f"{document['dtype']}, times: {document['time_source']}",
        f"  {stored / 1e6:.1f} MB for {pixels / 1e6:.1f} MB of pixels, in {document['seconds']:.1f} s",
        f"  digest {document['pixel_digest']}",
        *(f"  note: {note['message']}" for note in document["notes"]),
    ]
    return "\n".join(lines) + "\n"
