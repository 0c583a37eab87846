"""A disk that is full: 507, nothing is acknowledged that is not there, and on it goes when there is room."""

import hashlib
import random
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.requirements import require

require("server")

from api.client import Service  # noqa: E402 - after the check for the extra
from reduction.errors import ResourceError  # noqa: E402
from tests.api.uploads.observer import BODY, TUS, UPLOADS, Observer, metadata  # noqa: E402
from tests.api.uploads.served import LEAN, Served  # noqa: E402

ROOM = 12 << 20
MOUNT = f'mount -t tmpfs -o size={ROOM} none "$UMBRA_HOME/uploads" && exec "$@"'
OWN = ("unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh")


def may_mount() -> bool:
    """Whether this machine lets one have a small disk of one's own."""
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def begun(served: Served, name: str, size: int) -> str:
    told = metadata(observation=served.observation, filename=name, role="additional")
    headers = {**TUS, "X-API-Key": served.key, "Upload-Length": str(size), "Upload-Metadata": told}
    return httpx.post(served.url + UPLOADS, headers=headers).headers["Location"]


def send(served: Served, url: str, at: int, content: bytes) -> httpx.Response:
    headers = {**TUS, **BODY, "X-API-Key": served.key, "Upload-Offset": str(at)}
    return httpx.patch(served.url + url, headers=headers, content=content, timeout=300)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    if not may_mount():
        pytest.skip("no mount namespaces here")
    (tmp_path / "home" / "uploads").mkdir(parents=True)
    content = random.Random(2).randbytes(9 << 20)
    served = Served(tmp_path / "home", LEAN, OWN, {"UMBRA_DISK_RESERVE": "0"})
    served.people()
    served.start()
    try:
        filler = begun(served, "filler", ROOM)
        assert send(served, filler, 0, b"0" * (6 << 20)).status_code == 204
        url = begun(served, "a.bin", len(content))
        full = send(served, url, 0, content)
        assert full.status_code == 507, full.text
        assert "full" in full.json()["detail"]
        head = httpx.head(served.url + url, headers={**TUS, "X-API-Key": served.key})
        at = int(head.headers["Upload-Offset"])
        assert 0 < at < len(content)
        assert send(served, url, at, content[at:]).status_code == 507
        (tmp_path / "a.bin").write_bytes(content)
        with Service(served.url, served.key, patience_s=1) as service:
            with pytest.raises(ResourceError, match="507"):
                service.upload(tmp_path / "a.bin", served.observation, resume=url.rpartition("/")[2])
            httpx.delete(served.url + filler, headers={**TUS, "X-API-Key": served.key})
            upload = service.upload(tmp_path / "a.bin", served.observation, resume=url.rpartition("/")[2])
            file = service.file_of(upload, patience_s=120)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    finally:
        served.kill()


def test_the_disk_is_left_some_room(observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the database above all, which could not acknowledge anything on a full disk."""
    url = observer.begin(10)
    assert observer.patch(url, 0, b"abc").status_code == 204
    receiving = observer.client.app.state.receiving
    monkeypatch.setattr(receiving, "_reserve", 1 << 60)
    answer = observer.patch(url, 3, b"def")
    assert (answer.status_code, answer.headers["Retry-After"]) == (507, "60")
    assert observer.offset(url) == 3
    monkeypatch.setattr(receiving, "_reserve", 0)
    assert observer.patch(url, 3, b"defghij").status_code == 204


def test_a_disk_that_fails(observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be flushed is not acknowledged."""
    url = observer.begin(10)

    def broken(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", broken)
        answer = observer.patch(url, 0, b"abc")
        assert answer.status_code == 503
        assert observer.offset(url) == 0
    assert observer.patch(url, 0, b"0123456789").status_code == 204
    assert observer.settled(url)["sha256"] == hashlib.sha256(b"0123456789").hexdigest()
