"""What an exported FITS header says besides time: geometry, source, digests, people and instruments."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from ingest.fits_cards import Card, commentary
from ingest.fits_time_cards import history_cards, scale_cards
from reduction.stack import SourceInfo
from reduction.timing import TimeSolution
from reduction.version import VERSION

UNKNOWN_DIGEST = "0" * 64
BITPIX = {
    "uint8": 8,
    "int16": 16,
    "uint16": 16,
    "int32": 32,
    "uint32": 32,
    "int64": 64,
    "float32": -32,
    "float64": -64,
}
TEXTS: Mapping[str, tuple[str, ...]] = {
    "OBSERVER": ("observer",),
    "TELESCOP": ("telescop", "telescope"),
    "INSTRUME": ("instrume", "instrument", "camera_model"),
    "OBJECT": ("object", "objname"),
    "FILTER": ("filter",),
    "ROWORDER": ("roworder",),
}
NUMBERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "GAIN": (("gain", "instrument_gain"), "as the camera counts it"),
    "OFFSET": (("offset",), "as the camera counts it"),
    "CCD-TEMP": (("ccd-temp",), "[deg C]"),
    "OBSGEO-B": (("latitude",), "[deg] latitude, north positive"),
    "OBSGEO-L": (("longitude",), "[deg] longitude, east positive"),
    "OBSGEO-H": (("altitude",), "[m]"),
}
MOST_REMARKS = 60


def stored_type(dtype: str) -> tuple[int, int]:
    """BITPIX and BZERO of a pixel type; unsigned integers have an offset (FITS 4.0, 5.2.5)."""
    kind = np.dtype(dtype)
    return BITPIX[dtype], 2 ** (8 * kind.itemsize - 1) if kind.kind == "u" and kind.itemsize > 1 else 0


def image_cards(dtype: str, lengths: tuple[int, ...]) -> Iterator[Card]:
    """The structural cards of a primary image; `lengths` slowest first, as NumPy has them."""
    bits, zero = stored_type(dtype)
    yield Card("SIMPLE", True, "FITS standard 4.0")
    yield Card("BITPIX", bits)
    yield Card("NAXIS", len(lengths))
    for number, length in enumerate(reversed(lengths), 1):
        yield Card(f"NAXIS{number}", length)
    yield Card("EXTEND", True)
    if zero:
        yield Card("BZERO", float(zero), "unsigned integers")
        yield Card("BSCALE", 1.0)


def source_cards(info: SourceInfo, times: TimeSolution, pixels: str | None) -> Iterator[Card]:
    """Everything that all frames of a recording have in common.

    Parameters
    ----------
    info : SourceInfo
        The recording.
    times : TimeSolution
        Its times.
    pixels : str or None
        Its pixel digest; `UNKNOWN_DIGEST` where it is filled in later, None where it stays unknown.
    """
    metadata = info.metadata
    yield Card("IMAGETYP", "LIGHT")
    if info.colour == "rgb":
        yield Card("CTYPE3", "RGB", "planes red, green, blue")
    if pixels is not None:
        yield Card("PIXDIGST", pixels)
    yield Card("CREATOR", f"Umbra {VERSION}", "umbra export")
    yield Card("SRCNAME", metadata.get("source_name", info.name), "recording")
    yield Card("SRCFMT", metadata.get("source_format", info.format), "its format")
    yield Card("SRCFRAMS", info.frames, "its frames")
    if info.bit_depth:
        yield Card("BITDEPTH", info.bit_depth, "significant bits per sample")
    if info.colour not in {"mono", "rgb"}:
        yield Card("BAYERPAT", info.colour.upper(), "at the first pixel stored")
        yield Card("XBAYROFF", 0)
        yield Card("YBAYROFF", 0)
    used: set[str] = set()
    yield from _kept_cards(metadata, used)
    if info.gain_e_per_adu is not None:
        yield Card("EGAIN", info.gain_e_per_adu, "electrons per ADU")
    if info.read_noise_e is not None:
        yield Card("RDNOISE", info.read_noise_e, "electrons")
    yield from scale_cards()
    yield from history_cards(times)
    for top, bottom, left, right in info.burnt_in:
        text = f"Digits are burnt in at rows {top} to {bottom - 1}, columns {left} to {right - 1} (from 0)."
        yield from commentary("COMMENT", text)
    for note in info.notes:
        yield from commentary("COMMENT", f"Caveat {note.caveat.value}: {note.message}")
    rest = [name for name in metadata if name not in used and not name.startswith("source_")]
    for name in rest[:MOST_REMARKS]:
        yield from commentary("COMMENT", f"{name}: {metadata[name]}")


def _kept_cards(metadata: Mapping[str, str], used: set[str]) -> Iterator[Card]:
    """People, instruments and place, as far as they are known; the names of what was written go to `used`."""
    for key, names in TEXTS.items():
        name = next((name for name in names if metadata.get(name)), None)
        if name is not None:
            used.add(name)
            yield Card(key, metadata[name])
        elif key == "ROWORDER":
            yield Card(key, "TOP-DOWN", "the first row stored is the upper one")
    for key, (names, comment) in NUMBERS.items():
        name = next((name for name in names if _number(metadata.get(name)) is not None), None)
        if name is not None and (value := _number(metadata[name])) is not None:
            used.add(name)
            yield Card(key, value, comment)


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
