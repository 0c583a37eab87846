"""Somebody who uses the portal without scripts: reads a page, fills in its forms, follows where it leads."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import update

from api.people.tables import Person
from tests.api.client import Client
from tests.api.people.browser import database, mails

PASSWORD = "a good long sentence"


@dataclass
class PageForm:
    """A form of a page: where it goes, and what it sends if nothing is typed."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._silent = 0
        self._area: list[str] | None = None
        self._select: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        name, value = held.get("name"), held.get("value") or ""
        if tag == "form":
            self.forms.append(PageForm(held.get("action") or "", (held.get("method") or "get").upper()))
        elif tag == "input" and name and self.forms:
            ticked = held.get("type") not in {"checkbox", "radio"} or "checked" in held
            if ticked and held.get("type") not in {"submit", "file"}:
                self.forms[-1].fields.setdefault(name, []).append(value)
        elif tag == "textarea" and name and self.forms:
            self._area = self.forms[-1].fields.setdefault(name, [""])
        elif tag == "select" and name and self.forms:
            self._select = self.forms[-1].fields.setdefault(name, [])
        elif tag == "option" and (not self._select or "selected" in held):
            self._select[:] = [value]
        elif tag == "a" and held.get("href"):
            self.links.append(held["href"] or "")
        elif tag in {"script", "style", "head"}:
            self._silent += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "head"}:
            self._silent -= 1
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area[0] += data
        if not self._silent:
            self.words.append(data)


class Surfer:
    """A person's browser without scripts; several share a service."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.cookies: dict[str, str] = {}
        self.answer: httpx.Response | None = None

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask for a path; keeps cookies."""
        self.client.forget()
        headers = {"Accept": "text/html,*/*;q=0.8"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers |= options.pop("headers", {})
        answer = self.client.send(method, path, headers=headers, **options)
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        self.answer = answer
        return answer

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Look at a page; where it leads elsewhere, at that one."""
        return self._followed(self.send("GET", path, **options))

    def post(self, action: str, follow: bool = True, **fields: Any) -> httpx.Response:
        """Fill in the form of the page at hand that goes to `action`, and send it."""
        form = next(one for one in self.forms if one.action == action and one.method == "POST")
        sent = form.fields | {
            name: value if isinstance(value, list) else [value] for name, value in fields.items()
        }
        answer = self.send("POST", action, data=sent)
        return self._followed(answer) if follow else answer

    def _followed(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(5):
            if answer.status_code != 303:
                break
            answer = self.send("GET", answer.headers["location"])
        return answer

    def _read(self) -> _Reader:
        assert self.answer is not None
        reader = _Reader()
        reader.feed(self.answer.text)
        return reader

    @property
    def forms(self) -> list[PageForm]:
        return self._read().forms

    @property
    def links(self) -> list[str]:
        return self._read().links

    @property
    def words(self) -> str:
        """What the page says."""
        return " ".join(" ".join(self._read().words).split())


def link_of(client: Client, recipient: str, kind: str) -> str:
    """Path and query of the page that the last e-mail of a kind leads to."""
    text = mails(client, recipient, kind)[-1].text
    link = next(word for word in text.split() if word.startswith("http") and "token=" in word)
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def arrived(client: Client, email: str, level: str = "observer", name: str = "Ann") -> Surfer:
    """Somebody who has registered by the pages, and is logged in."""
    surfer = Surfer(client)
    surfer.get("/register")
    answer = surfer.post("/register", name=name, email=email, password=PASSWORD)
    assert answer.status_code == 200, surfer.words
    surfer.get(link_of(client, email, "activation"))
    answer = surfer.post("/activate", follow=False, password=PASSWORD)
    assert answer.status_code == 303, surfer.words
    if level != "observer":
        with database(client).writing() as session:
            session.execute(update(Person).where(Person.email == email).values(level=level))
    return surfer
