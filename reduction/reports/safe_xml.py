"""XML of strangers: elements and their text; document types, entities and deep nests are refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from xml.parsers import expat

from reduction.errors import DataError

MOST_DEPTH = 32
MOST_ELEMENTS = 500_000


@dataclass(slots=True)
class Element:
    """An element: its name without prefix, its attributes, the text directly in it, the elements in it."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def first(self, *names: str) -> "Element | None":
        """The first element found along names, each inside the one before."""
        here: Element | None = self
        for name in names:
            here = next((child for child in here.children if child.name == name), None) if here else None
        return here

    def all(self, name: str) -> list["Element"]:
        """Every element of that name directly in this one."""
        return [child for child in self.children if child.name == name]


class _RefusedError(Exception):
    """What is in the file is not read."""


def parse(content: bytes, path: Path) -> Element:
    """Root element of a document.

    No document type is read, so no entity can be declared, expanded or fetched.

    Raises
    ------
    DataError
        It is not well formed, declares a document type, or nests or holds too much.
    """
    builder = _Builder()
    walk(content, path, builder)
    if builder.root is None:
        raise DataError(f"{path}: not XML: no element")
    return builder.root


class Walker(Protocol):
    """What is told of a document's elements, in order."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def data(self, text: str) -> None:
        """Text."""


def walk(content: bytes, path: Path, walker: Walker) -> None:
    """Tell `walker` of every element; raises as `parse`."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = walker.start
    parser.EndElementHandler = walker.end
    parser.CharacterDataHandler = walker.data
    if isinstance(walker, Placed):
        walker.place = lambda: parser.CurrentByteIndex
    try:
        parser.Parse(content, True)
    except _RefusedError as error:
        raise DataError(f"{path}: {error}") from error
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DataError(f"{path}: not XML: {error}") from error


class Placed:
    """A walker that wants to know where in the bytes each event lies."""

    place: Callable[[], int]


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if len(self.open) >= MOST_DEPTH or self.count > MOST_ELEMENTS:
            raise _RefusedError("its elements are too deep or too many for a report")
        element = Element(local(name), {local(key): value for key, value in attributes.items()})
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, name: str) -> None:
        del name  # expat has checked it
        self.open.pop()

    def data(self, text: str) -> None:
        self.open[-1].text += text


def local(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


def _refuse_doctype(name: str, system: str | None, public: str | None, internal: int) -> None:
    del name, system, public, internal
    raise _RefusedError("it declares a document type, in which entities could hide; a report has none")
