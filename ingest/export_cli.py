"""The verb `umbra export`: a recording or a stack as FITS files."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ingest.cli import Member, opened_recording, progress_bar, require_apart
from ingest.export import SkyOfFrame, export_fits, parse_frames
from ingest.solve.kept import find_solution, load_solution
from ingest.time_arguments import Words, time_options, with_time_options
from reduction.command import run_verb
from reduction.errors import RequestError, UmbraError
from reduction.stack import FrameSource, Stack


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
    wcs: Annotated[
        str | None, typer.Option("--wcs", metavar="FILE|off", help="Plate solution (that kept with it).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write frames as FITS, with all that is known of their times."""
    require_apart(paths, fits)
    began = time.perf_counter()
    with opened_recording(paths, time_options(times), member) as source, progress_bar("export") as progress:
        chosen = parse_frames(frames, source.info.frames)
        sky, solved = sky_of_frames(source, paths, wcs)
        done = export_fits(
            source, fits, frames=chosen, cube=cube, overwrite=overwrite, progress=progress, sky=sky
        )
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
        "wcs": solved,
        "seconds": round(time.perf_counter() - began, 3),
    }
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    unsure = "" if known == len(chosen) else f", {len(chosen) - known} of them without a time"
    sys.stdout.write(
        f"{done.path}: {len(chosen)} frames in {done.files} FITS files{unsure}; times: {origin}\n"
    )
    if solved is not None:
        sys.stdout.write(f"  WCS: {solved}\n")


def sky_of_frames(
    source: FrameSource, paths: list[str], wcs: str | None
) -> tuple[SkyOfFrame | None, str | None]:
    """The plate solution of every frame, and what is said of it.

    Raises
    ------
    RequestError
        A solution is named that cannot be used.
    """
    if wcs == "off":
        return None, None
    info = source.info
    if wcs is not None:
        found = load_solution(Path(wcs), info.width, info.height), Path(wcs).name
    else:
        try:
            kept = find_solution(paths, info.width, info.height)
        except UmbraError as error:
            return None, f"the plate solution kept with it is not used: {error}"
        if kept is None:
            return None, None
        found = kept
    solution, name = found
    if not isinstance(source, Stack):
        if wcs is not None:
            raise RequestError(f"--wcs {wcs}: {info.name} cannot be read in any order; umbra ingest it first")
        return None, f"{name} is not used: {info.name} cannot be read in any order; umbra ingest it first"
    from ingest.solve.frames import FrameSky

    return FrameSky(source, solution).of, f"{name}, solved on frame {solution.frame}, moved to each frame"
