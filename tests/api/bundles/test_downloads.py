"""Ranges as RFC 9110 has them, and names of files as RFC 6266 and 8187."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import require

require("server")

from api.conditional import matches  # noqa: E402 - after the check for the extra
from api.downloads import UnsatisfiableError, attachment, file_name, span_of  # noqa: E402

ASKED = {
    "bytes=0-0": (0, 1),
    "bytes=0-": (0, 100),
    "bytes=99-": (99, 100),
    "bytes=10-19": (10, 20),
    "bytes=10-1000": (10, 100),
    "BYTES=10-19": (10, 20),
    "bytes= 10-19 ": (10, 20),
    "bytes=-1": (99, 100),
    "bytes=-1000": (0, 100),
    "bytes=000000000000000000000000000000010-19": (10, 20),
    f"bytes=5-{'9' * 5000}": (5, 100),
    "bytes=0-1,5-6": None,
    "bytes=-": None,
    "bytes=20-10": None,
    "bytes=a-b": None,
    "bytes": None,
    "": None,
    "items=0-5": None,
    "bytes=+1-5": None,
    "bytes=1-5-9": None,
    "bytes=١-٥": None,
}


@pytest.mark.parametrize("asked", ASKED, ids=[f"{k}" for k in range(len(ASKED))])
def test_what_is_asked_for(asked: str) -> None:
    assert span_of(asked, 100) == ASKED[asked], asked


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_beyond_the_end(asked: str) -> None:
    with pytest.raises(UnsatisfiableError):
        span_of(asked, 100)


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=0-0", "bytes=-5"])
def test_of_nothing_there_is_no_part(asked: str) -> None:
    with pytest.raises(UnsatisfiableError):
        span_of(asked, 0)


@given(st.text())
def test_mutated_inputs_are_a_range_or_none(text: str) -> None:
    for asked in (text, f"bytes={text}"):
        try:
            found = span_of(asked, 1000)
        except UnsatisfiableError:
            continue
        assert found is None or 0 <= found[0] < found[1] <= 1000


HOSTILE = (
    "../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "C:\\a.ser", 'a".ser', "a\r\nSet-Cookie: x=1",
    "a\0b", "\u202egnp.exe", "con.ser", "NUL", "COM1.txt", "...", "", " ", "a" * 1000 + ".ser",
    "観測" * 200 + ".adv",
    "\ud800", "%2e%2e%2f", "a;b=c.ser", "-rf", "~root", "a\\", "n\u0303.ser", "'quoted'",
)  # fmt: skip


def read(header: str) -> str:
    """An independent reader: the name that a browser takes."""
    parts = re.fullmatch(
        r'attachment; filename="([^"\\\x00-\x1f\x7f-\uffff%]*)"(?:; filename\*=UTF-8\'\'(\S+))?', header
    )
    assert parts is not None, header
    if parts[2] is None:
        return parts[1]
    assert re.fullmatch(r"(?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})+", parts[2]), header
    return unquote(parts[2], errors="strict")


@pytest.mark.parametrize("name", HOSTILE, ids=[f"{k}" for k in range(len(HOSTILE))])
def test_hostile_names(name: str) -> None:
    header = attachment(name)
    assert header.isascii()
    saved = read(header)
    assert saved == file_name(name)
    assert saved
    assert not set(saved) & set('/\\:*?"<>|\0\r\n')
    assert saved not in {".", ".."}
    assert not saved.startswith(".")
    assert len(saved.encode()) <= 152


@given(st.text())
def test_mutated_inputs_are_names(name: str) -> None:
    saved = read(attachment(name))
    assert saved == file_name(name)
    assert saved.strip(" .")


@pytest.mark.parametrize("name", ["a.ser", "2020-08-08 Ixion (1).zip", "Kılıç.ser", "観測.adv"])
def test_good_names_stay(name: str) -> None:
    assert read(attachment(name)) == name


def test_etags_are_compared_as_the_rfc_says() -> None:
    assert matches('"a"', '"a"')
    assert matches('W/"a"', '"a"')
    assert not matches('W/"a"', '"a"', strong=True)
    assert matches('"b", "a"', '"a"', strong=True)
    assert matches('"x,y", W/"z"', '"x,y"', strong=True)
    assert matches(" * ", '"a"', strong=True)
    for wrong in ("", "a", '"A"', '"a', "'a'", '""'):
        assert not matches(wrong, '"a"'), wrong
