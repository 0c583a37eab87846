"""Running a verb: exit codes and one message."""

import signal
from collections.abc import Callable
from typing import Annotated

import pytest
import typer

from reduction.command import run_verb
from reduction.errors import DataError, RequestError, ResourceError, UmbraError


def raising(error: BaseException) -> Callable[..., None]:
    def verb(name: Annotated[str, typer.Argument()], count: Annotated[int, typer.Option()] = 1) -> None:
        """Do nothing well."""
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "code"),
    [(RequestError("no"), 2), (DataError("no"), 3), (ResourceError("no"), 4), (UmbraError("no"), 1)],
)
def test_errors_become_codes_and_one_line(
    error: UmbraError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("verb", raising(error), ["x"]) == code
    seen = capsys.readouterr()
    assert seen.err == "umbra verb: no\n"
    assert not seen.out


def test_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("verb", raising(KeyboardInterrupt()), ["x"]) == 130
    assert capsys.readouterr().err == "umbra verb: interrupted; nothing was written\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_verb("verb", raising(ZeroDivisionError()), ["x"])


def test_success_and_its_arguments() -> None:
    seen: list[object] = []

    def verb(name: str, count: Annotated[int, typer.Option()] = 1) -> None:
        seen.extend([name, count])

    assert run_verb("verb", verb, ["a", "--count", "3"]) == 0
    assert seen == ["a", 3]


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "--count", "x"], ["a", "--unknown"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("verb", raising(ZeroDivisionError()), arguments) == 2
    assert "Usage: umbra verb" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("verb", raising(ZeroDivisionError()), ["--help"]) == 0
    seen = capsys.readouterr()
    assert "Do nothing well." in seen.out
    assert "--count" in seen.out


def test_told_to_end_once_it_ends_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    tidied = []

    def verb() -> None:
        """Be told to end, and again while tidying up."""
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            tidied.append(True)

    before = signal.getsignal(signal.SIGTERM)
    assert run_verb("verb", verb, []) == 143
    assert tidied
    assert capsys.readouterr().err == "umbra verb: told to end; nothing was written\n"
    assert signal.getsignal(signal.SIGTERM) == before
