"""A small FITS writer that shares no code with the reader; compressed tiles by astropy."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Value = str | int | float | bool
BITPIX = {"u1": 8, "i2": 16, "u2": 16, "i4": 32, "u4": 32, "i8": 64, "f4": -32, "f8": -64}


def card(key: str, value: Value, comment: str = "") -> bytes:
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = f"'{value.replace(chr(39), chr(39) * 2):<8}'"
    else:
        text = f"{value!r:>20}"
    line = f"{key:<8}= {text}" + (f" / {comment}" if comment else "")
    assert len(line) <= 80
    return line.ljust(80).encode()


def header(cards: Mapping[str, Value | tuple[Value, str]]) -> bytes:
    lines = [card(key, *(value if isinstance(value, tuple) else (value,))) for key, value in cards.items()]
    text = b"".join(lines) + b"END".ljust(80)
    return text + b" " * (-len(text) % 2880)


def fits_bytes(pixels: NDArray[Any], cards: Mapping[str, Value | tuple[Value, str]] | None = None) -> bytes:
    """One primary image; unsigned integers by BZERO, as the standard has it."""
    code = pixels.dtype.str[1:]
    structure: dict[str, Value | tuple[Value, str]] = {
        "SIMPLE": True,
        "BITPIX": BITPIX[code],
        "NAXIS": pixels.ndim,
    }
    structure |= {f"NAXIS{i + 1}": length for i, length in enumerate(reversed(pixels.shape))}
    stored = pixels
    if code in {"u2", "u4"}:
        half = 2 ** (8 * pixels.dtype.itemsize - 1)
        structure |= {"BZERO": half, "BSCALE": 1}
        stored = (pixels.astype(np.int64) - half).astype(f"i{pixels.dtype.itemsize}")
    body = stored.astype(stored.dtype.newbyteorder(">")).tobytes()
    return header(structure | dict(cards or {})) + body + bytes(-len(body) % 2880)


def write_fits(
    path: Path, pixels: NDArray[Any], cards: Mapping[str, Value | tuple[Value, str]] | None = None
) -> Path:
    data = fits_bytes(pixels, cards)
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return path


def write_tiles(path: Path, pixels: NDArray[Any], cards: Mapping[str, Value] | None = None) -> Path:
    """Tile-compressed (Rice for integers, gzip for floats)."""
    from astropy.io import fits

    kind = "RICE_1" if pixels.dtype.kind != "f" else "GZIP_1"
    hdu = fits.CompImageHDU(pixels, fits.Header(dict(cards or {})), compression_type=kind, quantize_level=0)
    hdu.writeto(path)
    return path
