"""Somebody at a terminal: `umbra remote` with a configuration of their own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.remote.cli import remote

ROOT = Path(__file__).parents[3]


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Terminal:
    """Runs commands; keys and notes are kept below `folder`."""

    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        config, state = self.folder / "config", self.folder / "state"
        return {"XDG_CONFIG_HOME": str(config), "XDG_STATE_HOME": str(state), **self.more}

    def run(self, *words: object, stdin: str = "") -> Said:
        """In this process."""
        out, err = io.StringIO(), io.StringIO()
        with _set(self.variables), _read(stdin), redirect_stdout(out), redirect_stderr(err):
            code = remote([str(word) for word in words])
        return Said(code, out.getvalue(), err.getvalue())

    def do(self, *words: object, stdin: str = "") -> Said:
        """The same, which must succeed."""
        said = self.run(*words, stdin=stdin)
        assert said.code == 0, (words, said)
        return said

    def begin(self, *words: object) -> "subprocess.Popen[str]":
        """In a process of its own, which can be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "umbra", "remote", *map(str, words)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def _set(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _read(text: str) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.StringIO(text)
    try:
        yield
    finally:
        sys.stdin = before
