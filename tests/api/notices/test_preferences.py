"""What people want to be told by e-mail: chosen in the account, or by a link of an e-mail."""

from typing import Any

import pytest

from tests.requirements import require

require("server")

from sqlalchemy import update  # noqa: E402 - after the check for the extra

from api.database.tables import now  # noqa: E402
from api.mail.kinds import Topic  # noqa: E402
from api.mail.outbox import tell  # noqa: E402
from api.mail.preferences import link  # noqa: E402
from api.people.tables import Person  # noqa: E402
from tests.api.access.world import person  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.notices.outbox import mails  # noqa: E402


def write(callers: Callers, who: str, kind: str = "fit") -> None:
    with callers.world.database.writing() as session:
        to = session.get_one(Person, callers.world.people[who].id)
        values: dict[str, Any] = {"campaign": "Ixion", "headline": "a circle", "path": "/x", "version": 1}
        tell(session, callers.client.app.state.settings, kind, to, **values)


def test_topics_are_refused_and_wanted_again(callers: Callers) -> None:
    view = callers.get("observer", "/account/notices")
    assert view["refused"] == []
    assert {one["topic"] for one in view["topics"]} == {topic.value for topic in Topic}
    assert all(one["wanted"] and one["about"] for one in view["topics"])
    assert "security" in view["always"]
    for refused in (["fits", "calls"], ["calls", "fits", "fits"]):
        answer = callers.ask("observer", "PUT", "/account/notices", json={"refused": refused})
        assert answer.json()["refused"] == ["calls", "fits"]
    write(callers, "observer")
    assert mails(callers, "observer") == []
    assert callers.get("observer", "/account/calls") == {"wanted": False}
    assert callers.ask("observer", "PUT", "/account/calls", json={"wanted": True}).status_code == 200
    assert callers.get("observer", "/account/notices")["refused"] == ["fits"]
    assert callers.ask("observer", "PUT", "/account/notices", json={"refused": []}).json()["refused"] == []
    write(callers, "observer")
    assert [mail.kind for mail in mails(callers, "observer")] == ["fit"]
    wrong: list[dict[str, Any]] = [
        {"refused": ["password"]},
        {"refused": "fits"},
        {},
        {"refused": [], "x": 1},
    ]
    for bad in wrong:
        assert callers.ask("observer", "PUT", "/account/notices", json=bad).status_code == 422


def test_what_is_necessary_comes_always(callers: Callers) -> None:
    everything = {"refused": [topic.value for topic in Topic]}
    assert callers.ask("observer", "PUT", "/account/notices", json=everything).status_code == 200
    with callers.world.database.writing() as session:
        to = session.get_one(Person, callers.world.people["observer"].id)
        tell(session, callers.client.app.state.settings, "password", to)
    (mail,) = mails(callers, "observer")
    assert mail.unsubscribe is None
    assert "unsubscribe" not in mail.text


def test_one_click_ends_a_topic(callers: Callers) -> None:
    write(callers, "observer")
    (mail,) = mails(callers, "observer")
    assert mail.unsubscribe is not None
    assert mail.text.rstrip().endswith(mail.unsubscribe)
    assert "\n-- \n" in mail.text
    path = mail.unsubscribe.removeprefix(callers.client.app.state.settings.url)
    page = callers.client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert '<form method="post">' in page.text
    assert callers.get("observer", "/account/notices")["refused"] == [], "looking changes nothing"
    # as a mail program does it: no cookie, another site
    sent = {"Origin": "null", "Sec-Fetch-Site": "cross-site"}
    callers.client.forget()
    for _ in range(2):
        answer = callers.client.send("POST", path, data={"List-Unsubscribe": "One-Click"}, headers=sent)
        assert answer.status_code == 200
        assert "No more of these" in answer.text
    assert callers.get("observer", "/account/notices")["refused"] == ["fits"]
    assert callers.get("owner", "/account/notices")["refused"] == []
    assert "<form" not in callers.client.get(path).text


def test_the_button_works_where_one_is_logged_in(callers: Callers) -> None:
    write(callers, "observer")
    path = str(mails(callers, "observer")[0].unsubscribe).removeprefix(callers.client.app.state.settings.url)
    cookie = {"Cookie": callers.world.headers("observer")["Cookie"], "Origin": "http://localhost"}
    callers.client.forget()
    assert callers.client.send("POST", path, headers=cookie).status_code == 200


@pytest.mark.parametrize("change", ["other person", "other topic", "no signature", "cut", "other signature"])
def test_links_cannot_be_made(callers: Callers, change: str) -> None:
    settings, people = callers.client.app.state.settings, callers.world.people
    with callers.world.database.writing() as session:
        good = link(session, settings, people["observer"].id, Topic.CALLS).rpartition("/")[2]
    identity, topic, signature = good.split(".")
    token = {
        "other person": f"{people['owner'].id}.{topic}.{signature}",
        "other topic": f"{identity}.announcements.{signature}",
        "no signature": f"{identity}.{topic}.",
        "cut": good[:-1],
        "other signature": f"{identity}.{topic}.{signature[::-1]}",
    }[change]
    callers.client.forget()
    for method in ("GET", "POST"):
        answer = callers.client.send(method, f"/api/v1/unsubscribe/{token}")
        assert answer.status_code == 404, answer.text
    assert callers.get("observer", "/account/notices")["refused"] == []


def test_names_are_escaped_on_the_page(callers: Callers) -> None:
    hostile = person('<script>alert("x")</script>&')
    hostile.name = '<script>alert("x")</script>&'
    callers.world.add(hostile)
    with callers.world.database.writing() as session:
        where = link(session, callers.client.app.state.settings, hostile.id, Topic.CALLS)
    callers.client.forget()
    for method in ("GET", "POST"):
        page = callers.client.send(method, where.removeprefix(callers.client.app.state.settings.url))
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;" in page.text


def test_links_of_deleted_accounts_are_none(callers: Callers) -> None:
    identity = callers.world.people["observer"].id
    with callers.world.database.writing() as session:
        where = link(session, callers.client.app.state.settings, identity, Topic.CALLS)
        session.execute(update(Person).where(Person.id == identity).values(deleted=now()))
    callers.client.forget()
    assert callers.client.get(where.removeprefix("http://127.0.0.1:8000")).status_code == 404
