"""Each MUST of tus 1.0.x and of the extensions that are offered, in the order of the protocol's text."""

import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from sqlalchemy import update

from api.database.tables import now
from api.uploads.tables import Upload
from tests.api.client import API
from tests.api.uploads.observer import BODY, TUS, UPLOADS, Observer, checksum, metadata

CONTENT = bytes(range(256)) * 40


def test_a_file_in_pieces(on_both: Observer) -> None:
    """The whole way: begun, sent in three pieces, asked for in between, stored, examined."""
    observer = on_both
    promised = hashlib.sha256(CONTENT).hexdigest()
    url = observer.begin(len(CONTENT), sha256=promised)
    for start, end in ((0, 1), (1, 5000), (5000, len(CONTENT))):
        answer = observer.patch(url, start, CONTENT[start:end])
        assert answer.status_code == 204, answer.text
        assert answer.headers["Upload-Offset"] == str(end)
        assert observer.offset(url) == end
    view = observer.settled(url)
    assert (view["state"], view["sha256"], view["received"]) == ("stored", promised, len(CONTENT))
    store = observer.client.app.state.store
    assert store.has_raw(promised)
    file = observer.file_of(url)
    assert (file["name"], file["size"], file["sha256"]) == ("a.ser", len(CONTENT), promised)
    assert file["state"] == "refused"  # it is no recording
    assert observer.offset(url) == len(CONTENT)
    assert not observer.part(url).exists()


# Core protocol


def test_head(observer: Observer) -> None:
    """Upload-Offset also when it is 0; Upload-Length; no caching; the metadata as it was given."""
    url = observer.begin(10, role="additional", note="")
    answer = observer.send("HEAD", url, headers=TUS)
    assert answer.headers["Upload-Offset"] == "0"
    assert answer.headers["Upload-Length"] == "10"
    assert answer.headers["Cache-Control"] == "no-store"
    told = metadata(observation=observer.observation, filename="a.ser", role="additional", note="")
    assert answer.headers["Upload-Metadata"] == told


def test_head_of_what_is_not_there(observer: Observer) -> None:
    answer = observer.send("HEAD", f"{UPLOADS}/{'0' * 32}", headers=TUS)
    assert answer.status_code == 404
    assert "Upload-Offset" not in answer.headers


def test_patch_takes_one_type_of_body(observer: Observer) -> None:
    url = observer.begin(10)
    for kind in ("application/octet-stream", "text/plain", ""):
        assert observer.patch(url, 0, b"abc", Content_Type=kind).status_code == 415
    assert observer.offset(url) == 0


@pytest.mark.parametrize("offset", ["1", "4", "10", "11", "4611686018427387903"])
def test_patch_at_another_offset(observer: Observer, offset: str) -> None:
    """409, and nothing is changed."""
    url = observer.begin(10)
    observer.patch(url, 0, b"012")
    answer = observer.patch(url, 3, b"xyz", Upload_Offset=offset)
    assert answer.status_code == 409
    assert observer.offset(url) == 3
    observer.patch(url, 3, b"3456789")
    assert observer.settled(url)["sha256"] == hashlib.sha256(b"0123456789").hexdigest()


@pytest.mark.parametrize("offset", ["-1", "", "1e1", "0x1", "٣", "1.0", "9" * 30, "4611686018427387904"])
def test_patch_with_an_offset_that_is_none(observer: Observer, offset: str) -> None:
    url = observer.begin(10)
    sent = {**TUS, **BODY, "Upload-Offset": offset.encode()}
    answer = observer.send("PATCH", url, headers=sent, content=b"abc")
    assert answer.status_code == 400
    assert observer.offset(url) == 0


def test_patch_of_what_is_not_there(observer: Observer) -> None:
    assert observer.patch(f"{UPLOADS}/{'0' * 32}", 0, b"abc").status_code == 404


def test_patch_beyond_the_length(observer: Observer) -> None:
    url = observer.begin(10)
    assert observer.patch(url, 0, b"0" * 11).status_code == 413
    assert observer.offset(url) == 0
    assert observer.patch(url, 0, b"0" * 10).status_code == 204
    assert observer.patch(url, 10, b"0").status_code == 409


def test_empty_bodies_and_empty_files(observer: Observer) -> None:
    url = observer.begin(10)
    answer = observer.patch(url, 0, b"")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "0")
    empty = observer.begin(0)
    assert observer.offset(empty) == 0
    view = observer.settled(empty)
    assert (view["state"], view["sha256"]) == ("stored", hashlib.sha256(b"").hexdigest())
    file = observer.file_of(empty)
    assert file["state"] == "refused"
    assert "empty" in file["message"]


def test_options(observer: Observer) -> None:
    """For everybody, without Tus-Resumable in the request."""
    answer = observer.client.send("OPTIONS", UPLOADS)
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(1 << 30)
    extensions = answer.headers["Tus-Extension"].split(",")
    assert set(extensions) == {"creation", "creation-with-upload", "termination", "checksum", "expiration"}
    assert set(answer.headers["Tus-Checksum-Algorithm"].split(",")) == {"sha1", "sha256"}


@pytest.mark.parametrize("version", ["0.2.2", "1.0", "2.0.0", "", "1.0.0.0"])
def test_another_version(observer: Observer, version: str) -> None:
    """412 with Tus-Version, and the request is not processed."""
    url = observer.begin(10)
    for method, at in (("PATCH", url), ("HEAD", url), ("DELETE", url), ("POST", UPLOADS)):
        sent = {**BODY, "Upload-Offset": "0", "Tus-Resumable": version}
        answer = observer.send(method, at, headers=sent, content=b"abc" if method == "PATCH" else None)
        assert answer.status_code == 412, method
        assert answer.headers["Tus-Version"] == "1.0.0"
    assert observer.offset(url) == 0
    assert len(observer.view(UPLOADS)["items"]) == 1


def test_no_version(observer: Observer) -> None:
    assert observer.send("HEAD", observer.begin(10)).status_code == 412


def test_every_answer_names_the_version(observer: Observer) -> None:
    url = observer.begin(10)
    answers = [
        observer.client.send("OPTIONS", UPLOADS),
        observer.ask_for(10),
        observer.send("HEAD", url, headers=TUS),
        observer.send("HEAD", url),
        observer.client.send("HEAD", url, headers=TUS),
        observer.send("HEAD", f"{UPLOADS}/nonsense", headers=TUS),
        observer.patch(url, 0, b"abc"),
        observer.patch(url, 0, b"abc"),
        observer.patch(url, 3, b"abc", Upload_Checksum=checksum(b"other")),
        observer.send("POST", UPLOADS, headers=TUS),
        observer.send("DELETE", url, headers=TUS),
        observer.send("DELETE", url, headers=TUS),
    ]
    codes = [answer.status_code for answer in answers]
    assert codes == [204, 201, 200, 412, 401, 422, 204, 409, 460, 400, 204, 404]
    assert {answer.headers["Tus-Resumable"] for answer in answers} == {"1.0.0"}


def test_the_method_by_a_header(observer: Observer) -> None:
    """It counts, and the request's own does not."""
    url = observer.begin(10)
    sent = {**TUS, **BODY, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    answer = observer.send("POST", url, headers=sent, content=b"abc")
    assert (answer.status_code, observer.offset(url)) == (204, 3)
    sent = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert observer.send("POST", url, headers=sent).status_code == 204
    assert observer.send("HEAD", url, headers=TUS).status_code == 404
    sent = {**TUS, "X-HTTP-Method-Override": "BREW"}
    assert observer.send("POST", UPLOADS, headers=sent).status_code == 405


def test_the_method_by_a_header_opens_no_back_door(observer: Observer) -> None:
    """A page of another site cannot turn a harmless request into one that changes something."""
    url = observer.begin(10)
    cookie = observer.world.headers("owner")["Cookie"]
    sent = {**TUS, "Cookie": cookie, "X-HTTP-Method-Override": "DELETE"}
    for more in ({}, {"Sec-Fetch-Site": "cross-site"}):
        answer = observer.client.send("HEAD", url, headers={**sent, **more})
        assert answer.status_code == 403
    assert observer.offset(url) == 0


# Creation


def test_creation(observer: Observer) -> None:
    answer = observer.ask_for(10)
    assert answer.status_code == 201
    assert answer.headers["Location"].startswith(f"{UPLOADS}/")
    assert answer.headers["Upload-Offset"] == "0"


@pytest.mark.parametrize("length", ["", "-1", "ten", "1e3", "9" * 30])
def test_a_length_that_is_none(observer: Observer, length: str) -> None:
    told = metadata(observation=observer.observation, filename="a.ser")
    sent = {**TUS, "Upload-Length": length, "Upload-Metadata": told}
    assert observer.send("POST", UPLOADS, headers=sent).status_code == 400
    sent.pop("Upload-Length")
    assert observer.send("POST", UPLOADS, headers=sent).status_code == 400
    sent["Upload-Defer-Length"] = "1"
    assert observer.send("POST", UPLOADS, headers=sent).status_code == 400


def test_larger_than_a_file_may_be(observer: Observer) -> None:
    assert observer.ask_for(1 << 30).status_code == 201
    answer = observer.ask_for((1 << 30) + 1)
    assert answer.status_code == 413
    assert str(1 << 30) in answer.json()["detail"]


def test_more_than_a_person_may_have(on_both: Observer) -> None:
    observer = on_both
    first = observer.begin(1 << 30)
    observer.begin((1 << 30) - 5)
    answer = observer.ask_for(6)
    assert answer.status_code == 413
    assert "5 are left" in answer.json()["detail"]
    assert observer.view(f"{API}/account/usage") == {
        "used": (2 << 30) - 5, "quota": 2 << 30, "largest_file": 1 << 30,
    }  # fmt: skip
    assert observer.send("DELETE", first, headers=TUS).status_code == 204
    assert observer.ask_for(6).status_code == 201


def test_too_many_unfinished(observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.uploads.creating.MOST_OPEN", 3)
    for _ in range(3):
        url = observer.begin(3)
    assert observer.ask_for(3).status_code == 409
    observer.patch(url, 0, b"abc")
    assert observer.ask_for(3).status_code == 201


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "observation",
        "observation !!!",
        "filename YS5zZXI=",
        "observation AAAA,filename YS5zZXI=",
        "{o},filename",
        "{o},filename ",
        "{o},filename YQBi",
        "{o},filename Lg==",
        "{o},filename Li4=",
        "{o},filename Ly8v",
        "{o},filename /w==",
        "{o},filename YS5zZXI=,filename YS5zZXI=",
        "{o},filename YS5zZXI=,role YmxhY2s=",
        "{o},filename YS5zZXI=,sha256 YWJj",
        "{o},filename YS5zZXI=,,",
        "{o},filename YS5zZXI=,\u00e9 YQ==",
        "{o},filename " + "YWFh" * 70,
        "{o},filename YS5zZXI=,more " + "YWFh" * 1100,
    ],
)
def test_metadata_that_is_none(observer: Observer, wrong: str) -> None:
    told = wrong.replace("{o}", metadata(observation=observer.observation))
    sent = {**TUS, "Upload-Length": "3", "Upload-Metadata": told.encode()}
    assert observer.send("POST", UPLOADS, headers=sent).status_code == 400
    assert observer.view(UPLOADS)["items"] == []


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a.ser", "a.ser"),
        ("../../etc/passwd", "passwd"),
        ("C:\\night\\a.ser", "a.ser"),
        ("Σ Ori 2020-08-08.ser", "Σ Ori 2020-08-08.ser"),
        (".hidden", ".hidden"),
    ],
)
def test_names_have_no_folders(observer: Observer, name: str, kept: str) -> None:
    assert observer.view(observer.begin(3, name))["name"] == kept


def test_creation_with_upload(on_both: Observer) -> None:
    observer = on_both
    told = metadata(observation=observer.observation, filename="a.ser")
    sent = {**TUS, **BODY, "Upload-Length": "10", "Upload-Metadata": told}
    answer = observer.send("POST", UPLOADS, headers=sent, content=b"0123")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "4")
    assert observer.patch(answer.headers["Location"], 4, b"456789").status_code == 204
    whole = observer.send("POST", UPLOADS, headers=sent, content=b"0123456789")
    assert whole.headers["Upload-Offset"] == "10"
    assert observer.settled(whole.headers["Location"])["state"] == "stored"
    assert observer.send("POST", UPLOADS, headers=sent, content=b"0" * 11).status_code == 413
    sent["Upload-Checksum"] = checksum(b"other")
    wrong = observer.send("POST", UPLOADS, headers=sent, content=b"0123")
    assert wrong.status_code == 460
    assert observer.offset(wrong.headers["Location"]) == 0


# Checksum


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_checksums(on_both: Observer, algorithm: str) -> None:
    observer = on_both
    url = observer.begin(len(CONTENT))
    wrong = observer.patch(url, 0, CONTENT, Upload_Checksum=checksum(CONTENT[1:], algorithm))
    assert (wrong.status_code, wrong.json()["status"]) == (460, 460)
    assert observer.offset(url) == 0
    right = observer.patch(url, 0, CONTENT[:99], Upload_Checksum=checksum(CONTENT[:99], algorithm))
    assert right.status_code == 204
    assert observer.patch(url, 99, CONTENT[99:]).status_code == 204
    assert observer.settled(url)["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    "text", ["md5 1B2M2Y8AsgTpgAmy7PhCfg==", "sha1", "sha1 ", "sha1 !!", "sha1 YWJj", "", "SHA1 x"]
)
def test_checksums_that_are_none(observer: Observer, text: str) -> None:
    url = observer.begin(10)
    assert observer.patch(url, 0, b"abc", Upload_Checksum=text).status_code == 400
    assert observer.offset(url) == 0


def test_a_thousand_flipped_bits(observer: Observer) -> None:
    url = observer.begin(4096)
    body = bytes(range(128))
    said = checksum(body)
    for bit in range(1000):
        sent = bytearray(body)
        sent[bit // 8] ^= 1 << bit % 8
        assert observer.patch(url, 0, bytes(sent), Upload_Checksum=said).status_code == 460
    assert observer.offset(url) == 0
    assert observer.patch(url, 0, body, Upload_Checksum=said).status_code == 204


# Expiration


def test_expiration(on_both: Observer) -> None:
    observer = on_both
    url = observer.begin(10)
    answer = observer.patch(url, 0, b"abc")
    assert observer.part(url).exists()
    expires = parsedate_to_datetime(answer.headers["Upload-Expires"])
    assert abs(expires - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=5)
    with observer.world.database.writing() as session:
        session.execute(update(Upload).where(Upload.id == url[-32:]).values(expires=now()))
    for answer in (observer.patch(url, 3, b"def"), observer.send("HEAD", url, headers=TUS)):
        assert answer.status_code == 410
        assert "Upload-Offset" not in answer.headers
    observer.client.app.state.keeping.collect()
    assert observer.send("HEAD", url, headers=TUS).status_code == 404
    assert not observer.part(url).exists()


def test_what_is_whole_does_not_expire(observer: Observer) -> None:
    url = observer.begin(3)
    answer = observer.patch(url, 0, b"abc")
    assert "Upload-Expires" not in answer.headers
    observer.settled(url)
    with observer.world.database.writing() as session:
        session.execute(update(Upload).where(Upload.id == url[-32:]).values(expires=now()))
    observer.client.app.state.keeping.collect()
    assert observer.offset(url) == 3


# Termination


def test_termination(on_both: Observer) -> None:
    observer = on_both
    url = observer.begin(10)
    observer.patch(url, 0, b"abc")
    assert observer.send("DELETE", url, headers=TUS).status_code == 204
    assert observer.send("HEAD", url, headers=TUS).status_code == 404
    assert observer.patch(url, 3, b"def").status_code == 404
    assert not observer.part(url).exists()


def test_what_is_stored_stays(observer: Observer) -> None:
    url = observer.upload(b"abc")
    observer.settled(url)
    assert observer.send("DELETE", url, headers=TUS).status_code == 409
    assert observer.view(url)["state"] == "stored"
