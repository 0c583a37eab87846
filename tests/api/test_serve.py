"""`umbra serve` as it is run: a process of its own, a real socket, Ray."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")
require("ray")

import httpx  # noqa: E402 - after the check for the extra

from api.cli import serve  # noqa: E402
from api.settings import is_loopback, make_settings  # noqa: E402
from cluster.recording import reduce_to_folder  # noqa: E402
from ingest.writers import write_ser  # noqa: E402
from reduction.errors import RequestError, ResourceError  # noqa: E402
from tests.contracts.executors import PLAN, SCENE, bytes_of, request_of  # noqa: E402
from tests.processes import all_gone, below  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

ROOT = Path(__file__).parents[2]
API = "/api/v1"


@dataclass(frozen=True)
class Server:
    """A running `umbra serve`."""

    process: "subprocess.Popen[str]"
    url: str

    def get(self, path: str, **params: Any) -> httpx.Response:
        return httpx.get(self.url + path, params=params, timeout=300)

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}{API}/folder/reductions", json=body, timeout=300)
        assert answer.status_code == 202, answer.text
        view: dict[str, Any] = answer.json()
        return view

    def await_status(self, job: str, wanted: set[str], wait: float) -> dict[str, Any]:
        ends = time.monotonic() + 600
        while time.monotonic() < ends:
            view: dict[str, Any] = self.get(f"{API}/folder/jobs/{job}", wait=wait).json()
            if view["status"] in wanted:
                return view
            time.sleep(0.02)
        raise AssertionError(f"{view}: not {wanted}")


@contextmanager
def served(data: Path, home: Path) -> Iterator[Server]:
    """Start the command on a free port; stop it, and see that nothing of it is left."""
    command = [sys.executable, "-m", "umbra", "serve", "--port", "0", "--data", str(data), "--workers", "1"]
    environment = os.environ | {"UMBRA_HOME": str(home)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        found = re.match(r"umbra serve: (http://127\.0\.0\.1:\d+)/api/v1\n", line)
        assert found is not None, line + process.stderr.read()
        assert str(data) in process.stdout.readline()
        assert str(home) in process.stdout.readline()
        yield Server(process, found[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short recording and a long one."""
    folder = tmp_path_factory.mktemp("data")
    little_ser(SCENE, folder)
    write_ser(folder / "long.ser", [SCENE.frame(i) for i in range(100)] * 120)
    return folder


def test_from_request_to_light_curve_and_through_a_crash(data: Path, tmp_path: Path) -> None:
    body = {"input": "scene.ser", "plan": PLAN.model_dump(mode="json")}
    long = {"input": "long.ser", "plan": PLAN.model_dump(mode="json")}
    reduce_to_folder(request_of(data / "scene.ser"), tmp_path / "expected")
    home = tmp_path / "home"

    with served(data, home) as server:
        job = server.ask(body)["id"]
        assert server.ask(body)["id"] == job
        view = server.await_status(job, {"done", "failed"}, wait=30)
        assert view["status"] == "done", view
        curve = server.get(view["links"]["lightcurve"])
        assert curve.content == bytes_of(tmp_path / "expected")["lightcurve.csv"]
        assert server.get(f"{API}/health").json()["status"] == "ok"

        interrupted = server.ask(long)["id"]
        server.await_status(interrupted, {"running"}, wait=0)
        # Ray's own idle agents take minutes to notice; what could still write must not
        family = [pid for pid, title in below(server.process.pid).items() if b"Agent" not in title]
        server.process.kill()
        server.process.wait()
        assert all_gone(family, 300), "workers outlive a service that is killed"

    with served(data, home) as server:
        assert server.get(f"{API}/folder/jobs/{job}").json() == view
        assert server.get(view["links"]["lightcurve"]).content == curve.content
        server.await_status(interrupted, {"running"}, wait=0)
        family = list(below(server.process.pid))
        assert family
        server.process.send_signal(signal.SIGINT)
        _, errors = server.process.communicate(timeout=300)
        assert server.process.returncode == 0, errors
        assert errors == "umbra serve: stopped\n"
        assert all_gone(family, 60)
    state = (home / "jobs" / interrupted / "job.json").read_text()
    assert '"status": "queued"' in state
    assert {path.name for path in (home / "jobs" / interrupted).iterdir()} == {"job.json"}


def test_what_cannot_be_served(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert serve(["--data", str(tmp_path / "absent")]) == 2
    assert "no such folder" in capfd.readouterr().err
    assert serve(["--port", "70000"]) == 2


def test_an_address_that_cannot_be_had(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UMBRA_HOME", str(tmp_path / "home"))
    assert serve(["--data", str(tmp_path), "--host", "no such host"]) == 2
    assert serve(["--data", str(tmp_path), "--host", "192.0.2.77", "--port", "0"]) == 4
    assert "cannot listen" in capfd.readouterr().err


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.delenv("UMBRA_HOME", raising=False)
    monkeypatch.setenv("UMBRA_DATA", str(tmp_path / "link"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    settings = make_settings(None, "127.0.0.1", 3)
    assert settings.data == tmp_path / "data"
    assert settings.home == tmp_path / "share" / "umbra"
    assert settings.home.stat().st_mode & 0o777 == 0o700
    assert settings.workers == 3
    assert settings.hosts is not None
    assert "localhost" in settings.hosts
    assert make_settings(None, "0.0.0.0", None).hosts is None
    with pytest.raises(RequestError, match="no such folder"):
        make_settings(str(tmp_path / "absent"), "localhost", None)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UMBRA_HOME", str(tmp_path / "file" / "x"))
    with pytest.raises(ResourceError, match="UMBRA_HOME"):
        make_settings(None, "localhost", None)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("a", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
