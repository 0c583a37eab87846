"""Event data: asked for once, whole and in parts, on a disk and behind S3, with and without holes."""

import asyncio
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from tests.requirements import require

require("server")

from api.audit.tables import Entry  # noqa: E402 - after the check for the extra
from api.bundles.tables import DataPlan, DataRequest  # noqa: E402
from api.database.tables import now  # noqa: E402
from api.mail.tables import Message  # noqa: E402
from api.observations.tables import Observation, ObservationFile  # noqa: E402
from cluster.store.published import ObjectStore  # noqa: E402
from tests import s3  # noqa: E402
from tests.api.bundles.served import Team, contents  # noqa: E402
from tests.api.client import API, Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.postgres import running  # noqa: E402

BIG = (3 << 20) + 12_345


def on_s3(folder: Path) -> Iterator[Client]:
    """PostgreSQL and S3."""
    require("postgres")
    require("s3")
    import psycopg

    with running() as database, s3.running() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in s3.CREDENTIALS.items():
            patch.setenv(name, value)
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE service")
        url = database.url.replace("/postgres", "/service")
        options: dict[str, Any] = {"database": url, "store": server.url("kept")}
        with serving(folder / "data", folder / "home", Scripted(), **options) as client:
            yield client


@pytest.fixture(scope="module", params=["sqlite-disk", "postgres-s3"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    if request.param == "postgres-s3":
        yield from on_s3(folder)
        return
    with serving(folder / "data", folder / "home", Scripted()) as client:
        yield client


@pytest.fixture
def team(client: Client, tmp_path: Path) -> Team:
    return Team(client, tmp_path)


def mails(team: Team, kind: str) -> list[Message]:
    people = {person.id for person in team.world.people.values()}
    with team.world.database.reading() as session:
        asked = select(Message).where(Message.kind == kind, Message.person.in_(people))
        return list(session.scalars(asked))


def test_all_of_a_campaign(team: Team) -> None:
    recording, notes, roi = os.urandom(BIG), b"clouds came\n", b"\x89PNG roi"
    team.add(recording, "night.ser")
    team.add(notes, "Notes – 8 août.txt", "additional")
    team.add(roi, "roi.png", "roi")
    team.add(b"not a recording", "bad.ser", state="refused", message="no SER file")
    team.add(b"fresh", "fresh.ser", state="quarantined")
    with team.world.database.writing() as session:
        change = {
            "status": "positive", "consent": True,
            "report": {"disappearance": {"utc": "2020-08-08T20:44:30.25Z", "sigma_s": 0.02}, "timing": "gps"},
        }  # fmt: skip
        session.execute(update(Observation).where(Observation.id == team.observation).values(**change))
    view = team.asked()
    answer = team.bundle(view)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["ETag"] == f'"{view["digest"]}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert int(answer.headers["Content-Length"]) == len(answer.content) == view["size"]
    name = re.fullmatch(
        r'attachment; filename="([A-Za-z0-9_-]+\.zip)"', answer.headers["Content-Disposition"]
    )
    assert name is not None
    files = contents(answer.content)
    assert len(files) == view["files"]
    stations = sorted({path.partition("/")[0] for path in files if "/" in path})
    station = next(name for name in stations if name.endswith("_owner_owner"))
    assert files[f"{station}/recordings/night.ser"] == recording
    assert files[f"{station}/additional/Notes – 8 août.txt"] == notes
    assert files[f"{station}/roi/roi.png"] == roi
    assert [name[:3] for name in stations] == ["01_", "02_"]
    assert any(path.endswith("_participant_participant/report.txt") for path in files)
    assert not any("bad.ser" in path or "fresh.ser" in path for path in files)
    _look_at_texts(files, station, view)


def _look_at_texts(files: dict[str, bytes], station: str, view: dict[str, Any]) -> None:
    manifest = json.loads(files["manifest.json"])
    listed = {file["path"]: file for row in manifest["stations"] for file in row["files"]}
    assert set(files) == set(listed) | {"README.txt", "manifest.json", "SHA256SUMS"}
    for path, file in listed.items():
        assert (file["size"], file["sha256"]) == (len(files[path]), hashlib.sha256(files[path]).hexdigest())
    lines = (line.split("  ", 1) for line in files["SHA256SUMS"].decode().splitlines())
    sums = {path: digest for digest, path in lines}
    assert sums == {
        path: hashlib.sha256(content).hexdigest() for path, content in files.items() if path != "SHA256SUMS"
    }
    report = files[f"{station}/report.txt"].decode()
    assert "ASTEROIDAL OCCULTATION - REPORT FORM" in report
    assert "20 44 30.25" in report
    assert "gps" in report
    assert "Ixion" in report
    readme = files["README.txt"].decode()
    for told in ("1 positive", "bad.ser: was refused: no SER file", "fresh.ser: is still being examined"):
        assert told in readme, told
    assert "Agreed to be named in a publication: owner." in readme
    assert "Did not (yet): participant" in readme
    assert "no embargo" in readme
    assert {one["name"]: one["lost"] for one in view["absent"]} == {"bad.ser": False, "fresh.ser": False}


def test_the_same_again_is_the_same_request_and_no_e_mail(team: Team) -> None:
    team.add(b"x" * 100)
    first = team.asked()
    again = team.ask()
    assert (again.status_code, again.json()) == (200, first)
    for _ in range(3):
        team.bundle(first, Range="bytes=5-10")
    told, admins = mails(team, "data_requested"), mails(team, "data_given")
    assert [mail.person for mail in told] == [team.world.people["staff"].id]
    assert first["id"] in told[0].text
    assert team.world.people["superuser"].id in {mail.person for mail in admins}
    team.add(b"y" * 100)
    other = team.asked()
    assert other["id"] != first["id"]
    whole = team.bundle(first).content
    assert len(whole) == first["size"], "what was settled stays, whatever came since"
    listing = team.send("staff", "GET", f"/campaigns/{team.campaign}/data-requests").json()["items"]
    assert [one["id"] for one in listing] == [other["id"], first["id"]]
    assert (
        team.send("staff", "GET", f"/campaigns/{team.campaign}/bundle.zip").headers["ETag"]
        == f'"{other["digest"]}"'
    )
    assert team.ask("responsible").json()["digest"] == other["digest"], "the same content, the same bytes"
    with team.world.database.reading() as session:
        done = select(Entry.action).where(Entry.thing == team.campaign, Entry.action.like("event data%"))
        actions = list(session.scalars(done))
    assert actions.count("event data requested") == 3
    assert actions.count("event data fetched") == 2


def test_parts_of_it(team: Team) -> None:
    team.add(os.urandom(BIG))
    view = team.asked()
    whole, etag, size = team.bundle(view).content, f'"{view["digest"]}"', view["size"]
    middle = team.bundle(view, Range=f"bytes={size // 2}-")
    assert middle.status_code == 206
    assert middle.headers["Content-Range"] == f"bytes {size // 2}-{size - 1}/{size}"
    assert middle.headers["ETag"] == etag
    assert middle.content == whole[size // 2 :]
    for headers, status, content in (
        ({"Range": "bytes=0-99", "If-Range": etag}, 206, whole[:100]),
        ({"Range": "bytes=0-99", "If-Range": '"other"'}, 200, whole),
        ({"Range": "bytes=0-99", "If-Range": f"W/{etag}"}, 200, whole),
        ({"Range": "bytes=0-99", "If-Match": etag}, 206, whole[:100]),
        ({"Range": "bytes=0-1,5-6"}, 200, whole),
        ({"Range": "bytes=-7"}, 206, whole[-7:]),
        ({"If-None-Match": etag}, 304, b""),
    ):
        answer = team.bundle(view, **headers)
        assert (answer.status_code, answer.content == content) == (status, True), headers
    beyond = team.bundle(view, Range=f"bytes={size}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert team.bundle(view, **{"Range": "bytes=0-99", "If-Match": '"other"'}).status_code == 412
    head = team.send(
        "staff", "HEAD", f"/data-requests/{view['id']}/bundle.zip", headers={"Range": "bytes=0-1"}
    )
    assert (head.status_code, head.content, int(head.headers["Content-Length"])) == (200, b"", size)
    assert head.headers["ETag"] == etag


def test_any_range_is_that_slice_of_the_whole(team: Team) -> None:
    for number in range(3):
        team.add(os.urandom(200_000), f"{number}.ser")
    view = team.asked()
    whole = team.bundle(view).content

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, view["size"] - 1), st.integers(0, 300_000))
    def look(start: int, more: int) -> None:
        answer = team.bundle(view, Range=f"bytes={start}-{start + more}")
        assert answer.status_code == 206
        assert answer.content == whole[start : start + more + 1]

    look()


def test_a_file_that_is_gone_is_named_before_anything_is_sent(team: Team) -> None:
    lost, kept = team.add(b"l" * 1000, "lost.ser"), team.add(b"k" * 1000, "kept.ser")
    view = team.asked()
    etag = team.bundle(view).headers["ETag"]
    team.replace(lost, None)
    gone = team.bundle(view)
    assert gone.status_code == 410
    assert "lost.ser" in gone.json()["detail"]
    assert "kept.ser" not in gone.json()["detail"]
    first = team.bundle(view, Range="bytes=0-99", If_Range=etag)
    assert first.status_code == 206, "what is there can be had"
    refused = team.ask()
    assert refused.status_code == 409
    assert "lost.ser is not in the store any more" in refused.json()["detail"]
    less = team.asked(missing="list")
    assert [(one["name"], one["lost"]) for one in less["absent"]] == [("lost.ser", True)]
    files = contents(team.bundle(less).content)
    assert any(path.endswith("kept.ser") for path in files)
    assert "lost.ser: is not in the store any more" in files["README.txt"].decode()
    assert json.loads(files["manifest.json"])["absent"][0]["name"] == "lost.ser"
    team.replace(lost, b"l" * 1000)
    assert team.bundle(view).status_code == 200, "once it is restored, the request is good again"
    assert kept.size == 1000


def test_a_file_of_another_size_is_not_sent(team: Team) -> None:
    row = team.add(b"s" * 1000, "short.ser")
    view = team.asked()
    team.replace(row, b"s" * 999)
    assert team.bundle(view).status_code == 410
    assert "has 999 bytes in the store, 1000 are expected" in team.ask().json()["detail"]


def test_a_file_with_other_bytes_is_never_sent_whole(team: Team) -> None:
    """Its size is right: only reading tells. What is sent ends before its last piece."""
    good, bad = os.urandom(BIG), os.urandom(BIG)
    row = team.add(good, "bits.ser")
    view = team.asked()
    whole = team.bundle(view).content
    team.replace(row, bad)
    broken = team.bundle(view).content
    assert len(broken) < len(whole) - 100, "cut short, before the directory"
    again = team.bundle(view, Range="bytes=1000000-")
    assert again.status_code == 410
    assert "bits.ser" in again.json()["detail"]
    assert team.send("staff", "GET", f"/files/{row.id}/content").status_code == 410
    told = team.ask()
    assert told.status_code == 409
    assert f"bits.ser is damaged in the store: its SHA-256 is {hashlib.sha256(bad).hexdigest()}" in told.text
    team.replace(row, good)
    assert team.ask().status_code == 200, "restored: it is the same archive as before"
    assert team.bundle(view).content == whole


def test_downloads_that_wait_for_the_store_keep_nobody_else_waiting(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = team.add(os.urandom(BIG))
    go = threading.Event()
    read = ObjectStore.read_object

    def slow(self: ObjectStore, name: str, start: int, stop: int) -> Iterator[bytes]:
        assert go.wait(300)
        return read(self, name, start, stop)

    monkeypatch.setattr(ObjectStore, "read_object", lambda *asked: (yield from slow(*asked)))
    headers = team.world.headers("owner")

    async def crowd() -> tuple[int, list[int]]:
        transport = httpx.ASGITransport(team.client.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers=headers
        ) as client:
            path = f"{API}/files/{row.id}/content"
            waiting = [asyncio.create_task(client.get(path)) for _ in range(60)]
            await asyncio.sleep(0.5)
            try:
                async with asyncio.timeout(120):
                    quick = await client.get(f"{API}/observations")
            finally:
                go.set()
            return quick.status_code, [len((await one).content) for one in waiting]

    assert team.client.run(crowd()) == (200, [BIG] * 60)


def test_an_end(team: Team) -> None:
    team.add(b"e")
    view = team.asked()
    with team.world.database.writing() as session:
        session.execute(
            update(DataRequest).where(DataRequest.id == view["id"]).values(expires=now() - timedelta(1))
        )
    assert team.bundle(view).status_code == 410
    assert team.send("staff", "GET", f"/campaigns/{team.campaign}/bundle.zip").status_code == 409
    assert team.asked()["id"] != view["id"]
    with team.world.database.reading() as session:
        assert session.get(DataPlan, view["id"]) is None, (
            "names and addresses are not kept longer than needed"
        )
        assert session.get(DataRequest, view["id"]) is not None


def test_who_may(team: Team) -> None:
    team.add(b"w")
    view = team.asked()
    for who, status in (("owner", 403), ("participant", 403), ("observer", 403), ("anyone", 401)):
        assert team.ask(who).status_code == status, who
        assert team.bundle(view, who).status_code == status, who
    assert team.bundle(view, "responsible").status_code == 200


def test_names_that_clash_or_lead_elsewhere(team: Team) -> None:
    for number, name in enumerate(("../../a.ser", "A.SER", "a.ser", "con.ser", "x/y.ser", "..")):
        team.add(b"%d" % number, name)
    files = contents(team.bundle(team.asked()).content)
    recordings = sorted(path.partition("recordings/")[2] for path in files if "recordings/" in path)
    assert len(recordings) == 6
    assert len({name.casefold() for name in recordings}) == 6
    assert not any(".." in path.split("/") or path.startswith("/") or "\\" in path for path in files)
    listed = [file for row in json.loads(files["manifest.json"])["stations"] for file in row["files"]]
    assert {file["sent_as"] for file in listed if "sent_as" in file} >= {"../../a.ser", ".."}


def test_one_file(team: Team) -> None:
    content = os.urandom(BIG)
    row = team.add(content, 'Kılıç "1"\\.ser')
    path = f"/files/{row.id}/content"
    for who in ("owner", "responsible", "staff"):
        answer = team.send(who, "GET", path)
        assert (answer.status_code, answer.content == content) == (200, True)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="K_l')
    assert "filename*=UTF-8''K%C4%B1l%C4%B1%C3%A7" in answer.headers["Content-Disposition"]
    part = team.send("owner", "GET", path, headers={"Range": "bytes=1048570-1048590"})
    assert (part.status_code, part.content) == (206, content[1048570:1048591])
    known = team.send("owner", "GET", path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.content) == (304, b"")
    head = team.send("owner", "HEAD", path)
    assert (head.status_code, head.content, int(head.headers["Content-Length"])) == (200, b"", BIG)
    assert team.send("participant", "GET", path).status_code == 404
    empty = team.add(b"", "empty.txt", "additional")
    nothing = team.send("owner", "GET", f"/files/{empty.id}/content")
    assert (nothing.status_code, nothing.content) == (200, b"")
    team.replace(row, None)
    assert team.send("owner", "GET", path).status_code == 410


def test_the_checksum_is_kept_when_a_file_arrives(client: Client) -> None:
    """An upload is read once when it is stored; asking for event data reads nothing again."""
    import zlib

    from tests.api.uploads.observer import observer_of

    observer = observer_of(client)
    file = observer.file_of(observer.upload(b"words\n", "notes.txt", role="additional"))
    with observer.world.database.reading() as session:
        row = session.get_one(ObservationFile, file["id"])
    assert row.crc32 == zlib.crc32(b"words\n")
