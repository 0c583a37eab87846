"""Glyphs as video time inserters draw them: strokes, dot matrices and fonts, each bent a little at random.

No glyph is copied from an inserter or a recording. Most are drawn from strokes, wide and rounded as
character generators for video have them; others from a five by seven dot matrix, seven segments, and
the typefaces that come with Matplotlib.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from ingest.ocr.training.strokes import Stroke, rounded, strokes_of

Ink = NDArray[np.float32]

ROWS, COLUMNS = 42, 30
"""Of a drawn glyph: the box that digits fill."""

DIGITS = "0123456789"
OTHERS = "CEFHJKLMNPRTUVWXY+=*%"
"""Signs that stand beside a time and are like no digit."""

TYPEFACES = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif",
    "DejaVuSerif-Bold", "STIXGeneral", "STIXGeneralBol", "cmss10", "cmtt10", "cmb10",
)  # fmt: skip

DOTS = {
    "0": (14, 17, 19, 21, 25, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14), "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14), "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14), "7": (31, 1, 2, 4, 8, 8, 8), "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12), "P": (30, 17, 17, 30, 16, 16, 16), "N": (17, 25, 21, 19, 17, 17, 17),
    "U": (17, 17, 17, 17, 17, 17, 14), "T": (31, 4, 4, 4, 4, 4, 4), "E": (31, 16, 16, 30, 16, 16, 31),
}  # fmt: skip
"""The common five by seven matrix; rows from above, the highest bit is left."""

SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc",
    "7": "abc", "8": "abcdefg", "9": "abcdfg", "P": "abefg", "H": "bcefg", "E": "adefg", "U": "bcdef",
}  # fmt: skip


class Face:
    """One style of glyphs; `draw` gives the ink of a sign, ``(ROWS, COLUMNS)``, 0 to 1."""

    def __init__(self, draw: Callable[[str], Ink], others: str) -> None:
        self.draw = cache(draw)
        self.others = others


def any_face(rng: np.random.Generator) -> Face:
    """Draw one style by chance."""
    kind = rng.random()
    if kind < 0.62:
        return _stroke_face(rng)
    if kind < 0.80:
        return _typeface(rng)
    if kind < 0.95:
        return _dot_face(rng)
    return _segment_face(rng)


def _stroke_face(rng: np.random.Generator) -> Face:
    """Digits of rounded strokes, all of one pen and roundness."""
    seed = int(rng.integers(1 << 31))
    round_ = float(rng.choice([0.0, rng.uniform(0.1, 0.35), rng.uniform(0.3, 0.5)], p=[0.1, 0.45, 0.45]))
    pen = rng.uniform(0.06, 0.14), rng.uniform(0.045, 0.095)
    slant = rng.normal(0.0, 0.03)

    def draw(sign: str) -> Ink:
        own = np.random.default_rng([seed, ord(sign)])
        strokes = strokes_of(sign, own, np.random.default_rng(seed))
        return _inked(strokes, round_, pen, slant, own)

    return Face(draw, "PNUTEHLFVXY?")


def _inked(
    strokes: list[Stroke],
    round_: float,
    pen: tuple[float, float],
    slant: float,
    own: np.random.Generator,
) -> Ink:
    """Ink of strokes drawn with an elliptical pen: `pen` is its half width and half height in boxes."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float64)
    px = (x + 0.5) / COLUMNS + slant * ((y + 0.5) / ROWS - 0.5)
    py = (y + 0.5) / ROWS
    wide, high = 1.0 - 2.0 * pen[0], 1.0 - 2.0 * pen[1]
    nearest = np.full((ROWS, COLUMNS), np.inf)
    for path, bent in strokes:
        points = np.array(rounded(path, round_) if bent else path, np.float64)
        points = points + own.normal(0.0, 0.004, points.shape)
        points = np.array([pen[0], pen[1]]) + points * np.array([wide, high])
        for (ax, ay), (bx, by) in zip(points[:-1] / pen, points[1:] / pen, strict=True):
            qx, qy, dx, dy = px / pen[0] - ax, py / pen[1] - ay, bx - ax, by - ay
            along = np.clip((qx * dx + qy * dy) / max(dx * dx + dy * dy, 1e-12), 0.0, 1.0)
            nearest = np.minimum(nearest, np.hypot(qx - along * dx, qy - along * dy))
    return np.clip((1.0 - nearest) * 4.0 + 0.5, 0.0, 1.0).astype(np.float32)


def _dot_face(rng: np.random.Generator) -> Face:
    """The five by seven matrix, its dots touching or apart, thin or doubled."""
    gap = rng.random() < 0.25
    thick = rng.random() < 0.3

    def draw(sign: str) -> Ink:
        rows = np.array([[(bits >> (4 - k)) & 1 for k in range(5)] for bits in DOTS[sign]], np.float32)
        big = np.repeat(np.repeat(rows, 6, axis=0), 6, axis=1)
        if gap:
            big[5::6], big[:, 5::6] = 0.0, 0.0
        if thick:
            big = np.maximum(big, np.roll(big, 2, axis=1) * (np.arange(30) >= 2))
        return big.astype(np.float32)

    return Face(draw, "PNUTE")


def _segment_face(rng: np.random.Generator) -> Face:
    """Seven segments."""
    wide, high = int(rng.integers(4, 7)), int(rng.integers(4, 7))

    def draw(sign: str) -> Ink:
        ink = np.zeros((ROWS, COLUMNS), np.float32)
        half = ROWS // 2
        boxes = {
            "a": (0, high, 0, COLUMNS), "d": (ROWS - high, ROWS, 0, COLUMNS),
            "g": (half - high // 2, half - high // 2 + high, 0, COLUMNS),
            "f": (0, half, 0, wide), "b": (0, half, COLUMNS - wide, COLUMNS),
            "e": (half, ROWS, 0, wide), "c": (half, ROWS, COLUMNS - wide, COLUMNS),
        }  # fmt: skip
        for name in SEGMENTS[sign]:
            top, bottom, left, right = boxes[name]
            ink[top:bottom, left:right] = 1.0
        return ink

    return Face(draw, "PHEU")


def _typeface(rng: np.random.Generator) -> Face:
    """A typeface of Matplotlib's, its digits stretched to the box, thinned or thickened."""
    name = str(rng.choice(TYPEFACES))
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(str(folder / f"{name}.ttf"), 60)
    weight = int(rng.integers(-1, 4))
    wide = rng.uniform(0.8, 1.0)

    def draw(sign: str) -> Ink:
        canvas = Image.new("L", (100, 100))
        ImageDraw.Draw(canvas).text((20, 10), sign, fill=255, font=font)
        box = canvas.getbbox()
        if box is None:
            raise ValueError(f"{name} draws nothing for {sign!r}")
        left, top, right, bottom = box
        own = min(1.0, (right - left) / max(1.0, 0.62 * (bottom - top)))
        columns = max(6, round(COLUMNS * wide * own))
        glyph = canvas.crop(box).resize((columns, ROWS), Image.Resampling.BILINEAR)
        ink = np.zeros((ROWS, COLUMNS), np.float32)
        start = (COLUMNS - columns) // 2
        ink[:, start : start + columns] = np.asarray(glyph, np.float32) / 255.0
        if weight > 1:
            ink = ndimage.grey_dilation(ink, size=(weight, weight))
        return np.asarray(ink, np.float32)

    return Face(draw, OTHERS)
