"""Rar archives of stored members, byte by byte as the format's descriptions have them."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

RAR4 = b"Rar!\x1a\x07\x00"
RAR5 = b"Rar!\x1a\x07\x01\x00"


@dataclass(frozen=True)
class Entry:
    name: str
    data: bytes = b""
    folder: bool = False
    link: str = ""
    hard: bool = False
    stated: int | None = None
    """Unpacked size that the header says."""
    packed: int | None = None
    """Packed size that the header says."""
    checksum: int | None = None


def block4(kind: int, flags: int, fields: bytes) -> bytes:
    body = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body


def rar4(entries: Sequence[Entry], *, main_flags: int = 0, end: bool = True) -> bytes:
    out = RAR4 + block4(0x73, main_flags, bytes(6))
    for entry in entries:
        data = entry.link.encode() if entry.link else entry.data
        name = entry.name.encode()
        mode = 0o120777 if entry.link else 0o040755 if entry.folder else 0o100644
        flags = 0x8000 | (0xE0 if entry.folder else 0)
        checksum = zlib.crc32(data) if entry.checksum is None else entry.checksum
        fields = struct.pack(
            "<IIBIIBBHI",
            len(data) if entry.packed is None else entry.packed,
            len(data) if entry.stated is None else entry.stated,
            3,
            checksum,
            (44 << 25) | (1 << 21) | (1 << 16),
            20,
            0x30,
            len(name),
            mode,
        )
        out += block4(0x74, flags, fields + name) + data
    return out + (block4(0x7B, 0x4000, b"") if end else b"")


def vint(value: int) -> bytes:
    out = b""
    while True:
        low, value = value & 0x7F, value >> 7
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def block5(kind: int, flags: int, fields: bytes, *, extra: bytes = b"", data: int | None = None) -> bytes:
    flags |= (1 if extra else 0) | (2 if data is not None else 0)
    body = vint(kind) + vint(flags)
    body += vint(len(extra)) if extra else b""
    body += vint(data) if data is not None else b""
    body += fields + extra
    sized = vint(len(body)) + body
    return struct.pack("<I", zlib.crc32(sized)) + sized


def rar5(entries: Sequence[Entry], *, archive_flags: int = 0, encrypted: bool = False) -> bytes:
    out = RAR5
    if encrypted:
        return out + block5(4, 0, vint(0) + vint(0) + bytes([15]) + bytes(16)) + bytes(64)
    out += block5(1, 0, vint(archive_flags))
    for entry in entries:
        name, data = entry.name.encode(), entry.data
        checksum = zlib.crc32(data) if entry.checksum is None else entry.checksum
        fields = vint(1 if entry.folder else 4)
        fields += vint(len(data) if entry.stated is None else entry.stated)
        fields += vint(0o040755 if entry.folder else 0o100644)
        fields += b"" if entry.folder else struct.pack("<I", checksum)
        fields += vint(0) + vint(1) + vint(len(name)) + name
        extra = b""
        if entry.link:
            target = entry.link.encode()
            record = vint(5) + vint(4 if entry.hard else 1) + vint(0) + vint(len(target)) + target
            extra = vint(len(record)) + record
        packed = len(data) if entry.packed is None else entry.packed
        out += block5(2, 0, fields, extra=extra, data=packed) + data
    return out + block5(5, 0, vint(0))
