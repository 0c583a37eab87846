"""Write to the audit log: in the same transaction as what it tells."""

from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.audit.tables import Entry
from api.database.tables import now

Fact = str | int | float | bool | None | list[str]


def record(
    session: Session, caller: Caller | None, action: str, thing: str | None = None, **details: Fact
) -> None:
    """Keep that something was done.

    Parameters
    ----------
    caller : Caller or None
        Who did it; None is a command at the server.
    action : str
        What, as "noun verb": ``level changed``.
    thing : str or None
        Id of what it was done to.
    details
        Facts; no names, addresses or secrets: nothing here can ever be removed.
    """
    session.add(
        Entry(
            at=now(),
            actor=None if caller is None else caller.person,
            means="command" if caller is None else caller.means,
            action=action,
            thing=thing,
            request=None if caller is None or not caller.request else caller.request,
            details=dict(details),
        )
    )
