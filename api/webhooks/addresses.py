"""Where webhooks may go: public addresses by https; nobody makes the service reach into its own network."""

import asyncio
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from reduction.errors import RequestError

LONGEST = 2000
LOOKUP_S = 5.0
NAME = re.compile(
    r"^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$"
)
SHOWN = re.compile(r"^[!-~]+$")
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))
"""IPv6 addresses that stand for IPv4 ones."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    Attributes
    ----------
    host : str
        As the address names it: of the header Host, and of the certificate.
    path : str
        With its query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port, the usual one left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def target_of(url: str, anywhere: bool = False) -> Target:
    """Read the address of a webhook.

    Parameters
    ----------
    anywhere : bool
        http is allowed, too.

    Raises
    ------
    RequestError
        It is none.
    """
    if len(url) > LONGEST or not SHOWN.match(url):
        raise RequestError(f"url: give an address of at most {LONGEST} ASCII characters, without blanks")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise RequestError(f"url: is no address ({error})") from error
    if parts.scheme != "https" and not (anywhere and parts.scheme == "http"):
        raise RequestError("url: give one that begins with https://")
    if "@" in parts.netloc or "\\" in url or parts.fragment:
        raise RequestError("url: give it without user, backslash and fragment")
    if port == 0 or not (_literal(host) or NAME.match(host)):
        raise RequestError("url: names no host as https://NAME/PATH does")
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


async def resolved(target: Target, anywhere: bool = False) -> str:
    """The IP address to connect to; of a name with several all must be allowed.

    Raises
    ------
    RequestError
        It cannot be found, or is none that anybody may be sent to: private, loopback, link-local, reserved.
    """
    loop = asyncio.get_running_loop()
    asked = loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    try:
        found = await asyncio.wait_for(asked, LOOKUP_S)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise RequestError(f"url: {target.host} cannot be found by its name") from error
    addresses = [str(one[4][0]) for one in found]
    if not addresses or not (anywhere or all(map(is_public, addresses))):
        raise RequestError(f"url: {target.host} is no public address; webhooks go to public ones")
    return addresses[0]


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public network, itself or where it stands for another."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address.sixtofour is not None or address.teredo is not None or address.is_site_local:
            return False
        if any(address in network for network in TRANSLATED):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
