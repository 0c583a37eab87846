"""Decoders compiled by numba: one decorator, which keeps their machine code beside that of the kernels.

numba knows that kept code is out of date by the file of the function alone: a decoder and all that it calls
stand in one file.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

from gpu_kernels import _numba  # noqa: F401  # names the folder that numba keeps machine code in

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function at its first call, without the interpreter's lock, and keep it on the disk.

    Indices are not checked: a decoder of what came from outside must check each one itself.
    """
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))
