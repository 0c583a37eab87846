"""Recordings of which any frames can be decoded without those before them."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from ingest.burnt_in import BurntInSource
from reduction.stack import FrameSource


@runtime_checkable
class Ranged(Protocol):
    """A `FrameSource` that may have ranges; where it has, it can be pickled to another process."""

    @property
    def path(self) -> Path:
        """The file, absolute."""
        ...

    @property
    def in_ranges(self) -> bool:
        """Whether `read_range` may be asked."""
        ...

    def read_range(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded), decoded by one thread.

        Raises
        ------
        DataError
            The pixels of a frame cannot be had.
        NotIndependentError
            They cannot be decoded on their own after all.
        """
        ...


def ranged(source: FrameSource) -> Ranged | None:
    """What decodes ranges of a recording, burnt-in times left aside; None where nothing can."""
    recording = source.recording if isinstance(source, BurntInSource) else source
    return recording if isinstance(recording, Ranged) and recording.in_ranges else None
