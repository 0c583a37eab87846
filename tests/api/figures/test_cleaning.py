"""Strangers' pictures: their pixels are kept, and nothing else of them."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.figures import cleaning
from api.figures.cleaning import cleaned
from reduction.errors import DataError
from tests.fuzzing import COUNT, mutations

SECRET = b"36.8N 30.3E <script>alert(1)</script>"


def picture(mode: str = "RGB", kind: str = "PNG", **options: Any) -> bytes:
    image = Image.new(mode, (12, 8))
    image.putpixel((0, 0), 255 if mode in {"L", "P"} else (255,) * len(mode))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def placed(kind: str) -> bytes:
    """A picture with a place and a comment in it, and a page behind its end."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    return picture(kind=kind, exif=exif) + SECRET


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pixels_and_nothing_else(kind: str) -> None:
    data = placed(kind)
    assert data.count(SECRET) == 2
    told, content = cleaned(data)
    assert told == {"media": f"image/{kind.lower()}", "width": 12, "height": 8}
    assert SECRET not in content
    with Image.open(io.BytesIO(content)) as image, Image.open(io.BytesIO(data)) as sent:
        assert image.format == kind
        assert not image.getexif()
        difference = np.abs(np.asarray(image, int) - np.asarray(sent.convert("RGB"), int))
        assert difference.max() <= (6 if kind == "JPEG" else 0)


def test_a_picture_on_its_side_stands() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    told, _ = cleaned(picture(kind="JPEG", exif=exif))
    assert (told["width"], told["height"]) == (8, 12)


@pytest.mark.parametrize(
    ("mode", "options", "kept"),
    [
        ("1", {}, "L"),
        ("L", {}, "L"),
        ("P", {"transparency": 0}, "RGBA"),
        ("P", {}, "RGB"),
        ("RGBA", {}, "RGBA"),
    ],
)
def test_modes(mode: str, options: dict[str, Any], kept: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (4, 4)).save(out, "PNG", **options)
    with Image.open(io.BytesIO(cleaned(out.getvalue())[1])) as image:
        assert image.mode == kept


def test_sixteen_bits_become_eight() -> None:
    out = io.BytesIO()
    Image.fromarray(np.array([[0, 256 * 100, 65535]], np.uint16)).save(out, "PNG")
    with Image.open(io.BytesIO(cleaned(out.getvalue())[1])) as image:
        assert np.asarray(image).tolist() == [[0, 100, 255]]


def _bomb() -> bytes:
    """A picture of four thousand million pixels in a few bytes."""
    head = struct.pack(">IIBBBBB", 65_000, 65_000, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _moving() -> bytes:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"%PDF-1.4 ", "no picture"),
        (picture(kind="GIF"), "no picture"),
        (picture(kind="TIFF"), "no picture"),
        (picture()[:-30], "damaged"),
        (_bomb(), "pixels"),
        (_moving(), "moves"),
    ],
    ids=["empty", "svg", "pdf", "gif", "tiff", "cut", "bomb", "moving"],
)
def test_refused(data: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told):
        cleaned(data)


def test_a_long_side_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "LONGEST_SIDE", 11)
    with pytest.raises(DataError, match="side of more than 11"):
        cleaned(picture())


def test_mutated_pictures_are_read_or_refused() -> None:
    for data in mutations([picture(), picture(kind="JPEG"), picture(kind="WEBP")], COUNT // 2, 4):
        try:
            told, _ = cleaned(data)
        except DataError:
            continue
        assert told["width"] * told["height"] <= cleaning.MOST_PIXELS
