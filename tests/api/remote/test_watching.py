"""What is shown while jobs run and bytes travel, at a terminal; and that Ctrl-C ends the showing alone."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.requirements import require

require("server")

from api.remote.shown import Bar, bar_text  # noqa: E402 - after the check for the extra
from tests.api.remote.stub import Asked, Reply, answering  # noqa: E402
from tests.api.remote.terminal import ROOT, Terminal  # noqa: E402

JOB = "5e0f2c7a9b1d4e6f8a0b1c2d3e4f5a6b"
VIEW = {
    "id": JOB, "links": {"self": f"/api/v1/jobs/{JOB}"}, "state": "running", "attempts": 1,
    "created": "2026-03-11T20:00:00Z", "started": "2026-03-11T20:00:01Z", "finished": None, "error": None,
    "progress": {"stage": "measure", "done": 3, "total": 8},
}  # fmt: skip


def endless(asked: Asked) -> Reply:
    """A service whose job runs for ever, and whose events do not come through."""
    if asked.path.endswith("/events"):
        return Reply(200, b"<html>", {"Content-Type": "text/html"})
    if "wait=" in asked.path:
        time.sleep(0.2)
    return Reply(200, json.dumps(VIEW).encode())


def until(terminal: int, wanted: str) -> str:
    """What a process writes to its terminal, until this is in it."""
    text, ends = "", time.monotonic() + 60.0
    while wanted not in text:
        assert time.monotonic() < ends, text
        if select.select([terminal], [], [], 1.0)[0]:
            text += os.read(terminal, 4096).decode()
    return text


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "told to end")]
)
def test_what_runs_is_shown_and_goes_on_when_the_showing_ends(
    number: signal.Signals, code: int, word: str, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with answering(endless) as stub:
        person = Terminal(tmp_path, {"UMBRA_REMOTE_URL": stub.url, "UMBRA_REMOTE_KEY": "umbra_k"})
        watching = subprocess.Popen(
            [sys.executable, "-m", "umbra", "remote", "watch", JOB],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **person.variables},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, text=True,
        )  # fmt: skip
        os.close(theirs)
        try:
            assert "\r\x1b[K1 running  5e0f2c7a measure 3/8" in until(ours, "measure 3/8")
            watching.send_signal(number)
            told = until(ours, "\n")
            out, _ = watching.communicate(timeout=60)
        finally:
            watching.kill()
            os.close(ours)
    assert watching.returncode == code
    assert f"\x1b[Kumbra remote: {word}; the jobs go on; see them again: umbra remote watch {JOB}" in told
    assert out.splitlines() == [f"20:00:01  {JOB}  running"]
    assert {asked.method for asked in stub.asked} == {"GET"}


class AtTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.1, 101.0, 102.0])
    monkeypatch.setattr("api.remote.shown.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(sys, "stderr", AtTerminal())
    bar = Bar("night.ser")
    for done in (10_000_000, 20_000_000, 32_000_000, 64_000_000):
        bar(done, 64_000_000)
    shown = sys.stderr.getvalue()  # type: ignore[union-attr]  # it is an AtTerminal
    *lines, last = shown.removeprefix("\r\x1b[K").split("\r\x1b[K")
    assert len(lines) == 2, "the second call comes too soon after the first"
    assert lines[1] == f"night.ser [{'#' * 15}{'.' * 15}]  50%  32 MB of 64 MB, 22 MB/s, 1 s left"
    assert last == f"night.ser [{'#' * 30}] 100%  64 MB of 64 MB, 27 MB/s, 0 s left\n"


def test_no_bar_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    Bar("night.ser")(1, 2)
    assert sys.stderr.getvalue() == ""  # type: ignore[union-attr]  # it is a StringIO
    assert bar_text("empty", 0, 0) == f"empty [{'#' * 30}] 100%  0 B of 0 B"
