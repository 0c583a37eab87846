"""Decoding of ADV files: uncompressed against plain reads, the compressions by the second, on more cores."""

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numba
import numpy as np
from numpy.typing import NDArray

from bench.plain_reads import plain_reads
from bench.record import Record, Target
from bench.recordings import field_scene
from bench.scaling import add_scaling
from bench.timing import Case, Timed, interleave
from ingest.formats import open_in_place
from reduction.stack import Stack
from tests.ingest.fstf import coders
from tests.ingest.fstf.writer import EPOCH, Frame, Layout, Recording, write_v2

FRAMES = 96

LAYOUTS = {
    "uncompressed": Layout(),
    "QuickLZ": Layout(compression="QUICKLZ"),
    "QuickLZ, packed": Layout("12BIT-IMAGE-PACKED", "QUICKLZ", 12),
    "Lagarith16": Layout(compression="LAGARITH16"),
}
STATUS = {"SystemTime": "u64", "TrackedSatellites": "u8", "AlmanacStatus": "u8", "Gain": "real"}


def adv(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Read whole recordings of a 12-bit camera, a shard at a time, on one core and on all."""
    scene = field_scene(frames or FRAMES, bits=12)
    pictures = np.stack([scene.frame(k) for k in range(scene.frames)]).astype(np.uint16)
    paths = {name: _written(scratch / f"{name}.adv", pictures, layout) for name, layout in LAYOUTS.items()}
    with ExitStack() as opened:
        stacks = {name: opened.enter_context(closing(_opened(path))) for name, path in paths.items()}
        ours = [
            Case(name, "FstfStack.read, a shard at a time", scene.frames, partial(_read, stack))
            for name, stack in stacks.items()
        ]
        read = partial(plain_reads(), paths["uncompressed"])
        plain = Case("read()", "os.preadv into one buffer", scene.frames, read)
        for case in (plain, *ours):
            case.run()
        timed = interleave([plain, *ours], repetitions)
        record = Record("adv", {"width": scene.width, "height": scene.height, "frames": scene.frames})
        add_scaling(record, ours, repetitions, {"uncompressed": plain})
    record.timed = list(timed.values())
    record.compare(["uncompressed"], ["read()"])
    rates = {name: _rate(timed[name], scene.width * scene.height) for name in LAYOUTS}
    record.values["million samples per CPU-second"] = rates
    record.targets[:0] = [
        Target("uncompressed, share of read()", 0.6, record.found("uncompressed", "read()")),
        Target("QuickLZ, MB of samples per CPU-second", 300.0, 2 * rates["QuickLZ"]),
        Target("Lagarith16, million symbols per CPU-second", 20.0, rates["Lagarith16"]),
    ]
    return record


def _rate(timed: Timed, samples: int) -> float:
    return samples / timed.cpu_us


def _written(path: Path, pictures: NDArray[Any], layout: Layout) -> Path:
    """A recording by the tests' writer, its coders compiled."""
    frames = [
        Frame(
            picture,
            utc_ns=EPOCH + 10**17 + k * 40_000_000,
            exposure_s=0.04,
            status={"SystemTime": k, "TrackedSatellites": 8, "AlmanacStatus": 2, "Gain": 1.0},
        )
        for k, picture in enumerate(pictures)
    ]
    height, width = pictures.shape[1:]
    with ExitStack() as compiled:
        for name in ("_put_word", "quicklz_stream", "range_code"):
            compiled.enter_context(mock.patch.object(coders, name, numba.njit(getattr(coders, name))))
        compiled.enter_context(mock.patch.object(coders, "quick", lambda values: values))
        compiled.enter_context(mock.patch.object(coders, "room", lambda size: np.zeros(size, np.uint8)))
        return write_v2(path, Recording(width, height, 12, {1: layout}, frames, status_types=STATUS))


def _opened(path: Path) -> Stack:
    stack = open_in_place(path)
    assert stack is not None
    return stack


def _read(stack: Stack) -> None:
    for start in range(0, stack.info.frames, stack.shard_size):
        stack.read(start, min(start + stack.shard_size, stack.info.frames))
