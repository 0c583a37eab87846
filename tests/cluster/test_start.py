"""Ray that does not start, by a stand-in: what is said, what is tried again, who answers SIGTERM."""

import os
import signal
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.executors import _start
from reduction.errors import ResourceError

LATE = Exception("The current node timed out during startup.")


class Ray(SimpleNamespace):
    """Starts as `outcomes` say, in turn."""

    def __init__(self, *outcomes: BaseException | None) -> None:
        super().__init__(outcomes=list(outcomes), inits=0, shutdowns=0)

    def is_initialized(self) -> bool:
        return False

    def init(self, **_: Any) -> None:
        self.inits += 1
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome

    def shutdown(self) -> None:
        self.shutdowns += 1


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.setenv(name, os.environ[name])
    for name in ("RAY_AUTH_TOKEN", "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


def start(monkeypatch: pytest.MonkeyPatch, ray: Ray) -> None:
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert _start("local", 1) is ray


def test_a_machine_that_is_too_busy_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray(LATE, None)
    start(monkeypatch, ray)
    assert (ray.inits, ray.shutdowns) == (2, 1)


def test_one_that_stays_too_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray(LATE, LATE)
    with pytest.raises(ResourceError, match=r"local does not start: The current node timed out.*again"):
        start(monkeypatch, ray)
    assert (ray.inits, ray.shutdowns) == (2, 2)


@pytest.mark.parametrize("error", [RuntimeError("no"), OSError("no"), ValueError("no")])
def test_what_will_not_be_better_the_next_time(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray(error)
    with pytest.raises(ResourceError, match="does not start: no"):
        start(monkeypatch, ray)
    assert ray.shutdowns == 1


def test_other_errors_are_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray(KeyError("ours"))
    with pytest.raises(KeyError):
        start(monkeypatch, ray)
    assert ray.shutdowns == 1


class EndedByTestError(BaseException):
    """What this process's own answer to SIGTERM raises."""


def test_sigterm_while_ray_starts_is_answered_by_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own answer, which it has put in place by then, would end it with a code of Ray's."""

    class Told(Ray):
        def init(self, **_: Any) -> None:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
            os.kill(os.getpid(), signal.SIGTERM)

    def ours(*_: object) -> None:
        raise EndedByTestError

    ray = Told()
    before = signal.signal(signal.SIGTERM, ours)
    try:
        with pytest.raises(EndedByTestError):
            start(monkeypatch, ray)
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ray.shutdowns == 1
