"""ADV and AAV files, read in place."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.frame_status import FrameStatus, status_table
from ingest.fstf.chains import chain_frames
from ingest.fstf.container import read_container
from ingest.fstf.description import describe
from ingest.fstf.frames import find_frames
from ingest.fstf.pictures import Pictures
from ingest.fstf.status import StatusTable, read_status
from ingest.fstf.times import gps_status, recorded_stamps
from ingest.rawfile import RawFile, check_span, frames_per_shard, read_blocks
from ingest.stamps import solve
from ingest.timeoptions import TimeOptions, apply_times
from reduction.errors import DataError
from reduction.stack import FrameBlock

OF_RECEIVER = {"satellites", "almanac", "almanac_offset", "fix"}
"""Columns that the receiver's state is made of."""


class FstfStack:
    """An ADV or AAV file, as a source and as a stack.

    Mono and mosaic frames are one plane ``(t, y, x)``; colour frames ``(t, c, y, x)`` in the order R, G, B.
    Frames of the calibration stream, frames without a picture and reference frames that the recorder did not
    integrate are left out, which is said.

    Parameters
    ----------
    path : Path
        The file.
    times : TimeOptions
        What the person says about times.

    Attributes
    ----------
    status : StatusTable
        What stands beside every frame of the recording.
    frame_status : FrameStatus
        The same as a table of the common form.

    Raises
    ------
    DataError
        No FSTF file, damaged beyond use, or without a whole frame.
    RequestError
        The times options do not fit.
    """

    def __init__(self, path: Path, times: TimeOptions) -> None:
        self._file = RawFile(path)
        try:
            container = read_container(self._file)
            frames, others, notes = find_frames(self._file, container)
            status = read_status(self._file, frames, container.status, container.version)
            chains = chain_frames(path.name, container, frames, status)
            self.status = chains.status
            self.frame_status = _frame_status(chains.status)
            self._pictures = Pictures(self._file, container, chains)
            stamps = recorded_stamps(container, chains)
            notes = [*container.notes, *notes, *chains.notes, *self._pictures.notes]
            dtype, shape = self._pictures.dtype.name, self._pictures.frame_shape
            self.info = describe(path.name, container, dtype, shape, self.status, stamps, others, notes)
            self.times = apply_times(solve(stamps, times.meaning), self.info.frames, times)
        except BaseException:
            self._file.close()
            raise
        self.known_digests: NDArray[np.uint8] | None = None
        self.shard_size = frames_per_shard(self.info.frame_bytes)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded), ``(n, y, x)`` or ``(n, c, y, x)``; safe in several threads.

        A frame whose bytes are damaged is zero everywhere.

        Raises
        ------
        DataError
            The file cannot be read.
        """
        check_span(self.info.name, start, stop, self.info.frames)
        return self._pictures.read(start, stop)

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Blocks of `size` frames from frame `start`."""
        return read_blocks(self, size, start)

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def _frame_status(status: StatusTable) -> FrameStatus:
    own = {name: column for name, column in status.numbers.items() if name not in OF_RECEIVER}
    words = {name: np.array(texts, np.str_) for name, texts in status.words.items()}
    return status_table(gps_status(status), own, words)


def is_analogue(path: Path) -> bool:
    """Whether the metadata of an FSTF file say that it is AAV; not where they cannot be read."""
    file = RawFile(path)
    try:
        return read_container(file).analogue
    except DataError:
        return False
    finally:
        file.close()


def open_fstf(paths: Sequence[Path], times: TimeOptions) -> FstfStack:
    """Open the one ADV or AAV file of `paths`; raises as `FstfStack`."""
    (path,) = paths
    return FstfStack(path, times)
