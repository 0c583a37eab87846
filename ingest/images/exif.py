"""EXIF 2.32 (CIPA DC-008-2019): when a picture was taken, and for how long it was exposed."""

from ingest.images.directory import Directory, Layout, Reader, read_directory, read_layout
from ingest.images.picture import Exif
from reduction.errors import DataError

EXIF_PLACE = 34_665
EXPOSURE, TAKEN, OFFSET, FRACTION = 33_434, 36_867, 36_881, 37_521
TAGS = frozenset({EXPOSURE, TAKEN, OFFSET, FRACTION})
LONGEST_S = 86_400.0


def read_exif(block: bytes) -> Exif:
    """EXIF of a block that is laid out as a TIFF file; nothing where it is damaged."""

    def read(size: int, offset: int) -> bytes:
        return block[offset : offset + size]

    try:
        layout = read_layout(block[:16], "EXIF")
    except DataError:
        return Exif()
    found = read_directory(read, layout, layout.first, frozenset({EXIF_PLACE}))
    return Exif() if found is None else exif_of(read, layout, found[0])


def exif_of(read: Reader, layout: Layout, directory: Directory) -> Exif:
    """EXIF that a directory points to; nothing where it does not, or where that is damaged."""
    place = directory.number(EXIF_PLACE)
    found = read_directory(read, layout, place, TAGS) if place else None
    if found is None:
        return Exif()
    own = found[0]
    exposure = own.ratio(EXPOSURE)
    return Exif(
        taken=own.text(TAKEN),
        fraction=own.text(FRACTION),
        offset=own.text(OFFSET),
        exposure_s=exposure if exposure is not None and 0 < exposure < LONGEST_S else None,
    )
