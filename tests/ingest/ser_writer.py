"""A small SER writer that shares no code with the reader."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPOCH_TICKS = 621_355_968_000_000_000


def ser_header(
    *,
    width: int,
    height: int,
    frames: int,
    depth: int = 8,
    colour: int = 0,
    flag: int = 0,
    ticks: int = EPOCH_TICKS + 17_000_000_000_000_000,
) -> bytes:
    """178 bytes, field by field as the table in the specification has them."""
    fields = [0, colour, flag, width, height, depth, frames]
    head = b"LUCAM-RECORDER" + b"".join(value.to_bytes(4, "little", signed=True) for value in fields)
    for text in (b"A. Observer", b"Camera 1", b"Telescope"):
        head += text.ljust(40)
    head += ticks.to_bytes(8, "little", signed=True) * 2
    assert len(head) == 178
    return head


def write_ser(
    path: Path,
    frames: NDArray[Any],
    *,
    stamps_ns: Sequence[int] | None = None,
    depth: int | None = None,
    colour: int = 0,
    flag: int = 0,
    big: bool = False,
    count: int | None = None,
    kind_bits: int = 0,
) -> Path:
    """Write `frames` (t, y, x), or (t, y, x, 3) for colour 100 and 101, as they stand in the file.

    `big` is the byte order of the samples, `flag` what the header says of it; `count` overrides the count.
    """
    depth = frames.dtype.itemsize * 8 if depth is None else depth
    body = frames.astype(">u2" if big else "<u2") if frames.dtype.itemsize == 2 else frames
    with path.open("wb") as file:
        file.write(
            ser_header(
                width=frames.shape[2],
                height=frames.shape[1],
                frames=len(frames) if count is None else count,
                depth=depth,
                colour=colour,
                flag=flag,
            )
        )
        file.write(body.tobytes())
        for ns in stamps_ns or ():
            file.write(((ns // 100 + EPOCH_TICKS) | (kind_bits << 62)).to_bytes(8, "little"))
    return path


def utc_ns(text: str) -> int:
    """Nanoseconds of an ISO time, by the standard library."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def starry(
    frames: int, height: int, width: int, *, sky: float, peak: float, top: int, seed: int = 1
) -> NDArray[Any]:
    """Noisy frames with three stars, (t, y, x), of the smallest unsigned type that holds `top`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    scene = np.full((height, width), float(sky))
    for cy, cx in rng.uniform(3, min(height, width) - 3, (3, 2)):
        scene += peak * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 4.5)
    noisy = rng.normal(scene, np.sqrt(scene), (frames, height, width))
    return np.clip(np.rint(noisy), 0, top).astype(np.uint8 if top < 256 else np.uint16)
