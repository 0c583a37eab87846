"""URLs of stores."""

import pytest

from cluster.store import open_store
from cluster.store.s3 import place_of
from reduction.errors import RequestError


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://x/y", "is no store"),
        ("file://host/x", "is no store"),
        ("file:///x?y=1", "is no store"),
        ("http://x", "is no store"),
        ("s3://", "give s3://BUCKET/PREFIX"),
        ("s3://B/x", "give s3://BUCKET/PREFIX"),
        ("s3://bucket/a/../b", "give s3://BUCKET/PREFIX"),
        ("s3://bucket/a b", "give s3://BUCKET/PREFIX"),
        ("s3://bucket/a#b", "give s3://BUCKET/PREFIX"),
        ("s3://bucket/a?x=1", "option 'x' is not known"),
        ("s3://bucket/a?allow_http=yes", "give 0 or 1"),
        ("s3://bucket/a?style=x", "give path or virtual"),
        ("s3://bucket/a?patience_s=x", "give seconds"),
        ("s3://bucket/a?patience_s=nan", "give seconds"),
        ("s3://bucket/a?endpoint=host:9000", "give https://HOST:PORT"),
        ("s3://bucket/a?endpoint=http://192.0.2.1:9000", "is not encrypted"),
        ("s3://bucket/a?endpoint=http://localhost.example.org", "is not encrypted"),
    ],
)
def test_no_store(url: str, why: str) -> None:
    with pytest.raises(RequestError, match=why):
        open_store(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://id:hunter2@bucket/a",
        "s3://bucket/a?access_key_id=id&secret_access_key=hunter2",
        "s3://bucket/a?token=hunter2",
    ],
)
def test_credentials_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(RequestError, match="credentials do not belong in a URL") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/",
        "s3://bucket/a/b/?region=eu-north-1",
        "s3://bucket/a?endpoint=http://127.0.0.1:9000",
        "s3://bucket/a?endpoint=http://[::1]:9000",
        "s3://bucket/a?endpoint=http://10.0.0.1:9000&allow_http=1&style=virtual&patience_s=5",
        "s3://bucket/a?endpoint=https://s3.example.org/",
    ],
)
def test_a_url_means_the_same_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    place = place_of(url)
    monkeypatch.setenv("AWS_REGION", "elsewhere")
    assert place_of(place.url) == place
