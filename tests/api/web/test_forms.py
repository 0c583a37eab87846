"""Forms: names with dots and brackets, what is left out, what is wrong where."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.requirements import require

require("server")

from fastapi import Request  # noqa: E402 - after the check for the extra
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from api.problems import RefusedError  # noqa: E402
from api.web.forms import MOST_FIELDS, MULTIPART, URLENCODED, Form, FormError, read_form  # noqa: E402
from reduction.errors import RequestError  # noqa: E402
from reduction.settings import Settings  # noqa: E402
from tests.fuzzing import COUNT, mutations  # noqa: E402


class Star(Settings):
    x: float
    y: float


class Report(Settings):
    begin: str | None = None
    count: int = 0


class Body(Settings):
    name: str
    report: Report = Report()
    stars: tuple[Star, ...] = ()
    scopes: tuple[str, ...] = ()
    agreed: bool = False
    note: str | None = "before"


def form(**fields: str | list[str]) -> Form:
    return Form({name: value if isinstance(value, list) else [value] for name, value in fields.items()})


def test_names_become_fields() -> None:
    typed: dict[str, Any] = {
        "name": "Ann", "report.begin": "21:00", "report.count": "3", "stars.0.x": "1.5", "stars.0.y": "2",
        "stars.10.x": "3", "stars.10.y": "4", "scopes[]": ["a", "b"], "agreed": ["false", "on"], "csrf": "z",
        "next": "/",
    }  # fmt: skip
    body = form(**typed).read(Body)
    assert body == Body(
        name="Ann",
        report=Report(begin="21:00", count=3),
        stars=(Star(x=1.5, y=2), Star(x=3, y=4)),
        scopes=("a", "b"),
        agreed=True,
    )


def test_what_is_empty_is_left_out_unless_it_means_something() -> None:
    typed = form(name="Ann", note=" ", **{"report.begin": ""})
    assert typed.read(Body).note == "before"
    assert typed.read(Body, empty={"note": None}).note is None
    assert form(name="x").read(Body, empty={"note": None}).note == "before", "a form without the field"
    assert form().read(Body, name="given").name == "given"
    assert form(name="x", **{"scopes[]": ["", "a"]}).read(Body).scopes == ("a",)


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({}, {"name": "is needed"}),
        ({"name": "x", "report.count": "many"}, "report.count"),
        ({"name": "x", "stars.0.x": "1"}, {"stars.0.y": "is needed"}),
        ({"name": "x", "colour": "red"}, "colour"),
        ({"name": "x", "name.first": "y"}, {"name.first": "is sent twice, in two forms"}),
    ],
    ids=["missing", "number", "part", "unknown", "twice"],
)
def test_what_is_wrong_is_told_by_the_name_of_its_field(typed: dict[str, str], wrong: Any) -> None:
    with pytest.raises(FormError) as raised:
        form(**typed).read(Body)
    told = raised.value.fields
    assert told == wrong if isinstance(wrong, dict) else set(told) == {wrong}


def test_sentences_of_the_services_functions_find_their_field() -> None:
    typed = form(password="short", csrf="z")
    _, told = typed.told(RequestError("password: 5 characters; use 10"))
    assert told == {"password": "5 characters; use 10"}
    problem, told = typed.told(RefusedError(409, "sites: none"))
    assert (problem.status, told) == (409, {"": "sites: none"})
    _, told = typed.told(RequestError("csrf: wrong"))
    assert told == {"": "csrf: wrong"}


def test_what_is_secret_is_not_shown_again() -> None:
    typed = form(email="a@example.org", password="p", new="n", token="t", csrf="c")
    assert typed.typed == {"email": "a@example.org"}


def received(body: bytes, kind: str, files: bool = False) -> Form:
    """The form of a request's body."""
    sent = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return sent.pop(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"content-type", kind.encode())],
        "app": None,
    }
    return asyncio.run(_read(Request(scope, receive), files))


async def _read(request: Request, files: bool) -> Form:
    found = await read_form(request, files)
    await found.close()
    return found


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(st.text(min_size=1, max_size=8), st.lists(st.text(max_size=20), min_size=1, max_size=3))
)
def test_a_form_is_read_as_it_was_typed(fields: dict[str, list[str]]) -> None:
    encodable = {
        name: values for name, values in fields.items() if _is_text(name) and all(map(_is_text, values))
    }
    pairs = [(name, value) for name, values in encodable.items() for value in values]
    assert received(urlencode(pairs).encode(), URLENCODED).fields == encodable


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def test_what_is_no_form_is_refused() -> None:
    with pytest.raises(RefusedError):
        received(b"{}", "application/json")
    with pytest.raises(RefusedError):
        received(b"", f"{MULTIPART}; boundary=x")
    for bad in (b"a=%FF", "a=ä".encode(), b"&".join(b"a=1" for _ in range(MOST_FIELDS + 1))):
        with pytest.raises(RequestError):
            received(bad, URLENCODED)


def _multipart(parts: Sequence[tuple[str, str, bytes]]) -> bytes:
    """Name, file name or "", content."""
    lines = b""
    for name, file, content in parts:
        named = f'; filename="{file}"' if file else ""
        lines += (
            f'--XX\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
            + content
            + b"\r\n"
        )
    return lines + b"--XX--\r\n"


def test_files_come_where_the_page_takes_them(tmp_path: Path) -> None:
    del tmp_path
    body = _multipart(
        [("csrf", "", b"z"), ("file", "a.ser", b"\x00\x01"), ("file", "../b.ser", b""), ("other", "", b"1")]
    )
    found = received(body, f"{MULTIPART}; boundary=XX", files=True)
    assert found.fields == {"csrf": ["z"], "other": ["1"]}
    assert [file.filename for file in found.files["file"]] == ["a.ser", "../b.ser"]


# a part that is cut off leaves its file to the collector
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_mutated_inputs_are_forms_or_refused(kind: str) -> None:
    from starlette.exceptions import HTTPException

    wholes = {
        "urlencoded": b"csrf=abc&name=A%C3%A4&report.begin=21%3A00&stars.0.x=1&stars.0.y=2&scopes%5B%5D=a",
        "multipart": _multipart(
            [("csrf", "", b"abc"), ("stars.0.x", "", b"1"), ("file", "a.ser", b"SER" * 20)]
        ),
    }
    content = URLENCODED if kind == "urlencoded" else f"{MULTIPART}; boundary=XX"
    for body in mutations([wholes[kind]], COUNT, 200):
        try:
            received(body, content, files=True).read(Body)
        except (FormError, RequestError, HTTPException):
            continue
