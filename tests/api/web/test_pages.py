"""What holds for every page: policy, tokens, links that stay here, errors that people can read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from hypothesis import given, settings  # noqa: E402 - after the check for the extra
from hypothesis import strategies as st  # noqa: E402

from api.web.addresses import own, with_query  # noqa: E402
from api.web.pages import PageRoute, Portal  # noqa: E402
from api.web.serving import ISLANDS, ROOT, Assets  # noqa: E402
from tests.api.access.test_routes import ROUTES  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.api.web.surfer import PASSWORD, Surfer, arrived  # noqa: E402

ANN = "ann@example.org"
PLAIN = sorted(
    path
    for (method, path), route in ROUTES.items()
    if isinstance(route, PageRoute) and method == "GET" and "{" not in path
)
"""Pages that need no id."""
ELSEWHERE = (
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "/\t/evil.example",
    "\\\\evil",
    "x",
    "",
)


@pytest.fixture(scope="module")
def visitors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Surfer, Surfer]]:
    """Nobody, and a superuser, of one service."""
    folder = tmp_path_factory.mktemp("visitors")
    (folder / "data").mkdir()
    free: dict[str, Any] = {"rate_visitor": "999999/second", "rate_address": "999999/second"}
    with serving(folder / "data", folder / "home", Scripted(), **free) as client:
        yield Surfer(client), arrived(client, ANN, "superuser")


@pytest.mark.parametrize("path", PLAIN)
def test_policy(visitors: tuple[Surfer, Surfer], path: str) -> None:
    for surfer in visitors:
        answer = surfer.get(path)
        assert answer.status_code < 500, path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "same-origin"
        for link in surfer.links:
            assert own(link.partition("#")[0] or "/") == (link.partition("#")[0] or "/") or link.startswith(
                "https://"
            ), link


def test_a_form_without_its_token_changes_nothing(client: Client) -> None:
    ann = arrived(client, ANN)
    for data in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "ä"}):
        answer = ann.send("POST", "/account", data={"name": "Eve", **data})
        assert answer.status_code == 403
        assert answer.headers["content-type"].startswith("text/html")
    ann.get("/account")
    assert "Eve" not in ann.words
    assert ann.post("/account", name="Anna").status_code == 200


def test_another_site_sends_nothing(client: Client) -> None:
    ann = arrived(client, ANN)
    ann.get("/account")
    fields = next(form for form in ann.forms if form.action == "/account").fields
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert ann.send("POST", "/account", data=fields, headers=headers).status_code == 403
    log_in = {"email": ANN, "password": PASSWORD}
    other = Surfer(client)
    assert other.send("POST", "/login", data=log_in, headers={"Origin": "null"}).status_code == 403


@pytest.mark.parametrize("address", ELSEWHERE)
def test_no_link_leads_off(client: Client, address: str) -> None:
    ann = arrived(client, ANN)
    ann.post("/logout", follow=False) if ann.get("/account") else None
    ann.send("GET", "/login", params={"next": address})
    assert ann.forms[-1].fields["next"] == ["/"]
    answer = ann.send("POST", "/login", data={"email": ANN, "password": PASSWORD, "next": address})
    assert answer.headers["location"] == "/"
    there = ann.send("GET", "/login", params={"next": address})
    assert there.headers["location"] == "/"
    token = next(form for form in (ann.get("/account"), ann.forms)[1]).fields["csrf"][0]
    switched = ann.send("POST", "/theme", data={"theme": "dark", "next": address, "csrf": token})
    assert switched.headers["location"] == "/"


@settings(deadline=None)
@given(st.text(max_size=30), st.sampled_from(["", "/", "//", "/\\", "/a"]))
def test_own_addresses(text: str, start: str) -> None:
    found = own(start + text)
    assert found.startswith("/")
    assert not re.match(r"/[/\\]", found)
    assert found.isprintable()


def test_with_query() -> None:
    assert with_query("/a?x=1&done=b#c", done=None, cursor="z&") == "/a?x=1&cursor=z%26#c"
    assert with_query("/a", done="saved") == "/a?done=saved"
    assert with_query("/a?x=1", x="") == "/a"


def test_hostile_names_are_text(client: Client) -> None:
    name = "\"><script>alert(1)</script>{{ 7*7 }}'"
    eve = arrived(client, "eve@example.org", name=name)
    text = eve.get("/account").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in text
    assert eve.get("/account?done=<script>").status_code == 200
    assert "done=" not in eve.words


def test_errors_are_pages_for_people_and_problems_for_programs(client: Client) -> None:
    page = Surfer(client)
    assert page.get("/nowhere").status_code == 404
    assert "Nothing here" in page.words
    assert page.get("/nowhere/<script>").text == page.get("/nowhere").text, (
        "it does not repeat what was asked"
    )
    assert client.get("/nowhere").headers["content-type"] == "application/problem+json"
    api = client.get("/api/v1/nowhere", headers={"Accept": "text/html"})
    assert api.headers["content-type"] == "application/problem+json"
    assert page.send("GET", "/logout").status_code == 405
    assert "Not this way" in page.words
    assert page.send("POST", "/login", json={}).status_code == 415
    assert page.send("POST", "/login", data={"email": "x" * 2_000_000}).status_code == 413
    bad = page.send(
        "POST", "/login", content=b"a=\xff", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert bad.status_code == 422


def test_head_is_get_without_the_body(client: Client) -> None:
    page = Surfer(client)
    for path in ("/login", "/account", "/nowhere", "/help/curves"):
        head, got = page.send("HEAD", path), page.send("GET", path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        changing = {"x-request-id", "date"}
        assert {k: v for k, v in head.headers.items() if k not in changing} == {
            k: v for k, v in got.headers.items() if k not in changing
        }
    assert page.send("HEAD", "/logout").status_code == 405
    assert client.send("HEAD", "/api/v1/campaigns").status_code == 405, "routes of the API name their methods"


def test_htmx_is_told_where_to_log_in(client: Client) -> None:
    asked = {"HX-Request": "true", "HX-Current-URL": "http://localhost/account/keys?x=1"}
    answer = Surfer(client).send("GET", "/account/keys", headers=asked)
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/login?next=%2Faccount%2Fkeys%3Fx%3D1"
    asked["HX-Current-URL"] = "https://evil.example/"
    answer = Surfer(client).send("GET", "/account/keys", headers=asked)
    assert answer.headers["hx-redirect"] == "/login?next=%2F"


def test_the_theme_is_kept_in_a_cookie(client: Client) -> None:
    page = Surfer(client)
    assert "data-theme" not in page.get("/login").text.partition("<head>")[0]
    page.post("/theme", theme="dark")
    assert '<html lang="en" data-theme="dark">' in page.answer.text  # type: ignore[union-attr]  # just asked
    page.cookies["theme"] = '"><script>'
    assert "<script>" not in page.get("/login").text.partition("<head>")[0]


@pytest.mark.parametrize("there", [False, True], ids=["plain", "islands"])
def test_every_file_that_a_page_names_is_there(client: Client, tmp_path: Path, there: bool) -> None:
    """Also where npm has brought nothing: then a page names none of it."""
    (tmp_path / "static").symlink_to(ROOT / "static")
    for file in ISLANDS.values() if there else ():
        module = tmp_path / "islands" / "node_modules" / file
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text("/* it */")
    client.app.state.portal = Portal(client.app.state.settings, Assets(tmp_path))
    ann = arrived(client, ANN, "superuser")
    for path in PLAIN:
        answer = ann.get(path)
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        assert answer.status_code < 500
        named = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text))
        assert named
        assert any("/islands/" in address for address in named) == there, path
        for address in named:
            client.forget()
            assert client.get(address).status_code == 200, address
