"""The sender: takes what is in the outbox to the SMTP server, one message after the other."""

import logging
import smtplib
import threading
import time
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from api.database.transactions import Database
from api.mail import queue
from api.mail.smtp import built, connected, sender_address
from api.mail.tables import Message
from api.settings import ServiceSettings
from reduction.errors import ResourceError

POLL_S = 1.0
AT_ONCE = 20
TIDY_S = 3600.0
PERMANENT = range(500, 600)
"""SMTP replies by which a server says: never."""

_log = logging.getLogger("umbra.mail")


class Sender:
    """A thread that sends, as long as the service runs.

    A message is marked right after the server accepted it. Who dies between the two sends that one again,
    with the same Message-ID.

    Parameters
    ----------
    lease : timedelta
        How long another sender waits for this one.
    """

    def __init__(self, database: Database, settings: ServiceSettings, lease: timedelta = queue.LEASE) -> None:
        self._database, self._settings, self._lease = database, settings, lease
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="umbra-mail", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it sends."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the message under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        tidied = 0.0
        while not self._stopping.is_set():
            try:
                if time.monotonic() - tidied > TIDY_S or not tidied:
                    tidied = time.monotonic()
                    with self._database.writing() as session:
                        queue.tidy(session)
                while not self._stopping.is_set() and self.send_some():
                    pass
            except ResourceError as error:
                _log.warning("the outbox cannot be read: %s", error)
            except (SQLAlchemyError, OSError) as error:
                _log.error("the outbox cannot be read", exc_info=error)
            self._stopping.wait(POLL_S)

    def send_some(self) -> int:
        """Send what is due, a few messages; returns how many were tried.

        Raises
        ------
        ResourceError
            The database cannot be reached.
        """
        with self._database.reading() as session:
            if not queue.waits(session):
                return 0
        with self._database.writing() as session:
            taken = queue.take(session, AT_ONCE, self._lease)
        left = list(taken)
        try:
            with connected(self._settings) as server:
                while left and not self._stopping.is_set():
                    self._try(server, left.pop(0))
        except (OSError, smtplib.SMTPException) as error:
            if len(left) == len(taken):  # not even the first: all of them wait for the server
                self._put_off(left, _reason(error))
                left = []
            _log.warning("%s: %s", self._settings.smtp_host, _reason(error))
        if left:
            with self._database.writing() as session:
                for message in left:
                    queue.give_back(session, message)
        return len(taken)

    def _try(self, server: smtplib.SMTP, message: Message) -> None:
        """Send one; where the connection breaks at it, it waits, and does not hold up the others."""
        try:
            self._send(server, message)
        except (OSError, smtplib.SMTPException) as error:
            self._put_off([message], _reason(error))
            raise

    def _send(self, server: smtplib.SMTP, message: Message) -> None:
        """Send one; a refusal of this message alone is kept with it."""
        try:
            mail = built(message, self._settings)
        except ValueError as error:  # what cannot be a header; nothing of it will ever be sent
            self._refused(message, PERMANENT.start, str(error))
            return
        try:
            server.send_message(mail, sender_address(self._settings), [message.recipient])
        except smtplib.SMTPRecipientsRefused as error:
            code, text = error.recipients[message.recipient]
            self._refused(message, code, text)
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
            self._refused(message, error.smtp_code, error.smtp_error)
        else:
            with self._database.writing() as session:
                queue.sent(session, message)

    def _refused(self, message: Message, code: int, text: bytes | str) -> None:
        told = text.decode(errors="replace") if isinstance(text, bytes) else text
        why = f"{code} {' '.join(told.split())}"
        with self._database.writing() as session:
            (queue.give_up if code in PERMANENT else queue.put_off)(session, message, why)
        _log.warning("message %d: %s", message.place, why)

    def _put_off(self, messages: list[Message], why: str) -> None:
        """Let messages be tried again later."""
        with self._database.writing() as session:
            for message in messages:
                queue.put_off(session, message, why)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return str(error) or type(error).__name__
