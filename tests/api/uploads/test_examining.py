"""Files in quarantine: what is found in them, and what hostile ones do not do."""

import io
import json
import math
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from api.database.tables import new_id, now
from api.observations.tables import ObservationFile
from api.uploads.examining import MOST_TRIES, examine_next, plain
from reduction.errors import ResourceError
from tests.api.access.webhook_requests import told_to, webhook_of
from tests.api.client import API
from tests.api.people.browser import mails
from tests.api.uploads.observer import Observer
from tests.recordings import SMALL, fits_of, ser_of


@pytest.fixture(scope="module")
def ser(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return ser_of(SMALL, tmp_path_factory.mktemp("ser") / "a.ser").read_bytes()


@pytest.fixture(scope="module")
def fits_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = fits_of(SMALL, tmp_path_factory.mktemp("fits") / "night")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"night/{path.name}")
        archive.writestr("night/notes.txt", "a clear night")
        archive.writestr("../../outside.txt", "written where it must not be")
    return target.getvalue()


def test_a_recording(observer: Observer, ser: bytes) -> None:
    hook = webhook_of(observer.world, observer.world.people["owner"].id, "file.examined")
    file = observer.file_of(observer.upload(ser))
    (event,) = told_to(observer.world, hook)
    assert {"file": file["id"], "state": "accepted"}.items() <= event.items()
    assert (file["state"], file["message"]) == ("accepted", "")
    (recording,) = file["finding"]["recordings"]
    assert (recording["format"], recording["role"]) == ("ser", "light")
    found = recording["inspection"]
    assert [found["input"][name] for name in ("frames", "width", "height")] == [48, 160, 120]
    assert found["times"]["known"] == 48
    assert found["times"]["first_utc"] is not None
    listed = observer.view(f"{API}/observations/{observer.observation}/files")["items"]
    assert [(one["id"], one["state"], one["recordings"]) for one in listed] == [(file["id"], "accepted", 1)]
    assert "finding" not in listed[0]


def test_an_archive(observer: Observer, fits_zip: bytes) -> None:
    """Type, image type, axes and time of each file in it; what leads out of it is refused."""
    file = observer.file_of(observer.upload(fits_zip, "night.zip"))
    assert file["state"] == "accepted", file["message"]
    finding = file["finding"]
    (recording,) = finding["recordings"]
    assert (recording["name"], recording["files"]) == ("night", 48)
    assert recording["inspection"]["input"]["frames"] == 48
    assert len(finding["files"]) == 48
    first = finding["files"][0]
    assert first["format"] == "fits"
    assert first["naxis"] in ([160, 120], [120, 160])
    assert first["date_obs"]
    assert ["night/notes.txt", "notes"] in finding["sides"]
    assert finding["refused"][0][0] == "../../outside.txt"
    assert not list(observer.client.app.state.settings.home.rglob("outside.txt"))


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG by its specification: grey, 8 bit."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(content)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_pictures_of_the_region(observer: Observer) -> None:
    good = observer.upload(png(3, 2, b"\0abc\0def"), "roi.png", role="roi")
    bad = observer.upload(b"<svg onload='alert(1)'/>", "roi.png", role="roi")
    bomb = observer.upload(png(60_000, 60_000), "roi.png", role="roi")
    cut = observer.upload(png(300, 200, b"\0abc"), "roi.png", role="roi")
    found = observer.file_of(good)
    assert found["state"] == "accepted"
    assert [found["finding"][name] for name in ("kind", "width", "height")] == ["PNG", 3, 2]
    for url, why in ((bad, "no image"), (bomb, "pixels"), (cut, "damaged")):
        file = observer.file_of(url)
        assert (file["state"], why in file["message"]) == ("refused", True), file["message"]


def test_additional_files_are_anything(observer: Observer) -> None:
    file = observer.file_of(observer.upload(b"\0\xff anything", "notes.pdf", role="additional"))
    assert (file["state"], file["finding"]["kind"]) == ("accepted", "notes")


def bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ser", b"\0" * (300 << 20))
    return target.getvalue()


def huge_fits() -> bytes:
    """A header that promises 8 EB."""
    cards = {"SIMPLE": "T", "BITPIX": "64", "NAXIS": "2", "NAXIS1": "1000000000", "NAXIS2": "1000000000"}
    text = "".join(f"{key:<8}= {value:>20}".ljust(80) for key, value in cards.items()) + "END".ljust(80)
    return text.ljust(2880).encode() + b"\0" * 2880


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.ser", lambda: b"LUCAM-RECORDER" + b"\xff" * 5000, ""),
        ("a.fits", huge_fits, ""),
        ("a.zip", bomb, "bomb"),
        ("a.zip", lambda: b"PK\x03\x04" + b"\0" * 500, ""),
        ("a.avi", lambda: b"RIFF\xff\xff\xff\xffAVI LIST" + b"\x7f" * 5000, ""),
        ("a.txt", lambda: b"just words", "known format"),
        ("a.ser", lambda: b"", "empty"),
    ],
    ids=["ser", "fits", "bomb", "zip", "avi", "text", "empty"],
)
def test_hostile_files(observer: Observer, name: str, content: Callable[[], bytes], why: str) -> None:
    """Refused with a message; the service is as before, and tells no path of its own."""
    file = observer.file_of(observer.upload(content(), name))
    assert file["state"] == "refused"
    email = observer.world.people["owner"].email
    assert email is not None
    (mail,) = mails(observer.client, email, "file_refused")
    assert file["message"] in mail.text
    assert why in file["message"]
    assert file["message"]
    assert str(observer.client.app.state.settings.home) not in json.dumps(file)
    assert observer.client.get(f"{API}/health").status_code == 200


class Broken:
    """A store that is away."""

    def fetch_raw(self, _sha256: str, _into: Path) -> Path:
        raise ResourceError("the store is away")


def quarantined(observer: Observer, tries: int = 0) -> str:
    row = ObservationFile(
        id=new_id(), observation=observer.observation, role="recording", name="a.ser", size=1,
        sha256="0" * 64, state="refused", finding={"tries": tries}, created=now(),
    )  # fmt: skip
    observer.world.add(row)
    return row.id


def state(observer: Observer, file: str, **values: Any) -> tuple[str, dict[str, Any]]:
    with observer.world.database.writing() as session:
        if values:
            session.execute(update(ObservationFile).where(ObservationFile.id == file).values(**values))
        row = session.get_one(ObservationFile, file)
        return row.state, row.finding


def test_a_file_waits_while_the_store_is_away(observer: Observer, tmp_path: Path) -> None:
    """However often; it is not the file's fault."""
    file = quarantined(observer)
    state(observer, file, state="quarantined")
    stopping, settings = threading.Event(), observer.client.app.state.settings
    for _ in range(MOST_TRIES + 2):
        with pytest.raises(ResourceError, match="away"):
            examine_next(observer.world.database, Broken(), tmp_path / "room", stopping, settings)  # type: ignore[arg-type]  # all of it that is used
    assert state(observer, file, state="refused") == ("refused", {"tries": 0})


def test_a_file_that_ends_the_service(observer: Observer, tmp_path: Path) -> None:
    """Is not looked at for ever."""
    file = quarantined(observer)
    state(observer, file, state="quarantined", finding={"tries": MOST_TRIES})
    settings = observer.client.app.state.settings
    assert examine_next(observer.world.database, Broken(), tmp_path / "room", threading.Event(), settings)  # type: ignore[arg-type]  # all of it that is used
    found, finding = state(observer, file)
    assert found == "refused"
    assert "ended 3 times" in finding["message"]


def test_the_process_limits_itself() -> None:
    code = (
        "import resource; from api.uploads.examination import confine; confine(5)\n"
        "print([resource.getrlimit(w)[0] for w in (resource.RLIMIT_CPU, resource.RLIMIT_CORE)])\n"
        "b = bytearray(6 << 30)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[5, 0]\n"
    assert "MemoryError" in done.stderr


def test_what_a_database_cannot_keep() -> None:
    wild = {"a\0": ["x\ud800y", float("nan"), float("inf"), 1, (True, None)], "b": np.pi}
    tame = plain(wild)
    assert json.loads(json.dumps(tame, allow_nan=False)) == tame
    assert "\0" not in json.dumps(tame, ensure_ascii=False)
    assert tame["a�"] == ["x?y", None, None, 1, [True, None]]


def test_a_light_curve_is_searched_for_events(observer: Observer) -> None:
    """A plain table of JD and flux, as other programs write it: the star is gone for four seconds."""
    start = 2461111.343  # 2026-03-11, about 20:14 UTC
    lines = []
    for number in range(300):
        gone = 130 <= number < 170
        noise = 0.02 * math.sin(2.1 * number) + 0.015 * math.sin(0.7 * number**2)
        lines.append(f"{start + number * 0.1 / 86400:.10f} {(0.05 if gone else 1.0) + noise:.5f} 0.02")
    file = observer.file_of(observer.upload("\n".join(lines).encode(), "curve.dat", role="additional"))
    events = file["finding"]["events"]
    assert events["status"] == "positive"
    (event,) = events["events"]
    assert event["d"]["utc"][:16] == "2026-03-11T20:14"
    watched = file["finding"]["watched"]
    assert watched["first_utc"] < event["d"]["utc"] < watched["last_utc"]
