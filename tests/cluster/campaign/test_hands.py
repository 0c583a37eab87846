"""What tasks are asked to do with a recording: shared by all workers or not, on a GPU or not."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cluster.campaign import hands as hands_module
from cluster.campaign.account import Account
from cluster.campaign.digests import Digests
from cluster.campaign.hands import GPU_SHARE, OnRay, gpu_share, is_large
from cluster.campaign.observation import Observation
from cluster.campaign.orders import Work, work_for
from cluster.jobs.job import Claim
from cluster.requests import ReductionRequest
from cluster.store import open_store
from tests.recordings import SMALL, SMALL_8BIT, avi_of, ser_of
from tests.requirements import require


def work_of(store: Path, *inputs: str, device: str = "auto") -> Work:
    request = ReductionRequest(inputs=inputs, device=device)
    with closing(Digests(None)) as digests:
        return work_for(Observation("A", 1, request), str(store), digests)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands_module, "SHARED_BYTES", 1_000_000)
    monkeypatch.setattr(hands_module, "SHARED_VIDEO_BYTES", 100_000)


@pytest.mark.usefixtures("small_limits")
def test_videos_are_shared_sooner(tmp_path: Path) -> None:
    ser = ser_of(SMALL_8BIT, tmp_path / "a.ser")
    video, _ = avi_of(SMALL_8BIT, tmp_path / "a.avi")
    long = ser_of(SMALL, tmp_path / "b.ser")
    assert 100_000 < video.stat().st_size < 1_000_000
    assert 100_000 < ser.stat().st_size < 1_000_000 < long.stat().st_size
    assert not is_large(work_of(tmp_path / "store", str(ser)))
    assert is_large(work_of(tmp_path / "store", str(video)))
    assert is_large(work_of(tmp_path / "store", str(long)))


@pytest.mark.usefixtures("small_limits")
def test_recordings_of_the_store_by_their_size_there(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    long, short = store.put_raw(ser_of(SMALL, tmp_path / "b.ser")), store.put_raw(Path(__file__))
    assert is_large(work_of(tmp_path / "store", f"raw:{long.sha256}"))
    assert not is_large(work_of(tmp_path / "store", f"raw:{short.sha256}"))
    assert not is_large(work_of(tmp_path / "store", "raw:" + "0" * 64))


@pytest.mark.parametrize(
    ("device", "offered", "share"),
    [("auto", True, GPU_SHARE), ("cuda:1", True, GPU_SHARE), ("cpu", True, 0.0), ("auto", False, 0.0)],
)
def test_gpus_are_declared(device: str, offered: bool, share: float) -> None:
    assert gpu_share(device, offered) == share
    assert gpu_share("cuda:0", False) == 0.0


class Executor:
    """Notes what it is asked for: how many share an order, and what its task declares."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.asked: list[tuple[int, dict[str, Any]]] = []
        self.meanwhile = meanwhile

    def call(self, task: str, arguments: tuple[Any, ...], _what: str, **options: Any) -> str:
        assert task == "perform_order_task"
        self.asked.append((arguments[5], options))
        self.meanwhile()
        return Account("k", 1, 1.0, 1.0, None).text

    def stream(self, task: str, arguments: tuple[Any, ...], _what: str, **options: Any) -> Iterator[str]:
        assert task == "perform_orders_task"
        for _ in arguments[0]:
            self.asked.append((0, options))
            yield Account("k", 1, 1.0, 1.0, None).text

    def close(self) -> None:
        """Nothing."""


def on_ray(executor: Executor, workers: int, scratch: Path | None, address: str = "local") -> OnRay:
    hands = OnRay(address, workers, scratch)
    hands._executor = executor  # type: ignore[assignment]  # stands in
    hands._has_gpus = True
    return hands


def done(hands: OnRay, work: Work, attempt: int = 1) -> None:
    hands.perform(work, Claim("a" * 64, work.text, "", "c", attempt, 0.0), lambda *_: None, lambda: None)


@pytest.mark.usefixtures("small_limits")
def test_one_large_recording_is_shared_at_a_time(tmp_path: Path) -> None:
    large = work_of(tmp_path / "store", str(ser_of(SMALL, tmp_path / "b.ser")))
    executor = Executor()
    hands = on_ray(executor, 2, tmp_path)
    executor.meanwhile = lambda: done(hands, large, 2) if len(executor.asked) == 1 else None
    done(hands, large)
    done(hands, large, 3)
    assert [share for share, _ in executor.asked] == [2, 0, 2]
    assert {options["gpus"] for _, options in executor.asked} == {GPU_SHARE}
    hands.close()


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(
    ("workers", "scratch", "address", "share"),
    [(1, True, "local", 0), (3, False, "local", 3), (3, False, "10.0.0.1:6379", 0), (3, True, "auto", 3)],
)
def test_nodes_that_do_not_see_each_others_files_do_not_share(
    workers: int, scratch: bool, address: str, share: int, tmp_path: Path
) -> None:
    executor = Executor()
    hands = on_ray(executor, workers, tmp_path if scratch else None, address)
    done(hands, work_of(tmp_path / "store", str(ser_of(SMALL, tmp_path / "b.ser"))))
    assert [shared for shared, _ in executor.asked] == [share]
    hands.close()


def test_a_task_uses_the_gpu_that_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("ray")
    import ray

    from cluster import tasks

    path = str(ser_of(SMALL_8BIT, tmp_path / "a.ser"))

    def work(device: str) -> Work:
        return work_of(tmp_path / "store", path, device=device)

    monkeypatch.setattr(ray, "get_gpu_ids", lambda: [3])
    assert tasks.on_given_gpu(work("cuda:3")).request.device == "cuda:0"
    assert tasks.on_given_gpu(work("auto")).request.device == "auto"
    monkeypatch.setattr(ray, "get_gpu_ids", list)
    assert tasks.on_given_gpu(work("cuda:3")).request.device == "cuda:3"
