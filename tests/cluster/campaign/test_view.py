"""The live view: it fits the terminal, and tells what matters."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cluster.campaign.events import WAITS, Event, Progress
from cluster.campaign.view import Live, drawn, status_line


def progress(running: int = 0, waiting: int = 0, **changed: Any) -> Progress:
    """A campaign of a thousand stations, some of them under way."""
    under_way = {f"station-{n:03d}": ("measure", 100 * n, 5000) for n in range(running)}
    under_way |= {f"later-{n:03d}": (WAITS, 0, 0) for n in range(waiting)}
    fields: dict[str, Any] = {
        "total": 1000,
        "planned": 900,
        "counts": {"done": 240, "failed": 9},
        "running": under_way,
        "frames": 1_200_000,
        "seconds": 700.0,
        "busy_s": 600.0,
        "left": 751,
        "workers": running,
        "ended_here": 249,
    }
    return Progress(**(fields | changed))


def failures(count: int) -> list[Event]:
    return [
        Event("failed", f"bad-{n}", failure="data", error=f"recording {n} is cut off " + "at its end " * 20)
        for n in range(count)
    ]


def lines(seen: Progress, failed: list[Event], width: int, height: int) -> list[str]:
    out = StringIO()
    Console(file=out, width=width, height=height).print(drawn(seen, failed, height))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 12), (200, 60)])
@pytest.mark.parametrize("running", [0, 2, 64])
def test_it_fits(width: int, height: int, running: int) -> None:
    found = lines(progress(running, running), failures(20), width, height)
    assert len(found) <= height // 2 + 1
    assert max(map(len, found)) <= width
    assert "249 of 1000" in found[0]


def test_what_is_told() -> None:
    found = lines(progress(2, 3), failures(9), 120, 40)
    text = "\n".join(found)
    assert (
        "240 done · 9 failed · 100 to be looked at · 2,000 frames/s · about 30 min to go · 2 workers" in text
    )
    assert "100/5000" in text
    assert "next: later-000, later-001, later-002" in text
    assert "bad-8: data: recording 8 is cut off" in text
    assert "bad-3" not in text


def test_more_than_there_is_room_for() -> None:
    text = "\n".join(lines(progress(64), [], 80, 24))
    assert "and 55 more" in text


def test_before_workers_are_there() -> None:
    assert status_line(progress(starting=True)) == "workers are started"


def test_failures_stay_in_view() -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    live = Live(out)
    for event in failures(1):
        live.tell(event)
    live.show(progress(1))
    live.close()
    assert out.getvalue().count("recording 0 is cut off") >= 2
