"""AVI files put together byte by byte (RIFF, OpenDML 1.02), for what FFmpeg's writer does not make."""

import struct
from collections.abc import Sequence
from pathlib import Path


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def listing(name: bytes, *content: bytes) -> bytes:
    return chunk(b"LIST", name + b"".join(content))


def raw_avi(
    path: Path,
    pictures: Sequence[bytes],
    width: int,
    height: int,
    bits: int,
    *,
    compression: bytes = b"\0\0\0\0",
    palette: bytes = b"",
    claimed: int | None = None,
    index: bool = True,
) -> None:
    """Write pictures as they stand: rows padded to 4 bytes and, for a positive height, bottom-up."""
    count = len(pictures) if claimed is None else claimed
    size = max(map(len, pictures))
    main = struct.pack("<14I", 40_000, 0, 0, 0x10, count, 0, 1, size, width, height, 0, 0, 0, 0)
    stream = struct.pack(
        "<4s4sIHHIIIIIIII4h",
        b"vids",
        compression,
        0,
        0,
        0,
        0,
        1,
        25,
        0,
        count,
        size,
        0,
        0,
        0,
        0,
        width,
        height,
    )
    bitmap = struct.pack(
        "<IiiHH4sIiiII", 40, width, height, 1, bits, compression, size, 0, 0, len(palette) // 4, 0
    )
    header = listing(
        b"hdrl",
        chunk(b"avih", main),
        listing(b"strl", chunk(b"strh", stream), chunk(b"strf", bitmap + palette)),
    )
    chunks = [chunk(b"00db", picture) for picture in pictures]
    entries, offset = b"", 4
    for picture, written in zip(pictures, chunks, strict=True):
        entries += struct.pack("<4sIII", b"00db", 0x10, offset, len(picture))
        offset += len(written)
    parts = [header, listing(b"movi", *chunks)]
    if index:
        parts.append(chunk(b"idx1", entries))
    path.write_bytes(chunk(b"RIFF", b"AVI " + b"".join(parts)))
