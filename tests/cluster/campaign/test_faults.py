"""Whole campaigns that something is taken away from while they run: they end as if nothing had happened.

`UMBRA_FAULTS` sets how many there are, over the kinds in turn (three of each in the ordinary run;
``make faults`` has 100), and `UMBRA_FAULTS_OUT` the file that what came of them is written to.
"""

import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.record import Record
from tests import s3
from tests.cluster.campaign.faults.ground import Ground
from tests.cluster.campaign.faults.kinds import KINDS
from tests.requirements import missing, require

COUNT = int(os.environ.get("UMBRA_FAULTS", 3 * len(KINDS)))
OUT = os.environ.get("UMBRA_FAULTS_OUT")
SEEDS = [([*KINDS][number % len(KINDS)], 1 + number // len(KINDS)) for number in range(COUNT)]
GENTLE = ("postgresql", "s3")
"""Faults that take no work away: nothing is done again."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    for part in ("ray", "postgres", "s3"):
        require(part)
    made = Ground(tmp_path_factory.mktemp("faults"))
    try:
        made.prepare()
        yield made
    finally:
        made.close()


class Written:
    """What came of the campaigns, on a disk after each of them: one file of all processes of a run."""

    def __init__(self, path: Path, run: str) -> None:
        self._path, self._run = path, run

    def add(self, **fields: Any) -> None:
        with (Path(tempfile.gettempdir()) / f"umbra-faults-{self._run}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._write([*self._before(), fields])

    def _before(self) -> list[dict[str, Any]]:
        """Campaigns of this run that are written already."""
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))["values"]
        except FileNotFoundError:
            return []
        return list(values["campaigns"]) if values.get("run") == self._run else []

    def _write(self, campaigns: list[dict[str, Any]]) -> None:
        kinds = {kind: [one for one in campaigns if one["kind"] == kind] for kind in KINDS}
        record = Record("faults", {"campaigns": len(campaigns), "of": COUNT})
        record.values = {
            "run": self._run,
            "kinds": {
                kind: {
                    "campaigns": len(some),
                    "ended as undisturbed": sum(one["passed"] for one in some),
                    "workers lost": sum(one.get("lost", 0) for one in some),
                    "redone": sum(one.get("redone", 0) for one in some),
                    "objects left over, collected": sum(one.get("orphans", 0) for one in some),
                }
                for kind, some in kinds.items()
            },
            "campaigns": campaigns,
        }
        record.write(self._path, -1)


@pytest.fixture(scope="module")
def written() -> Written | None:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
    return None if OUT is None else Written(Path(OUT), run)


def as_root_of_its_own(seed: int) -> None:
    """Run the test of the full disk where anybody may mount one: in a name space of its own."""
    enter = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which(enter[0]) or subprocess.run([*enter, "true"], check=False).returncode:
        missing("tmpfs", "cannot be mounted: not by this user, and name spaces are not allowed")
    test = f"{__file__}::{test_a_campaign_ends_as_if_nothing_had_happened.__name__}[disk-{seed}]"
    command = [*enter, sys.executable, "-m", "pytest", test]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("kind", "seed"), SEEDS)
def test_a_campaign_ends_as_if_nothing_had_happened(
    kind: str,
    seed: int,
    ground: Ground,
    written: Written | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kind == "disk" and os.geteuid():
        as_root_of_its_own(seed)
        return
    for variable, value in s3.CREDENTIALS.items():
        monkeypatch.setenv(variable, value)
    fault = KINDS[kind][(seed - 1) % len(KINDS[kind])]
    began, found = time.monotonic(), {"kind": kind, "seed": seed, "passed": False}
    try:
        with fault(ground, tmp_path, f"{kind}-{seed}", random.Random(f"{kind} {seed}")) as campaign:
            outcome = campaign.check()
            found |= {
                "store": "s3" if "://" in campaign.place.store else "disk",
                "ray": campaign.ray != "none",
            }
            found |= {"lost": campaign.lost, "redone": outcome.redone, "runs": outcome.runs}
            found |= {"orphans": outcome.orphans}
            if kind != "disk":  # an attempt that finds no room is no death
                assert outcome.redone <= campaign.lost
            assert kind not in GENTLE or not outcome.redone
        found["passed"] = True
    finally:
        if written is not None:
            written.add(**found, seconds=round(time.monotonic() - began, 1))
