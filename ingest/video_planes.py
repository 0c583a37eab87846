"""Pixels of a decoded video frame as arrays, with the levels that were recorded.

Luma and mono samples are taken from plane 0 untouched: a conversion between gray and YUV would
rescale levels. Names of pixel formats are those of FFmpeg.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from reduction.errors import DataError
from reduction.stack import Colour

_DEPTH = r"(?P<bits>9|10|12|14|16)?(?P<order>le|be)?"
_PLANAR = re.compile(rf"(gray|yuvj?4[1-4][0-4]p|yuva4[2-4][0-4]p|nv12|nv16|nv20|nv21|nv24|nv42){_DEPTH}")
_SHIFTED = re.compile(r"p[024](?P<bits>10|12|16)(?P<order>le|be)")
_BAYER = re.compile(r"bayer_(?P<colour>bggr|rggb|gbrg|grbg)(?P<bits>8|16)(?P<order>le|be)?")
_PACKED_LUMA = {"yuyv422": 0, "yvyu422": 0, "uyvy422": 1}
_PACKED_RGB = re.compile(r"(?P<letters>[rgba0]{3,4}?)(?P<bits>24|48|64)?(?P<order>le|be)?")
_PLANAR_RGB = re.compile(rf"gbra?p{_DEPTH}")
_SIXTEEN_BIT_RGB = re.compile(r"(rgb|bgr)(444|555|565)(le|be)")


@dataclass(frozen=True, slots=True)
class Samples:
    """Where one component lies: plane, first item of a row, items from pixel to pixel."""

    plane: int
    offset: int = 0
    step: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class PixelReader:
    """Takes the pixels out of frames of one format and size.

    Attributes
    ----------
    format : str
        FFmpeg's name of the pixel format.
    width, height : int
        Size of a frame, pixels.
    stored : dtype
        Type of a stored item, with its byte order.
    bits : int
        Significant bits per sample.
    colour : Colour
        Of what `read` gives.
    samples : tuple of Samples
        One component, or R, G and B.
    shift : int
        Bits by which samples stand too high.
    gray : bool
        R, G and B are equal and one of them is kept.
    palette : array, (256,), uint32, or None
        Of a palette format, ``0xAARRGGBB``.
    """

    format: str
    width: int
    height: int
    stored: np.dtype[Any]
    bits: int
    colour: Colour
    samples: tuple[Samples, ...]
    shift: int = 0
    gray: bool = False
    palette: NDArray[np.uint32] | None = None

    @property
    def dtype(self) -> str:
        """NumPy name of the native pixel type."""
        return self.stored.newbyteorder("=").name

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """``(y, x)``, or ``(3, y, x)`` for colour."""
        plane = (self.height, self.width)
        return (3, *plane) if self.colour == "rgb" else plane

    def read(self, frame: Any, out: NDArray[Any], where: str) -> None:
        """Write the pixels of a frame into `out`, of `frame_shape` and native type.

        Raises
        ------
        DataError
            The frame has another format or size than the first, or colour where the first was gray.
        """
        if (frame.format.name, frame.width, frame.height) != (self.format, self.width, self.height):
            raise DataError(
                f"{where}: is {frame.width}x{frame.height} {frame.format.name}, the recording began as "
                f"{self.width}x{self.height} {self.format}; split the file where it changes"
            )
        if self.palette is not None:
            self._read_palette(frame, out, where)
        elif len(self.samples) == 1:
            out[...] = self._component(frame, self.samples[0])
            if self.shift:
                out >>= self.shift
        elif self.gray:
            red, green, blue = (self._component(frame, samples) for samples in self.samples)
            if not (np.array_equal(red, green) and np.array_equal(green, blue)):
                raise _coloured(where)
            out[...] = green
        else:
            for plane, samples in zip(out, self.samples, strict=True):
                plane[...] = self._component(frame, samples)

    def is_gray(self, frame: Any) -> bool:
        """Whether R, G and B of a frame are equal everywhere."""
        if self.palette is not None:
            return _is_ramp(_palette(frame))
        red, green, blue = (self._component(frame, samples) for samples in self.samples)
        return np.array_equal(red, green) and np.array_equal(green, blue)

    def _component(self, frame: Any, samples: Samples) -> NDArray[Any]:
        rows = _rows(frame.planes[samples.plane], self.stored, self.height)
        return rows[:, samples.offset :: samples.step][:, : self.width]

    def _read_palette(self, frame: Any, out: NDArray[Any], where: str) -> None:
        indices = _rows(frame.planes[0], self.stored, self.height)[:, : self.width]
        palette = _palette(frame)
        if not self.gray:
            for plane, shift in zip(out, (16, 8, 0), strict=True):
                np.take(((palette >> shift) & 255).astype(np.uint8), indices, out=plane)
        elif not _is_ramp(palette):
            raise _coloured(where)
        elif not palette.any():
            out[...] = indices  # no palette at all: the indices are the levels
        else:
            np.take((palette & 255).astype(np.uint8), indices, out=out)


def plan_pixels(frame: Any, where: str) -> PixelReader:
    """Choose how the pixels of frames like this one are read.

    Raises
    ------
    DataError
        The format is not one whose recorded levels can be had.
    """
    name, size = str(frame.format.name), (int(frame.width), int(frame.height))
    if _SIXTEEN_BIT_RGB.fullmatch(name):
        raise DataError(
            f"{where}: declared as 16-bit colour ({name}), which is how a raw 16-bit mono video without a "
            "fourcc reads; its levels are not sure: export the recording as SER or FITS"
        )
    if name == "pal8":
        palette = _palette(frame)
        gray = _is_ramp(palette)
        colour: Colour = "mono" if gray else "rgb"
        return PixelReader(name, *size, np.dtype("u1"), 8, colour, (Samples(0),), 0, gray, palette)
    if (plain := _PLANAR.fullmatch(name)) or (plain := _SHIFTED.fullmatch(name)):
        bits = int(plain["bits"] or 8)
        shift = 16 - bits if _SHIFTED.fullmatch(name) else 0
        return PixelReader(name, *size, _stored(plain), bits, "mono", (Samples(0),), shift)
    if bayer := _BAYER.fullmatch(name):
        colour = cast(Colour, bayer["colour"])
        return PixelReader(name, *size, _stored(bayer), int(bayer["bits"]), colour, (Samples(0),))
    if name in _PACKED_LUMA:
        luma = Samples(0, _PACKED_LUMA[name], 2)
        return PixelReader(name, *size, np.dtype("u1"), 8, "mono", (luma,))
    return _plan_rgb(name, size, where)


def _plan_rgb(name: str, size: tuple[int, int], where: str) -> PixelReader:
    if planar := _PLANAR_RGB.fullmatch(name):
        gbr = (Samples(2), Samples(0), Samples(1))
        return PixelReader(name, *size, _stored(planar), int(planar["bits"] or 8), "rgb", gbr)
    packed = _PACKED_RGB.fullmatch(name)
    if packed is None or not set("rgb") <= set(packed["letters"]):
        raise DataError(
            f"{where}: pixel format {name} cannot be read without changing its levels; "
            "export the recording as SER or FITS"
        )
    letters = packed["letters"]
    bits = 16 if packed["bits"] in {"48", "64"} else 8
    samples = tuple(Samples(0, letters.index(c), len(letters)) for c in "rgb")
    return PixelReader(name, *size, _dtype(bits, packed["order"]), bits, "rgb", samples)


def _stored(match: re.Match[str]) -> np.dtype[Any]:
    return _dtype(int(match["bits"] or 8), match["order"])


def _dtype(bits: int, order: str | None) -> np.dtype[Any]:
    if bits <= 8:
        return np.dtype("u1")
    return np.dtype(">u2" if order == "be" else "<u2")


def _rows(plane: Any, stored: np.dtype[Any], height: int) -> NDArray[Any]:
    """Rows of a plane, top first, padding included; a negative line size means bottom-up."""
    items = abs(plane.line_size) // stored.itemsize
    rows = np.frombuffer(plane, stored, height * items).reshape(height, items)
    return rows[::-1] if plane.line_size < 0 else rows


def _palette(frame: Any) -> NDArray[np.uint32]:
    return np.frombuffer(frame.planes[1], np.uint32, 256).copy()


def _is_ramp(palette: NDArray[np.uint32]) -> bool:
    """Whether all colours are gray."""
    blue = palette & 255
    return bool(np.array_equal(blue, (palette >> 8) & 255) and np.array_equal(blue, (palette >> 16) & 255))


def _coloured(where: str) -> DataError:
    return DataError(
        f"{where}: has colour, the first and the last frames are gray; export the recording as SER or FITS"
    )
