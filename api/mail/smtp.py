"""E-mails as they go out by SMTP."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import urlsplit

from api.mail.tables import Message
from api.settings import ServiceSettings

TIMEOUT_S = 30.0
UNFOLDED = SMTP.clone(max_line_length=998)
"""An address in a header stays whole: folded, it would be encoded as words."""


def sender_address(settings: ServiceSettings) -> str:
    """Who the e-mails come from."""
    return settings.mail_from or f"umbra@{urlsplit(settings.url).hostname}"


def built(message: Message, settings: ServiceSettings) -> EmailMessage:
    """The e-mail of a row: the same bytes, and the same Message-ID, at every attempt."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = f"Umbra <{sender_address(settings)}>"
    mail["To"] = message.recipient
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(message.created)
    mail["Message-ID"] = message.message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text, cte="quoted-printable")
    if message.unsubscribe is not None:  # RFC 8058: the reader's mail program asks by POST
        mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.policy = UNFOLDED
    return mail


@contextmanager
def connected(settings: ServiceSettings) -> Iterator[smtplib.SMTP]:
    """Give a connection to the server of the settings, encrypted and logged in as they say.

    Raises
    ------
    OSError, smtplib.SMTPException
        It cannot be reached, or refuses.
    """
    host, port = settings.smtp_host, settings.smtp_port
    secure = ssl.create_default_context()
    opened: smtplib.SMTP
    if settings.smtp_security == "tls":
        opened = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=secure)
    else:
        opened = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    with opened as server:
        if settings.smtp_security == "starttls":
            server.starttls(context=secure)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        yield server
