"""Land and sea, offline: from the package `global-land-mask` (MIT; NOAA's GLOBE, 1 km), if it is installed.

Nothing is downloaded and no map data are part of this program. The mask calls lakes land.
"""

import functools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ResourceError

Floats = NDArray[np.float64]

ABSENT = "no coastline installed (pip install 'umbra-occultation[maps]')"
ROWS, COLUMNS = 21600, 43200
_PER_DEGREE = 120
_WORLD_STEP = 20
_MOST_SIDE = 1600
_FILE = "globe_combined_mask_compressed.npz"


@dataclass(frozen=True, slots=True, eq=False)
class LandMask:
    """Share of land in cells of a grid of longitude and latitude.

    Attributes
    ----------
    land : array, (row, column), float32
        0 sea to 1 land; rows from north to south, columns eastwards.
    north_deg, west_deg : float
        Outer corner of the first cell; the longitude may be below -180.
    step_deg : float
        Side of a cell.
    """

    land: NDArray[np.float32]
    north_deg: float
    west_deg: float
    step_deg: float

    def at(self, longitude_deg: Floats, latitude_deg: Floats) -> Floats:
        """Share of land at places, between cells interpolated; NaN where a place is NaN."""
        missing = ~(np.isfinite(longitude_deg) & np.isfinite(latitude_deg))
        east = np.mod(np.where(missing, 0, longitude_deg) - self.west_deg, 360.0)
        rows, columns = self.land.shape
        column = east / self.step_deg - 0.5
        row = np.clip(
            (self.north_deg - np.where(missing, 0, latitude_deg)) / self.step_deg - 0.5, 0, rows - 1
        )
        whole = columns * self.step_deg > 359.99
        if not whole:
            column = np.clip(column, 0, columns - 1)
        i, j = np.floor(row).astype(np.intp), np.floor(column).astype(np.intp)
        down, right = row - i, column - j
        i2 = np.minimum(i + 1, rows - 1)
        j, j2 = (j % columns, (j + 1) % columns) if whole else (j, np.minimum(j + 1, columns - 1))
        upper = self.land[i, j] * (1 - right) + self.land[i, j2] * right
        lower = self.land[i2, j] * (1 - right) + self.land[i2, j2] * right
        return np.where(missing, np.nan, upper * (1 - down) + lower * down)


def coast_is_installed() -> bool:
    """Whether there is a coastline to draw."""
    return _path() is not None


def world() -> LandMask | None:
    """The whole Earth in cells of 10 minutes of arc; None where no mask is installed."""
    path = _path()
    return None if path is None else _world(path)


@functools.cache
def _world(path: Path) -> LandMask:
    thin = _WORLD_STEP // 4  # every fifth row will do
    blocks = _rows(path, _WORLD_STEP)
    lines = [rows[::thin].reshape(4, -1, _WORLD_STEP).mean(axis=(0, 2)) for rows in blocks]
    return LandMask(np.array(lines, np.float32), 90.0, -180.0, _WORLD_STEP / _PER_DEGREE)


def window(west_deg: float, east_deg: float, south_deg: float, north_deg: float) -> LandMask | None:
    """Part of the Earth as finely as 1,600 cells a side allow; None where no mask is installed.

    Parameters
    ----------
    west_deg, east_deg : float
        Longitudes, `east_deg` above `west_deg` by less than 360; they may cross the date line.
    south_deg, north_deg : float
        Latitudes.
    """
    path = _path()
    if path is None:
        return None
    top = max(0, int(np.floor((90 - north_deg) * _PER_DEGREE)) - 1)
    bottom = min(ROWS, int(np.ceil((90 - south_deg) * _PER_DEGREE)) + 1)
    left = int(np.floor((west_deg + 180) * _PER_DEGREE)) - 1
    right = int(np.ceil((east_deg + 180) * _PER_DEGREE)) + 1
    step = max(1, -(-max(bottom - top, right - left) // _MOST_SIDE))
    width, height = (right - left) // step * step, (bottom - top) // step
    columns = np.arange(left, left + width) % COLUMNS
    blocks = _rows(path, step, top, height)
    lines = [rows[:, columns].reshape(step, -1, step).mean(axis=(0, 2)) for rows in blocks]
    return LandMask(
        np.array(lines, np.float32), 90 - top / _PER_DEGREE, left / _PER_DEGREE - 180, step / _PER_DEGREE
    )


def _path() -> Path | None:
    spec = find_spec("global_land_mask")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / _FILE
    return path if path.is_file() else None


def _rows(path: Path, step: int, top: int = 0, blocks: int = ROWS) -> Iterator[NDArray[np.bool_]]:
    """Land in blocks of `step` rows from row `top`, ``(step, 43200)``; the mask is never whole in memory."""
    with zipfile.ZipFile(path) as archive, archive.open("mask.npy") as file:
        np.lib.format.read_magic(file)
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
        if shape != (ROWS, COLUMNS) or kind != np.dtype(np.bool_):
            raise ResourceError(f"{path}: a mask of {shape}, {kind}; global-land-mask 1.0 has 21600 x 43200")
        for skipped in range(0, top, 64):
            file.read(COLUMNS * min(64, top - skipped))
        for _ in range(min(blocks, (ROWS - top) // step)):
            block = np.frombuffer(file.read(step * COLUMNS), np.bool_)
            yield ~block.reshape(step, COLUMNS)
