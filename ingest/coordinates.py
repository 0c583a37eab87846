"""Coordinates files: places of stars by frame, from PyMovie or a table of x and y."""

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reduction.coordinates import TARGET, Coordinates
from reduction.errors import RequestError

Floats = NDArray[np.float64]

FRAME_NAMES = ("frame", "framenum", "frameno", "frame_number", "n")
_AXIS = re.compile(r"^(x|y)(?:centroid)?(?:[-_ ]?(.*))$")


def read_coordinates(path: Path) -> Coordinates:
    """Read a coordinates file.

    It is a CSV of PyMovie (its columns ``xcentroid-NAME``, ``ycentroid-NAME``), or a table, separated by
    commas, semicolons or blanks: ``frame,x,y``, further stars as ``x-NAME,y-NAME``; without a header row
    ``x y`` for frames 0, 1, 2, ... or ``frame x y``, further stars as further pairs. The first star is
    the target unless another is called so. Lines that start with ``#`` are left out, empty cells are unknown.

    Raises
    ------
    RequestError
        The file cannot be read, or holds no such table.
    """
    rows = _rows(path)
    if not rows:
        raise RequestError(f"{path.name}: the coordinates file holds no rows; it needs frame,x,y")
    first = rows[0][1]
    if any(_number(cell) is None for cell in first):
        frame, columns = _header(path, rows[0][0], first)
        rows = rows[1:]
    else:
        frame, columns = _bare(path, rows[0][0], len(first))
    if not rows:
        raise RequestError(f"{path.name}: the coordinates file has a header and no rows")
    numbers, places = _values(path, rows, frame, columns)
    order = np.argsort(numbers, kind="stable")
    numbers, places = numbers[order], places[order]
    twice = numbers[1:][np.diff(numbers) == 0]
    if twice.size:
        raise RequestError(f"{path.name}: frame {twice[0]:g} stands twice in the coordinates file")
    if not np.isfinite(places).all(axis=2).any():
        raise RequestError(f"{path.name}: no row of the coordinates file gives both x and y")
    return _ordered(tuple(columns), numbers, places)


def _ordered(names: tuple[str, ...], frames: Floats, places: Floats) -> Coordinates:
    """The target first; the first star is it where none is called so."""
    at = names.index(TARGET) if TARGET in names else 0
    order = [at, *(k for k in range(len(names)) if k != at)]
    named = (TARGET, *(names[k] for k in order[1:]))
    x, y = places[:, order, 0], places[:, order, 1]
    digest = hashlib.sha256("\n".join(named).encode())
    for part in (frames, x, y):
        digest.update(np.ascontiguousarray(part, "<f8").tobytes())
    return Coordinates(frames, named, x, y, digest.hexdigest())


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers and cells of what is neither empty nor a comment."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"{path}: cannot read the coordinates: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path.name}: the coordinates are not UTF-8 text (byte {error.start})") from error
    out: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        mark = next((m for m in (",", ";", "\t") if m in line), None)
        try:
            cells = line.split() if mark is None else next(csv.reader([line], delimiter=mark))
        except csv.Error as error:
            raise RequestError(f"{path.name}: line {number}: {error}") from error
        out.append((number, [cell.strip() for cell in cells]))
    return out


def _number(cell: str) -> float | None:
    """A cell's number; NaN for an empty one; None for a text."""
    if not cell:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def _header(path: Path, line: int, cells: list[str]) -> tuple[int | None, dict[str, tuple[int, int]]]:
    """Column of the frame, and of x and y by star, from a header row."""
    names = [cell.lower() for cell in cells]
    pymovie = any(name.startswith("xcentroid") for name in names)
    found: dict[str, dict[str, int]] = {}
    for k, name in enumerate(names):
        parts = _AXIS.match(name)
        if parts is not None and (not pymovie or name[1:].startswith("centroid")):
            found.setdefault(parts[2] or TARGET, {})[parts[1]] = k
    columns = {star: (at["x"], at["y"]) for star, at in found.items() if len(at) == 2}
    if not columns:
        raise RequestError(
            f"{path.name}: line {line}: the coordinates need columns x and y, or PyMovie's xcentroid-... and "
            f"ycentroid-...; found {', '.join(cells)}"
        )
    frame = next((k for k, name in enumerate(names) if name in FRAME_NAMES), None)
    return frame, columns


def _bare(path: Path, line: int, cells: int) -> tuple[int | None, dict[str, tuple[int, int]]]:
    """The same for a table without a header row."""
    if cells < 2:
        raise RequestError(f"{path.name}: line {line}: the coordinates need x and y, or frame,x,y")
    first = cells % 2
    columns = {
        TARGET if k == 0 else f"star {k + 1}": (first + 2 * k, first + 2 * k + 1) for k in range(cells // 2)
    }
    return (0 if first else None), columns


def _values(
    path: Path, rows: list[tuple[int, list[str]]], frame: int | None, columns: dict[str, tuple[int, int]]
) -> tuple[Floats, Floats]:
    """Frame numbers (k,) and places (k, star, 2)."""
    numbers, places = np.empty(len(rows)), np.full((len(rows), len(columns), 2), np.nan)
    wanted = [column for pair in columns.values() for column in pair]
    for k, (line, cells) in enumerate(rows):
        value: dict[int, float] = {}
        for column in wanted if frame is None else [frame, *wanted]:
            number = _number(cells[column]) if column < len(cells) else float("nan")
            if number is None:
                raise RequestError(f"{path.name}: line {line}: {cells[column]!r} is no number")
            value[column] = number
        numbers[k] = float(k) if frame is None else value[frame]
        if not numbers[k] >= 0 or 2.0 * numbers[k] != np.floor(2.0 * numbers[k]):
            raise RequestError(f"{path.name}: line {line}: frame {numbers[k]:g} is no frame number from 0 on")
        for s, (x, y) in enumerate(columns.values()):
            places[k, s] = value[x], value[y]
    places[~np.isfinite(places).all(axis=2)] = np.nan
    return numbers, places
