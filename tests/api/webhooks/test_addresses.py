"""Where webhooks may go, and where never; signatures."""

import asyncio
import json
import socket
from typing import Any

import pytest

from api.client import verify_webhook
from api.webhooks.addresses import is_public, resolved, target_of
from api.webhooks.signing import signature
from reduction.errors import DataError, RequestError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1",
        "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001::1",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_of_no_public_network(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "::ffff:93.184.215.14"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "//example.org/", "http://example.org/", "ftp://example.org/", "file:///etc/passwd",
        "https://", "https:///a", "https://me@example.org/", "https://a:b@example.org/",
        "https://exa mple.org/",
        "https://example.org\\@10.0.0.1/", "https://example.org/#a", "https://example.org:99999/",
        "https://example.org:0/", "https://exämple.org/", "https://example.org/\r\nX: y",
        "https://[::1/", "https://-a.org/", "https://a..org/", "https://" + "a" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(RequestError, match="url"):
        target_of(url)


def test_parts_of_an_address() -> None:
    target = target_of("https://Example.org./a/../b?c=d")
    assert (target.host, target.port, target.path) == ("example.org", 443, "/a/../b?c=d")
    assert target.authority == "example.org"
    assert target_of("https://[2606:4700::1]:8443").authority == "[2606:4700::1]:8443"
    assert target_of("http://a:8080", anywhere=True).authority == "a:8080"


def look_up(monkeypatch: pytest.MonkeyPatch, url: str, *addresses: str, anywhere: bool = False) -> str:
    def found(*_: Any, **__: Any) -> list[Any]:
        if not addresses:
            raise socket.gaierror("unknown")
        return [(0, 0, 0, "", (address, 443)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return asyncio.run(resolved(target_of(url, anywhere), anywhere))


def test_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look_up(monkeypatch, "https://a.org", "93.184.215.14") == "93.184.215.14"
    with pytest.raises(RequestError, match="no public address"):
        look_up(monkeypatch, "https://a.org", "93.184.215.14", "10.0.0.1")
    with pytest.raises(RequestError, match="cannot be found"):
        look_up(monkeypatch, "https://a.org")
    assert look_up(monkeypatch, "http://a", "10.0.0.1", anywhere=True) == "10.0.0.1"


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]"])
def test_other_ways_to_write_this_machine(host: str) -> None:
    with pytest.raises(RequestError):
        asyncio.run(resolved(target_of(f"https://{host}/")))


BODY = json.dumps({"event": "test"}).encode()


def test_a_signature_is_of_the_secret_the_bytes_and_the_time() -> None:
    header = signature("whsec_a", BODY, 1_000_000)
    assert verify_webhook("whsec_a", header, BODY, at=1_000_100) == {"event": "test"}
    wrong: list[tuple[str, str | None, bytes, float, str]] = [
        ("whsec_b", header, BODY, 1_000_000, "signature"),
        ("whsec_a", header, BODY + b" ", 1_000_000, "signature"),
        ("whsec_a", header.replace("t=1000000", "t=1000001"), BODY, 1_000_000, "signature"),
        ("whsec_a", header, BODY, 1_000_301, "clocks"),
        ("whsec_a", header, BODY, 999_699, "clocks"),
        ("whsec_a", None, BODY, 1_000_000, "no Umbra-Signature"),
        ("whsec_a", header.upper(), BODY, 1_000_000, "no Umbra-Signature"),
        ("whsec_a", "t=1000000", BODY, 1_000_000, "no Umbra-Signature"),
    ]
    for secret, told, body, at, why in wrong:
        with pytest.raises(DataError, match=why):
            verify_webhook(secret, told, body, at=at)
