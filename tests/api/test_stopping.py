"""`umbra serve` is told to end, whatever it is at: it ends, with code 0, and nothing of it is left."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.requirements import require

require("server")
require("ray")

from api.fits.fitting import Fitting  # noqa: E402 - after the check for the extra
from api.uploads.keeping import Keeping  # noqa: E402
from tests.api.client import serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.processes import all_gone, below  # noqa: E402

ROOT = Path(__file__).parents[2]
WITHIN_S = 240.0
"""For a machine on which everything takes ten times as long."""

SLOW_WORKERS = """
import sys, time
from importlib.abc import MetaPathFinder
class Slow(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == MODULE:
            time.sleep(3600.0)
if any("default_worker.py" in word for word in sys.orig_argv):
    sys.meta_path.insert(0, Slow())
"""
"""A machine so busy that Ray's workers take an hour to import something."""


def of(home: Path) -> list[int]:
    """Processes with this UMBRA_HOME: those of a service, and all that they began."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"UMBRA_HOME={home}\0".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:  # ended meanwhile, or another user's
            continue
    return found


def begun(what: bytes) -> "Callable[[subprocess.Popen[str]], bool]":
    """Whether a process below has begun whose command line has this."""
    return lambda process: any(what in title for title in below(process.pid).values())


def ready(process: "subprocess.Popen[str]") -> bool:
    assert process.stdout is not None
    return process.stdout.readline().startswith("umbra serve: http")


MOMENTS = {
    "a node of Ray begins": (begun(b"gcs_server"), "ray"),
    "a worker of Ray begins": (begun(b"default_worker.py"), "ray"),
    "it is ready": (ready, "cluster"),
}
"""When it is told to end, and what workers do not get to."""


OF_RAYS_CORE = re.compile(r"\[\d{4}-[\d ,:-]+ [EW] \d+ \d+\] [\w.]+\.cc:\d+: ")
"""Ray's compiled core says on standard error, past all logging, that a task's end found nobody to tell."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_told_to_end(moment: str, tmp_path: Path) -> None:
    come, module = MOMENTS[moment]
    (tmp_path / "sitecustomize.py").write_text(SLOW_WORKERS.replace("MODULE", repr(module)))
    home = tmp_path / "home"
    environment = os.environ | {"UMBRA_HOME": str(home), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "umbra", "serve", "--port", "0", "--workers", "1", "--data", str(tmp_path)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        while not come(process):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=WITHIN_S)
        *before, last = errors.splitlines()
        assert (process.returncode, last) == (0, "umbra serve: stopped")
        assert all(OF_RAYS_CORE.match(line) for line in before), errors
        assert all_gone(of(home), WITHIN_S)
    finally:
        for pid in of(home):
            os.kill(pid, signal.SIGKILL)


class ClosedMeanwhile(threading.Event):
    """Told of work; `close` comes just before a thread forgets that it was told."""

    def __init__(self, stopping: threading.Event) -> None:
        super().__init__()
        self._stopping = stopping

    def clear(self) -> None:
        self._stopping.set()
        self.set()
        super().clear()


def ends(target: Callable[[], None]) -> bool:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(5.0)
    return not thread.is_alive()


def test_a_close_is_not_forgotten(tmp_path: Path) -> None:
    """The pauses of these threads are longer than anybody waits for them."""
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted()) as client:
        state = client.app.state
        keeping = Keeping(state.database, state.store, tmp_path / "a", state.settings)
        told = ClosedMeanwhile(keeping.stopping)
        assert ends(lambda: keeping._repeat(lambda: None, told))
        fitting = Fitting(state.database, state.store, state.reducing.cache, tmp_path / "b", state.settings)
        fitting._told = ClosedMeanwhile(fitting.stopping)
        assert ends(fitting._run)
