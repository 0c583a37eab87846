"""Only https leaves this machine."""

import pytest

from api.remote.address import checked_url
from reduction.errors import RequestError


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://umbra.example.org", "https://umbra.example.org"),
        ("https://umbra.example.org/", "https://umbra.example.org"),
        (" https://umbra.example.org:8443/api/v1 ", "https://umbra.example.org:8443"),
        ("HTTPS://Umbra.Example.ORG", "https://umbra.example.org"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_what_is_kept_of_an_address(url: str, kept: str) -> None:
    assert checked_url(url) == kept


@pytest.mark.parametrize(
    "url",
    [
        "umbra.example.org",
        "ftp://umbra.example.org",
        "https://",
        "https://me:secret@umbra.example.org",
        "https://umbra.example.org/other",
        "https://umbra.example.org/?a=b",
        "https://umbra.example.org#a",
        "https://umbra.example.org:port",
        "https://[::1",
        "",
    ],
)
def test_no_address_of_a_service(url: str) -> None:
    with pytest.raises(RequestError):
        checked_url(url)


@pytest.mark.parametrize(
    "url", ["http://umbra.example.org", "http://127.0.0.1.example.org", "http://10.0.0.1:8000"]
)
def test_http_to_another_machine(url: str) -> None:
    with pytest.raises(RequestError, match="--insecure"):
        checked_url(url)
    assert checked_url(url, insecure=True) == url
