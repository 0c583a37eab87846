"""tus-js-client, which browsers use, against a service on a socket."""

import hashlib
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import missing, require

require("server")

from api.client import Service  # noqa: E402 - after the check for the extra
from tests.api.client import API  # noqa: E402
from tests.api.uploads.observer import UPLOADS  # noqa: E402
from tests.api.uploads.served import Served, running  # noqa: E402

FOLDER = Path(__file__).parent / "js"
NODE = shutil.which("node")
if NODE is None or not (FOLDER / "node_modules" / "tus-js-client").is_dir():
    missing("tus", "needs node, and npm ci --ignore-scripts in tests/api/uploads/js")

SIZE = (3 << 20) + 5


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with running(tmp_path_factory.mktemp("service") / "home", UMBRA_DISK_RESERVE="0") as served:
        yield served


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "Σ a.ser"
    path.write_bytes(random.Random(8).randbytes(SIZE))
    return path


def started(served: Served, path: Path, **options: Any) -> "subprocess.Popen[str]":
    metadata = {"observation": served.observation, "filename": path.name, "role": "additional"}
    order = {
        "endpoint": served.url + UPLOADS, "key": served.key, "path": str(path), "metadata": metadata,
        "chunkSize": 1 << 20, **options,
    }  # fmt: skip
    assert NODE is not None
    return subprocess.Popen(
        [NODE, str(FOLDER / "send.mjs"), json.dumps(order)], cwd=FOLDER, stdout=subprocess.PIPE, text=True
    )


def sent(served: Served, path: Path, **options: Any) -> list[dict[str, Any]]:
    """What it says of all its way."""
    process = started(served, path, **options)
    out, _ = process.communicate(timeout=600)
    return [json.loads(line) for line in out.splitlines()]


def is_stored(served: Served, path: Path, url: str) -> None:
    with Service(served.url, served.key) as service:
        file = service.file_of(url.rpartition("/")[2], patience_s=120)
    assert file["name"] == path.name
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("in_creation", [False, True])
def test_a_file(served: Served, path: Path, in_creation: bool) -> None:
    said = sent(served, path, inCreation=in_creation)
    assert [one["what"] for one in said] == ["chunk"] * 4 + ["done"]
    is_stored(served, path, said[-1]["url"])


def test_stopped_and_gone_on_with(served: Served, path: Path) -> None:
    said = sent(served, path, stopAt=1 << 20)
    assert said[-1]["what"] == "stopped"
    said = sent(served, path, uploadUrl=said[-1]["url"])
    assert said[0]["accepted"] == 2 << 20
    assert said[-1]["what"] == "done"
    is_stored(served, path, said[-1]["url"])


def test_ended(served: Served, path: Path) -> None:
    """Terminated by the client: the upload is gone."""
    said = sent(served, path, stopAt=1 << 20, terminate=True)
    with Service(served.url, served.key) as service:
        held = [one["id"] for one in service.ask("GET", "/uploads")["items"]]
    assert said[-1]["what"] == "stopped"
    assert not any(one in json.dumps(said) for one in held)


def test_through_a_kill(served: Served, path: Path) -> None:
    process = started(served, path, chunkSize=1 << 16)
    assert process.stdout is not None
    said = [json.loads(process.stdout.readline()) for _ in range(5)]
    served.restart()
    said += [json.loads(line) for line in process.stdout]
    process.wait(600)
    process.stdout.close()
    assert said[-1]["what"] == "done"
    assert any(one["what"] == "retry" for one in said)
    is_stored(served, path, said[-1]["url"])
    assert API in said[-1]["url"]
