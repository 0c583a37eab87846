"""Filling cells of somebody's workbook: the bytes of those cells change, everything else stays as it is.

A library that reads a workbook and writes it anew drops what it does not know (drop-down lists of newer
kinds, buttons, the values of formulas). Here only the sheet's XML is edited, cell by cell.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from reduction.errors import DataError
from reduction.reports.safe_xml import Placed, local, walk
from reduction.reports.xlsx import Archive, Sheet, Value, split


@dataclass(slots=True)
class _Span:
    """Where an element lies: its first byte, the end of its first tag, and its end."""

    begin: int
    opened: int
    close: int
    end: int
    attributes: dict[str, str]


class _Places(Placed):
    """Spans of rows, cells and the sheet's data."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.rows: dict[int, _Span] = {}
        self.cells: dict[str, _Span] = {}
        self.data_span: _Span | None = None
        self.prefix = ""
        self.open: list[_Span] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        begin = self.place()
        if not self.open:
            self.prefix = name.removesuffix("worksheet")
        self.open.append(_Span(begin, _tag_end(self.content, begin), 0, 0, attributes))

    def end(self, name: str) -> None:
        span = self.open.pop()
        if self.content[span.opened - 2 : span.opened] == b"/>":
            span.close = span.end = span.opened
        else:
            span.close = self.place()
            span.end = _tag_end(self.content, span.close)
        kind = local(name)
        if kind == "c":
            self.cells[span.attributes.get("r", "")] = span
        elif kind == "row" and span.attributes.get("r", "").isdecimal():
            self.rows[int(span.attributes["r"])] = span
        elif kind == "sheetData":
            self.data_span = span

    def data(self, text: str) -> None:
        del text


def _tag_end(content: bytes, begin: int) -> int:
    """Just after the tag that begins there; a ``>`` within quotation marks does not end it."""
    found = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>").match(content, begin)
    assert found is not None
    return found.end()


def patched(archive: Archive, sheet: Sheet, values: Mapping[str, Value]) -> tuple[bytes, list[str]]:
    """The workbook with those cells filled, and the cells that were left: they hold formulas.

    A cell inside a merged block stands for the block. Text goes in as text, never as a formula.

    Raises
    ------
    DataError
        The sheet's XML cannot be followed.
    """
    wanted = {sheet.anchors.get(cell, cell): value for cell, value in values.items()}
    left = sorted(cell for cell in wanted if cell in sheet.formulas)
    content = archive.part(sheet.member)
    stated = re.search(rb"<\?xml[^>]*encoding=[\"']([\w-]+)", content[:200])
    if b"\0" in content[:200] or (stated is not None and stated[1].lower() not in {b"utf-8", b"us-ascii"}):
        raise DataError(f"{archive.path}: sheet {sheet.member} is not UTF-8")
    places = _Places(content)
    walk(content, archive.path, places)
    filled = _edited(places, {cell: value for cell, value in wanted.items() if cell not in left}, archive)
    parts = archive.parts | {sheet.member: filled}
    parts["xl/workbook.xml"] = _recalculated(archive.part("xl/workbook.xml"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for info in archive.infos:
            out.writestr(info, parts[info.filename], info.compress_type)
    return packed.getvalue(), left


def _edited(places: _Places, values: Mapping[str, Value], archive: Archive) -> bytes:
    """The sheet's bytes with cells replaced, or put where they belong."""
    edits: list[tuple[int, int, str]] = []
    new_rows: dict[int, list[str]] = {}
    for cell in sorted(values, key=split):
        row, _ = split(cell)
        span = places.cells.get(cell)
        if span is not None:
            style = span.attributes.get("s")
            edits.append((span.begin, span.end, _cell(places.prefix, cell, style, values[cell])))
        elif row in places.rows:
            edits.append(_in_row(places, row, cell, values[cell]))
        else:
            new_rows.setdefault(row, []).append(_cell(places.prefix, cell, None, values[cell]))
    data = places.data_span
    if data is None:
        raise DataError(f"{archive.path}: its sheet holds no data")
    edits += _new_rows(places, data, new_rows)
    return _applied(places.content, edits)


def _in_row(places: _Places, row: int, cell: str, value: Value) -> tuple[int, int, str]:
    """An edit that puts a cell into a row that has no such cell yet."""
    span, text = places.rows[row], _cell(places.prefix, cell, None, value)
    if span.close == span.opened and span.end == span.opened:  # <row .../>
        tag = places.content[span.begin : span.end].decode()
        return span.begin, span.end, f"{tag[:-2]}>{text}</{places.prefix}row>"
    column = split(cell)[1]
    later = [
        other.begin
        for name, other in places.cells.items()
        if span.begin < other.begin < span.end and _column(name) > column
    ]
    at = min(later, default=span.close)
    return at, at, text


def _column(name: str) -> int:
    try:
        return split(name)[1]
    except ValueError:
        return 0


def _new_rows(places: _Places, data: _Span, rows: Mapping[int, list[str]]) -> list[tuple[int, int, str]]:
    p = places.prefix
    texts = {row: f'<{p}row r="{row}">{"".join(cells)}</{p}row>' for row, cells in rows.items()}
    if not texts:
        return []
    if data.end == data.opened and data.close == data.opened:  # <sheetData/>
        tag = places.content[data.begin : data.end].decode()
        return [
            (data.begin, data.end, f"{tag[:-2]}>{''.join(texts[r] for r in sorted(texts))}</{p}sheetData>")
        ]
    edits = []
    for row in sorted(texts):
        at = min((span.begin for other, span in places.rows.items() if other > row), default=data.close)
        edits.append((at, at, texts[row]))
    return edits


def _applied(content: bytes, edits: list[tuple[int, int, str]]) -> bytes:
    """Edits carried out from the last to the first; those at one place keep their order."""
    merged: dict[tuple[int, int], str] = {}
    for begin, end, text in edits:
        if begin == end:
            merged[begin, end] = merged.get((begin, end), "") + text
        elif (begin, end) in merged:  # a second cell of a row that was empty
            cut = text.index(">") + 1
            old = merged[begin, end]
            close = old.rindex("</")
            merged[begin, end] = old[:close] + text[cut : text.rindex("</")] + old[close:]
        else:
            merged[begin, end] = text
    for (begin, end), text in sorted(merged.items(), reverse=True):
        content = content[:begin] + text.encode() + content[end:]
    return content


def _cell(prefix: str, cell: str, style: str | None, value: Value) -> str:
    head = f'<{prefix}c r="{cell}"' + (f' s="{escape(style)}"' if style is not None else "")
    if isinstance(value, bool):
        return f'{head} t="b"><{prefix}v>{int(value)}</{prefix}v></{prefix}c>'
    if isinstance(value, int | float):
        return f"{head}><{prefix}v>{value!r}</{prefix}v></{prefix}c>"
    text = f'<{prefix}t xml:space="preserve">{escape(value)}</{prefix}t>'
    return f'{head} t="inlineStr"><{prefix}is>{text}</{prefix}is></{prefix}c>'


def _recalculated(book: bytes) -> bytes:
    """The workbook's part, asking that formulas are reckoned anew when it is opened."""
    if b"fullCalcOnLoad" in book:
        return book
    return re.sub(rb"(<(?:\w+:)?calcPr\b)", rb'\1 fullCalcOnLoad="1"', book, count=1)
