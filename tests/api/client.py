"""The app without a network: its life span, and requests one at a time."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.settings import ServiceSettings
from cluster.executors import Executor
from tests.api import migrated

Answer = TypeVar("Answer")
API = "/api/v1"
ENDED = {"done", "failed"}


class Client:
    """Sends requests to an app."""

    def __init__(self, runner: asyncio.Runner, client: httpx.AsyncClient, app: FastAPI) -> None:
        self._runner = runner
        self._client = client
        self.app = app

    def forget(self) -> None:
        """Lose all cookies."""
        self._client.cookies.clear()

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.get(url, **options))

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.post(url, **options))

    def send(self, method: str, url: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, url, **options))

    async def bare(self, path: str, headers: dict[str, str], query: str = "") -> tuple[int, bytes]:
        """Status and body of a GET, without httpx around it: for thousands of requests."""
        sent: list[Any] = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost")]
            + [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent)
        return int(sent[0]["status"]), body

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Something else that talks to the app, in its loop."""
        return self._runner.run(work)

    def ask(self, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.post(f"{API}/folder/reductions", json=body, headers=headers)

    def ended(self, job: str, seconds: float = 600.0) -> dict[str, Any]:
        """The job when it is done or failed."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            view: dict[str, Any] = self.get(f"{API}/folder/jobs/{job}", params={"wait": 5}).json()
            if view["status"] in ENDED:
                return view
        raise AssertionError(f"job {job} did not end")


@contextmanager
def serving(
    data: Path,
    home: Path,
    executor: Executor,
    hosts: tuple[str, ...] | None = None,
    **settings: Any,
) -> Iterator[Client]:
    """Start the app and stop it."""
    home.mkdir(exist_ok=True)
    if not settings.get("database"):
        migrated.put(home)
    settings = {"local": True} | settings
    app = create_app(ServiceSettings(data=data.resolve(), home=home, hosts=hosts, **settings), executor)
    with living(app) as client:
        yield client


@contextmanager
def living(app: FastAPI) -> Iterator[Client]:
    """Start any app and stop it."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    with asyncio.Runner() as runner:
        life = app.router.lifespan_context(app)
        runner.run(_enter(life))
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        try:
            yield Client(runner, client, app)
        finally:
            runner.run(client.aclose())
            runner.run(_leave(life))


async def _enter(life: Any) -> None:
    await life.__aenter__()


async def _leave(life: Any) -> None:
    await life.__aexit__(None, None, None)
