"""Settings of all tests: property tests draw the same examples every time and keep no database."""

import gc
import os
import signal

import pytest
from hypothesis import settings

from tests import postgres
from tests.order import is_long

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # as `umbra` does, before NumPy is imported

settings.register_profile("gate", derandomize=True, deadline=None, database=None)
settings.load_profile("gate")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background jobs ignore Ctrl-C, and would hand that down to the commands that tests interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)


gc.disable()  # a million objects come with the collection, and all stay


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later search for garbage."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order in which workers should take them; the order within a file stays."""
    items.sort(key=lambda item: not is_long(item.nodeid.split("::")[0]))


def pytest_sessionfinish() -> None:
    """End what the tests of a process share."""
    postgres.close_shared()


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks of tests need not survive a power cut."""
    if "PowerCut" not in request.node.nodeid:
        monkeypatch.setattr("ingest.durable.os.fsync", lambda _: None)
