"""BMP (Windows bitmap): plain pictures of 8, 24 and 32 bits; the rest through Pillow."""

import struct
from pathlib import Path

from ingest.images.picture import Picture, TruncatedPictureError, check_size
from ingest.rawfile import RawFile
from reduction.errors import DataError

HEAD = struct.Struct("<2sIHHIIiiHHIIiiII")
HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}


def is_bmp_head(head: bytes) -> bool:
    """Whether bytes begin as a bitmap does: its mark, and a size of header that exists."""
    return head[:2] == b"BM" and len(head) >= 18 and int.from_bytes(head[14:18], "little") in HEADER_SIZES


def open_bmp(path: Path) -> Picture:
    """Read a header.

    Raises
    ------
    DataError
        Damaged, cut off, or too large.
    """
    file = RawFile(path)
    try:
        head = file.read_bytes(HEAD.size + 4 * 300, 0)
        if len(head) < HEAD.size or not is_bmp_head(head):
            raise TruncatedPictureError(
                f"{path.name}: no whole BMP header in {len(head)} bytes; re-copy the file"
            )
        _, _, _, _, offset, size, width, height, _, bits, packing, _, _, _, colours, _ = HEAD.unpack_from(
            head
        )
        if size < 40:
            width, height, bits, packing, colours = *struct.unpack_from("<HH2xH", head, 18), 0, 0
        if bits not in {1, 2, 4, 8, 16, 24, 32} or packing > 6:
            raise DataError(
                f"{path.name}: BMP of {bits} bits, packing {packing}, does not exist; it is damaged"
            )
        rows = abs(height)
        stride = (width * bits + 31) // 32 * 4
        plain = packing == 0 and bits in {8, 24, 32} and size >= 40
        grey = bits == 8 and plain and _grey_palette(head[14 + size : offset], colours or 256)
        plain = plain and (bits != 8 or grey)
        check_size(path.name, width, rows, max(3, bits // 8), None if plain else file.size)
        if plain and offset + rows * stride > file.size:
            missing = offset + rows * stride - file.size
            raise TruncatedPictureError(
                f"{path.name}: truncated: {missing} bytes of pixels are missing; re-copy it"
            )
        return Picture(
            path=path,
            page=0,
            kind="bmp",
            width=width,
            height=rows,
            samples=1 if grey else max(3, bits // 8) if plain else 3,
            planes=1 if grey else 3,
            stored="u1",
            bits=8,
            decoder="plain" if plain else "library",
            offset=offset,
            row_bytes=stride if height < 0 else -stride,
            order=(0,) if grey else (2, 1, 0) if plain else (0, 1, 2),
        )
    finally:
        file.close()


def _grey_palette(palette: bytes, colours: int) -> bool:
    """Whether a palette gives each value itself in grey: then the values are the picture."""
    colours = min(colours, 256)
    wanted = b"".join(bytes([level, level, level]) for level in range(colours))
    found = b"".join(palette[at : at + 3] for at in range(0, 4 * colours, 4))
    return found == wanted
