"""Small writers of PNG, TIFF and BMP that share no code with the readers."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def filtered(row: bytes, above: bytes, pixel: int, kind: int) -> bytes:
    """One row by a filter of PNG's, byte by byte."""
    out = bytearray([kind])
    for k, value in enumerate(row):
        a = row[k - pixel] if k >= pixel else 0
        b = above[k]
        c = above[k - pixel] if k >= pixel else 0
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        out.append((value - [0, a, b, (a + b) // 2, paeth][kind]) % 256)
    return bytes(out)


def png_bytes(
    samples: NDArray[Any],
    *,
    alpha: bool = False,
    exif: bytes = b"",
    sbit: int = 0,
    split: int = 1,
    kinds: str = "01234",
) -> bytes:
    """A PNG of ``(y, x)`` or ``(y, x, 3)``, rows filtered by `kinds` in turn, pixels in `split` chunks."""
    values = samples[:, :, None] if samples.ndim == 2 else samples
    if alpha:
        values = np.concatenate([values, np.full_like(values[:, :, :1], np.iinfo(values.dtype).max)], axis=2)
    height, width, count = values.shape
    depth = 8 * values.dtype.itemsize
    rows = [row.astype(values.dtype.newbyteorder(">")).tobytes() for row in values]
    pixel = count * depth // 8
    body, above = b"", bytes(len(rows[0]))
    for number, row in enumerate(rows):
        body += filtered(row, above, pixel, int(kinds[number % len(kinds)]))
        above = row
    packed = zlib.compress(body)
    step = -(-len(packed) // split)
    head = struct.pack(">2I5B", width, height, depth, {1: 0, 2: 4, 3: 2, 4: 6}[count], 0, 0, 0)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    out += chunk(b"sBIT", bytes([sbit] * count)) if sbit else b""
    out += chunk(b"eXIf", exif) if exif else b""
    out += b"".join(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    return out + chunk(b"IEND", b"")


Tag = tuple[int, int, Sequence[int] | bytes]


def ifd(order: str, tags: Sequence[Tag], start: int, following: int) -> bytes:
    """A directory that stands at `start`, values that do not fit behind it."""
    sizes, codes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}, {1: "B", 3: "H", 4: "I", 5: "I"}
    entries, extra = b"", b""
    behind = start + 2 + 12 * len(tags) + 4
    for tag, kind, values in sorted(tags):
        raw = (
            values
            if isinstance(values, bytes)
            else struct.pack(f"{order}{len(values)}{codes[kind]}", *values)
        )
        if len(raw) > 4:
            entry = struct.pack(order + "I", behind + len(extra))
            extra += raw
        else:
            entry = raw.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, kind, len(raw) // sizes[kind]) + entry
    return struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following) + extra


def exif_tags(
    taken: str, fraction: str = "", offset: str = "", exposure: tuple[int, int] | None = None
) -> list[Tag]:
    tags: list[Tag] = [(36867, 2, taken.encode() + b"\0")]
    tags += [(37521, 2, fraction.encode() + b"\0")] if fraction else []
    tags += [(36881, 2, offset.encode() + b"\0")] if offset else []
    return [*tags, (33434, 5, exposure)] if exposure else tags


def exif_block(tags: Sequence[Tag], order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    first = ifd(order, [(34665, 4, [26])], 8, 0)
    assert len(first) == 18
    return mark + struct.pack(order + "I", 8) + first + ifd(order, tags, 26, 0)


def tiff_bytes(
    pages: Sequence[NDArray[Any]],
    *,
    order: Literal["<", ">"] = "<",
    strips: int = 1,
    packing: int = 1,
    photometric: int | None = None,
    exif: Sequence[Tag] = (),
    extra: Mapping[int, tuple[int, Sequence[int] | bytes]] | None = None,
) -> bytes:
    """A TIFF of pages ``(y, x)`` or ``(y, x, n)``; `packing` 1 none or 8 deflate."""
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 0)
    links = 4
    for page in pages:
        values = page[:, :, None] if page.ndim == 2 else page
        height, width, count = values.shape
        rows = -(-height // strips)
        parts = [values[at : at + rows] for at in range(0, height, rows)]
        raw = [part.astype(values.dtype.newbyteorder(order)).tobytes() for part in parts]
        raw = [zlib.compress(part) for part in raw] if packing == 8 else raw
        places = [len(out) + sum(map(len, raw[:k])) for k in range(len(raw))]
        out += b"".join(raw)
        form = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
        tags: list[Tag] = [
            (256, 4, [width]),
            (257, 4, [height]),
            (258, 3, [8 * values.dtype.itemsize] * count),
            (259, 3, [packing]),
            (262, 3, [photometric if photometric is not None else 2 if count >= 3 else 1]),
            (273, 4, places),
            (277, 3, [count]),
            (278, 4, [rows]),
            (279, 4, list(map(len, raw))),
            (339, 3, [form] * count),
        ]
        tags += [(338, 3, [2])] if count in {2, 4} else []
        tags += [(tag, kind, value) for tag, (kind, value) in (extra or {}).items()]
        if exif:
            tags.append((34665, 4, [len(out)]))
            out += ifd(order, exif, len(out), 0)
        start = len(out)
        body = ifd(order, tags, start, 0)
        out = out[:links] + struct.pack(order + "I", start) + out[links + 4 :] + body
        links = start + 2 + 12 * len(tags)
    return out


def bmp_bytes(samples: NDArray[np.uint8], *, bits: int = 0, down: bool = False) -> bytes:
    """A BMP: grey ``(y, x)`` with a palette, or ``(y, x, 3)`` of 24 or 32 bits."""
    height, width = samples.shape[:2]
    bits = bits or (8 if samples.ndim == 2 else 24)
    palette = b"".join(bytes([k, k, k, 0]) for k in range(256)) if bits == 8 else b""
    rows = []
    for row in samples if down else samples[::-1]:
        if bits == 8:
            raw = row.tobytes()
        else:
            raw = b"".join(bytes([b, g, r, 255][: bits // 8]) for r, g, b in row.tolist())
        rows.append(raw + bytes(-len(raw) % 4))
    offset = 54 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", offset + sum(map(len, rows)), 0, 0, offset)
    head += struct.pack("<IiiHHIIiiII", 40, width, -height if down else height, 1, bits, 0, 0, 0, 0, 0, 0)
    return head + palette + b"".join(rows)


def write_folder(folder: Path, contents: Sequence[bytes], suffix: str, names: Sequence[str] = ()) -> Path:
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"{names[number] if names else f'a{number}'}{suffix}").write_bytes(content)
    return folder
