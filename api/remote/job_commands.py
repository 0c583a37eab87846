"""Reductions and limb fits: ask for them, and watch them."""

import queue
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from api.client import Service, View
from api.remote.connection import GoneError
from api.remote.fields import fields_of
from api.remote.following import Event
from api.remote.shown import (
    PATIENCE_S,
    Json,
    PatienceS,
    Where,
    leaving,
    opened,
    say,
    say_json,
    warn,
)
from reduction.errors import DataError, RequestError

TURN_S = 2.0
GOES_ON = "the jobs go on; see them again: umbra remote watch"
Watch = Annotated[bool, typer.Option("--watch", help="Then watch.")]


def submit(
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="Id of an accepted recording.")] = None,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIELD=VALUE...]", help="As target=80,60 times.meaning=start."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", metavar="FILE", help="Instead: CSV or JSONL, a line for each."),
    ] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="ID", help="Of the manifest's files.")
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Leave out lines that are wrong.")] = False,
    key: Annotated[
        str | None, typer.Option("--key", metavar="TEXT", help="The same key is the same request.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, do nothing.")] = False,
    watch_it: Watch = False,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """Ask for a reduction of a recording, or for all of a manifest."""
    if (file is None) == (manifest is None):
        raise RequestError("give the id of a recording, or --manifest")
    if manifest is not None and campaign is None:
        raise RequestError("--manifest: give --campaign too")
    with opened(service) as umbra:
        if file is not None:
            more = {"dry_run": True} if dry_run else {}
            view = umbra.reduce(file, key, **fields_of(words or []), **more)
        else:
            assert manifest is not None
            assert campaign is not None
            mode = "partial" if partial else "atomic"
            view = umbra.reduce_all(campaign, manifest, key, mode, dry_run)
        if as_json and not watch_it:
            say_json(view)
        elif dry_run:
            _tell_plan(view)
        elif not as_json:
            said = f"{view['total']} reductions" if "total" in view else view["state"]
            say(f"{view['id']}  {said}")
            _tell_faults(view)
        if watch_it and not dry_run:
            watched(umbra, view, as_json)


def _tell_plan(view: View) -> None:
    estimate = ", ".join(f"{name} {value}" for name, value in view["estimate"].items())
    say(f"nothing was done; {view.get('lines', 1)} reductions would be: {estimate}")
    _tell_faults(view)


def _tell_faults(view: View) -> None:
    for fault in view.get("faults", ()):
        say(f"  line {fault['line']} {fault['column']}: {fault['reason']}")


def watch(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Of a job or a batch.")],
    polling: Annotated[
        bool, typer.Option("--poll", help="Ask again and again instead of listening.")
    ] = False,
    patience_s: PatienceS = PATIENCE_S,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """Show what becomes of a job or batch until it has ended. Ctrl-C ends the showing, not the jobs."""
    with opened(service, patience_s) as umbra:
        watched(umbra, job_or_batch(umbra, identity), as_json, polling)


def job_or_batch(umbra: Service, identity: str) -> View:
    """What an id is."""
    for kind in ("jobs", "batches"):
        try:
            view: View = umbra.ask("GET", f"/{kind}/{identity}")
        except GoneError:
            continue
        return view
    raise RequestError(f"{identity}: no such job or batch, or not yours to see")


def watched(umbra: Service, view: View, as_json: bool, polling: bool = False) -> None:
    """Show every state as it comes, and at the end what failed.

    Raises
    ------
    DataError
        A reduction failed.
    """
    events: queue.Queue[Event | BaseException | None] = queue.Queue()
    threading.Thread(target=_read, args=(umbra, view, polling, events), daemon=True).start()
    line = _Line(umbra, sys.stderr.isatty() and not as_json)
    with leaving(f"{GOES_ON} {view['id']}"):
        while True:
            try:
                event = events.get(timeout=TURN_S)
            except queue.Empty:
                line.turn()
                continue
            if isinstance(event, BaseException):
                raise event
            if event is None:
                break
            line.take(event)
            if as_json:
                say_json(event, indent=None)
            else:
                line.clear()
                say(f"{event['at'][11:19]}  {event['job']}  {event['state']}")
    _ended(umbra, view, as_json)


def _read(
    umbra: Service, view: View, polling: bool, events: "queue.Queue[Event | BaseException | None]"
) -> None:
    try:
        for event in umbra.follow(view, polling):
            events.put(event)
        events.put(None)
    except BaseException as error:  # noqa: BLE001 - raised again by who shows it
        events.put(error)


class _Line:
    """A line that tells how far the running jobs are, on a terminal."""

    def __init__(self, umbra: Service, shown: bool) -> None:
        self._umbra, self._shown = umbra, shown
        self._states: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """Remember a state."""
        self._states[event["job"]] = event["state"]

    def turn(self) -> None:
        """Show the line anew."""
        if not self._shown:
            return
        running = [job for job, state in self._states.items() if state == "running"]
        parts = []
        for job in running[:3]:
            progress = self._umbra.ask("GET", f"/jobs/{job}")["progress"]
            if progress is not None:
                parts.append(f"{job[:8]} {progress['stage']} {progress['done']}/{progress['total']}")
        sys.stderr.write(f"\r\x1b[K{len(running)} running  {'  '.join(parts)}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take it away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")


def _ended(umbra: Service, view: View, as_json: bool) -> None:
    path = str(view["links"]["self"]).removeprefix("/api/v1")
    now: dict[str, Any] = umbra.ask("GET", path)
    if as_json:
        say_json(now, indent=None)
    if "counts" in now:
        failed = list(umbra.pages(f"{path}/jobs", state="failed"))
        if not as_json:
            say(", ".join(f"{number} {state}" for state, number in now["counts"].items()))
    else:
        failed = [now] if now["state"] == "failed" else []
        if now["result"] is not None and not as_json:
            say(f"result {now['result']}, version {now['version']}")
    for job in failed:
        warn(f"{job['id']}: {job['error']}")
    if failed:
        raise DataError(f"{len(failed)} of {now.get('total', 1)} reductions failed")
