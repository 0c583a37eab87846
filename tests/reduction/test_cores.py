import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from reduction.cores import at_most, cores


def test_those_the_process_is_bound_to() -> None:
    bound = os.sched_getaffinity(0)
    assert cores() == len(bound)
    os.sched_setaffinity(0, {min(bound)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, bound)


def test_never_more_than_the_limit() -> None:
    with at_most(1):
        assert cores() == 1
        with at_most(10_000):
            assert cores() == 1
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(cores).result() == 1
    assert cores() == len(os.sched_getaffinity(0))


def test_the_limit_ends_with_an_error() -> None:
    with pytest.raises(KeyError), at_most(1):
        raise KeyError
    assert cores() == len(os.sched_getaffinity(0))


def test_no_cores_at_all() -> None:
    with pytest.raises(ValueError, match="one or more"), at_most(0):
        pass
