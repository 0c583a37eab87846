"""Files sent by the plain form: stored, examined and counted as those of tus; what finds no room says so."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.requirements import require

require("server")

from api.access.caller import Caller  # noqa: E402 - after the check for the extra
from api.access.matrix import Operation, Standing  # noqa: E402
from api.access.permit import Permit  # noqa: E402
from api.uploads import creating  # noqa: E402
from api.uploads.headers import Metadata  # noqa: E402
from api.uploads.tables import Upload  # noqa: E402
from tests.api.client import Client  # noqa: E402
from tests.api.web.observing import ROOM, Station, service, station_of, surfer_of  # noqa: E402
from tests.recordings import SMALL, fits_of, ser_of  # noqa: E402

HOSTILE = '../../<img src=x onerror=alert(1)> "Σ".ser'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with service(tmp_path_factory.mktemp("service"), **ROOM) as client:
        yield client


@pytest.fixture
def station(served: Client) -> Station:
    return station_of(served)


@pytest.fixture(scope="module")
def ser(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return ser_of(SMALL, tmp_path_factory.mktemp("ser") / "a.ser").read_bytes()


def rows(station: Station) -> list[Upload]:
    with station.world.database.reading() as session:
        return list(session.scalars(select(Upload).where(Upload.observation == station.observation)))


def left_over(station: Station) -> list[Path]:
    home: Path = station.client.app.state.settings.home
    return sorted((home / "uploads").glob("*.part"))


def test_a_recording_with_a_hostile_name(station: Station, ser: bytes) -> None:
    answer = station.send((HOSTILE, ser))
    assert answer.status_code == 303, answer.text
    (file,) = station.looked_at(1)
    assert (file["state"], file["role"]) == ("accepted", "recording")
    assert file["name"] == HOSTILE.rpartition("/")[2]
    assert file["sha256"] == hashlib.sha256(ser).hexdigest()
    text = station.surfer.get(station.path).text
    assert "<img src=x" not in text
    words = station.surfer.words
    assert file["name"] in words
    assert "times: caution" in words
    assert "Levels" in words
    assert "Stamps name the" in words
    assert f"/files/{file['id']}/view" in station.surfer.links


def test_a_zip_of_fits(station: Station, tmp_path: Path) -> None:
    folder = fits_of(SMALL, tmp_path / "night")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"night/{path.name}")
        archive.writestr("night/<b>notes.txt", "a clear night")
    assert station.send(("night.zip", target.getvalue())).status_code == 303
    (file,) = station.looked_at(1)
    assert file["state"] == "accepted", file
    station.surfer.get(station.path)
    words = station.surfer.words
    assert "FITS files" in words
    assert "NAXIS" in words
    assert "&lt;b&gt;notes.txt" in (station.surfer.answer.text if station.surfer.answer else "")


def test_several_at_once_as_what_they_are(station: Station) -> None:
    answer = station.send(
        ("notes.txt", b"clear"), ("empty.txt", b""), ("more.txt", b"x" * 70_000), sent_as="additional"
    )
    assert answer.status_code == 303
    files = station.looked_at(3)
    assert [(file["name"], file["size"], file["role"]) for file in files] == [
        ("notes.txt", 5, "additional"), ("empty.txt", 0, "additional"), ("more.txt", 70_000, "additional")
    ]  # fmt: skip
    assert left_over(station) == []
    assert {(row.length, row.received, row.state) for row in rows(station)} == {
        (5, 5, "stored"), (0, 0, "stored"), (70_000, 70_000, "stored")
    }  # fmt: skip


def test_what_is_no_recording_is_refused_and_told(station: Station) -> None:
    station.send(("a.ser", b"no recording at all"))
    (file,) = station.looked_at(1)
    assert file["state"] == "refused"
    station.surfer.get(station.path)
    assert file["message"] in station.surfer.words


@pytest.mark.parametrize("size", [(4 << 20) + 1, 5 << 20])
def test_larger_than_a_file_may_be(station: Station, size: int) -> None:
    answer = station.send(("ok.txt", b"1"), ("a.ser", b"0" * size), sent_as="additional")
    assert answer.status_code == 413
    assert "larger than a file may be here" in station.surfer.words
    assert "Before that, ok.txt arrived whole." in station.surfer.words
    station.looked_at(1)
    assert [row.name for row in rows(station)] == ["ok.txt"]
    assert left_over(station) == []


def test_no_room_left_of_ones_own(station: Station) -> None:
    for number in range(3):
        assert (
            station.send(
                (f"{number}.bin", bytes([number]) * ((4 << 20) - 9)), sent_as="additional"
            ).status_code
            == 303
        )
    answer = station.send(("4.bin", b"0" * 100_000), sent_as="additional")
    assert answer.status_code == 413
    assert "larger than the room that is left of yours" in station.surfer.words


def test_a_full_disk(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("api.uploads.parts.os.pwrite", full)
    answer = station.send(("a.txt", b"x" * 100), sent_as="additional")
    monkeypatch.undo()
    assert answer.status_code == 507
    assert "the disk of the service is full, nothing was kept" in station.surfer.words
    assert rows(station) == []
    assert left_over(station) == []


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("", {}, "choose a file first"),
        ("..", {}, "visible"),
        ("a.ser", {"sent_as": "spoon"}, "what the files"),
    ],
)
def test_odd_forms(station: Station, name: str, fields: dict[str, str], told: str) -> None:
    answer = station.send((name, b"x") if name else ("", b""), **fields)
    assert answer.status_code in {400, 422}
    assert told in station.surfer.words
    assert rows(station) == []


def test_without_its_token_nothing_is_taken(station: Station) -> None:
    ada = station.surfer
    for data in ({}, {"csrf": "x"}):
        answer = ada.send("POST", f"{station.path}/upload", data=data, files=[("file", ("a.txt", b"x"))])
        assert answer.status_code == 403
    other = surfer_of(station.client, station.world, "participant")
    other.get("/observations")
    csrf = next(form.fields["csrf"][0] for form in other.forms if "csrf" in form.fields)
    answer = other.send(
        "POST", f"{station.path}/upload", data={"csrf": csrf}, files=[("file", ("a.txt", b"x"))]
    )
    assert answer.status_code == 404
    assert rows(station) == []


def test_a_form_that_breaks_off_leaves_nothing(station: Station) -> None:
    ada = station.surfer
    ada.get(station.path)
    csrf = next(form.fields["csrf"][0] for form in ada.forms if "csrf" in form.fields)
    head = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    body = (
        head % (b"csrf", b"")
        + csrf.encode()
        + b"\r\n"
        + head % (b"file", b'; filename="a.ser"')
        + b"half of it"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = ada.send("POST", f"{station.path}/upload", content=body, headers=headers)
    assert answer.status_code == 422
    assert "broke off" in ada.words
    assert rows(station) == []
    assert left_over(station) == []


def test_the_list_is_sent_again_only_when_it_has_changed(station: Station, ser: bytes) -> None:
    ada = station.surfer
    text = ada.get(station.path).text
    asked = text.partition('hx-get="')[2].partition('"')[0]
    headers = {"HX-Request": "true"}
    assert ada.send("GET", asked, headers=headers).status_code == 204
    assert "every 3s" not in text
    station.send(("a.ser", ser))
    station.looked_at(1)
    answer = ada.send("GET", asked, headers=headers)
    assert answer.status_code == 200
    assert "a.ser" in answer.text
    assert "<html" not in answer.text
    assert "a.ser" in (ada.get(f"{station.path}/files").text and ada.words)


def test_what_a_killed_service_left_is_told_and_can_be_deleted(station: Station) -> None:
    """A form that was on its way then: it cannot go on, and its size is not known."""
    state = station.client.app.state
    name = Metadata(station.observation, "left.ser", "recording", None, "")
    permit = Permit(
        Caller("session", station.world.people["owner"].id, standing=Standing.OBSERVER), Operation.UPLOAD
    )
    with state.database.writing() as session:
        left = creating.begin(session, permit, name, 3 << 20, state.settings, state.receiving).id
    (told,) = station.api(f"/observations/{station.observation}/uploads")["items"]
    assert (told["name"], told["resumable"]) == ("left.ser", False)
    ada = station.surfer
    text = ada.get(station.path).text
    assert "left.ser" in ada.words
    assert "it cannot go on: delete this, and send the file again" in ada.words
    assert f'data-upload="{left}"' not in text, "nothing that a script would go on with"
    assert ada.post(f"{station.path}/uploads/{left}/end").status_code == 200
    assert rows(station) == []
