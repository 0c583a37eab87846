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
) -> None:
    """Synthesise a campaign of three stations with known truth, reduce it, print found against true."""
    from cluster.demo import run_demo

    run_demo(out, overwrite=overwrite, frames=frames, picture=picture, say=_say)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def demo(arguments: list[str]) -> int:
    """Run `umbra demo` on `arguments`; return the exit code."""
    return run_verb("demo", _demo, arguments)
