"""The server is killed at random points of an upload: what was acknowledged is there, the whole is equal.

`UMBRA_UPLOAD_KILLS` sets how many kills there are (10 in the ordinary run; ``make faults`` has 200), and
`UMBRA_UPLOAD_KILLS_OUT` the file that what came of them is written to.
"""

import hashlib
import os
import random
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

import httpx  # noqa: E402 - after the check for the extra

from api.client import Service  # noqa: E402
from bench.record import Record  # noqa: E402
from cluster.store import open_store  # noqa: E402
from tests.api.client import API  # noqa: E402
from tests.api.uploads.observer import BODY, TUS, UPLOADS, metadata  # noqa: E402
from tests.api.uploads.served import SERVE, Served, forged, running  # noqa: E402

KILLS = int(os.environ.get("UMBRA_UPLOAD_KILLS", "10"))
OUT = os.environ.get("UMBRA_UPLOAD_KILLS_OUT")
SIZE = 24 << 20
EACH = 5
"""Kills in one file's way, at most."""


class Killer(threading.Thread):
    """Kills the service after so many seconds, and starts it again."""

    def __init__(self, served: Served, after_s: float) -> None:
        super().__init__(daemon=True)
        self._served, self._after_s = served, after_s
        self.killed = threading.Event()

    def run(self) -> None:
        time.sleep(self._after_s)
        self.killed.set()
        self._served.restart()


class Sender:
    """Sends a file in bodies of odd sizes, slowly enough to be hit, and remembers what was acknowledged."""

    def __init__(self, served: Served, content: bytes, rng: random.Random) -> None:
        self.served, self.content, self.rng = served, content, rng
        self.acknowledged = 0
        self.lost = 0
        self.client = httpx.Client(base_url=served.url, headers={"X-API-Key": served.key, **TUS}, timeout=300)
        self.url = self._begin()

    def close(self) -> None:
        self.client.close()

    def _begin(self) -> str:
        told = metadata(
            observation=self.served.observation,
            filename="a.ser",
            sha256=hashlib.sha256(self.content).hexdigest(),
        )
        headers = {"Upload-Length": str(len(self.content)), "Upload-Metadata": told}
        answer = self.client.post(UPLOADS, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def offset(self) -> int:
        """What the service says, when it is there again."""
        ends = time.monotonic() + 6000
        while True:
            try:
                answer = self.client.head(self.url)
                if answer.status_code == 200:
                    return int(answer.headers["Upload-Offset"])
            except httpx.TransportError:
                pass
            assert time.monotonic() < ends, "the service does not come back"
            time.sleep(0.05)

    def until(self, done: threading.Event) -> None:
        """Send until the file is whole, or the service has been killed."""
        while not done.is_set():
            at = self.offset()
            self.lost += max(0, self.acknowledged - at)
            if at == len(self.content):
                return
            size = self.rng.choice((1, 4096, 100_001, 1 << 20, 3 << 20))
            body = self.content[at : at + size]
            headers = {**BODY, "Upload-Offset": str(at), "Content-Length": str(len(body))}
            try:
                answer = self.client.patch(self.url, headers=headers, content=self._slowly(body))
            except httpx.TransportError:
                return
            if answer.status_code == 204:
                self.acknowledged = int(answer.headers["Upload-Offset"])

    def _slowly(self, body: bytes) -> Any:
        for start in range(0, len(body), 1 << 16):
            yield body[start : start + (1 << 16)]


def hit(served: Served, sender: Sender, rng: random.Random) -> bool:
    """One kill while the file is sent; whether it was still on its way."""
    before = sender.offset()
    killer = Killer(served, rng.uniform(0.0, 0.4))
    killer.start()
    sender.until(killer.killed)
    killer.join()
    return before < len(sender.content)


def finish(served: Served, sender: Sender) -> None:
    """Send the rest, and see the file stored, byte for byte."""
    never = threading.Event()
    while sender.offset() < len(sender.content):
        sender.until(never)
    with Service(served.url, served.key) as service:
        ends = time.monotonic() + 600
        while (view := service.ask("GET", sender.url.removeprefix(API)))["state"] != "stored":
            assert view["state"] == "whole", view
            assert time.monotonic() < ends, view
            time.sleep(0.1)
    sha256 = hashlib.sha256(sender.content).hexdigest()
    assert view["sha256"] == sha256
    store = open_store(served.home / "store", make=False)
    found = store.fetch_raw(sha256, served.home / "fetched")
    assert hashlib.sha256(found.read_bytes()).hexdigest() == sha256
    found.unlink()
    assert not (served.home / "uploads" / f"{view['id']}.part").exists()


def test_kills_at_random_points(tmp_path: Path) -> None:
    kills = lost = files = 0
    rng = random.Random(11)
    with forged(tmp_path / "home", UMBRA_DISK_RESERVE="0") as served:
        while kills < KILLS:
            with closing(Sender(served, rng.randbytes(SIZE), rng)) as sender:
                for _ in range(min(EACH, KILLS - kills)):
                    kills += hit(served, sender, rng)
                finish(served, sender)
                lost += sender.lost
            files += 1
            if OUT is not None:
                record = Record("upload-kills", {"kills": KILLS, "bytes of a file": SIZE})
                record.values = {"kills": kills, "files, equal": files, "acknowledged bytes lost": lost}
                record.write(Path(OUT), -1)
    assert lost == 0


def test_our_client_through_a_kill_of_the_real_command(tmp_path: Path) -> None:
    """`umbra serve`, Ray and all."""
    require("ray")
    path = tmp_path / "a.bin"
    path.write_bytes(random.Random(5).randbytes(40 << 20))
    seen: list[int] = []
    with running(tmp_path / "home", SERVE, UMBRA_DISK_RESERVE="0") as served:
        killers: list[Killer] = []

        def progress(done: int, _total: int) -> None:
            seen.append(done)
            if len(seen) == 3:
                killers.append(Killer(served, 0.0))
                killers[0].start()

        with Service(served.url, served.key, patience_s=120) as service:
            upload = service.upload(path, served.observation, "additional", progress=progress)
            killers[0].join()
            file = service.file_of(upload)
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert seen == sorted(seen)
    assert seen[-1] == 40 << 20


@pytest.mark.parametrize("checksum", [False, True])
def test_a_broken_line(tmp_path: Path, checksum: bool) -> None:
    """What came before it broke counts, unless there is a checksum to be met."""
    import base64
    import socket

    content = random.Random(3).randbytes(5 << 20)
    with (
        running(tmp_path / "home", UMBRA_DISK_RESERVE="0") as served,
        closing(Sender(served, content, random.Random(1))) as sender,
    ):
        lines = [
            f"PATCH {sender.url} HTTP/1.1", f"Host: 127.0.0.1:{served.port}", f"X-API-Key: {served.key}",
            "Tus-Resumable: 1.0.0", f"Content-Type: {BODY['Content-Type']}", "Upload-Offset: 0",
            f"Content-Length: {len(content)}",
        ]  # fmt: skip
        if checksum:
            digest = base64.b64encode(hashlib.sha1(content).digest()).decode()
            lines.append(f"Upload-Checksum: sha1 {digest}")
        with socket.create_connection(("127.0.0.1", served.port)) as line:
            line.sendall("\r\n".join([*lines, "", ""]).encode() + content[: 3 << 20])
            time.sleep(1.0)
        ends = time.monotonic() + 300
        wanted = 0 if checksum else 3 << 20
        while sender.offset() != wanted and time.monotonic() < ends:
            time.sleep(0.05)
        assert sender.offset() == wanted
        finish(served, sender)
