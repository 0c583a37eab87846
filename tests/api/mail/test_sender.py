"""E-mail on its way from the outbox to a real SMTP server."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.requirements import require

require("server")
require("mail")

from api.database.migrate import migrate  # noqa: E402 - after the check for the extra
from api.database.tables import now  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.mail import queue  # noqa: E402
from api.mail.outbox import post  # noqa: E402
from api.mail.sender import Sender  # noqa: E402
from api.mail.tables import Message  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402
from tests.api.client import serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.api.mail.sink import Sink, listening  # noqa: E402
from tests.api.people.browser import TOKEN, Browser  # noqa: E402
from tests.postgres import free_port  # noqa: E402

ROOT = Path(__file__).parents[3]
KILLS = 3
MESSAGES = 40


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "umbra.sqlite")
    migrate(database.engine)
    yield database
    database.close()


def settings_of(folder: Path, port: int, **more: Any) -> ServiceSettings:
    server: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
    return ServiceSettings(data=folder, home=folder, url="https://umbra.example.org", **server, **more)


def write(database: Database, settings: ServiceSettings, recipient: str, kind: str = "welcome") -> Message:
    more: dict[str, Any] = {"token": "t" * 43, "hours": 24} if kind == "activation" else {}
    with database.writing() as session:
        return post(session, settings, kind, recipient, name="Zoë Ünal", **more)


def rows(database: Database) -> list[Message]:
    with database.reading() as session:
        return list(session.scalars(select(Message).order_by(Message.place)))


def test_what_arrives(database: Database, tmp_path: Path) -> None:
    with listening() as sink:
        settings = settings_of(tmp_path, sink.port, mail_from="portal@example.org")
        message = write(database, settings, "ann@example.org", "activation")
        assert Sender(database, settings).send_some() == 1
        assert Sender(database, settings).send_some() == 0
    (mail,) = sink.mails
    assert mail["To"] == "ann@example.org"
    assert mail["From"] == "Umbra <portal@example.org>"
    assert mail["Subject"] == "Umbra: finish your registration"
    assert mail["Message-ID"] == message.message_id
    assert message.message_id.endswith("@umbra.example.org>")
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert "Hello Zoë Ünal," in text
    assert f"https://umbra.example.org/activate?token={'t' * 43}" in text
    (row,) = rows(database)
    assert (row.state, row.text, row.attempts) == ("sent", "", 1)


def test_only_what_carries_a_secret_is_blanked(database: Database, tmp_path: Path) -> None:
    with listening() as sink:
        settings = settings_of(tmp_path, sink.port)
        write(database, settings, "ann@example.org", "welcome")
        Sender(database, settings).send_some()
    assert rows(database)[0].text.startswith("Hello")


def test_a_server_that_is_away_is_tried_again(database: Database, tmp_path: Path) -> None:
    sink = Sink()
    settings = settings_of(tmp_path, sink.port)
    message = write(database, settings, "ann@example.org")
    began = now()
    Sender(database, settings).send_some()
    ended = now()
    (row,) = rows(database)
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.error is not None
    assert "refused" in row.error
    assert began + timedelta(seconds=25) < row.not_before < ended + timedelta(seconds=31)
    with listening(sink):
        assert Sender(database, settings).send_some() == 0, "not before its time"
        with database.writing() as session:
            assert queue.again(session, row.place)
        Sender(database, settings).send_some()
    assert sink.ids == [message.message_id]


def test_pauses_grow_and_end(database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, free_port())
    write(database, settings, "ann@example.org")
    pauses = []
    for _ in range(10):
        with database.writing() as session:
            session.execute(update(Message).values(not_before=now()))
        Sender(database, settings).send_some()
        pauses.append(round((rows(database)[0].not_before - now()).total_seconds() / 30))
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]
    with database.writing() as session:
        session.execute(update(Message).values(not_before=now(), created=now() - timedelta(days=4)))
    Sender(database, settings).send_some()
    assert rows(database)[0].state == "failed"


def test_one_that_is_refused_does_not_hold_up_the_others(database: Database, tmp_path: Path) -> None:
    with listening() as sink:
        sink.refuse = {"gone@example.org": "550 no such user", "full@example.org": "452 mailbox full"}
        settings = settings_of(tmp_path, sink.port)
        for name in ("gone", "full", "ann"):
            write(database, settings, f"{name}@example.org", "activation")
        Sender(database, settings).send_some()
    assert [mail["To"] for mail in sink.mails] == ["ann@example.org"]
    gone, full, ann = rows(database)
    assert (gone.state, gone.error, gone.text) == ("failed", "550 no such user", "")
    assert (full.state, full.error) == ("waiting", "452 mailbox full")
    assert full.text
    assert ann.state == "sent"


def test_one_at_which_the_connection_breaks_does_not_hold_up_the_others(
    database: Database, tmp_path: Path
) -> None:
    class Breaking(Sink):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            if envelope.rcpt_tos == ["poison@example.org"]:
                server.transport.abort()
                return "421 gone"
            return await super().handle_DATA(server, session, envelope)

    with listening(Breaking()) as sink:
        settings = settings_of(tmp_path, sink.port)
        for name in ("ann", "poison", "bob", "eve"):
            write(database, settings, f"{name}@example.org")
        sender = Sender(database, settings)
        while sender.send_some():
            pass
    assert [mail["To"] for mail in sink.mails] == ["ann@example.org", "bob@example.org", "eve@example.org"]
    states = {row.recipient.partition("@")[0]: (row.state, row.attempts) for row in rows(database)}
    assert states == {
        "ann": ("sent", 1), "poison": ("waiting", 1), "bob": ("sent", 1), "eve": ("sent", 1),
    }  # fmt: skip


def test_what_can_be_no_header_ends_alone(database: Database, tmp_path: Path) -> None:
    with listening() as sink:
        settings = settings_of(tmp_path, sink.port)
        for recipient in ("a\nBcc: b@example.org", "ann@example.org"):
            write(database, settings, recipient)
        assert Sender(database, settings).send_some() == 2
    assert [mail["To"] for mail in sink.mails] == ["ann@example.org"]
    assert [row.state for row in rows(database)] == ["failed", "sent"]


def test_a_sender_that_was_overtaken_changes_nothing(database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 1)
    write(database, settings, "ann@example.org")
    with database.writing() as session:
        (slow,) = queue.take(session, 9, timedelta(0))
    with database.writing() as session:
        (fast,) = queue.take(session, 9)
    with database.writing() as session:
        queue.give_up(session, slow, "late")
        queue.sent(session, fast)
    assert rows(database)[0].state == "sent"


def test_sent_mail_is_removed_after_a_month(database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 1)
    for days in (29, 31):
        message = write(database, settings, f"{days}@example.org")
        with database.writing() as session:
            values = {"state": "sent", "sent": now() - timedelta(days=days)}
            session.execute(update(Message).where(Message.place == message.place).values(**values))
    with database.writing() as session:
        queue.tidy(session)
    assert [row.recipient for row in rows(database)] == ["29@example.org"]


def test_killed_senders_lose_nothing_and_repeat_at_most_once_each(database: Database, tmp_path: Path) -> None:
    chance = random.Random(7)
    with listening() as sink:
        settings = settings_of(tmp_path, sink.port)
        written = [write(database, settings, f"{i}@example.org").message_id for i in range(MESSAGES)]
        command = [sys.executable, "-m", "tests.api.mail.sending", str(database.engine.url)]
        command += [str(sink.port), "0.3"]
        for number in range(KILLS + 1):
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            before = len(sink.mails)
            ends = time.monotonic() + 3000
            wanted = before + chance.randint(1, MESSAGES // KILLS - 1) if number < KILLS else None
            while time.monotonic() < ends and process.poll() is None:
                if wanted is not None and len(sink.mails) >= wanted:
                    break
                if {row.state for row in rows(database)} == {"sent"}:
                    break
                time.sleep(0.005)
            process.kill()
            process.wait()
            process.stdout.close()
    times = Counter(sink.ids)
    assert set(times) == set(written)
    assert sum(times.values()) - len(written) <= KILLS
    assert max(times.values()) <= 1 + KILLS


def test_from_the_form_to_the_mailbox_and_back(tmp_path: Path) -> None:
    """A whole registration through a real SMTP server."""
    (tmp_path / "data").mkdir()
    with listening() as sink:
        server: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_security": "none"}
        with serving(tmp_path / "data", tmp_path / "home", Scripted(), **server) as client:
            browser = Browser(client)
            body = {"email": "ann@example.org", "password": "a good long sentence", "name": "Ann"}
            browser.send("POST", "/accounts", body)
            ends = time.monotonic() + 300
            while not sink.mails and time.monotonic() < ends:
                time.sleep(0.02)
            found = TOKEN.search(sink.mails[0].get_content().replace("\r\n", "\n"))
            assert found is not None
            proof = {"token": found[1], "password": "a good long sentence"}
            assert browser.send("POST", "/accounts/activation", proof).status_code == 201
            while len(sink.mails) < 2 and time.monotonic() < ends:
                time.sleep(0.02)
    assert [mail["Subject"] for mail in sink.mails] == [
        "Umbra: finish your registration",
        "Umbra: welcome",
    ]
