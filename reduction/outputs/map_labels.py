"""Words on a map that keep out of each other's way."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from reduction.outputs.drawing import INK

_LETTER, _LINE = 0.62, 1.25
"""Width of a letter and height of a line, in font sizes: DejaVu Sans, a little more than its mean."""


class Labels:
    """Places words beside points, where none is yet; those that find no place are left out.

    Parameters
    ----------
    axes : Axes
        Whose limits are final.
    """

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.taken: list[tuple[float, float, float, float]] = []

    def keep_free(self, x: float, y: float, radius_pt: float) -> None:
        """Let no word cover a point of the data."""
        right, up = self._points(x, y)
        self.taken.append((right - radius_pt, up - radius_pt, right + radius_pt, up + radius_pt))

    def reserve(self, low: tuple[float, float], high: tuple[float, float]) -> None:
        """Let no word cover a rectangle of the data, between two corners."""
        self.taken.append((*self._points(*low), *self._points(*high)))

    def put(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        ways: Sequence[tuple[float, float]],
        boxed: bool = False,
        zorder: float = 4.2,
    ) -> bool:
        """Write `text` beside a point, in the first of the directions (points, right and up) that is free."""
        for right, up in ways:
            box = self._box(x, y, text, size, right, up)
            if self._outside(box) or any(_overlap(box, other) for other in self.taken):
                continue
            self.taken.append(box)
            backing = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
            self.axes.annotate(
                text,
                (x, y),
                xytext=(right, up),
                textcoords="offset points",
                fontsize=size,
                color=INK,
                ha=_sideways(right, up),
                va=_upwards(right, up),
                bbox=backing if boxed else None,
                annotation_clip=True,
                zorder=zorder,
            )
            return True
        return False

    def _outside(self, box: tuple[float, float, float, float]) -> bool:
        (left, right), (low, high) = self.axes.get_xlim(), self.axes.get_ylim()
        first, last = self._points(left, low), self._points(right, high)
        return box[0] < first[0] or box[1] < first[1] or box[2] > last[0] or box[3] > last[1]

    def _box(
        self, x: float, y: float, text: str, size: float, right: float, up: float
    ) -> tuple[float, float, float, float]:
        width, height = _LETTER * size * len(text), _LINE * size
        across, above = self._points(x, y)
        left = across + right - {"left": 0.0, "center": 0.5, "right": 1.0}[_sideways(right, up)] * width
        low = above + up - {"bottom": 0.0, "center": 0.5, "top": 1.0}[_upwards(right, up)] * height
        return left, low, left + width, low + height

    def _points(self, x: float, y: float) -> tuple[float, float]:
        right, up = self.axes.transData.transform((x, y))
        figure = self.axes.get_figure(root=True)
        scale = 72 / (figure.dpi if figure is not None else 72)
        return float(right) * scale, float(up) * scale


def _sideways(right: float, up: float) -> str:
    size = math.hypot(right, up) or 1.0
    return "left" if right / size > 0.3 else "right" if right / size < -0.3 else "center"


def _upwards(right: float, up: float) -> str:
    size = math.hypot(right, up) or 1.0
    return "bottom" if up / size > 0.3 else "top" if up / size < -0.3 else "center"


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
