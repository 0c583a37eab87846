"""VOTables 1.4 as services answer with them: one table of text, and what belongs to it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from ingest.curves.own_votable import NAMESPACE, NOT_XML

MEDIA_TYPE = "application/x-votable+xml"

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """A column.

    Attributes
    ----------
    kind : str
        ``char`` is ASCII, ``text`` any characters.
    system : str
        ID of the TIMESYS or COOSYS that its values are in.
    """

    name: str
    kind: Literal["char", "text", "double", "int", "long", "boolean"]
    meaning: str
    unit: str = ""
    ucd: str = ""
    utype: str = ""
    xtype: str = ""
    system: str = ""

    @property
    def element(self) -> str:
        """As XML."""
        array = ' arraysize="*"' if self.kind in {"char", "text"} else ""
        kind = "unicodeChar" if self.kind == "text" else self.kind
        named = {"unit": self.unit, "ucd": self.ucd, "utype": self.utype, "xtype": self.xtype}
        named["ref"] = self.system
        words = "".join(f" {name}={quoted(value)}" for name, value in named.items() if value)
        return (
            f'<FIELD ID="{self.name}" name="{self.name}" datatype="{kind}"{array}{words}>'
            f"<DESCRIPTION>{escape(self.meaning)}</DESCRIPTION></FIELD>"
        )


def quoted(text: str) -> str:
    """Text as the value of an attribute."""
    return quoteattr(_readable(text))


def info(name: str, value: str, content: str = "") -> str:
    """An INFO element."""
    return f"<INFO name={quoted(name)} value={quoted(value)}>{escape(_readable(content))}</INFO>"


def votable(
    fields: Sequence[Field],
    rows: Iterable[Sequence[Value]],
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    other: Sequence[str] = (),
) -> bytes:
    """A table of results.

    Parameters
    ----------
    fields, rows
        Columns, and the values of each row in their order; None is unknown.
    before, after : sequence of str
        Elements about the table, before it and after it.
    other : sequence of str
        Resources beside that of the table.
    """
    out = [*_begin(), *before, '<TABLE name="results">', *(field.element for field in fields)]
    out.append("<DATA><TABLEDATA>")
    out += ["<TR>" + "".join(f"<TD>{_cell(value)}</TD>" for value in row) + "</TR>" for row in rows]
    out += ["</TABLEDATA></DATA>", "</TABLE>", *after, "</RESOURCE>", *other, "</VOTABLE>"]
    return ("\n".join(out) + "\n").encode()


def failed(message: str) -> bytes:
    """What a service answers to a query that it cannot take (DALI 1.1, 4.2)."""
    out = [*_begin(), info("QUERY_STATUS", "ERROR", message), "</RESOURCE>", "</VOTABLE>"]
    return ("\n".join(out) + "\n").encode()


def _begin() -> list[str]:
    return [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<VOTABLE version="1.4" xmlns="{NAMESPACE}">',
        '<RESOURCE type="results">',
    ]


def _cell(value: Value) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(_readable(value)) if isinstance(value, str) else repr(value)


def _readable(text: str) -> str:
    """Text without characters that XML cannot have."""
    return NOT_XML.sub("\ufffd", text)
