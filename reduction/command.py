"""One way to run a verb: options by typer, one clear message and exit code per kind of error."""

import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from reduction.errors import UmbraError

INTERRUPTED = 130
ENDED = 143


class EndedError(KeyboardInterrupt):
    """The process was told to end (SIGTERM)."""


def run_verb(name: str, function: Callable[..., None], arguments: Sequence[str]) -> int:
    """Run `function`, a typer command, on `arguments`; return the exit code.

    0 done; 2 request wrong; 3 data wrong; 4 resource missing; 130 interrupted; 143 told to end, by
    SIGTERM, which leaves as little behind as Ctrl-C does. Errors that Umbra explains print one line on
    standard error; any other is a bug and keeps its traceback.
    """

    @functools.wraps(function)
    def explained(*args: Any, **kwargs: Any) -> None:
        try:
            with _ending_orderly():
                function(*args, **kwargs)
        except EndedError:
            sys.stderr.write(f"umbra {name}: told to end; nothing was written\n")
            raise SystemExit(ENDED) from None
        except KeyboardInterrupt:
            sys.stderr.write(f"umbra {name}: interrupted; nothing was written\n")
            raise SystemExit(INTERRUPTED) from None
        except UmbraError as error:
            sys.stderr.write(f"umbra {name}: {error}\n")
            raise SystemExit(error.exit_code) from None

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name=name)(explained)
    try:
        app(args=list(arguments), prog_name=f"umbra {name}")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


@contextmanager
def _ending_orderly() -> Iterator[None]:
    """Let SIGTERM end the body as Ctrl-C does: what it holds is closed, and its scratch folders go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        del frame
        signal.signal(number, signal.SIG_IGN)  # once is enough: tidying up must not be ended as well
        raise EndedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
