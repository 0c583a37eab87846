"""A store behind S3: the contract, and a server that is away, loses answers, or refuses."""

import contextlib
import itertools
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cluster.store import open_store
from cluster.store.cli import store as run
from cluster.store.objects import PIECE, MissingError
from cluster.store.opening import objects_at
from cluster.store.s3 import S3Objects, open_s3
from cluster.store.transfer import digest_of
from reduction.errors import DataError, RequestError, ResourceError
from tests import s3
from tests.contracts import stores
from tests.contracts.stores import BIG, RESULT, LastingStoreContract, content, folder_of
from tests.proxy import Proxy, proxied
from tests.requirements import require

require("s3")
store = stores.store
numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[s3.Server]:
    with s3.running() as one:
        yield one


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def prefix() -> str:
    return f"stores/number-{next(numbers)}"


@pytest.fixture
def url(server: s3.Server, prefix: str) -> str:
    return server.url(prefix)


@pytest.fixture
def proxy(server: s3.Server) -> Iterator[Proxy]:
    with proxied(server.port) as one:
        yield one


class TestS3Store(LastingStoreContract):
    pass


def test_a_server_that_is_away_for_a_while_is_waited_for(
    server: s3.Server, prefix: str, proxy: Proxy, tmp_path: Path
) -> None:
    store = open_store(server.url(prefix, proxy.port))
    folder = folder_of(tmp_path / "made", {**RESULT, "big": os.urandom(BIG)})
    proxy.refuse()
    threading.Timer(2.0, proxy.resume).start()
    commit = store.publish("results", "k", folder)
    proxy.refuse()
    threading.Timer(1.0, proxy.resume).start()
    assert store.fetch("results", "k", tmp_path / "back") == commit
    assert content(tmp_path / "back") == content(folder)


def test_a_server_that_stays_away_is_told_of(
    server: s3.Server, prefix: str, proxy: Proxy, tmp_path: Path
) -> None:
    store = open_store(server.url(prefix, proxy.port, patience_s=0.5))
    folder = folder_of(tmp_path / "made", RESULT)
    raw = store.put_raw(folder_of(tmp_path, {"raw": os.urandom(BIG)}) / "raw")
    proxy.refuse()
    for work in (
        lambda: store.publish("results", "k", folder),
        lambda: store.find("results", "k"),
        lambda: store.fetch_raw(raw.sha256, tmp_path / "back"),
        lambda: store.put_log("job", 1, "text"),
        lambda: list(store.verify()),
        store.campaigns,
        lambda: open_store(store.url),
    ):
        with pytest.raises(
            ResourceError, match=r"s3://umbra-tests/stores/number.*tried again for up to 0.5 s"
        ):
            work()
    assert not (tmp_path / "back").exists()
    proxy.resume()
    assert store.find("results", "k") is None
    assert store.publish("results", "k", folder).attempt == 1


def test_it_goes_away_within_an_upload(server: s3.Server, prefix: str, proxy: Proxy, tmp_path: Path) -> None:
    """Cut at a later part of a large file, for good: no object, no result."""
    store = open_store(server.url(prefix, proxy.port, patience_s=0.5))
    proxy.lose_after = b"partNumber=2"
    folder = folder_of(tmp_path / "made", {"big": os.urandom(BIG)})
    watch = threading.Thread(target=_refuse_once_lost, args=(proxy,))
    watch.start()
    with pytest.raises(ResourceError, match="tried again"):
        store.publish("results", "k", folder)
    watch.join()
    sound = open_store(server.url(prefix))
    assert sound.find("results", "k") is None
    assert [finding.name for finding in sound.verify()] == ["store.json"]


def _refuse_once_lost(proxy: Proxy) -> None:
    while not proxy.lost:
        threading.Event().wait(0.01)
    proxy.refuse()


@pytest.mark.parametrize("what", ["commit.json", "1.json", "stars.parquet", "store.json"])
def test_an_answer_is_lost(what: str, server: s3.Server, prefix: str, proxy: Proxy, tmp_path: Path) -> None:
    """The server has done what it was asked to, and nobody heard: no conflict, and nothing twice."""
    url = server.url(prefix, proxy.port)
    if what != "store.json":
        open_store(url)
    proxy.lose_after = f"/{what} HTTP".encode()
    store = open_store(url)
    commit = store.publish("results", "k", folder_of(tmp_path / "made", RESULT), 7)
    assert commit.attempt == 7
    assert store.add_version("c", "o", "k") == 1
    assert proxy.lost == 1
    assert store.versions("c", "o") == ["k"]
    assert {finding.state for finding in store.verify(deep=True)} == {"ok"}


def test_the_answer_to_the_end_of_a_large_file_is_lost(
    server: s3.Server, prefix: str, proxy: Proxy, tmp_path: Path
) -> None:
    """The file is there, and the server has forgotten its upload: an error of the house, then all is well."""
    store = open_store(server.url(prefix, proxy.port))
    path = folder_of(tmp_path / "made", {"raw": os.urandom(BIG)}) / "raw"
    raw = digest_of(path)
    proxy.lose_after = f"{raw.sha256}?uploadId=".encode()
    with contextlib.suppress(ResourceError):
        store.put_raw(path)
    assert proxy.lost == 1
    assert store.put_raw(path) == raw
    assert store.has_raw(raw.sha256)


def test_an_upload_that_the_server_has_forgotten(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    def forgotten(*_: object, **__: object) -> None:
        raise FileNotFoundError("NoSuchUpload")

    store = open_store(url)
    path = folder_of(tmp_path / "made", {"raw": os.urandom(BIG)}) / "raw"
    with monkeypatch.context() as patch:
        patch.setattr(obstore, "put", forgotten)
        with pytest.raises(ResourceError, match="see whether it is there"):
            store.put_raw(path)
    assert store.has_raw(store.put_raw(path).sha256)


@pytest.mark.parametrize(("size", "passes"), [(1000, 700), (BIG, 100_000), (5 * 2**20, 3 * 2**20)])
def test_an_answer_is_cut(
    size: int, passes: int, server: s3.Server, prefix: str, proxy: Proxy, tmp_path: Path
) -> None:
    store = open_store(server.url(prefix, proxy.port))
    data = os.urandom(size)
    raw = store.put_raw(folder_of(tmp_path, {"raw": data}) / "raw")
    for where in (f"/{raw.sha256} HTTP", "bytes=8388608-16777215"):
        if size < BIG and where.startswith("bytes"):
            continue
        proxy.lose_after, proxy.passes = where.encode(), passes
        assert store.fetch_raw(raw.sha256, tmp_path / "back").read_bytes() == data
        assert proxy.lose_after is None
    assert proxy.lost == (2 if size == BIG else 1)


@pytest.mark.parametrize("passes", [0, 100_000, 3 * 2**19])
def test_a_part_of_a_large_object_goes_on_where_its_answer_was_cut(
    passes: int, server: s3.Server, prefix: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.store.s3.SPAN", 2 * PIECE)
    objects = open_s3(server.url(prefix, proxy.port))
    data = os.urandom(5 * PIECE + 17)
    objects.put("some", data)
    start, stop = PIECE // 3, 5 * PIECE - 5
    proxy.lose_after, proxy.passes = f"bytes={start + 2 * PIECE}-".encode(), passes
    pieces = list(objects.read_range("some", start, stop))
    assert b"".join(pieces) == data[start:stop]
    assert max(map(len, pieces)) <= PIECE
    assert proxy.lost == 1
    assert b"".join(objects.read_range("some", 4 * PIECE, 9 * PIECE)) == data[4 * PIECE :]
    with pytest.raises(MissingError):
        next(objects.read_range("other", 0, 5))


def test_a_server_can_be_tried(url: str, prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", url]) == 0
    assert [line[:3] for line in capsys.readouterr().out.splitlines()] == ["ok "] * 6
    assert list(objects_at(url).entries("")) == []


def test_a_server_that_ignores_conditions(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a server writes over commits: a store that begins there says so."""

    def write_over(self: S3Objects, name: str, data: bytes, after: Sequence[str] = ()) -> bool:
        self.put(name, data)
        return True

    with monkeypatch.context() as patch:
        patch.setattr(S3Objects, "create", write_over)
        with pytest.raises(ResourceError, match="ignores If-None-Match"):
            open_store(url)
    with pytest.raises(RequestError, match="there is no store"):
        open_store(url, make=False)


def test_a_damaged_object_is_named(server: s3.Server, url: str, prefix: str, tmp_path: Path) -> None:
    store = open_store(url)
    data = os.urandom(BIG)
    raw = store.put_raw(folder_of(tmp_path, {"raw": data}) / "raw")
    _overwrite(server, f"{prefix}/raw/{raw.sha256[:2]}/{raw.sha256}", data[:-1] + b"\0")
    with pytest.raises(DataError, match=f"raw/../{raw.sha256}: is damaged: {BIG} bytes"):
        store.fetch_raw(raw.sha256, tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]
    states = {finding.name: finding.state for finding in store.verify(deep=True)}
    assert states == {"store.json": "ok", f"raw/{raw.sha256[:2]}/{raw.sha256}": "wrong digest"}


def _overwrite(server: s3.Server, key: str, data: bytes) -> None:
    import obstore
    from obstore.store import S3Store

    bucket = S3Store(
        s3.BUCKET, endpoint=server.endpoint, client_options={"allow_http": True}, region="us-east-1"
    )
    obstore.put(bucket, key, data)


def test_a_bucket_that_is_not_there(server: s3.Server) -> None:
    with pytest.raises(ResourceError, match="there is no bucket no-such-bucket"):
        open_store(server.url("p").replace(s3.BUCKET, "no-such-bucket"))


def test_two_stores_of_a_bucket_do_not_meet(server: s3.Server, prefix: str) -> None:
    first, second = open_store(server.url(f"{prefix}/a")), open_store(server.url(f"{prefix}/ab"))
    first.put_log("job", 1, "of the first")
    assert second.log("job", 1) is None
    assert {finding.name for finding in first.verify()} == {"store.json", "logs/job/1.txt"}
    with pytest.raises(RequestError, match="holds something, and is no store"):
        open_store(server.url(prefix))


def test_the_url_names_the_endpoint_and_no_secret(
    server: s3.Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    store = open_store(f"s3://{s3.BUCKET}/{prefix}/")
    assert store.url == f"s3://{s3.BUCKET}/{prefix}?endpoint={server.endpoint}&region=us-east-1"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert open_store(store.url, make=False).url == store.url


def test_who_opens_it_again_finds_its_connections(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = open_s3(url), open_s3(url)
    assert first._store is second._store
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert open_s3(url)._store is not first._store
    assert open_s3(f"{url}-other")._store is not first._store


def test_without_credentials(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ResourceError, match="set AWS_ACCESS_KEY_ID"):
        open_store(url)
