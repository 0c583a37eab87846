"""Which library an array belongs to, and the crossing between host and device."""

import numpy as np
import pytest

from gpu_kernels import device
from gpu_kernels.device import namespace, on_cuda, on_host, read_only, to_device, to_host, type_name
from tests.gpu_kernels.homes import Home, in_homes


@in_homes(namespace, on_host, on_cuda, to_device, to_host, type_name)
def test_there_and_back(home: Home) -> None:
    for values in (np.arange(6.0).reshape(2, 3), np.array([True, False]), np.arange(4, dtype=np.uint8)):
        there = home.put(values)
        assert on_host(there) == (home.name == "numpy")
        assert on_cuda(there) == (home.name == "cupy")
        assert namespace(there).__name__.partition(".")[0] in {"numpy", "array_api_strict", "cupy"}
        moved = to_device(values, there)
        assert home.lives_here(moved)
        back = to_host(moved)
        assert back.dtype == values.dtype
        assert type_name(there) == values.dtype.name
        np.testing.assert_array_equal(back, values)


def test_host_arrays_are_not_copied() -> None:
    values = np.arange(3)
    assert to_host(values) is values
    assert to_device(values, values) is values


def test_read_only_frames_are_in_order_of_rows_and_not_copied_without_need() -> None:
    values = np.arange(6.0).reshape(2, 3)
    view = read_only(values)
    assert np.shares_memory(view, values)
    assert values.flags.writeable
    for turned in (values.T, values[:, ::2]):
        view = read_only(turned)
        assert view.flags.c_contiguous
        assert not view.flags.writeable
        np.testing.assert_array_equal(view, turned)


def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(TypeError, match="no array of NumPy, CuPy"):
        device.namespace("frames")
