"""Whole recordings with a burnt-in time, drawn here from the format facts with glyphs of this file's own.

Nothing is shared with the program's training: the glyphs are small pictures drawn by hand, or Pillow's
built-in typeface. Truth is what the inserter knew: the time of each field, and which fields are missing.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reduction.stack import FrameBlock, SourceInfo
from reduction.timing import TimeSolution, no_times

WIDE = """
.#####. ..##... .#####. .#####. ....##. ####### .#####. ####### .#####. .#####.
##...## .###... ##...## ##...## ...###. ##..... ##...## .....## ##...## ##...##
##...## ..##... .....## .....## ..####. ##..... ##..... ....##. ##...## ##...##
##...## ..##... ....##. .....## .##.##. ######. ##..... ...##.. .#####. ##...##
##...## ..##... ...##.. ...###. ##..##. .....## ######. ...##.. ##...## .######
##...## ..##... ..##... .....## ####### .....## ##...## ..##... ##...## .....##
##...## ..##... .##.... ##...## ....##. ##...## ##...## ..##... ##...## .....##
.#####. .#####. ####### .#####. ....##. .#####. .#####. .##.... .#####. .#####.
"""
THIN = """
..###.. ...#... ..###.. ..###.. ....#.. .#####. ...##.. .#####. ..###.. ..###..
.#...#. ..##... .#...#. .#...#. ...##.. .#..... ..#.... .....#. .#...#. .#...#.
.#...#. ...#... .....#. .....#. ..#.#.. .#..... .#..... ....#.. .#...#. .#...#.
.#...#. ...#... .....#. ...##.. .#..#.. .####.. .####.. ....#.. ..###.. .#...#.
.#...#. ...#... ....#.. .....#. .#####. .....#. .#...#. ...#... .#...#. ..####.
.#...#. ...#... ...#... .....#. ....#.. .....#. .#...#. ...#... .#...#. .....#.
.#...#. ...#... ..#.... .#...#. ....#.. .#...#. .#...#. ...#... .#...#. ....#..
..###.. ..###.. .#####. ..###.. ....#.. ..###.. ..###.. ...#... ..###.. ..##...
"""


def _drawn(art: str) -> list[NDArray[np.float32]]:
    rows = [line.split() for line in art.strip().splitlines()]
    return [np.array([[c == "#" for c in row[d]] for row in rows], np.float32) for d in range(10)]


def _typeface(size: int = 40) -> list[NDArray[np.float32]]:
    font = ImageFont.load_default(size)
    out: list[NDArray[np.float32]] = []
    for d in range(10):
        image = Image.new("L", (60, 60))
        ImageDraw.Draw(image).text((10, 5), str(d), fill=255, font=font)
        out.append((np.asarray(image) / 255).astype(np.float32))
    inked = np.flatnonzero(np.max(out, axis=(0, 2)))
    columns = np.flatnonzero(np.max(out, axis=(0, 1)))
    return [g[inked[0] : inked[-1] + 1, columns[0] : columns[-1] + 1] for g in out]


GLYPHS = {"wide": _drawn(WIDE), "thin": _drawn(THIN), "plain": _typeface()}


@dataclass(frozen=True)
class Inserter:
    """A model: its glyphs, and where each sign stands (of 720 columns), rows of a field, size of a glyph."""

    model: str
    glyphs: str
    pitch: float
    left: float
    size: tuple[float, int]
    decimals: int
    wide_colon: bool = True

    def line(self, seconds: float, count: int, left_side: bool, previous: float) -> list[tuple[float, str]]:
        """Signs and their columns, in cells."""
        tenths = round(seconds * 10_000)
        whole, part = tenths // 10_000 % 86_400, tenths % 10_000
        clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        if self.model == "iota":
            text = "P9 " + clock + " " + (f"{part:04d}" + " " * 5 if left_side else " " * 5 + f"{part:04d}")
            return _cells(text + f" {count}")
        if self.model == "kiwi":
            own, other = f"{part // 10:3d}", f"{round(previous * 1000) % 1000:3d}"
            both = f"{own} {other}" if left_side else f"{other} {own}"
            return _cells(f"{clock}  {both}  {count}")
        if self.model == "gps-boxsprite":
            return _cells(f"{clock} 0{part // 10:03d}.{part % 10}")
        return _cells(f"{clock}.{part // 10:03d}")


def _cells(text: str) -> list[tuple[float, str]]:
    return [(float(k), sign) for k, sign in enumerate(text) if sign != " "]


INSERTERS = {
    "iota": Inserter("iota", "wide", 24.5, 8.0, (0.78, 13), 4),
    "kiwi": Inserter("kiwi", "thin", 22.0, 60.0, (0.85, 13), 3),
    "gps-boxsprite": Inserter("gps-boxsprite", "plain", 12.0, 180.0, (0.85, 14), 4),
    "ghs": Inserter("ghs", "plain", 14.0, 390.0, (0.8, 12), 3),
}


@dataclass(frozen=True)
class Scene:
    """What a recording is like.

    `jumps` maps a frame to how many fields are missing before it (negative: repeated); `spoilt` is the
    share of frames whose digits cannot be read.
    """

    model: str = "iota"
    height: int = 480
    width: int = 640
    frames: int = 60
    seed: int = 1
    noise: float = 6.0
    strength: float = 150.0
    quality: int | None = None
    safe: bool = False
    top_first: bool = True
    box: bool = False
    outline: bool = False
    start_s: float = 42_295.25
    drift_ppm: float = 0.0
    count: int = 8_000
    jumps: dict[int, int] = field(default_factory=dict)
    spoilt: float = 0.0

    @property
    def step_s(self) -> float:
        """Seconds from field to field, by the camera's clock."""
        return (1001 / 60_000 if self.height == 480 else 0.02) * (1 + self.drift_ppm * 1e-6)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Number of the first field of every frame."""
        extra = np.zeros(self.frames, np.int64)
        for frame, missing in self.jumps.items():
            extra[frame:] += missing
        return 2 * np.arange(self.frames) + extra

    def unit_s(self) -> float:
        """Resolution of the time shown."""
        return float(10.0 ** -INSERTERS[self.model].decimals)

    def shown_s(self, number: NDArray[np.int64]) -> NDArray[np.float64]:
        """Time that the inserter shows for fields: cut to its resolution."""
        per = round(1 / self.unit_s())
        return np.asarray(np.floor((self.start_s + number * self.step_s) * per + 1e-6) / per)


class Recording:
    """The scene as a stack that can be read anywhere."""

    shard_size = 64
    known_digests = None

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.inserter = INSERTERS[scene.model]
        rng = np.random.default_rng(scene.seed)
        shape = (scene.height, scene.width)
        self._noise = [rng.normal(0, scene.noise, shape).astype(np.float32) for _ in range(4)]
        self._sky = self._stars(rng)
        self._spoilt = np.zeros(scene.frames, np.bool_)
        which = rng.choice(scene.frames, round(scene.spoilt * scene.frames), replace=False)
        self._spoilt[which] = True
        self._scale = scene.width / 720
        row = round(scene.height / 2 * (0.86 if scene.safe else 0.94)) - self.inserter.size[1]
        self._row = row
        self._left = (self.inserter.left + (25 if scene.safe else 0)) * self._scale
        self._pitch = self.inserter.pitch * self._scale * (0.93 if scene.safe else 1.0)

    @property
    def info(self) -> SourceInfo:
        s = self.scene
        meta = {"source_format": "video"}
        return SourceInfo("zarr", "synthetic", (s.frames, s.height, s.width), "uint8", 8, metadata=meta)

    @property
    def times(self) -> TimeSolution:
        return no_times(self.scene.frames)

    def close(self) -> None:
        pass

    def _stars(self, rng: np.random.Generator) -> NDArray[np.float32]:
        s = self.scene
        sky = np.full((s.height, s.width), 28.0, np.float32)
        sky += np.linspace(0, 12, s.width, dtype=np.float32)[None]
        y, x = np.mgrid[-6:7, -6:7]
        spot = np.exp(-0.5 * (x**2 + y**2) / 1.7**2)
        for _ in range(140):
            cy, cx = rng.integers(6, s.height - 7), rng.integers(6, s.width - 7)
            peak = 25 * rng.pareto(1.2) + 10
            sky[cy - 6 : cy + 7, cx - 6 : cx + 7] += (min(peak, 170) * spot).astype(np.float32)
        return sky

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return np.stack([self._frame(k) for k in range(start, stop)])

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        for first in range(start, self.scene.frames, size):
            yield FrameBlock(first, self.read(first, min(first + size, self.scene.frames)))

    def _frame(self, k: int) -> NDArray[np.uint8]:
        s = self.scene
        rng = np.random.default_rng([s.seed, k])
        frame = self._sky + np.roll(self._noise[k % 4], int(rng.integers(0, 400)), axis=1)
        numbers = s.numbers[k] + np.arange(2)
        shown = s.shown_s(numbers)
        before = s.shown_s(numbers - 1)
        for place in range(2):
            parity = place if s.top_first else 1 - place
            number = int(numbers[place])
            signs = self.inserter.line(
                shown[place], s.count + number, (s.count + number) % 2 == 0, before[place]
            )
            self._burn(frame[parity::2], signs)
        if self._spoilt[k]:
            rows = slice(2 * self._row - 4, 2 * (self._row + self.inserter.size[1]) + 4)
            band = frame[rows]
            band[:] = band.mean() + rng.normal(0, 60, band.shape)
        out = np.clip(np.round(frame), 0, 255).astype(np.uint8)
        if s.quality is not None:
            buffer = io.BytesIO()
            Image.fromarray(out).save(buffer, "JPEG", quality=s.quality)
            out = np.asarray(Image.open(buffer))
        return out

    def _burn(self, field_: NDArray[np.float32], signs: list[tuple[float, str]]) -> None:
        fill, high = self.inserter.size
        wide = max(4, round(self._pitch * fill))
        top = self._row
        if self.scene.box:
            left, right = int(self._left) - 4, int(self._left + (signs[-1][0] + 1) * self._pitch) + 4
            field_[top - 2 : top + high + 2, max(0, left) : right] = 8
        for cell, sign in signs:
            ink = self._ink(sign, high, wide)
            x = round(self._left + cell * self._pitch)
            if x + wide > field_.shape[1]:
                continue
            area = field_[top : top + high, x : x + wide]
            if self.scene.outline:
                field_[top - 1 : top + high + 1, x - 1 : x + wide + 1] *= 0.3
            area[:] = area * (1 - ink) + np.minimum(area * 0 + 40 + self.scene.strength, 250) * ink

    def _ink(self, sign: str, high: int, wide: int) -> NDArray[np.float32]:
        ink = np.zeros((high, wide), np.float32)
        middle = wide // 2
        if sign == ":":
            ink[high // 4 : high // 4 + 2, middle - 1 : middle + 1] = 1
            ink[-high // 4 - 1 : -high // 4 + 1, middle - 1 : middle + 1] = 1
        elif sign == ".":
            ink[-2:, middle - 1 : middle + 1] = 1
        elif sign.isdigit():
            glyph = Image.fromarray(GLYPHS[self.inserter.glyphs][int(sign)])
            ink = np.asarray(glyph.resize((wide, high), Image.Resampling.BOX), np.float32)
        else:
            ink[:, :2], ink[:2], ink[high // 2, :], ink[: high // 2, -2:] = 1, 1, 1, 1
        return ink
