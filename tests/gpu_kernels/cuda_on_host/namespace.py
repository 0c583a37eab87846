"""A stand-in for CuPy's module: strict device arrays, and kernels that run on the host.

It offers what the launchers use and no more. Arrays do not turn into NumPy arrays unasked, arguments of a
kernel must have the very types of its signature, and fresh memory holds rubbish.
"""

import ctypes
import mmap
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tests.gpu_kernels.cuda_on_host.build import SCALARS, Argument, build, signatures

CANARY, RUBBISH = 0xAB, 0xCD
FENCE_BYTES = 2**18
float32, float64 = np.float32, np.float64
__version__ = "0"
_libc = ctypes.CDLL(None, use_errno=True)


class Fence:
    """Memory that ends where a page may not be touched, and whose beginning is watched."""

    def __init__(self, size: int) -> None:
        page = mmap.PAGESIZE
        room = -(-max(size, 1) // page) * page
        self._map = mmap.mmap(-1, room + 2 * FENCE_BYTES)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        for edge in (start, start + FENCE_BYTES + room):
            if _libc.mprotect(ctypes.c_void_p(edge), ctypes.c_size_t(FENCE_BYTES), 0):
                raise OSError(ctypes.get_errno(), "mprotect")
        inside = np.frombuffer(self._map, np.uint8)[FENCE_BYTES : FENCE_BYTES + room]
        self._before, self.memory = inside[: room - size], inside[room - size :]
        self._before[...] = CANARY
        self.memory[...] = RUBBISH

    @property
    def whole(self) -> bool:
        """Whether nothing was written in front of it."""
        return bool((self._before == CANARY).all())


class DeviceArray:
    """What the tests take for a CuPy array: its memory lies on the host, but only `get` tells."""

    def __init__(self, fence: Fence, host: NDArray[Any]) -> None:
        self.fence, self._host = fence, host

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self._host.__array_interface__, "version": 3}

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return sys.modules[__name__]

    def __array__(self, *args: object, **kwargs: object) -> NDArray[Any]:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    flags = property(lambda self: self._host.flags)

    @property
    def device(self) -> AbstractContextManager[None]:
        return nullcontext()

    def __len__(self) -> int:
        return len(self._host)

    def __getitem__(self, key: Any) -> Self:
        return type(self)(self.fence, self._host[key])

    def reshape(self, *shape: Any) -> Self:
        """A view of another shape."""
        view = self._host.view()
        view.shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return type(self)(self.fence, view)

    def get(self, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """A copy on the host."""
        if out is None:
            return self._host.copy()
        out[...] = self._host
        return out

    def set(self, values: NDArray[Any], stream: "cuda.Stream | None" = None) -> None:
        """Copy from the host: at once, or on a stream, and then only when that is waited for."""
        assert values.shape == self.shape
        assert values.dtype == self.dtype
        if stream is None:
            self._host[...] = values
        else:
            stream.queue(lambda: self._host.__setitem__(..., values))

    def fill(self, value: Any) -> None:
        """Set every element."""
        self._host[...] = value


def empty(shape: int | tuple[int, ...], dtype: Any = np.float64) -> DeviceArray:
    """Memory full of rubbish."""
    sizes = (shape,) if isinstance(shape, int) else shape
    kind = np.dtype(dtype)
    fence = Fence(int(np.prod(sizes, dtype=np.int64)) * kind.itemsize)
    return DeviceArray(fence, fence.memory.view(kind).reshape(sizes))


def zeros(shape: int | tuple[int, ...], dtype: Any = np.float64) -> DeviceArray:
    """Memory of zeros."""
    out = empty(shape, dtype)
    out.fill(0)
    return out


def asarray(values: Any, dtype: Any = None) -> DeviceArray:
    """A copy of host values, or the device array itself."""
    if isinstance(values, DeviceArray):
        assert dtype is None or values.dtype == dtype, "CuPy would run a kernel of its own here"
        return values
    host = np.asarray(values, dtype)
    out = empty(host.shape, host.dtype)
    out.set(host)
    return out


def ascontiguousarray(values: DeviceArray) -> DeviceArray:
    """The array itself; it must be contiguous."""
    assert values.flags.c_contiguous, "CuPy would run a kernel of its own here"
    return values


def copyto(goal: DeviceArray, values: DeviceArray) -> None:
    """Copy from array to array."""
    goal.set(values.get())


class _Event:
    """A place in a stream's queue, and when it was recorded."""

    def __init__(self, stream: "cuda.Stream | None" = None) -> None:
        self.record(stream)

    def record(self, stream: "cuda.Stream | None" = None) -> None:
        """Take the place after all that is queued."""
        self._stream = cuda.Stream.null if stream is None else stream
        self._place, self.seconds = self._stream.queued, time.perf_counter()

    def synchronize(self) -> None:
        """Do what is queued before it."""
        self._stream.run(self._place)


class cuda:  # noqa: N801  # stands for a module
    """What is used of ``cupy.cuda``."""

    @staticmethod
    def Device(number: int) -> AbstractContextManager[None]:  # noqa: N802
        """The only device there is."""
        assert number == 0
        return nullcontext()

    @staticmethod
    def alloc_pinned_memory(size: int) -> bytearray:
        """Host memory full of rubbish."""
        return bytearray([RUBBISH]) * size

    Event = _Event

    class memory:  # noqa: N801  # stands for a module
        """What is used of ``cupy.cuda.memory``."""

        class OutOfMemoryError(MemoryError):
            """Device memory is full."""

    @staticmethod
    def get_elapsed_time(start: _Event, stop: _Event) -> float:
        """Milliseconds."""
        return 1e3 * (stop.seconds - start.seconds)

    class Stream:
        """Copies that are done no sooner than they must be."""

        null: "cuda.Stream"

        def __init__(self, non_blocking: bool = False) -> None:
            self.non_blocking = non_blocking
            self._work: list[Callable[[], None]] = []
            self._done = 0

        @property
        def queued(self) -> int:
            """Number of everything ever queued."""
            return len(self._work)

        def queue(self, work: Callable[[], None]) -> None:
            """Put off."""
            self._work.append(work)

        def run(self, stop: int) -> None:
            """Do what was put off, in order."""
            while self._done < stop:
                self._work[self._done]()
                self._done += 1

        def synchronize(self) -> None:
            """Do everything."""
            self.run(self.queued)

        def record(self) -> _Event:
            """An event after all that is queued."""
            return _Event(self)

        def wait_event(self, event: _Event) -> None:
            """Nothing queued from now on comes before the event."""
            event.synchronize()


cuda.Stream.null = cuda.Stream()


class RawModule:
    """Kernels of a CUDA text, compiled for the host."""

    def __init__(self, code: str, options: tuple[str, ...] = ()) -> None:
        self._signatures = signatures(code, options)
        self._library = build(code, options)

    def get_function(self, name: str) -> "Kernel":
        """A kernel by its name."""
        return Kernel(name, self._signatures[name], getattr(self._library, f"launch_{name}"))


class Kernel:
    """A kernel that is launched as CuPy's are."""

    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, name: str, arguments: tuple[Argument, ...], launch: Callable[..., int]) -> None:
        self._name, self._arguments, self._launch = name, arguments, launch

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], *, shared_mem: int = 0
    ) -> None:
        """Run twice, threads and blocks forwards and backwards; both must leave the same bytes."""
        assert len(args) == len(self._arguments), f"{self._name} takes {len(self._arguments)} arguments"
        assert len(block) == 1, "blocks of one dimension"
        assert block[0] <= 1024
        assert shared_mem <= self.max_dynamic_shared_size_bytes, "more shared memory than was asked for"
        sizes = (*grid, 1, 1)[:3]
        assert all(size >= 1 for size in sizes), f"{self._name}: an empty grid {grid} cannot be launched"
        assert max(sizes[1:]) < 65536
        values = [self._value(given, wanted) for given, wanted in zip(args, self._arguments, strict=True)]
        addresses = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        written = {id(a.fence): a.fence for a in args if isinstance(a, DeviceArray)}
        before = {key: fence.memory.copy() for key, fence in written.items()}
        outcomes = []
        for backwards in (0, 1):
            for key, fence in written.items():
                fence.memory[...] = before[key]
            message = ctypes.create_string_buffer(256)
            bad = self._launch(
                addresses,
                (ctypes.c_uint * 3)(*sizes),
                block[0],
                ctypes.c_long(shared_mem),
                backwards,
                message,
            )
            assert not bad, f"{self._name}: {message.value.decode()}"
            assert all(fence.whole for fence in written.values()), f"{self._name} wrote in front of an array"
            outcomes.append({key: fence.memory.tobytes() for key, fence in written.items()})
        assert outcomes[0] == outcomes[1], f"{self._name}: the order of threads decides: a race"

    def _value(self, given: Any, wanted: Argument) -> Any:
        """A ctypes value for an argument whose type is the one of the signature."""
        where = f"{self._name}: {wanted.name}"
        if wanted.array:
            assert isinstance(given, DeviceArray), f"{where} must be a device array"
            kind = "uint8" if given.dtype == np.bool_ else given.dtype.name
            assert kind == wanted.dtype, f"{where} is {given.dtype}, {wanted.dtype} needed"
            assert given.flags.c_contiguous, f"{where} is not contiguous"
            return ctypes.c_void_p(given.__cuda_array_interface__["data"][0])
        assert isinstance(given, np.generic), f"{where} must be a NumPy scalar"
        assert given.dtype.name == wanted.dtype, f"{where} is {given.dtype}, {wanted.dtype} needed"
        return SCALARS[wanted.dtype](given.item())
