"""The verb `umbra mail`: the outbox, at the server."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import select

from api.audit.log import record
from api.mail import queue
from api.mail.sender import Sender
from api.mail.tables import Message
from api.people.cli import opened
from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As umbra mail list tells it.", min=1)]


def mail(arguments: list[str]) -> int:
    """Run `umbra mail ACTION ...`; returns the exit code."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_usage())
        return 0
    action, rest = arguments[0], arguments[1:]
    if action not in ACTIONS:
        sys.stderr.write(f"umbra mail: no such action: {action!r}\n\n{_usage()}")
        return 2
    return run_verb(f"mail {action}", ACTIONS[action][0], rest)


def _usage() -> str:
    lines = ["usage: umbra mail ACTION [NUMBER]", ""]
    lines += [f"  {action:<10}{text}" for action, (_, text) in ACTIONS.items()]
    return "\n".join([*lines, "", "They work on the service of UMBRA_HOME or UMBRA_DATABASE.", ""])


def _list(
    everything: Annotated[bool, typer.Option("--all", help="Those that were sent, too.")] = False,
) -> None:
    """List the outbox: number, state, when, to whom, subject, and what went wrong."""
    rows = select(Message).order_by(Message.place)
    if not everything:
        rows = rows.where(Message.state != "sent")
    with opened() as (database, _), database.reading() as session:
        for row in session.scalars(rows):
            told = [
                str(row.place),
                row.state,
                f"{row.created:%Y-%m-%dT%H:%M:%SZ}",
                row.recipient,
                row.subject,
            ]
            sys.stdout.write("\t".join([*told, *([row.error] if row.error else [])]) + "\n")


def _show(number: Number) -> None:
    """Print a message; that an account's one-time token was looked at is kept in the audit log."""
    with opened() as (database, _), database.writing() as session:
        row = session.get(Message, number)
        if row is None:
            raise RequestError(f"{number}: no such message; see umbra mail list --all")
        if row.secret and row.text:
            record(session, None, "message shown", str(number))
        sys.stdout.write(f"To: {row.recipient}\nSubject: {row.subject}\nMessage-ID: {row.message_id}\n\n")
        sys.stdout.write(row.text or "(its text carried a one-time token, and was blanked)\n")


def _send() -> None:
    """Send what is due, now, without a running service."""
    with opened() as (database, settings):
        if not settings.smtp_host:
            raise ResourceError("no e-mail server: name one by UMBRA_SMTP_HOST")
        sender = Sender(database, settings)
        tried = 0
        while count := sender.send_some():
            tried += count
        with database.reading() as session:
            left = len(session.scalars(select(Message.place).where(Message.state != "sent")).all())
    sys.stdout.write(f"tried {tried}; {left} not sent, see umbra mail list\n")


def _retry(number: Number) -> None:
    """Let a message that failed be sent again."""
    with opened() as (database, _), database.writing() as session:
        if not queue.again(session, number):
            raise RequestError(f"{number}: no such message, or it was sent; see umbra mail list --all")
    sys.stdout.write(f"{number}: waits\n")


ACTIONS: dict[str, tuple[Callable[..., None], str]] = {
    "list": (_list, "what is not sent yet, and why (--all: everything)"),
    "show": (_show, "a message, with the link that it carries"),
    "send": (_send, "send now, without a running service"),
    "retry": (_retry, "let a message that failed be sent again"),
}
