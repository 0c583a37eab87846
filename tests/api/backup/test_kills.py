"""Backup and restore are killed at random points: both sides stay sound, and the next run goes on.

`UMBRA_BACKUP_KILLS` sets how many kills there are (6 in the ordinary run, SQLite and a folder alone; ``make
faults`` has 20, half of them with PostgreSQL and S3), and `UMBRA_BACKUP_KILLS_OUT` the file that what came
of them is written to.
"""

import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from api.backup.checking import check  # noqa: E402 - after the check for the extra
from api.backup.destination import open_destination  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402
from bench.record import Record  # noqa: E402
from cluster.store import open_store  # noqa: E402
from cluster.store.opening import objects_at  # noqa: E402
from tests import postgres, s3  # noqa: E402
from tests.api.backup.forge import Forge, forging  # noqa: E402
from tests.api.backup.service import Rested, rested, rows, said, settings_of  # noqa: E402

KILLS = int(os.environ.get("UMBRA_BACKUP_KILLS", "6"))
OUT = os.environ.get("UMBRA_BACKUP_KILLS_OUT")
FILES = 40
LIVES = 4
"""Kills of one and the same restore, at most."""

Place = tuple[str, str, str]
"""Database, store and backups of a service."""


@dataclass
class Trial:
    """A service at rest, its backups, and what was seen of them."""

    folder: Path
    forge: Forge
    service: Rested
    backups: str
    rng: random.Random
    new: Callable[[Path], ServiceSettings]
    values: dict[str, int] = field(default_factory=dict)
    places: int = 0

    def count(self, what: str, number: int = 1) -> None:
        self.values[what] = self.values.get(what, 0) + number

    def took(self, verb: str, *arguments: str, settings: ServiceSettings) -> float:
        """Seconds of an undisturbed run, which must succeed."""
        began = time.monotonic()
        code = self.forge.run(verb, *arguments, environment=environment(settings))
        assert code == 0, self.forge.said
        return time.monotonic() - began

    def hit(self, seconds: float, verb: str, *arguments: str, settings: ServiceSettings) -> bool:
        """Whether a run was still under way when it was killed."""
        code = self.forge.run(
            verb, *arguments, environment=environment(settings), kill_after_s=self.rng.uniform(0.0, seconds)
        )
        assert code in {None, 0}, self.forge.said
        self.count(f"kills of {verb}", code is None)
        return code is None

    def look(self) -> None:
        """Every backup that exists is whole, and so is the service's store."""
        destination = open_destination(self.backups, make=True)
        room = self.folder / "room"
        room.mkdir(exist_ok=True)
        for looked in check(destination, destination.ids(), room, deep=True):
            assert looked.count == 0, looked
            self.count("backups read through")
        (room / "there").unlink()
        store = open_store(self.service.settings.kept, make=False)
        assert all(finding.harmless for finding in store.verify())

    def kill_backups(self, kills: int) -> None:
        """Backups with something new in each, some of which are left to finish."""
        before = self.values.get("kills of backup", 0)
        seconds = self.took("backup", self.backups, settings=self.service.settings)
        while self.values.get("kills of backup", 0) - before < kills:
            self.send()
            while self.hit(seconds, "backup", self.backups, "--keep", "2", settings=self.service.settings):
                self.look()
                if self.rng.random() < 0.5 or self.values["kills of backup"] - before >= kills:
                    break
        self.took("backup", self.backups, "--keep", "2", settings=self.service.settings)
        self.look()

    def send(self) -> None:
        path = self.folder / "sent"
        for _ in range(FILES // 4):
            path.write_bytes(self.rng.randbytes(self.rng.choice((10, 40_000))))
            open_store(self.service.settings.kept, make=False).put_raw(path)

    def kill_restores(self, kills: int) -> None:
        """Restores into new places, each killed several times, then left to finish; all of them equal."""
        before = self.values.get("kills of restore", 0)
        expected = rows(self.service.settings, self.folder / f"rows-{time.monotonic_ns()}")
        seconds = 1.0
        while True:
            settings = self._place()
            done = False
            if self.places > 1:
                for _ in range(LIVES):
                    if self.values.get("kills of restore", 0) - before >= kills or done:
                        break
                    done = not self.hit(seconds, "restore", self.backups, settings=settings)
                    self.look()
            if not done:
                seconds = self.took("restore", self.backups, settings=settings)
            self._compare(expected, settings)
            if self.values.get("kills of restore", 0) - before >= kills:
                return

    def _place(self) -> ServiceSettings:
        self.places += 1
        return self.new(self.folder / f"new-{self.places}")

    def _compare(self, expected: dict[str, list[dict[str, Any]]], settings: ServiceSettings) -> None:
        found = rows(settings, settings.home / "rows")
        for name in expected.keys() - {
            "login_session",
            "audit",
            "job_transition",
            "upload",
            "webhook_followed",
        }:
            assert found[name] == expected[name], name
        assert len(found["audit"]) == len(expected["audit"]) + 1
        assert len(said(settings)) == 1
        kept = {entry.name: entry.size for entry in objects_at(self.service.settings.kept).entries("")}
        assert {entry.name: entry.size for entry in objects_at(settings.kept).entries("")} == kept
        assert all(finding.state == "ok" for finding in open_store(settings.kept).verify(deep=True))
        part = f"uploads/{self.service.upload}.part"
        assert (settings.home / part).read_bytes() == (self.service.settings.home / part).read_bytes()[:9000]
        self.count("restores, equal")


def environment(settings: ServiceSettings) -> dict[str, str]:
    return {
        "UMBRA_HOME": str(settings.home),
        "UMBRA_DATABASE": settings.database,
        "UMBRA_STORE": settings.store,
    }


def tried(folder: Path, new: Callable[[Path], ServiceSettings], backups: str, kills: int, seed: int) -> Trial:
    """Half the kills for each of the two."""
    folder.mkdir()
    with forging(folder) as forge:
        service = rested(new(folder / "home"), folder / "made")
        trial = Trial(folder, forge, service, backups, random.Random(seed), new)
        for _ in range(4 if kills else 1):
            trial.send()
        trial.kill_backups(kills // 2)
        trial.kill_restores(kills - kills // 2)
    return trial


def with_servers(
    closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> tuple[Callable[[Path], ServiceSettings], str]:
    """Services with PostgreSQL and S3."""
    for name, value in s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server = closing.enter_context(s3.running())

    def new(home: Path) -> ServiceSettings:
        database = closing.enter_context(postgres.fresh())
        return settings_of(home, database=database, store=server.url(f"{home.parent.name}/{home.name}"))

    return new, server.url("backups")


def test_kills_at_random_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = KILLS >= 20
    values = {}
    trial = tried(tmp_path / "disk", settings_of, str(tmp_path / "backups"), KILLS // 2 if many else KILLS, 7)
    values["SQLite, folder"] = trial.values
    if many:
        require("postgres")
        require("s3")
        with ExitStack() as closing:
            new, backups = with_servers(closing, monkeypatch)
            trial = tried(tmp_path / "net", new, backups, KILLS - KILLS // 2, 8)
        values["PostgreSQL, S3"] = trial.values
    if OUT is not None:
        record = Record("backup-kills", {"kills": KILLS, "files": FILES})
        record.values = values
        record.write(Path(OUT), -1)
    killed = sum(number for some in values.values() for what, number in some.items() if "kills" in what)
    assert killed >= KILLS


def test_there_and_back_with_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL, S3, and backups in S3, once."""
    require("postgres")
    require("s3")
    with ExitStack() as closing:
        new, backups = with_servers(closing, monkeypatch)
        trial = tried(tmp_path / "net", new, backups, 0, 8)
    assert trial.values["restores, equal"] == 1
