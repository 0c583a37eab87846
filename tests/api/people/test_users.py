"""What superusers do with the accounts of others, and the audit log."""

from sqlalchemy import select

from api.audit.tables import Entry
from tests.api.client import Client
from tests.api.people.browser import Browser, database, mails, registered


def identity(browser: Browser) -> str:
    return str(browser.send("GET", "/account").json()["id"])


def test_levels(client: Client) -> None:
    boss, ann = registered(client, "boss@example.org", "superuser"), registered(client, "ann@example.org")
    path = f"/users/{identity(ann)}/level"
    assert ann.send("PUT", path, {"level": "superuser"}).status_code == 403
    assert boss.send("PUT", path, {"level": "responsible"}).status_code == 422
    assert boss.send("PUT", path, {"level": "staff"}).json()["level"] == "staff"
    assert boss.send("PUT", path, {"level": "staff"}).status_code == 200
    assert ann.send("GET", "/account").json()["level"] == "staff"
    assert ann.send("PUT", path, {"level": "superuser"}).status_code == 403, "staff do not change levels"
    (mail,) = mails(client, "ann@example.org", "level")
    assert mail.subject == "Umbra: you are staff now"
    own = boss.send("PUT", f"/users/{identity(boss)}/level", {"level": "observer"})
    assert own.status_code == 409
    with database(client).reading() as session:
        entries = session.scalars(select(Entry).where(Entry.action == "level changed")).all()
    assert [(e.actor, e.thing, e.details) for e in entries] == [
        (identity(boss), identity(ann), {"before": "observer", "after": "staff"})
    ]


def test_a_suspended_account_is_out_at_once(client: Client) -> None:
    boss, ann = registered(client, "boss@example.org", "superuser"), registered(client, "ann@example.org")
    key = ann.send("POST", "/keys", {"name": "k", "scopes": ["account:read"]}).json()["key"]
    path = f"/users/{identity(ann)}/suspension"
    assert boss.send("PUT", path, {"suspended": True}).json()["suspended"]
    assert ann.send("GET", "/account").status_code == 401
    assert Browser(client).send("GET", "/account", X_API_Key=key).status_code == 401
    assert ann.log_in("ann@example.org").status_code == 401
    assert boss.send("PUT", path, {"suspended": False}).json()["suspended"] is None
    assert Browser(client).send("GET", "/account", X_API_Key=key).status_code == 200
    assert ann.log_in("ann@example.org").status_code == 201
    subjects = [mail.subject for mail in mails(client, "ann@example.org", "suspended")]
    assert subjects == ["Umbra: your account was suspended", "Umbra: your account works again"]


def test_lists_go_on_where_they_stopped(client: Client) -> None:
    boss = registered(client, "boss@example.org", "superuser")
    others = [identity(registered(client, f"{i}@example.org")) for i in range(5)]
    found: list[str] = []
    page = boss.send("GET", "/users?limit=2").json()
    registered(client, "late@example.org")
    while True:
        found += [user["id"] for user in page["items"]]
        if page["next"] is None:
            break
        page = boss.send("GET", f"/users?limit=2&cursor={page['next']}").json()
    assert found == [*reversed(others), identity(boss)]
    (only,) = boss.send("GET", "/users?email=3@EXAMPLE.org").json()["items"]
    assert only["id"] == others[3]


def test_cursors_that_are_none(client: Client) -> None:
    boss = registered(client, "boss@example.org", "superuser")
    registered(client, "ann@example.org")
    of_audit = boss.send("GET", "/audit?limit=1").json()["next"]
    for cursor in ("x", "%00", "bnVsbA", "W10", "WzEsMl0", "WzFlOTk5LCAiYSJd", of_audit, "W10" * 60):
        assert boss.send("GET", f"/users?cursor={cursor}").status_code == 422, cursor
    for limit in ("0", "201", "-1", "many"):
        assert boss.send("GET", f"/users?limit={limit}").status_code == 422, limit


def test_the_audit_log_is_searched(client: Client) -> None:
    boss, ann = registered(client, "boss@example.org", "superuser"), registered(client, "ann@example.org")
    boss.send("PUT", f"/users/{identity(ann)}/level", {"level": "staff"})
    changed = boss.send("GET", "/audit?action=level%20changed").json()["items"]
    assert len(changed) == 1
    answer = boss.send("GET", f"/audit?thing={identity(ann)}")
    assert {entry["action"] for entry in answer.json()["items"]} == {
        "account made", "logged in", "level changed",
    }  # fmt: skip
    by_boss = boss.send("GET", f"/audit?actor={identity(boss)}").json()["items"]
    assert [entry["action"] for entry in by_boss] == ["level changed"]
    assert len(by_boss[0]["request"]) == 32
    places = [entry["place"] for entry in boss.send("GET", "/audit?limit=200").json()["items"]]
    assert places == sorted(places, reverse=True)
