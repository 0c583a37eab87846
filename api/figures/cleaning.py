"""The process that reads a stranger's picture: ``python -m api.figures.cleaning``, the picture on its stdin.

It limits itself before it reads anything, decodes the picture whole, and writes it encoded anew: pixels, and
nothing else of what was sent. On stdout one line of JSON comes first, what it is or what is wrong with it.
"""

import io
import json
import sys
import warnings
from typing import Any

from api.uploads.examination import confine
from reduction.errors import DataError

SECONDS = 60
"""Of processor time."""
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 16_000
MEDIA = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"optimize": False},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "quality": 50, "method": 2},
}
SENT = "send it again, as PNG, JPEG or WebP"


def main() -> int:
    """Clean what stdin holds."""
    confine(SECONDS)
    content = b""
    try:
        told, content = cleaned(sys.stdin.buffer.read())
    except DataError as error:
        told = {"message": str(error)}
    except MemoryError:
        told = {"message": "the picture needs too much memory"}
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + content)
    return 0


def cleaned(data: bytes) -> tuple[dict[str, Any], bytes]:
    """A picture's facts, and its pixels encoded anew: no metadata, no place, nothing behind its end.

    Raises
    ------
    DataError
        It is no PNG, JPEG or WebP, moves, is damaged or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with Image.open(io.BytesIO(data), formats=tuple(MEDIA)) as image:
                kind = str(image.format)
                if getattr(image, "n_frames", 1) != 1:
                    raise DataError("the picture moves; send one that stands still")
                if max(image.size) > LONGEST_SIDE:
                    raise DataError(f"the picture has a side of more than {LONGEST_SIDE} pixels; shrink it")
                image.load()
                plain = _plain(ImageOps.exif_transpose(image), kind)
        except UnidentifiedImageError as error:
            raise DataError(f"this is no picture; {SENT}") from error
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise DataError(f"the picture has more than {MOST_PIXELS} pixels; shrink it") from error
        except (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, Warning) as error:
            raise DataError(f"the picture is damaged ({error}); {SENT}") from error
        bare = Image.frombytes(plain.mode, plain.size, plain.tobytes())
    out = io.BytesIO()
    bare.save(out, kind, **OPTIONS[kind])
    return {"media": MEDIA[kind], "width": bare.width, "height": bare.height}, out.getvalue()


def _plain(image: Any, kind: str) -> Any:
    """Its pixels in eight bits: grey, colour, or colour that can be seen through."""
    if image.has_transparency_data and kind != "JPEG":
        return image.convert("RGBA")
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("L" if image.mode in {"1", "L"} else "RGB")


if __name__ == "__main__":
    sys.exit(main())
