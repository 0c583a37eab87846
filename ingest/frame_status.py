"""What a recorder wrote beside each frame besides its time: state of the GPS receiver, counters, settings.

Readers give it as one table, whatever the format; a stack keeps it beside the pixels, in ``status``.
"""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ingest.gps_status import UNKNOWN, Almanac, Fix, GpsStatus
from ingest.stack_times import UNREADABLE
from ingest.zarr_groups import create_group, open_group
from reduction.errors import DataError

if TYPE_CHECKING:
    import zarr

FOLDER = "status"
NUMBERS, TEXTS = "numbers", "texts"
MOST_TEXT = 200
"""Bytes of a text that are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameStatus:
    """The columns of the table; all unknown ones are left out.

    Attributes
    ----------
    numbers : mapping of str to array, (t,), float64
        NaN where unknown.
    texts : mapping of str to array, (t,), str
        Empty where unknown.
    """

    numbers: Mapping[str, NDArray[np.float64]]
    texts: Mapping[str, NDArray[np.str_]]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, numbers first."""
        return (*self.numbers, *self.texts)

    def cells(self, frame: int) -> tuple[str, ...]:
        """A row as text; empty where unknown."""
        numbers = (float(column[frame]) for column in self.numbers.values())
        return (
            *(f"{value:.15g}" if np.isfinite(value) else "" for value in numbers),
            *(str(column[frame]) for column in self.texts.values()),
        )


NOTHING = FrameStatus({}, {})


@runtime_checkable
class StatedFrames(Protocol):
    """A recording whose recorder wrote more beside its frames than pixels and times."""

    @property
    def frame_status(self) -> FrameStatus:
        """All of it that is known."""
        ...


def status_of(recording: object) -> FrameStatus:
    """The table of a recording; without columns where its format has none."""
    return recording.frame_status if isinstance(recording, StatedFrames) else NOTHING


def status_table(
    gps: GpsStatus, numbers: Mapping[str, NDArray[Any]], texts: Mapping[str, NDArray[np.str_]]
) -> FrameStatus:
    """The receiver's state with other columns, without those that are unknown on all frames."""
    counts = {"satellites": gps.satellites, "leap_seconds": gps.leap_seconds}
    columns = {
        name: np.where(column == UNKNOWN, np.nan, column.astype(np.float64))
        for name, column in counts.items()
    }
    if gps.offset_s.any():
        columns["almanac_offset_s"] = gps.offset_s.astype(np.float64)
    columns |= {name: np.asarray(column, np.float64) for name, column in numbers.items()}
    words = {"almanac": _words(gps.almanac, Almanac), "fix": _words(gps.fix, Fix), **texts}
    return FrameStatus(
        {name: column for name, column in columns.items() if np.isfinite(column).any()},
        {name: column for name, column in words.items() if (column != "").any()},
    )


def _words(codes: NDArray[np.int8], kind: type[Almanac] | type[Fix]) -> NDArray[np.str_]:
    names = {int(code): code.name.lower() for code in kind if int(code) != UNKNOWN}
    return np.array([names.get(code, "") for code in codes.tolist()], np.str_)


def put_status(path: Path, status: FrameStatus) -> None:
    """Put a table beside the pixels of a stack; nothing where it has no columns.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    if not status.names:
        return
    beside = path / f".{FOLDER}.{uuid.uuid4().hex}.partial"
    try:
        group = create_group(beside)
        for name, column in status.numbers.items():
            _put(group, f"{NUMBERS}/{name}", column)
        for name, words in status.texts.items():
            kept = np.char.encode(words, "utf-8")
            kept = kept.astype(f"S{min(MOST_TEXT, max(1, kept.dtype.itemsize))}")
            _put(group, f"{TEXTS}/{name}", kept.reshape(-1, 1).view(np.uint8))
        group.update_attributes({NUMBERS: list(status.numbers), TEXTS: list(status.texts)})
        shutil.rmtree(path / FOLDER, ignore_errors=True)
        beside.rename(path / FOLDER)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put(group: "zarr.Group", name: str, values: NDArray[Any]) -> None:
    array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=values.shape)
    array[:] = values


def read_status(path: Path) -> FrameStatus:
    """The table that stands beside a stack's pixels; without columns where none does.

    Raises
    ------
    DataError
        It is damaged.
    """
    if not (path / FOLDER).is_dir():
        return NOTHING
    try:
        group = open_group(path / FOLDER)
        head: Any = group.attrs.asdict()
        numbers = {name: np.asarray(_got(group, f"{NUMBERS}/{name}"), np.float64) for name in head[NUMBERS]}
        texts = {name: _text(_got(group, f"{TEXTS}/{name}")) for name in head[TEXTS]}
    except UNREADABLE as error:
        raise DataError(f"{path}: its status table cannot be read ({error}); ingest again") from error
    return FrameStatus(numbers, texts)


def _got(group: "zarr.Group", name: str) -> NDArray[Any]:
    node: Any = group[name]
    return np.asarray(node[:])


def _text(kept: NDArray[np.uint8]) -> NDArray[np.str_]:
    words = np.ascontiguousarray(kept).view(f"S{kept.shape[1]}").reshape(-1)
    return np.array([word.decode("utf-8", "ignore") for word in words.tolist()], np.str_)
