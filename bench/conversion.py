"""Recording to Zarr stack, against plain zarr and plain decoding."""

import shutil
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import zarr

from bench.record import Record
from bench.recordings import SerReader, avi_file, field_scene, ser_file, setting
from bench.timing import Case, interleave
from ingest.convert import convert
from ingest.formats import open_source
from ingest.timeoptions import TimeOptions
from reduction.synthetic import Scene

CHUNK = 16
BLOCK = 128


def ingest(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """SER and FFV1 to a stack (frame digests, times, atomic shards included)."""
    scene = field_scene(frames or 1_000)
    ser, avi = ser_file(scratch / "long.ser", scene), avi_file(scratch / "long.avi", scene)
    n = scene.frames
    cases = [
        Case("umbra, SER", "convert: SER to Zarr stack", n, partial(_umbra, ser, scratch / "u.zarr")),
        Case(
            "zarr, SER", "create_array, default codec, blocks of 128 frames", n,
            partial(_plain_ser, ser, scene, scratch / "z.zarr"),
        ),
        Case("umbra, FFV1", "convert: AVI to Zarr stack", n, partial(_umbra, avi, scratch / "u.zarr")),
        Case("PyAV, FFV1", "decode and to_ndarray, nothing written", n, partial(_decode, avi)),
        Case(
            "PyAV + zarr, FFV1", "decode, create_array, default codec", n,
            partial(_plain_avi, avi, scene, scratch / "z.zarr"),
        ),
    ]  # fmt: skip
    for case in cases:
        case.run()
    sizes = {
        "recorded": n * scene.height * scene.width,
        "umbra": _size(scratch / "u.zarr"),
        "zarr": _size(scratch / "z.zarr"),
    }
    record = Record("ingest", setting(scene) | {"frames": n})
    record.timed = list(interleave(cases, repetitions).values())
    record.compare(["umbra, SER"], ["zarr, SER"])
    record.compare(["umbra, FFV1"], ["PyAV, FFV1", "PyAV + zarr, FFV1"])
    record.values = {"bytes": sizes}
    return record


def _umbra(recording: Path, path: Path) -> None:
    options = TimeOptions(start_utc="2026-01-01T00:00:00", cadence_s=0.04)
    if recording.suffix == ".ser":
        options = TimeOptions(meaning="start")
    with closing(open_source(recording, options)) as source:
        convert(source, path, overwrite=True).close()


def _array(path: Path, scene: Scene) -> zarr.Array[Any]:
    shutil.rmtree(path, ignore_errors=True)
    return zarr.create_array(
        store=str(path),
        shape=(scene.frames, scene.height, scene.width),
        chunks=(CHUNK, scene.height, scene.width),
        dtype=scene.dtype,
    )


def _plain_ser(recording: Path, scene: Scene, path: Path) -> None:
    array = _array(path, scene)
    block = np.empty((BLOCK, scene.height, scene.width), scene.dtype)
    filled = start = 0
    for frame in SerReader(recording, scene):
        block[filled] = frame
        filled += 1
        if filled == BLOCK or start + filled == scene.frames:
            array[start : start + filled] = block[:filled]
            start, filled = start + filled, 0


def _decode(recording: Path) -> int:
    total = 0
    with av.open(str(recording)) as container:
        for frame in container.decode(video=0):
            total += int(frame.to_ndarray(format="gray")[0, 0])
    return total


def _plain_avi(recording: Path, scene: Scene, path: Path) -> None:
    array = _array(path, scene)
    block = np.empty((BLOCK, scene.height, scene.width), scene.dtype)
    filled = start = 0
    with av.open(str(recording)) as container:
        for frame in container.decode(video=0):
            block[filled] = frame.to_ndarray(format="gray")
            filled += 1
            if filled == BLOCK or start + filled == scene.frames:
                array[start : start + filled] = block[:filled]
                start, filled = start + filled, 0


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
