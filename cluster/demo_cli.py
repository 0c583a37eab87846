"""`umbra demo`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from reduction.command import run_verb


def _demo(
    out: Annotated[Path, typer.Option(help="Folder to make.")] = Path("demo"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demo.")] = False,
    frames: Annotated[int, typer.Option(help="Frames of each recording.")] = 800,
    picture: Annotated[Path | None, typer.Option(help="Write the picture of the campaign here too.")] = None,
    stations: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, max=2000, help="N small stations of mixed formats, as a campaign."),
    ] = None,
    ray: Annotated[
        str, typer.Option(metavar="local|auto|ADDRESS|none", help="Where --stations are reduced.")
    ] = "local",
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Recordings at once.")] = None,
) -> None:
    """Synthesise a campaign of three stations with known truth, reduce it, print found against true."""
    if stations is not None:
        _many(out, stations, ray, workers, overwrite)
        return
    from cluster.demo import run_demo

    run_demo(out, overwrite=overwrite, frames=frames, picture=picture, say=_say)


def _many(out: Path, stations: int, ray: str, workers: int | None, overwrite: bool) -> None:
    """A campaign of many stations, into a new folder."""
    from cluster.demo_stations import make_room, run_stations

    make_room(out, overwrite)
    code = run_stations(out, stations, ray, workers, _say)
    if code:
        raise SystemExit(code)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def demo(arguments: list[str]) -> int:
    """Run `umbra demo` on `arguments`; return the exit code."""
    return run_verb("demo", _demo, arguments)
