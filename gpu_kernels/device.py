"""Where arrays live: the library an array belongs to, and the only crossing between host and device.

A kernel takes arrays of any library that follows the array API standard (https://data-apis.org/array-api)
and gives results of the same library on the same device. It never asks by a flag: NumPy arrays go to the
compiled CPU text, CuPy arrays to the CUDA text where there is one, all others to an agnostic text.
"""

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
