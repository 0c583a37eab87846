"""Addresses of services: by https, but on this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from reduction.errors import RequestError


def checked_url(url: str, insecure: bool = False) -> str:
    """The address of a service as it is kept: scheme, host and port alone.

    Parameters
    ----------
    url : str
        ``https://umbra.example.org``; ``http://`` only for this machine.
    insecure : bool
        ``http://`` to another machine as well.

    Raises
    ------
    RequestError
        It is no address, or not a safe one.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise RequestError(f"{url!r:.200}: no address of a service: {error}") from error
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        raise RequestError(f"{url!r:.200}: give the address of a service: https://umbra.example.org")
    if parts.path.rstrip("/") not in {"", "/api/v1"} or parts.query or parts.fragment:
        raise RequestError(f"{url!r:.200}: give the address alone: {parts.scheme}://{parts.netloc}")
    if parts.scheme == "http" and not insecure and not is_this_machine(host):
        raise RequestError(
            f"{url}: by http everyone on the way can read the key; use https://{parts.netloc}, or --insecure"
        )
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" + ("" if port is None else f":{port}")


def is_this_machine(host: str) -> bool:
    """Whether a name is that of this machine, and no other's."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
