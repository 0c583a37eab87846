"""The verbs `umbra backup` and `umbra restore`, at the server."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from api.backup.checking import Looked, check
from api.backup.destination import Destination, open_destination
from api.backup.records import Manifest
from api.backup.restoring import restore as restored
from api.backup.saving import Saved, save
from api.settings import ServiceSettings, checked, home_folder
from reduction.command import run_verb
from reduction.errors import DataError, RequestError

UNITS = ("B", "kB", "MB", "GB", "TB")
TOLD = 20
"""Problems that are told one by one."""

Dest = Annotated[str, typer.Argument(metavar="DEST", help="A folder, or s3://BUCKET/PREFIX.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines instead of text.")]


def backup(arguments: list[str]) -> int:
    """Run `umbra backup ...`; returns the exit code."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_usage())
        return 0
    if arguments[0] in ACTIONS:
        return run_verb(f"backup {arguments[0]}", ACTIONS[arguments[0]][0], arguments[1:])
    return run_verb("backup", _save, arguments)


def restore(arguments: list[str]) -> int:
    """Run `umbra restore SRC`; returns the exit code."""
    return run_verb("restore", _restore, arguments)


def _usage() -> str:
    lines = [
        "usage: umbra backup DEST [--keep N] [--verify] [--json]",
        "       umbra backup ACTION DEST [OPTIONS]",
        "",
    ]
    lines += ["  DEST is a folder, or s3://BUCKET/PREFIX; a backup copies only what is not there yet.", ""]
    lines += [f"  {action:<10}{text}" for action, (_, text) in ACTIONS.items()]
    lines += [
        "",
        "They work on the service of UMBRA_HOME, UMBRA_DATABASE and UMBRA_STORE, which may run.",
    ]
    return "\n".join([*lines, "umbra backup ACTION --help tells an action's options.", ""])


def _save(
    dest: Dest,
    keep: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Then remove all but the newest N backups.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read what DEST has; copy anew what is damaged there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Save database, store, and what has arrived of uploads, as they are now."""
    with _private():
        saved = save(_settings(), open_destination(dest, make=True), keep, verify)
    manifest = saved.manifest
    if as_json:
        told = {**_plain(manifest), "copied": saved.copied, "copied_bytes": saved.copied_size}
        sys.stdout.write(_line({**told, "removed": saved.removed, "lacking": saved.lacking}))
    else:
        sys.stdout.write(_told(saved))
    if saved.lacking:
        for problem in manifest.problems[:TOLD]:
            sys.stderr.write(f"{problem}\n")
        raise DataError(
            f"{manifest.id} is made, but {saved.lacking} things are missing or damaged where they come from"
        )


def _told(saved: Saved) -> str:
    manifest = saved.manifest
    lines = [
        manifest.id,
        f"  {manifest.rows} rows of {len(manifest.tables)} tables",
        f"  {manifest.files} files, {_bytes(manifest.size)}",
        f"  copied: {saved.copied} objects, {_bytes(saved.copied_size)}",
    ]
    if saved.removed:
        lines.append(f"  removed: {saved.removed} older backups")
    return "\n".join([*lines, ""])


def _list(dest: Dest, as_json: Json = False) -> None:
    """List backups, oldest first."""
    found = open_destination(dest, make=False)
    for identity in found.ids():
        manifest = found.manifest(identity)
        if as_json:
            sys.stdout.write(_line(_plain(manifest)))
        else:
            counts = (f"{manifest.rows} rows", f"{manifest.files} files", _bytes(manifest.size))
            lacking = f"{len(manifest.problems)} problems" if manifest.problems else "sound"
            sys.stdout.write("\t".join([identity, *counts, f"Umbra {manifest.version}", lacking]) + "\n")


def _verify(
    dest: Dest,
    at: Annotated[str | None, typer.Option("--at", metavar="ID", help="Only this one.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read everything and compare digests.")] = False,
) -> None:
    """Look whether backups are whole: rows and lists by digest, files by size, or `--deep` by digest."""
    found = open_destination(dest, make=False)
    ids = found.ids() if at is None else [found.manifest(at).id]
    bad = 0
    with tempfile.TemporaryDirectory() as room:
        for looked in check(found, ids, Path(room), deep):
            bad += bool(looked.count)
            sys.stdout.write(_seen(looked))
    if bad:
        raise DataError(
            f"{found.url}: {bad} of {len(ids)} backups are damaged; umbra backup DEST --verify copies "
            "anew what the service still has"
        )


def _seen(looked: Looked) -> str:
    if not looked.count:
        return f"{looked.id}\tsound\n"
    lines = [f"{looked.id}\t{looked.count} faults", *(f"  {fault}" for fault in looked.faults)]
    return "\n".join([*lines, ""])


def _restore(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Where the backups are: a folder or s3://...")],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="ID", help="Which one, see umbra backup list (the last)."),
    ] = None,
) -> None:
    """Bring a service back, into the empty UMBRA_HOME, UMBRA_DATABASE and UMBRA_STORE of the environment."""
    found = open_destination(source, make=False)
    with _private():
        manifest = restored(_settings(), found, at if at is not None else _latest(found))
    sys.stdout.write(
        f"{manifest.id}\n  {manifest.rows} rows of {len(manifest.tables)} tables, {manifest.files} files, "
        f"{_bytes(manifest.size)}: every one compared with its SHA-256\n"
    )


def _latest(found: Destination) -> str:
    ids = found.ids()
    if not ids:
        raise RequestError(f"{found.url}: has no finished backup")
    return ids[-1]


def _settings() -> ServiceSettings:
    home = home_folder()
    return checked({"data": home, "home": home})


@contextmanager
def _private() -> Iterator[None]:
    """Let nobody else read what is written."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _plain(manifest: Manifest) -> dict[str, Any]:
    told = manifest.model_dump(mode="json", exclude={"form", "tables", "lists", "ended"})
    return {**told, "tables": len(manifest.tables), "rows": manifest.rows}


def _bytes(size: float) -> str:
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            return f"{size:.0f} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False) + "\n"


ACTIONS: dict[str, tuple[Callable[..., None], str]] = {
    "list": (_list, "the backups that are there"),
    "verify": (_verify, "whether they are whole"),
}
