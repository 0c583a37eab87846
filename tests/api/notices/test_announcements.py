"""Announcements: listed for those whom they concern, and sent to each of them once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.requirements import require

require("server")

from sqlalchemy import delete, select, update  # noqa: E402 - after the check for the extra

from api.database.tables import now  # noqa: E402
from api.mail import mailings  # noqa: E402
from api.mail.mailings import go_on  # noqa: E402
from api.mail.outbox import written as into_outbox  # noqa: E402
from api.mail.queue import take  # noqa: E402
from api.mail.tables import Mailing, Message, Unwanted  # noqa: E402
from api.notices.tables import Announcement  # noqa: E402
from api.people.tables import Person  # noqa: E402
from tests.api.access.world import person  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.notices.outbox import mails  # noqa: E402

WORDS = {"subject": "Maintenance", "text": "Tonight from 20 UTC.\n\nThank you for your patience."}


def everybody(callers: Callers) -> set[str]:
    """All who want announcements, of the worlds of earlier tests, too."""
    silent = select(Unwanted.person).where(Unwanted.topic == "announcements")
    rows = select(Person.id).where(Person.deleted.is_(None), Person.id.not_in(silent))
    with callers.world.database.reading() as session:
        return set(session.scalars(rows))


def written(callers: Callers, announcement: str) -> Counter[str]:
    """How many e-mails of an announcement each person has."""
    with callers.world.database.reading() as session:
        row = session.get_one(Announcement, announcement)
        return Counter(
            str(each)
            for each in session.scalars(select(Message.person).where(Message.mailing == row.mailing))
        )


def finish(callers: Callers) -> int:
    turns = 0
    while go_on(callers.world.database, callers.client.app.state.settings):
        turns += 1
    return turns


def titles(callers: Callers, who: str) -> list[str]:
    return [one["subject"] for one in callers.get(who, "/announcements", limit=200)["items"]]


def test_to_everyone(callers: Callers) -> None:
    callers.ask("observer", "PUT", "/account/notices", json={"refused": ["announcements"]})
    made = callers.make("staff", "/announcements", WORDS)
    finish(callers)
    counts = written(callers, made["id"])
    assert set(counts) == everybody(callers)
    assert callers.world.people["observer"].id not in counts
    assert set(counts.values()) == {1}
    (mail,) = mails(callers, "owner")
    assert mail.subject == "Umbra: Maintenance"
    assert (
        "staff writes to everybody:\n\n> Tonight from 20 UTC.\n>\n> Thank you for your patience.\n"
        in mail.text
    )
    assert callers.get("observer", "/announcements")["items"][0] | made == made
    assert made["author"] == "staff"


def test_to_those_of_a_campaign(callers: Callers) -> None:
    campaign = callers.world.strict["campaign"]
    made = callers.make("staff", "/announcements", {**WORDS, "subject": "Ixion", "campaign": campaign})
    finish(callers)
    people = callers.world.people
    assert set(written(callers, made["id"])) == {
        people[who].id for who in ("owner", "participant", "responsible")
    }
    for who in ("owner", "participant", "responsible", "staff"):
        assert "Ixion" in titles(callers, who)
    for who in ("observer", "reducer"):
        assert "Ixion" not in titles(callers, who)
    (mail,) = mails(callers, "owner", "announcement")
    assert "to those who take part in Ixion" in mail.text


def test_by_level(callers: Callers) -> None:
    made = callers.make("superuser", "/announcements", {**WORDS, "subject": "Keys", "level": "staff"})
    finish(callers)
    with callers.world.database.reading() as session:
        above = set(session.scalars(select(Person.id).where(Person.level.in_(["staff", "superuser"]))))
    assert set(written(callers, made["id"])) == above
    assert "Keys" in titles(callers, "staff")
    assert "Keys" not in titles(callers, "responsible")


def test_listed_alone(callers: Callers) -> None:
    made = callers.make("staff", "/announcements", {**WORDS, "subject": "Quiet", "send": False})
    assert (made["written"], made["all_written"]) == (0, True)
    assert not written(callers, made["id"])
    assert "Quiet" in titles(callers, "observer")


def test_thousands_are_written_to_in_portions_and_once(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after any portion: the transaction of a portion keeps how far it got."""
    monkeypatch.setattr(mailings, "PORTION", 20)
    crowd = [person(f"member{n}") for n in range(110)]
    callers.world.add(*crowd)
    made = callers.make("staff", "/announcements", WORDS)
    assert (made["written"], made["all_written"]) == (20, False)
    for _ in range(2):
        assert go_on(callers.world.database, callers.client.app.state.settings)
    late = person("late")
    callers.world.add(late)
    # a portion that fails leaves nothing behind, and is done again
    with monkeypatch.context() as broken:
        broken.setattr("api.mail.mailings.written", _fails_at(7, into_outbox))
        with pytest.raises(OSError, match="pulled"):
            go_on(callers.world.database, callers.client.app.state.settings)
    assert sum(written(callers, made["id"]).values()) == 60
    finish(callers)
    counts = written(callers, made["id"])
    assert set(counts) == everybody(callers) - {late.id}
    assert set(counts.values()) == {1}
    told = callers.get("staff", f"/announcements/{made['id']}")
    assert (told["written"], told["waiting"], told["all_written"]) == (len(counts), len(counts), True)


def _fails_at(number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    calls = iter(range(1000))

    def write(*arguments: Any) -> Any:
        if next(calls) == number:
            raise OSError("the plug was pulled")
        return real(*arguments)

    return write


def test_withdrawn(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sender has goes out; nothing else does, and nobody sees it listed."""
    with callers.world.database.writing() as session:
        session.execute(delete(Message))
    monkeypatch.setattr(mailings, "PORTION", 5)
    made = callers.make("staff", "/announcements", {**WORDS, "subject": "Wrong"})
    with callers.world.database.writing() as session:
        (taken,) = take(session, 1)
    answer = callers.ask("staff", "POST", f"/announcements/{made['id']}/withdrawal")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["written"], told["waiting"], told["all_written"]) == (5, 1, True)
    assert finish(callers) == 0
    assert list(written(callers, made["id"])) == [taken.person]
    assert "Wrong" not in titles(callers, "observer")
    assert "Wrong" in titles(callers, "staff")
    assert callers.ask("staff", "POST", f"/announcements/{made['id']}/withdrawal").status_code == 409


def test_mailings_let_others_pass(callers: Callers) -> None:
    """Who waits for a new password does not wait for an announcement to thousands."""
    with callers.world.database.writing() as session:
        session.execute(delete(Message))
    callers.make("staff", "/announcements", WORDS)
    callers.ask("anyone", "POST", "/password-resets", json={"email": callers.world.people["owner"].email})
    with callers.world.database.writing() as session:
        (first,) = take(session, 1, timedelta(0))
    assert first.kind == "reset"


def test_several_writers_share_the_portions(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailings, "PORTION", 3)
    callers.world.add(*[person(f"m{n}") for n in range(30)])
    made = callers.make("staff", "/announcements", WORDS)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: finish(callers), range(4)))
    counts = written(callers, made["id"])
    assert set(counts) == everybody(callers)
    assert set(counts.values()) == {1}


def test_bad_announcements(callers: Callers) -> None:
    campaign = callers.world.strict["campaign"]
    for bad in (
        {"subject": "a\nBcc: b@example.org", "text": "x"},
        {"subject": "", "text": "x"},
        {"subject": "a", "text": ""},
        {"subject": "a", "text": "x\x00"},
        {"subject": "a", "text": "x" * 20_001},
        {**WORDS, "campaign": "0" * 32},
        {**WORDS, "campaign": campaign, "level": "staff"},
        {**WORDS, "level": "boss"},
    ):
        answer = callers.ask("staff", "POST", "/announcements", json=bad)
        assert answer.status_code == 422, bad


def test_old_mailings_do_not_reach_who_came_later(callers: Callers) -> None:
    with callers.world.database.writing() as session:
        session.execute(delete(Unwanted))
    made = callers.make("staff", "/announcements", WORDS)
    newcomer = person("newcomer")
    newcomer.created = now() + timedelta(seconds=1)
    callers.world.add(newcomer)
    with callers.world.database.writing() as session:
        row = session.get_one(Announcement, made["id"])
        session.execute(update(Mailing).where(Mailing.id == row.mailing).values(finished=None, through=""))
        session.execute(delete(Message).where(Message.mailing == row.mailing))
    finish(callers)
    assert newcomer.id not in written(callers, made["id"])
