"""Files come down whole, in whatever pieces the line allows, or not at all."""

import base64
import hashlib
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.client import Service  # noqa: E402 - after the check for the extra
from api.remote.connection import Connection  # noqa: E402
from api.remote.downloading import Partial  # noqa: E402
from reduction.errors import DataError, RequestError, ResourceError  # noqa: E402
from tests.api.remote.stub import Asked, Reply, Stub, answering  # noqa: E402

CONTENT = bytes(range(256)) * 40_000
ETAG = '"abc"'


def served(content: bytes, etag: str, asked: Asked) -> Reply:
    """As a server of files answers: whole, or the range that is asked for."""
    headers = {"ETag": etag}
    if "range" in asked.headers and asked.headers.get("if-range") == etag:
        start = int(asked.headers["range"].removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            return Reply(416, headers=headers)
        told = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(206, content[start:], {**headers, "Content-Range": told})
    return Reply(200, content, headers)


def fetched(stub: Stub, goal: Path, sha256: str | None = None) -> Path:
    with Service(stub.url, "umbra_k", patience_s=20) as service:
        return service.download("/files/a", goal, sha256)


def test_a_line_that_breaks_again_and_again(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        reply = served(CONTENT, ETAG, asked)
        reply.lost = max(0, len(reply.body) - 3_000_000)
        return reply

    with answering(answer) as stub:
        goal = fetched(stub, tmp_path / "new" / "a.bin", hashlib.sha256(CONTENT).hexdigest())
    assert goal.read_bytes() == CONTENT
    assert [path.name for path in goal.parent.iterdir()] == ["a.bin"]
    starts = [asked.headers.get("range", "bytes=0-") for asked in stub.asked]
    assert starts[0] == "bytes=0-"
    assert len(starts) == 4
    assert all(asked.headers["x-api-key"] == "umbra_k" for asked in stub.asked)


def test_a_process_that_ended(tmp_path: Path) -> None:
    goal = tmp_path / "a.bin"
    with answering(lambda asked: served(CONTENT, ETAG, asked)) as stub:
        half = Partial(goal, f"{stub.url}/api/v1/files/a")
        half.begin(ETAG)
        half.path.write_bytes(CONTENT[:5_000_000])
        fetched(stub, goal)
    assert goal.read_bytes() == CONTENT
    assert [asked.headers["range"] for asked in stub.asked] == ["bytes=5000000-"]


@pytest.mark.parametrize("kept", [ETAG, '"old"', 'W/"abc"', ""])
@pytest.mark.parametrize("source", ["same", "other"])
def test_what_is_there_is_of_another_version(tmp_path: Path, kept: str, source: str) -> None:
    goal = tmp_path / "a.bin"
    with answering(lambda asked: served(CONTENT, ETAG, asked)) as stub:
        url = f"{stub.url}/api/v1/files/a" if source == "same" else "https://elsewhere.example.org"
        half = Partial(goal, url)
        half.begin(kept)
        right = kept == ETAG and source == "same"
        half.path.write_bytes(CONTENT[:1000] if right else b"x" * 1000)
        fetched(stub, goal)
    assert goal.read_bytes() == CONTENT


def test_what_is_there_is_longer(tmp_path: Path) -> None:
    goal = tmp_path / "a.bin"
    with answering(lambda asked: served(CONTENT, ETAG, asked)) as stub:
        half = Partial(goal, f"{stub.url}/api/v1/files/a")
        half.begin(ETAG)
        half.path.write_bytes(CONTENT + b"more")
        fetched(stub, goal)
    assert goal.read_bytes() == CONTENT


def test_another_range_than_was_asked_for(tmp_path: Path) -> None:
    goal = tmp_path / "a.bin"

    def answer(asked: Asked) -> Reply:
        reply = served(CONTENT, ETAG, asked)
        if reply.status == 206:
            reply.headers["Content-Range"] = f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"
        return reply

    with answering(answer) as stub:
        half = Partial(goal, f"{stub.url}/api/v1/files/a")
        half.begin(ETAG)
        half.path.write_bytes(CONTENT[:1000])
        fetched(stub, goal)
    assert goal.read_bytes() == CONTENT


@pytest.mark.parametrize("told", ["argument", "header"])
def test_bytes_that_were_changed_on_their_way(tmp_path: Path, told: str) -> None:
    right = hashlib.sha256(CONTENT)
    header = f"sha-256=:{base64.b64encode(right.digest()).decode()}:"

    def answer(asked: Asked) -> Reply:
        reply = served(b"x" + CONTENT[1:], ETAG, asked)
        if told == "header":
            reply.headers["Repr-Digest"] = header
        return reply

    with answering(answer) as stub, pytest.raises(DataError, match="SHA-256"):
        fetched(stub, tmp_path / "a.bin", right.hexdigest() if told == "argument" else None)
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    goal = tmp_path / "a.bin"
    goal.write_bytes(b"mine")
    with answering(lambda asked: served(CONTENT, ETAG, asked)) as stub:
        with pytest.raises(RequestError, match="--overwrite"):
            fetched(stub, goal)
        with Service(stub.url, "umbra_k") as service:
            service.download("/api/v1/files/a", goal, overwrite=True)
    assert goal.read_bytes() == CONTENT


def test_patience_has_an_end(tmp_path: Path) -> None:
    with (
        answering(lambda _: Reply(503, b"{}")) as stub,
        Service(stub.url, "k", patience_s=0.5) as service,
        pytest.raises(ResourceError, match="503"),
    ):
        service.download("/files/a", tmp_path / "a.bin")
    assert len(stub.asked) >= 2


@pytest.mark.parametrize("status", [401, 403, 404, 410, 418, 301])
def test_what_is_refused_is_not_asked_again(tmp_path: Path, status: int) -> None:
    def answer(_: Asked) -> Reply:
        return Reply(status, b'{"detail": "because"}', {"Location": "https://elsewhere.example.org/"})

    with answering(answer) as stub, pytest.raises(RequestError, match="because"):
        fetched(stub, tmp_path / "a.bin")
    assert len(stub.asked) == 1


def test_another_end_than_a_service(tmp_path: Path) -> None:
    with answering(lambda _: Reply(200, b"hello")) as stub:
        url = stub.url.replace("http:", "https:")
        with (
            Connection(url, "k", patience_s=20) as connection,
            pytest.raises(ResourceError, match="SSL_CERT_FILE"),
        ):
            connection.patiently(lambda: connection.send("GET", "/"))
    assert not stub.asked


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=umbra"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with answering(lambda asked: served(CONTENT, ETAG, asked), tls) as stub:
        with pytest.raises(ResourceError, match="SSL_CERT_FILE"):
            fetched(stub, tmp_path / "a.bin")
        assert not stub.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetched(stub, tmp_path / "a.bin").read_bytes() == CONTENT
