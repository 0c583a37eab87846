"""The sender of webhooks: takes what is in their outbox to its receivers, each attempt signed anew."""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import httpx
from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.database.tables import now
from api.database.transactions import Database
from api.settings import ServiceSettings
from api.webhooks.addresses import resolved, target_of
from api.webhooks.signing import SIGNATURE, signature
from api.webhooks.tables import FAILED, SENT, WAITING, Delivery, Webhook
from api.webhooks.telling import has_moved, tell_jobs
from reduction.errors import RequestError, UmbraError
from reduction.version import VERSION

POLL_S = 1.0
AT_ONCE = 20
STEP_S = 10.0
"""How long one step of an answer may take; `WHOLE_S` for all of it."""
WHOLE_S = 20.0
LEASE = timedelta(minutes=2)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=2)
GIVEN_UP = timedelta(days=2)
KEPT = timedelta(days=30)
TIDY_S = 3600.0
GONE = 410
"""By this a receiver says: never again."""

_log = logging.getLogger("umbra.webhooks")


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery, and where it goes."""

    row: Delivery
    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt; no `error`: it was taken."""

    status: int | None
    error: str | None


class Deliverer:
    """A thread that sends, as long as the service runs.

    A delivery is marked after its receiver has answered. Who dies between the two has it sent again, under
    the same id.
    """

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database, self._settings = database, settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="umbra-webhooks", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it sends."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Stop after what is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        tidied = 0.0
        while not self._stopping.is_set():
            try:
                if not tidied or time.monotonic() - tidied > TIDY_S:
                    tidied = time.monotonic()
                    self._tidy()
                self.turn()
            except UmbraError as error:
                _log.warning("webhooks wait: %s", error)
            except (SQLAlchemyError, OSError) as error:
                _log.error("webhooks wait", exc_info=error)
            self._stopping.wait(POLL_S)

    def turn(self) -> None:
        """Tell what has ended, and send what is due.

        Raises
        ------
        ResourceError
            The database cannot be reached.
        """
        with self._database.reading() as session:
            moved = has_moved(session)
        if moved:
            with self._database.writing() as session:
                tell_jobs(session)
        while not self._stopping.is_set() and self._send_some():
            pass

    def _send_some(self) -> int:
        with self._database.reading() as session:
            if not session.scalar(select(exists().where(_due()))):
                return 0
        with self._database.writing() as session:
            letters = _take(session, AT_ONCE)
        answers = asyncio.run(sent_all(letters, self._settings.webhooks == "anywhere"))
        with self._database.writing() as session:
            for letter, answer in zip(letters, answers, strict=True):
                _settle(session, letter.row, answer)
        return len(letters)

    def _tidy(self) -> None:
        with self._database.writing() as session:
            old = (Delivery.state != WAITING, Delivery.created < now() - KEPT)
            session.execute(delete(Delivery).where(*old))


def _due() -> ColumnElement[bool]:
    at = now()
    free = or_(Delivery.until.is_(None), Delivery.until <= at)
    return and_(Delivery.state == WAITING, Delivery.not_before <= at, free)


def _take(session: Session, most: int) -> list[Letter]:
    """Take up to `most` that are due, oldest first, for a time."""
    rows = select(Delivery).where(_due()).order_by(Delivery.place).limit(most)
    taken = list(session.scalars(rows.with_for_update(skip_locked=True)))
    letters = []
    for row in taken:
        row.until, row.attempts = now() + LEASE, row.attempts + 1
        hook = session.get_one(Webhook, row.webhook)
        letters.append(Letter(row, hook.url, hook.secret))
    return letters


def _settle(session: Session, row: Delivery, answer: Answer) -> None:
    """Write what came of an attempt that is still ours: the number of attempts is the token."""
    at = now()
    values: dict[str, object] = {"until": None, "status": answer.status, "error": answer.error}
    if answer.error is None:
        values |= {"state": SENT, "sent": at}
    elif answer.status == GONE or row.event == "test" or at - row.created > GIVEN_UP:
        values |= {"state": FAILED}
    else:
        pause = min(FIRST_PAUSE * 2 ** min(row.attempts - 1, 10), LONGEST_PAUSE)
        values |= {"not_before": at + pause}
    mine = (Delivery.place == row.place, Delivery.attempts == row.attempts, Delivery.state == WAITING)
    session.execute(update(Delivery).where(*mine).values(**values))


async def sent_all(letters: Sequence[Letter], anywhere: bool) -> list[Answer]:
    """Send some at once; what came of each."""
    options = httpx.Timeout(STEP_S)
    async with httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=options) as client:
        return list(await asyncio.gather(*(_sent(client, letter, anywhere) for letter in letters)))


async def _sent(client: httpx.AsyncClient, letter: Letter, anywhere: bool) -> Answer:
    """Send one: to the very address that was looked at, whatever the name means a moment later."""
    try:
        async with asyncio.timeout(WHOLE_S):
            target = target_of(letter.url, anywhere)
            address = await resolved(target, anywhere)
            body = letter.row.content.encode()
            url = httpx.URL(
                scheme=target.scheme, host=address, port=target.port, raw_path=target.path.encode()
            )
            headers = {
                "Host": target.authority,
                "Content-Type": "application/json",
                "User-Agent": f"Umbra/{VERSION}",
                "Umbra-Event": letter.row.event,
                "Umbra-Delivery": letter.row.id,
                SIGNATURE: signature(letter.secret, body, int(time.time())),
            }
            extensions = {"sni_hostname": target.host}
            async with client.stream(
                "POST", url, content=body, headers=headers, extensions=extensions
            ) as answer:
                status = answer.status_code
    except RequestError as error:
        return Answer(None, str(error))
    except TimeoutError:
        return Answer(None, f"did not answer within {WHOLE_S:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Answer(None, f"cannot be reached: {type(error).__name__}")
    if not 200 <= status < 300:
        return Answer(status, f"answered {status}; anything but 2xx is tried again, redirections too")
    return Answer(status, None)
