"""Workbooks of strangers: the cells of a sheet, read without formulas being reckoned or entities expanded."""

import io
import posixpath
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from reduction.errors import DataError
from reduction.reports.reading import content_of
from reduction.reports.safe_xml import Element, parse

MOST_UNPACKED = 64 << 20
MOST_MEMBERS = 2_000
MOST_CELLS = 500_000
_CELL = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})", re.ASCII)

Value = str | float | bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook.

    Attributes
    ----------
    member : str
        Of the archive.
    values : dict
        Cell (``"D5"``) to what it holds; of a formula what it came to when the file was saved.
    formulas : frozenset of str
        Cells that hold a formula.
    anchors : dict
        Cell inside a merged block to the block's first cell, which is the one that counts.
    """

    member: str
    values: dict[str, Value]
    formulas: frozenset[str]
    anchors: dict[str, str]


@dataclass(frozen=True, slots=True)
class Archive:
    """A workbook's parts."""

    path: Path
    parts: dict[str, bytes]
    infos: tuple[zipfile.ZipInfo, ...]

    def part(self, name: str) -> bytes:
        """One part.

        Raises
        ------
        DataError
            There is none of that name.
        """
        try:
            return self.parts[name]
        except KeyError:
            raise DataError(f"{self.path}: no workbook: it lacks {name[:60]}") from None


def open_workbook(path: Path) -> Archive:
    """Unpack a workbook into memory.

    Raises
    ------
    RequestError
        It cannot be read.
    DataError
        It is no archive, or unpacks to more than a report form can hold.
    """
    content = content_of(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            size = sum(info.file_size for info in infos)
            if len(infos) > MOST_MEMBERS or size > MOST_UNPACKED:
                raise DataError(f"{path}: {len(infos)} parts of {size} bytes are no report form")
            parts = {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: no workbook (xlsx): {error}") from error
    return Archive(path, parts, tuple(infos))


def sheet(archive: Archive, name: str) -> Sheet | None:
    """A sheet by its name; None where the workbook has none of that name.

    Raises
    ------
    DataError
        The workbook's parts do not hold together.
    """
    member = _member(archive, name)
    if member is None:
        return None
    root = parse(archive.part(member), archive.path)
    words = _shared_strings(archive)
    values: dict[str, Value] = {}
    formulas = set()
    for row in (root.first("sheetData") or Element("sheetData")).children:
        for cell in row.all("c"):
            place = cell.attributes.get("r", "")
            if _CELL.fullmatch(place) is None or len(values) >= MOST_CELLS:
                continue
            if cell.first("f") is not None:
                formulas.add(place)
            value = _value(cell, words)
            if value is not None:
                values[place] = value
    return Sheet(member, values, frozenset(formulas), _anchors(root))


def _member(archive: Archive, name: str) -> str | None:
    book = parse(archive.part("xl/workbook.xml"), archive.path)
    links = parse(archive.part("xl/_rels/workbook.xml.rels"), archive.path)
    targets = {link.attributes.get("Id"): link.attributes.get("Target", "") for link in links.children}
    for one in (book.first("sheets") or Element("sheets")).children:
        if one.attributes.get("name") == name:
            target = targets.get(one.attributes.get("id"), "")
            return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
    return None


def _shared_strings(archive: Archive) -> list[str]:
    content = archive.parts.get("xl/sharedStrings.xml")
    if content is None:
        return []
    return [_text(item) for item in parse(content, archive.path).all("si")]


def _text(item: Element) -> str:
    """Text of a string: its own, or that of its runs of letters; readings of Japanese left out."""
    parts = [
        child.text if child.name == "t" else _text(child)
        for child in item.children
        if child.name in {"t", "r"}
    ]
    return "".join(parts)


def _value(cell: Element, words: list[str]) -> Value | None:
    kind, held = cell.attributes.get("t", "n"), cell.first("v")
    if kind == "inlineStr":
        return _text(cell.first("is") or Element("is"))
    if held is None or kind == "e":
        return None
    text = held.text.strip()
    if kind == "s":
        known = text.isascii() and text.isdigit() and len(text) < 9 and int(text) < len(words)
        return words[int(text)] if known else None
    if kind in {"str", "d"}:
        return held.text
    return text == "1" if kind == "b" else _float(text)


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _anchors(root: Element) -> dict[str, str]:
    anchors: dict[str, str] = {}
    for merged in (root.first("mergeCells") or Element("mergeCells")).all("mergeCell"):
        corners = [_CELL.fullmatch(corner) for corner in merged.attributes.get("ref", "").split(":")]
        if len(corners) != 2 or corners[0] is None or corners[1] is None:
            continue
        left, right = column(corners[0][1]), column(corners[1][1])
        top, bottom = int(corners[0][2]), int(corners[1][2])
        if (right - left + 1) * (bottom - top + 1) > 10_000 or len(anchors) > MOST_CELLS:
            continue
        for x in range(left, right + 1):
            for y in range(top, bottom + 1):
                anchors[f"{letters(x)}{y}"] = f"{corners[0][1]}{top}"
    return anchors


def column(name: str) -> int:
    """Number of a column, A is 1."""
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - 64
    return number


def letters(number: int) -> str:
    """Name of a column, 1 is A."""
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(65 + rest) + name
    return name


def split(cell: str) -> tuple[int, int]:
    """Row and column of a cell.

    Raises
    ------
    ValueError
        It is no cell's name.
    """
    found = _CELL.fullmatch(cell)
    if found is None:
        raise ValueError(f"{cell!r} is no cell")
    return int(found[2]), column(found[1])
