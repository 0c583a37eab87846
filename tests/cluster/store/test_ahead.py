"""Work ahead of what is asked for: in order, bounded, and errors in their place."""

import threading
import time
from collections.abc import Iterator

import pytest

from cluster.store.ahead import WAITING, ahead


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_in_order(threads: int, count: int) -> None:
    def late(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number**2

    assert list(ahead(late, range(count), threads)) == [number**2 for number in range(count)]


@pytest.mark.parametrize("threads", [1, 3])
def test_bounded(threads: int) -> None:
    taken = 0

    def things() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    results = ahead(lambda number: number, things(), threads)
    for number in range(20):
        assert next(results) == number
        assert taken <= number + 2 + WAITING * threads
    results.close()  # type: ignore[attr-defined]  # it is a generator


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_in_its_place(threads: int) -> None:
    done: list[int] = []

    def fails(number: int) -> int:
        if number == 3:
            raise ValueError("the third")
        done.append(number)
        return number

    results = ahead(fails, range(1000), threads)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(results)
    assert len(done) <= 3 + WAITING * threads
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("store")]
