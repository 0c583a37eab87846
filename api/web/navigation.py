"""What the head of each page leads to, by what one may."""

from dataclasses import dataclass

from api.access.caller import Caller
from api.access.matrix import MATRIX, Operation


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the navigation; `current` on pages below it."""

    path: str
    label: str
    current: bool = False


PLACES: tuple[tuple[str, str, Operation], ...] = (
    ("/campaigns", "Campaigns", Operation.SEE_CAMPAIGNS),
    ("/observations", "Observations", Operation.SEE_OWN_OBSERVATIONS),
    ("/equipment", "Equipment", Operation.LIST_EQUIPMENT),
    ("/sites", "Sites", Operation.LIST_EQUIPMENT),
    ("/issues", "Issues", Operation.SEE_ISSUES),
)
STAFF: tuple[tuple[str, str, Operation], ...] = (
    ("/staff/predictions", "Predictions", Operation.MANAGE_PREDICTIONS),
    ("/staff/queue", "Queue", Operation.SEE_QUEUE),
    ("/staff/announcements", "Announcements", Operation.ANNOUNCE),
    ("/staff/issues", "Issues", Operation.SEE_ALL_ISSUES),
    ("/staff/users", "Users", Operation.SEE_USERS),
    ("/staff/audit", "Audit log", Operation.SEE_AUDIT),
)
ACCOUNT: tuple[tuple[str, str], ...] = (
    ("/account", "Profile"),
    ("/account/notices", "E-mails"),
    ("/account/keys", "API keys"),
    ("/account/sessions", "Sessions"),
    ("/account/security", "Password and address"),
    ("/account/data", "Your data"),
)


def places(caller: Caller, path: str) -> tuple[Entry, ...]:
    """Links for a caller with an account."""
    return () if caller.person is None else _open(PLACES, caller, path)


def staff(caller: Caller, path: str) -> tuple[Entry, ...]:
    """Links for staff and superusers."""
    return () if caller.person is None else _open(STAFF, caller, path)


def account(path: str) -> tuple[Entry, ...]:
    """Tabs of the account pages."""
    return tuple(Entry(where, label, where == path) for where, label in ACCOUNT)


def _open(entries: tuple[tuple[str, str, Operation], ...], caller: Caller, path: str) -> tuple[Entry, ...]:
    return tuple(
        Entry(where, label, path == where or path.startswith(f"{where}/"))
        for where, label, operation in entries
        if MATRIX[operation].allowed & caller.standing
    )
