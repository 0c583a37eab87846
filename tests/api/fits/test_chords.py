"""Chords as they are told: where their times come from, where they lie, what the team decides."""

import csv
import io
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from tests.requirements import require

require("server")

from api.database.tables import now  # noqa: E402 - after the check for the extra
from reduction.limb.chords import lay_chord  # noqa: E402
from reduction.utc import utc_ns  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.fits.field import SHARES, Stations, summary  # noqa: E402
from tests.api.results.things import file_of  # noqa: E402
from tests.reduction.limb.events import plane  # noqa: E402


def by_station(told: Any) -> dict[str, Any]:
    return {one["station"]: one for one in told["items"]}


def test_chords_are_where_the_stations_saw_them(callers: Callers, stations: Stations) -> None:
    stations.fill()
    told = callers.get("staff", f"/campaigns/{stations.campaign}/chords")
    assert told["exact"] is True
    assert told["problem"] == ""
    across = [one["across_km"] for one in told["items"] if one["across_km"] is not None]
    assert across == sorted(across)
    found = by_station(told)
    for number, station in enumerate(stations.seen):
        one = found[station.name]
        chord = lay_chord(plane(), station)
        assert one["state"] == station.status
        assert one["used"] is True
        assert one["why"] == ""
        assert one["source"] == ("report" if number in {1, 3} else "result")
        assert one["across_km"] == pytest.approx(chord.across_km, abs=0.0006)
        assert one["place"]["latitude_deg"] == station.site.latitude_deg
        for name, moment, place in (("d", station.d, chord.d), ("r", station.r, chord.r)):
            if moment is None or place is None:
                assert one[name] is None
                continue
            assert abs(utc_ns(one[name]["utc"]) - moment.utc_ns) < 1001
            assert one[name]["sigma_s"] == 0.05
            assert one[name]["f_km"] == pytest.approx(place.f_km, abs=0.0006)
            assert one[name]["g_km"] == pytest.approx(place.g_km, abs=0.0006)
            assert one[name]["sigma_km"] == pytest.approx(0.05 * place.speed_km_s, rel=1e-3)
            parts = np.hypot(one[name]["f_sigma_km"], one[name]["g_sigma_km"])
            assert parts == pytest.approx(one[name]["sigma_km"], rel=1e-3)
        if chord.length_km is not None:
            assert one["length_km"] == pytest.approx(chord.length_km, abs=0.001)
            assert one["length_sigma_km"] == pytest.approx(np.sqrt(2) * one["d"]["sigma_km"], rel=1e-3)
    missed = found[stations.seen[-1].name]
    assert missed["shortest_s"] == 0.2
    assert missed["watched_from"] is not None
    for name in ("owner", "participant"):  # of the world: planned, without a place on the way
        assert found[name]["used"] is False
        assert "planned" in found[name]["why"]
    assert len(SHARES) + 2 == len(found)


def test_the_table_is_the_same(callers: Callers, stations: Stations) -> None:
    stations.fill()
    stations.join(stations.seen[0], "=1+1", status="overcast")
    told = callers.get("responsible", f"/campaigns/{stations.campaign}/chords")
    answer = callers.ask("responsible", "GET", f"/campaigns/{stations.campaign}/chords.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["observation"] for row in rows] == [one["observation"] for one in told["items"]]
    for row, one in zip(rows, told["items"], strict=True):
        assert row["used"] == ("yes" if one["used"] else "no")
        assert row["d_f_km"] == ("" if one["d"] is None else str(one["d"]["f_km"]))
        assert not row["station"].startswith("=")


def test_the_latest_result_that_ended_counts_unless_the_team_chose(
    callers: Callers, stations: Stations
) -> None:
    station = stations.seen[2]
    observation = stations.join(station, "here", status="positive")
    first = stations.result(observation, station)
    stations.result(observation, station, 2)
    stations.result(observation, station, 3, "inconclusive")
    path = f"/campaigns/{stations.campaign}/chords"

    def here() -> Any:
        return by_station(callers.get("staff", path))["here"]

    def choose(status: int = 200, **body: Any) -> Any:
        answer = callers.ask("responsible", "PUT", f"{path}/{observation}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    assert (here()["result"]["version"], here()["latest"]) == (2, 3)
    assert any("version 3 is not used" in note for note in here()["notes"])
    assert choose(version=1, reason="the second one lost the star")["result"]["id"] == first.id
    assert here()["choice"]["reason"] == "the second one lost the star"
    assert choose(version=3, reason="look at it")["used"] is False
    left_out = choose(excluded=True, reason="its clock was not set")
    assert left_out["used"] is False
    assert "its clock was not set" in left_out["why"]
    reported = choose(source="report", reason="the recording has no times")
    assert reported["used"] is False
    assert "no contacts" in reported["why"]
    assert choose()["choice"] is None
    assert here()["result"]["version"] == 2
    choose(422, version=1)
    choose(422, version=9, reason="there is none")
    choose(422, version=1, source="report", reason="both")
    choose(422, excluded=True, reason="x", more=1)
    other = callers.world.open["observation"]
    answer = callers.ask("staff", "PUT", f"{path}/{other}", json={"excluded": True, "reason": "x"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("status", "change", "why"),
    [
        ("positive", {"sigma_s": None}, "has no sigma_s"),
        ("negative", {}, "has contacts, yet the status is negative"),
        ("overcast", {}, "has contacts, yet the status is overcast"),
        ("positive", {"report": {}}, "no contacts"),
    ],
    ids=["no sigma", "negative with contacts", "overcast with contacts", "positive without"],
)
def test_reports_that_cannot_be_used_say_why(
    callers: Callers, stations: Stations, status: str, change: dict[str, Any], why: str
) -> None:
    contact: dict[str, Any] = {"utc": "2026-03-11T20:15:00Z"}
    if "sigma_s" not in change:
        contact["sigma_s"] = 0.1
    report = change.get("report", {"disappearance": contact})
    stations.join(stations.seen[0], "here", status=status, report=report)
    one = by_station(callers.get("staff", f"/campaigns/{stations.campaign}/chords"))["here"]
    assert one["used"] is False
    assert why in one["why"]


def test_what_goes_against_the_report_is_told(callers: Callers, stations: Stations) -> None:
    station = stations.seen[2]
    observation = stations.join(station, "here", status="negative")
    stations.result(observation, station)
    one = by_station(callers.get("staff", f"/campaigns/{stations.campaign}/chords"))["here"]
    assert one["state"] == "positive"
    assert any("reports negative" in note for note in one["notes"])


def test_a_prediction_without_elements_has_no_geometry(callers: Callers) -> None:
    """The chords are there; where they lie is not known."""
    things = callers.world.open
    told = callers.get("staff", f"/campaigns/{things['campaign']}/chords")
    assert "no elements" in told["problem"]
    assert {one["across_km"] for one in told["items"]} == {None}
    answer = callers.ask("staff", "POST", f"/campaigns/{things['campaign']}/fits", json={})
    assert answer.status_code == 409
    assert "approach" in answer.json()["detail"]


def test_participants_see_rounded_places_once_the_embargo_is_over(
    callers: Callers, stations: Stations
) -> None:
    stations.fill()
    path = f"/campaigns/{stations.campaign}/chords"
    stations.embargo(now() + timedelta(days=1))
    assert callers.ask("participant", "GET", path).status_code == 403
    stations.embargo(now() - timedelta(seconds=1))
    told = callers.get("participant", path)
    assert told["exact"] is False
    team = by_station(callers.get("staff", path))
    text = (
        callers.ask("participant", "GET", path).text + callers.ask("participant", "GET", f"{path}.csv").text
    )
    for station in stations.seen:
        rough, exact = by_station(told)[station.name], team[station.name]
        assert f"{station.site.latitude_deg:.6f}"[:-2] not in text
        assert rough["place"]["exact"] is False
        assert rough["place"]["latitude_deg"] == round(station.site.latitude_deg, 2)
        assert rough["place"]["longitude_deg"] == round(station.site.longitude_deg, 2)
        assert rough["state"] == exact["state"]
        if exact["d"] is not None:
            assert rough["d"]["utc"] == exact["d"]["utc"]
            moved = np.hypot(*(rough["d"][name] - exact["d"][name] for name in ("f_km", "g_km")))
            assert 0.005 < moved < 1.0  # as far as the place was rounded: half a cell at most


def test_a_light_curve_that_was_sent_counts_once_the_team_chose_it(
    callers: Callers, stations: Stations
) -> None:
    """As the quarantine left it: what Umbra found in it lies with the file."""
    station = stations.seen[2]
    found = summary(station)["event"] | {"curve": {}, "schema": "umbra-events-1"}
    observation = stations.join(station, "here", status="positive")
    watched = {"first_utc": "2026-03-11T20:14:00Z", "last_utc": "2026-03-11T20:16:00Z", "exposure_s": 0.5}
    file = file_of(observation, "a" * 64, name="tangra.csv", role="additional", events=found, watched=watched)
    other = file_of(observation, "b" * 64, name="weather.csv", role="additional", kind="table")
    callers.world.add(file, other)
    path = f"/campaigns/{stations.campaign}/chords/{observation}"

    def choose(status: int = 200, **body: Any) -> Any:
        answer = callers.ask("staff", "PUT", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    before = callers.get("staff", path)
    assert (before["source"], before["used"]) == ("report", False)
    assert any("tangra.csv" in note and "positive" in note for note in before["notes"])
    one = choose(source="curve", file=file.id, reason="the recording is lost")
    assert (one["source"], one["state"], one["used"]) == ("curve", "positive", True)
    assert one["curve"] == {"id": file.id, "name": "tangra.csv", "sha256": "a" * 64}
    assert station.d is not None
    assert abs(utc_ns(one["d"]["utc"]) - station.d.utc_ns) < 1001
    assert (one["exposure_s"], one["watched_from"]) == (0.5, "2026-03-11T20:14:00.000Z")
    assert choose(source="curve", reason="the latest")["curve"]["id"] == file.id
    choose(422, source="curve", file=other.id, reason="no light curve")
    choose(422, file=file.id, reason="without a source")
    choose(422, source="curve", version=1, reason="both")
