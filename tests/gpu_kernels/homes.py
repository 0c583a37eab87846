"""The three homes in which every kernel of arrays is run, and the register of what was run in them.

NumPy; `array_api_strict` on its ``device1``, which stands in for a GPU where there is none: its arrays refuse
to mix with host arrays and offer nothing beyond the standard; CuPy, marked ``gpu``.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from importlib.util import find_spec
from typing import Any, TypeVar

import array_api_strict
import numpy as np
import pytest

from gpu_kernels.device import on_cuda

Test = TypeVar("Test", bound=Callable[..., Any])

REGISTER: dict[str, list[str]] = {}
"""Public kernel, ``module.function`` -> tests that run it in all homes."""


@dataclass(frozen=True)
class Home:
    """One library and device."""

    name: str

    def put(self, value: Any) -> Any:
        """A host array as one of this home; what is no array stays as it is."""
        if not isinstance(value, np.ndarray) or self.name == "numpy":
            return value
        if self.name == "cupy":
            import cupy

            return cupy.asarray(value)
        return array_api_strict.asarray(value, device=array_api_strict.Device("device1"))

    def lives_here(self, array: Any) -> bool:
        """Whether an array is of this home."""
        if self.name == "numpy":
            return isinstance(array, np.ndarray)
        if self.name == "cupy":
            return on_cuda(array)
        strict = type(array).__module__.startswith("array_api_strict")
        return strict and array.device == array_api_strict.Device("device1")

    def get(self, value: Any) -> Any:
        """A result on the host: arrays must be of this home, and of dataclasses and tuples every array."""
        if isinstance(value, tuple):
            return tuple(self.get(part) for part in value)
        if is_dataclass(value) and not isinstance(value, type):
            parts = {field.name: self.get(getattr(value, field.name)) for field in fields(value)}
            return type(value)(**parts)
        if not hasattr(value, "ndim"):
            return value
        assert self.lives_here(value), f"{type(value)} is not of {self.name}"
        if self.name == "strict":
            return np.array(value.to_device(array_api_strict.Device("CPU_DEVICE")))
        return value.get() if self.name == "cupy" else value

    def run(self, kernel: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a kernel with its arrays in this home; its result on the host."""
        moved = [self.put(value) for value in arguments]
        return self.get(kernel(*moved, **{name: self.put(value) for name, value in options.items()}))


def cuda_there() -> bool:
    """Whether a CUDA device can be used."""
    if find_spec("cupy") is None:
        return False
    import cupy

    return bool(cupy.cuda.is_available())


NO_CUDA = pytest.mark.skipif(not cuda_there(), reason="no CUDA device")
HOMES = (
    pytest.param(Home("numpy"), id="numpy"),
    pytest.param(Home("strict"), id="strict"),
    pytest.param(Home("cupy"), id="cupy", marks=[pytest.mark.gpu, NO_CUDA]),
)


def registers(*kernels: Callable[..., Any]) -> Callable[[Test], Test]:
    """Enter a test that runs in every home in the register, for these kernels."""

    def entered(test: Test) -> Test:
        for kernel in kernels:
            name = f"{kernel.__module__}.{kernel.__name__}"
            REGISTER.setdefault(name, []).append(f"{test.__module__}.{test.__name__}")
        return test

    return entered


def in_homes(*kernels: Callable[..., Any]) -> Callable[[Test], Test]:
    """Run a test in every home, as its argument `home`, and enter it for these kernels in the register."""

    def marked(test: Test) -> Test:
        everywhere: Test = pytest.mark.parametrize("home", HOMES)(registers(*kernels)(test))
        return everywhere

    return marked
