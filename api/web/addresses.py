"""Addresses within the portal: a link never leads off it, whatever a request says."""

from urllib.parse import parse_qsl, urlencode, urlsplit

LONGEST = 2000


def own(address: str, otherwise: str = "/") -> str:
    r"""`address` if it is a path of this service, else `otherwise`.

    Browsers read ``//host``, ``/\host`` and addresses with line breaks or tabs in them as another site's.
    """
    if not address.startswith("/") or len(address) > LONGEST:
        return otherwise
    if address.startswith(("//", "/\\")) or "\\" in address or not address.isprintable():
        return otherwise
    try:
        parts = urlsplit(address)
    except ValueError:
        return otherwise
    return otherwise if parts.scheme or parts.netloc else address


def with_query(address: str, **changed: str | int | None) -> str:
    """`address` with other values of its query; None and "" take one away."""
    path, _, fragment = address.partition("#")
    path, _, query = path.partition("?")
    pairs = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in changed]
    pairs += [(name, str(value)) for name, value in changed.items() if value not in {None, ""}]
    return path + (f"?{urlencode(pairs)}" if pairs else "") + (f"#{fragment}" if fragment else "")
