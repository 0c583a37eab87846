"""`umbra remote fetch`: results, limb fits and event data come down."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.client import Service, View
from api.remote.archive_check import check_archive
from api.remote.connection import GoneError
from api.remote.shown import (
    PATIENCE_S,
    Bar,
    Json,
    PatienceS,
    Where,
    bytes_text,
    leaving,
    opened,
    say,
    say_json,
)
from api.remote.uploading import digest_of
from reduction.errors import RequestError

SUFFIXES = {
    "csv": ".csv",
    "ecsv": ".ecsv",
    "fits": ".fits",
    "parquet": ".parquet",
    "votable": ".vot",
    "sora": "-sora.dat",
    "portal": "-portal.csv",
    "pyote": "-pyote.csv",
    "tangra": "-tangra.csv",
}
NAME = re.compile(r"[^A-Za-z0-9._-]+")
KEPT = "what has arrived stays; the same command goes on with it"


def fetch(
    identities: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", help="Of results, jobs, batches, observations, campaigns; OBSERVATION@VERSION."
        ),
    ],
    forms: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="FORM", help=f"Light curves alone, as {', '.join(SUFFIXES)}."),
    ] = None,
    fit: Annotated[bool, typer.Option("--fit", help="Of campaigns: the latest limb fit instead.")] = False,
    bundle: Annotated[bool, typer.Option("--bundle", help="Of campaigns: all event data, as a ZIP.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to (this folder).")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    patience_s: PatienceS = PATIENCE_S,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """Fetch results: of each its newest version, a folder each. What is there already is left alone."""
    unknown = [form for form in forms or () if form not in SUFFIXES]
    if unknown:
        raise RequestError(f"--as {unknown[0]}: give {', '.join(SUFFIXES)}")
    if fit and bundle:
        raise RequestError("--fit and --bundle: give one")
    with opened(service, patience_s) as umbra, leaving(KEPT):
        fetched = Fetched(umbra, out, overwrite, as_json)
        for identity in identities:
            if bundle:
                fetched.bundle(identity)
            elif fit:
                fetched.fit(identity)
            else:
                found = list(results_of(umbra, identity))
                if not found:
                    raise RequestError(f"{identity}: has no result yet; see umbra remote watch")
                for result in found:
                    fetched.result(result, forms or ())


def results_of(umbra: Service, identity: str) -> Iterator[View]:
    """Newest results of what an id is.

    Raises
    ------
    RequestError
        It is nothing that the caller may know of.
    """
    for find in (_result, _job, _batch, _observation, _campaign):
        try:
            yield from find(umbra, identity)
        except GoneError:
            continue
        return
    raise RequestError(f"{identity}: no result, job, batch, observation or campaign, or not yours to see")


def _result(umbra: Service, identity: str) -> Iterator[View]:
    yield umbra.ask("GET", f"/results/{identity}")


def _job(umbra: Service, identity: str) -> Iterator[View]:
    view = umbra.ask("GET", f"/jobs/{identity}")
    if view["result"] is not None:
        yield from _result(umbra, view["result"])


def _batch(umbra: Service, identity: str) -> Iterator[View]:
    for job in umbra.pages(f"/batches/{identity}/jobs"):
        if job["result"] is not None:
            yield from _result(umbra, job["result"])


def _observation(umbra: Service, identity: str) -> Iterator[View]:
    newest = umbra.ask("GET", f"/observations/{identity}/results", limit=1)["items"]
    for one in newest:
        yield from _result(umbra, one["id"])


def _campaign(umbra: Service, identity: str) -> Iterator[View]:
    for one in umbra.pages(f"/campaigns/{identity}/observations"):
        yield from _observation(umbra, one["id"])


class Fetched:
    """Writes what is fetched below a folder, and tells of each file.

    Parameters
    ----------
    umbra : Service
    out : Path
    overwrite : bool
        Fetch again what is there.
    as_json : bool
        Tell in JSON lines.
    """

    def __init__(self, umbra: Service, out: Path, overwrite: bool, as_json: bool) -> None:
        self._umbra, self._out, self._overwrite, self._as_json = umbra, out, overwrite, as_json

    def result(self, result: View, forms: tuple[str, ...] | list[str]) -> None:
        """Files of a result as the reduction wrote them, or its light curve in some forms."""
        folder = self._out / f"{result['observation'][:8]}-v{result['version']}"
        here = f"/results/{result['id']}"
        if forms:
            for form in forms:
                self._file(f"{here}/lightcurve.{form}", folder / f"lightcurve{SUFFIXES[form]}", None)
            return
        for file in result["files"]:
            self._file(f"{here}/files/{file['name']}", folder / safe_name(file["name"]), file["sha256"])

    def fit(self, campaign: str) -> None:
        """The newest limb fit that is done."""
        listed = self._umbra.pages(f"/campaigns/{campaign}/fits")
        done = [one for one in listed if one["state"] == "done"]
        if not done:
            raise RequestError(f"{campaign}: has no limb fit yet; umbra remote fit {campaign}")
        newest = max(one["version"] for one in done)
        here, folder = f"/campaigns/{campaign}/fits/{newest}", self._out / f"{campaign[:8]}-fit-v{newest}"
        files = self._umbra.ask("GET", here)["files"]
        if files is None:  # who takes part gets the picture, without the others' exact places
            self._file(f"{here}/limb.png", folder / "limb.png", None)
            return
        for name in files:
            self._file(f"{here}/files/{name}", folder / safe_name(name), None)

    def bundle(self, campaign: str) -> None:
        """All event data of a campaign; every file in it is compared with its SHA-256."""
        name = self._umbra.ask("GET", f"/campaigns/{campaign}")["name"]
        asked = self._umbra.ask("POST", f"/campaigns/{campaign}/data-requests", {})
        goal = self._out / f"{safe_name(name)}-{asked['id'][:8]}.zip"
        if self._file(asked["links"]["bundle"], goal, None):
            check_archive(goal)

    def _file(self, path: str, goal: Path, sha256: str | None) -> bool:
        """Fetch a file, unless it is there; whether it was fetched."""
        there = goal.exists() and not self._overwrite and sha256 in {None, _digest(goal)}
        if not there:
            self._umbra.download(path, goal, sha256, Bar(goal.name), self._overwrite)
        told: dict[str, Any] = {"file": str(goal), "bytes": goal.stat().st_size, "fetched": not there}
        if self._as_json:
            say_json({**told, "sha256": sha256 or _digest(goal)}, indent=None)
        else:
            say(f"{goal}  {bytes_text(told['bytes'])}{'  (was there already)' if there else ''}")
        return not there


def _digest(path: Path) -> str | None:
    return digest_of(path) if path.is_file() else None


def safe_name(name: str) -> str:
    """A name as a file may have it: what a service says is not trusted to stay in the folder."""
    return NAME.sub("-", name).strip(".-")[:100] or "unnamed"
