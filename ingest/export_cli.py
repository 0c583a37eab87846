"""The verb `umbra export`: a recording or a stack as FITS files."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ingest.cli import Member, opened_recording, progress_bar, require_apart
from ingest.export import export_fits, parse_frames
from ingest.time_arguments import Words, time_options, with_time_options
from reduction.command import run_verb


def export(arguments: list[str]) -> int:
    """Run `umbra export`; returns the exit code."""
    return run_verb("export", with_time_options(_export), arguments)


def _export(
    paths: Annotated[list[str], typer.Argument(metavar="STACK|INPUT...", help="A stack or a recording.")],
    fits: Annotated[Path, typer.Option("--fits", metavar="DIR", help="Folder to write FITS files into.")],
    times: Words,
    member: Member = None,
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="A:B", help="From frame A up to B, which is left out.")
    ] = None,
    cube: Annotated[bool, typer.Option("--cube", help="One file of all frames, times in a table.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write frames as FITS, with all that is known of their times."""
    require_apart(paths, fits)
    began = time.perf_counter()
    with opened_recording(paths, time_options(times), member) as source, progress_bar("export") as progress:
        chosen = parse_frames(frames, source.info.frames)
        done = export_fits(source, fits, frames=chosen, cube=cube, overwrite=overwrite, progress=progress)
        known = int(source.times.known[chosen.start : chosen.stop].sum())
        origin = source.times.source
    document = {
        "folder": str(done.path),
        "files": done.files,
        "first_frame": done.frames.start,
        "frames": len(done.frames),
        "frames_with_time": known,
        "time_source": origin,
        "pixel_digest": done.digest,
        "seconds": round(time.perf_counter() - began, 3),
    }
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    unsure = "" if known == len(chosen) else f", {len(chosen) - known} of them without a time"
    sys.stdout.write(
        f"{done.path}: {len(chosen)} frames in {done.files} FITS files{unsure}; times: {origin}\n"
    )
