"""A reduction of frames that are made as they are read: ``python -m bench.generating CASE FRAMES FOLDER``."""

import dataclasses
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.recordings import HEIGHT, WIDTH, field_scene, named_plan
from reduction.outputs.folder import write_outputs
from reduction.run import reduce
from reduction.stack import SourceInfo
from reduction.synthetic import Scene, SceneSource
from reduction.timing import TimeSolution
from reduction.view import NOTHING, Calibration

LARGE = 1080, 1920


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """What is generated: frame size, bits, colour, pixel type; whether dark and flat are applied."""

    height: int
    width: int
    bits: int = 8
    colour: str = "mono"
    dtype: str | None = None
    calibrated: bool = False
    distinct: int = 64


KINDS = {
    "640x480 8 bit": Kind(HEIGHT, WIDTH),
    "1920x1080 16 bit": Kind(*LARGE, 16, distinct=8),
    "1920x1080 16 bit, dark and flat": Kind(*LARGE, 16, calibrated=True, distinct=8),
    "1920x1080 16 bit, Bayer": Kind(*LARGE, 16, "rggb", distinct=8),
    "1920x1080 16 bit, RGB": Kind(*LARGE, 16, "rgb", distinct=8),
    "1920x1080 float32": Kind(*LARGE, 16, dtype="float32", distinct=8),
}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class GeneratingStack:
    """Rendered frames over and over, one level brighter each round (of four)."""

    source: SceneSource
    kind: Kind = KINDS["640x480 8 bit"]

    @property
    def info(self) -> SourceInfo:
        info = self.source.info
        if self.kind.colour == "rgb":
            return dataclasses.replace(info, shape=(info.frames, 3, *info.frame_shape), colour="rgb")
        return dataclasses.replace(info, dtype=self.kind.dtype or info.dtype)

    @property
    def times(self) -> TimeSolution:
        return self.source.times

    @property
    def shard_size(self) -> int:
        return self.source.shard_size

    @property
    def known_digests(self) -> NDArray[np.uint8] | None:
        return None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        pixels = self.source.read(start, stop)
        level = (np.arange(start, stop) // self.kind.distinct % 4).astype(pixels.dtype)
        pixels += level[:, None, None]
        if self.kind.colour == "rgb":
            return np.stack([pixels, pixels, pixels], axis=1)
        return pixels.astype(self.info.dtype, copy=False)

    def close(self) -> None:
        self.source.close()


def generated(kind: Kind, frames: int, folder: Path) -> dict[str, Any]:
    """Reduce that many frames, write the outputs into `folder`; figures of this process."""
    scene = scene_of(kind, frames)
    stack = GeneratingStack(SceneSource(scene, cycle=kind.distinct), kind)
    before = _peak_mib()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        result = reduce(named_plan(scene), stack, Path(scratch), _calibration(kind))
        reduced = _peak_mib()
        write_outputs(result, folder / "out", overwrite=True)
    return {
        "frames": frames,
        "points": result.quality.good_points,
        "before_mib": before,
        "reduced_mib": reduced,
        "peak_mib": _peak_mib(),
        "seconds": dict(result.provenance.seconds),
    }


def scene_of(kind: Kind, frames: int) -> Scene:
    """The field of the benches on frames of a kind, without drift."""
    colour: Any = kind.colour if kind.colour not in {"rgb", "mono"} else "mono"
    return dataclasses.replace(
        field_scene(frames, kind.bits), drift_px=(0.0, 0.0), occultations=(),
        height=kind.height, width=kind.width, colour=colour,
    )  # fmt: skip


def _calibration(kind: Kind) -> Calibration:
    if not kind.calibrated:
        return NOTHING
    size = (3, kind.height, kind.width) if kind.colour == "rgb" else (kind.height, kind.width)
    return Calibration(np.full(size, 1.5, np.float32), np.full(size, 1.001, np.float32))


def _peak_mib() -> float:
    """Largest resident size so far, MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1)


def main(arguments: Sequence[str]) -> None:
    """Print the figures as JSON."""
    kind, frames, folder = arguments
    print(json.dumps(generated(KINDS[kind], int(frames), Path(folder))))


if __name__ == "__main__":
    main(sys.argv[1:])
