"""What a campaign comes to: limb, event data, e-mails."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import IO

import httpx

from api.remote.connection import API
from tests.api.campaign import truth
from tests.api.campaign.line import halted, line_to
from tests.api.campaign.night import STAFF, Night
from tests.api.campaign.truth import PLACES, Place

SIGMAS = 3.0


def fitted(night: Night, campaign: str, folder: Path) -> None:
    """Chords of all stations, and the limb: centre and diameter against the truth."""
    staff = night.terminal(STAFF)
    with night.service(STAFF) as service:
        chords = service.ask("GET", f"/campaigns/{campaign}/chords")["items"]
    assert sorted(one["station"] for one in chords) == sorted(place.kind for place in PLACES)
    assert {one["source"] for one in chords} == {"result"}
    staff.do("fit", campaign)
    staff.do("fetch", campaign, "--fit", "--out", folder)
    (found,) = folder.iterdir()
    document = json.loads((found / "limb.json").read_text())
    assert document["named"] == []
    figures = document["fit"]["figures"]
    wanted = dict(zip(("f_km", "g_km"), truth.CENTRE_KM, strict=True)) | {"diameter_km": 2 * truth.RADIUS_KM}
    for name, true in wanted.items():
        figure = figures[name]
        assert abs(figure["value"] - true) < SIGMAS * figure["sigma"], (name, figure, true)
        assert figure["sigma"] < 0.1 * truth.RADIUS_KM, (name, figure)
    assert (found / "limb.png").read_bytes().startswith(b"\x89PNG")


def bundled(night: Night, campaign: str, files: dict[Place, tuple[Path, Path | None]], folder: Path) -> None:
    """Event data come down while their line is cut, the service is killed, and who fetches them too."""
    staff, size = night.terminal(STAFF), sum(path.stat().st_size for path, _ in files.values())
    with line_to(night.served.port, down=True) as line:
        staff.do("login", line.url, stdin=night.key(STAFF) + "\n")
        words = ("fetch", campaign, "--bundle", "--out", folder, "--json")
        first = staff.begin(*words)
        halted(line, first, size // 4)
        line.cut()
        halted(line, first, size // 4)
        night.served.restart()
        line.cut()
        halted(line, first, size // 4)
        first.kill()
        first.communicate()
        line.cut()
        (part,) = folder.glob(".*.partial")
        there, passed = part.stat().st_size, line.passed
        assert size // 2 < there < size
        second = staff.begin(*words)
        out, err = second.communicate(timeout=600)
        assert second.returncode == 0, err
        assert line.passed - passed < size - there + (2 << 20)
    staff.do("logout", "--service", line.url)
    told = json.loads(out)
    _sound(Path(told["file"]), files)
    with night.service(STAFF) as service:
        (request,) = service.ask("GET", f"/campaigns/{campaign}/data-requests")["items"]
        ranges(service.connection.client, request["links"]["bundle"], Path(told["file"]))
    assert "data" in str(night.mail(STAFF, "data")["Subject"])


def _sound(path: Path, files: dict[Place, tuple[Path, Path | None]]) -> None:
    """By Python's own reader: every checksum, and every recording as it was sent."""
    paths = [one for pair in files.values() for one in pair if one is not None]
    sent = {one: digest_of(one.open("rb")) for one in paths}
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        digests = {name: digest_of(archive.open(name)) for name in archive.namelist()}
    for one, digest in sent.items():
        names = [name for name, found in digests.items() if found == digest]
        assert [Path(name).name for name in names] == [one.name]
    reports = [name for name in digests if name.endswith("report.txt")]
    assert len(reports) == len(PLACES)


def digest_of(opened: IO[bytes]) -> str:
    found = hashlib.sha256()
    with opened as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def ranges(client: httpx.Client, link: str, whole: Path) -> None:
    """Any bytes of the archive are those of the whole."""
    size = whole.stat().st_size
    for start, stop in ((0, 99), (size // 3, size // 3 + 70_000), (size - 50, size - 1)):
        answer = client.get(link, headers={"Range": f"bytes={start}-{stop}"})
        assert answer.status_code == 206
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop}/{size}"
        with whole.open("rb") as file:
            file.seek(start)
            assert answer.content == file.read(stop + 1 - start)
    assert link.startswith(API)


def told(night: Night) -> None:
    """Everybody got what concerns them, each once; the same Message-ID never twice."""
    assert "5 done" in str(night.mail(STAFF, "batch of")["Subject"])
    for place in PLACES:
        for words in ("finish your registration", "welcome", "API key"):
            assert len(night.mails(place.email, words)) == 1, (place.email, words)
    ids = [str(mail["Message-ID"]) for mail in night.sink.mails]
    assert len(set(ids)) >= len(ids) - 2  # a kill between the sink's answer and our commit: twice, same id
