"""The outbox, as staff see it: what became of e-mails, never what they say or whose address it is."""

from typing import Any

from sqlalchemy import update

from api.mail.outbox import post
from api.mail.tables import Message
from tests.api.campaigns.people import Callers

ADDRESS = "Zoe.Uenal@example.org"
TOKEN = "s3cr3t" * 7


def write(callers: Callers, kind: str, **values: object) -> int:
    settings = callers.client.app.state.settings
    told: dict[str, Any] = {"activation": {"token": TOKEN, "hours": 24}, "welcome": {}}[kind]
    with callers.world.database.writing() as session:
        row = post(session, settings, kind, ADDRESS, name="Zoë Ünal", **told)
        session.flush()
        place = row.place
    with callers.world.database.writing() as session:
        session.execute(update(Message).where(Message.place == place).values(**values or {"attempts": 0}))
    return place


def test_what_is_told(callers: Callers) -> None:
    refused = f"550 <{ADDRESS.lower()}>: no such user"
    waits = write(callers, "activation")
    failed = write(callers, "welcome", state="failed", attempts=3, error=refused)
    shown = {one["number"]: one for one in callers.get("staff", "/outbox")["items"]}
    assert (shown[waits]["kind"], shown[waits]["state"], shown[waits]["attempts"]) == (
        "activation",
        "waiting",
        0,
    )
    assert shown[waits]["next"] is not None
    assert (shown[failed]["state"], shown[failed]["attempts"], shown[failed]["next"]) == ("failed", 3, None)
    assert shown[failed]["to"] == "Z…@example.org"
    assert shown[failed]["error"] == "550 <Z…@example.org>: no such user"
    text = callers.ask("staff", "GET", "/outbox").text
    assert TOKEN not in text
    assert "enal" not in text.lower()


def test_what_is_asked_for(callers: Callers) -> None:
    mine = [write(callers, "welcome", state="failed") for _ in range(3)]
    write(callers, "activation", state="failed")
    asked = callers.get("staff", "/outbox", state="failed", kind="welcome", limit=2)
    numbers = [one["number"] for one in asked["items"]]
    asked = callers.get("staff", "/outbox", state="failed", kind="welcome", limit=2, cursor=asked["next"])
    assert [*numbers, *(one["number"] for one in asked["items"])][:3] == mine[::-1]
    assert callers.ask("staff", "GET", "/outbox?state=lost").status_code == 422
    for who in ("observer", "responsible"):
        assert callers.ask(who, "GET", "/outbox").status_code == 403
