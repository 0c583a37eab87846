"""A service's supervisor: it ends when it is told to, also while nothing is ready yet."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from cluster.campaign.attending import Attendant
from cluster.campaign.events import Silent
from cluster.stopping import DiedError
from reduction.errors import UmbraError


class Late:
    """Hands whose workers do not get ready; the first of them die."""

    workers = 1
    slots = 1

    def __init__(self, deaths: int = 0, ready: bool = False) -> None:
        self.deaths, self.ready = deaths, ready
        self.starts = 0
        self.waits = threading.Event()

    def start(self, check: Callable[[], None] | None = None) -> None:
        self.starts += 1
        if self.starts <= self.deaths:
            raise DiedError("workers: its worker died")
        while not self.ready:
            assert check is not None
            check()
            self.waits.set()

    def perform(self, *order: Any) -> Any:
        raise AssertionError(order)

    def close(self) -> None:
        """Nothing."""


def attendant(hands: Late) -> Attendant:
    unused: Any = None
    return Attendant(unused, unused, hands, Silent())


def test_it_does_not_wait_for_workers_when_it_is_to_end() -> None:
    hands, stop, troubles = Late(), threading.Event(), list[UmbraError]()
    thread = threading.Thread(target=attendant(hands).attend, args=(stop, troubles.append), daemon=True)
    thread.start()
    assert hands.waits.wait(10.0)
    stop.set()
    thread.join(10.0)
    assert not thread.is_alive()
    assert troubles == []


def test_workers_that_die_while_they_load_are_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hands, stop, troubles = Late(deaths=2, ready=True), threading.Event(), list[UmbraError]()
    monkeypatch.setattr("cluster.campaign.attending.PAUSE_S", 0.0)
    turns: list[int] = []

    def turn(_self: Attendant) -> None:
        turns.append(hands.starts)
        if len(turns) == 2:
            stop.set()

    monkeypatch.setattr(Attendant, "_turn", turn)
    attendant(hands).attend(stop, troubles.append)
    assert turns == [3, 3]
    assert [str(error) for error in troubles] == ["workers: its worker died"] * 2
