"""Choosing a device, and blocks on their way to it."""

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels import device
from gpu_kernels.device import SLOTS, Accelerator, Uploader, choose
from reduction.readahead import one_ahead
from tests.gpu_kernels.cuda_on_host import namespace as stand_in

SMALL = Accelerator(stand_in, 0, "small", 2**29)
LARGE = Accelerator(stand_in, 1, "large", 2**36)


def there_are(monkeypatch: pytest.MonkeyPatch, *found: Accelerator) -> None:
    monkeypatch.setattr(device, "accelerators", lambda: list(found))


def test_without_a_gpu_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    there_are(monkeypatch)
    assert choose("auto") is None
    assert choose("cpu") is None
    with pytest.raises(LookupError, match=r"cuda:0: there is no CUDA device"):
        choose("cuda:0")


def test_auto_takes_the_gpu_with_the_most_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    there_are(monkeypatch, SMALL, LARGE)
    assert choose("auto") is LARGE
    assert choose("cuda:0") is SMALL
    assert choose("cpu") is None
    with pytest.raises(LookupError, match=r"cuda:2: there is cuda:0 \(small\), cuda:1 \(large\)"):
        choose("cuda:2")


def test_auto_leaves_a_full_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    there_are(monkeypatch, SMALL)
    assert choose("auto") is None


def test_cupy_is_not_imported_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver(name: str) -> Any:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    monkeypatch.setitem(sys.modules, "cupy", None)  # an import would fail
    monkeypatch.setattr(importlib.util, "find_spec", str)
    assert device.accelerators() == []


def blocks(count: int) -> Iterator[NDArray[np.uint16]]:
    for k in range(count):
        yield np.full((4 if k < count - 1 else 2, 3, 5), 100 + k, np.uint16)


@pytest.mark.parametrize("ahead", [False, True])
def test_every_block_arrives_whole_and_in_order(ahead: bool) -> None:
    uploader = Uploader(SMALL, (3, 5), np.dtype(np.uint16), 4)
    for _ in range(2):  # it serves again
        arriving = uploader.blocks(blocks(8))
        for k, (host, there) in enumerate(one_ahead(arriving) if ahead else arriving):
            expected = np.full((4 if k < 7 else 2, 3, 5), 100 + k, np.uint16)
            np.testing.assert_array_equal(host, expected)
            np.testing.assert_array_equal(there.get(), expected)
        assert k == 7


def test_a_block_is_good_until_two_more_are_asked_for() -> None:
    arriving = Uploader(SMALL, (3, 5), np.dtype(np.uint16), 4).blocks(blocks(9))
    held: list[Any] = []
    for host, there in arriving:
        held = [*held, (host, there, int(host[0, 0, 0]))][-SLOTS:]
        for old_host, old_there, value in held:
            assert (old_host == value).all()
            assert (old_there.get() == value).all()


def test_a_block_that_does_not_fit_is_refused() -> None:
    uploader = Uploader(SMALL, (3, 5), np.dtype(np.uint16), 4)
    for wrong in (
        np.zeros((5, 3, 5), np.uint16),
        np.zeros((4, 3, 5), np.uint8),
        np.zeros((4, 5, 3), np.uint16),
    ):
        with pytest.raises(ValueError, match="a block of"):
            next(uploader.blocks([wrong]))
