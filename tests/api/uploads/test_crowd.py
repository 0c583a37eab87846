"""Fifty clients at one offset of one upload, and everybody else meanwhile."""

import asyncio
import time
from pathlib import Path

from tests.requirements import require

require("server")

import httpx  # noqa: E402 - after the check for the extra

from api.client import Service  # noqa: E402
from tests.api.client import API  # noqa: E402
from tests.api.uploads.observer import BODY, TUS, UPLOADS, metadata  # noqa: E402
from tests.api.uploads.served import Served, running  # noqa: E402

CLIENTS = 50
SIZE = 100_000
HALF = SIZE // 2


class Client:
    """Sends the first half of a body, and the rest when it is told to."""

    def __init__(self, served: Served, url: str) -> None:
        self._served, self._url = served, url
        self.status = 0
        self.seconds = 0.0

    async def begin(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._served.port)
        lines = [
            f"PATCH {self._url} HTTP/1.1", f"Host: 127.0.0.1:{self._served.port}",
            f"X-API-Key: {self._served.key}", *(f"{a}: {b}" for a, b in {**TUS, **BODY}.items()),
            "Upload-Offset: 0", f"Content-Length: {SIZE}",
        ]  # fmt: skip
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + b"x" * HALF)
        await self._writer.drain()
        self._at = time.monotonic()

    async def answered(self, seconds: float) -> bool:
        """Whether an answer comes within so many seconds."""
        try:
            line = await asyncio.wait_for(self._reader.readline(), seconds)
        except TimeoutError:
            return False
        self.status, self.seconds = int(line.split()[1]), time.monotonic() - self._at
        return True

    def rest(self) -> None:
        self._writer.write(b"x" * HALF)

    def close(self) -> None:
        self._writer.close()


async def crowd(served: Served, url: str) -> tuple[list[Client], float]:
    """All at once; and how long another route took meanwhile."""
    clients = [Client(served, url) for _ in range(CLIENTS)]
    await asyncio.gather(*(client.begin() for client in clients))

    async def other() -> float:
        async with httpx.AsyncClient(base_url=served.url, headers={"X-API-Key": served.key}) as client:
            at = time.monotonic()
            assert (await client.get(f"{API}/observations", timeout=300)).status_code == 200
            return time.monotonic() - at

    elsewhere = asyncio.create_task(other())
    async with asyncio.timeout(600):
        while sum(client.status > 0 for client in clients) < CLIENTS - 1:
            waiting = [client for client in clients if not client.status]
            await asyncio.gather(*(client.answered(1.0) for client in waiting))
    seconds = await elsewhere
    (left,) = [client for client in clients if not client.status]
    left.rest()
    assert await left.answered(300)
    for client in clients:
        client.close()
    return clients, seconds


def test_one_of_fifty(tmp_path: Path) -> None:
    with (
        running(tmp_path / "home", UMBRA_DISK_RESERVE="0") as served,
        Service(served.url, served.key) as service,
    ):
        told = metadata(observation=served.observation, filename="a.ser")
        headers = {**TUS, "X-API-Key": served.key, "Upload-Length": str(SIZE), "Upload-Metadata": told}
        answer = httpx.post(served.url + UPLOADS, headers=headers)
        url = answer.headers["Location"]
        clients, elsewhere = asyncio.run(crowd(served, url))
        codes = sorted(client.status for client in clients)
        assert codes == [204] + [423] * (CLIENTS - 1)
        view = service.ask("GET", url.removeprefix(API))
        assert view["received"] == SIZE
    slowest = max(client.seconds for client in clients if client.status == 423)
    print(f"\nslowest refusal {slowest:.2f} s; another route {elsewhere:.2f} s")
