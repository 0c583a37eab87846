"""The verb `umbra watch`: drop a recording into a folder, get a report."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cluster.campaign.manifest import read_manifest, write_manifest
from cluster.campaign.orders import check_campaign
from cluster.campaign.places import own_folder
from cluster.campaign.report_cli import make_report
from cluster.campaign.uploads import find_uploads
from cluster.campaign.view import onlooker
from cluster.campaign.watch import Arrivals, Stamp, news
from reduction.command import run_verb
from reduction.errors import RequestError

MANIFEST = "watched.csv"
"""Beside the report, in the folder that `--out` names: what was run, to be run again."""

REPORT = "report"


def watch(arguments: list[str]) -> int:
    """Run `umbra watch`; returns the exit code."""
    return run_verb("watch", _watch, arguments)


def _watch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where recordings are dropped.")],
    store: Annotated[str, typer.Option(metavar="URL", help="Where results go: a folder, or s3://...")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the report and the manifest.")],
    name: Annotated[
        str | None, typer.Option("--campaign", metavar="NAME", help="Its name (the folder's).")
    ] = None,
    jobs: Annotated[
        str | None, typer.Option(metavar="URL", help="The queue's database, if not in the store.")
    ] = None,
    ray: Annotated[
        str, typer.Option(metavar="local|auto|ADDRESS|none", help="Where recordings are reduced.")
    ] = "none",
    settle: Annotated[
        float, typer.Option(metavar="S", min=0.0, help="A recording has arrived when unchanged for so long.")
    ] = 10.0,
    every: Annotated[float, typer.Option(metavar="S", min=0.1, help="How often to look.")] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Reduce what has arrived, then end instead of waiting for more.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON: an event a line.")] = False,
) -> None:
    """Reduce every recording that is dropped into a folder, and keep a report of all of them."""
    if not folder.is_dir():
        raise RequestError(f"{folder}: no folder; give the one that recordings are dropped into")
    for place, option in ((out, "--out"), (Path(store), "--store")):
        if place.absolute().is_relative_to(folder.absolute()) and "://" not in str(place):
            raise RequestError(f"{option} {place}: lies in the folder that is watched; name another place")
    campaign = check_campaign(name or folder.absolute().name)
    watched = _Watched(folder, store, out, campaign, jobs, ray, as_json)
    arrivals = Arrivals(folder, settle)
    done: dict[str, Stamp] = {}
    if not as_json and not once:
        sys.stderr.write(f"{folder}: watched; Ctrl-C ends it\n")
    while True:
        arrived, coming = arrivals.look()
        if news(arrived, done):
            done = watched.reduce(arrived, coming)
        if once and not coming:
            return
        time.sleep(min(every, settle) if once else every)


class _Watched:
    """A folder, and what its recordings are reduced into."""

    def __init__(
        self, folder: Path, store: str, out: Path, campaign: str, jobs: str | None, ray: str, as_json: bool
    ) -> None:
        self._folder, self._store, self._out = folder, store, out
        self._campaign, self._jobs, self._ray, self._as_json = campaign, jobs, ray, as_json

    def reduce(self, arrived: dict[str, Stamp], coming: list[str]) -> dict[str, Stamp]:
        """Reduce what has arrived and is not reduced yet, write the report; what is settled now."""
        from cluster.campaign.runs import Run, run_campaign

        self._out.mkdir(parents=True, exist_ok=True)
        manifest = self._out / MANIFEST
        found = find_uploads(
            self._folder, manifest, scratch=own_folder(self._store), passed_over=frozenset(coming)
        )
        for question in found.questions:
            sys.stderr.write(f"look at: {question}\n")
        if not found.rows:
            return arrived
        write_manifest(manifest, found.rows, overwrite=True)
        read = read_manifest(manifest)
        run = Run(self._campaign, read.observations, self._store, self._jobs, self._ray)
        code = run_campaign(run, onlooker(self._as_json), sys.stdout, self._as_json)
        if code > 128:  # interrupted; what was under way has gone back to the queue
            raise SystemExit(code)
        sites = {each.station: each.site for each in read.observations if each.site is not None}
        page = self._out / REPORT
        said = make_report(self._store, self._campaign, page, self._jobs, sites, overwrite=True)
        if not self._as_json:
            sys.stdout.write(f"{said}\n  {page / 'index.html'}\n")
            sys.stdout.flush()
        return arrived
