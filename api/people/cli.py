"""The verb `umbra user`: accounts, at the server."""

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.matrix import Level
from api.audit.log import record
from api.backup.home import refuse_unfinished
from api.database.migrate import migrate
from api.database.transactions import Database
from api.people import accounts
from api.people.passwords import check_strength, hashed
from api.people.tables import Person
from api.problems import RefusedError
from api.settings import ServiceSettings, checked, home_folder
from api.words import Email, Name
from reduction.command import run_verb
from reduction.errors import RequestError

EMAIL: TypeAdapter[str] = TypeAdapter(Email)
NAME: TypeAdapter[str] = TypeAdapter(Name)
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="E-mail address of the account.")]


def user(arguments: list[str]) -> int:
    """Run `umbra user ACTION ...`; returns the exit code."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_usage())
        return 0
    action, rest = arguments[0], arguments[1:]
    if action not in ACTIONS:
        sys.stderr.write(f"umbra user: no such action: {action!r}\n\n{_usage()}")
        return 2
    return run_verb(f"user {action}", ACTIONS[action][0], rest)


def _usage() -> str:
    lines = ["usage: umbra user ACTION [ADDRESS] [OPTIONS]", ""]
    lines += [f"  {action:<10}{text}" for action, (_, text) in ACTIONS.items()]
    lines += ["", "They work on the service of UMBRA_HOME or UMBRA_DATABASE, also while it runs."]
    return "\n".join([*lines, "umbra user ACTION --help tells an action's options.", ""])


@contextmanager
def opened() -> Iterator[tuple[Database, ServiceSettings]]:
    """Give the database of the service, brought up to date."""
    home = home_folder()
    settings = checked({"data": home, "home": home})
    refuse_unfinished(home)
    database = Database(settings.where)
    try:
        migrate(database.engine)
        yield database, settings
    except RefusedError as error:
        raise RequestError(str(error)) from error
    finally:
        database.close()


def _add(
    address: Address,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name (the address's).")] = "",
    superuser: Annotated[bool, typer.Option("--superuser", help="May do everything.")] = False,
    staff: Annotated[bool, typer.Option("--staff", help="Manages campaigns.")] = False,
) -> None:
    """Make an account; its password is asked for, or read from standard input."""
    if superuser and staff:
        raise RequestError("--superuser and --staff: give one")
    level = Level.SUPERUSER if superuser else Level.STAFF if staff else Level.OBSERVER
    email = _checked(EMAIL, address, "ADDRESS")
    named = _checked(NAME, name or address.partition("@")[0], "--name")
    kept = _password(email, named)
    with opened() as (database, _), database.writing() as session:
        if accounts.found(session, email) is not None:
            raise RequestError(f"{email}: has an account; umbra user level, or password, changes it")
        person = accounts.make(session, email, named, kept, level)
        record(session, None, "account made", person.id, level=level.value)
    sys.stdout.write(f"{email}: {level.value}\n")


def _list() -> None:
    """List accounts: address, level, name, since when."""
    with opened() as (database, _), database.reading() as session:
        for person in session.scalars(select(Person).order_by(Person.created)):
            state = "deleted" if person.deleted else "suspended" if person.suspended else person.level
            told = (person.email or person.id, state, person.name, f"{person.created:%Y-%m-%d}")
            sys.stdout.write("\t".join(told) + "\n")


def _level(
    address: Address,
    level: Annotated[Level, typer.Argument(metavar="LEVEL", help="observer, staff or superuser.")],
) -> None:
    """Change a level."""
    with opened() as (database, settings), database.writing() as session:
        accounts.set_level(session, settings, None, _known(session, address), level)
    sys.stdout.write(f"{address}: {level.value}\n")


def _set_password(address: Address) -> None:
    """Change a password; who is logged in no longer is."""
    with opened() as (database, settings):
        with database.reading() as session:
            person = _known(session, address)
        kept = _password(address, person.name)
        with database.writing() as session:
            accounts.set_password(session, settings, None, _known(session, address), kept)
    sys.stdout.write(f"{address}: password changed\n")


def _suspend(
    address: Address,
    end: Annotated[bool, typer.Option("--end", help="Let them in again.")] = False,
) -> None:
    """Keep an account out."""
    with opened() as (database, settings), database.writing() as session:
        accounts.suspend(session, settings, None, _known(session, address), not end)
    sys.stdout.write(f"{address}: {'let in again' if end else 'suspended'}\n")


def _known(session: Session, address: str) -> Person:
    person = accounts.found(session, address)
    if person is None:
        raise RequestError(f"{address}: no such account; see umbra user list")
    return person


def _password(*known: str) -> str:
    """Ask for a new password, never on the command line, where everybody would see it."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise RequestError("the two passwords differ; nothing was changed")
    else:
        password = sys.stdin.readline().rstrip("\n")
    check_strength(password, *known)
    return hashed(password)


def _checked(kind: TypeAdapter[str], text: str, where: str) -> str:
    try:
        return kind.validate_python(text)
    except ValidationError as error:
        raise RequestError(f"{where} {text!r}: {error.errors()[0]['msg']}") from error


ACTIONS: dict[str, tuple[Callable[..., None], str]] = {
    "add": (_add, "make an account (--superuser, --staff)"),
    "list": (_list, "accounts and their levels"),
    "level": (_level, "make somebody observer, staff or superuser"),
    "password": (_set_password, "choose another password for somebody"),
    "suspend": (_suspend, "keep an account out, or let it in again"),
}
