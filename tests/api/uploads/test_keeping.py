"""From the last byte to the file of an observation, with whatever happens in between."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from api.observations.tables import ObservationFile
from api.settings import ServiceSettings
from api.uploads.headers import checksum_of, metadata_of
from api.uploads.keeping import Keeping
from api.uploads.tables import Upload
from cluster.store.records import Raw
from reduction.errors import RequestError, ResourceError
from tests.api.client import API, Client, serving
from tests.api.executors import Scripted
from tests.api.people.browser import mails
from tests.api.uploads.conftest import SMALL
from tests.api.uploads.observer import TUS, UPLOADS, Observer, observer_of
from tests.fuzzing import COUNT, mutations, note

CONTENT = b"some bytes of a recording"


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Observer]:
    """Of a service that stores nothing by itself."""
    monkeypatch.setattr("api.uploads.keeping.Keeping.start", lambda _self: None)
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted(), **SMALL) as client:
        yield observer_of(client)


def keeping(client: Client) -> Keeping:
    found: Keeping = client.app.state.keeping
    return found


def files(observer: Observer) -> int:
    with observer.world.database.reading() as session:
        rows = select(func.count()).select_from(ObservationFile)
        return session.scalars(rows.where(ObservationFile.observation == observer.observation)).one()


def test_what_the_last_run_left(alone: Observer, tmp_path: Path) -> None:
    """An upload that is whole and not stored is stored by the next start."""
    url = alone.upload(CONTENT)
    assert alone.view(url)["state"] == "whole"
    settings: ServiceSettings = alone.client.app.state.settings
    store = alone.client.app.state.store
    Keeping(alone.world.database, store, tmp_path / "home" / "uploads", settings).store_all()
    view = alone.view(url)
    assert (view["state"], view["sha256"]) == ("stored", hashlib.sha256(CONTENT).hexdigest())
    assert files(alone) == 1
    assert not alone.part(url).exists()


def test_a_store_that_is_away(alone: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others do not wait for one that cannot be stored; nothing is lost."""
    store = alone.client.app.state.store
    first, second = alone.upload(CONTENT), alone.upload(CONTENT + b"!")
    put = type(store).put_raw

    def sometimes(self: object, path: Path, known: Raw | None = None) -> Raw:
        if path == alone.part(first):
            raise ResourceError("the store is away")
        found: Raw = put(self, path, known)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "put_raw", sometimes)
        keeping(alone.client).store_all()
    assert [alone.view(url)["state"] for url in (first, second)] == ["whole", "stored"]
    assert alone.part(first).exists()
    keeping(alone.client).store_all()
    assert alone.view(first)["state"] == "stored"


def test_errors_that_nobody_has_thought_of(alone: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told, and the threads go on; the others do not wait."""
    first, second = alone.upload(CONTENT), alone.upload(CONTENT + b"!")
    become = Keeping._keep

    def sometimes(self: Keeping, upload: Upload) -> None:
        if upload.id == first[-32:]:
            raise PermissionError("of another user")
        become(self, upload)

    keeper = keeping(alone.client)
    faults = alone.client.app.state.noticing.faults
    faults.drain()
    monkeypatch.setattr(Keeping, "_keep", sometimes)
    keeper.store_all()
    assert [alone.view(url)["state"] for url in (first, second)] == ["whole", "stored"]
    monkeypatch.setattr("api.uploads.keeping.PAUSE_S", 0.0)
    errors: list[Exception] = [SQLAlchemyError("lost"), OSError("gone"), KeyError("ours"), ValueError("ours")]
    left = list(errors)

    def step() -> None:
        if left:
            raise left.pop()
        keeper.stopping.set()

    keeper._repeat(step, threading.Event())
    assert not left
    seen = [one.what for one in faults.drain()]
    assert any("PermissionError" in what for what in seen)
    for error in errors:
        assert any(type(error).__name__ in what for what in seen), (error, seen)


def test_a_crash_between_store_and_database(alone: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = alone.upload(CONTENT)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("api.uploads.keeping._become_file", crash)
        with pytest.raises(KeyboardInterrupt):
            keeping(alone.client).store_all()
    assert alone.client.app.state.store.has_raw(hashlib.sha256(CONTENT).hexdigest())
    assert (alone.view(url)["state"], files(alone)) == ("whole", 0)
    for _ in range(2):
        keeping(alone.client).store_all()
    assert (alone.view(url)["state"], files(alone)) == ("stored", 1)


def test_a_crash_before_the_bytes_are_removed(alone: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = alone.upload(CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        keeping(alone.client).store_all()
    assert alone.part(url).exists()
    keeping(alone.client).collect()
    assert not alone.part(url).exists()
    assert files(alone) == 1


def test_another_content_than_promised(alone: Observer) -> None:
    """Refused, told by e-mail, its bytes gone, and it counts no more."""
    url = alone.upload(CONTENT, sha256="0" * 64)
    keeping(alone.client).store_all()
    view = alone.view(url)
    assert view["state"] == "refused"
    assert hashlib.sha256(CONTENT).hexdigest() in view["problem"]
    assert not alone.part(url).exists()
    assert files(alone) == 0
    assert alone.view(f"{API}/account/usage")["used"] == 0
    email = alone.world.people["owner"].email
    assert email is not None
    (mail,) = mails(alone.client, email, "file_refused")
    assert view["problem"] in mail.text
    assert alone.send("DELETE", url, headers=TUS).status_code == 204


@pytest.mark.parametrize("left", [None, 3])
def test_bytes_that_a_disk_has_lost(alone: Observer, left: int | None) -> None:
    url = alone.upload(CONTENT)
    begun = alone.begin(10)
    alone.patch(begun, 0, b"01234567")
    for one in (url, begun):
        if left is None:
            alone.part(one).unlink()
        else:
            alone.part(one).write_bytes(CONTENT[:left])
    keeping(alone.client).store_all()
    assert "lost" in alone.view(url)["problem"]
    answer = alone.patch(begun, 8, b"89")
    assert answer.status_code == 410
    assert "begin" in answer.json()["detail"]


def test_bytes_beyond_what_is_acknowledged(alone: Observer) -> None:
    """As a crash leaves them: they are written over."""
    url = alone.begin(len(CONTENT))
    alone.patch(url, 0, CONTENT[:5])
    with alone.part(url).open("ab") as file:
        file.write(b"garbage" * 2)
    assert alone.offset(url) == 5
    alone.patch(url, 5, CONTENT[5:])
    keeping(alone.client).store_all()
    assert alone.view(url)["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_two_who_store_the_same(alone: Observer) -> None:
    """The second finds nothing to do."""
    url = alone.upload(CONTENT)
    with alone.world.database.reading() as session:
        row = session.get_one(Upload, url[-32:])
    keeping(alone.client)._keep(row)
    keeping(alone.client)._keep(row)
    assert files(alone) == 1
    assert alone.view(url)["state"] == "stored"


def test_mutated_inputs_of_headers() -> None:
    """Metadata and checksums are read, or refused with 400."""
    from starlette.datastructures import Headers

    from api.problems import RefusedError

    sound = [
        b"observation MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=,filename YS5zZXI=,role cm9p,more",
        b"sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        b"sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ]
    outcomes: Counter[str] = Counter()
    for data in mutations(sound, COUNT, 120):
        headers = Headers(raw=[(b"upload-metadata", data), (b"upload-checksum", data)])
        for parse in (metadata_of, checksum_of):
            try:
                parse(headers)
                outcomes["read"] += 1
            except RefusedError as error:
                outcomes[f"refused {error.problem.status}"] += 1
    note("headers of uploads", outcomes)
    assert set(outcomes) == {"read", "refused 400"}


def test_the_client_tells_what_the_service_refuses(observer: Observer) -> None:
    """Ours; over a transport without a network."""
    import httpx

    from api import client as ours

    with ours.Service("http://localhost", observer.key) as service:

        def answer(request: httpx.Request) -> httpx.Response:
            found = observer.client.send(
                request.method, request.url.path, headers=request.headers, content=request.content
            )
            return httpx.Response(found.status_code, headers=found.headers, content=found.content)

        service.connection.client = httpx.Client(
            base_url="http://localhost",
            headers={"X-API-Key": observer.key},
            transport=httpx.MockTransport(answer),
        )
        with pytest.raises(RequestError, match="404: no such upload"):
            service.ask("GET", f"/uploads/{'0' * 32}")
        path = observer.client.app.state.settings.home / "absent.ser"
        with pytest.raises(RequestError, match="cannot be read"):
            service.upload(path, observer.observation)
        path.write_bytes(CONTENT)
        seen: list[tuple[int, int]] = []
        upload = service.upload(
            path, observer.observation, "additional", progress=lambda *at: seen.append(at)
        )
        assert seen == [(0, len(CONTENT)), (len(CONTENT), len(CONTENT))]
        assert service.file_of(upload)["state"] == "accepted"
        with pytest.raises(RequestError, match="404: no such observation"):
            service.upload(path, "0" * 32)
        assert UPLOADS.endswith("uploads")
