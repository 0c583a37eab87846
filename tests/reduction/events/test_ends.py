"""Ends of deep runs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpu_kernels.runs import Run
from reduction.events.ends import deep_runs, flanks, placed


def deep(
    n: int, first: int, stop: int, bottom: float, seed: int = 0
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    z = np.random.default_rng(seed).standard_normal(n)
    z[first:stop] += bottom
    return z


@given(
    first=st.integers(5, 40),
    length=st.integers(10, 40),
    off=st.tuples(st.integers(-4, 4), st.integers(-4, 4)),
)
def test_ends_are_put_where_the_samples_have_them(first: int, length: int, off: tuple[int, int]) -> None:
    z = deep(100, first, first + length, -90.0)
    start = first + min(off[0], length // 2 - 1)
    found = placed(z, Run(start, max(first + length + off[1], start + 2), 7.0), 95)
    assert (found.first, found.stop, found.significance) == (first, first + length, 7.0)


def test_one_bad_sample_moves_no_end() -> None:
    z = deep(100, 30, 50, -90.0)
    z[27] = -4000.0
    z[47] = 300.0
    found = placed(z, Run(31, 48, 1.0), 95)
    assert (found.first, found.stop) == (30, 50)


def test_a_shallow_run_is_left_alone() -> None:
    z = deep(100, 30, 50, -3.0)
    assert placed(z, Run(25, 47, 1.0), 95) == Run(25, 47, 1.0)


def test_flanks_are_what_lies_between() -> None:
    z = np.zeros(60)
    z[20:40] = -80.0
    z[[18, 19, 20, 39, 40]] = [-10.0, -40.0, -70.0, -60.0, -5.0]
    assert np.flatnonzero(flanks(z, 19, 40)).tolist() == [18, 19, 20, 39, 40]
    assert not flanks(z / 40.0, 19, 40).any()  # no deep run


def test_deep_runs_are_the_longest() -> None:
    z = deep(400, 100, 130, -12.0)
    z[200:204] = -100.0
    assert deep_runs(z, 380) == [(100, 130), (200, 204)]
    assert deep_runs(deep(400, 100, 130, -3.0), 380) == []
    assert deep_runs(z, 20) == [(200, 204)]
