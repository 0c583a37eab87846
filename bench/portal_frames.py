"""The next frame of a 1920 x 1080 recording of 16 bits in headless Chromium, and what the service does."""

import statistics
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np

from bench.record import Record, Target
from cluster.executors import InProcess
from ingest.writers import write_fits_sequence, write_ser
from tests.api.access.world import make_world
from tests.api.client import API, serving
from tests.api.results.things import uploaded
from tests.api.uploads.served import LEAN, Served
from tests.api.web.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

HEIGHT, WIDTH = 1080, 1920
FRAMES = 48
SHOWN_MS = 100.0
PAUSE_MS = 400
"""Between steps: somebody looks at a frame before the next, or holds the key down (0)."""

STEP = """
async ([key, number, pause]) => {
  await new Promise((done) => setTimeout(done, pause));
  const sheet = document.querySelector("[data-sheet]");
  const from = performance.now();
  const shown = new Promise((done) => {
    new MutationObserver((_, watch) => {
      if (sheet.dataset.frame !== String(number)) return;
      watch.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(done));
    }).observe(sheet, { attributes: true, attributeFilter: ["data-frame"] });
  });
  if (key) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  else {
    const box = document.querySelector("[data-scrub] input");
    box.value = String(number);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }
  await shown;
  return performance.now() - from;
}
"""
"""From a pressed key to the picture after the one in which the frame was drawn: when it is on the screen."""


def portal_frames(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Step, jump and ask; of a SER file, read in place, and of FITS files, converted to a Zarr stack."""
    count = frames or FRAMES
    record = Record(
        "portal_frames",
        {"frame": f"{WIDTH} x {HEIGHT}, 16 bits", "frames": count, "repetitions": repetitions},
    )
    files, secret, home = _recordings(scratch, count)
    served = Served(home, LEAN, settings={"NUMBA_NUM_THREADS": "1"})
    served.start()
    worst: dict[str, float] = {}
    try:
        with chromium() as browser:
            context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=served.url)
            context.add_cookies([{"name": "umbra_session", "value": secret, "url": served.url}])
            for name, file in files.items():
                page = context.new_page()
                worst[name] = _browser(page, file, name, count, repetitions, record)
                page.close()
                _service(served.url, secret, file, name, count, record)
    finally:
        served.kill()
    record.targets = [
        Target(f"{name}: next frame on the screen, median ms", SHOWN_MS, found, at_least=False)
        for name, found in worst.items()
    ]
    return record


def _recordings(scratch: Path, count: int) -> tuple[dict[str, str], str, Path]:
    """Ids of the two recordings of a new service, a session, and its home."""
    rng = np.random.default_rng(1)
    sky = rng.normal(900.0, 25.0, (HEIGHT, WIDTH))
    pixels = [np.rint(sky + rng.normal(0.0, 12.0, (HEIGHT, WIDTH))).astype(np.uint16) for _ in range(count)]
    stamps = 1_602_562_282_000_000_000 + np.arange(count) * 40_000_000
    write_ser(scratch / "night.ser", iter(pixels), stamps_ns=stamps)
    write_fits_sequence(scratch / "fits", iter(pixels), stamps_ns=stamps, exposure_s=0.04)
    with zipfile.ZipFile(scratch / "night.zip", "w") as archive:
        for path in sorted((scratch / "fits").iterdir()):
            archive.write(path, path.name)
    (scratch / "data").mkdir()
    home = scratch / "home"
    with serving(scratch / "data", home, InProcess()) as client:
        state = client.app.state
        world = make_world(state.database)
        files = {
            name: uploaded(world, state.store, scratch / file, world.strict["observation"])
            for name, file in (("Zarr stack", "night.zip"), ("SER in place", "night.ser"))
        }
    return files, world.secrets["staff"], home


def _browser(page: "Page", file: str, name: str, count: int, repetitions: int, record: Record) -> float:
    """Times of frames in the viewer, ms; the median of steps."""
    page.set_default_timeout(300_000)
    page.goto(f"/files/{file}/view", timeout=300_000)
    page.wait_for_selector("[data-sheet][data-frame='0']")
    page.wait_for_timeout(2000)
    steps = min(count - 1, 4 * repetitions)
    looked = [float(page.evaluate(STEP, ["ArrowRight", k, PAUSE_MS])) for k in range(1, steps + 1)]
    held = [float(page.evaluate(STEP, ["ArrowLeft", k, 0])) for k in range(steps - 1, -1, -1)]
    fresh = list(range(steps + 8, count, 7))
    jumps = [float(page.evaluate(STEP, ["", k, PAUSE_MS])) for k in fresh]
    record.values |= {
        f"{name}: step after a look, ms": [round(one, 1) for one in looked],
        f"{name}: steps as fast as they come, ms": [round(one, 1) for one in held],
        f"{name}: jump to a frame not fetched before, ms": [round(one, 1) for one in jumps],
    }
    return statistics.median(looked)


def _service(url: str, secret: str, file: str, name: str, count: int, record: Record) -> None:
    """Wall time of the service's answers on loopback, ms."""
    forms = {
        "pixels": "{}/pixels.raw",
        "PNG, zscale": "{}.png?stretch=zscale",
        "PNG, a quarter": "{}.png?shrink=2",
        "time and levels": "{}",
    }
    with httpx.Client(base_url=url, cookies={"umbra_session": secret}, timeout=300) as client:
        for form, path in forms.items():
            taken = []
            for number in range(0, count, max(1, count // 12)):
                begun = time.perf_counter()
                answer = client.get(f"{API}/files/{file}/frames/{path.format(number)}")
                taken.append((time.perf_counter() - begun) * 1e3)
                assert answer.status_code == 200, answer.text
            record.values[f"{name}: service, {form}, median ms"] = round(statistics.median(taken), 1)
