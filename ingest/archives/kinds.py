"""Kinds of archive, recognised by content. A gzipped FITS file is a FITS file."""

import struct
import zlib
from enum import StrEnum
from pathlib import Path

HEAD_BYTES = 4096
TAR_BLOCK = 512


class Kind(StrEnum):
    """What an archive is; the value is its usual suffix."""

    ZIP = "zip"
    SEVEN_ZIP = "7z"
    RAR4 = "rar4"
    RAR5 = "rar5"
    TAR = "tar"
    GZIP = "gz"
    BZIP2 = "bz2"
    XZ = "xz"


STREAMS = frozenset({Kind.GZIP, Kind.BZIP2, Kind.XZ})
"""Compressed streams: of one file, or of a tar."""

SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),  # without members
    (b"PK\x07\x08", Kind.ZIP),  # a part of several
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
    (b"Rar!\x1a\x07\x00", Kind.RAR4),
    (b"Rar!\x1a\x07\x01\x00", Kind.RAR5),
    (b"\x1f\x8b", Kind.GZIP),
    (b"\xfd7zXZ\x00", Kind.XZ),
)
BZIP2_BLOCKS = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")


def archive_kind(head: bytes) -> Kind | None:
    """Kind of the archive that begins with `head` (`HEAD_BYTES` or all of it); None for anything else."""
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind if kind is not Kind.GZIP or _is_gzip_of_other(head) else None
    if head[:3] == b"BZh" and head[3:4].isdigit() and head[4:10] in BZIP2_BLOCKS:
        return Kind.BZIP2
    return Kind.TAR if is_tar(head) else None


def kind_of_file(path: Path) -> Kind | None:
    """Kind of an archive file; None for anything else, folders and unreadable files among them."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return archive_kind(file.read(HEAD_BYTES))
    except (OSError, ValueError):
        return None


def is_tar(head: bytes) -> bool:
    """Whether bytes begin as a tar member does: the sum of its header, with blanks for itself, is right."""
    if len(head) < TAR_BLOCK or not any(head[:100]):
        return False
    try:
        stated = int(head[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    rest = head[:148] + head[156:TAR_BLOCK]
    signed = sum(struct.unpack(f"{len(rest)}b", rest))
    return stated in {sum(rest) + 8 * 32, signed + 8 * 32}


def _is_gzip_of_other(head: bytes) -> bool:
    """Whether it is gzip indeed, and of anything but FITS."""
    try:
        return not zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 32).startswith(b"SIMPLE  =")
    except zlib.error:
        return False
