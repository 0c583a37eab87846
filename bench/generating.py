"""A reduction of frames that are made as they are read: ``python -m bench.generating FRAMES FOLDER``."""

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

from bench.recordings import field_scene, named_plan
from reduction.outputs.folder import write_outputs
from reduction.run import reduce
from reduction.stack import SourceInfo
from reduction.synthetic import SceneSource
from reduction.timing import TimeSolution

DISTINCT = 64


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class GeneratingStack:
    """Rendered frames over and over, one level brighter each round (of four)."""

    source: SceneSource

    @property
    def info(self) -> SourceInfo:
        return self.source.info

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
        level = (np.arange(start, stop) // DISTINCT % 4).astype(pixels.dtype)
        pixels += level[:, None, None]
        return pixels

    def close(self) -> None:
        self.source.close()


def generated(frames: int, folder: Path) -> dict[str, Any]:
    """Reduce that many frames, write the outputs into `folder`; figures of this process."""
    scene = dataclasses.replace(field_scene(frames), drift_px=(0.0, 0.0), occultations=())
    stack = GeneratingStack(SceneSource(scene, cycle=DISTINCT))
    before = _peak_mib()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        result = reduce(named_plan(scene), stack, Path(scratch))
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


def _peak_mib() -> float:
    """Largest resident size so far, MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1)


def main(arguments: Sequence[str]) -> None:
    """Print the figures as JSON."""
    frames, folder = arguments
    print(json.dumps(generated(int(frames), Path(folder))))


if __name__ == "__main__":
    main(sys.argv[1:])
