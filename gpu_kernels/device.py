"""Where arrays live: the library an array belongs to, and the only crossing between host and device.

A kernel takes arrays of any library that follows the array API standard (https://data-apis.org/array-api)
and gives results of the same library on the same device. It never asks by a flag: NumPy arrays go to the
compiled CPU text, CuPy arrays to the CUDA text where there is one, all others to an agnostic text.
"""

import ctypes
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = Any
"""An array of NumPy, of CuPy, or of a library that follows the array API standard."""


def on_host(array: Array) -> bool:
    """Whether an array, a list or a number is NumPy's to handle."""
    return isinstance(array, np.ndarray | np.generic | float | int | list | tuple)


def on_cuda(array: Array) -> bool:
    """Whether an array is CuPy's, or takes its place: it tells where on a CUDA device it lies."""
    return hasattr(type(array), "__cuda_array_interface__")


def namespace(array: Array) -> Any:
    """The array API namespace of an array's library: NumPy, CuPy, or what the array names.

    Raises
    ------
    TypeError
        What is given is no array of such a library.
    """
    if on_host(array):
        return np
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    if on_cuda(array):
        import cupy

        return cupy
    raise TypeError(f"{type(array).__name__} is no array of NumPy, CuPy or an array API library")


def type_name(array: Array) -> str:
    """Name of an array's data type, the same in every library and byte order: ``uint8``."""
    return str(getattr(array.dtype, "name", array.dtype)).rpartition(".")[2]


def to_device(values: ArrayLike, like: Array) -> Array:
    """Host values as an array of the library and on the device of `like`, of the same data type.

    Parameters
    ----------
    values : array_like
        Host array or numbers.
    like : array
        Decides the library and the device; its type and shape play no part.
    """
    host = np.asarray(values)
    if on_host(like):
        return host
    if on_cuda(like):
        with like.device:
            return namespace(like).asarray(host)
    return namespace(like).asarray(host, device=like.device)


def to_host(array: Array) -> NDArray[Any]:
    """Any array as a NumPy array; NumPy's own are returned as they are."""
    if on_host(array):
        return np.asarray(array)
    if on_cuda(array):
        return np.asarray(array.get())
    return np.asarray(np.from_dlpack(array))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A host array in order of rows that cannot be written to: one compiled text serves all frames."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A CUDA device that can be used.

    Attributes
    ----------
    library : module
        CuPy, or what takes its place.
    number : int
    model : str
        As its driver names it.
    free_bytes : int
        Device memory that was free when it was looked at.
    """

    library: Any
    number: int
    model: str
    free_bytes: int


LEAST_FREE_BYTES = 2**30
"""Device memory from which `choose` takes a device unasked."""


def accelerators() -> list[Accelerator]:
    """The CUDA devices of this machine; CuPy is imported only where there is a driver."""
    if importlib.util.find_spec("cupy") is None:
        return []
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    import cupy

    runtime = cupy.cuda.runtime
    try:
        count = int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError:
        return []  # a driver without a device, or too old a one
    found = []
    for number in range(count):
        with cupy.cuda.Device(number):
            free, _ = runtime.memGetInfo()
        model = runtime.getDeviceProperties(number)["name"].decode()
        found.append(Accelerator(cupy, number, model, int(free)))
    return found


def choose(device: str) -> Accelerator | None:
    """The accelerator that a request means; None: the CPU.

    Parameters
    ----------
    device : str
        ``cpu``; ``auto``: the accelerator with the most free memory, of `LEAST_FREE_BYTES` or more;
        ``cuda:N``.

    Raises
    ------
    LookupError
        There is no such device; what there is stands in the message.
    """
    if device == "cpu":
        return None
    found = accelerators()
    if device == "auto":
        best = max(found, key=lambda one: one.free_bytes, default=None)
        return best if best is not None and best.free_bytes >= LEAST_FREE_BYTES else None
    for one in found:
        if device == f"cuda:{one.number}":
            return one
    there = ", ".join(f"cuda:{one.number} ({one.model})" for one in found) or "no CUDA device"
    raise LookupError(f"{device}: there is {there}")


SLOTS = 3
"""Blocks on their way at once: one that is worked on, one that has arrived, one that is being copied."""


class Uploader:
    """Brings blocks of frames to a device while kernels run: pinned memory, and a stream of its own.

    Parameters
    ----------
    accelerator : Accelerator
    frame_shape : tuple of int
    dtype : numpy dtype
    block : int
        Largest number of frames in a block.
    """

    def __init__(
        self, accelerator: Accelerator, frame_shape: tuple[int, ...], dtype: np.dtype[Any], block: int
    ) -> None:
        self._accelerator = accelerator
        xp, shape = accelerator.library, (block, *frame_shape)
        size = int(np.prod(shape)) * dtype.itemsize
        with xp.cuda.Device(accelerator.number):
            self._stream = xp.cuda.Stream(non_blocking=True)
            self._there = [xp.empty(shape, dtype) for _ in range(SLOTS)]
            self._pinned = [
                np.frombuffer(xp.cuda.alloc_pinned_memory(size), dtype, int(np.prod(shape))).reshape(shape)
                for _ in range(SLOTS)
            ]
            self._sent: list[Any] = [None] * SLOTS

    def blocks(self, source: Iterable[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], Array]]:
        """Yield each block of `source`, as it lies in pinned memory, and on the device.

        Meant to run in a thread that is one block ahead of the one that works. A block is good until two
        more have been asked for; kernels that are queued on the device's default stream by then still see it.

        Raises
        ------
        ValueError
            A block does not fit.
        """
        xp = self._accelerator.library
        default = xp.cuda.Stream.null
        for number, frames in enumerate(source):
            slot, n = number % SLOTS, len(frames)
            pinned, there = self._pinned[slot][:n], self._there[slot][:n]
            if frames.shape != pinned.shape or frames.dtype != pinned.dtype:
                raise ValueError(
                    f"a block of {frames.dtype} {frames.shape} for {pinned.dtype} {pinned.shape}"
                )
            with xp.cuda.Device(self._accelerator.number):
                if self._sent[slot] is not None:
                    self._sent[slot].synchronize()  # before its pinned memory is written again
                np.copyto(pinned, frames)
                self._stream.wait_event(default.record())
                there.set(pinned, stream=self._stream)
                self._sent[slot] = self._stream.record()
                default.wait_event(self._sent[slot])
            yield pinned, there
