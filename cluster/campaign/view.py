"""What a person or a program sees of a campaign while it runs."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from cluster.campaign.events import WAITS, Event, Onlooker, Progress
from cluster.campaign.spans import duration

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

MOST_RUNNING = 16
MOST_FAILURES = 5
REFRESH_PER_S = 4


def onlooker(as_json: bool, out: IO[str] | None = None) -> Onlooker:
    """JSON lines for programs; a live view on a terminal; plain lines elsewhere."""
    out = sys.stdout if out is None else out
    if as_json:
        return JsonLines(out)
    return Live(out) if out.isatty() else Lines(out)


class JsonLines:
    """An event a line."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def tell(self, event: Event) -> None:
        """Write it."""
        self._out.write(json.dumps({"time": round(time.time(), 3), **event.plain}, ensure_ascii=False) + "\n")
        self._out.flush()

    def show(self, progress: Progress) -> None:
        """Events are enough."""

    def close(self) -> None:
        """Nothing is held."""


def line_of(event: Event, progress: Progress | None) -> str | None:
    """An event in a line for people; None where it is not worth one."""
    count = "" if progress is None else f"[{sum(progress.counts.values())}/{progress.total}] "
    if event.kind == "done":
        if event.before or event.known:
            return f"{count}{event.station}: done before"
        return f"{count}{event.station}: done, {event.frames} frames in {event.wall_s:.1f} s"
    if event.kind == "failed":
        before = " before" if event.before else ""
        return f"{count}{event.station}: failed{before} ({event.failure}): {event.error}"
    if event.kind == "retried":
        return (
            f"{event.station}: attempt {event.attempt} failed ({event.failure}), begun again: {event.error}"
        )
    if event.kind in {"cancelled", "released", "lost"}:
        words = {
            "cancelled": "cancelled",
            "released": "given back to the queue",
            "lost": "another one has it",
        }
        return f"{count if event.kind == 'cancelled' else ''}{event.station}: {words[event.kind]}"
    return None


class Lines:
    """A line for each observation that ends."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._total = self._ended = 0

    def tell(self, event: Event) -> None:
        """Write a line where it is worth one."""
        text = line_of(event, None)
        if text is None:
            return
        if event.kind in {"done", "failed", "cancelled"}:
            self._ended += 1
            text = f"[{self._ended}] {text}"
        self._out.write(text + "\n")
        self._out.flush()

    def show(self, progress: Progress) -> None:
        """Lines are enough."""

    def close(self) -> None:
        """Nothing is held."""


class Live:
    """A view of a terminal that is drawn again and again."""

    def __init__(self, out: IO[str]) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._failures: list[Event] = []
        self._live = RichLive(
            console=Console(file=out), refresh_per_second=REFRESH_PER_S, transient=True, auto_refresh=False
        )
        self._live.start()

    def tell(self, event: Event) -> None:
        """Keep failures in view; write what has ended above the view."""
        if event.kind == "failed":
            self._failures.append(event)
        text = line_of(event, None)
        if text is not None and not (event.kind == "done" and event.before):
            from rich.text import Text

            style = {"failed": "red", "retried": "yellow", "cancelled": "yellow"}.get(event.kind, "")
            self._live.console.print(Text(text, style=style))

    def show(self, progress: Progress) -> None:
        """Draw the state of things."""
        height = self._live.console.size.height
        self._live.update(drawn(progress, self._failures, height), refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()


def drawn(progress: Progress, failures: Sequence[Event], height: int) -> "Group":
    """The view: a bar, a line of figures, recordings under way, those that wait, the latest failures.

    Parameters
    ----------
    progress : Progress
    failures : sequence of Event
        All so far.
    height : int
        Lines of the terminal; the view takes half of them at most.
    """
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    ended = sum(progress.counts.values())
    head = Table.grid(padding=(0, 1), expand=True)
    head.add_column(ratio=1)
    head.add_column(no_wrap=True)
    head.add_row(ProgressBar(total=max(1, progress.total), completed=ended), f"{ended} of {progress.total}")
    lines: list[Any] = [head, Text(status_line(progress), style="bold", no_wrap=True, overflow="ellipsis")]
    room = max(4, height // 2) - len(lines)
    told = failures[-min(MOST_FAILURES, room // 3) :]
    waiting = [station for station, (stage, _, _) in progress.running.items() if stage == WAITS]
    busy = {station: step for station, step in progress.running.items() if step[0] != WAITS}
    lines.append(_table(busy, min(MOST_RUNNING, room - len(told) - bool(waiting))))
    if waiting:
        lines.append(Text(f"  next: {', '.join(waiting)}", no_wrap=True, overflow="ellipsis", style="dim"))
    for event in told:
        text = f"  {event.station}: {event.failure}: {event.error}"
        lines.append(Text(text, style="red", no_wrap=True, overflow="ellipsis"))
    return Group(*lines)


def status_line(progress: Progress) -> str:
    """Counts, pace and time to go, in a line."""
    counts = progress.counts
    if progress.starting:
        return "workers are started"
    parts = [f"{counts.get('done', 0)} done"]
    parts += [f"{counts[kind]} {kind}" for kind in ("failed", "cancelled") if counts.get(kind)]
    if progress.planned < progress.total:
        parts.append(f"{progress.total - progress.planned} to be looked at")
    if progress.frames:
        parts.append(f"{progress.frames_per_s:,.0f} frames/s")
    if progress.eta_s is not None and progress.left:
        parts.append(f"about {duration(progress.eta_s)} to go")
    parts.append("1 worker" if progress.workers == 1 else f"{progress.workers} workers")
    return " · ".join(parts)


def _table(busy: Mapping[str, tuple[str, int, int]], most: int) -> "Table":
    """Recordings under way."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=28)
    table.add_column(no_wrap=True)
    table.add_column(width=24)
    table.add_column(no_wrap=True, justify="right")
    shown = most if len(busy) <= most else most - 1
    for station, (stage, done, total) in list(busy.items())[:shown]:
        bar = ProgressBar(total=max(1, total), completed=done, width=24)
        table.add_row(f"  {station}", stage, bar, f"{done}/{total}" if total else "")
    if len(busy) > shown:
        table.add_row(f"  and {len(busy) - shown} more", "", "", "")
    return table


def summary_text(progress: Progress, campaign: str, interrupted: bool = False) -> str:
    """The end of a run, for people."""
    counts = progress.counts
    said = [f"{counts.get('done', 0)} done"]
    said += [f"{counts[kind]} {kind}" for kind in ("failed", "cancelled") if counts.get(kind)]
    if progress.left:
        why = (
            "left: the same command goes on" if interrupted else "held: umbra campaign resume lets them go on"
        )
        said.append(f"{progress.left} {why}")
    pace = f"; {progress.frames} frames in {duration(progress.busy_s)}, {progress.frames_per_s:,.0f} frames/s"
    observations = "1 observation" if progress.total == 1 else f"{progress.total} observations"
    return f"{campaign}: {observations}, {', '.join(said)}{pace if progress.frames else ''}\n"
