"""Lines of text as a recorder sees them: rendered, degraded, and cut out as `ingest.ocr.crop` does."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ingest.ocr.crop import PITCH, Crop, normalise
from ingest.ocr.network import CLASSES, STRIDE
from ingest.ocr.training.glyphs import COLUMNS, DIGITS, ROWS, Face

IGNORED = -1
SURE, EMPTY = 0.2, 0.36
"""Of a cell, from its middle: columns nearer bear its sign, columns farther are between signs."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture ``(16, width)`` and the class of each `STRIDE` columns; `IGNORED` is not counted."""

    picture: NDArray[np.uint8]
    target: NDArray[np.int64]


def any_text(rng: np.random.Generator, cells: int) -> str:
    """Signs in `cells` cells: runs of digits, blanks, separators, and signs that are none (``#``)."""
    text = ""
    while len(text) < cells:
        kind = rng.random()
        if kind < 0.62:
            text += "".join(rng.choice(list(DIGITS), int(rng.integers(1, 8))))
        elif kind < 0.72:
            text += str(rng.choice(list(DIGITS))) * int(rng.integers(2, 4))
        elif kind < 0.84:
            text += " " * int(rng.choice([1, 1, 1, 2, 5]))
        elif kind < 0.91:
            text += ":"
        elif kind < 0.95:
            text += "."
        else:
            text += "#"
    return text[:cells]


def any_sample(rng: np.random.Generator, face: Face, width: int) -> Sample:
    """One line in a style: rendered at the recorder's size, degraded, normalised with errors of the crop."""
    high = float(np.clip(rng.lognormal(np.log(12.5), 0.32), 6.5, 34.0))
    pitch = high * float(np.clip(rng.lognormal(np.log(1.15), 0.38), 0.5, 2.6))
    pitch = float(np.clip(pitch, 6.5, 36.0))
    misjudged = float(np.exp(rng.uniform(-0.2, 0.2)))
    cells = int(np.ceil(width / (PITCH / misjudged))) + 3
    text = any_text(rng, cells)
    ink, middles, cell = _drawn(rng, face, text)
    margin_rows = int(rng.integers(2, 8))
    native = _at_size(rng, ink, high, pitch / cell, margin_rows)
    field, white = _degraded(rng, native, high)
    off = rng.normal(0.0, 0.045, 2).clip(-0.12, 0.12) * high
    left = rng.uniform(0.0, 1.5) * pitch
    crop = Crop(
        top=margin_rows + off[0],
        bottom=margin_rows + high + off[1],
        left=left,
        right=left + width * pitch * misjudged / PITCH,
        pitch=pitch * misjudged,
        white=white,
    )
    picture = normalise(field[None], crop)[0]
    picture = _fitted(picture, width)
    places = [(middle / cell * pitch - left) * crop.scale for middle in middles]
    return Sample(picture, _targets(text, places, PITCH / misjudged, width))


def _fitted(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    out = np.zeros((picture.shape[0], width), np.uint8)
    out[:, : min(width, picture.shape[1])] = picture[:, :width]
    return out


def _drawn(rng: np.random.Generator, face: Face, text: str) -> tuple[NDArray[np.float32], list[float], float]:
    """Ink of the line at the glyphs' own size, middles of its cells and their pitch, columns."""
    fill = rng.uniform(0.62, 0.96)
    cell = round(COLUMNS / fill)
    narrow = cell if rng.random() < 0.7 else round(cell * rng.uniform(0.45, 0.9))
    marks = rng.uniform(0.08, 0.2), rng.uniform(0.08, 0.16), rng.uniform(0.15, 0.3)
    widths = [narrow if sign in ":." else cell for sign in text]
    ink = np.zeros((ROWS, sum(widths) + cell), np.float32)
    middles, at = [], 0
    for sign, wide in zip(text, widths, strict=True):
        middle = at + wide / 2.0
        middles.append(middle)
        if sign in ":.":
            _mark(ink, sign, middle, marks)
        elif sign != " ":
            drawn = str(rng.choice(list(face.others))) if sign == "#" else sign
            start = max(0, round(middle - COLUMNS / 2.0))
            part = ink[:, start : start + COLUMNS]
            np.maximum(part, face.draw(drawn)[:, : part.shape[1]], out=part)
        at += wide
    return ink, middles, float(cell)


def _mark(ink: NDArray[np.float32], sign: str, middle: float, marks: tuple[float, float, float]) -> None:
    """A colon or a point: dots of ``(width, height)`` of a glyph; a colon's `third` from above and below."""
    wide, high = max(3, round(marks[0] * COLUMNS)), max(3, round(marks[1] * ROWS))
    left = max(0, round(middle - wide / 2.0))
    third = marks[2] * ROWS
    tops = [ROWS - high] if sign == "." else [round(third), ROWS - high - round(third * 0.7)]
    for top in tops:
        ink[top : top + high, left : left + wide] = 1.0


def _at_size(
    rng: np.random.Generator, ink: NDArray[np.float32], high: float, per_column: float, margin: int
) -> NDArray[np.float32]:
    """The line at the recorder's size, with rows around it; some without grey levels between."""
    crisp = rng.random() < 0.25
    filter_ = Image.Resampling.NEAREST if crisp else Image.Resampling.BOX
    rows, columns = max(5, round(high)), max(16, round(ink.shape[1] * per_column))
    small = Image.fromarray(ink).resize((columns, rows), filter_)
    return np.pad(np.asarray(small, np.float32), ((margin, margin), (0, 8)))


def _degraded(
    rng: np.random.Generator, ink: NDArray[np.float32], high: float
) -> tuple[NDArray[np.float32], bool]:
    """Levels of a field with this ink: sky, stars, blur, ringing, noise, compression, or only two levels.

    Also whether the text is white, as in most.
    """
    ink = np.roll(ink, int(rng.integers(0, 4)), axis=1)
    strength = rng.uniform(40.0, 210.0)
    sky = rng.uniform(5.0, 90.0)
    field = np.full(ink.shape, sky, np.float32)
    if rng.random() < 0.4:
        field += (rng.normal(0.0, 10.0) * np.linspace(-1, 1, ink.shape[1]))[None, :].astype(np.float32)
    for _ in range(int(rng.integers(0, 7)) if rng.random() < 0.5 else 0):
        _add_star(rng, field, strength)
    field = _with_ink(rng, field, ink, strength, high)
    blur = rng.uniform(0.0, 1.0) * high / 13.0, rng.uniform(0.0, 0.5) * high / 13.0
    field = ndimage.gaussian_filter(field, (blur[1], blur[0])).astype(np.float32)
    if rng.random() < 0.25:
        field += rng.uniform(0.05, 0.25) * (field - np.roll(field, int(rng.integers(1, 4)), axis=1))
    noise = strength / float(np.exp(rng.uniform(np.log(3.0), np.log(80.0))))
    field += rng.normal(0.0, noise, field.shape).astype(np.float32)
    if rng.random() < 0.18:
        field = _two_levels(rng, field, sky, strength)
    else:
        field = np.round(np.clip(field, 0.0, 255.0))
        if rng.random() < 0.2:
            field = _compressed(rng, field)
    white = bool(rng.random() < 0.85)
    return (field if white else 255.0 - field).astype(np.float32), white


def _with_ink(
    rng: np.random.Generator,
    field: NDArray[np.float32],
    ink: NDArray[np.float32],
    strength: float,
    high: float,
) -> NDArray[np.float32]:
    """The field with the text over it: added, or opaque, on a box, or outlined."""
    bright = float(np.clip(field.mean() + strength, 0.0, 255.0))
    way = rng.random()
    if way < 0.35:
        return field + strength * ink
    if way < 0.6:  # on a dark box
        shade = rng.uniform(0.0, 0.6)
        field = field * np.float32(shade)
    elif way < 0.85:  # outlined
        reach = max(1, round(high / 13.0 * rng.uniform(0.6, 2.0)))
        dark = ndimage.grey_dilation(ink, size=(2 * reach + 1, 2 * reach + 1))
        field = field * (1.0 - dark * np.float32(rng.uniform(0.5, 1.0)))
    return np.asarray(field * (1.0 - ink) + bright * ink, np.float32)


def _add_star(rng: np.random.Generator, field: NDArray[np.float32], strength: float) -> None:
    y, x = rng.uniform(0, field.shape[0]), rng.uniform(0, field.shape[1])
    wide, tall = rng.uniform(0.6, 3.0), rng.uniform(0.6, 2.0)
    left, right = max(0, int(x - 4 * wide)), min(field.shape[1], int(x + 4 * wide) + 2)
    rows, columns = np.mgrid[0 : field.shape[0], left:right]
    spot = np.exp(-0.5 * (((columns - x) / wide) ** 2 + ((rows - y) / tall) ** 2))
    field[:, left:right] += (strength * rng.uniform(0.1, 1.0) * spot).astype(np.float32)


def _two_levels(
    rng: np.random.Generator, field: NDArray[np.float32], sky: float, strength: float
) -> NDArray[np.float32]:
    """Only black and white, as a threshold gives them; with cut rows and specks."""
    cut = field > sky + strength * rng.uniform(0.3, 0.7)
    two = np.where(cut, 255.0, 0.0).astype(np.float32)
    for _ in range(int(rng.integers(0, 12))):
        y, x = int(rng.integers(0, two.shape[0])), int(rng.integers(0, two.shape[1]))
        two[y : y + int(rng.integers(1, 3)), x : x + int(rng.integers(1, 5))] = 255.0
    return two


def _compressed(rng: np.random.Generator, field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Through JPEG and back."""
    buffer = io.BytesIO()
    Image.fromarray(field.astype(np.uint8)).save(buffer, "JPEG", quality=int(rng.integers(35, 92)))
    return np.asarray(Image.open(buffer), np.float32)


def _targets(text: str, places: list[float], pitch: float, width: int) -> NDArray[np.int64]:
    """Class of each output column."""
    columns = (np.arange(width // STRIDE) + 0.5) * STRIDE
    target = np.zeros(columns.size, np.int64)
    for sign, place in zip(text, places, strict=True):
        if sign == " ":
            continue
        away = np.abs(columns - place) / pitch
        sure = SURE if sign not in ":." else 0.6 * SURE
        target[(away < EMPTY) & (away >= sure) & (target == 0)] = IGNORED
        near = away < sure
        if not near.any() and 0 <= place < width:
            near = np.arange(columns.size) == int(np.argmin(away))
        target[near] = CLASSES.index(sign)
    edge = 0.75 * pitch / STRIDE
    index = np.arange(columns.size)
    inside = (index >= edge) & (index < columns.size - edge)
    target[~inside] = IGNORED
    return target
