"""From asking for an account to being logged in, and the ways that must not lead there."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from api.database.tables import now
from api.people.tables import LoginSession, Person, Registration, Token
from tests.api.client import Client
from tests.api.people.browser import (
    PASSWORD,
    Browser,
    actions,
    count,
    database,
    mails,
    registered,
    token_of,
)

ANN = {"email": "Ann@Example.org", "password": PASSWORD, "name": "Ann Ünal"}


def test_from_registration_to_log_out(client: Client) -> None:
    browser = Browser(client)
    assert browser.send("GET", "/account").status_code == 401
    asked = browser.send("POST", "/accounts", {**ANN, "affiliation": "TUG", "orcid": "0000-0002-1825-0097"})
    assert asked.status_code == 202
    assert count(client, Person) == 0
    (mail,) = mails(client, "Ann@Example.org", "activation")
    assert mail.text.startswith("Hello Ann Ünal,")
    proof = {"token": token_of(client, "Ann@Example.org", "activation"), "password": PASSWORD}
    answer = browser.send("POST", "/accounts/activation", proof)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["level"], told["orcid"], told["affiliation"]) == ("observer", "0000-0002-1825-0097", "TUG")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    browser.csrf = told["csrf"]
    assert browser.send("GET", "/account").json() == told
    assert browser.send("POST", "/accounts/activation", proof).status_code == 422
    assert browser.send("DELETE", "/sessions/current").status_code == 204
    assert browser.send("GET", "/account").status_code == 401
    assert browser.log_in("ann@example.ORG").status_code == 201
    assert browser.send("GET", "/account").json()["name"] == "Ann Ünal"
    assert actions(client) == [
        "registration asked", "account made", "logged in", "logged out", "logged in",
    ]  # fmt: skip


def test_nobody_learns_who_has_an_account(client: Client) -> None:
    registered(client, "ann@example.org")
    browser = Browser(client)
    for path, body in (
        ("/accounts", {**ANN, "email": "{}"}),
        ("/password-resets", {"email": "{}"}),
        ("/sessions", {"email": "{}", "password": "wrong, whoever it is"}),
    ):
        answers = []
        for email in ("ann@example.org", "eve@example.org"):
            before = len(actions(client))
            answer = browser.send("POST", path, {**body, "email": email})
            headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
            answers.append((answer.status_code, answer.content, headers, len(actions(client)) - before))
        assert answers[0] == answers[1], path
    assert len(mails(client, "ann@example.org", "registered")) == 1
    assert mails(client, "eve@example.org", "reset") == []


def test_somebody_elses_registration_of_my_address_comes_to_nothing(client: Client) -> None:
    eve = Browser(client)
    eve.send("POST", "/accounts", {**ANN, "email": "ann@example.org", "password": "the password of eve"})
    token = token_of(client, "ann@example.org", "activation")
    ann = Browser(client)
    refused = ann.send("POST", "/accounts/activation", {"token": token, "password": PASSWORD})
    assert refused.status_code == 422
    assert count(client, Person) == 0
    registered(client, "ann@example.org")
    late = eve.send("POST", "/accounts/activation", {"token": token, "password": "the password of eve"})
    assert late.status_code == 409
    assert count(client, Person) == 1


def test_what_is_old_is_no_longer_good(client: Client) -> None:
    browser = Browser(client)
    browser.send("POST", "/accounts", ANN)
    with database(client).writing() as session:
        session.execute(update(Registration).values(expires=now()))
    proof = {"token": token_of(client, "Ann@Example.org", "activation"), "password": PASSWORD}
    assert browser.send("POST", "/accounts/activation", proof).status_code == 422
    browser = registered(client, "bob@example.org")
    browser.send("POST", "/password-resets", {"email": "bob@example.org"})
    with database(client).writing() as session:
        session.execute(update(Token).values(expires=now()))
        session.execute(update(LoginSession).values(expires=now() - timedelta(seconds=1)))
    reset = {"token": token_of(client, "bob@example.org", "reset"), "password": "another good sentence"}
    assert browser.send("PUT", "/password-resets", reset).status_code == 422
    assert browser.send("GET", "/account").status_code == 401


def test_a_new_password_ends_all_sessions(client: Client) -> None:
    ann, thief = registered(client, "ann@example.org"), Browser(client)
    thief.log_in("ann@example.org")
    assert thief.send("GET", "/account").status_code == 200
    ann.send("POST", "/password-resets", {"email": "ANN@example.org"})
    token = token_of(client, "ann@example.org", "reset")
    assert ann.send("PUT", "/password-resets", {"token": token, "password": "short"}).status_code == 422
    done = ann.send("PUT", "/password-resets", {"token": token, "password": "another good sentence"})
    assert done.status_code == 204
    again = ann.send("PUT", "/password-resets", {"token": token, "password": "another good sentence"})
    assert again.status_code == 422
    assert thief.send("GET", "/account").status_code == 401
    assert ann.log_in("ann@example.org").status_code == 401
    assert ann.log_in("ann@example.org", "another good sentence").status_code == 201
    assert len(mails(client, "ann@example.org", "password")) == 1


def test_log_in_changes_the_session(client: Client) -> None:
    ann = registered(client, "ann@example.org")
    before = dict(ann.cookies)
    ann.log_in("ann@example.org")
    assert ann.cookies != before
    old = Browser(client)
    old.cookies = before
    assert old.send("GET", "/account").status_code == 401
    assert count(client, LoginSession) == 1


def test_only_hashes_are_kept(client: Client) -> None:
    ann = registered(client, "ann@example.org")
    made = ann.send("POST", "/keys", {"name": "k", "scopes": ["account:read"]}).json()
    ann.send("POST", "/password-resets", {"email": "ann@example.org"})
    secrets = [*ann.cookies.values(), made["key"], PASSWORD]
    engine = database(client).engine
    with engine.connect() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    for secret in secrets:
        assert secret not in dump
    # the outbox has the token until it is sent, and nothing else does
    token = token_of(client, "ann@example.org", "reset")
    assert all("message" in line for line in dump.split("INSERT INTO") if token in line)


def test_a_page_of_another_site_changes_nothing(client: Client) -> None:
    ann = registered(client, "ann@example.org")
    change = {"affiliation": "evil"}
    for headers in (
        {"X_CSRF_Token": ""},
        {"X_CSRF_Token": "0" * 64},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        refused = ann.send("PATCH", "/account", change, **headers)
        assert refused.status_code == 403, headers
    for headers in ({}, {"Sec_Fetch_Site": "same-origin"}, {"Origin": "http://localhost"}):
        assert ann.send("PATCH", "/account", change, **headers).status_code == 200, headers
    stranger = Browser(client)
    body = {"email": "ann@example.org", "password": PASSWORD}
    assert stranger.send("POST", "/sessions", body, Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("email", "ann", "e-mail"),
        ("email", "ann@example.org\r\nBcc: eve@example.org", "e-mail"),
        ("email", "ann@example", "e-mail"),
        ("email", "a..b@example.org", "e-mail"),
        ("email", "ännchen@example.org", "e-mail"),
        ("name", "", "at least 1"),
        ("name", "  ", "empty"),
        ("name", "Ann\nBcc: eve@example.org", "cannot be seen"),
        ("name", "Ann\x00", "cannot be seen"),
        ("name", "\u202eAnn", "cannot be seen"),
        ("name", "x" * 201, "at most 200"),
        ("password", "short", "10 or more"),
        ("password", "aaaaaaaaaaaa", "again and again"),
        ("password", "ann@example.org", "your name"),
        ("orcid", "0000-0002-1825-0098", "ORCID"),
        ("orcid", "0000-0002-1825", "ORCID"),
        ("level", "superuser", "not permitted"),
    ],
)
def test_registrations_that_are_refused(client: Client, field: str, value: str, wrong: str) -> None:
    body = {"email": "ann@example.org", "password": PASSWORD, "name": "Ann", field: value}
    answer = Browser(client).send("POST", "/accounts", body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert wrong in answer.json()["detail"]
    assert PASSWORD not in answer.text
    assert count(client, Registration) == 0


def test_half_a_character_is_no_text(client: Client) -> None:
    raw = b'{"email": "ann@example.org", "name": "\\ud800", "password": "%s"}' % PASSWORD.encode()
    answer = client.post("/api/v1/accounts", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
