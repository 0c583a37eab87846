"""Settings of all tests: property tests draw the same examples every time and keep no database."""

import signal

import pytest
from hypothesis import settings

settings.register_profile("gate", derandomize=True, deadline=None, database=None)
settings.load_profile("gate")

LONG = (
    "tests/scenes/", "tests/bench/test_bench.py", "fuzz", "mutated", "tests/test_bad_input.py",
    "campaign/test_faults",
)  # fmt: skip
"""Parts of the names of files that take longest: they come first, so that no worker ends with a long one."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background jobs ignore Ctrl-C, and would hand that down to the commands that tests interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order in which workers should take them; the order within a file stays."""
    items.sort(key=lambda item: not any(part in item.nodeid.split("::")[0] for part in LONG))


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks of tests need not survive a power cut."""
    if "PowerCut" not in request.node.nodeid:
        monkeypatch.setattr("ingest.durable.os.fsync", lambda _: None)
