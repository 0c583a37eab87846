"""`umbra remote` against a service in a process of its own."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.access.caller import digest_of  # noqa: E402 - after the check for the extra
from api.access.matrix import SCOPES, Level  # noqa: E402
from api.database.migrate import migrate  # noqa: E402
from api.database.tables import new_id, now  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.people.tables import ApiKey  # noqa: E402
from tests.api.access.world import PASSWORD, make_world, person  # noqa: E402
from tests.api.remote.terminal import Terminal  # noqa: E402
from tests.api.uploads.served import Served  # noqa: E402
from tests.contracts.executors import SCENE  # noqa: E402
from tests.postgres import free_port  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

ANN = "ann@example.org"


@dataclass
class There:
    """A service, and what is in it."""

    served: Served
    campaign: str
    expired: str

    @property
    def url(self) -> str:
        return self.served.url


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("remote")
    served = Served(folder / "home")
    served.home.mkdir(parents=True)
    database = Database(served.database)
    migrate(database.engine)
    world = make_world(database)
    ann = person("Ann", Level.STAFF, ANN)
    key, expired = f"umbra_{new_id()}", f"umbra_{new_id()}"
    at = now()
    with database.writing() as session:
        session.add(ann)
        session.flush()
        for text, owner, days in ((key, world.people["reducer"].id, 1), (expired, ann.id, -1)):
            session.add(
                ApiKey(
                    id=new_id(), digest=digest_of(text), start=text[:12], person=owner, name="k",
                    scopes=list(SCOPES), created=at, expires=at + timedelta(days=days),
                )
            )  # fmt: skip
    database.close()
    served.key, served.observation = key, world.open["observation"]
    served.start()
    yield There(served, world.open["campaign"], expired)
    served.kill()


@pytest.fixture
def terminal(there: There, tmp_path: Path) -> Terminal:
    """The observer who may reduce, logged in."""
    terminal = Terminal(tmp_path / "me")
    said = terminal.do("login", there.url, stdin=there.served.key + "\n")
    assert said.out == f"logged in to {there.url} as reducer (observer)\n"
    return terminal


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return little_ser(SCENE, tmp_path_factory.mktemp("recording"))


def test_a_key_by_address_and_password(there: There, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    refused = terminal.run("login", there.url, "--email", ANN, stdin="not the password\n")
    assert refused.code == 2
    assert refused.err == f"umbra remote login: {there.url}: address or password wrong (401)\n"
    said = terminal.do("login", there.url, "--email", ANN, "--days", "3", stdin=PASSWORD + "\n")
    assert said.out == f"logged in to {there.url} as Ann (staff); good for 3 days\n"
    assert PASSWORD not in (tmp_path / "config" / "umbra" / "remote.json").read_text()
    assert there.campaign in terminal.do("campaigns").out
    terminal.do("logout", "--revoke", stdin=PASSWORD + "\n")
    assert "not logged in" in terminal.run("campaigns").err


def test_keys_that_open_nothing(there: There, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    for key in (there.expired, "umbra_wrong"):
        said = terminal.run("login", there.url, stdin=key + "\n")
        assert said.code == 2
        assert "log in again" in said.err
        assert key not in said.err
    assert terminal.run("login", there.url, stdin="").code == 2
    assert not (tmp_path / "config").exists()


def test_a_service_that_is_not_there(there: There, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    url = f"http://127.0.0.1:{free_port()}"
    said = terminal.run("login", url, stdin="umbra_k\n")
    assert said.code == 4
    assert said.err.count("\n") == 1
    assert "cannot be reached" in said.err
    said = terminal.run("login", there.url.replace("http:", "https:"), stdin="umbra_k\n")
    assert said.code == 4
    assert "SSL_CERT_FILE" in said.err
    said = terminal.run("login", "http://umbra.example.org", stdin="umbra_k\n")
    assert said.code == 2
    assert "--insecure" in said.err


def test_words_that_are_wrong(terminal: Terminal, there: There) -> None:
    assert terminal.run("fly").code == 2
    assert "usage" in terminal.run().out
    assert terminal.run("campaigns", "--colour").code == 2
    said = terminal.run("campaigns", "0" * 32)
    assert said.code == 2
    assert "404: no such campaign" in said.err
    assert terminal.run("upload", "absent.ser", "--observation", there.served.observation).code == 2
    assert terminal.run("submit").code == 2
    assert terminal.run("submit", "--manifest", "a.csv").code == 2
    assert terminal.run("fetch", "0" * 32).code == 2
    assert terminal.run("fetch", "0" * 32, "--as", "word").code == 2
    assert terminal.run("watch", "0" * 32).code == 2
    assert terminal.run("report", there.served.observation).code == 2


def test_another_station(terminal: Terminal, there: There) -> None:
    terminal.do("site", "roof", "latitude_deg=36.8", "longitude_deg=30.3", "height_m=50")
    terminal.do("equipment", "camera", "QHY", "pixel_um=5.86")
    assert "roof" in terminal.do("site").out
    assert "QHY" in terminal.do("equipment").out
    said = terminal.run("join", there.campaign, "--station", "roof", "--site", "cellar")
    assert said.code == 2
    assert "there are" in said.err
    made = terminal.do(
        "join", there.campaign, "--station", "roof", "--site", "roof", "--camera", "QHY", "--json"
    ).json
    terminal.do("report", made["id"], "timing=gps", "exposure_s=0.04")
    told = terminal.do("report", made["id"], "--status", "negative", "seeing=fair", "--json").json
    assert told["status"] == "negative"
    assert {key: told["report"][key] for key in ("timing", "exposure_s", "seeing")} == {
        "timing": "gps",
        "exposure_s": 0.04,
        "seeing": "fair",
    }
    assert "roof (negative)" in terminal.do("campaigns", there.campaign).out


def test_from_a_file_to_its_curve(terminal: Terminal, there: There, recording: Path, tmp_path: Path) -> None:
    said = terminal.do("upload", recording, "--observation", there.served.observation, "--json")
    (file,) = said.lines
    assert file["state"] == "accepted"
    assert not list((tmp_path / "me" / "state" / "umbra" / "uploads").iterdir())
    star = SCENE.target_star
    words = (f"target={star.x:.0f},{star.y:.0f}", "times.meaning=start")
    assert "nothing was done" in terminal.do("submit", file["id"], *words, "--dry-run").out
    assert terminal.run("submit", file["id"], "plan.speed=3").code == 2
    job = terminal.do("submit", file["id"], *words, "--key", "mine", "--json").json
    assert terminal.do("submit", file["id"], *words, "--key", "mine", "--json").json["id"] == job["id"]
    *events, ended = terminal.do("watch", job["id"], "--json").lines
    assert [event["state"] for event in events] == ["queued", "running", "done"]
    again = terminal.do("watch", job["id"], "--poll", "--json").lines
    assert [event["state"] for event in again[:-1]] == ["done"]
    out = tmp_path / "results"
    terminal.do("fetch", job["id"], "--out", out)
    (folder,) = out.iterdir()
    names = {path.name for path in folder.iterdir()}
    assert {"lightcurve.csv", "summary.json", "report.html", "finder.png"} <= names
    assert folder.name == f"{there.served.observation[:8]}-v{ended['version']}"
    said = terminal.do("fetch", ended["result"], "--out", out)
    assert said.out.count("was there already") == len(names)
    (folder / "lightcurve.csv").write_text("changed")
    assert terminal.run("fetch", ended["result"], "--out", out).code == 2
    terminal.do("fetch", ended["result"], "--out", out, "--overwrite")
    forms = terminal.do(
        "fetch",
        there.served.observation,
        "--as",
        "pyote",
        "--as",
        "csv",
        "--out",
        tmp_path / "forms",
        "--json",
    ).lines
    assert [Path(form["file"]).name for form in forms] == ["lightcurve-pyote.csv", "lightcurve.csv"]
    assert Path(forms[1]["file"]).read_bytes() == (folder / "lightcurve.csv").read_bytes()


def test_what_cannot_be_read_is_refused(terminal: Terminal, there: There, tmp_path: Path) -> None:
    path = tmp_path / "a.ser"
    path.write_bytes(b"LUCAM-RECORDER" + bytes(60))
    said = terminal.run("upload", path, "--observation", there.served.observation)
    assert said.code == 3
    assert "a.ser" in said.err
    said = terminal.run("upload", path, "--observation", "0" * 32)
    assert (said.code, "404" in said.err) == (2, True)


def test_watching_ends_and_the_job_goes_on(terminal: Terminal, there: There, recording: Path) -> None:
    (file,) = terminal.do("upload", recording, "--observation", there.served.observation, "--json").lines
    job = terminal.do("submit", file["id"], "plan.aperture_px=4", "times.meaning=start", "--json").json
    watching = terminal.begin("watch", job["id"])
    assert watching.stdout is not None
    assert "queued" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=300)
    ended = terminal.do("watch", job["id"], "--json").lines[-1]
    assert ended["state"] == "done"


def test_the_key_of_the_environment(there: There, tmp_path: Path) -> None:
    more = {"UMBRA_REMOTE_URL": there.url, "UMBRA_REMOTE_KEY": there.served.key}
    said = Terminal(tmp_path, more).do("campaigns", "--json")
    assert there.campaign in {one["id"] for one in json.loads(said.out)}
