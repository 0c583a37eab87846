"""The obvious twin of a disk: objects in a dictionary; and a scheduler that lets one actor take one step."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cluster.store.objects import PIECE, Entry, MissingError

NOW = datetime.now(UTC) - timedelta(days=1)


class MemoryObjects:
    """Objects in a dictionary; `step` is called before each operation and may raise."""

    def __init__(self, kept: dict[str, bytes], step: Callable[[], None] = lambda: None) -> None:
        self.kept, self._step = kept, step

    @property
    def url(self) -> str:
        return "memory"

    @property
    def streams(self) -> int:
        return 1

    def create(self, name: str, data: bytes, after: Sequence[str] = ()) -> bool:
        self._step()
        assert name in self.kept or set(after) <= set(self.kept), "commits what is gone"
        return self.kept.setdefault(name, data) == data

    def put(self, name: str, data: bytes) -> None:
        self._step()
        self.kept[name] = data

    def upload(self, name: str, parts: Iterator[bytes], size: int) -> None:
        data = b"".join(parts)
        assert len(data) == size
        self.put(name, data)

    def stage(self, name: str, parts: Iterator[bytes], size: int) -> None:
        self.upload(name, parts, size)

    def get(self, name: str) -> bytes:
        self._step()
        if name not in self.kept:
            raise MissingError(name)
        return self.kept[name]

    def read(self, name: str) -> Iterator[bytes]:
        yield self.get(name)

    def read_range(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        data = self.get(name)[start:stop]
        for at in range(0, len(data), PIECE):
            yield data[at : at + PIECE]

    def size(self, name: str) -> int | None:
        self._step()
        return len(self.kept[name]) if name in self.kept else None

    def entries(self, prefix: str) -> Iterator[Entry]:
        self._step()
        for name in sorted(self.kept):
            if name.startswith(prefix):
                yield Entry(name, len(self.kept[name]), NOW)

    def folders(self, prefix: str) -> list[str]:
        self._step()
        rests = [name.removeprefix(prefix) for name in self.kept if name.startswith(prefix)]
        return sorted({rest.split("/")[0] for rest in rests if "/" in rest})

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._step()
            self.kept.pop(name, None)

    def unfinished(self) -> Iterator[Entry]:
        return iter(())

    def drop_unfinished(self, _name: str) -> None:
        raise AssertionError


class Killed(BaseException):
    """The actor is no more."""


class Actor:
    """Runs in a thread of its own, one step at a time; killed before step `lives`, if that is given."""

    def __init__(self, work: Callable[[Callable[[], None]], Any], lives: int | None = None) -> None:
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._lives, self.over = lives, False
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Callable[[], None]], Any]) -> None:
        self._go.acquire()
        try:
            self.result = work(self._step)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test looks at it
            self.error = error
        self.over = True
        self._stopped.release()

    def _step(self) -> None:
        if self._lives is not None:
            if self._lives == 0:
                raise Killed
            self._lives -= 1
        self._stopped.release()
        self._go.acquire()

    def advance(self) -> None:
        """Let it take its next step, up to the one after."""
        if not self.over:
            self._go.release()
            self._stopped.acquire()

    def finish(self) -> None:
        while not self.over:
            self.advance()
