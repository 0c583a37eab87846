"""A scene as a recording: the protocols of a reader and of a stack, without a file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.stack import FrameBlock, SourceInfo
from reduction.synthetic.scene import Scene
from reduction.timing import Correction, TimeSolution


@dataclass(frozen=True, slots=True, eq=False)
class SceneSource:
    """A `FrameSource` and `Stack` that renders frames as they are read, in constant memory.

    Attributes
    ----------
    scene : Scene
        What is rendered.
    shard_size : int
        Frames per unit of work.
    camera_known : bool
        Whether gain and read noise stand in `info`, as a good header says them.
    cycle : int or None
        Render this many distinct frames once, keep them, and show them over and over with the
        times of the full recording: for benches that must not measure the rendering.
    """

    scene: Scene
    shard_size: int = 256
    camera_known: bool = False
    cycle: int | None = None
    _kept: list[NDArray[Any]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if self.cycle is not None:
            self._kept.append(self._render(0, min(self.cycle, self.scene.frames)))

    @property
    def info(self) -> SourceInfo:
        """What the recording is."""
        scene = self.scene
        return SourceInfo(
            format="synthetic",
            name=f"scene {scene.seed}",
            shape=(scene.frames, scene.height, scene.width),
            dtype=scene.dtype,
            bit_depth=scene.bit_depth,
            colour=scene.colour,
            exposure_s=scene.exposure_s,
            gain_e_per_adu=scene.gain_e_per_adu if self.camera_known else None,
            read_noise_e=scene.read_noise_e if self.camera_known else None,
        )

    @property
    def times(self) -> TimeSolution:
        """The true times."""
        scene = self.scene
        half = round(scene.exposure_s * 0.5e9)
        return TimeSolution(
            mid_ns=scene.frame_start_ns(np.arange(scene.frames)) + half,
            sigma_s=np.full(scene.frames, 1e-6),
            exposure_s=np.full(scene.frames, scene.exposure_s),
            meaning="start",
            source="synthetic",
            ledger=(Correction("stamp meaning", "start", "mid", scene.exposure_s / 2, 0.0, "scene"),),
        )

    @property
    def known_digests(self) -> NDArray[np.uint8] | None:
        """None: no digests are stored."""
        return None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded), ``(n, height, width)``."""
        if not self._kept:
            return self._render(start, stop)
        pixels = self._kept[0]
        return np.asarray(pixels[np.arange(start, stop) % pixels.shape[0]])

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Yield blocks of `size` frames from frame `start`."""
        for first in range(start, self.scene.frames, size):
            yield FrameBlock(first, self.read(first, min(first + size, self.scene.frames)))

    def close(self) -> None:
        """Nothing to release."""

    def _render(self, start: int, stop: int) -> NDArray[Any]:
        scene = self.scene
        pixels = np.empty((stop - start, scene.height, scene.width), scene.dtype)
        for i in range(start, stop):
            pixels[i - start] = scene.frame(i)
        return pixels
