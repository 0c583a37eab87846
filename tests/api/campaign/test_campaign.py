"""A whole campaign by the public interface alone, from prediction to event data, against its truth.

`UMBRA_LARGE_UPLOAD` is the size of the large recording in bytes (64 MiB in the ordinary run).
"""

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")
require("ray")
require("mail")

from api.client import View  # noqa: E402 - after the check for the extras
from tests.api.campaign import event_data, recordings, truth  # noqa: E402
from tests.api.campaign.line import halted, line_to  # noqa: E402
from tests.api.campaign.night import STAFF, Night, night  # noqa: E402
from tests.api.campaign.truth import PLACES, Place  # noqa: E402

LARGE_BYTES = int(os.environ.get("UMBRA_LARGE_UPLOAD", str(64 << 20)))
SIGMAS = 3.0


@dataclass
class Station:
    """What came of a place in the campaign."""

    observation: str
    target: str
    file: str = ""
    table: str = ""


@dataclass
class Course:
    """A campaign under way."""

    night: Night
    campaign: str = ""
    stations: dict[Place, Station] = field(default_factory=dict)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[Place, tuple[Path, Path | None]]:
    """Recordings of all stations, made once."""
    folder = tmp_path_factory.mktemp("recordings")
    return {place: recordings.write(place, folder, LARGE_BYTES) for place in PLACES}


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_a_campaign_from_prediction_to_event_data(
    backend: str, tmp_path: Path, files: dict[Place, tuple[Path, Path | None]]
) -> None:
    with night(backend, tmp_path) as about:
        course = Course(about)
        called(course, tmp_path)
        for place in PLACES:
            joined(course, place)
        for place in PLACES[:-1]:
            sent(course, place, *files[place])
        interrupted(course, PLACES[-1], files[PLACES[-1]][0])
        batch = reduced(course, tmp_path)
        curves(course, batch, tmp_path)
        event_data.fitted(about, course.campaign, tmp_path / "limb")
        event_data.bundled(about, course.campaign, files, tmp_path / "bundle")
        event_data.told(about)


def called(course: Course, folder: Path) -> None:
    """A prediction becomes a campaign; who has an account by then is called by e-mail."""
    about = course.night
    staff = about.staff()
    first = PLACES[0]
    about.account(first)
    (folder / "prediction.xml").write_text(truth.XML)
    with about.service(STAFF) as service:
        told = service.send("/predictions/occelmnt", folder / "prediction.xml")
        assert (told["added"], told["notes"]) == (1, [])
        (prediction,) = service.ask("GET", "/predictions", object_name=truth.NAME)["items"]
        made = service.ask(
            "POST", "/campaigns", {"prediction": prediction["id"], "message": "Five stations, please."}
        )
    course.campaign = made["id"]
    assert "Five stations, please." in about.mail(first.email, "call to observe").get_content()
    (listed,) = staff.do("campaigns", "--json").json
    assert listed["id"] == course.campaign


def joined(course: Course, place: Place) -> None:
    """An observer registers, names site and instruments, and takes part."""
    about = course.night
    terminal = about.terminal(place.email) if place is PLACES[0] else about.account(place)
    where = {
        "latitude_deg": place.latitude_deg,
        "longitude_deg": place.longitude_deg,
        "height_m": place.height_m,
    }
    terminal.do("site", "field", *(f"{name}={value}" for name, value in where.items()))
    terminal.do("equipment", "telescope", "C11", "aperture_mm=280")
    terminal.do("equipment", "recorder", "GPS box", "time_source=gps", "sigma_ms=0.1")
    words = ("--station", place.kind, "--site", "field", "--telescope", "C11", "--recorder", "GPS box")
    made = terminal.do("join", course.campaign, *words, "--consent", "--json").json
    assert made["status"] == "planned"
    course.stations[place] = Station(made["id"], recordings.target_of(place, LARGE_BYTES))


def sent(course: Course, place: Place, recording: Path, table: Path | None) -> None:
    """A recording goes up, and is looked at."""
    station, terminal = course.stations[place], course.night.terminal(place.email)
    (told,) = terminal.do("upload", recording, "--observation", station.observation, "--json").lines
    assert told["state"] == "accepted"
    (found,) = told["finding"]["recordings"]
    assert found["inspection"]["input"]["frames"] == recordings.FRAMES
    station.file = told["id"]
    if table is not None:
        more = ("--role", "additional", "--json")
        (told,) = terminal.do("upload", table, "--observation", station.observation, *more).lines
        station.table = told["id"]
    terminal.do("report", station.observation, "--status", "positive", "timing=gps")


def interrupted(course: Course, place: Place, recording: Path) -> None:
    """A large recording goes up while its line is cut, the service is killed, and its sender is killed."""
    about, station = course.night, course.stations[place]
    terminal = about.terminal(place.email)
    size = recording.stat().st_size
    with line_to(about.served.port) as line, about.service(place.email) as direct:
        login = (line.url,)
        terminal.do("login", *login, stdin=about.key(place.email) + "\n")
        words = ("upload", recording, "--observation", station.observation, "--json")
        first = terminal.begin(*words)
        halted(line, first, size // 4)
        line.cut()
        halted(line, first, size // 4)
        before = received(direct, recording.name)
        about.served.restart()
        line.cut()
        after = received(direct, recording.name)
        assert 0 < before <= after < size
        halted(line, first, size // 4)
        first.kill()
        first.communicate()
        line.cut()
        before = received(direct, recording.name)
        passed = line.passed
        second = terminal.begin(*words)
        out, err = second.communicate(timeout=600)
        assert second.returncode == 0, err
        assert line.passed - passed < 1.1 * (size - before) + (1 << 20)
    terminal.do("logout", "--service", line.url)
    told = json.loads(out)
    assert told["state"] == "accepted"
    assert told["size"] == size
    station.file = told["id"]


def received(direct: Any, name: str) -> int:
    """Bytes of the upload under way that are safe."""
    found = direct.connection.patiently(lambda: direct.ask("GET", "/uploads"))
    (upload,) = [one for one in found["items"] if one["name"] == name]
    assert upload["state"] == "arriving"
    return int(upload["received"])


def reduced(course: Course, folder: Path) -> View:
    """Staff sends a manifest, and watches every state of every job."""
    manifest = folder / "manifest.csv"
    rows = ["file,target,times.meaning,times.table"]
    for place, station in course.stations.items():
        meaning = "" if place.kind == "adv" else "start"
        rows.append(f'{station.file},"{station.target}",{meaning},{station.table}')
    manifest.write_text("\n".join(rows) + "\n")
    staff = course.night.terminal(STAFF)
    asked = ("submit", "--manifest", manifest, "--campaign", course.campaign, "--key", "night", "--json")
    planned = staff.do(*asked, "--dry-run").json
    assert (planned["lines"], planned["faults"]) == (len(PLACES), [])
    batch: View = staff.do(*asked).json
    assert staff.do(*asked).json["id"] == batch["id"]
    *events, ended = staff.do("watch", batch["id"], "--json").lines
    assert ended["counts"] == {"done": len(PLACES)}
    states: dict[str, list[str]] = {}
    for event in events:
        states.setdefault(event["job"], []).append(event["state"])
    assert len(states) == len(PLACES)
    for seen in states.values():  # on a machine without a moment to spare, a worker may lose its lease
        assert (seen[:2], seen[-1]) == (["queued", "running"], "done"), states
        assert seen == ["queued", "running"] * (len(seen) // 2) + ["done"], states
    return batch


def curves(course: Course, batch: View, folder: Path) -> None:
    """Light curves in several forms; D and R of each station against the truth."""
    staff = course.night.terminal(STAFF)
    staff.do("fetch", batch["id"], "--out", folder / "results")
    staff.do("fetch", batch["id"], "--as", "sora", "--as", "votable", "--out", folder / "forms")
    for place, station in course.stations.items():
        (result,) = (folder / "results").glob(f"{station.observation[:8]}-v*")
        event = json.loads((result / "summary.json").read_text())["event"]
        assert event["status"] == "positive", event["reason"]
        for name, true_ns in zip("dr", truth.edges_ns(place), strict=True):
            late_s = instant_ns(event[f"{name}_utc"]) - true_ns
            pull = late_s * 1e-9 / event[f"{name}_sigma_s"]
            assert abs(pull) < SIGMAS, (place.kind, name, pull)
            assert event[f"{name}_sigma_s"] < recordings.CADENCE_S
        lines = (result / "lightcurve.csv").read_text().splitlines()
        assert len(lines) > recordings.FRAMES - 2
        forms = {path.name for path in (folder / "forms" / result.name).iterdir()}
        assert forms == {"lightcurve-sora.dat", "lightcurve.vot"}


def instant_ns(text: str) -> int:
    """ISO-8601 with any number of decimals, as POSIX ns."""
    whole, _, decimals = text.removesuffix("Z").partition(".")
    seconds = round(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return seconds * 10**9 + int(decimals.ljust(9, "0")[:9] or 0)
