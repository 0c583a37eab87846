"""Reading RAVF files in every layout against plain reads of the same bytes, on one core and on all."""

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import numpy as np

from bench.plain_reads import plain_reads
from bench.record import Record, Target
from bench.scaling import add_scaling
from bench.timing import Case, interleave
from ingest.formats import open_in_place
from reduction.stack import Stack
from tests.ingest.ravf_writer import write_ravf

FRAMES = 96
HEIGHT, WIDTH = 1088, 1456
LAYOUTS = {"8 bit": 0, "16 bit": 1, "packed 10 bit": 2, "packed 12 bit": 3, "16 bit, padded rows": 1}
MAGIC = (0xAF8ABD3C2A98CA3F).to_bytes(8, "little")


def ravf(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Read whole recordings of Astrid's camera, a shard at a time."""
    count = frames or FRAMES
    paths = {name: _written(scratch / f"{k}.ravf", name, count) for k, name in enumerate(LAYOUTS)}
    read = plain_reads()
    with ExitStack() as opened:
        stacks = {name: opened.enter_context(closing(_opened(path))) for name, path in paths.items()}
        ours = [
            Case(name, "RavfStack.read, a shard at a time", count, partial(_read, stack))
            for name, stack in stacks.items()
        ]
        plain = [
            Case(f"read() of {name}", "os.preadv into one buffer", count, partial(read, path))
            for name, path in paths.items()
        ]
        for case in (*plain, *ours):
            case.run()
        timed = interleave([*plain, *ours], repetitions)
        record = Record("ravf", {"width": WIDTH, "height": HEIGHT, "frames": count})
        bounds = {case.name: peer for case, peer in zip(ours, plain, strict=True)}
        add_scaling(record, ours, repetitions, bounds)
    record.timed = list(timed.values())
    for name in LAYOUTS:
        record.compare([name], [f"read() of {name}"])
    record.targets[:0] = [
        Target(f"{name}, share of read()", 0.6, record.found(name, f"read() of {name}")) for name in LAYOUTS
    ]
    return record


def _written(path: Path, name: str, count: int) -> Path:
    """One noisy frame again and again: what it holds makes no difference to the time."""
    image_format = LAYOUTS[name]
    kind = np.uint8 if image_format == 0 else np.uint16
    frame = np.random.default_rng(1).normal(120, 9, (1, HEIGHT, WIDTH)).astype(kind)
    padding = 4 if "packed 10" in name or "padded" in name else 0
    write_ravf(path, frame, image_format=image_format, padding=padding, closed=False)
    whole = path.read_bytes()
    first = whole.find(MAGIC)
    with path.open("wb") as file:
        file.write(whole[:first])
        for _ in range(count):
            file.write(whole[first:])
    return path


def _opened(path: Path) -> Stack:
    stack = open_in_place(path)
    assert stack is not None
    return stack


def _read(stack: Stack) -> None:
    for start in range(0, stack.info.frames, stack.shard_size):
        stack.read(start, min(start + stack.shard_size, stack.info.frames))
