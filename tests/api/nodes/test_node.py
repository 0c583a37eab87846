"""A node takes files by the service's own tus, keeps them while it is away, and hands each over once."""

import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from tests.requirements import require

require("server")

from api.database.tables import now  # noqa: E402 - after the check for the extra
from api.database.transactions import Database  # noqa: E402
from api.nodes import holding, status  # noqa: E402
from api.nodes.app import create_node  # noqa: E402
from api.nodes.cli import node as command  # noqa: E402
from api.nodes.settings import NodeSettings  # noqa: E402
from api.nodes.tables import Held, prepare  # noqa: E402
from api.nodes.tickets import HEADER, key_of  # noqa: E402
from reduction.errors import ResourceError  # noqa: E402
from tests.api.nodes.world import KEY, SECRET, Both, both  # noqa: E402
from tests.api.uploads.observer import BODY, TUS, UPLOADS, checksum  # noqa: E402

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    with both(tmp_path, monkeypatch, disk_reserve=0, quota=400_000) as found:
        yield found


def change(world: Both, url: str, **values: object) -> None:
    with world.database.writing() as session:
        session.execute(update(Held).where(Held.id == url[-32:]).values(**values))


def told(world: Both) -> str:
    """What `umbra node status` says."""
    return status.text_of(status.report(world.database))


def test_from_the_observer_to_the_service(world: Both) -> None:
    url, ticket = world.directed(len(CONTENT), sha256=SHA256)
    for _ in range(2):  # an answer may be lost: begun once
        answer = world.begin(ticket, len(CONTENT))
        assert (answer.status_code, answer.headers["Location"]) == (201, url)
    half = CONTENT[:1000]
    wrong = world.patch(url, ticket, 0, half, Upload_Checksum=checksum(half + b"!"))
    assert wrong.status_code == 460
    assert world.patch(url, ticket, 0, half, Upload_Checksum=checksum(half)).status_code == 204
    assert world.patch(url, ticket, 0, half).status_code == 409
    assert world.begin(ticket, len(CONTENT)).headers["Upload-Offset"] == "1000"
    assert not world.handing.hand_all(), "nothing is whole"
    assert world.patch(url, ticket, 1000, CONTENT[1000:]).status_code == 204
    assert world.part(url).read_bytes() == CONTENT
    assert world.view(url, ticket)["state"] == "whole"
    assert world.handing.hand_all(), "the service has not stored it yet"
    view = world.view(url, ticket)
    assert (view["state"], view["handed"], view["sha256"]) == ("whole", len(CONTENT), SHA256)
    assert world.part(url).exists(), "kept until it is the service's"
    world.store()
    for _ in range(2):
        assert not world.handing.hand_all()
    assert world.view(url, ticket)["state"] == "handed"
    assert not world.part(url).exists()
    assert (world.files(), world.at_the_service(url).sha256) == (1, SHA256)
    head = world.node.send("HEAD", url, headers={**TUS, **ticket})
    assert head.headers["Upload-Offset"] == str(len(CONTENT))
    assert "1 files handed over" in told(world)


def test_bytes_with_the_beginning(world: Both) -> None:
    url, ticket = world.directed(5)
    answer = world.begin(ticket, 5, content=b"01234", headers=BODY)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5")
    assert world.view(url, ticket)["state"] == "whole"


def test_the_service_is_away(world: Both) -> None:
    """What is kept stays; how far it is, observer and operator are told."""
    url, ticket = world.sent(CONTENT)
    world.online = False
    assert world.handing.hand_all()
    view = world.view(url, ticket)
    assert (view["state"], view["received"], view["handed"]) == ("whole", len(CONTENT), 0)
    assert "away" in view["problem"]
    assert "kept at the node, handed over 0 %: " in told(world)
    world.online = True
    world.handing.hand_all()
    world.store()
    assert not world.handing.hand_all()
    assert world.view(url, ticket)["state"] == "handed"
    assert world.view(url, ticket)["problem"] == ""


def test_cut_at_any_answer(world: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on where the service says, whatever was lost on the way."""
    monkeypatch.setattr("api.nodes.handing.SMALLEST_PIECE", 50_000)
    world.handing._piece = 50_000
    url, ticket = world.sent(CONTENT)
    seen = []
    for cut in range(5):
        world.cut = cut
        world.handing._piece = 50_000
        assert world.handing.hand_all()
        seen.append(world.at_the_service(url).received)
    assert seen == sorted(seen)
    assert 0 < seen[2] < len(CONTENT)
    world.cut = None
    assert "handed over" in told(world)
    world.handing.hand_all()
    world.store()
    assert not world.handing.hand_all()
    assert world.view(url, ticket)["state"] == "handed"
    assert (world.files(), world.at_the_service(url).sha256) == (1, SHA256)


def test_another_content_than_promised(world: Both) -> None:
    """It is the service that says so, to the observer as well."""
    url, ticket = world.sent(CONTENT, sha256="0" * 64)
    world.handing.hand_all()
    world.store()
    world.handing.hand_all()
    view = world.view(url, ticket)
    assert view["state"] == "refused"
    assert SHA256 in view["problem"]
    head = world.node.send("HEAD", url, headers={**TUS, **ticket})
    assert head.status_code == 410
    assert world.begin(ticket, len(CONTENT)).status_code == 409
    assert "refused: " in told(world)
    assert world.node.send("DELETE", url, headers={**TUS, **ticket}).status_code == 204
    assert not world.part(url).exists()


def test_an_upload_that_the_service_forgot(world: Both) -> None:
    """Kept for some days, in case that it is a mistake."""
    url, ticket = world.sent(CONTENT)
    assert world.observer.send("DELETE", url, headers=TUS).status_code == 204
    assert world.handing.hand_all()
    view = world.view(url, ticket)
    assert view["state"] == "whole"
    assert "does not know" in view["problem"]
    assert world.part(url).exists()
    change(world, url, gone=now() - timedelta(days=8))
    assert not world.handing.hand_all()
    assert world.view(url, ticket)["state"] == "refused"


@pytest.mark.parametrize("left", [None, 1000])
def test_bytes_that_a_disk_has_lost(world: Both, left: int | None) -> None:
    """Told, and it can be sent again by the same ticket."""
    url, ticket = world.sent(CONTENT)
    if left is None:
        world.part(url).unlink()
    else:
        os.truncate(world.part(url), left)
    assert not world.handing.hand_all()
    answer = world.node.send("HEAD", url, headers={**TUS, **ticket})
    assert answer.status_code == 410
    assert "lost" in world.view(url, ticket)["problem"]
    assert world.begin(ticket, len(CONTENT)).headers["Upload-Offset"] == "0"
    assert world.patch(url, ticket, 0, CONTENT).status_code == 204
    world.handing.hand_all()
    world.store()
    assert not world.handing.hand_all()
    assert world.files() == 1


def test_room(world: Both) -> None:
    """A node that is full says so, and takes files again when others were handed over."""
    url, ticket = world.sent(CONTENT)
    other, further = world.directed(len(CONTENT), name="b.ser")
    full = world.begin(further, len(CONTENT))
    assert full.status_code == 507
    assert "100000 bytes" in full.json()["detail"]
    assert world.begin(ticket, len(CONTENT)).status_code == 201, "what is here already is no news"
    world.handing.hand_all()
    world.store()
    world.handing.hand_all()
    assert world.begin(further, len(CONTENT)).status_code == 201
    assert world.patch(other, further, 0, CONTENT[:9]).status_code == 204
    assert world.node.send("DELETE", other, headers={**TUS, **further}).status_code == 204
    assert not world.part(other).exists()
    assert world.node.send("HEAD", other, headers={**TUS, **further}).status_code == 404
    assert world.node.send("DELETE", url, headers={**TUS, **ticket}).status_code == 409


def test_who_may(world: Both) -> None:
    url, ticket = world.sent(CONTENT[:10])
    other, further = world.directed(10, name="b.ser")
    for method in ("HEAD", "GET", "PATCH", "DELETE"):
        for headers in ({}, {HEADER: "x"}, further, {"X-API-Key": world.observer.key}):
            answer = world.node.send(method, url, headers={**TUS, **BODY, **headers})
            assert answer.status_code == 401, (method, headers)
    assert world.node.send("POST", UPLOADS, headers={**TUS, "Upload-Length": "10"}).status_code == 401
    assert world.begin(ticket, 11).status_code == 400
    assert world.begin(further, 10).headers["Location"] == other
    assert world.node.send("OPTIONS", UPLOADS).headers["Tus-Version"] == "1.0.0"
    assert world.node.send("HEAD", url, headers=ticket).status_code == 412


def test_pages_of_the_service_may_send(world: Both) -> None:
    """And those of no other site."""
    asked = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": f"{HEADER}, Upload-Offset",
    }
    answer = world.node.send("OPTIONS", UPLOADS, headers={"Origin": "http://127.0.0.1:1", **asked})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:1"
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert HEADER in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    url, ticket = world.sent(CONTENT[:10])
    sent = {**TUS, **ticket, "Origin": "http://127.0.0.1:1"}
    head = world.node.send("HEAD", url, headers=sent)
    assert "Upload-Offset" in head.headers["Access-Control-Expose-Headers"]
    evil = world.node.send("OPTIONS", UPLOADS, headers={"Origin": "https://evil.example.org", **asked})
    assert evil.status_code == 400
    assert "Access-Control-Allow-Origin" not in evil.headers


def test_tidying_up(world: Both) -> None:
    """What is over goes, with its bytes; what is not stays."""
    kept, ticket = world.sent(CONTENT[:10])
    late, further = world.directed(10, name="b.ser")
    world.begin(further, 10)
    world.patch(late, further, 0, b"0")
    stray = world.part("0" * 32)
    stray.write_bytes(b"nobody's")
    folder = stray.parent
    holding.tidy(world.database, folder, 7)
    assert not stray.exists()
    assert world.part(late).exists()
    change(world, late, expires=now() - timedelta(seconds=1))
    assert world.patch(late, further, 1, b"1").status_code == 410
    holding.tidy(world.database, folder, 7)
    assert not world.part(late).exists()
    assert world.part(kept).exists()
    change(world, kept, state="handed", changed=now() - timedelta(days=31))
    holding.tidy(world.database, folder, 7)
    assert world.node.send("HEAD", kept, headers={**TUS, **ticket}).status_code == 404
    assert not world.part(kept).exists()


def test_health(world: Both) -> None:
    assert world.node.get("/api/v1/health").status_code == 503, "nothing hands over here"


def test_a_folder_has_one_node(world: Both) -> None:
    with pytest.raises(ResourceError, match="another node"):
        create_node(world.node.app.state.settings)


def test_tables_of_a_later_version(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.sqlite")
    prepare(database)
    prepare(database)
    with database.writing() as session:
        session.connection().execute(text("PRAGMA user_version = 99"))
    with pytest.raises(ResourceError, match="later version"):
        prepare(database)
    database.close()


def test_commands(
    world: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.sent(CONTENT[:10])
    assert command(["status", "--data", str(tmp_path / "node")]) == 0
    assert "1 files kept until the service has them: 10 bytes" in capsys.readouterr().out
    assert command(["status", "--data", str(tmp_path / "node"), "--json"]) == 0
    assert '"waiting"' in capsys.readouterr().out
    assert command(["status", "--data", str(tmp_path)]) == 2
    monkeypatch.setenv("UMBRA_HOME", str(tmp_path / "home"))
    assert command(["key", "chile"]) == 2
    monkeypatch.setenv("UMBRA_NODE_SECRET", SECRET)
    capsys.readouterr()
    assert command(["key", "chile"]) == 0
    assert capsys.readouterr().out.strip() == KEY == key_of(SECRET, "chile")
    assert command(["key", "Not A Name"]) == 2
    assert command(["nonsense"]) == 2
    assert command(["--central", "http://far.example.org", "--data", str(tmp_path), "--name", "a"]) == 2
    said = capsys.readouterr().err
    assert "UMBRA_NODE_CENTRAL" in said
    assert "UMBRA_NODE_KEY" in said


def test_settings_of_pages(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give origins"):
        NodeSettings(central="http://localhost", data=tmp_path, name="a", key=KEY, pages=("https://a.org/x",))  # type: ignore[arg-type]  # checked by the model
