"""Issues: from the report over answers to the end, with e-mails to both sides."""

import pytest

from tests.requirements import require

require("server")

from api.database.tables import new_id  # noqa: E402 - after the check for the extra
from api.notices import issues  # noqa: E402
from tests.api.access.reduction_builders import reduced  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.notices.outbox import mails  # noqa: E402

WORDS = {"subject": "The path is wrong", "text": "It should pass Ankara.\nSee the chart of 2020."}


def test_from_the_report_to_the_end(callers: Callers) -> None:
    made = callers.make("observer", "/issues", WORDS)
    place = f"/issues/{made['id']}"
    assert (made["state"], made["reporter"], made["answers"]) == ("open", "observer", [])
    (mail,) = mails(callers, "staff")
    assert mail.subject == "Umbra: issue reported: The path is wrong"
    assert "observer reports an issue: The path is wrong\n" in mail.text
    assert "> It should pass Ankara.\n> See the chart of 2020.\n" in mail.text
    assert f"{place}\n" in mail.text
    (receipt,) = mails(callers, "observer")
    assert "we have the issue that you reported" in receipt.text
    assert [one.kind for one in mails(callers, "superuser")] == ["issue"]
    assert mails(callers, "responsible") == []

    answered = callers.make("staff", f"{place}/answers", {"text": "Which one?\n\nThere are two."})
    assert [one["author"] for one in answered["answers"]] == ["staff"]
    (mail,) = mails(callers, "observer", "issue_answer")
    assert "staff answers" in mail.text
    assert "> Which one?\n>\n> There are two.\n" in mail.text
    assert (
        callers.make("observer", f"{place}/answers", {"text": "The second."})["answers"][1]["text"]
        == "The second."
    )
    assert [one.kind for one in mails(callers, "staff", "issue_answer")] == ["issue_answer"]
    assert mails(callers, "superuser", "issue_answer") == [], "staff answer for it by now"

    closed = callers.ask("staff", "PUT", f"{place}/state", json={"state": "closed"}).json()
    assert closed["state"] == "closed"
    assert callers.ask("staff", "PUT", f"{place}/state", json={"state": "closed"}).status_code == 200
    (mail,) = mails(callers, "observer", "issue_state")
    assert mail.subject == "Umbra: issue closed: The path is wrong"
    assert callers.ask("observer", "PUT", f"{place}/state", json={"state": "open"}).status_code == 200
    assert [one.kind for one in mails(callers, "staff", "issue_state")] == ["issue_state"]
    assert callers.get("observer", place)["state"] == "open"


def test_who_sees_what(callers: Callers) -> None:
    one, other = (callers.make(who, "/issues", WORDS)["id"] for who in ("observer", "owner"))
    seen = [issue["id"] for issue in callers.get("observer", "/issues", state="open")["items"]]
    assert one in seen
    assert other not in seen
    everyone = [issue["id"] for issue in callers.get("staff", "/issues")["items"]]
    assert everyone[:2] == [other, one]
    assert callers.get("staff", "/issues", mine=True)["items"] == []
    for method, path, body in (
        ("GET", f"/issues/{other}", None),
        ("POST", f"/issues/{other}/answers", {"text": "x"}),
        ("PUT", f"/issues/{other}/state", {"state": "closed"}),
    ):
        assert callers.ask("observer", method, path, json=body).status_code == 404


@pytest.mark.parametrize("kind", ["campaign", "observation", "reduction"])
def test_what_it_is_about(callers: Callers, kind: str) -> None:
    things = callers.world.open
    about = reduced(callers.world, "reducer").id if kind == "reduction" else things[kind]
    made = callers.make("reducer", "/issues", {**WORDS, kind: about})
    assert made["campaign"] == things["campaign"]
    assert made[kind] == about
    mail = mails(callers, "staff")[-1]
    assert "(about Ixion" in mail.text
    foreign = callers.ask("observer", "POST", "/issues", json={**WORDS, kind: about})
    absent = callers.ask("observer", "POST", "/issues", json={**WORDS, kind: new_id()})
    assert absent.status_code == 422
    if kind == "campaign":
        assert foreign.status_code == 201, "everybody sees campaigns"
    else:
        assert (foreign.status_code, foreign.text) == (422, absent.text)
        assert callers.ask("staff", "POST", "/issues", json={**WORDS, kind: about}).status_code == 201


def test_bad_reports(callers: Callers) -> None:
    campaign, observation = callers.world.strict["campaign"], callers.world.strict["observation"]
    for bad in (
        {"subject": "x"},
        {"subject": "x\r\nBcc: b@example.org", "text": "x"},
        {"subject": "x", "text": "\n \n"},
        {"subject": "x", "text": "x\u0007"},
        {**WORDS, "campaign": campaign, "observation": observation},
        {**WORDS, "state": "closed"},
    ):
        assert callers.ask("owner", "POST", "/issues", json=bad).status_code == 422, bad


def test_an_issue_does_not_grow_for_ever(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issues, "MOST_ANSWERS", 2)
    place = f"/issues/{callers.make('observer', '/issues', WORDS)['id']}/answers"
    for _ in range(2):
        callers.make("staff", place, {"text": "again"})
    assert callers.ask("staff", "POST", place, json={"text": "again"}).status_code == 409
