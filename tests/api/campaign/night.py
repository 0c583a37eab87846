"""A campaign as people make it: a service that is killed, e-mails, five observers and the staff."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.client import Service
from api.remote.kept import config_file
from tests.api.campaign.truth import Place
from tests.api.mail.sink import Sink, listening
from tests.api.remote.terminal import ROOT, Terminal
from tests.api.uploads.served import SERVE, Served
from tests.requirements import require

PASSWORD = "a good long sentence"
TOKEN = re.compile(r"^  ([A-Za-z0-9_-]{43})\r?$", re.MULTILINE)
STAFF = "staff@example.org"


@dataclass
class Night:
    """A service, where its e-mails go, and the people."""

    served: Served
    sink: Sink
    folder: Path
    people: dict[str, Terminal] = field(default_factory=dict)

    def terminal(self, email: str) -> Terminal:
        return self.people.setdefault(email, Terminal(self.folder / email))

    def key(self, email: str) -> str:
        """What somebody's terminal has kept."""
        terminal = self.terminal(email)
        path = Path(terminal.variables["XDG_CONFIG_HOME"]) / "umbra" / config_file().name
        found = re.search(r'"key": *"([^"]+)"', path.read_text())
        assert found is not None
        assert path.stat().st_mode & 0o077 == 0
        return found[1]

    def service(self, email: str) -> Service:
        """The client, as somebody."""
        return Service(self.served.url, self.key(email))

    def mails(self, email: str, words: str = "") -> list[Any]:
        """What somebody got, by a part of the subject."""
        return [mail for mail in self.sink.mails if mail["To"] == email and words in str(mail["Subject"])]

    def mail(self, email: str, words: str, seconds: float = 300.0) -> Any:
        """The last of these, waited for."""
        ends = time.monotonic() + seconds
        while not (found := self.mails(email, words)):
            told = [(mail["To"], mail["Subject"]) for mail in self.sink.mails]
            assert time.monotonic() < ends, f"{email} got no mail of {words!r}: {told}"
            time.sleep(0.1)
        return found[-1]

    def account(self, place: Place) -> Terminal:
        """Somebody registers, with the code of the e-mail."""
        terminal, url = self.terminal(place.email), self.served.url
        named = ("--name", place.name, "--affiliation", place.affiliation)
        terminal.do("register", url, "--email", place.email, *named, stdin=f"{PASSWORD}\n")
        found = TOKEN.search(self.mail(place.email, "finish your registration").get_content())
        assert found is not None
        terminal.do("activate", url, stdin=f"{found[1]}\n{PASSWORD}\n")
        return terminal

    def staff(self) -> Terminal:
        """Whom the administrator made, at a terminal of their own."""
        terminal = self.terminal(STAFF)
        terminal.do("login", self.served.url, "--email", STAFF, stdin=f"{PASSWORD}\n")
        return terminal


def umbra(served: Served, *words: str, stdin: str = "") -> str:
    """A command at the server."""
    done = subprocess.run(
        [sys.executable, "-m", "umbra", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "UMBRA_HOME": str(served.home), **served.settings},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def night(backend: str, folder: Path) -> Iterator[Night]:
    """A service with a member of staff; ``sqlite`` and disk, or ``postgres`` and S3."""
    with ExitStack() as stack:
        sink = stack.enter_context(listening())
        settings = {
            "UMBRA_SMTP_HOST": "127.0.0.1",
            "UMBRA_SMTP_PORT": str(sink.port),
            "UMBRA_SMTP_SECURITY": "none",
            "NUMBA_NUM_THREADS": "1",
        }
        if backend == "postgres":
            settings |= stack.enter_context(_elsewhere())
        served = Served(folder / "home", SERVE, settings=settings)
        served.home.mkdir(parents=True)
        umbra(served, "user", "add", STAFF, "--staff", "--name", "Sam Staff", stdin=f"{PASSWORD}\n")
        served.start()
        stack.callback(served.kill)
        yield Night(served, sink, folder / "people")


@contextmanager
def _elsewhere() -> Iterator[dict[str, str]]:
    """A PostgreSQL and an S3 server."""
    require("postgres")
    require("s3")
    import psycopg

    from tests import postgres, s3

    with postgres.running() as database, s3.running() as objects:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE service")
        yield {
            "UMBRA_DATABASE": database.url.replace("/postgres", "/service"),
            "UMBRA_STORE": objects.url("umbra"),
            **s3.CREDENTIALS,
        }
