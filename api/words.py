"""Text of requests: what may be kept, shown and put into an e-mail's header."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

EMAIL = re.compile(r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$")
ORCID = re.compile(r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$")
ORCID_SITE = re.compile(r"^https?://orcid\.org/")
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
JOINERS = "\u200c\u200d"
"""Of category Cf, and part of words in some scripts."""


def _words(text: str) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    for character in text:
        if unicodedata.category(character) in HIDDEN and character not in JOINERS:
            raise ValueError("has a character that cannot be seen, such as a line break")
    return text


def _prose(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    return "\n".join(map(_words, lines)).strip("\n")


def _filled(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


def _email(text: str) -> str:
    text = text.strip()
    if not EMAIL.match(text) or len(text) > 254 or ".." in text or text.startswith("."):
        raise ValueError("is no e-mail address such as name@example.org")
    return text


def email_key(email: str) -> str:
    """The form by which an address is found: capitals make no difference."""
    return email.lower()


def _orcid(text: str) -> str:
    text = ORCID_SITE.sub("", text.strip()).upper()
    if not ORCID.match(text) or text[-1] != orcid_check(text):
        raise ValueError("is no ORCID iD such as 0000-0002-1825-0097: its check digit is wrong")
    return text


def orcid_check(text: str) -> str:
    """Check digit of an ORCID iD: ISO 7064 MOD 11-2 over its first 15 digits."""
    total = 0
    for digit in text.replace("-", "")[:15]:
        total = 2 * (total + int(digit))
    rest = (12 - total % 11) % 11
    return "X" if rest == 10 else str(rest)


def _text(value: object) -> object:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("is no text: a half of a surrogate pair") from None
    return value


Words = Annotated[str, BeforeValidator(_text), Field(max_length=200), AfterValidator(_words)]
"""One line that people read; may be empty."""
Name = Annotated[
    str,
    BeforeValidator(_text),
    Field(min_length=1, max_length=200),
    AfterValidator(_words),
    AfterValidator(_filled),
]
Email = Annotated[
    str,
    BeforeValidator(_text),
    Field(max_length=254, json_schema_extra={"format": "email"}),
    AfterValidator(_email),
]
Orcid = Annotated[str, Field(max_length=40, examples=["0000-0002-1825-0097"]), AfterValidator(_orcid)]
Password = Annotated[
    str,
    BeforeValidator(_text),
    Field(min_length=1, max_length=1000, json_schema_extra={"format": "password"}),
]
"""As it is typed at log-in; of a new one more is asked."""
Secret = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
"""What an e-mail carried."""
Prose = Annotated[
    str,
    BeforeValidator(_text),
    Field(min_length=1, max_length=20_000),
    AfterValidator(_prose),
    AfterValidator(_filled),
]
"""Several lines that people read."""
