"""What people type into forms: decimal commas, times without a date, angles with minutes and seconds."""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from api.web.forms import Form, FormError
from reduction.angles import sexagesimal_degrees

LONGEST_LINE = 200
DAY = timedelta(days=1)
_TIME = re.compile(
    r"(?:(?P<date>\d{4}-\d{2}-\d{2})[T\s]+)?"
    r"(?P<h>\d{1,2})[:\s](?P<m>\d{2})(?:[:\s](?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?:Z|UTC?)?",
    re.ASCII | re.IGNORECASE,
)


def decimal(text: str) -> str:
    """A number as programs write it: of ``0,04`` the comma is a point; anything else stays."""
    return text.strip().replace(",", ".", 1) if text.count(",") == 1 and "." not in text else text.strip()


def moment(text: str, near: datetime) -> datetime:
    """The UTC instant of ``2026-03-11 20:01:34.56``, or of ``20:01:34.56`` at the day nearest to `near`.

    Raises
    ------
    ValueError
        It is none.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError("is no time; write 20:01:34.56, or 2026-03-11 20:01:34.56, in UTC")
    micro = int((found["f"] or "0")[:6].ljust(6, "0"))
    try:
        day = datetime.fromisoformat(found["date"]) if found["date"] else near.astimezone(UTC)
        at = datetime(
            day.year, day.month, day.day, int(found["h"]), int(found["m"]), int(found["s"] or 0), micro, UTC
        )
        if not found["date"]:
            at = min((at - DAY, at, at + DAY), key=lambda one: abs(one - near))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no time: {error}") from error
    return at


def angle(text: str, letters: str) -> str:
    """Decimal degrees of an angle in any form; `letters` are those of its hemispheres (``NS`` or ``EW``).

    Raises
    ------
    ValueError
        It is none, or of the other direction.
    """
    wrong = next((one for one in text.upper() if one in "NSEW" and one not in letters), None)
    if wrong is not None and not (wrong == "S" and text[-1:] == "s"):
        raise ValueError(f"has {wrong}; here it is {letters[0]} or {letters[1]}")
    return repr(sexagesimal_degrees(text))


def lines(text: str) -> list[str]:
    """Lines of a text, none longer than what is kept in one piece."""
    return [part for line in text.splitlines() for part in textwrap.wrap(line, LONGEST_LINE)]


def corrected(form: Form, numbers: Iterable[str] = (), **changed: list[str] | None) -> Form:
    """A copy of a form with numbers as programs write them, and other values of some fields; None drops one.

    What the person typed stays in `form`, to be shown again.
    """
    fields = {name: list(values) for name, values in form.fields.items()}
    for name in numbers:
        if name in fields:
            fields[name] = [decimal(value) for value in fields[name]]
    for name, values in changed.items():
        fields.pop(name, None)
        if values is not None:
            fields[name] = values
    return replace(form, fields=fields)


def renamed(error: FormError, names: Iterable[str]) -> FormError:
    """The same error, told at the field of the form: `comments.3` is part of `comments`."""
    known = set(names)
    found: dict[str, str] = {}
    for name, told in error.fields.items():
        here = name
        while here and here not in known:
            here = here.rpartition(".")[0]
        found.setdefault(here, told if here or not name else f"{name}: {told}")
    return FormError(found)
