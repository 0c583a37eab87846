"""What FITS headers say about a picture besides its time: type, mosaic, gain, read noise."""

from typing import Literal, cast

from ingest.fits_header import FitsHeader
from reduction.stack import Colour

ImageType = Literal["light", "bias", "dark", "flat"]
TYPE_KEYS = ("IMAGETYP", "IMAGETYPE", "IMGTYPE", "OBSTYPE", "FRAMETYP", "FRAME")
KEPT_KEYS = ("OBSERVER", "INSTRUME", "TELESCOP", "OBJECT", "FILTER", "GAIN", "OFFSET", "CCD-TEMP", "ROWORDER")
BAYER_KEYS = ("BAYERPAT", "COLORTYP")
GAIN_UNITS = ("e-/adu", "e/adu", "electronsperadu", "electrons/adu", "electron/adu")
WANTED = frozenset(
    {*TYPE_KEYS, *KEPT_KEYS, *BAYER_KEYS}
    | {"XBAYROFF", "YBAYROFF", "EGAIN", "RDNOISE", "READNOIS", "CTYPE3", "BITDEPTH"}
)


def stated_type(header: FitsHeader) -> str | None:
    """The word for the type of the image as it stands in the header."""
    return next((text for key in TYPE_KEYS if (text := header.text(key))), None)


def image_type(header: FitsHeader) -> ImageType | None:
    """Type of an image, leniently; ``light`` where the header says nothing, None for an unknown word."""
    stated = stated_type(header)
    if stated is None:
        return "light"
    word = "".join(letter for letter in stated.lower() if letter.isalnum())
    names: dict[ImageType, tuple[str, ...]] = {
        "dark": ("dark",),
        "flat": ("flat", "twilight"),
        "bias": ("bias", "zero", "offset"),
        "light": ("light", "object", "science", "target", "occultation"),
    }
    return next((kind for kind, marks in names.items() if any(mark in word for mark in marks)), None)


def mosaic(header: FitsHeader) -> Colour:
    """Bayer pattern at the first pixel stored, offsets applied; mono where none is stated."""
    text = next((text for key in BAYER_KEYS if (text := header.text(key))), "").lower()
    if text not in {"rggb", "bggr", "grbg", "gbrg", "cyym", "ycmy", "ymcy", "myyc"}:
        return "mono"
    if (header.number("XBAYROFF") or 0) % 2:
        text = text[1] + text[0] + text[3] + text[2]
    if (header.number("YBAYROFF") or 0) % 2:
        text = text[2:] + text[:2]
    return cast(Colour, text)


def gain_e_per_adu(header: FitsHeader) -> float | None:
    """Electrons per ADU: EGAIN; GAIN only where its comment gives that unit."""
    value = header.number("EGAIN")
    if value is None:
        unit = header.comment("GAIN").replace(" ", "")
        if not any(mark in unit for mark in GAIN_UNITS):
            return None
        value = header.number("GAIN")
    return value if value is not None and 1e-4 < value < 1e4 else None


def read_noise_e(header: FitsHeader) -> float | None:
    """Read noise in electrons; not where the comment gives ADU."""
    for key in ("RDNOISE", "READNOIS"):
        value = header.number(key)
        if value is not None and 0 <= value < 1e5 and "adu" not in header.comment(key):
            return value
    return None
