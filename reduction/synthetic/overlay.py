"""What a video time inserter burns into a frame: digits that do not move with the stars."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_GLYPHS = {
    "0": "01110100011000110001100011000101110",
    "1": "00100011000010000100001000010001110",
    "2": "01110100010000100010001000100011111",
    "3": "01110100010000100110000011000101110",
    "4": "00010001100101010010111110001000010",
    "5": "11111100001111000001000011000101110",
    "6": "01110100001000011110100011000101110",
    "7": "11111000010001000100010000100001000",
    "8": "01110100011000101110100011000101110",
    "9": "01110100011000101111000010000101110",
    ":": "00000001000010000000001000010000000",
    " ": "0" * 35,
}
"""Characters of 5 x 7 dots, rows from above."""

_DOTS = (7, 5)


@dataclass(frozen=True, slots=True)
class Overlay:
    """A line of digits: time of day with fractions and the frame's number, new on every frame.

    Attributes
    ----------
    x, y : int
        Left upper corner of the first digit, pixels.
    dot_px : int
        Pixels of one dot; a digit is 5 x 7 dots and takes 6 dots of width.
    level : float
        Of the digits, fraction of the highest value a pixel takes.
    boxed : bool
        Whether the digits stand in a black box; else sky and stars show between them.
    soft_px : float
        Gaussian width to which capture blurs them, pixels.
    """

    x: int
    y: int
    dot_px: int = 2
    level: float = 0.95
    boxed: bool = False
    soft_px: float = 0.0

    def text(self, field_number: int, step_s: float) -> str:
        """What is written on a field: hours, minutes, seconds, fractions, number."""
        ticks = round(field_number * step_s * 1e4)
        seconds, fraction = divmod(ticks, 10_000)
        clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{clock} {fraction:04d} {field_number:06d}"

    def burn(self, pixels: NDArray[np.float32], text: str, full: float, rows: slice) -> None:
        """Write `text` over `rows` of ``pixels`` (height, width) in place; `full` is the highest value."""
        ink = self._ink(text, pixels.shape)
        part = pixels[rows]
        if self.boxed:
            top, left = max(self.y - self.dot_px, 0), max(self.x - self.dot_px, 0)
            bottom = self.y + (_DOTS[0] + 1) * self.dot_px
            right = self.x + 6 * len(text) * self.dot_px
            box = np.zeros(pixels.shape, np.bool_)
            box[top:bottom, left:right] = True
            part[box[rows]] = 0.0
        ink = ink[rows]
        part *= np.float32(1.0) - ink
        part += ink * np.float32(self.level * full)

    def _ink(self, text: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Share of each pixel that is ink, 0 to 1."""
        height, width = _DOTS
        dots = np.zeros((height, (width + 1) * len(text)), np.float32)
        for k, character in enumerate(text):
            glyph = np.array([float(dot) for dot in _GLYPHS[character]]).reshape(_DOTS)
            dots[:, (width + 1) * k : (width + 1) * k + width] = glyph
        drawn = np.repeat(np.repeat(dots, self.dot_px, axis=0), self.dot_px, axis=1)
        ink = np.zeros(shape, np.float32)
        top, left = max(self.y, 0), max(self.x, 0)
        inside = drawn[: max(shape[0] - top, 0), : max(shape[1] - left, 0)]
        ink[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        if self.soft_px:
            ink = np.asarray(ndimage.gaussian_filter(ink, self.soft_px), np.float32)
        return ink
