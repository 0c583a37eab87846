"""A store behind S3."""

import itertools
from collections.abc import Iterator

import pytest

from tests import s3
from tests.contracts import stores
from tests.contracts.stores import StoreContract
from tests.requirements import require

require("s3")
store = stores.store
numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[s3.Server]:
    with s3.running() as one:
        yield one


@pytest.fixture
def url(server: s3.Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return server.url(f"store-{next(numbers)}")


class TestS3Store(StoreContract):
    pass
