"""CUDA texts of the kernels and their launchers, reached by early return from the public functions.

The texts are compiled by NVRTC on first use and kept by CuPy. They hold no float atomics and every sum is
taken in a fixed order; ``--fmad=false`` keeps the compiler from contracting products and sums, so that they
round as the CPU's do. The launchers use of CuPy only memory and `RawModule`: none of its own kernels, which
would need CUDA's headers.
"""

import functools
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np

from gpu_kernels.device import namespace

Array: TypeAlias = Any
"""A CuPy array."""

TEXTS = ("develop", "coarse", "stars", "transform", "photometry")
NO_PIXELS = "uint8"
"""Stated as pixel type of texts that see no pixels: they are compiled once."""
PIXELS = {
    "uint8": ("unsigned char", "float", 1),
    "uint16": ("unsigned short", "float", 1),
    "float32": ("float", "float", 0),
    "float64": ("double", "double", 0),
}
"""Pixel type -> its name in CUDA, a floating type that holds it exactly, and whether it is an integer."""

LARGEST_PLAIN_SHARED = 48 * 1024
"""Bytes of dynamic shared memory that a kernel gets without asking."""


def source(text: str) -> str:
    """A CUDA text with what every text begins with."""
    folder = files(__package__)
    head = folder.joinpath("kernel.cuh").read_text(encoding="utf-8")
    return head + folder.joinpath(f"{text}.cu").read_text(encoding="utf-8")


def options(pixel: str) -> tuple[str, ...]:
    """Options of the compiler for frames of a pixel type."""
    kind, value, integer = PIXELS[pixel]
    return (f"-DPIXEL={kind}", f"-DVALUE={value}", f"-DPIXEL_IS_INTEGER={integer}", "--fmad=false")


@functools.cache
def module(xp: Any, text: str, pixel: str) -> Any:
    """A text's kernels for frames of a pixel type, compiled on first use; `xp` is CuPy."""
    return xp.RawModule(code=source(text), options=options(pixel))


def launch(
    text: str,
    kernel: str,
    frames: Array,
    grid: Sequence[int],
    threads: int,
    *arguments: Any,
    shared: int = 0,
    pixel: str | None = None,
) -> None:
    """Run one kernel on the device of `frames`, on the current stream.

    Parameters
    ----------
    text, kernel : str
        Name of the CUDA text, and of the kernel in it.
    frames : CuPy array
        Decides the device, and the pixel type unless `pixel` does.
    grid : sequence of int
        Blocks; the first may reach 2^31 - 1, the others 65,535.
    threads : int
        Of a block.
    arguments
        Arrays; NumPy scalars of the kernel's own types; Python integers become ``int``, floats ``double``.
    shared : int
        Bytes of dynamic shared memory.
    """
    if min(grid) < 1:
        return
    with frames.device:
        function = module(namespace(frames), text, pixel or frames.dtype.name).get_function(kernel)
        if shared > LARGEST_PLAIN_SHARED:
            function.max_dynamic_shared_size_bytes = shared
        function(tuple(grid), (threads,), tuple(map(_argument, arguments)), shared_mem=shared)


def _argument(value: Any) -> Any:
    """A Python number as the C type that the kernels take."""
    if isinstance(value, bool | int):
        return np.int32(value)
    if isinstance(value, float):
        return np.float64(value)
    return value


def contiguous(*arrays: Array) -> list[Array]:
    """The same values in C order, as the kernels read them."""
    return [namespace(array).ascontiguousarray(array) for array in arrays]


MOST_BLOCKS = 65_535
"""Blocks in the second direction of a grid."""


def blocks(count: int, threads: int) -> int:
    """Blocks of `threads` that cover `count`."""
    return -(-count // threads)


def strided(count: int, threads: int) -> int:
    """The same for kernels whose threads go on by strides, which a large frame needs."""
    return min(blocks(count, threads), MOST_BLOCKS)
