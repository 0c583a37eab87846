"""Somebody at a browser: keeps the cookie and what must be sent beside it."""

import re
from typing import Any

import httpx
from sqlalchemy import func, select, update

from api.audit.tables import Entry
from api.database.transactions import Database
from api.mail.tables import Message
from api.people.tables import Person
from tests.api.client import API, Client

PASSWORD = "a good long sentence"
TOKEN = re.compile(r"^  ([A-Za-z0-9_-]{43})$", re.MULTILINE)


class Browser:
    """One person's browser; several share a service."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.cookies: dict[str, str] = {}
        self.csrf = ""

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        self.client.forget()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.csrf and "X-CSRF-Token" not in sent:
            sent["X-CSRF-Token"] = self.csrf
        options = {} if body is None else {"json": body}
        answer = self.client.send(method, API + path, headers=sent, **options)
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        return answer

    def log_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        answer = self.send("POST", "/sessions", {"email": email, "password": password})
        if answer.status_code == 201:
            self.csrf = answer.json()["csrf"]
        return answer


def database(client: Client) -> Database:
    found: Database = client.app.state.database
    return found


def mails(client: Client, recipient: str, kind: str) -> list[Message]:
    with database(client).reading() as session:
        rows = select(Message).where(Message.recipient == recipient, Message.kind == kind)
        return list(session.scalars(rows.order_by(Message.place)))


def token_of(client: Client, recipient: str, kind: str) -> str:
    """What the last e-mail of a kind carries."""
    found = TOKEN.search(mails(client, recipient, kind)[-1].text)
    assert found is not None
    return found[1]


def count(client: Client, table: Any) -> int:
    with database(client).reading() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def actions(client: Client) -> list[str]:
    with database(client).reading() as session:
        return list(session.scalars(select(Entry.action).order_by(Entry.place)))


def registered(client: Client, email: str, level: str = "observer", name: str = "Ann") -> Browser:
    """A person with an account, logged in."""
    browser = Browser(client)
    body = {"email": email, "password": PASSWORD, "name": name}
    assert browser.send("POST", "/accounts", body).status_code == 202
    proof = {"token": token_of(client, email, "activation"), "password": PASSWORD}
    answer = browser.send("POST", "/accounts/activation", proof)
    assert answer.status_code == 201, answer.text
    browser.csrf = answer.json()["csrf"]
    if level != "observer":
        with database(client).writing() as session:
            session.execute(update(Person).where(Person.email == email).values(level=level))
    return browser
