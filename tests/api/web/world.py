"""A service with a small archive in it, to look at and to test the portal with.

``python -m tests.api.web.world DIR`` makes it in ``DIR/home`` (`UMBRA_HOME`) and prints who may log in;
``--serve`` then serves it, on ``--port``. `world_of` gives tests a copy of one that is made once.
"""

import argparse
import fcntl
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.executors import InProcess
from tests.api.client import serving
from tests.api.web.archive import Archive, fill
from tests.api.web.cast import EVERYONE, PASSWORD

FREE: dict[str, Any] = {"rate_visitor": "999999/second", "rate_address": "999999/second", "disk_reserve": 0}
NOTE = "world.json"


@dataclass(frozen=True)
class World:
    """A made world.

    Attributes
    ----------
    folder : Path
        ``home`` is the service's, ``data`` its folder of recordings.
    note : dict
        Ids of all that is in it: people, sites, equipment, predictions, campaigns, stations (observations
        of the past campaign), planned (of the upcoming one), files, more (batch, jobs, results, issues, ...).
    """

    folder: Path
    note: dict[str, Any]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def result(self, key: str = "ada", version: int = -1) -> str:
        """Id of a result of somebody's recording, by default the latest."""
        found: str = self.note["more"]["results"][key][::-1][version]
        return found


def make(folder: Path) -> World:
    """Fill a new folder; half a minute."""
    folder.mkdir(parents=True)
    (folder / "data").mkdir()
    with (
        tempfile.TemporaryDirectory() as files,
        serving(folder / "data", folder / "home", InProcess(), **FREE) as client,
    ):
        archive = Archive(client, Path(files))
        fill(archive)
    (folder / NOTE).write_text(json.dumps(archive.note, indent=1))
    return World(folder, archive.note)


def opened(folder: Path) -> World:
    """A world that was made before."""
    return World(folder, json.loads((folder / NOTE).read_text()))


def copied(world: World, folder: Path) -> World:
    """A copy that may be changed: the store's objects, which nobody changes, are shared."""

    def copy(source: str, goal: str) -> None:
        (os.link if "/home/store/" in source else shutil.copy2)(source, goal)

    shutil.copytree(world.folder, folder, copy_function=copy)
    return opened(folder)


def made_once(shared: Path) -> World:
    """The world below a folder that all workers of a test run share: the first one makes it."""
    folder = shared / "world"
    with (shared / "world.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / NOTE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
    return opened(folder)


def told(world: World) -> str:
    """Who may log in, and what is there."""
    lines = [f"{member.email:24} {PASSWORD!r:26} {member.level:10} {member.name}" for member in EVERYONE]
    lines += [
        f"{kind:12} {json.dumps(world.note[kind])}" for kind in ("campaigns", "stations", "files", "more")
    ]
    return "\n".join(lines)


def main() -> None:
    """Make it, print who may log in, serve it."""
    parser = argparse.ArgumentParser(description="A service home with a small archive in it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--serve", action="store_true", help="serve it afterwards, or what was made before")
    parser.add_argument("--port", default="8123")
    options = parser.parse_args()
    folder = options.folder.absolute()
    world = opened(folder) if (folder / NOTE).exists() else make(folder)
    sys.stdout.write(told(world) + "\n")
    sys.stdout.flush()
    if options.serve:
        os.environ |= {"UMBRA_HOME": str(world.home)}
        os.environ |= {f"UMBRA_{name.upper()}": str(value) for name, value in FREE.items()}
        words = ("--port", options.port, "--data", str(folder / "data"), "--workers", "1")
        os.execv(sys.executable, [sys.executable, "-m", "tests.api.uploads.lean", *words])


if __name__ == "__main__":
    main()
