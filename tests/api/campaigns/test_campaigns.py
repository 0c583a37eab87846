"""Campaigns: opened by a call, managed by who was appointed, in calendars, with paths and authors."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.requirements import require

require("server")

from api.campaigns.paths import path_text, station_text  # noqa: E402
from api.campaigns.tables import Prediction  # noqa: E402
from api.database.tables import new_id, now  # noqa: E402
from api.mail.tables import Message, Unwanted  # noqa: E402
from api.observations.tables import Observation  # noqa: E402
from api.people.tables import Person  # noqa: E402
from reduction.geometry.circumstances import circumstances  # noqa: E402
from reduction.geometry.skyplane import sky_plane  # noqa: E402
from reduction.sites import Site as Place  # noqa: E402
from tests.api.access.campaign_requests import prediction  # noqa: E402
from tests.api.campaigns.ics import events  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.reduction.geometry.predictions import event  # noqa: E402


def mails(callers: Callers, who: str) -> list[Message]:
    with callers.world.database.reading() as session:
        rows = select(Message).where(Message.person == callers.world.people[who].id).order_by(Message.place)
        return list(session.scalars(rows))


def change(callers: Callers, table: Any, identity: str, **values: Any) -> None:
    with callers.world.database.writing() as session:
        session.execute(update(table).where(table.id == identity).values(**values))


def test_a_call(callers: Callers) -> None:
    row = prediction(callers.world)
    quiet, out = callers.world.people["participant"], callers.world.people["responsible"]
    assert callers.get("participant", "/account/calls") == {"wanted": True}
    for wanted in (False, False, True, False):
        assert callers.ask("participant", "PUT", "/account/calls", json={"wanted": wanted}).status_code == 200
    assert callers.get("participant", "/account/calls") == {"wanted": False}
    change(callers, Person, out.id, suspended=now())

    made = callers.make("staff", "/campaigns", {"prediction": row.id, "message": "Please observe!"})
    assert made["name"].startswith("(81879) 2000 LB11, ")
    assert (made["state"], made["observers_reduce"], made["embargo"]) == ("open", False, None)
    assert made["prediction"]["campaign"] == made["id"]
    (mail,) = mails(callers, "owner")
    assert mail.kind == "call"
    assert "Please observe!" in mail.text
    assert made["id"] in mail.text
    assert mails(callers, "participant") == mails(callers, "responsible") == []
    again = callers.ask("staff", "POST", "/campaigns", json={"prediction": row.id})
    assert again.status_code == 409
    assert callers.ask("staff", "POST", "/campaigns", json={"prediction": new_id()}).status_code == 422
    assert callers.get("observer", f"/campaigns/{made['id']}") == made
    assert made["id"] in [one["id"] for one in callers.get("observer", "/campaigns", state="open")["items"]]
    with callers.world.database.writing() as session:
        session.delete(session.get(Unwanted, (quiet.id, "calls")))


def test_a_campaign_is_managed(callers: Callers) -> None:
    place = f"/campaigns/{callers.world.strict['campaign']}"
    until = "2030-01-01T03:00:00+03:00"
    sent = {"observers_reduce": True, "embargo": until, "name": "Ixion again"}
    changed = callers.ask("responsible", "PATCH", place, json=sent).json()
    assert (changed["observers_reduce"], changed["name"]) == (True, "Ixion again")
    assert changed["embargo"] == "2030-01-01T00:00:00Z"
    assert callers.ask("responsible", "PATCH", place, json={}).json() == changed
    closed = callers.ask("staff", "PATCH", place, json={"state": "closed", "embargo": None}).json()
    assert (closed["state"], closed["embargo"]) == ("closed", None)
    assert closed["closed"] is not None
    reopened = callers.ask("staff", "PATCH", place, json={"state": "open"}).json()
    assert (reopened["state"], reopened["closed"]) == ("open", None)
    assert callers.ask("owner", "PATCH", place, json={"state": "closed"}).status_code == 403
    for bad in ({"embargo": "2030-01-01T00:00:00"}, {"state": "done"}, {"name": ""}, {"opened": until}):
        assert callers.ask("staff", "PATCH", place, json=bad).status_code == 422


def test_responsibles(callers: Callers) -> None:
    campaign = callers.world.strict["campaign"]
    place = f"/campaigns/{campaign}/responsibles"
    observer = callers.world.people["observer"]
    assert callers.ask("observer", "PATCH", f"/campaigns/{campaign}", json={}).status_code == 403
    for body in ({"person": observer.id}, {"email": str(observer.email).upper()}):
        answer = callers.ask("staff", "POST", place, json=body)
        assert answer.status_code == 200, answer.text
        assert [one["person"] for one in answer.json()["responsibles"]][1:] == [observer.id]
    assert callers.ask("observer", "PATCH", f"/campaigns/{campaign}", json={}).status_code == 200
    assert callers.ask("staff", "DELETE", f"{place}/{observer.id}").status_code == 204
    assert callers.ask("staff", "DELETE", f"{place}/{observer.id}").status_code == 404
    assert callers.ask("observer", "PATCH", f"/campaigns/{campaign}", json={}).status_code == 403
    told = [mail.subject for mail in mails(callers, "observer") if mail.kind == "responsible"]
    assert told == ["Umbra: you answer for Ixion", "Umbra: you no longer answer for Ixion"]
    for body in (
        {},
        {"person": new_id()},
        {"email": "a@example.org"},
        {"person": observer.id, "email": "a@b.c"},
    ):
        assert callers.ask("staff", "POST", place, json=body).status_code == 422


def test_path_and_circumstances(callers: Callers) -> None:
    base = f"/predictions/{prediction(callers.world).id}"
    path_text.cache_clear()
    station_text.cache_clear()
    numbers = callers.get("observer", f"{base}/path")
    assert numbers["path"]["meets_the_earth"]
    lines = callers.get("observer", f"{base}/path.geojson")
    assert {one["properties"]["kind"] for one in lines["features"]} == {"centre", "limit", "sigma", "instant"}
    assert callers.ask("observer", "GET", f"{base}/path.kml").text.startswith("<?xml")
    assert callers.ask("observer", "GET", f"{base}/path.csv").text.startswith("line,offset_km")
    assert "81879,2000 LB11" in callers.ask("observer", "GET", f"{base}/occelmnt.xml").text

    seen = callers.get("observer", f"{base}/circumstances", latitude=10.0, longitude=-60.0, height=100)
    place = Place(latitude_deg=10.0, longitude_deg=-60.0, altitude_m=100)
    expected = circumstances(sky_plane(event()), [place])[0]
    assert seen["offset_km"] == pytest.approx(expected.offset_km, abs=1e-3)
    assert seen["visible"] == expected.visible
    own = {"name": "home", "latitude_deg": 10.0, "longitude_deg": -60.0, "height_m": 100}
    site = callers.make("owner", "/sites", own)["id"]
    assert callers.get("owner", f"{base}/circumstances", site=site) == seen | {"name": "home"}
    assert callers.ask("observer", "GET", f"{base}/circumstances", params={"site": site}).status_code == 404
    for bad in ({}, {"latitude": 1}, {"latitude": 91, "longitude": 0}, {"site": "x"}):
        assert callers.ask("observer", "GET", f"{base}/circumstances", params=bad).status_code == 422
    assert path_text.cache_info().misses == 4
    bare = f"/predictions/{callers.world.strict['prediction']}"
    assert callers.ask("observer", "GET", f"{bare}/path").status_code == 409


def test_calendar(callers: Callers) -> None:
    campaign, its = callers.world.strict["campaign"], callers.world.strict["prediction"]
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    change(callers, Prediction, its, at=at, star_mag=12.34)
    callers.ask("staff", "PATCH", f"/campaigns/{campaign}", json={"name": "Ixion, Huya; \\ " + "é" * 60})
    items = callers.get("observer", "/calendar", end_date=f"{at:%Y-%m-%d}")["items"]
    assert campaign in [one["id"] for one in items]
    assert callers.get("observer", "/calendar", start_date="2199-01-01")["items"] == []

    url = callers.ask("observer", "POST", "/calendar/address").json()["url"]
    path = url[url.index("/api") :]
    answer = callers.ask("anyone", "GET", path)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    (entry,) = [one for one in events(answer.text) if one["UID"].startswith(campaign)]
    assert entry["DTSTART"] == f"{at:%Y%m%dT%H%M%SZ}"
    assert entry["SUMMARY"] == "Occultation: Ixion, Huya; \\ " + "é" * 60
    assert "magnitude 12.3" in entry["DESCRIPTION"]
    again = callers.ask("anyone", "GET", path)
    assert again.text == answer.text

    newer = callers.ask("observer", "POST", "/calendar/address").json()["url"]
    newer = newer[newer.index("/api") :]
    assert callers.ask("anyone", "GET", path).status_code == 404
    assert callers.ask("anyone", "GET", newer).status_code == 200
    change(callers, Person, callers.world.people["observer"].id, suspended=now())
    assert callers.ask("anyone", "GET", newer).status_code == 404
    change(callers, Person, callers.world.people["observer"].id, suspended=None)
    assert callers.ask("observer", "DELETE", "/calendar/address").status_code == 204
    assert callers.ask("anyone", "GET", newer).status_code == 404


def test_participants_and_authors(callers: Callers) -> None:
    world = callers.world
    campaign, own = world.strict["campaign"], world.strict["observation"]
    owner = world.people["owner"]
    orcid = "0000-0002-1825-0097"
    change(callers, Person, owner.id, name="Ümit O'Neil & Co_", affiliation="100% {Obs}", orcid=orcid)
    items = callers.get("participant", f"/campaigns/{campaign}/participants")["items"]
    assert [one["place"] for one in items] == [
        {"latitude_deg": 36.8, "longitude_deg": 30.3, "height_m": 2500.0}
    ] * 2
    assert "orcid" not in json.dumps(items)

    place = f"/campaigns/{campaign}/authors"
    assert callers.get("responsible", place)["items"] == []
    change(callers, Observation, own, consent=True, role="=observer")
    (author,) = callers.get("responsible", place)["items"]
    assert author == {
        "name": "Ümit O'Neil & Co_", "affiliation": "100% {Obs}", "orcid": orcid, "consent": True,
        "roles": ["=observer"], "stations": ["owner"],
    }  # fmt: skip
    everyone = callers.get("responsible", place, everyone=True)["items"]
    assert [one["consent"] for one in everyone] == [True, False] or len(everyone) == 2
    assert callers.ask("participant", "GET", place).status_code == 403

    rows = list(csv.DictReader(io.StringIO(callers.ask("staff", "GET", f"{place}.csv").text)))
    assert [(row["name"], row["roles"], row["consent"]) for row in rows] == [
        ("Ümit O'Neil & Co_", "'=observer", "yes")
    ]
    text = callers.ask("staff", "GET", f"{place}.tex").text
    assert r"\author[1]{Ümit O'Neil \& Co\_\,\orcidlink{" + orcid + "}}" in text
    assert r"\affil[1]{100\% \{Obs\}}" in text
    assert "participant" not in text
