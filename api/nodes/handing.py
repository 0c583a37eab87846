"""Files of a node go to the service: in pieces, as often as it takes, each once."""

import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import SQLAlchemyError

from api.database.tables import now
from api.database.transactions import Database
from api.nodes import holding, tickets
from api.nodes.settings import NodeSettings
from api.nodes.tables import HANDED, Held
from api.nodes.tickets import Ticket
from api.remote.connection import FIRST_PAUSE_S, LONGEST_PAUSE_S, AwayError, Connection, GoneError
from api.remote.uploading import PIECE_BYTES, digest_of, offset_of, send_piece
from api.uploads.parts import part_of
from api.uploads.tables import REFUSED, WHOLE
from reduction.errors import RequestError, ResourceError, UmbraError

GRACE_S = 5.0
PAUSE_S = 30.0
"""How often it is looked for what is over, where nothing waits."""

TIMEOUT_S = 60.0
SMALLEST_PIECE = 128 << 10
"""On a line that breaks often; what was sent of a piece before it broke does not count."""

PASSING = (SQLAlchemyError, OSError, ArithmeticError, LookupError, TypeError, ValueError)
"""A disk, or a mistake of ours: the thread outlives it."""

GONE = "the service does not know this upload any more"
_log = logging.getLogger("umbra.node")


class Handing:
    """A thread that hands over what is whole. What a crash interrupted goes on where the service says.

    How far a file is at the service, the service alone knows: it is asked before each attempt. A file is the
    service's once it says that it has stored it, with the SHA-256 that was found here; only then is it
    removed from this disk.

    Parameters
    ----------
    database : Database
    settings : NodeSettings
    """

    def __init__(self, database: Database, settings: NodeSettings) -> None:
        self._database, self._settings = database, settings
        self._pause, self._piece = FIRST_PAUSE_S, PIECE_BYTES
        self._tidied = -math.inf
        self.stopping = threading.Event()
        self._told = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="umbra-hand-over", daemon=True)

    def start(self) -> None:
        """Begin, with what the last run left."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def tell(self) -> None:
        """A file has all its bytes."""
        self._pause = FIRST_PAUSE_S
        self._told.set()

    def close(self) -> None:
        """End; what is under way goes on with the next start."""
        self.stopping.set()
        self._told.set()
        if self._thread.is_alive():
            self._thread.join(GRACE_S)

    def _repeat(self) -> None:
        while True:
            self._told.clear()
            if self.stopping.is_set():
                return
            waits = True
            try:
                waits = self.hand_all()
                if time.monotonic() - self._tidied >= PAUSE_S:
                    holding.tidy(self._database, self._settings.folder, self._settings.days)
                    self._tidied = time.monotonic()
            except UmbraError as error:
                _log.warning("files wait: %s", error)
            except PASSING as error:
                _log.error("files wait", exc_info=error)
            self._told.wait(self._next_pause() if waits else PAUSE_S)

    def _next_pause(self) -> float:
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_S)
        return pause

    def hand_all(self) -> bool:
        """Hand over every file that is whole, the oldest first; whether some of them wait.

        Raises
        ------
        ResourceError
            The database fails.
        """
        with self._database.reading() as session:
            waiting = list(session.scalars(select(Held).where(Held.state == WHOLE).order_by(Held.created)))
        left = False
        for row in waiting:
            if self.stopping.is_set():
                return True
            try:
                left |= not self._hand(row)
            except AwayError as error:
                left = True
                self._piece = max(SMALLEST_PIECE, self._piece // 2)
                self._move(row, problem=str(error))
                if not error.status:
                    _log.warning("the service is away: %s", error)
                    return True
            except GoneError:
                left |= not self._gone(row)
            except (UmbraError, OSError) as error:
                _log.error("file %s waits: %s", row.id, error)
                left = True
                self._move(row, problem=str(error))
        return left

    def _hand(self, row: Held) -> bool:
        """Bring one file on its way; whether that is its end here."""
        path = part_of(self._settings.folder, row.id)
        if not row.length:
            path.touch()
        if not path.exists() or path.stat().st_size != row.length:
            self._move(row, state=REFUSED, problem=holding.LOST, changed=now())
            return True
        sha256 = row.sha256 or self._sealed(row, path)
        with self._connected(row) as connection:
            self._send(connection, row, path)
            view: dict[str, Any] = connection.ask("GET", f"/uploads/{row.id}")
        if view["state"] == "refused":
            self._move(row, state=REFUSED, problem=str(view["problem"]), changed=now())
            return True
        if view["state"] != "stored":
            return False
        if view["sha256"] != sha256:
            raise ResourceError(f"the service has stored SHA-256 {view['sha256']}, and here is {sha256}")
        self._move(row, state=HANDED, handed=row.length, problem="", changed=now(), gone=None)
        path.unlink(missing_ok=True)
        return True

    def _sealed(self, row: Held, path: Path) -> str:
        """SHA-256 of a file, from the disk."""
        sha256 = digest_of(path)
        self._move(row, sha256=sha256)
        return sha256

    def _send(self, connection: Connection, row: Held, path: Path) -> None:
        """Send what the service lacks."""
        at = offset_of(connection, row.id)
        with path.open("rb") as file:
            while at < row.length and not self.stopping.is_set():
                file.seek(at)
                at = send_piece(connection, row.id, at, file.read(min(self._piece, row.length - at)))
                self._pause, self._piece = FIRST_PAUSE_S, min(PIECE_BYTES, 2 * self._piece)
                self._move(row, handed=at, problem="", gone=None)

    def _connected(self, row: Held) -> Connection:
        connection = Connection(self._settings.central, patience_s=0.0, timeout_s=TIMEOUT_S)
        connection.renewal = "compare UMBRA_NODE_NAME and UMBRA_NODE_KEY with the service, and both clocks"
        connection.client.auth = _with_ticket(self._settings, row.id, row.length)
        return connection

    def _gone(self, row: Held) -> bool:
        """The service forgot the upload: kept for some days, in case that it is a mistake; whether over."""
        since = row.gone or now()
        over = now() - since >= timedelta(days=self._settings.days)
        if over:
            self._move(row, state=REFUSED, problem=GONE, changed=now())
        else:
            self._move(row, problem=GONE, gone=since)
        return over

    def _move(self, row: Held, **values: object) -> None:
        moved = update(Held).where(Held.id == row.id, Held.state == WHOLE).values(**values)
        with self._database.writing() as session:
            done: CursorResult[tuple[()]] = session.connection().execute(moved)
        if done.rowcount != 1:
            raise RequestError(f"{row.id}: was ended meanwhile")


def _with_ticket(
    settings: NodeSettings, upload: str, length: int
) -> Callable[[httpx.Request], httpx.Request]:
    """What puts a ticket of the node's own to each request about an upload."""
    key = settings.key.get_secret_value()

    def put(request: httpx.Request) -> httpx.Request:
        expires = int(time.time()) + tickets.HAND_S
        ticket = Ticket(purpose="hand", node=settings.name, upload=upload, length=length, expires=expires)
        request.headers[tickets.HEADER] = tickets.signed(ticket, key)
        return request

    return put
