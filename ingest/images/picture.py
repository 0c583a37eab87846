"""One picture: what its header says, and where its samples are."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from reduction.errors import DataError

Kind = Literal["png", "tiff", "bmp"]
Decoder = Literal["plain", "png", "library"]

MAX_SIDE = 65_536
MAX_BYTES = 256 << 20
PACKED_RATIO = 1_100  # deflate cannot do better than 1032
FREE_BYTES = 1 << 20


class TruncatedPictureError(DataError):
    """A picture that is cut off; the last of a sequence may be, when a recording was stopped short."""


@dataclass(frozen=True, slots=True)
class Exif:
    """What EXIF says of the exposure: local time with its offset from UTC where that stands there."""

    taken: str = ""
    fraction: str = ""
    offset: str = ""
    exposure_s: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame of a recording.

    Attributes
    ----------
    path : Path
        Its file.
    page : int
        Which picture of the file.
    kind : Kind
        Format of the file.
    width, height : int
        Pixels.
    samples : int
        Per pixel as stored, alpha included.
    planes : int
        1 (grey) or 3 (R, G, B) of what is taken.
    stored : str
        NumPy type of a stored sample, with its byte order; of what the library gives where that decodes.
    bits : int
        Significant bits per sample, 0 for floats.
    decoder : Decoder
        Who takes the samples out.
    offset : int
        First byte of plain samples.
    row_bytes : int
        Bytes from row to row of plain samples; negative where the lowest row comes first.
    order : tuple of int
        Which stored samples make the planes.
    inverted : bool
        The lowest value is white.
    exif : Exif
        Of the picture.
    """

    path: Path
    page: int
    kind: Kind
    width: int
    height: int
    samples: int
    planes: int
    stored: str
    bits: int
    decoder: Decoder
    offset: int = 0
    row_bytes: int = 0
    order: tuple[int, ...] = (0,)
    inverted: bool = False
    exif: Exif = Exif()

    @property
    def dtype(self) -> str:
        """Native type of the samples."""
        return np.dtype(self.stored).newbyteorder("=").name

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """``(y, x)``, or ``(3, y, x)``."""
        return (self.height, self.width) if self.planes == 1 else (3, self.height, self.width)

    @property
    def where(self) -> str:
        """Name of the file, and the page where there are several."""
        return f"{self.path.name}: page {self.page}" if self.page else self.path.name

    @property
    def geometry(self) -> str:
        """For people."""
        colour = " colour" if self.planes == 3 else ""
        return f"{self.width} x {self.height} {self.dtype}{colour}"


def check_size(where: str, width: int, height: int, pixel_bytes: int, packed: int | None) -> None:
    """Refuse sizes that cannot be true before anything is allocated for them.

    Parameters
    ----------
    where : str
        For messages.
    width, height : int
        Pixels.
    pixel_bytes : int
        Bytes per pixel, unpacked.
    packed : int or None
        Bytes of the file that the picture is compressed in; None where it is not.

    Raises
    ------
    DataError
        Sides or bytes beyond all bounds, or more than that file can hold.
    """
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise DataError(f"{where}: the header says {width} x {height} pixels; it is damaged")
    needed = math.prod((width, height, pixel_bytes))
    if needed > MAX_BYTES:
        raise DataError(
            f"{where}: the header says {width} x {height} pixels, {needed} bytes; pictures of up to "
            f"{MAX_BYTES} bytes are read"
        )
    if packed is not None and needed > packed * PACKED_RATIO + FREE_BYTES:
        raise DataError(
            f"{where}: the header says {width} x {height} pixels, more than {packed} packed bytes can hold; "
            "it is damaged"
        )
