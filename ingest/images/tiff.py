"""TIFF: the pages of a file, and where plain samples lie."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ingest.images.directory import Directory, Layout, directories, read_layout
from ingest.images.exif import EXIF_PLACE, exif_of
from ingest.images.picture import Picture, TruncatedPictureError, check_size
from ingest.rawfile import RawFile
from reduction.errors import DataError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 256, 257, 258, 259, 262, 270
STRIPS, SAMPLES, ROWS, STRIP_BYTES, PLANAR, FORMAT, SUBFILE = 273, 277, 278, 279, 284, 339, 254
TILE_WIDTH, TILES, TILE_BYTES = 322, 324, 325
TAGS = frozenset(
    {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION, STRIPS, SAMPLES, STRIP_BYTES, PLANAR}
    | {TILE_WIDTH, TILES, TILE_BYTES, ROWS, FORMAT, SUBFILE, EXIF_PLACE}
)
TYPES = {
    (8, 1): "u1",
    (16, 1): "u2",
    (32, 1): "u4",
    (16, 2): "i2",
    (32, 2): "i4",
    (32, 3): "f4",
    (64, 3): "f8",
}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
READABLE = {1: "none", 5: "LZW", 8: "deflate", 32946: "deflate", 32773: "PackBits"}


def open_tiff(path: Path) -> tuple[list[Picture], int]:
    """Pages of a file, small previews left out; and how many at its end are cut off.

    Raises
    ------
    DataError
        Damaged, of a kind that is not read, or without one whole page.
    """
    file = RawFile(path)
    try:
        layout = read_layout(file.read_bytes(16, 0), path.name)
        pages: list[Picture] = []
        for number, directory in enumerate(directories(file.read_bytes, layout, TAGS)):
            if directory is None:
                return _rest(path, pages, 1)
            if number and directory.number(SUBFILE) & 1:
                continue
            try:
                page = _page(file, layout, directory, number)
            except TruncatedPictureError:
                if not pages:
                    raise
                return _rest(path, pages, 1)
            if page.decoder == "plain" and page.offset + page.height * page.row_bytes > file.size:
                return _rest(path, pages, 1)
            pages.append(page)
        if len(pages) == 1 and pages[0].decoder == "plain":
            pages = _imagej(file, pages[0], directory)
        return _rest(path, pages, 0)
    finally:
        file.close()


def _rest(path: Path, pages: list[Picture], lost: int) -> tuple[list[Picture], int]:
    if not pages:
        raise TruncatedPictureError(
            f"{path.name}: no whole page in the TIFF file; it is truncated or damaged"
        )
    return pages, lost


def _page(file: RawFile, layout: Layout, directory: Directory, number: int) -> Picture:
    path = file.path
    where = f"{path.name}: page {number}" if number else path.name
    width, height = directory.number(WIDTH), directory.number(HEIGHT)
    check_size(where, width, height, 1, None)
    samples = directory.number(SAMPLES, 1)
    bits, kinds = set(directory.numbers(BITS) or (1,)), set(directory.numbers(FORMAT) or (1,))
    photometric = directory.number(PHOTOMETRIC, BLACK_IS_ZERO)
    compression = directory.number(COMPRESSION, 1)
    stored = TYPES.get((bits.pop(), kinds.pop() if kinds != {4} else 1))
    if photometric not in {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE} or bits or stored is None:
        raise DataError(
            f"{where}: a TIFF picture of photometric {photometric}, {directory.number(BITS, 1)} bits, format "
            f"{directory.number(FORMAT, 1)}; grey and RGB of 8, 16 or 32 bits are read"
        )
    if compression not in READABLE or not 1 <= samples <= 4 or (photometric == RGB) != (samples >= 3):
        raise DataError(
            f"{where}: a TIFF picture of {samples} samples a pixel with compression {compression}; none, "
            "LZW, deflate and PackBits are read"
        )
    itemsize = np.dtype(stored).itemsize
    _check_segments(file, directory, where, height)
    place = _plain(directory, width * height * samples * itemsize)
    library = place is None or photometric == PALETTE
    pixel_bytes = max(samples, 3 if photometric == PALETTE else 1) * itemsize
    check_size(where, width, height, pixel_bytes, file.size if library else None)
    return Picture(
        path=path,
        page=number,
        kind="tiff",
        width=width,
        height=height,
        samples=samples,
        planes=3 if photometric in {RGB, PALETTE} else 1,
        stored=stored if library else f"{layout.order}{stored}",
        bits=0 if stored[0] == "f" else 8 * itemsize - (stored[0] == "i"),
        decoder="library" if library else "plain",
        offset=place or 0,
        row_bytes=width * samples * itemsize,
        order=(0, 1, 2) if photometric in {RGB, PALETTE} else (0,),
        inverted=photometric == WHITE_IS_ZERO,
        exif=exif_of(file.read_bytes, layout, directory),
    )


def _check_segments(file: RawFile, directory: Directory, where: str, height: int) -> None:
    """Raise unless all strips or tiles are listed and there: tifffile takes what is missing for black."""
    tiled = TILE_WIDTH in directory.tags
    starts = directory.numbers(TILES if tiled else STRIPS)
    sizes = directory.numbers(TILE_BYTES if tiled else STRIP_BYTES)
    planes = directory.number(SAMPLES, 1) if directory.number(PLANAR, 1) == 2 else 1
    rows = max(1, directory.number(ROWS, height))
    wanted = len(starts) if tiled else -(-height // rows) * planes
    if not starts or len(starts) != wanted or (len(sizes) != wanted and (wanted > 1 or sizes)):
        raise TruncatedPictureError(
            f"{where}: {len(starts)} places and {len(sizes)} sizes of {wanted} parts of the picture: "
            "truncated or damaged; re-copy the file"
        )
    ends = [start + size for start, size in zip(starts, sizes, strict=False)]
    if max(ends, default=0) > file.size or 0 in sizes:
        raise TruncatedPictureError(
            f"{where}: truncated: the picture ends at byte {max(ends)}, the file has {file.size}; re-copy it"
        )


def _plain(directory: Directory, needed: int) -> int | None:
    """First byte of samples that stand one after the other, uncompressed; None where they do not."""
    starts, sizes = directory.numbers(STRIPS), directory.numbers(STRIP_BYTES)
    separate = directory.number(PLANAR, 1) == 2 and directory.number(SAMPLES, 1) > 1
    if directory.number(COMPRESSION, 1) != 1 or TILE_WIDTH in directory.tags or separate or not starts:
        return None
    if len(starts) == 1:
        return starts[0]
    together = len(starts) == len(sizes) and sum(sizes) >= needed
    follow = all(a + b == c for a, b, c in zip(starts, sizes, starts[1:], strict=False))
    return starts[0] if together and follow else None


def _imagej(file: RawFile, first: Picture, directory: Directory | None) -> list[Picture]:
    """Pictures of a stack of ImageJ's: one directory, whose description says how many follow."""
    text = "" if directory is None else directory.text(DESCRIPTION)
    count = 1
    if text.startswith("ImageJ="):
        stated = next((line[7:] for line in text.splitlines() if line.startswith("images=")), "1")
        count = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 8 else 1
    size = first.height * first.row_bytes
    held = (file.size - first.offset) // size
    return [replace(first, page=k, offset=first.offset + k * size) for k in range(max(1, min(count, held)))]
