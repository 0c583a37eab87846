"""Digits as strokes: paths in the unit box, in the many ways in which character generators draw them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Path = list[tuple[float, float]]
"""Points ``(x, y)``, x right and y down."""

Stroke = tuple[Path, bool]
"""A path, and whether its corners are rounded."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the digits of one face have in common: places of waist and tails, and ten chances."""

    waist: float
    tail: float
    inset: float
    chance: NDArray[np.float64]


def strokes_of(sign: str, own: np.random.Generator, face: np.random.Generator) -> list[Stroke]:
    """Strokes of a sign.

    Parameters
    ----------
    sign : str
        A digit, or one of the letters that stand for other signs.
    own, face : numpy.random.Generator
        Chance of this sign, and of all signs of its face.
    """
    style = Style(face.uniform(0.42, 0.52), face.uniform(0.1, 0.3), face.uniform(0.0, 0.1), face.random(10))
    jut = float(own.normal(0.0, 0.015))
    if sign == "1":
        return _one(style, jut)
    drawn = {"0": _zero, "2": _two, "3": _three, "4": _four, "5": _five, "6": _six, "7": _seven, "8": _eight}
    if sign in drawn:
        return drawn[sign](style)
    if sign == "9":
        return [([(1 - x, 1 - y) for x, y in path], bent) for path, bent in _six(style)]
    return _letters(sign, own)


def _zero(style: Style) -> list[Stroke]:
    ring = _ring(0.0, 0.0, 1.0, 1.0), True
    return [ring, ([(0.3, 0.7), (0.7, 0.3)], False)] if style.chance[0] < 0.06 else [ring]


def _one(style: Style, jut: float) -> list[Stroke]:
    chance = style.chance
    x = 0.45 + 0.2 * chance[1] + jut
    paths: list[Stroke] = [([(x, 0.0), (x, 1.0)], False)]
    if chance[2] < 0.85:
        paths.append(([(x, 0.0), (x - 0.12 - 0.2 * chance[3], style.tail)], False))
    if chance[4] < 0.55:
        half = 0.15 + 0.25 * chance[5]
        paths.append(([(x - half, 1.0), (x + half, 1.0)], False))
    return paths


def _two(style: Style) -> list[Stroke]:
    waist, tail = style.waist, style.tail
    if style.chance[1] < 0.3:
        return [([(0, tail), (0, 0), (1, 0), (1, waist), (0, waist), (0, 1), (1, 1)], True)]
    low = 0.55 + 0.15 * style.chance[6]
    bow: Path = [(0, tail), (0, 0), (1, 0), (1, waist), (0.0, low + 0.3), (0, 1)]
    return [(bow, True), ([(0, 1), (1, 1)], False)]


def _three(style: Style) -> list[Stroke]:
    waist, tail, right = style.waist, style.tail, 1 - style.inset
    x = 0.25 + 0.3 * style.chance[2]
    bottom: Stroke = [(x, waist), (1, waist), (1, 1), (0, 1), (0, 1 - tail)], True
    if style.chance[3] < 0.15:
        return [([(0, 0), (1, 0), (x, waist)], False), bottom]
    return [([(0, tail), (0, 0), (right, 0), (right, waist), (x, waist)], True), bottom]


def _four(style: Style) -> list[Stroke]:
    bar, x = 0.58 + 0.17 * style.chance[4], 0.68 + 0.14 * style.chance[5]
    end = 1.0 if style.chance[6] < 0.8 else x
    top = (0.05, 0.0) if style.chance[7] < 0.2 else (x, 0.0)
    return [([top, (0, bar), (end, bar)], False), ([(x, 0), (x, 1)], False)]


def _five(style: Style) -> list[Stroke]:
    knee = style.waist - 0.06
    bow: Path = [(0, knee), (1, knee), (1, 1), (0, 1), (0, 1 - style.tail)]
    return [([(1, 0), (0.04, 0), (0.0, knee)], False), (bow, True)]


def _six(style: Style) -> list[Stroke]:
    top: Path = [(1, style.tail), (1, 0), (0, 0), (0, 0.7)]
    if style.chance[8] < 0.3:
        top = [(0.75, 0.0), (0.25, 0.15), (0.0, 0.45), (0, 0.7)]
    return [(_ring(0.0, style.waist - 0.04, 1.0, 1.0), True), (top, True)]


def _seven(style: Style) -> list[Stroke]:
    foot = 0.2 + 0.3 * style.chance[3]
    if style.chance[4] < 0.35:
        return [([(0, 0), (1, 0), (1, 0.25), (foot, 0.6), (foot, 1)], False)]
    path: Path = [(0, 0), (1, 0), (foot, 1)]
    return [([(0, style.tail), *path] if style.chance[5] < 0.25 else path, False)]


def _eight(style: Style) -> list[Stroke]:
    top = _ring(style.inset, 0.0, 1 - style.inset, style.waist)
    return [(top, True), (_ring(0.0, style.waist, 1.0, 1.0), True)]


def _letters(sign: str, own: np.random.Generator) -> list[Stroke]:
    """Letters that are like no digit; for any other sign a scribble or a sand-glass."""
    known: dict[str, list[Stroke]] = {
        "P": [([(0, 1), (0, 0), (1, 0), (1, 0.55), (0, 0.55)], True), ([(0, 0), (0, 1)], False)],
        "N": [([(0, 1), (0, 0), (1, 1), (1, 0)], False)],
        "U": [([(0, 0), (0, 1), (1, 1), (1, 0)], True)],
        "T": [([(0, 0), (1, 0)], False), ([(0.5, 0), (0.5, 1)], False)],
        "E": [([(1, 0), (0, 0), (0, 1), (1, 1)], False), ([(0, 0.48), (0.8, 0.48)], False)],
        "H": [([(0, 0), (0, 1)], False), ([(1, 0), (1, 1)], False), ([(0, 0.5), (1, 0.5)], False)],
        "L": [([(0, 0), (0, 1), (1, 1)], False)],
        "F": [([(1, 0), (0, 0), (0, 1)], False), ([(0, 0.48), (0.8, 0.48)], False)],
        "V": [([(0, 0), (0.5, 1), (1, 0)], False)],
        "X": [([(0, 0), (1, 1)], False), ([(1, 0), (0, 1)], False)],
        "Y": [([(0, 0), (0.5, 0.5), (1, 0)], False), ([(0.5, 0.5), (0.5, 1)], False)],
    }
    if sign in known:
        return known[sign]
    if own.random() < 0.5:  # two triangles, tip to tip
        ends: Path = [(0, 0), (1, 0), (0.1, 0.95), (0, 1), (1, 1), (0.9, 0.95), (0, 0)]
        return [(ends, False), ([(0.2, 0.12), (0.8, 0.12)], False)]
    return [([(float(x), float(y)) for x, y in own.random((int(own.integers(5, 9)), 2))], False)]


def _ring(left: float, top: float, right: float, bottom: float) -> Path:
    middle = 0.5 * (left + right)
    return [(middle, top), (right, top), (right, bottom), (left, bottom), (left, top), (middle, top)]


def rounded(path: Path, radius: float) -> Path:
    """The path with its corners cut by quadratic curves that start `radius` before them."""
    out: Path = [path[0]]
    for before, corner, after in zip(path[:-2], path[1:-1], path[2:], strict=True):
        start, end = _toward(corner, before, radius), _toward(corner, after, radius)
        for t in np.linspace(0.0, 1.0, 6):
            a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
            out.append((a * start[0] + b * corner[0] + c * end[0], a * start[1] + b * corner[1] + c * end[1]))
    return [*out, path[-1]]


def _toward(corner: tuple[float, float], other: tuple[float, float], radius: float) -> tuple[float, float]:
    """The point on the way from a corner, at most half of it."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    part = min(0.5, radius / max(float(np.hypot(dx, dy)), 1e-6))
    return corner[0] + part * dx, corner[1] + part * dy
