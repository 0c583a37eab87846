"""Headers of tus requests, read strictly: metadata, numbers, checksums."""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal, Protocol, get_args

from starlette.datastructures import Headers

from api.problems import Problem, RefusedError

BODY = "application/offset+octet-stream"
LONGEST_METADATA = 4096
LONGEST_NAME = 200
"""Characters; the column holds 256."""
NAMELESS = f"a name of 1 to {LONGEST_NAME} visible characters"

MOST = (1 << 62) - 1
NUMBER = re.compile(r"^\d{1,19}$", re.ASCII)
KEY = re.compile(r"^[!-+\--~]+$")
"""ASCII without space and comma."""

ID = re.compile(r"^[0-9a-f]{32}$")
SHA256 = re.compile(r"^[0-9a-fA-F]{64}$")
ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
MISMATCH = 460
"""Of tus: the checksum is not that of the body."""

Role = Literal["recording", "additional", "roi"]
ROLES: tuple[Role, ...] = get_args(Role)


class Hash(Protocol):
    """A digest in the making."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def digest(self) -> bytes:
        """Of all bytes so far."""
        ...


@dataclass(slots=True)
class Checksum:
    """What a client says a body's digest is, and what it is so far."""

    algorithm: str
    wanted: bytes
    found: Hash = field(repr=False)

    def verify(self) -> None:
        """Compare. Raises `RefusedError` (460)."""
        if not hmac.compare_digest(self.found.digest(), self.wanted):
            raise mismatch(self.algorithm)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a client tells of a file.

    Attributes
    ----------
    observation : str
        Id.
    name : str
        Of the file, without folders.
    sha256 : str or None
        Of the whole file.
    text : str
        The header, as it came.
    """

    observation: str
    name: str
    role: Role
    sha256: str | None
    text: str


def mismatch(algorithm: str) -> RefusedError:
    """The error 460, of which HTTP has no name."""
    detail = f"Upload-Checksum: the body has another {algorithm}; nothing of it is kept, send it again"
    error = RefusedError(400, detail)
    error.problem = Problem(title="Checksum Mismatch", status=MISMATCH, detail=detail)
    return error


def number_of(headers: Headers, name: str) -> int:
    """A number of bytes. Raises `RefusedError` (400)."""
    text = headers.get(name, "").strip()
    if not NUMBER.match(text) or int(text) > MOST:
        raise RefusedError(400, f"{name}: {'missing' if not text else 'is no number of bytes'}")
    return int(text)


def declared(headers: Headers) -> int | None:
    """Bytes that the body is said to have; None where it does not say."""
    return number_of(headers, "Content-Length") if "content-length" in headers else None


def has_body(headers: Headers) -> bool:
    """Whether a request carries bytes of a file."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == BODY


def checksum_of(headers: Headers) -> Checksum | None:
    """What the body's digest shall be. Raises `RefusedError` (400)."""
    text = headers.get("Upload-Checksum")
    if text is None:
        return None
    name, _, value = text.strip().partition(" ")
    make = ALGORITHMS.get(name)
    if make is None:
        raise RefusedError(400, f"Upload-Checksum: one of {', '.join(ALGORITHMS)}, and the digest in base64")
    found = make()
    try:
        wanted = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        wanted = b""
    if len(wanted) != found.digest_size:
        raise RefusedError(
            400, f"Upload-Checksum: the digest of {name} is {found.digest_size} bytes, in base64"
        )
    return Checksum(name, wanted, found)


def pairs_of(text: str) -> dict[str, bytes]:
    """Keys and values of Upload-Metadata. Raises `RefusedError` (400)."""
    if len(text) > LONGEST_METADATA:
        raise RefusedError(400, f"Upload-Metadata: longer than {LONGEST_METADATA} characters")
    found: dict[str, bytes] = {}
    for pair in text.split(",") if text.strip() else ():
        key, _, value = pair.strip().partition(" ")
        if not KEY.match(key) or key in found:
            raise RefusedError(400, "Upload-Metadata: keys are ASCII, not empty, and each is there once")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise RefusedError(400, f"Upload-Metadata: {key}: is no base64") from None
    return found


def metadata_of(headers: Headers) -> Metadata:
    """What is told of the file.

    Keys are observation, filename, role (recording where it is not said) and sha256; others are kept.

    Raises
    ------
    RefusedError
        400: it is not in the form, or something is missing.
    """
    text = headers.get("Upload-Metadata", "")
    pairs = {key: _text(key, value) for key, value in pairs_of(text).items()}
    observation, role = pairs.get("observation", ""), pairs.get("role") or "recording"
    sha256 = pairs.get("sha256") or None
    if not ID.match(observation):
        raise RefusedError(400, "Upload-Metadata: observation: give the id of the observation")
    if role not in ROLES:
        raise RefusedError(400, f"Upload-Metadata: role: one of {', '.join(ROLES)}")
    if sha256 is not None and not SHA256.match(sha256):
        raise RefusedError(400, "Upload-Metadata: sha256: 64 hex digits")
    name = file_name(pairs.get("filename", ""))
    if name is None:
        raise RefusedError(400, f"Upload-Metadata: filename: {NAMELESS}")
    return Metadata(observation, name, role, sha256.lower() if sha256 else None, text)


def _text(key: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise RefusedError(400, f"Upload-Metadata: {key}: is no UTF-8") from None


def file_name(text: str) -> str | None:
    """The name without folders; None where there is none, or one that cannot be seen or is too long."""
    name = text.replace("\\", "/").rpartition("/")[2].strip()
    good = name and name not in {".", ".."} and name.isprintable() and len(name) <= LONGEST_NAME
    return name if good else None


def http_date(at: datetime) -> str:
    """An instant as HTTP writes it."""
    return format_datetime(at.astimezone(UTC), usegmt=True)
