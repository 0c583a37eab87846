"""Settings of all tests: property tests draw the same examples every time and keep no database."""

import signal

import pytest
from hypothesis import settings

settings.register_profile("gate", derandomize=True, deadline=None, database=None)
settings.load_profile("gate")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background jobs ignore Ctrl-C, and would hand that down to the commands that tests interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks of tests need not survive a power cut."""
    if "PowerCut" not in request.node.nodeid:
        monkeypatch.setattr("ingest.durable.os.fsync", lambda _: None)
