"""The verbs that write about a campaign: report, compare."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cluster.campaign.changes_figure import draw_changes
from cluster.campaign.compare import document, pairs_of, table_csv, text
from cluster.campaign.manifest import read_manifest
from cluster.campaign.outcomes import Outcome, fetch_outcome
from cluster.campaign.places import open_queue
from cluster.campaign.queue_cli import standings
from cluster.campaign.report import SCHEMA, STATIONS, Failure, comparison_page, headline, write_report
from cluster.store import Store, open_store
from ingest.scratch import scratch_folder
from reduction.command import run_verb
from reduction.errors import DataError, RequestError, ResourceError
from reduction.outputs.folder import placed
from reduction.sites import Site

StoreUrl = Annotated[str, typer.Argument(metavar="STORE", help="The store that the campaign ran into.")]


def report(arguments: list[str]) -> int:
    """Run `umbra campaign report`; returns the exit code."""
    return run_verb("campaign report", _report, arguments)


def _report(
    store: StoreUrl,
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its name.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make.")],
    jobs: Annotated[
        str | None, typer.Option(metavar="URL", help="The queue's database, if not in the store.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gives the sites, for umbra chords.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier report.")] = False,
) -> None:
    """Write a page with all light curves, tables, and every result of a campaign."""
    sites: dict[str, Site] = {}
    if manifest is not None:
        sites = {o.station: o.site for o in read_manifest(manifest).observations if o.site is not None}
    said = make_report(store, campaign, out, jobs, sites, overwrite)
    sys.stdout.write(f"{campaign}: {said}\n  {out / 'index.html'}\n")


def make_report(
    store: str, campaign: str, out: Path, jobs: str | None, sites: Mapping[str, Site], overwrite: bool
) -> str:
    """Write a campaign's report into a folder, all or nothing; its headline.

    Parameters
    ----------
    store : str
        URL, or a folder.
    campaign : str
    out : Path
    jobs : str or None
        The queue's database; None: the store's own.
    sites : mapping
        By station.
    overwrite : bool
        Replace an earlier report.

    Raises
    ------
    RequestError
        There is no such campaign, or `out` holds something else.
    ResourceError
        The store, the queue or the disk fail.
    """
    opened = open_store(store, make=False)
    stations = opened.observations(campaign)
    failures = _failures(store, jobs, campaign, set(stations))
    if not stations and not failures:
        raise RequestError(
            f"{store}: no campaign {campaign!r}; it has {', '.join(opened.campaigns()) or 'none'}"
        )
    with new_report(out, overwrite) as folder:
        outcomes = list(_outcomes(opened, campaign, stations, folder / STATIONS, failures))
        write_report(folder, campaign, outcomes, failures, sites)
    return headline(outcomes, failures)


def _outcomes(
    store: Store, campaign: str, stations: list[str], folder: Path, failures: list[Failure]
) -> Iterator[Outcome]:
    """Results of all stations, brought into a folder; those that are damaged are failures."""
    for station in stations:
        try:
            yield fetch_outcome(store, campaign, station, None, folder / station)
        except DataError as error:
            failures.append(Failure(station, "damaged", str(error)))


def _failures(store: str, jobs: str | None, campaign: str, done: set[str]) -> list[Failure]:
    """Observations that have no result, as the queue knows them, where there is one."""
    try:
        with open_queue(store, jobs, make=False) as queue:
            found = standings(queue, campaign)
    except RequestError:
        if jobs is not None:
            raise
        return []
    return [
        Failure(each.station, each.job.state, each.job.error or "")
        for each in found
        if each.job.state != "done" and (each.station not in done or each.job.state == "failed")
    ]


@contextmanager
def new_report(out: Path, overwrite: bool) -> Iterator[Path]:
    """A folder beside `out`, which takes its place in the end.

    Raises
    ------
    RequestError
        `out` holds something, and is no report, or is not to be replaced.
    ResourceError
        It cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        _check_replaced(out, overwrite)
    try:
        with placed(out) as folder:
            (folder / STATIONS).mkdir()
            yield folder
    except OSError as error:
        raise ResourceError(f"{out}: cannot be written: {error.strerror or error}") from error


def _check_replaced(out: Path, overwrite: bool) -> None:
    if not overwrite:
        raise RequestError(
            f"{out}: exists and is not empty; add --overwrite, or name another folder by --out"
        )
    try:
        schema = json.loads((out / "report.json").read_text(encoding="utf-8"))["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        schema = None
    if schema != SCHEMA:
        raise RequestError(f"{out}: no report of a campaign; nothing was overwritten; choose another --out")


def compare(arguments: list[str]) -> int:
    """Run `umbra campaign compare`; returns the exit code."""
    return run_verb("campaign compare", _compare, arguments)


def _compare(
    store: StoreUrl,
    old: Annotated[str, typer.Argument(metavar="A", help="Campaign, or CAMPAIGN@VERSION: before.")],
    new: Annotated[str, typer.Argument(metavar="B", help="The same: after.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write page, table and both results there.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Tell what changed between two versions of a campaign, or two campaigns, by station."""
    opened = open_store(store, make=False)
    with new_report(out, overwrite) if out is not None else scratch_folder() as folder:
        before = _side(opened, old, folder / STATIONS / "old")
        after = _side(opened, new, folder / STATIONS / "new")
        pairs = pairs_of(before, after)
        if out is not None:
            title = f"{old} → {new}"
            (folder / "changes.csv").write_text(table_csv(pairs), encoding="utf-8")
            picture = draw_changes(pairs)
            (folder / "index.html").write_text(comparison_page(title, pairs, picture), encoding="utf-8")
            content = {"schema": SCHEMA, "compared": [old, new]}
            (folder / "report.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if as_json:
        sys.stdout.write(json.dumps(document(pairs), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text(pairs) + (f"  {out / 'index.html'}\n" if out is not None else ""))


def _side(store: Store, named: str, folder: Path) -> list[Outcome]:
    """Results of one side: of each station the version that is named, or the latest, if it has fewer."""
    campaign, at, number = named.rpartition("@")
    if not at:
        campaign, number = named, ""
    if number and not (number.isascii() and number.isdigit()):
        raise RequestError(f"{named!r}: give CAMPAIGN or CAMPAIGN@VERSION, a number from 1")
    stations = store.observations(campaign)
    if not stations:
        raise RequestError(
            f"{store.url}: no campaign {campaign!r}; it has {', '.join(store.campaigns()) or 'none'}"
        )
    have = {station: len(store.versions(campaign, station)) for station in stations}
    wanted = int(number) if number else max(have.values())
    if not 1 <= wanted <= max(have.values()):
        raise RequestError(f"{named}: the stations have up to {max(have.values())} versions, none {wanted}")
    return [
        fetch_outcome(store, campaign, station, min(wanted, have[station]), folder / station)
        for station in stations
    ]
