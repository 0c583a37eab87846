"""A small recording with known truth, in every format, and the command run in this process."""

import contextlib
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.cli import reduce
from ingest.writers import write_avi, write_fits_sequence, write_ser, write_times_csv
from reduction.synthetic import Occultation, Scene, SceneStar

TARGET = (80.3, 60.7)
SMALL = Scene(
    frames=48,
    height=120,
    width=160,
    seed=31,
    stars=(
        SceneStar(*TARGET, 12_000.0),
        SceneStar(40.2, 30.4, 30_000.0),
        SceneStar(120.6, 35.1, 22_000.0),
        SceneStar(118.8, 90.3, 15_000.0),
        SceneStar(45.7, 92.9, 11_000.0),
    ),
    occultations=(Occultation(20 * 0.05 + 0.01, 28 * 0.05 + 0.03, 0.9),),
    drift_px=(4.0, -3.0),
    offset_adu=100.0,
)
"""Five stars, the first occulted on frames 20 to 28."""

SMALL_8BIT = replace(SMALL, bit_depth=8, gain_e_per_adu=12.0, offset_adu=10.0, seed=32)

AT_TARGET = ("--target", "80,61")


def stamps(scene: Scene) -> NDArray[np.int64]:
    """Start of each frame's exposure."""
    return scene.frame_start_ns(np.arange(scene.frames))


def frames_of(scene: Scene) -> NDArray[Any]:
    """All frames."""
    return np.stack([scene.frame(i) for i in range(scene.frames)])


def ser_of(scene: Scene, path: Path, big_endian: bool = False, order_field: int | None = None) -> Path:
    """The scene as SER with its stamps."""
    order = "big" if big_endian else "little"
    write_ser(path, frames_of(scene), stamps_ns=stamps(scene), byte_order=order, order_field=order_field)  # type: ignore[arg-type]  # a literal
    return path


def fits_of(scene: Scene, folder: Path) -> Path:
    """The scene as a folder of FITS files."""
    write_fits_sequence(folder, frames_of(scene), stamps_ns=stamps(scene), exposure_s=scene.exposure_s)
    return folder


def avi_of(scene: Scene, path: Path) -> tuple[Path, Path]:
    """The scene as a lossless AVI and its times beside it."""
    write_avi(path, frames_of(scene), rate=1 / scene.cadence_s)
    table = path.with_suffix(".csv")
    write_times_csv(table, stamps(scene), scene.exposure_s)
    return path, table


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the command did: exit code, standard output and error, and the folder it was told to write."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        found = json.loads((self.folder / "summary.json").read_text())
        assert isinstance(found, dict)
        return found

    @property
    def caveats(self) -> set[str]:
        return {str(entry["code"]) for entry in self.summary["caveats"]}


def run_reduce(folder: Path, *arguments: str | Path) -> Outcome:
    """Run `umbra reduce` in this process, into `folder`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = reduce([*map(str, arguments), "--out", str(folder)])
    return Outcome(code, out.getvalue(), err.getvalue(), folder)
