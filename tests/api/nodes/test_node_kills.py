"""Node and service are killed, and lines cut, at random: no acknowledged byte is lost, each file comes once.

`UMBRA_NODE_KILLS` sets how many kills there are (5 in the ordinary run; ``make faults`` has 50), and
`UMBRA_NODE_KILLS_OUT` the file that what came of them is written to.
"""

import hashlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.requirements import require

require("server")

import httpx  # noqa: E402 - after the check for the extra

from api.client import Service  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.nodes.cli import node as node_command  # noqa: E402
from api.nodes.tables import Held  # noqa: E402
from api.nodes.tickets import HEADER  # noqa: E402
from api.observations.tables import ObservationFile  # noqa: E402
from api.uploads.tables import Upload  # noqa: E402
from bench.record import Record  # noqa: E402
from reduction.errors import RequestError  # noqa: E402
from tests.api.nodes.running import Chain, chain  # noqa: E402
from tests.api.uploads.observer import BODY, TUS, UPLOADS, metadata  # noqa: E402
from tests.proxy import Proxy  # noqa: E402

KILLS = int(os.environ.get("UMBRA_NODE_KILLS", "5"))
OUT = os.environ.get("UMBRA_NODE_KILLS_OUT")
SIZE = 12 << 20
EACH = 5
"""Kills in one file's way."""

PATIENCE_S = 600.0


class Trouble(threading.Thread):
    """Kills and cuts until it was done so often: while the file goes to the node, then on its way from there.

    Attributes
    ----------
    seen : Counter
        What it did.
    """

    def __init__(
        self, line: Chain, rng: random.Random, kills: int, state: Callable[[], str], seen: Counter[str]
    ) -> None:
        super().__init__(daemon=True)
        self._line, self._rng, self._state, self.seen = line, rng, state, seen
        self.victims = rng.choices(("node", "service"), (2, 1), k=kills)
        self._early = rng.randrange(kills + 1)

    def run(self) -> None:
        for place, victim in enumerate(self.victims):
            wanted = "arriving" if place < self._early else "whole"
            while (state := self._state()) not in {wanted, "whole", "handed"}:
                time.sleep(0.005)
            if state == "handed":
                return
            if self._rng.random() < 0.5:
                self._cut(self._rng.choice(self._line.lines))
            time.sleep(self._rng.uniform(0.0, 0.3))
            state = self._state()
            (self._line.node if victim == "node" else self._line.service).restart()
            self.seen[f"kills of the {victim}"] += 1
            self.seen[f"kills while {state}"] += 1

    def _cut(self, line: Proxy) -> None:
        line.refuse()
        time.sleep(self._rng.uniform(0.0, 0.2))
        line.resume()
        self.seen["cuts"] += 1


class Observation:
    """Sends one file by the node, as long as it takes, and remembers what was acknowledged."""

    def __init__(self, line: Chain, name: str, content: bytes, rng: random.Random) -> None:
        self.line, self.name, self.content, self.rng = line, name, content, rng
        self.acknowledged = self.lost = 0
        self.sha256 = hashlib.sha256(content).hexdigest()
        key = {"X-API-Key": line.service.key}
        self.service = httpx.Client(base_url=line.service.url, headers={**TUS, **key}, timeout=300)
        told = metadata(
            observation=line.service.observation, filename=name, role="additional", sha256=self.sha256
        )
        headers = {"Upload-Length": str(len(content)), "Upload-Metadata": told}
        self.url = self.service.post(UPLOADS, headers=headers).headers["Location"]
        ticket = self.service.post(f"{self.url}/tickets", json={"node": "chile"}).json()
        assert ticket["location"].endswith(self.url)
        self.node = httpx.Client(
            base_url=ticket["url"], headers={**TUS, HEADER: ticket["ticket"]}, timeout=300
        )

    def close(self) -> None:
        self.service.close()
        self.node.close()

    def state(self) -> str:
        """Of the file at the node, from its disk: also while it does not run."""
        database = Database(self.line.node.home / "node.sqlite")
        with closing(database), database.reading() as session:
            row = session.get(Held, self.url[-32:])
            return "nothing" if row is None else row.state

    def send(self) -> None:
        """Until the node has acknowledged all bytes."""
        ends = time.monotonic() + PATIENCE_S
        while self.acknowledged < len(self.content):
            assert time.monotonic() < ends, self.acknowledged
            try:
                self._go_on()
            except httpx.TransportError:
                time.sleep(0.02)

    def _go_on(self) -> None:
        length = {"Upload-Length": str(len(self.content))}
        begun = self.node.post(UPLOADS, headers=length)
        assert begun.status_code == 201, begun.text
        at = int(begun.headers["Upload-Offset"])
        self.lost += max(0, self.acknowledged - at)
        self.acknowledged = at
        while at < len(self.content):
            size = self.rng.choice((1, 4096, 100_001, 1 << 20, 3 << 20))
            body = self.content[at : at + size]
            headers = {**BODY, "Upload-Offset": str(at), "Content-Length": str(len(body))}
            parts = (body[start : start + (1 << 16)] for start in range(0, len(body), 1 << 16))
            answer = self.node.patch(self.url, headers=headers, content=parts)
            if answer.status_code != 204:
                assert answer.status_code in {408, 409, 423}, answer.text
                return
            at = self.acknowledged = int(answer.headers["Upload-Offset"])

    def arrives(self) -> None:
        """The service has it, byte for byte, once; the node knows, and keeps nothing."""
        ends = time.monotonic() + PATIENCE_S
        while self.state() != "handed":
            assert time.monotonic() < ends, self.state()
            time.sleep(0.05)
        database = Database(self.line.service.database)
        with closing(database), database.reading() as session:
            upload = session.get_one(Upload, self.url[-32:])
            files = select(func.count()).select_from(ObservationFile)
            assert session.scalars(files.where(ObservationFile.name == self.name)).one() == 1
            file = session.get_one(ObservationFile, upload.file)
        assert (upload.state, upload.sha256, file.sha256) == ("stored", self.sha256, self.sha256)
        content = self._content(file.id)
        assert hashlib.sha256(content).hexdigest() == self.sha256
        while (self.line.node.home / "uploads" / f"{upload.id}.part").exists():
            assert time.monotonic() < ends, "its bytes stay at the node"
            time.sleep(0.05)

    def _content(self, file: str) -> bytes:
        ends = time.monotonic() + PATIENCE_S
        while True:
            answer = self.service.get(f"/api/v1/files/{file}/content")
            if answer.status_code == 200:
                return answer.content
            assert time.monotonic() < ends, answer.text
            time.sleep(0.1)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with chain(tmp_path_factory.mktemp("line")) as line:
        yield line


def test_kills_and_cuts_at_random_points(line: Chain) -> None:
    rng = random.Random(9)
    seen: Counter[str] = Counter()
    lost = files = 0
    while (kills := seen["kills of the node"] + seen["kills of the service"]) < KILLS:
        content = rng.randbytes(SIZE)
        with closing(Observation(line, f"{files}.bin", content, rng)) as sent:
            trouble = Trouble(line, rng, min(EACH, KILLS - kills), sent.state, seen)
            trouble.start()
            sent.send()
            trouble.join()
            sent.arrives()
            lost += sent.lost
        files += 1
        if OUT is not None:
            record = Record("node-kills", {"kills": KILLS, "bytes of a file": SIZE})
            record.values = {
                **dict(sorted(seen.items())),
                "files, each once and equal": files,
                "acknowledged bytes lost": lost,
            }
            record.write(Path(OUT), -1)
    assert lost == 0
    assert seen["kills while whole"] + seen["kills while arriving"] > 0


def test_the_service_is_away_until_the_file_is_at_the_node(line: Chain) -> None:
    """The observer finishes all the same; then it goes on by itself."""
    content = random.Random(1).randbytes(1 << 20)
    with closing(Observation(line, "away.bin", content, random.Random(2))) as sent:
        line.service.kill()
        sent.send()
        assert sent.state() == "whole"
        told = sent.node.get(sent.url).json()
        assert (told["state"], told["received"], told["handed"]) == ("whole", 1 << 20, 0)
        line.node.restart()
        line.service.restart()
        sent.arrives()


def test_our_client_by_the_nearest_node(
    line: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through a cut line; also where the node has handed it over before the same is sent again."""
    path = tmp_path / "ours.bin"
    path.write_bytes(random.Random(4).randbytes(SIZE))
    seen: list[int] = []

    def progress(done: int, _total: int) -> None:
        seen.append(done)
        if len(seen) == 2:
            line.first.refuse()
            line.first.resume()

    with Service(line.service.url, line.service.key, patience_s=PATIENCE_S) as service:
        upload = service.upload(
            path, line.service.observation, "additional", progress=progress, node="nearest"
        )
        file = service.file_of(upload, PATIENCE_S)
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert seen == sorted(seen)
        again = service.upload(path, line.service.observation, "additional", resume=upload, node="chile")
        assert again == upload
        with pytest.raises(RequestError, match="no upload node"):
            service.upload(path, line.service.observation, "additional", node="mars")
    assert node_command(["status", "--data", str(line.node.home)]) == 0
    assert "handed over" in capsys.readouterr().out
