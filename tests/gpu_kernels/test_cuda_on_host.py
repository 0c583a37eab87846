"""The stand-in device sees what a GPU would punish."""

import numpy as np
import pytest

from gpu_kernels.device import namespace, on_cuda, to_device, to_host
from tests.gpu_kernels.cuda_on_host import namespace as stand_in
from tests.requirements import require

require("cc")

REVERSED = """
KERNEL void reversed(const float *in, int n, float *out) {
    __shared__ float line[64];
    int k = threadIdx.x;
    if (k < n) line[k] = in[k];
    BARRIER
    if (k < n) out[k] = line[n - 1 - k];
}
"""


def run(code: str, n: int, threads: int, length: int = 64) -> stand_in.DeviceArray:
    values = stand_in.asarray(np.arange(length, dtype=np.float32))
    out = stand_in.empty(length, np.float32)
    kernel = stand_in.RawModule(code).get_function("reversed")
    kernel((2,), (threads,), (values, np.int32(n), out))
    return out


def test_threads_share_memory_across_barriers() -> None:
    out = run(REVERSED.replace("BARRIER", "__syncthreads();"), 64, 64)
    assert np.array_equal(out.get(), np.arange(64.0)[::-1])


def test_a_missing_barrier_is_a_race() -> None:
    with pytest.raises(AssertionError, match="race"):
        run(REVERSED.replace("BARRIER", ""), 64, 64)


def test_a_barrier_that_some_threads_pass_by_is_seen() -> None:
    with pytest.raises(AssertionError, match="different barriers"):
        run(REVERSED.replace("BARRIER", "if (k < 5) __syncthreads();"), 64, 64)


@pytest.mark.parametrize("place", ["in[n]", "in[-5000]", "out[n]", "line[k + 1]", "1 << (n + k)"])
def test_accesses_outside_an_array_are_seen(place: str) -> None:
    code = REVERSED.replace("BARRIER", f"__syncthreads(); if (k == 63) out[k] = {place};")
    with pytest.raises(AssertionError, match=r"block \d,0,0 thread 63: (access|undefined)"):
        run(code, 64, 64)


def test_a_write_in_front_of_an_array_is_seen() -> None:
    code = REVERSED.replace("BARRIER", "__syncthreads(); out[-1] = 1.0f;")
    with pytest.raises(AssertionError, match="in front of"):
        run(code, 64, 64)


def test_arguments_must_have_the_types_of_the_signature() -> None:
    kernel = stand_in.RawModule(REVERSED.replace("BARRIER", "")).get_function("reversed")
    good, wrong = stand_in.zeros(64, np.float32), stand_in.zeros(64, np.float64)
    with pytest.raises(AssertionError, match="out is float64"):
        kernel((1,), (64,), (good, np.int32(64), wrong))
    with pytest.raises(AssertionError, match="n is int64"):
        kernel((1,), (64,), (good, np.int64(64), good))


def test_the_stand_in_counts_as_a_device() -> None:
    array = to_device(np.arange(3.0), like=stand_in.zeros(1))
    assert on_cuda(array)
    assert namespace(array) is stand_in
    assert np.array_equal(to_host(array), np.arange(3.0))
    with pytest.raises(TypeError, match="Implicit"):
        np.asarray(array)
