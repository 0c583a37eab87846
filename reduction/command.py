"""One way to run a verb: options by typer, one clear message and exit code per kind of error."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
import typer

from reduction.errors import UmbraError

INTERRUPTED = 130


def run_verb(name: str, function: Callable[..., Any], arguments: Sequence[str]) -> int:
    """Run `function`, a typer command, on `arguments`; return the exit code.

    0 done; 2 request wrong; 3 data wrong; 4 resource missing; 130 interrupted. Errors that Umbra
    explains print one line on standard error; any other is a bug and keeps its traceback.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name=name)(function)
    try:
        app(args=list(arguments), prog_name=f"umbra {name}", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write(f"umbra {name}: interrupted; nothing was written\n")
        return INTERRUPTED
    except UmbraError as error:
        sys.stderr.write(f"umbra {name}: {error}\n")
        return error.exit_code
    return 0
