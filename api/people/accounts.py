"""Accounts: asked for, proven, found, changed, ended. Functions of a transaction's session."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from api.access.caller import Caller, digest_of, new_secret
from api.access.matrix import Level
from api.audit.log import record
from api.campaigns.tables import Feed
from api.database.tables import new_id, now
from api.mail.outbox import post, tell
from api.mail.tables import Message, Unwanted
from api.notices.tables import Owed
from api.people.passwords import matches
from api.people.tables import ApiKey, LoginSession, Person, Registration, Token
from api.people.views import ProfileChange, RegistrationBody
from api.problems import RefusedError
from api.settings import ServiceSettings
from api.webhooks.tables import Webhook
from api.words import email_key

GOOD_FOR = timedelta(hours=24)
RESET_GOOD_FOR = timedelta(hours=2)
DELETED = "deleted account"


def found(session: Session, email: str) -> Person | None:
    """The account with an address."""
    return session.scalar(select(Person).where(Person.email_key == email_key(email)))


def ask(
    session: Session, settings: ServiceSettings, caller: Caller, body: RegistrationBody, kept: str
) -> None:
    """Take a registration; whoever has the address learns by e-mail what comes next.

    Parameters
    ----------
    kept : str
        Hash of the password.
    """
    known = found(session, body.email)
    at = now()
    session.execute(delete(Registration).where(Registration.expires < at))
    record(session, caller, "registration asked")
    if known is not None:
        tell(session, settings, "registered", known)
        return
    token = new_secret()
    session.add(
        Registration(
            id=new_id(),
            digest=digest_of(token),
            email=body.email,
            name=body.name,
            affiliation=body.affiliation,
            orcid=body.orcid,
            password=kept,
            created=at,
            expires=at + GOOD_FOR,
        )
    )
    hours = int(GOOD_FOR.total_seconds() // 3600)
    post(session, settings, "activation", body.email, name=body.name, token=token, hours=hours)


def pending(session: Session, token: str) -> Registration | None:
    """The registration that an e-mail's token stands for."""
    row = session.scalar(select(Registration).where(Registration.digest == digest_of(token)))
    return row if row is not None and row.expires > now() else None


def activate(session: Session, settings: ServiceSettings, caller: Caller, asked: Registration) -> Person:
    """Make the account of a registration.

    Raises
    ------
    RefusedError
        409: meanwhile the address has one.
    """
    if found(session, asked.email) is not None:
        raise RefusedError(409, "this address has an account already; log in")
    person = make(session, asked.email, asked.name, asked.password, Level.OBSERVER)
    person.affiliation, person.orcid = asked.affiliation, asked.orcid
    session.execute(delete(Registration).where(Registration.id == asked.id))
    session.flush()
    record(session, caller, "account made", person.id, level=person.level)
    tell(session, settings, "welcome", person)
    return person


def make(session: Session, email: str, name: str, kept: str, level: Level) -> Person:
    """Add an account."""
    person = Person(
        id=new_id(),
        email=email,
        email_key=email_key(email),
        name=name,
        affiliation="",
        level=level.value,
        password=kept,
        created=now(),
    )
    session.add(person)
    return person


def ask_reset(session: Session, settings: ServiceSettings, caller: Caller, email: str) -> None:
    """Let who has the address choose a new password."""
    person = found(session, email)
    record(session, caller, "reset asked", None if person is None else person.id)
    if person is not None and person.suspended is None:
        token = _token(session, person, "reset", now() + RESET_GOOD_FOR)
        hours = int(RESET_GOOD_FOR.total_seconds() // 3600)
        tell(session, settings, "reset", person, token=token, hours=hours)


def ask_address(
    session: Session, settings: ServiceSettings, caller: Caller, person: Person, email: str
) -> None:
    """Let who has a new address prove it; one that has an account learns that by e-mail."""
    record(session, caller, "address asked", person.id)
    other = found(session, email)
    if other is not None and other.id != person.id:
        tell(session, settings, "registered", other)
        return
    token = _token(session, person, "email", now() + GOOD_FOR, email)
    hours = int(GOOD_FOR.total_seconds() // 3600)
    post(session, settings, "address", email, person.id, name=person.name, token=token, hours=hours)


def _token(
    session: Session, person: Person, purpose: str, expires: datetime, value: str | None = None
) -> str:
    """A new token, in place of older ones of its purpose."""
    session.execute(delete(Token).where(Token.person == person.id, Token.purpose == purpose))
    secret = new_secret()
    session.add(
        Token(
            id=new_id(),
            digest=digest_of(secret),
            person=person.id,
            purpose=purpose,
            value=value,
            created=now(),
            expires=expires,
        )
    )
    return secret


def redeem(session: Session, secret: str, purpose: str) -> tuple[Person, str | None]:
    """Use a token up; returns whose it is, and its value.

    Raises
    ------
    RefusedError
        422: it is none, was used, or is too old.
    """
    digest = digest_of(secret)
    row = session.scalar(select(Token).where(Token.digest == digest, Token.purpose == purpose))
    person = None if row is None else session.get(Person, row.person)
    if row is None or person is None or row.expires <= now() or person.suspended or person.deleted:
        raise RefusedError(422, "token: wrong, used, or too old; ask for a new e-mail")
    session.delete(row)
    return person, row.value


def set_password(
    session: Session, settings: ServiceSettings, caller: Caller | None, person: Person, kept: str
) -> None:
    """Change a password: all other sessions end, and so do tokens."""
    person.password = kept
    stays = None if caller is None else caller.credential
    end_sessions(session, person.id, stays)
    session.execute(delete(Token).where(Token.person == person.id))
    record(session, caller, "password changed", person.id)
    tell(session, settings, "password", person)


def set_address(
    session: Session, settings: ServiceSettings, caller: Caller, person: Person, email: str
) -> None:
    """Change an address; the old one is told.

    Raises
    ------
    RefusedError
        409: meanwhile it has another account.
    """
    other = found(session, email)
    if other is not None and other.id != person.id:
        raise RefusedError(409, "this address has another account")
    tell(session, settings, "address_changed", person)
    person.email, person.email_key = email, email_key(email)
    record(session, caller, "address changed", person.id)


def change(
    session: Session, settings: ServiceSettings, caller: Caller, person: Person, wanted: ProfileChange
) -> None:
    """Change a profile; its owner is told what."""
    fields = sorted(wanted.model_fields_set)
    changed: list[str] = []
    for field in fields:
        value = getattr(wanted, field)
        if (value is not None or field == "orcid") and value != getattr(person, field):
            setattr(person, field, value)
            changed.append("ORCID iD" if field == "orcid" else field)
    record(session, caller, "profile changed", person.id, fields=fields)
    if changed:
        tell(session, settings, "profile", person, fields=changed)


def set_level(
    session: Session, settings: ServiceSettings, caller: Caller | None, person: Person, level: Level
) -> None:
    """Change a level.

    Raises
    ------
    RefusedError
        409: it is one's own, or the account was deleted.
    """
    _not_self(caller, person, "level")
    before = Level(person.level)
    if before == level:
        return
    person.level = level.value
    record(session, caller, "level changed", person.id, before=before.value, after=level.value)
    tell(session, settings, "level", person, before=before.value, level=level.value)


def suspend(
    session: Session, settings: ServiceSettings, caller: Caller | None, person: Person, suspended: bool
) -> None:
    """Keep an account out, or let it in again; raises as `set_level`."""
    _not_self(caller, person, "suspension")
    if (person.suspended is not None) == suspended:
        return
    person.suspended = now() if suspended else None
    if suspended:
        end_sessions(session, person.id)
    record(session, caller, "account suspended" if suspended else "account let in again", person.id)
    tell(session, settings, "suspended", person, suspended="yes" if suspended else "")


def _not_self(caller: Caller | None, person: Person, what: str) -> None:
    if caller is not None and caller.person == person.id:
        raise RefusedError(409, f"nobody changes their own {what}; ask another superuser")
    if person.deleted is not None:
        raise RefusedError(409, "this account was deleted")


def end_sessions(session: Session, person: str, but: str | None = None) -> None:
    """End the sessions of a person, all but one."""
    ending = delete(LoginSession).where(LoginSession.person == person)
    session.execute(ending if but is None else ending.where(LoginSession.id != but))


def erase(session: Session, settings: ServiceSettings, caller: Caller, person: Person) -> None:
    """Delete an account: what is personal goes, what was contributed stays under the bare id.

    Raises
    ------
    RefusedError
        409: it is the last superuser's.
    """
    supers = select(Person.id).where(
        Person.level == Level.SUPERUSER.value, Person.deleted.is_(None), Person.suspended.is_(None)
    )
    if person.level == Level.SUPERUSER.value and list(session.scalars(supers.limit(2))) == [person.id]:
        raise RefusedError(409, "you are the only superuser; make somebody else one first")
    tell(session, settings, "deleted", person)
    session.flush()
    session.execute(
        update(Message).where(Message.person == person.id, Message.state == "waiting").values(person=None)
    )
    session.execute(delete(Message).where(Message.person == person.id))
    for table in (LoginSession, ApiKey, Token, Feed, Unwanted, Owed, Webhook):
        session.execute(delete(table).where(table.person == person.id))
    person.email = person.email_key = person.password = person.orcid = None
    person.name, person.affiliation = DELETED, ""
    person.level, person.deleted = Level.OBSERVER.value, now()
    record(session, caller, "account deleted", person.id)


def verified(person: Person | None, password: str) -> bool:
    """Whether a password is that of a living account; the same work is done without an account."""
    right, anew = matches(password, None if person is None else person.password)
    if person is not None and right and anew is not None:
        person.password = anew
    return right
