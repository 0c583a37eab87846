"""The page of an observation: its report, who may see it, what is still to be done."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests.requirements import require

require("server")

from api.campaigns.tables import Prediction  # noqa: E402 - after the check for the extra
from api.database.tables import new_id, now  # noqa: E402
from api.results.tables import Reduction, Result  # noqa: E402
from api.uploads.tables import Upload  # noqa: E402
from tests.api.client import API, Client  # noqa: E402
from tests.api.results.things import file_of  # noqa: E402
from tests.api.web.observing import Station, service, station_of, surfer_of  # noqa: E402

BAD: dict[str, Any] = {"report.begin": "", "report.limiting_mag": "40"}
FORMS = ("page", "text", "json", "iota-na", "iota-es", "tt", "occult-xml")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with service(tmp_path_factory.mktemp("service")) as client:
        yield client


@pytest.fixture
def station(served: Client) -> Station:
    return station_of(served)


def moved(station: Station, days: float) -> None:
    """Let the event be so long from now."""
    prediction = station.world.strict["prediction"]
    with station.world.database.writing() as session:
        session.execute(
            update(Prediction).where(Prediction.id == prediction).values(at=now() + timedelta(days=days))
        )


def report_of(station: Station) -> dict[str, Any]:
    return station.api(f"/observations/{station.observation}")


def test_a_report(station: Station) -> None:
    """Times of day are of the day of the event; numbers may have commas."""
    with station.world.database.reading() as session:
        at = session.get_one(Prediction, station.world.strict["prediction"]).at
    d, r = at + timedelta(seconds=3), at + timedelta(seconds=9.5)
    answer = station.report(
        status="positive",
        consent="true",
        role="observer",
        **{
            "report.begin": (at - timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S"),
            "report.disappearance.utc": d.strftime("%H:%M:%S.%f"),
            "report.disappearance.sigma_s": "0,02",
            "report.reappearance.utc": r.strftime("%H:%M:%S.%f"),
            "report.exposure_s": "0,04",
            "report.temperature_c": "-3,5",
            "report.comments": "first line\r\n\r\n" + "long " * 60,
        },
    )
    assert answer.status_code == 200
    assert "Your report is saved." in station.surfer.words
    found = report_of(station)
    assert (found["status"], found["consent"], found["role"]) == ("positive", True, "observer")
    report = found["report"]
    assert report["disappearance"]["utc"].startswith(d.strftime("%Y-%m-%dT%H:%M:%S.%f"))
    assert report["disappearance"]["sigma_s"] == 0.02
    assert (report["exposure_s"], report["temperature_c"]) == (0.04, -3.5)
    assert report["comments"][0] == "first line"
    assert " ".join(report["comments"][1:]) == " ".join(["long"] * 60)
    # and the same again changes nothing
    station.report()
    assert report_of(station)["report"] == report


def test_what_is_wrong_is_told_at_its_field(station: Station) -> None:
    answer = station.report(
        **{
            "report.begin": "late",
            "report.exposure_s": "-1",
            "report.comments": "<b>bold</b>",
            "report.limiting_mag": "11,5",
        }
    )
    assert answer.status_code == 422
    assert 'id="e-report.begin"' in answer.text
    assert 'value="late"' in answer.text
    assert 'value="11,5"' in answer.text
    assert "&lt;b&gt;bold" in answer.text
    answer = station.surfer.post(f"{station.path}#report", **BAD)
    assert answer.status_code == 422
    assert 'id="e-report.exposure_s"' in answer.text
    assert 'id="e-report.limiting_mag"' in answer.text
    assert report_of(station)["report"]["exposure_s"] is None


def test_an_end_before_its_begin(station: Station) -> None:
    answer = station.report(**{"report.begin": "20:00:00", "report.end": "19:00:00"})
    assert answer.status_code == 422
    assert "end is not after begin" in station.surfer.words


def test_what_was_not_seen_is_not_written_over(station: Station) -> None:
    ada = station.surfer
    ada.get(station.path)
    staff = surfer_of(station.client, station.world, "staff")
    staff.get(station.path)
    staff.post(f"{station.path}#report", status="overcast")
    answer = ada.post(f"{station.path}#report", status="negative", role="mine")
    assert answer.status_code == 412
    assert "changed meanwhile" in ada.words
    assert 'value="mine"' in answer.text
    assert report_of(station)["status"] == "overcast"
    # having been told, they may
    answer = ada.post(f"{station.path}#report", status="negative")
    assert answer.status_code == 200
    assert report_of(station)["status"] == "negative"


def test_equipment_of_the_last_observation_is_proposed(station: Station) -> None:
    ada = station.surfer
    ada.get("/equipment?add=camera")
    ada.post("/equipment", name="QHY174M")
    camera = ada.send("GET", f"{API}/equipment").json()["items"][0]["id"]
    station.report(camera=camera)
    csrf = station.world.headers("owner")
    body = {
        "campaign": station.world.open["campaign"],
        "site": station.world.strict["site"],
        "station": new_id(),
    }
    other = station.client.send("POST", f"{API}/observations", json=body, headers=csrf).json()["id"]
    text = ada.get(f"/observations/{other}").text
    assert f'<option value="{camera}" selected>QHY174M</option>' in text
    assert "filled in; it counts once you save" in ada.words
    assert station.api(f"/observations/{other}")["camera"] is None
    # retired, it is still part of the first
    ada.get(f"/equipment/{camera}")
    ada.post(f"/equipment/{camera}/retire")
    assert "QHY174M (retired)" in ada.get(station.path).text
    assert station.report(camera=camera, status="negative").status_code == 200
    assert report_of(station)["camera"] == camera
    assert station.report(camera="").status_code == 200
    assert report_of(station)["camera"] is None


def test_who_sees_it(station: Station) -> None:
    for who, status in (("observer", 404), ("participant", 404), ("responsible", 200), ("staff", 200)):
        surfer = surfer_of(station.client, station.world, who)
        assert surfer.get(station.path).status_code == status, who
    staff = surfer_of(station.client, station.world, "staff")
    text = staff.get(station.path).text
    assert 'name="telescope"' not in text
    assert "home: 36.80000° N, 30.30000° E" in staff.words


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_report_is_linked_and_there(station: Station, form: str) -> None:
    ada = station.surfer
    link = f"{station.path}/report.{form}"
    ada.get(station.path)
    assert link in ada.links
    if ada.get(link).status_code != 200:  # most forms have no place for what has not happened yet
        assert ada.answer is not None
        assert ada.answer.status_code == 422
        assert ada.answer.headers["content-type"].startswith("text/html")
    station.report(status="negative")
    answer = ada.get(link)
    assert answer.status_code == 200, answer.text
    headers = station.world.headers("owner")
    told = station.client.get(f"{API}/observations/{station.observation}/report.{form}", headers=headers)
    assert answer.headers["content-type"] == told.headers["content-type"]
    assert len(answer.content) == len(told.content)


def test_what_is_still_to_be_done(station: Station) -> None:
    ada, world = station.surfer, station.world
    moved(station, 3)
    ada.get("/observations")
    assert "Say what you will observe with" in ada.words
    assert "Still to be done" not in ada.words
    moved(station, -1)
    ada.get("/observations")
    assert "Still to be done" in ada.words
    assert "Report what you saw" in ada.words
    station.report(status="positive")
    assert "Send your recording" in ada.words
    at = now()
    upload = Upload(
        id=new_id(), person=world.people["owner"].id, observation=station.observation, role="recording",
        name="night.ser", length=1000, received=430, details={"metadata": "filename bg=="},
        state="arriving", created=at,
        expires=at + timedelta(days=7),
    )  # fmt: skip
    world.add(upload)
    ada.get("/observations")
    assert "An upload is unfinished" in ada.words
    assert "430 B of 1.0 kB have arrived (43 %)" in (ada.get(station.path).text and ada.words)
    ada.post(f"{station.path}/uploads/{upload.id}/end")
    assert "night.ser" not in ada.words
    world.add(file_of(station.observation, "1" * 64, state="refused", message="no recording in it"))
    ada.get("/observations")
    assert "could not be used" in ada.words
    world.add(file_of(station.observation, "2" * 64))
    ada.get("/observations")
    assert "Still to be done" not in ada.words


def test_versions_of_the_results(station: Station) -> None:
    world, at = station.world, now()
    file = file_of(station.observation, "1" * 64)
    world.add(file)
    owner = world.people["owner"].id
    reduction = Reduction(
        id=new_id(), campaign=world.strict["campaign"], observation=station.observation, file=file.id, line=0,
        person=owner, asker=owner, priority=0, request={}, key="3" * 64, created=at,
    )  # fmt: skip
    world.add(reduction)
    event = {
        "status": "positive",
        "d_utc": "2026-03-11T20:01:34.567049999",
        "d_sigma_s": 0.021,
        "r_utc": None,
    }
    figures = {
        "frames": 1200,
        "verdict": "caution",
        "headline": "The sky changed.",
        "event": event,
        "caveats": [],
    }
    result = Result(
        id=new_id(), campaign=world.strict["campaign"], observation=station.observation, version=1,
        reduction=reduction.id, person=owner, key="3" * 64, edition="", figures=figures, created=at,
    )  # fmt: skip
    world.add(result)
    ada = station.surfer
    ada.get(station.path)
    assert f"/results/{result.id}" in ada.links
    assert "2026-03-11 20:01:34.567 UTC ± 0.021 s" in ada.words
    assert "The sky changed." in ada.words


def test_a_station_is_withdrawn(station: Station) -> None:
    ada = station.surfer
    ada.get(station.path)
    answer = ada.post(f"{station.path}/leave")
    assert answer.status_code == 200
    assert "withdrawn" in ada.words
    assert ada.get(station.path).status_code == 404


def test_nobody_else_writes_by_a_borrowed_form(station: Station) -> None:
    ada = station.surfer
    ada.get(station.path)
    mine = next(one for one in ada.forms if one.action == f"{station.path}#report")
    other = surfer_of(station.client, station.world, "participant")
    assert other.send("POST", station.path, data=mine.fields).status_code == 403
    assert ada.send("POST", station.path, data=mine.fields | {"csrf": ["x"]}).status_code == 403
    assert json.dumps(report_of(station)["status"]) == '"planned"'
