"""Observers who upload and submit while something is done to the service, and what they were promised."""

import hashlib
import random
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.api.client import API
from tests.api.uploads.observer import BODY, TUS, UPLOADS, metadata
from tests.api.uploads.served import Served

SIZES = (0, 1, 70_000, 300_000, 2_000_000)
BODIES = (1, 4096, 100_001, 400_000)


@dataclass(frozen=True, slots=True)
class Promise:
    """What the service has acknowledged of an upload."""

    content: bytes
    received: int

    @property
    def whole(self) -> bool:
        return self.received == len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class Promised:
    """All that was acknowledged; safe for threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    uploads: dict[str, Promise] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    jobs: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Promised":
        with self.lock:
            return Promised(uploads=dict(self.uploads), ended=set(self.ended), jobs=dict(self.jobs))


class Crowd:
    """Threads that send.

    Parameters
    ----------
    served : Served
        The service.
    file : str
        Id of a file that may be reduced.
    uploaders : int
        Who upload; as many again do nothing but submit.
    """

    def __init__(self, served: Served, file: str, uploaders: int) -> None:
        self.promised = Promised()
        self.failed: list[BaseException] = []
        self._served, self._file = served, file
        self._over = threading.Event()
        works = [self._upload] * uploaders + [self._submit]
        self._threads = [
            threading.Thread(target=self._run, args=(work, number), daemon=True)
            for number, work in enumerate(works)
        ]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work: Any, number: int) -> None:
        rng = random.Random(number)
        headers = {"X-API-Key": self._served.key}
        try:
            with httpx.Client(base_url=self._served.url, headers=headers, timeout=300) as client:
                while not self._over.is_set():
                    work(client, rng)
        except BaseException as error:  # noqa: BLE001 - told by the assertion
            self.failed.append(error)

    def _upload(self, client: httpx.Client, rng: random.Random) -> None:
        """One file, which some give up half-way, and some end."""
        content = rng.randbytes(rng.choice(SIZES) + rng.randrange(100))
        told = metadata(observation=self._served.observation, filename="a.ser")
        headers = {**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": told}
        answer = client.post(UPLOADS, headers=headers)
        assert answer.status_code == 201, answer.text
        where = answer.headers["Location"]
        self._note(where, Promise(content, 0))
        stop = len(content) if rng.random() < 0.7 else rng.randrange(len(content) + 1)
        at = 0
        while at < stop and not self._over.is_set():
            body = content[at : min(stop, at + rng.choice(BODIES))]
            answer = client.patch(where, headers={**TUS, **BODY, "Upload-Offset": str(at)}, content=body)
            assert answer.status_code == 204, answer.text
            at = int(answer.headers["Upload-Offset"])
            self._note(where, Promise(content, at))
        if at < len(content) and rng.random() < 0.3:
            with self.promised.lock:
                self.promised.ended.add(where.rpartition("/")[2])
            assert client.delete(where, headers=TUS).status_code == 204

    def _note(self, where: str, promise: Promise) -> None:
        with self.promised.lock:
            self.promised.uploads[where.rpartition("/")[2]] = promise

    def _submit(self, client: httpx.Client, rng: random.Random) -> None:
        key = f"{rng.getrandbits(64):x}"
        body = {"file": self._file, "plan": {"aperture_px": 2.0 + rng.random() * 6}}
        answer = client.post(f"{API}/reductions", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 202, answer.text
        with self.promised.lock:
            self.promised.jobs[answer.json()["id"]] = key
        self._over.wait(0.1)
