"""Orders put together: each is done once and told of alone, whatever becomes of the others of its batch."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.campaign import batches as batches_module
from cluster.campaign.account import Account
from cluster.campaign.batches import MOST, Batches, Order
from cluster.campaign.orders import Work
from cluster.jobs.job import Claim
from cluster.requests import ReductionRequest
from cluster.stopping import DiedError, StoppedError
from reduction.errors import DataError, UmbraError


def order_of(
    name: str, alone: bool = False, gpus: float = 0.0, check: Callable[[], None] = lambda: None
) -> Order:
    work = Work(name, "k" * 64, ReductionRequest(inputs=("a.ser",)), "state", "store", 1)
    return Order(work, Claim(name, work.text, "", "c", 1, 0.0), alone, gpus, lambda *_: None, check)


class Worker:
    """Does batches as it is told; the names of each, and of those that it was through with."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun: Counter[str] = Counter()
        self.go = threading.Event()
        self.go.set()
        self.deaths: Counter[str] = Counter()
        self.lock = threading.Lock()

    def do(self, left: "deque[Order]") -> Iterator[Account | UmbraError]:
        with self.lock:
            self.batches.append([order.work.station for order in left])
        while left:
            name = left[0].work.station
            self.go.wait(300)
            for order in left:
                order.stopped()
            left[0].check()
            with self.lock:
                self.begun[name] += 1
                dies = self.deaths[name] > 0
                self.deaths[name] -= dies
            if dies:
                raise DiedError(f"{name}: its worker died")
            yield DataError(name) if name.startswith("bad") else Account(name, 1, 0.1, 0.1, None)


def done(batches: Batches, orders: list[Order]) -> dict[str, str]:
    """What became of each, all given at once."""

    def one(order: Order) -> str:
        try:
            return batches.perform(order).result
        except (UmbraError, StoppedError) as error:
            return type(error).__name__

    with ThreadPoolExecutor(len(orders)) as pool:
        return dict(zip([order.work.station for order in orders], pool.map(one, orders), strict=True))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "LOOK_S", 0.01)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_each_order_is_done_once_and_none_of_a_batch_is_too_large(workers: int) -> None:
    worker = Worker()
    orders = [order_of(f"s{n}") for n in range(40)]
    assert done(Batches(workers, worker.do), orders) == {f"s{n}": f"s{n}" for n in range(40)}
    assert set(worker.begun.values()) == {1}
    assert max(map(len, worker.batches)) <= MOST


def test_the_last_ones_are_shared_out() -> None:
    """Ten that wait for two workers: whoever comes gets a part of what is left, the last one alone."""
    worker = Worker()
    worker.go.clear()
    batches = Batches(2, worker.do)
    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(batches.perform, order_of(f"s{n}")) for n in range(12)]
        while sum(map(len, worker.batches)) < 2 or len(batches._waiting) < 10:
            threading.Event().wait(0.01)
        worker.go.set()
        for each in waiting:
            each.result(300)
    sizes = [len(batch) for batch in worker.batches]
    assert sum(sizes) == 12
    assert sizes[:2] == [1, 1]
    assert max(sizes) == MOST
    assert sizes[-1] == 1


def test_an_order_that_fails_fails_alone() -> None:
    worker = Worker()
    worker.go.clear()
    orders = [order_of(name) for name in ("a", "b", "bad", "c", "d", "e")]
    threading.Timer(0.2, worker.go.set).start()
    found = done(Batches(1, worker.do), orders)
    assert found == {"a": "a", "b": "b", "bad": "DataError", "c": "c", "d": "d", "e": "e"}


def test_a_worker_that_dies_takes_one_order_with_it() -> None:
    worker = Worker()
    worker.go.clear()
    worker.deaths["c"] = 1
    orders = [order_of(name) for name in "abcdefgh"]
    threading.Timer(0.2, worker.go.set).start()
    found = done(Batches(1, worker.do), orders)
    assert found == {name: "DiedError" if name == "c" else name for name in "abcdefgh"}
    assert set(worker.begun.values()) == {1}


def test_one_that_is_stopped_while_it_waits_is_never_begun() -> None:
    worker = Worker()
    worker.go.clear()
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise StoppedError("stopped")

    batches = Batches(1, worker.do)
    orders = [order_of("a"), order_of("b", check=check), order_of("c")]
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(batches.perform, order) for order in orders]
        stop.set()
        with pytest.raises(StoppedError):
            waiting[1].result(30)
        worker.go.set()
        assert [waiting[0].result(30).result, waiting[2].result(30).result] == ["a", "c"]
    assert worker.begun == {"a": 1, "c": 1}


def test_large_ones_and_those_that_declare_something_else_stay_apart() -> None:
    worker = Worker()
    worker.go.clear()
    orders = [
        order_of("first"),
        *(order_of(f"g{n}", gpus=0.25) for n in range(3)),
        order_of("large", alone=True),
        *(order_of(f"s{n}") for n in range(3)),
    ]
    batches = Batches(1, worker.do)
    with ThreadPoolExecutor(len(orders)) as pool:
        waiting = []
        for order in orders:
            waiting.append(pool.submit(batches.perform, order))
            while not order.account.done() and order not in batches._waiting and not worker.batches:
                threading.Event().wait(0.005)
            threading.Event().wait(0.02)
        worker.go.set()
        for each in waiting:
            each.result(300)
    for batch in worker.batches:
        assert batch == ["large"] or "large" not in batch
        assert len({name[0] for name in batch}) == 1


def test_closing_tells_those_who_wait() -> None:
    worker = Worker()
    worker.go.clear()
    batches = Batches(1, worker.do)
    orders = [order_of(name) for name in "abc"]
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(batches.perform, order) for order in orders]
        while len(batches._waiting) < 2:
            threading.Event().wait(0.01)
        batches.close()
        worker.go.set()
        ended = [each.exception(30) for each in waiting]
    assert sorted(type(error).__name__ for error in ended) == ["NoneType", "StoppedError", "StoppedError"]
