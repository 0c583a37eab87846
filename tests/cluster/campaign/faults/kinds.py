"""The faults: each takes something away from a campaign that works, at a moment of its generator's."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.cluster.campaign.faults.disturbed import Disturbed
from tests.cluster.campaign.faults.drive import LEASE_S
from tests.cluster.campaign.faults.ground import Ground, Place, on_disk, on_servers, somewhere
from tests.processes import below
from tests.requirements import missing

REFUSED_S = 20.0
DISK_MIB = 6
Fault = Callable[[Ground, Path, str, random.Random], AbstractContextManager[Disturbed]]


def on_cluster(ground: Ground, folder: Path, name: str, place: Place, manifest: str = "many") -> Disturbed:
    """A campaign on the cluster, started."""
    cluster = ground.cluster
    found = Disturbed(ground, folder, name, place, cluster.address, manifest, cluster.token)
    found.start()
    return found


def started(
    ground: Ground, folder: Path, name: str, place: Place, ray: bool, manifest: str = "many"
) -> Disturbed:
    """A campaign on the cluster, or in one process, started."""
    if ray:
        return on_cluster(ground, folder, name, place, manifest)
    found = Disturbed(ground, folder, name, place, manifest=manifest)
    found.start()
    return found


@contextmanager
def worker(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """A worker is killed while it reduces a recording."""
    with on_cluster(ground, folder, name, somewhere(ground, folder, name, rng)) as campaign:
        os.kill(campaign.while_it_works(rng), signal.SIGKILL)
        campaign.lost += 1
        campaign.ends_well()
        yield campaign


@contextmanager
def segment(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """A worker is killed while it measures a segment of a large recording."""
    with on_cluster(ground, folder, name, somewhere(ground, folder, name, rng), "large") as campaign:
        os.kill(campaign.while_it_works(rng), signal.SIGKILL)
        campaign.lost += 1
        campaign.ends_well()
        yield campaign


@contextmanager
def leader(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """The worker that leads a large recording is killed."""
    with on_cluster(ground, folder, name, somewhere(ground, folder, name, rng), "large") as campaign:
        campaign.while_it_works(rng)
        os.kill(campaign.leading(), signal.SIGKILL)
        campaign.lost += 1  # of the workers that it gives segments to
        campaign.ends_well()
        yield campaign


@contextmanager
def raylet(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """The raylet of a node is killed; its worker goes with it."""
    node = ground.cluster.start_node(1)
    (pid,) = (pid for pid, line in below(node.pid).items() if b"raylet/raylet" in line.split(b"\0")[0])
    try:
        with on_cluster(ground, folder, name, somewhere(ground, folder, name, rng)) as campaign:
            campaign.until(lambda: bool(campaign.working().keys() & below(pid).keys()))
            time.sleep(rng.uniform(0.0, ground.seconds))
            os.kill(pid, signal.SIGKILL)
            campaign.lost += 1
            campaign.ends_well()
            yield campaign
    finally:
        ground.cluster.end(node)


def killed_driver(manifest: str, ray: bool) -> Fault:
    """The driver is killed; the same command is given again."""

    @contextmanager
    def driver(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
        place = somewhere(ground, folder, name, rng)
        with started(ground, folder, name, place, ray, manifest) as campaign:
            campaign.while_it_works(rng)
            campaign.drivers[0].process.kill()
            campaign.lost += 1  # the worker ends with it
            campaign.drivers[0].wait()
            time.sleep(rng.uniform(0.0, 1.0))
            campaign.start()
            campaign.ends_well()
            yield campaign

    return driver


@contextmanager
def head(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """The head is killed with all that runs there; it is started again, and the same command given again."""
    with on_cluster(ground, folder, name, somewhere(ground, folder, name, rng)) as campaign:
        campaign.while_it_works(rng)
        (node,) = ground.cluster.nodes
        ground.cluster.end(node)
        campaign.lost += 1
        try:
            assert campaign.drivers[0].wait() != 0, campaign.drivers[0].said()
        finally:
            ground.cluster.start_head(1)
        campaign.start()
        campaign.ends_well()
        yield campaign


def anywhere(ground: Ground, folder: Path, name: str, rng: random.Random) -> Disturbed:
    """A campaign on servers, in one process or on the cluster, started."""
    return started(ground, folder, name, on_servers(ground, name), rng.random() < 0.34)


@contextmanager
def database(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """PostgreSQL is killed and started again."""
    with anywhere(ground, folder, name, rng) as campaign:
        campaign.while_it_works(rng)
        ground.database.kill()
        try:
            time.sleep(rng.uniform(0.0, 3.0))
        finally:
            ground.database.start()
        campaign.ends_well()
        yield campaign


@contextmanager
def refused(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """S3 refuses all connections for twenty seconds."""
    with anywhere(ground, folder, name, rng) as campaign:
        campaign.while_it_works(rng)
        _, proxy = ground.objects
        proxy.refuse()
        try:
            time.sleep(REFUSED_S)
        finally:
            proxy.resume()
        campaign.ends_well()
        yield campaign


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of a few MiB; the test is skipped where none can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "umbra-tests", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        missing("tmpfs", f"cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def disk(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """The disk of results, queue and scratch is full for a while."""
    with small_disk(folder / "disk") as full, Disturbed(ground, folder, name, on_disk(full)) as campaign:
        campaign.start()
        campaign.while_it_works(rng)
        fill(full / "filler")
        time.sleep(rng.uniform(0.0, 10.0))
        (full / "filler").unlink()
        code = campaign.drivers[0].wait()
        assert code in {0, 3, 4}, campaign.drivers[0].said()
        if code == 3:
            campaign.steer("retry-failed")
        if code:
            campaign.start()
        campaign.ends_well()
        yield campaign


def fill(path: Path) -> None:
    """Write until there is no more room."""
    size = 1 << 16
    with path.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


@contextmanager
def stopped(ground: Ground, folder: Path, name: str, rng: random.Random) -> Iterator[Disturbed]:
    """A driver and its worker sleep past their lease; another driver takes over; they wake."""
    with anywhere(ground, folder, name, rng) as campaign:
        first = campaign.drivers[0]
        asleep = [first.process.pid, campaign.while_it_works(rng)]
        for pid in asleep:
            os.kill(pid, signal.SIGSTOP)
        campaign.lost += 1
        try:
            time.sleep(LEASE_S)
            campaign.start("none")  # what sleeps keeps the cluster's CPU
            if rng.random() < 0.67:
                campaign.ends_well()
            else:
                time.sleep(rng.uniform(0.0, 4.0))
        finally:
            for pid in asleep:
                os.kill(pid, signal.SIGCONT)
        campaign.ends_well()
        assert first.wait() == 0, first.said()
        yield campaign


KINDS: dict[str, tuple[Fault, ...]] = {
    "worker": (worker, segment, leader),
    "raylet": (raylet,),
    "driver": (killed_driver("many", False), killed_driver("large", True), killed_driver("many", True)),
    "head": (head,),
    "postgresql": (database,),
    "s3": (refused,),
    "disk": (disk,),
    "stopped": (stopped,),
}
"""By the word that says what is taken away: seed after seed, one of these."""
