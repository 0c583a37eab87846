"""Identifiers of data sets (IVOA Identifiers 2.0): ``ivo://AUTHORITY/umbra?result/ID``, ``...?file/ID``."""

import re
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from api.settings import ServiceSettings

What = Literal["result", "file"]
NAMED = re.compile(r"ivo://([A-Za-z0-9][A-Za-z0-9._-]{2,})/umbra\?(result|file)/([0-9a-f]{32})")
NOT_ALLOWED = re.compile(r"[^A-Za-z0-9._-]")


class Named(NamedTuple):
    """What an identifier names: a result, or a file, and its id."""

    what: What
    id: str


def authority(settings: ServiceSettings) -> str:
    """Who gives the identifiers; by default the host that the service is reached by."""
    host = NOT_ALLOWED.sub("-", urlsplit(settings.url).hostname or "").strip("-._")
    return settings.authority or (host if len(host) > 2 else "localhost")


def identifier(settings: ServiceSettings, what: What, identity: str) -> str:
    """The identifier of a data set."""
    return f"ivo://{authority(settings)}/umbra?{what}/{identity}"


def named(settings: ServiceSettings, text: str) -> Named | None:
    """What an identifier of this service names; None: it is none of ours."""
    found = NAMED.fullmatch(text)
    if found is None or found[1].lower() != authority(settings).lower():
        return None
    return Named("result" if found[2] == "result" else "file", found[3])
