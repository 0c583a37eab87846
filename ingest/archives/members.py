"""Names of members, made safe: where a member is written, or why it is not."""

import re
import unicodedata
from dataclasses import dataclass

DEEPEST = 32
LONGEST_PART = 200
"""Bytes of UTF-8 in one part of a path; file systems allow 255."""

LONGEST_PATH = 2000
DRIVE = re.compile(r"[A-Za-z]:")
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control and format characters, halves of pairs (undecodable bytes), line and paragraph separators."""

Parts = tuple[str, ...]


class RefusedError(ValueError):
    """A member that is not written; the message says why."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a member goes, below the folder, and what was changed about its name (empty: nothing)."""

    parts: Parts
    changed: str


class SafeNames:
    """Gives each member of an archive a place of its own below one folder.

    Backslashes separate as slashes do. Absolute paths, drives, ``..`` and NUL are refused; unseen characters
    and colons become ``_``; what is too long is shortened; what is there already, letters' case aside, gets
    a number, so that nothing is written over.
    """

    def __init__(self) -> None:
        self._files: set[Parts] = set()
        self._folders: dict[Parts, Parts] = {(): ()}
        self._numbers: dict[Parts, int] = {}

    def file(self, name: str) -> Placed:
        """Place a file. Raises `RefusedError`."""
        named, parts = _split(name)
        parent = self._folder(parts[:-1])
        own = self._free((*parent, parts[-1]))
        self._files.add(_key(own))
        changed = [] if parts == named else ["unsafe or too long names are changed"]
        if own != parts:
            changed.append("a member of that name is there already")
        return Placed(own, "; ".join(changed))

    def folder(self, name: str) -> Parts:
        """Place a folder. Raises `RefusedError`."""
        return self._folder(_split(name)[1])

    def _folder(self, parts: Parts) -> Parts:
        key = _key(parts)
        if key not in self._folders:
            wanted = (*self._folder(parts[:-1]), parts[-1])
            found = self._free(wanted) if _key(wanted) in self._files else wanted
            self._folders[key] = found
            self._folders.setdefault(_key(found), found)
        return self._folders[key]

    def _free(self, wanted: Parts) -> Parts:
        key = _key(wanted)
        if key not in self._files and key not in self._folders:
            return wanted
        stem, dot, suffix = wanted[-1].rpartition(".")
        stem, ending = (stem, dot + suffix) if stem else (suffix, "")
        number = self._numbers.get(key, 1)
        while True:
            number += 1
            other = (*wanted[:-1], f"{stem} ({number}){ending}")
            if _key(other) not in self._files and _key(other) not in self._folders:
                self._numbers[key] = number
                return other


def shown(name: str, most: int = 120) -> str:
    """A name for messages: printable, and not longer than `most`."""
    text = "".join(c if unicodedata.category(c) not in UNSEEN else "?" for c in name[: most + 1])
    return text if len(text) <= most else text[: most - 3] + "..."


def _split(name: str) -> tuple[Parts, Parts]:
    """Parts of a name as they stand, and made safe."""
    if "\0" in name:
        raise RefusedError("a NUL in its name")
    path = name.replace("\\", "/")
    if path.startswith("/"):
        raise RefusedError("an absolute path")
    if DRIVE.match(path):
        raise RefusedError("a path with a drive")
    if len(path) > LONGEST_PATH:
        raise RefusedError(f"a path of {len(path)} characters")
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    if any(part.strip() == ".." for part in parts):
        raise RefusedError("a path that leads out of the folder")
    if not parts:
        raise RefusedError("no name")
    if len(parts) > DEEPEST:
        raise RefusedError(f"a path of {len(parts)} folders")
    return parts, tuple(_clean(part) for part in parts)


def _clean(part: str) -> str:
    text = "".join("_" if c == ":" or unicodedata.category(c) in UNSEEN else c for c in part)
    if len(text.encode()) <= LONGEST_PART:
        return text
    stem, dot, suffix = text.rpartition(".")
    ending = (dot + suffix).encode() if stem and len(suffix.encode()) <= 16 else b""
    whole = (stem if ending else text).encode()
    return (whole[: LONGEST_PART - len(ending)] + ending).decode(errors="ignore")


def _key(parts: Parts) -> Parts:
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in parts)
