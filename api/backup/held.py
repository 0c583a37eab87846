"""Which digests there are: a table on the disk, for there may be millions."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path


class Digests:
    """SHA-256 and size of objects, in a file that nobody needs after a crash. Safe for threads.

    Parameters
    ----------
    path : Path
        A new file.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.execute("CREATE TABLE kept (sha256 BLOB PRIMARY KEY, size INTEGER) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def add(self, sha256: str, size: int) -> bool:
        """Note one; whether it was not there."""
        row = (bytes.fromhex(sha256), size)
        with self._lock:
            done = self._connection.execute("INSERT OR IGNORE INTO kept VALUES (?, ?)", row)
        return done.rowcount == 1

    def fill(self, pairs: Iterable[tuple[str, int]]) -> None:
        """Note many."""
        for sha256, size in pairs:
            self.add(sha256, size)

    def size(self, sha256: str) -> int | None:
        """Size of one; None: it is not there."""
        with self._lock:
            row = self._connection.execute(
                "SELECT size FROM kept WHERE sha256 = ?", (bytes.fromhex(sha256),)
            ).fetchone()
        return None if row is None else int(row[0])

    def drop(self, sha256: str) -> None:
        """Forget one."""
        with self._lock:
            self._connection.execute("DELETE FROM kept WHERE sha256 = ?", (bytes.fromhex(sha256),))

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """All of them; nothing is changed meanwhile."""
        for digest, size in self._connection.execute("SELECT sha256, size FROM kept ORDER BY sha256"):
            yield digest.hex(), size

    def close(self) -> None:
        """Done with it."""
        self._connection.close()
