"""The queue under a campaign: a thousand cancelled while some run, ten thousand sent three times."""

import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from bench.record import Record, Target
from cluster.jobs.job import Order
from tests import postgres
from tests.cluster.campaign.steered import Endless, queue_of, supervise

JOBS = 1000
SENT = 10_000
LIMIT_S = 5.0


def queue(scratch: Path, frames: int | None, _repetitions: int) -> Record:
    """`umbra campaign cancel` of a campaign at work, until its supervisor has ended everything."""
    jobs = frames or JOBS
    record = Record("queue", {"jobs": jobs, "at work": Endless.slots, "sent": SENT})
    with ExitStack() as closing:
        places = {"SQLite": [], "PostgreSQL": ["--jobs", closing.enter_context(postgres.running()).url]}
        for name, where in places.items():
            folder = scratch / name
            folder.mkdir()
            said, ended = cancelled(folder, [str(folder / "store"), "c", *where], jobs)
            record.values[f"{name}, cancel: the command, s"] = said
            record.values[f"{name}, cancel: all have ended, s"] = ended
            what = f"{jobs} jobs queued and running cancelled, {name}, s"
            record.targets.append(Target(what, LIMIT_S, ended, at_least=False))
            record.values[f"{name}, {SENT} sent, three times, s"] = sent(folder, where)
    return record


def cancelled(folder: Path, where: list[str], jobs: int) -> tuple[float, float]:
    """Seconds from the start of the command to its end, and until nothing runs or waits any more."""
    hands, counts = Endless(), Counter[str]()
    stations = [f"s{number}" for number in range(jobs)]
    running = threading.Thread(target=lambda: counts.update(supervise(folder, where, hands, stations)))
    running.start()
    for _ in range(hands.slots):
        hands.busy.acquire()
    with queue_of(where) as store:
        while not store.counts("c").get("done"):  # the planning, when all is planned
            time.sleep(0.1)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "umbra", "campaign", "cancel", *where], check=True)
    said = time.perf_counter() - began
    running.join()
    if counts != {"cancelled": jobs}:
        raise RuntimeError(f"ended otherwise: {counts}")
    return said, time.perf_counter() - began


def sent(folder: Path, where: list[str]) -> list[float]:
    """Seconds for each of three times that the same jobs are sent."""
    found = []
    with queue_of([str(folder / "store"), "c", *where]) as store:
        for _ in range(3):
            began = time.perf_counter()
            new = sum(store.submit(Order(f"{i:064x}", "{}", "ann", "sent") for i in range(SENT)))
            found.append(time.perf_counter() - began)
            if new != (SENT if len(found) == 1 else 0):
                raise RuntimeError(f"{new} of them were new")
    return found
