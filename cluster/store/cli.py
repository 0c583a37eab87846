"""The verb `umbra store`: what a store holds, whether it is sound, and what may go."""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.store.names import text_of
from cluster.store.opening import objects_at, open_store
from cluster.store.protocol import KINDS, Kind, Store
from cluster.store.records import Commit, Lost, plain
from cluster.store.trial import Trial, refuse
from reduction.command import run_verb
from reduction.errors import DataError, RequestError

AGE = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d|w)$")
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
RAW = "raw:"
LOG_NAME = re.compile(r"^logs/([^/]+)/(\d+)\.txt$")
UNITS = ("B", "kB", "MB", "GB", "TB")

Url = Annotated[str, typer.Argument(metavar="URL", help="A folder, or s3://BUCKET/PREFIX.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines instead of text.")]


def store(arguments: list[str]) -> int:
    """Run `umbra store ACTION ...`; returns the exit code."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_usage())
        return 0
    action, rest = arguments[0], arguments[1:]
    if action not in ACTIONS:
        sys.stderr.write(f"umbra store: no such action: {action!r}\n\n{_usage()}")
        return 2
    return run_verb(f"store {action}", ACTIONS[action][0], rest)


def _usage() -> str:
    lines = ["usage: umbra store ACTION URL [OPTIONS]", ""]
    lines += [f"  {action:<10}{text}" for action, (_, text) in ACTIONS.items()]
    return "\n".join([*lines, "", "umbra store ACTION --help tells an action's options.", ""])


def _ls(
    url: Url,
    campaign: Annotated[str | None, typer.Argument(metavar="CAMPAIGN", help="Only its observations.")] = None,
    as_json: Json = False,
) -> None:
    """List campaigns, their observations and each one's versions; the last counts."""
    opened = open_store(url, make=False)
    there = opened.campaigns()
    if campaign is not None and campaign not in there:
        raise RequestError(
            f"{opened.url}: has no campaign {campaign!r}; there are {', '.join(there) or 'none'}"
        )
    for one in there if campaign is None else [campaign]:
        if not as_json:
            sys.stdout.write(f"{one}\n")
        for observation in opened.observations(one):
            _list_observation(opened, one, observation, as_json)


def _list_observation(opened: Store, campaign: str, observation: str, as_json: bool) -> None:
    if not as_json:
        sys.stdout.write(f"  {observation}\n")
    for version in opened.history(campaign, observation):
        commit = opened.find("results", version.key)
        if as_json:
            sys.stdout.write(_line({**version.model_dump(exclude={"form"}), **_of(commit)}))
        else:
            what = (
                "its result is missing"
                if commit is None
                else f"{len(commit.files)} files, {_bytes(commit.size)}"
            )
            sys.stdout.write(f"    {version.number:>3}  {version.when:.19}  {version.key}  {what}\n")


def _of(commit: Commit | None) -> dict[str, Any]:
    if commit is None:
        return {"published": False}
    return {"published": True, "files": len(commit.files), "bytes": commit.size, "edition": commit.edition}


def _put(
    url: Url,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings and other files.")],
    as_json: Json = False,
) -> None:
    """Keep files under their SHA-256; a manifest names them raw:SHA256. What is there already stays."""
    opened = open_store(url)
    for path in files:
        raw = opened.put_raw(path)
        told = {"file": str(path), "raw": f"{RAW}{raw.sha256}", "bytes": raw.size}
        sys.stdout.write(_line(told) if as_json else f"{RAW}{raw.sha256}  {_bytes(raw.size)}  {path}\n")


def _log(
    url: Url,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its id, or the log's name: logs/JOB/N.txt.")],
    attempt: Annotated[int | None, typer.Option(metavar="N", help="Which attempt (the last).")] = None,
) -> None:
    """Print the log of an attempt at a job."""
    opened = open_store(url, make=False)
    named = LOG_NAME.match(job)
    if named and attempt is None:
        job, attempt = text_of(named[1]), int(named[2])
    there = opened.logged(job)
    which = attempt if attempt is not None else max(there, default=0)
    text = opened.log(job, which)
    if text is None:
        known = ", ".join(map(str, there)) or "none"
        raise RequestError(f"{opened.url}: {job}: no log of attempt {which}; there are {known}")
    sys.stdout.write(text)


def _get(
    url: Url,
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", help="As umbra store ls tells it, or its beginning; or raw:SHA256."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder for it; of raw:SHA256, the file.")],
    kind: Annotated[str, typer.Option(metavar="KIND", help="results, stacks or times.")] = "results",
) -> None:
    """Write what is published under a key into a folder, every file compared with its digest."""
    opened = open_store(url, make=False)
    if key.startswith(RAW):
        if out.is_file():
            raise RequestError(f"{out}: exists; name another file, or a folder")
        path = opened.fetch_raw(key.removeprefix(RAW), out)
        sys.stdout.write(f"{path}: {_bytes(path.stat().st_size)}\n")
        return
    which = _kind(kind)
    commit = opened.fetch(which, _whole_key(opened, which, key), out)
    sys.stdout.write(f"{out}: {len(commit.files)} files, {_bytes(commit.size)}, of {commit.edition}\n")


def _kind(text: str) -> Kind:
    for kind in KINDS:
        if kind == text:
            return kind
    raise RequestError(f"--kind {text}: give {', '.join(KINDS)}")


def _whole_key(opened: Store, kind: Kind, start: str) -> str:
    """The one key that begins so."""
    if opened.find(kind, start) is not None:
        return start
    keys = [commit.key for commit in opened.published(kind) if commit.key.startswith(start)]
    if len(keys) != 1:
        found = "none begins" if not keys else f"{len(keys)} begin"
        raise RequestError(f"{opened.url}: {kind} {start}: {found} so; see umbra store ls")
    return keys[0]


def _verify(
    url: Url,
    deep: Annotated[bool, typer.Option("--deep", help="Read everything and compare digests.")] = False,
    as_json: Json = False,
) -> None:
    """Look whether all that is published and kept is there, and as it was."""
    opened = open_store(url, make=False)
    bad = 0
    counted: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for finding in opened.verify(deep):
        counted[finding.state] += 1
        sizes[finding.state] += finding.size
        bad += not finding.harmless
        if as_json:
            sys.stdout.write(_line(plain(finding)))
        elif finding.state != "ok":
            sys.stdout.write(f"{finding.state}: {finding.name}: {finding.detail}\n")
    if not as_json:
        how = "by digest" if deep else "by size"
        told = [f"{counted[state]} {state} ({_bytes(sizes[state])})" for state in sorted(counted)]
        sys.stdout.write(f"{opened.url}: looked at {how}: {', '.join(told)}\n")
    if bad:
        raise DataError(f"{opened.url}: {bad} of {sum(counted.values())} objects are missing or damaged")


def _check(url: Url, as_json: Json = False) -> None:
    """Try whether a disk or a server does what a store relies on; nothing stays of it."""
    objects = objects_at(url)
    outcomes = []
    for outcome in Trial(objects).run():
        outcomes.append(outcome)
        told = f"{'ok ' if not outcome.seen else 'BAD'}  {outcome.what}"
        told += f": {outcome.seen}" if outcome.seen else ""
        sys.stdout.write(_line(plain(outcome)) if as_json else f"{told}\n")
    refuse(objects.url, outcomes)


def _collect(
    url: Url,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Spare what changed since, e.g. 7d, 12h.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would go, delete nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what was uploaded and never committed."""
    age_s = _age(older_than)
    opened = open_store(url, make=False)
    gone = opened.collect(age_s, dry_run)
    for one in gone:
        sys.stdout.write(_line(plain(one)) if as_json else _told(one))
    if not as_json:
        what = "would go" if dry_run else "deleted"
        count, size = sum(one.objects for one in gone), sum(one.size for one in gone)
        sys.stdout.write(f"{opened.url}: {count} objects {what}, {_bytes(size)}\n")


def _told(one: Lost) -> str:
    return f"{one.changed:%Y-%m-%dT%H:%M:%SZ}  {one.objects} objects, {_bytes(one.size)}  {one.name}\n"


def _age(text: str) -> float:
    match = AGE.match(text)
    if match is None:
        raise RequestError(f"--older-than {text}: give a number and s, m, h, d or w, e.g. 7d")
    return float(match[1]) * SECONDS[match[2]]


def _bytes(size: float) -> str:
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            return f"{size:.0f} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False) + "\n"


ACTIONS: dict[str, tuple[Callable[..., None], str]] = {
    "ls": (_ls, "campaigns, observations and their versions"),
    "get": (_get, "a result (or stack, or times) -> folder"),
    "put": (_put, "files -> store, under their SHA-256"),
    "log": (_log, "the log of an attempt at a job"),
    "verify": (_verify, "whether all is there and as it was"),
    "check": (_check, "whether a server does what a store relies on"),
    "collect": (_collect, "delete uploads that were never committed"),
}
