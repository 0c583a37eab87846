"""What `umbra remote` shows: lines for people, JSON for machines, a bar while bytes travel."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from api.client import Service
from api.remote.kept import chosen
from reduction.command import ENDED, INTERRUPTED, EndedError

Where = Annotated[
    str | None, typer.Option("--service", metavar="URL", help="Which service, of several logged in to.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON, as the service says it.")]
PatienceS = Annotated[
    float, typer.Option("--patience", metavar="S", min=0, help="How long to try again what may pass.")
]
PATIENCE_S = 3600.0
UNITS = ("B", "kB", "MB", "GB", "TB")
BAR = 30
TURN_S = 0.2


@contextmanager
def opened(url: str | None, patience_s: float = PATIENCE_S) -> Iterator[Service]:
    """The service that is meant; what is tried again is said on standard error."""
    login = chosen(url)
    with Service(login.url, login.key, patience_s, insecure=login.insecure, trouble=warn) as service:
        yield service


@contextmanager
def leaving(text: str) -> Iterator[None]:
    """Say what becomes of the work when it is interrupted."""
    try:
        yield
    except EndedError:
        warn(f"told to end; {text}")
        raise SystemExit(ENDED) from None
    except KeyboardInterrupt:
        warn(f"interrupted; {text}")
        raise SystemExit(INTERRUPTED) from None


def warn(text: str) -> None:
    """A line on standard error."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{clear}umbra remote: {text}\n")
    sys.stderr.flush()


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(document: Any, indent: int | None = 1) -> None:
    """A document on standard output; without `indent` on one line."""
    say(json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False))


def table(rows: Sequence[Sequence[object]]) -> None:
    """Rows as aligned columns."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in texts) for k in range(len(texts[0]))] if texts else []
    for row in texts:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def bytes_text(size: float) -> str:
    """A number of bytes with a unit that suits it."""
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            return f"{size:.0f} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError


class Bar:
    """How far a file is, on a terminal; elsewhere nothing.

    Parameters
    ----------
    name : str
        Of the file.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = sys.stderr.isatty()
        self._first: tuple[float, int] | None = None
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Show `done` of `total` bytes."""
        at = time.monotonic()
        if self._first is None:
            self._first = at, done
        if not self._shown or (at - self._last < TURN_S and done < total):
            return
        self._last = at
        sys.stderr.write("\r\x1b[K" + bar_text(self._name, done, total, self._rate(at, done)))
        if done >= total:
            sys.stderr.write("\n")
        sys.stderr.flush()

    def _rate(self, at: float, done: int) -> float:
        assert self._first is not None
        begun, before = self._first
        return (done - before) / (at - begun) if at > begun else 0.0


def bar_text(name: str, done: int, total: int, rate: float = 0.0) -> str:
    """A bar: ``night.ser [#####.....]  50 %  32 MB of 64 MB, 12 MB/s, 3 s left``."""
    share = done / total if total else 1.0
    filled = int(share * BAR)
    text = f"{name} [{'#' * filled}{'.' * (BAR - filled)}] {share:4.0%}  "
    text += f"{bytes_text(done)} of {bytes_text(total)}"
    if rate > 0:
        text += f", {bytes_text(rate)}/s, {(total - done) / rate:.0f} s left"
    return text
