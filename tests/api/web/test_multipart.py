"""Forms with files as they arrive: in any pieces, with any names, broken anywhere."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from tests.requirements import require

require("server")

from hypothesis import given, settings  # noqa: E402 - after the check for the extra
from hypothesis import strategies as st  # noqa: E402

from api.problems import RefusedError  # noqa: E402
from api.web.multipart import MOST_PARTS, Parts  # noqa: E402
from reduction.errors import RequestError, UmbraError  # noqa: E402
from tests.fuzzing import COUNT, mutations  # noqa: E402

KIND = "multipart/form-data; boundary=xyz"
Read = list[tuple[str, str | None, bytes]]


def written(fields: dict[str, str], files: Sequence[tuple[str, bytes]]) -> tuple[bytes, str]:
    """A form as httpx writes it: somebody else's reading of RFC 7578."""
    sent = [("file", (name, content)) for name, content in files]
    request = httpx.Request("POST", "http://a/", data=fields, files=sent)
    return request.read(), request.headers["content-type"]


async def _pieces(body: bytes, step: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), step):
        yield body[at : at + step]
        yield b""


async def _read(body: bytes, kind: str, step: int) -> Read:
    parts = Parts(_pieces(body, step), kind)
    found: Read = []
    while (part := await parts.next()) is not None:
        found.append((part.name, part.filename, b"".join([piece async for piece in parts.data()])))
    assert parts.passed <= len(body)
    return found


def read(body: bytes, kind: str = KIND, step: int = 1 << 16) -> Read:
    return asyncio.run(_read(body, kind, step))


def part(disposition: str, content: bytes = b"x") -> bytes:
    return (
        b"--xyz\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n--xyz--\r\n"
    )


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1 << 16])
def test_a_form(step: int) -> None:
    nasty = b"\r\n--xyz\r\n\r\n--\r\n\r\n-" * 5
    body, kind = written(
        {"csrf": "abc", "as": "ü"}, [("a.ser", nasty), ("empty", b""), ('Σ "b".fit', b"\r\n")]
    )
    found = read(body, kind, step)
    assert found == [
        ("csrf", None, b"abc"), ("as", None, "ü".encode()), ("file", "a.ser", nasty), ("file", "empty", b""),
        ("file", 'Σ "b".fit', b"\r\n"),
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=4), st.integers(1, 40))
def test_any_content_in_any_pieces(contents: list[bytes], step: int) -> None:
    body, kind = written({}, [(f"{k}.ser", content) for k, content in enumerate(contents)] or [("a", b"")])
    assert [content for _, _, content in read(body, kind, step)] == (contents or [b""])


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ('filename="a\\b.ser"', "a\\b.ser"),
        ('filename="a\\"b.ser"', 'a"b.ser'),
        ('filename="a%22b.ser"', 'a"b.ser'),
        ('filename="100%.ser"', "100%.ser"),
        ('filename="a%0D%0Ab.ser"', "a\r\nb.ser"),
        ('filename="<img src=x>.ser"', "<img src=x>.ser"),
        ('filename=""', ""),
        ('FILENAME="a;b.ser"', "a;b.ser"),
    ],
)
def test_names(told: str, name: str) -> None:
    assert read(part(f'form-data; name="file"; {told}')) == [("file", name, b"x")]


@pytest.mark.parametrize("step", [1, 1 << 16])
def test_an_empty_line_before_and_the_rest_are_nothing(step: int) -> None:
    body = b"\r\n" + part('form-data; name="a"') + b"and more"
    assert read(body, step=step) == [("a", None, b"x")]


@pytest.mark.parametrize("step", [1, 5, 64, 1 << 16])
def test_what_has_passed_before_a_files_bytes(step: int) -> None:
    async def passed(body: bytes, kind: str) -> list[int]:
        parts = Parts(_pieces(body, step), kind)
        found = []
        while await parts.next() is not None:
            found.append(parts.passed)
            async for _ in parts.data():
                pass
            found.append(parts.passed)
        return found

    body, kind = written({"csrf": "abc"}, [("a.ser", b"first\r\n--"), ("b.ser", b"second")])
    places = [body.index(content) for content in (b"abc", b"first", b"second")]
    ends = [place + size for place, size in zip(places, (3, 9, 6), strict=True)]
    expected = [at for pair in zip(places, ends, strict=True) for at in pair]
    assert asyncio.run(passed(body, kind)) == expected


def test_a_form_without_parts() -> None:
    assert read(b"--xyz--\r\n") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--xyz",
        b"--xyz\r\n",
        b"--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xyz--",
        b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--xy',
        b"--xyz\r\nX: " + b"a" * (17 << 10) + b"\r\n\r\n",
        b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n' + b"X: a\r\n" * 8 + b"\r\nx\r\n--xyz--",
        b"hello\r\n" + b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--xyz--',
        b'--xyzContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--xyz--',
        b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * (MOST_PARTS + 1) + b"--xyz--",
    ],
    ids=range(10),
)
def test_broken(body: bytes) -> None:
    with pytest.raises(RequestError):
        read(body)


@pytest.mark.parametrize("kind", ["", "text/html", "multipart/form-data", "multipart/mixed; boundary=a"])
def test_no_form_with_files(kind: str) -> None:
    with pytest.raises(RefusedError):
        read(b"", kind)


def test_text_has_an_end() -> None:
    async def text(body: bytes, most: int) -> str:
        parts = Parts(_pieces(body, 100), KIND)
        await parts.next()
        return await parts.text(most)

    body = part('form-data; name="a"', b"x" * 1000)
    assert asyncio.run(text(body, 1000)) == "x" * 1000
    with pytest.raises(RequestError, match="longer"):
        asyncio.run(text(body, 999))
    with pytest.raises(RequestError, match="UTF-8"):
        asyncio.run(text(part('form-data; name="a"', b"\xff"), 10))


def test_mutated_inputs_are_read_or_refused() -> None:
    body, kind = written({"csrf": "abc"}, [("a.ser", b"\r\n--" * 40), ("b.ser", b"12")])
    for number, data in enumerate(mutations([body], COUNT, 200)):
        try:
            found = read(data, kind, 1 + number % 97)
        except UmbraError:
            continue
        assert sum(len(content) for _, _, content in found) <= len(data)
