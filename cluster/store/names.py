"""Names of objects: any text becomes a segment that every file system and server takes as it is."""

import re
from pathlib import PurePosixPath

from reduction.errors import RequestError

SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
LONGEST = 255
"""Bytes of a name on usual file systems."""
ENCODED = re.compile(r"=([0-9A-F]{2})")
ATTEMPT = re.compile(r"^(\d+)-(\d+)-([0-9a-f]{16})$")
COMMIT = re.compile(r"^commit(?:-([1-9]\d*))?\.json$")
NUMBER = re.compile(r"^([1-9]\d*)\.json$")
LOG = re.compile(r"^(\d+)\.txt$")
DIGEST = re.compile(r"^[0-9a-f]{64}$")


def segment(text: str, what: str) -> str:
    """One segment of a name: each byte outside ``A-Za-z0-9._-`` becomes ``=XX``.

    Raises
    ------
    RequestError
        The text is empty, too long, or no Unicode.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{what} {text!r}: is no Unicode text; rename it") from error
    coded = "".join(chr(byte) if chr(byte) in SAFE else f"={byte:02X}" for byte in data)
    if coded.strip(".") == "":
        coded = coded.replace(".", "=2E")
    if not coded or len(coded) > LONGEST:
        raise RequestError(f"{what} {text!r}: give one of 1 to {LONGEST} bytes, where others count thrice")
    return coded


def text_of(name: str) -> str:
    """The text that became a segment."""
    data = ENCODED.sub(lambda match: chr(int(match[1], 16)), name)
    return data.encode("latin-1", "replace").decode(errors="replace")


def path_of(name: str) -> str:
    """A file's name in a folder that is published, segment by segment."""
    parts = name.split("/")
    if PurePosixPath(name).is_absolute() or "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise RequestError(f"{name!r}: is no name of a file in a folder")
    return "/".join(segment(part, "the file name") for part in parts)


def raw_name(sha256: str) -> str:
    """Where a file is kept. Raises `RequestError`: no SHA-256."""
    if not DIGEST.match(sha256):
        raise RequestError(f"{sha256!r}: is no SHA-256; give 64 digits 0-9a-f")
    return f"raw/{sha256[:2]}/{sha256}"


def commit_name(kind: str, key: str, slot: int) -> str:
    """Where a commit is: the first, or a later one where those before are void."""
    return f"{kind}/{segment(key, 'the key')}/commit{f'-{slot}' if slot else ''}.json"
