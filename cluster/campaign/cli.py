"""The verb `umbra campaign`: many observations at once, by a manifest."""

import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.campaign.manifest import Manifest, read_manifest, write_manifest
from cluster.campaign.observation import Observation
from cluster.campaign.orders import check_campaign, name_of
from cluster.campaign.view import onlooker
from reduction.command import run_verb
from reduction.errors import RequestError

if TYPE_CHECKING:
    from cluster.campaign.estimate import Estimate

ACTIONS: dict[str, tuple[str, str]] = {
    "init": ("cluster.campaign.cli:init", "folder of uploads -> manifest"),
    "run": ("cluster.campaign.cli:run", "manifest -> results in a store"),
    "status": ("cluster.campaign.queue_cli:status", "what has become of a campaign"),
    "cancel": ("cluster.campaign.queue_cli:cancel", "stop what has not ended"),
    "pause": ("cluster.campaign.queue_cli:pause", "let nothing more begin"),
    "resume": ("cluster.campaign.queue_cli:resume", "let a paused campaign go on"),
    "report": ("cluster.campaign.report_cli:report", "page with all light curves, tables, every result"),
    "compare": ("cluster.campaign.report_cli:compare", "what changed between two versions"),
    "retry-failed": ("cluster.campaign.queue_cli:retry_failed", "queue failed ones again"),
}


def campaign(arguments: list[str]) -> int:
    """Run `umbra campaign ACTION ...`; returns the exit code."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_usage())
        return 0
    action, rest = arguments[0], arguments[1:]
    if action not in ACTIONS:
        sys.stderr.write(f"umbra campaign: no such action: {action!r}\n\n{_usage()}")
        return 2
    module, function = ACTIONS[action][0].split(":")
    return int(getattr(importlib.import_module(module), function)(rest))


def _usage() -> str:
    lines = ["usage: umbra campaign ACTION [OPTIONS]", ""]
    lines += [f"  {action:<14}{text}" for action, (_, text) in ACTIONS.items()]
    return "\n".join([*lines, "", "umbra campaign ACTION --help tells an action's options.", ""])


def init(arguments: list[str]) -> int:
    """Run `umbra campaign init`; returns the exit code."""
    return run_verb("campaign init", _init, arguments)


def _init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Uploads: a file, folder or archive per observer.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Manifest, .csv or .jsonl (DIR's name + .csv).")
    ] = None,
    scratch: Annotated[Path | None, typer.Option(metavar="DIR", help="Where archives are unpacked.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the manifest.")] = False,
) -> None:
    """Sort out a folder of uploads and write a manifest, a line per observation."""
    from cluster.campaign.uploads import find_uploads

    manifest = out if out is not None else Path(f"{folder.absolute().name}.csv")
    if manifest.exists() and not overwrite:
        raise RequestError(f"{manifest}: exists; add --overwrite, or name another file by --out")
    tell = _telling()
    found = find_uploads(folder, manifest, tell or (lambda _: None), scratch)
    if tell is not None:
        tell("")
    write_manifest(manifest, found.rows, overwrite)
    lines = [f"{manifest}: {len(found.rows)} observations"]
    lines += [f"  look at: {text}" for text in found.questions]
    sys.stdout.write("\n".join(lines) + "\n")


def _telling() -> Callable[[str], None] | None:
    """Shows the upload that is looked at, on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        return None

    def tell(name: str) -> None:
        sys.stderr.write(f"\r\x1b[K{name[:70]}")
        sys.stderr.flush()

    return tell


def run(arguments: list[str]) -> int:
    """Run `umbra campaign run`; returns the exit code."""
    return run_verb("campaign run", _run, arguments)


def _run(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="CSV or JSON lines.")],
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Where results go: a folder, or s3://BUCKET/PREFIX.")
    ] = None,
    jobs: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The queue: postgresql://..., or a file (in the store's folder)."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--campaign", metavar="NAME", help="Its name (the manifest's).")
    ] = None,
    ray: Annotated[
        str, typer.Option(metavar="local|auto|ADDRESS|none", help="Where recordings are reduced.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Recordings at once (the CPUs).")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="STATION", help="Run this one alone; may be repeated.")
    ] = None,
    scratch: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where workers unpack and convert.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell the plan and an estimate, do nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON: an event a line.")] = False,
) -> None:
    """Reduce the observations of a manifest; what is done already is not done again."""
    read = read_manifest(manifest)
    observations = chosen(read, only or [])
    if dry_run:
        crew = 1 if ray == "none" else workers or len(os.sched_getaffinity(0))
        _dry_run(read, observations, crew, as_json, store)
        return
    if store is None:
        raise RequestError("--store is missing: name a folder, or s3://BUCKET/PREFIX, for the results")
    if scratch is not None and not scratch.is_dir():
        raise RequestError(f"--scratch {scratch}: no folder")
    sys.stderr.write(faults_text(read))
    from cluster.campaign.runs import Run, run_campaign

    campaign_name = name_of(manifest) if name is None else check_campaign(name)
    code = run_campaign(
        Run(campaign_name, observations, store, jobs, ray, workers, scratch),
        onlooker(as_json),
        sys.stdout,
        as_json,
    )
    if code or read.faults:
        raise SystemExit(code or RequestError.exit_code)


def chosen(manifest: Manifest, only: Sequence[str]) -> tuple[Observation, ...]:
    """The observations that are meant.

    Raises
    ------
    RequestError
        No line, or no good one, is of a station that is named.
    """
    if not only:
        return manifest.observations
    by_name = {observation.station: observation for observation in manifest.observations}
    missing = [name for name in only if name not in by_name]
    if missing:
        near = get_close_matches(missing[0], by_name, 1)
        hint = f"; is {near[0]} meant?" if near else ""
        raise RequestError(
            f"--only {missing[0]}: no sound line of {manifest.path.name} is of that station{hint}"
        )
    return tuple(by_name[name] for name in dict.fromkeys(only))


def _dry_run(
    manifest: Manifest, observations: Sequence[Observation], workers: int, as_json: bool, store: str | None
) -> None:
    """Print plan and estimate."""
    from cluster.campaign.estimate import basis, estimate, estimate_text
    from cluster.campaign.learned import Costs, read_costs
    from cluster.campaign.places import digests_folder

    costs = Costs() if store is None else read_costs(digests_folder(store, make=False))
    found = [estimate(observation, costs) for observation in observations]
    if as_json:
        plan = _document(manifest, found, workers) | {"basis": basis(costs)}
        sys.stdout.write(json.dumps(plan, indent=2, ensure_ascii=False) + "\n")
    else:
        text = estimate_text(found, workers, basis(costs)) if found else ""
        sys.stdout.write(faults_text(manifest) + text)
    if manifest.faults:
        raise SystemExit(RequestError.exit_code)


def faults_text(manifest: Manifest) -> str:
    """Lines of the manifest that cannot be run, for people; empty where all can."""
    if not manifest.faults:
        return ""
    lines = "1 line" if manifest.faulty_lines == 1 else f"{manifest.faulty_lines} lines"
    head = f"{manifest.path}: {lines} cannot be run:"
    return "\n".join([head, *(f"  {fault.text}" for fault in manifest.faults)]) + "\n"


def _document(manifest: Manifest, found: "Sequence[Estimate]", workers: int) -> dict[str, Any]:
    from cluster.campaign.estimate import sums

    frames, size, cpu, wall = sums(found, workers)
    return {
        "umbra_campaign_plan": 1,
        "manifest": str(manifest.path),
        "faults": [asdict(fault) for fault in manifest.faults],
        "observations": [asdict(each) for each in found],
        "frames": frames,
        "bytes": size,
        "cpu_s": cpu,
        "wall_s": wall,
        "workers": workers,
    }
