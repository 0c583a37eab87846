"""Text for e-mails: what others wrote can neither become a header nor look like the service's own words."""

import textwrap
import unicodedata
from collections.abc import Mapping
from datetime import datetime

from api.words import JOINERS

Value = str | int | float | datetime | list[str]
PROSE = frozenset({"text"})
"""Names of values that may have several lines; templates show them by the filter `quoted`."""
WIDTH = 76
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def prose(text: str) -> str:
    """Text whose lines stay, without characters that cannot be seen or kept."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    return "\n".join("".join(filter(_seen, line)) for line in lines).strip("\n")


def _seen(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character) not in UNSEEN


def line(text: str) -> str:
    """Text in one line."""
    return " ".join("".join(filter(_seen, " ".join(text.split()))).split())


def harmless(values: Mapping[str, Value]) -> dict[str, Value]:
    """Values of a template: one line each, but `PROSE`."""
    return {name: _harmless(name, value) for name, value in values.items()}


def _harmless(name: str, value: Value) -> Value:
    if isinstance(value, list):
        return [line(each) for each in value]
    if isinstance(value, str):
        return prose(value) if name in PROSE else line(value)
    return value


def quoted(text: str) -> str:
    """What somebody wrote, set apart: each line wrapped, behind a bar."""
    wrapped = [part for each in text.split("\n") for part in (_wrapped(each) or [""])]
    return "\n".join(f"> {part}".rstrip() for part in wrapped)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
