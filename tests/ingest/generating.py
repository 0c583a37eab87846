"""A recording that is computed as it is read, of any length."""

from collections.abc import Iterator

import numpy as np

from reduction.stack import FrameBlock, SourceInfo
from reduction.timing import TimeSolution, no_times


class GeneratedSource:
    """Frames of noise; frame k is the same however it is read."""

    def __init__(
        self, frames: int, size: tuple[int, ...] = (24, 32), dtype: str = "uint16", seed: int = 1
    ) -> None:
        self._info = SourceInfo(
            "generated", "generated", (frames, *size), dtype, metadata={"observer": "test"}
        )
        self._seed = seed
        self.read_from: list[int] = []
        self.ends_at = frames

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def times(self) -> TimeSolution:
        n = self._info.frames
        start = 1_767_225_600_000_000_000
        return TimeSolution(
            start + np.arange(n) * 40_000_000, np.full(n, 1e-3), np.full(n, 0.04), "mid", "generated"
        )

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        self.read_from.append(start)
        noise = np.random.default_rng(self._seed).integers(
            0, 200, (16, *self._info.frame_shape), self._info.dtype
        )
        for first in range(start, self.ends_at, size):
            stop = min(first + size, self.ends_at)
            block = np.empty((stop - first, *self._info.frame_shape), self._info.dtype)
            for k in range(first, stop):
                np.add(noise[k % 16], k % 50, out=block[k - first])
            yield FrameBlock(first, block)

    def close(self) -> None:
        pass


class UntimedSource(GeneratedSource):
    @property
    def times(self) -> TimeSolution:
        return no_times(self._info.frames)
