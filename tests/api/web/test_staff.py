"""Pages of staff and superusers, and of issues, as they are used without scripts."""

import re
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update

from tests.requirements import require

require("server")

from api.campaigns.tables import Campaign, Prediction, Responsible  # noqa: E402 - after the check for the extra
from api.database.tables import new_id  # noqa: E402
from api.mail.tables import Message  # noqa: E402
from api.notices.tables import Announcement, Issue  # noqa: E402
from api.people.tables import Person  # noqa: E402
from cluster.jobs.tables import JobRow  # noqa: E402
from tests.api.access.requests import BUILDERS  # noqa: E402
from tests.api.access.world import make_world  # noqa: E402
from tests.api.client import Client  # noqa: E402
from tests.api.people.browser import database, mails  # noqa: E402
from tests.api.web.surfer import Surfer, arrived  # noqa: E402
from tests.reduction.geometry.predictions import event_text  # noqa: E402

STAFF, ANN, EVE = "staff@example.org", "ann@example.org", "eve@example.org"
IMPORT = "/staff/predictions/import"
HOSTILE = "<script>alert(1)</script>"


def imported(staff: Surfer, name: str, content: str | bytes, **fields: str) -> int:
    """Send a file by the form of the page; the status of what that leads to."""
    staff.get(IMPORT)
    form = next(one for one in staff.forms if one.action == IMPORT)
    sent = {key: values[-1] for key, values in form.fields.items()} | fields
    answer = staff.send("POST", IMPORT, data=sent, files={"file": (name, content, "text/plain")})
    return (
        staff.get(answer.headers["location"]).status_code if answer.status_code == 303 else answer.status_code
    )


def test_from_a_file_to_a_campaign(client: Client) -> None:
    """As issue 8 has it for staff: the XML as it was exported, a call, somebody who answers for it."""
    staff = arrived(client, STAFF, "staff", "Stella")
    arrived(client, ANN)
    assert imported(staff, "event.xml", event_text(ID_0="x-1"), dry_run="true") == 200
    assert "The file is sound" in staff.words
    with database(client).reading() as session:
        assert session.scalars(select(Prediction)).all() == []
    assert imported(staff, "event.xml", event_text(ID_0="x-1")) == 200
    assert "1 added" in staff.words
    assert staff.answer is not None
    path = urlsplit(str(staff.answer.url)).path
    assert re.fullmatch("/staff/predictions/imports/[0-9a-f]{32}", path), (
        "what is loaded again imports nothing"
    )
    staff.get(path)
    assert "1 added" in staff.words
    page = next(link for link in staff.links if re.fullmatch("/staff/predictions/[0-9a-f]{32}", link))
    staff.get(page)
    answer = staff.post(f"{page}/campaign", responsible="nobody@example.org", name="First try")
    assert answer.status_code == 422
    assert "nobody with an account" in staff.words
    assert "First try" in answer.text, "what was typed is still there"
    with database(client).reading() as session:
        assert session.scalars(select(Campaign)).all() == [], "all of it or nothing"
    answer = staff.post(
        f"{page}/campaign", follow=False, responsible=ANN, embargo="2031-05-06T07:08",
        observers_reduce="true", tell="false",
    )  # fmt: skip
    assert answer.status_code == 303, staff.words
    with database(client).reading() as session:
        (campaign,) = session.scalars(select(Campaign)).all()
        (one,) = session.scalars(select(Responsible)).all()
        assert session.get_one(Person, one.person).email == ANN
        called = session.scalars(select(Message).where(Message.kind == "call")).all()
    assert answer.headers["location"].startswith(f"/campaigns/{campaign.id}?done=")
    assert campaign.embargo is not None
    assert campaign.embargo.isoformat() == "2031-05-06T07:08:00+00:00", (
        "a browser's time without a zone is UTC"
    )
    assert campaign.observers_reduce
    assert called == []
    assert mails(client, ANN, "responsible")
    staff.get(page)
    assert not any(form.action.endswith("/campaign") for form in staff.forms), "it has one already"


def test_every_fault_by_its_line(client: Client) -> None:
    staff = arrived(client, STAFF, "staff")
    rows = [
        "occ_id,object_name,at",
        "1,Ixion,2022-02-03T01:02:03Z",
        "2,,yesterday",
        "3,Ixion,2022-02-30T00:00:00Z",
    ]
    assert imported(staff, "a.csv", "\n".join(rows)) == 422
    for told in ("line 3", "line 4", "object_name", "yesterday"):
        assert told in staff.words
    with database(client).reading() as session:
        assert session.scalars(select(Prediction)).all() == []
    assert imported(staff, "a.csv", "\n".join(rows[:2])) == 200
    assert imported(staff, "a.csv", "\n".join(rows[:2])) == 422
    assert "there already" in staff.words
    assert imported(staff, "a.csv", "\n".join(rows[:2]), existing="keep") == 200
    assert "1 kept" in staff.words


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.xml", b"<Occultations><Event>", "xml"),
        ("a.json", b"[{]", "no JSON"),
        ("a.csv", b"\xff\xfe\x00", "UTF-8"),
        ("a.csv", f"occ_id,{HOSTILE},at\n".encode(), "unknown columns"),
    ],
)
def test_files_that_are_none(client: Client, name: str, content: bytes, told: str) -> None:
    staff = arrived(client, STAFF, "staff")
    assert imported(staff, name, content) == 422
    assert told.lower() in staff.words.lower()
    assert staff.answer is not None
    assert HOSTILE not in staff.answer.text
    staff.get(IMPORT)
    form = next(one for one in staff.forms if one.action == IMPORT)
    nothing = staff.send("POST", IMPORT, data=form.fields, files={"other": ("", b"", "text/plain")})
    assert nothing.status_code == 422
    assert "choose a file" in staff.words


def test_predictions_are_searched(client: Client) -> None:
    staff = arrived(client, STAFF, "staff")
    rows = ["occ_id,object_name,at", "1,Ixion,2022-02-03T01:02:03Z", "2,Hektor,2099-02-03T01:02:03Z"]
    assert imported(staff, "a.csv", "\n".join(rows)) == 200
    staff.get("/staff/predictions")
    assert ("Hektor" in staff.words, "Ixion" in staff.words) == (True, False), "at first those to come"
    staff.get("/staff/predictions?start_date=&end_date=2030-01-01&object_name=&mag_min=")
    assert ("Hektor" in staff.words, "Ixion" in staff.words) == (False, True)
    answer = staff.get("/staff/predictions?latitude=95&start_date=never")
    assert answer.status_code == 422
    assert 'value="95"' in answer.text
    assert staff.get("/staff/predictions?latitude=5").status_code == 422
    assert "give all three" in staff.words


def test_an_issue_from_both_sides(client: Client) -> None:
    ann, eve, staff = arrived(client, ANN), arrived(client, EVE), arrived(client, STAFF, "staff", "Stella")
    ann.get("/issues")
    assert ann.post("/issues", subject="", text="").status_code == 422
    ann.post("/issues", subject=HOSTILE, text=f"{HOSTILE}\nsecond line")
    assert ann.answer is not None
    assert HOSTILE not in ann.answer.text
    assert "second line" in ann.words
    with database(client).reading() as session:
        (issue,) = session.scalars(select(Issue)).all()
    page = f"/issues/{issue.id}"
    assert eve.get(page).status_code == 404
    assert eve.get("/staff/issues").status_code == 403
    staff.get("/staff/issues?state=open")
    assert page in staff.links
    staff.get(page)
    staff.post(f"{page}/answers", text="Look again.")
    staff.post(f"{page}/state")
    ann.get(page)
    assert "Look again." in ann.words
    assert "Stella" in ann.words
    with database(client).reading() as session:
        assert session.scalars(select(Issue.state)).all() == ["closed"]
    assert len(mails(client, ANN, "issue_answer")) == 1


def test_announcements(client: Client) -> None:
    staff = arrived(client, STAFF, "staff")
    staff.get("/staff/announcements")
    assert staff.post("/staff/announcements", subject="x", text="").status_code == 422
    assert (
        staff.post("/staff/announcements", subject="Tonight", text="We stop.", audience="0" * 32).status_code
        == 422
    )
    answer = staff.post("/staff/announcements", subject="Tonight", text="We stop.", audience="staff")
    assert answer.status_code == 200
    assert "Tonight" in staff.words
    with database(client).reading() as session:
        (row,) = session.scalars(select(Announcement)).all()
    assert (row.level, row.campaign, row.mailing is not None) == ("staff", None, True)
    staff.post(f"/staff/announcements/{row.id}/withdraw")
    assert "withdrawn" in staff.words


def test_the_outbox_says_nothing_of_what_is_in_it(client: Client) -> None:
    ann = arrived(client, ANN)
    staff = arrived(client, STAFF, "staff")
    staff.get("/staff/queue/outbox")
    assert "a…@example.org" in staff.words
    text = mails(client, ANN, "activation")[-1].text
    token = next(word for word in text.split() if "token=" in word).partition("token=")[2]
    for address in ("/staff/queue/outbox", "/staff/queue/outbox?state=waiting"):
        answer = staff.get(address)
        assert ANN not in answer.text
        assert token not in answer.text
    assert ann.get("/staff/queue/outbox").status_code == 403


def test_levels_and_suspension(client: Client) -> None:
    boss, ann = arrived(client, STAFF, "superuser", "Boss"), arrived(client, ANN, name="Ann")
    with database(client).reading() as session:
        ids = {row.email: row.id for row in session.scalars(select(Person))}
    boss.get(f"/staff/users?email={ANN}")
    assert ("Ann" in boss.words, f"/staff/users/{ids[ANN]}" in boss.links) == (True, True)
    page = f"/staff/users/{ids[ANN]}"
    boss.get(page)
    boss.post(f"{page}/level", level="staff")
    assert ann.get("/staff/predictions").status_code == 200
    assert ann.get("/staff/users").status_code == 403
    assert boss.post(f"{page}/level", level="king").status_code == 422
    boss.get(page)
    boss.post(f"{page}/suspension")
    assert ann.send("GET", "/staff/predictions").status_code == 303, "to the log-in"
    boss.post(f"{page}/suspension")
    with database(client).reading() as session:
        assert session.get_one(Person, ids[ANN]).suspended is None
    boss.get(f"/staff/users/{ids[STAFF]}")
    assert not any("/level" in form.action for form in boss.forms), "nobody changes their own level"
    boss.get(f"/staff/audit?thing={ids[ANN]}")
    assert "level changed" in boss.words
    assert "before observer; after staff" in boss.words
    assert "Boss" in boss.words
    boss.get("/staff/audit?action=no+such+action")
    assert "No entry fits" in boss.words
    assert boss.get("/staff/audit?actor=x").status_code == 422


def test_the_queue(client: Client) -> None:
    """Numbers, names, and what can be done; asked for again by htmx as a part of the page."""
    world = make_world(database(client))
    headers = world.headers("staff")
    job = BUILDERS["GET", "/api/v1/jobs/{job_id}"](world, "staff").path["job_id"]
    batch = BUILDERS["GET", "/api/v1/batches/{batch_id}"](world, "staff").path["batch_id"]
    failed = {"state": "failed", "failure": "data", "error": HOSTILE}
    with world.database.writing() as session:
        session.execute(update(JobRow).where(JobRow.id == job).values(**failed))
    surfer = Surfer(client)
    page = surfer.get("/staff/queue", headers=headers)
    assert page.status_code == 200
    assert HOSTILE not in page.text
    assert {f"/jobs/{job}", f"/batches/{batch}"} <= set(surfer.links)
    part = surfer.send("GET", "/staff/queue?state=failed", headers={**headers, "HX-Request": "true"})
    assert "<html" not in part.text
    assert f"/staff/queue/jobs/{job}/retry" in [form.action for form in surfer.forms]
    assert surfer.get("/staff/queue?state=lost", headers=headers).status_code == 422
    retry = f"/staff/queue/jobs/{job}/retry"
    there = surfer.send("POST", retry, headers=headers, data={"next": "/staff/queue?state=failed"})
    assert there.headers["location"] == "/staff/queue?state=failed&done=retried"
    with world.database.reading() as session:
        assert session.scalar(select(JobRow.state).where(JobRow.id == job)) in {"queued", "running", "failed"}
    away = surfer.send("POST", retry, headers=headers, data={"next": "https://evil.example"})
    assert away.headers["location"].startswith("/?done=")
    assert surfer.send("POST", f"/staff/queue/jobs/{new_id()}/cancel", headers=headers).status_code == 404
