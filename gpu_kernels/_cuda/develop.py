"""Launchers of develop.cu: response, offset, scale and defects of many frames."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._cuda import NO_PIXELS, Array, blocks, contiguous, launch, strided
from gpu_kernels.device import namespace

THREADS = 256
RESPONSE, OFFSET, SCALE = 1, 2, 4


class Development(Protocol):
    """What `calibrate.Development` says; arrays of size 0 leave their step out."""

    @property
    def response(self) -> NDArray[np.float32]: ...  # see calibrate.Development
    @property
    def offset(self) -> NDArray[np.float32]: ...
    @property
    def scale(self) -> NDArray[np.float32]: ...
    @property
    def defect(self) -> NDArray[np.bool_]: ...
    @property
    def places(self) -> NDArray[np.int64]: ...
    @property
    def step(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Masters:
    """A development on a device, where it stays while blocks of frames come and go."""

    steps: int
    response: Array
    offset: Array
    scale: Array
    defect: Array
    places: Array
    step: int


def masters(development: Development, like: Array) -> Masters:
    """Bring a development onto the device of `like`."""
    xp = namespace(like)

    def put(array: NDArray[np.generic]) -> Array:
        return xp.asarray(np.ascontiguousarray(array))

    steps = sum(
        bit
        for bit, array in (
            (RESPONSE, development.response),
            (OFFSET, development.offset),
            (SCALE, development.scale),
        )
        if array.size
    )
    with like.device:
        return Masters(
            steps,
            put(development.response),
            put(development.offset),
            put(development.scale),
            put(development.defect.astype(np.uint8)),
            put(development.places),
            development.step,
        )


def develop(frames: Array, made: Masters) -> Array:
    """`calibrate.develop` of frames ``(n, h, w)`` or ``(n, c, h, w)``: float32."""
    (frames,) = contiguous(frames)
    n, rows, width = frames.shape[0], frames.shape[-2], frames.shape[-1]
    size = frames.size // max(n, 1)
    with frames.device:
        out = namespace(frames).empty(frames.shape, np.float32)
    launch(
        "develop", "develop", frames, (n, strided(size, THREADS)), THREADS, frames, np.int64(size),
        made.steps, made.response, made.offset, made.scale, out,
    )  # fmt: skip
    count = made.places.size
    launch(
        "develop", "repair", frames, (n, blocks(count, THREADS)), THREADS, made.defect, made.places, count,
        size // width, width, rows, made.step, out, pixel=NO_PIXELS,
    )  # fmt: skip
    return out
