"""Passwords: argon2id at rest."""

import threading
import unicodedata

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from reduction.errors import RequestError

SHORTEST = 10
AT_ONCE = 4
"""Hashes at once: each needs 19 MiB, and log-ins must not use up the memory."""

_hashing = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
_turn = threading.BoundedSemaphore(AT_ONCE)


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _turn:
        return _hashing.hash(_form(password))


def matches(password: str, kept: str | None) -> tuple[bool, str | None]:
    """Whether a password is right, and what to keep instead where hashing has become stronger.

    Without `kept` the same work is done, so that nobody can tell by the time it takes.
    """
    with _turn:
        right, anew = _hashing.verify_and_update(_form(password), kept or _NOBODYS)
    return (right and kept is not None), anew if kept is not None else None


def _form(password: str) -> str:
    """The same however a keyboard composes accents."""
    return unicodedata.normalize("NFKC", password)


def check_strength(password: str, *known: str) -> None:
    """Refuse a new password that is easily guessed.

    Parameters
    ----------
    known : str
        What everybody knows of the person: name, e-mail address.

    Raises
    ------
    RequestError
        It is too short, one character again and again, or what everybody knows.
    """
    folded = password.casefold()
    if len(password) < SHORTEST:
        raise RequestError(
            f"password: {len(password)} characters; use {SHORTEST} or more, a sentence is good"
        )
    if len(set(folded)) < 4:
        raise RequestError("password: the same few characters again and again; use a sentence")
    parts = {part for text in known for part in (text.casefold(), text.casefold().partition("@")[0])}
    if folded in parts or any(len(part) >= 4 and folded.replace(part, "").isdigit() for part in parts):
        raise RequestError("password: your name or address; use something that nobody knows")


_NOBODYS = hashed("a password that nobody has")
