"""One way to run a verb: options by typer, one clear message and exit code per kind of error."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from reduction.errors import UmbraError

INTERRUPTED = 130


def run_verb(name: str, function: Callable[..., None], arguments: Sequence[str]) -> int:
    """Run `function`, a typer command, on `arguments`; return the exit code.

    0 done; 2 request wrong; 3 data wrong; 4 resource missing; 130 interrupted. Errors that Umbra
    explains print one line on standard error; any other is a bug and keeps its traceback.
    """

    @functools.wraps(function)
    def explained(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
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
