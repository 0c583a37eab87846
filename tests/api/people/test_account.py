"""One's own account: profile, password, address, keys, sessions, export, deletion."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.audit.tables import Entry
from api.database.tables import now
from api.mail.tables import Message
from api.people.tables import ApiKey, LoginSession, Person
from tests.api.client import Client
from tests.api.people.browser import (
    PASSWORD,
    Browser,
    count,
    database,
    mails,
    registered,
    token_of,
)

NEW = "another good sentence"


def test_the_profile_is_changed_in_part(client: Client) -> None:
    ann = registered(client, "ann@example.org")
    changed = ann.send(
        "PATCH", "/account", {"affiliation": " Observatoire de Paris ", "orcid": "0000-0002-9079-593x"}
    )
    assert changed.json()["affiliation"] == "Observatoire de Paris"
    assert changed.json()["orcid"] == "0000-0002-9079-593X"
    assert changed.json()["name"] == "Ann"
    assert ann.send("PATCH", "/account", {"orcid": None}).json()["orcid"] is None
    assert ann.send("PATCH", "/account", {"name": None}).json()["name"] == "Ann"
    assert ann.send("PATCH", "/account", {"level": "superuser"}).status_code == 422
    assert ann.send("PATCH", "/account", {"email": "other@example.org"}).status_code == 422


def test_a_password_is_changed_by_who_knows_the_old_one(client: Client) -> None:
    ann, elsewhere = registered(client, "ann@example.org"), Browser(client)
    elsewhere.log_in("ann@example.org")
    wrong = ann.send("PUT", "/account/password", {"password": "no idea at all", "new": NEW})
    assert wrong.status_code == 403
    assert ann.send("PUT", "/account/password", {"password": PASSWORD, "new": NEW}).status_code == 204
    assert ann.send("GET", "/account").status_code == 200
    assert elsewhere.send("GET", "/account").status_code == 401
    assert elsewhere.log_in("ann@example.org").status_code == 401
    assert elsewhere.log_in("ann@example.org", NEW).status_code == 201
    assert len(mails(client, "ann@example.org", "password")) == 1


def test_a_new_address_is_proven_first(client: Client) -> None:
    ann = registered(client, "ann@example.org")
    body = {"email": "ann@observatory.org", "password": PASSWORD}
    assert ann.send("POST", "/account/email", body).status_code == 202
    assert ann.send("GET", "/account").json()["email"] == "ann@example.org"
    token = token_of(client, "ann@observatory.org", "address")
    assert Browser(client).send("PUT", "/account/email", {"token": token}).status_code == 204
    assert ann.send("GET", "/account").json()["email"] == "ann@observatory.org"
    assert len(mails(client, "ann@example.org", "address_changed")) == 1
    assert Browser(client).log_in("ann@example.org").status_code == 401
    assert Browser(client).log_in("ann@observatory.org").status_code == 201
    assert Browser(client).send("PUT", "/account/email", {"token": token}).status_code == 422


def test_an_address_of_another_is_not_taken_and_not_told(client: Client) -> None:
    ann = registered(client, "ann@example.org")
    registered(client, "bob@example.org")
    answers = [
        ann.send("POST", "/account/email", {"email": f"{name}@example.org", "password": PASSWORD})
        for name in ("bob", "nobody")
    ]
    assert answers[0].json() == answers[1].json()
    assert mails(client, "bob@example.org", "address") == []
    token = token_of(client, "nobody@example.org", "address")
    registered(client, "nobody@example.org")
    assert Browser(client).send("PUT", "/account/email", {"token": token}).status_code == 409


def test_a_reset_token_does_not_prove_an_address(client: Client) -> None:
    ann = registered(client, "ann@example.org")
    ann.send("POST", "/password-resets", {"email": "ann@example.org"})
    token = token_of(client, "ann@example.org", "reset")
    assert ann.send("PUT", "/account/email", {"token": token}).status_code == 422


class TestKeys:
    def use(self, client: Client, key: str, method: str = "GET", path: str = "/account") -> Any:
        return Browser(client).send(method, path, {} if method != "GET" else None, X_API_Key=key)

    def make(self, ann: Browser, *scopes: str, days: int | None = 365) -> dict[str, Any]:
        made = ann.send("POST", "/keys", {"name": "script", "scopes": scopes, "days": days})
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    def test_a_key_opens_what_its_scopes_say(self, client: Client) -> None:
        ann = registered(client, "ann@example.org")
        reads = self.make(ann, "account:read")
        assert self.use(client, reads["key"]).json()["email"] == "ann@example.org"
        assert self.use(client, reads["key"]).json()["csrf"] is None
        refused = self.use(client, reads["key"], "PATCH")
        assert refused.status_code == 403
        assert "account:write" in refused.json()["detail"]
        writes = self.make(ann, "account:write")
        assert self.use(client, writes["key"], "PATCH").status_code == 200
        assert self.use(client, writes["key"]).status_code == 403
        listed = ann.send("GET", "/keys").json()["items"]
        assert [key["id"] for key in listed] == [writes["id"], reads["id"]]
        assert all(key["used"] for key in listed)
        assert not any("key" in key or "digest" in key for key in listed)
        assert len(mails(client, "ann@example.org", "key")) == 2

    def test_a_key_never_makes_itself_more(self, client: Client) -> None:
        boss = registered(client, "boss@example.org", "superuser")
        every = self.make(boss, "account:read", "account:write", "users:read")["key"]
        assert self.use(client, every, path="/users").status_code == 200
        for method, path in (("GET", "/keys"), ("POST", "/keys"), ("PUT", "/account/password"),
                             ("POST", "/account/deletion"), ("GET", "/account/export"), ("GET", "/sessions"),
                             ("PUT", f"/users/{'0' * 32}/level")):  # fmt: skip
            assert self.use(client, every, method, path).status_code in {403, 422}, path
        body = {"name": "x", "scopes": ["account:read"]}
        answer = Browser(client).send("POST", "/keys", body, X_API_Key=every)
        assert answer.status_code == 403
        assert "log in" in answer.json()["detail"]

    def test_a_key_has_the_level_of_its_owner_now(self, client: Client) -> None:
        boss = registered(client, "boss@example.org", "superuser")
        key = self.make(boss, "users:read")["key"]
        assert self.use(client, key, path="/users").status_code == 200
        with database(client).writing() as session:
            session.execute(update(Person).values(level="staff"))
        assert self.use(client, key, path="/users").status_code == 403

    def test_keys_that_are_not_good(self, client: Client) -> None:
        ann = registered(client, "ann@example.org")
        revoked, old, good = (self.make(ann, "account:read") for _ in range(3))
        assert ann.send("DELETE", f"/keys/{revoked['id']}").status_code == 204
        assert ann.send("DELETE", f"/keys/{revoked['id']}").status_code == 204
        with database(client).writing() as session:
            over = now() - timedelta(seconds=1)
            session.execute(update(ApiKey).where(ApiKey.id == old["id"]).values(expires=over))
        for key in (revoked["key"], old["key"], good["key"][:-1], "", "umbra_", good["id"]):
            answer = self.use(client, key)
            assert answer.status_code == 401, key
            assert answer.headers["content-type"] == "application/problem+json"
        assert self.use(client, good["key"]).status_code == 200
        assert self.make(ann, "data:read", days=None)["expires"] is None

    def test_a_cookie_does_not_help_a_key_nor_a_key_a_cookie(self, client: Client) -> None:
        """What is sent as a key counts as one, also from a browser that is logged in."""
        ann = registered(client, "ann@example.org")
        assert ann.send("GET", "/account", X_API_Key="umbra_wrong").status_code == 401

    def test_scopes_that_there_are_not(self, client: Client) -> None:
        ann = registered(client, "ann@example.org")
        for scopes in ([], ["everything"], ["backup:write"], ["users:write"]):
            assert ann.send("POST", "/keys", {"name": "x", "scopes": scopes}).status_code == 422, scopes

    def test_keys_are_not_made_without_end(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api.people.key_routes.MOST", 2)
        ann = registered(client, "ann@example.org")
        first = self.make(ann, "data:read")
        self.make(ann, "data:read")
        body = {"name": "x", "scopes": ["data:read"]}
        assert ann.send("POST", "/keys", body).status_code == 409
        ann.send("DELETE", f"/keys/{first['id']}")
        assert ann.send("POST", "/keys", body).status_code == 201


def test_sessions_are_listed_and_ended(client: Client) -> None:
    ann, phone = registered(client, "ann@example.org"), Browser(client)
    phone.send("POST", "/sessions", {"email": "ann@example.org", "password": PASSWORD}, User_Agent="phone")
    listed = ann.send("GET", "/sessions").json()["items"]
    assert [row["current"] for row in listed] == [False, True]
    assert listed[0]["agent"] == "phone"
    assert ann.send("DELETE", f"/sessions/{listed[0]['id']}").status_code == 204
    assert phone.send("GET", "/account").status_code == 401
    assert ann.send("GET", "/account").status_code == 200


def test_everything_that_is_kept_is_told_to_its_owner_alone(client: Client) -> None:
    ann = registered(client, "ann@example.org", name="Ann Ünal")
    registered(client, "bob@example.org", name="Bob")
    ann.send("POST", "/keys", {"name": "script", "scopes": ["account:read"]})
    told = ann.send("GET", "/account/export")
    document = told.json()
    assert document["account"]["email"] == "ann@example.org"
    assert [key["name"] for key in document["keys"]] == ["script"]
    assert {mail["kind"] for mail in document["mail"]} == {"welcome", "key"}
    assert [entry["action"] for entry in document["actions"]] == ["key made"]
    for secret in ("bob@", "argon2", "digest", '"password":'):
        assert secret not in told.text, secret


class TestDeletion:
    def test_what_is_personal_goes(self, client: Client) -> None:
        ann = registered(client, "ann@example.org", name="Ann Ünal")
        ann.send("PATCH", "/account", {"affiliation": "Secret Observatory", "orcid": "0000-0002-1825-0097"})
        ann.send("POST", "/keys", {"name": "script", "scopes": ["account:read"]})
        identity = ann.send("GET", "/account").json()["id"]
        assert ann.send("POST", "/account/deletion", {"password": "wrong one"}).status_code == 403
        assert ann.send("POST", "/account/deletion", {"password": PASSWORD}).status_code == 204
        assert ann.send("GET", "/account").status_code == 401
        assert ann.log_in("ann@example.org").status_code == 401
        assert (count(client, LoginSession), count(client, ApiKey)) == (0, 0)
        with database(client).reading() as session:
            (row,) = session.scalars(select(Person))
            assert (row.id, row.email, row.email_key, row.password, row.orcid, row.affiliation, row.name) == (
                identity, None, None, None, None, "", "deleted account",
            )  # fmt: skip
            left = [m for m in session.scalars(select(Message)) if m.person is not None]
            assert left == []
            entries = list(session.scalars(select(Entry)))
        assert [entry.action for entry in entries[-2:]] == ["account deleted", "log-in refused"]
        told = " ".join(f"{entry.details}" for entry in entries)
        assert "ann@" not in told
        assert "Ünal" not in told
        again = registered(client, "ann@example.org")
        assert again.send("GET", "/account").json()["id"] != identity

    def test_the_last_superuser_stays(self, client: Client) -> None:
        boss = registered(client, "boss@example.org", "superuser")
        assert boss.send("POST", "/account/deletion", {"password": PASSWORD}).status_code == 409
        registered(client, "other@example.org", "superuser")
        assert boss.send("POST", "/account/deletion", {"password": PASSWORD}).status_code == 204
