"""A curve of 100,000 points in headless Chromium: from its data to its pixels, and while it is panned."""

import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.record import Record, Target
from cluster.executors import InProcess
from tests.api.client import serving
from tests.api.results.long import long_result
from tests.api.results.test_results import Done
from tests.api.uploads.served import LEAN, Served
from tests.api.web.browser import chromium
from tests.contracts.executors import SCENE
from tests.scenes.scenes import little_ser

if TYPE_CHECKING:
    from playwright.sync_api import Page

POINTS = 100_000
DRAW_MS = 200.0
FRAME_MS = 1000.0 / 60.0
LATE = 1.25
"""Times a frame's share of a second from which on a picture came late."""

PAN = """
async () => {
  const page = document.getElementById("curve").umbra;
  const [low, high] = page.whole(page.curve.columns.time);
  const span = (high - low) / 2, at = [], drawn = [];
  page.show(low, low + span);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (let k = 0; k < 180; k += 1) {
    const now = await new Promise((done) => requestAnimationFrame(done));
    at.push(now);
    const from = performance.now();
    const start = low + ((k % 90) / 90) * span;
    page.curve.view = [start, start + span];
    const to = { min: start, max: start + span };
    for (const panel of page.panels) panel.plot.batch(() => panel.plot.setScale("x", to));
    await null;
    drawn.push(performance.now() - from);
  }
  return { frames: at.slice(1).map((t, k) => t - at[k]), drawn };
}
"""


def portal_curve(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Draw and pan; the service is the real one, the recording's result made longer."""
    points = frames or POINTS
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # service and browser are several processes
    record = Record("portal_curve", {"points": points, "repetitions": repetitions, "window": "1280 x 900"})
    (scratch / "data").mkdir()
    home = scratch / "home"
    with serving(scratch / "data", home, InProcess()) as client:
        done = Done(client, little_ser(SCENE, scratch))
        state = client.app.state
        result = long_result(state.database, state.store, done.result, scratch / "made", points)
        secret = done.world.secrets["staff"]
    served = Served(home, LEAN, settings={"NUMBA_NUM_THREADS": "1"})
    served.start()
    try:
        with chromium() as browser:
            context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=served.url)
            context.add_cookies([{"name": "umbra_session", "value": secret, "url": served.url}])
            page = context.new_page()
            _measure(page, f"/results/{result}", repetitions, record)
    finally:
        served.kill()
    return record


def _measure(page: "Page", path: str, repetitions: int, record: Record) -> None:
    drawn, fetched = [], []
    for _ in range(repetitions):
        page.goto(path)
        page.wait_for_selector("#curve[data-ready]", state="attached", timeout=120_000)
        drawn.append(float(page.evaluate("performance.getEntriesByName('curve')[0].duration")))
        fetched.append(float(page.evaluate(
            "performance.getEntriesByType('resource').find((x) => x.name.endsWith('columns.bin')).duration"
        )))  # fmt: skip
    moved: dict[str, Any] = page.evaluate(PAN)
    intervals = sorted(moved["frames"])
    late = sum(one > LATE * FRAME_MS for one in intervals) / len(intervals)
    record.values = {
        "drawn, ms": [round(one, 1) for one in drawn],
        "columns fetched, ms": [round(one, 1) for one in fetched],
        "pan: work for a picture, median ms": round(statistics.median(moved["drawn"]), 2),
        "pan: between pictures, median ms": round(statistics.median(intervals), 2),
        "pan: between pictures, 95 % ms": round(intervals[int(0.95 * len(intervals))], 2),
        "pan: share of late pictures": round(late, 3),
    }
    record.targets = [
        Target("from data to pixels, median ms", DRAW_MS, statistics.median(drawn), at_least=False),
        Target("pan: pictures per second", 58.0, 1000.0 * len(intervals) / sum(intervals)),
    ]
