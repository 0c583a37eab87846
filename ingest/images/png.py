"""PNG (W3C recommendation, third edition, 2025): chunks, deflate, and the five filters of rows.

A decoder of ours because Pillow gives 16-bit colour with 8 bits. Palettes, samples below 8 bits and
interlaced pictures, which no camera program writes, go through Pillow.
"""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from ingest.images.exif import read_exif
from ingest.images.picture import Exif, Picture, TruncatedPictureError, check_size
from ingest.rawfile import RawFile
from reduction.errors import DataError

MAGIC = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
HEAD = struct.Struct(">2I5B")
MAX_CHUNKS = 100_000
MAX_EXIF = 65_536


def open_png(path: Path) -> Picture:
    """Read a header.

    Raises
    ------
    DataError
        Damaged, cut off, or too large.
    """
    file = RawFile(path)
    try:
        head = file.read_bytes(33, 0)
        if len(head) < 33:
            raise TruncatedPictureError(f"{path.name}: ends inside the PNG header, after {len(head)} bytes")
        if head[:16] != MAGIC + b"\0\0\0\x0dIHDR" or zlib.crc32(head[12:29]) != int.from_bytes(
            head[29:], "big"
        ):
            raise DataError(f"{path.name}: the PNG header is damaged; re-copy the file")
        width, height, depth, kind, packing, filters, interlaced = HEAD.unpack(head[16:29])
        whole = packing == 0 and filters == 0 and interlaced in {0, 1} and kind in SAMPLES
        if not whole or depth not in {1, 2, 4, 8, 16}:
            raise DataError(
                f"{path.name}: PNG of type {kind} with {depth} bits does not exist; it is damaged"
            )
        ours = depth >= 8 and kind != 3 and not interlaced
        planes = 3 if kind in {2, 3, 6} else 1
        significant, exif = _early_chunks(file)
        check_size(path.name, width, height, max(SAMPLES[kind], planes) * max(1, depth // 8), file.size)
        return Picture(
            path=path,
            page=0,
            kind="png",
            width=width,
            height=height,
            samples=SAMPLES[kind],
            planes=planes,
            stored=">u2" if depth == 16 else "u1",
            bits=significant if ours and 0 < significant <= depth else max(8, depth),
            decoder="png" if ours else "library",
            order=(0, 1, 2) if planes == 3 else (0,),
            exif=exif,
        )
    finally:
        file.close()


def _early_chunks(file: RawFile) -> tuple[int, Exif]:
    """Significant bits and EXIF from the chunks before the pixels; 0 and nothing where they are not there."""
    significant, exif, at = 0, Exif(), 33
    for _ in range(MAX_CHUNKS):
        head = file.read_bytes(8, at)
        size, name = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or name in {b"IDAT", b"IEND"}:
            break
        if name == b"sBIT":
            bits = file.read_bytes(min(size, 4), at + 8)
            significant = max(bits, default=0)
        if name == b"eXIf" and size <= MAX_EXIF:
            exif = read_exif(file.read_bytes(size, at + 8))
        at += 12 + size
    return significant, exif


def read_png(picture: Picture) -> NDArray[Any]:
    """Samples ``(y, x, samples)``, native-endian.

    Raises
    ------
    DataError
        Cut off or damaged.
    """
    pixel = picture.samples * np.dtype(picture.stored).itemsize
    row = 1 + picture.width * pixel
    rows = np.frombuffer(_unpacked(picture, row * picture.height), np.uint8).reshape(picture.height, row)
    if rows[:, 0].max(initial=0) > 4:
        raise DataError(
            f"{picture.path.name}: the PNG has a row filter that does not exist; re-copy the file"
        )
    plain = np.empty((picture.height, row - 1), np.uint8)
    _unfilter(rows, plain, pixel)
    values = plain.view(picture.stored).reshape(picture.height, picture.width, picture.samples)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _unpacked(picture: Picture, needed: int) -> bytes:
    """The filtered rows out of all IDAT chunks."""
    file, name = RawFile(picture.path), picture.path.name
    stream = zlib.decompressobj()
    parts: list[bytes] = []
    done, at = 0, len(MAGIC)
    try:
        while done < needed:
            head = file.read_bytes(8, at)
            size, kind = int.from_bytes(head[:4], "big"), head[4:]
            if len(head) < 8 or kind == b"IEND":
                break
            if kind == b"IDAT":
                parts.append(stream.decompress(file.read_bytes(size, at + 8), needed - done))
                done += len(parts[-1])
            at += 12 + size
    except zlib.error as error:
        raise DataError(f"{name}: the PNG's pixels are damaged ({error}); re-copy the file") from error
    finally:
        file.close()
    if done < needed:
        raise TruncatedPictureError(
            f"{name}: truncated: {needed - done} of {needed} bytes of pixels are missing; re-copy the file"
        )
    return b"".join(parts)


@compiled
def _unfilter(rows: Any, plain: Any, pixel: int) -> None:
    """Undo the filters 0 to 4 (none, sub, up, average, Paeth); `pixel` is bytes per pixel."""
    count = plain.shape[1]
    for r in range(plain.shape[0]):
        line = rows[r, 1:]
        goal = plain[r]
        kind = rows[r, 0]
        if kind == 0 or (kind == 2 and r == 0):
            for k in range(count):
                goal[k] = line[k]
        elif kind == 2:
            above = plain[r - 1]
            for k in range(count):
                goal[k] = line[k] + above[k]
        elif kind == 1:
            for k in range(count):
                goal[k] = line[k] + (goal[k - pixel] if k >= pixel else np.uint8(0))
        else:
            for k in range(count):
                left = np.int64(goal[k - pixel]) if k >= pixel else np.int64(0)
                up = np.int64(plain[r - 1, k]) if r else np.int64(0)
                if kind == 3:
                    goal[k] = line[k] + np.uint8((left + up) >> 1)
                    continue
                corner = np.int64(plain[r - 1, k - pixel]) if r and k >= pixel else np.int64(0)
                a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
                best = left if a <= b and a <= c else up if b <= c else corner
                goal[k] = line[k] + np.uint8(best)
