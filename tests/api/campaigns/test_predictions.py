"""Predictions over the API: made, imported whole or not at all, searched, on each database."""

import json
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.requirements import require

require("server")

from api.campaigns.listing_routes import PAGE  # noqa: E402
from api.campaigns.prediction_files import MOST_BYTES  # noqa: E402
from api.campaigns.tables import Prediction  # noqa: E402
from api.database.tables import new_id, now  # noqa: E402
from reduction.geometry.circumstances import window_ns  # noqa: E402
from reduction.geometry.earth import itrs_km  # noqa: E402
from reduction.geometry.path import ground_points  # noqa: E402
from reduction.geometry.prediction import Prediction as Predicted  # noqa: E402
from reduction.geometry.skyplane import sky_plane  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.campaigns.test_prediction_files import HEADER, body, row, table  # noqa: E402
from tests.reduction.geometry.predictions import event, event_text  # noqa: E402

XML = {"Content-Type": "application/xml"}
CSV = {"Content-Type": "text/csv; charset=utf-8"}
APPROACH = {
    "star_ra_deg": 285.3, "star_dec_deg": -6.1, "closest_approach_arcsec": 0.05, "position_angle_deg": 200.1,
    "velocity_km_s": -21.4, "distance_au": 45.6, "diameter_km": 800.0,
}  # fmt: skip


def fill(callers: Callers, *fields: dict[str, Any]) -> None:
    callers.forget_predictions()
    made = [body(occ_id=str(number), **each) for number, each in enumerate(fields)]
    answer = callers.ask("staff", "POST", "/predictions/bulk", json=made)
    assert answer.status_code == 200, answer.text


def found(callers: Callers, **params: Any) -> list[str]:
    return [one["occ_id"] for one in callers.get("observer", "/api/predictions", **params)["items"]]


def test_one_prediction(callers: Callers) -> None:
    callers.forget_predictions()
    made = callers.make("staff", "/predictions", body(occ_id="L1", approach=APPROACH, star_mag=14.6))
    assert made["has_path"]
    assert made["elements"]["body"]["name"] == "Ixion"
    assert made["shadow_speed_km_s"] == pytest.approx(21.4)
    assert made["max_duration_s"] == pytest.approx(800 / 21.4)
    assert made["at"] == "2020-08-08T20:44:27Z"
    again = callers.ask("staff", "POST", "/predictions", json=body(occ_id="L1"))
    assert again.status_code == 409

    place = f"/predictions/{made['id']}"
    assert callers.get("observer", place) == made
    changed = callers.ask("staff", "PUT", place, json=body(occ_id="L1", object_name="Huya")).json()
    assert (changed["object_name"], changed["has_path"], changed["created"]) == (
        "Huya",
        False,
        made["created"],
    )
    callers.make("staff", "/predictions", body(occ_id="L2"))
    assert callers.ask("staff", "PUT", place, json=body(occ_id="L2")).status_code == 409
    assert callers.ask("staff", "DELETE", place).status_code == 204
    assert callers.ask("staff", "GET", place).status_code == 404
    assert callers.ask("staff", "POST", "/predictions", json=body(colour="red")).status_code == 422


def test_a_prediction_of_a_campaign_stays(callers: Callers) -> None:
    kept = callers.world.strict["prediction"]
    answer = callers.ask("superuser", "DELETE", f"/predictions/{kept}")
    assert (answer.status_code, "campaign" in answer.text) == (409, True)
    assert callers.get("observer", f"/predictions/{kept}")["campaign"] == callers.world.strict["campaign"]


def test_a_file_is_imported_whole_or_not_at_all(callers: Callers) -> None:
    callers.forget_predictions()
    lines = [row(occ_id=f"B{n}") for n in range(120)]
    for n in range(0, 120, 12):
        lines[n] = row(occ_id=f"B{n}", star_mag="x")
    answer = callers.ask("staff", "POST", "/predictions/bulk", content=table(*lines), headers=CSV)
    assert answer.status_code == 422
    problem = answer.json()
    assert [one["pointer"] for one in problem["errors"]] == [f"line {n + 2}" for n in range(0, 120, 12)]
    assert "10 of its predictions" in problem["detail"]
    assert found(callers) == []

    sound = table(*(row(occ_id=f"B{n}") for n in range(120)))
    tried = callers.ask("staff", "POST", "/predictions/bulk?dry_run=true", content=sound, headers=CSV).json()
    assert (tried["added"], tried["dry_run"], found(callers)) == (120, True, [])
    done = callers.ask("staff", "POST", "/predictions/bulk", content=sound, headers=CSV).json()
    assert (done["added"], done["replaced"], done["kept"]) == (120, 0, 0)
    page = callers.get("observer", "/api/predictions")
    assert (page["count"], page["pages"], len(page["items"])) == (120, 2, PAGE)
    assert len(found(callers, page=2)) == 20
    assert found(callers, page=3) == []


def test_what_is_there_already(callers: Callers) -> None:
    callers.forget_predictions()
    first = table(*(row(occ_id=f"C{n}") for n in range(3)))
    second = table(*(row(occ_id=f"C{n}", star_mag="11") for n in range(2, 5)))
    assert callers.ask("staff", "POST", "/predictions/bulk", content=first, headers=CSV).status_code == 200
    for existing, status, magnitudes in (
        ("refuse", 422, [14.6, 14.6, 14.6]),
        ("keep", 200, [14.6, 14.6, 14.6, 11, 11]),
        ("replace", 200, [14.6, 14.6, 11, 11, 11]),
    ):
        where = f"/predictions/bulk?existing={existing}"
        answer = callers.ask("staff", "POST", where, content=second, headers=CSV)
        assert answer.status_code == status, answer.text
        items = callers.get("observer", "/api/predictions")["items"]
        assert [one["star_mag"] for one in sorted(items, key=lambda one: one["occ_id"])] == magnitudes
        if status == 422:
            assert answer.json()["errors"][0]["pointer"] == "line 2"


def test_occelmnt(callers: Callers) -> None:
    callers.forget_predictions()
    text = "<Occultations>" + event_text() + event_text(ID_0="second") + "</Occultations>"
    answer = callers.ask("staff", "POST", "/predictions/occelmnt", content=text, headers=XML)
    assert answer.json()["added"] == 2
    bad = text.replace("48.0", "wide", 1).replace("second", "third").replace("20260311_2622.3", "4")
    where = "/predictions/occelmnt"
    assert callers.ask("staff", "POST", where, content=bad, headers=XML).status_code == 422
    answer = callers.ask("staff", "POST", f"{where}?partial=true", content=bad, headers=XML)
    assert answer.json()["added"] == 1
    assert "left out" in answer.json()["notes"][0]


def test_what_is_no_file(callers: Callers) -> None:
    for path, headers, content, status in (
        ("/predictions/bulk", {"Content-Type": "text/plain"}, b"x", 415),
        ("/predictions/bulk", CSV, b"", 422),
        ("/predictions/bulk", {"Content-Type": "application/json"}, b"[]", 422),
        ("/predictions/bulk", CSV, b"x" * (MOST_BYTES + 1), 413),
        ("/predictions/occelmnt", XML, b"<!DOCTYPE a [<!ENTITY b 'c'>]>", 422),
    ):
        answer = callers.ask("staff", "POST", path, content=content, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_search_by_date_magnitude_and_object(callers: Callers) -> None:
    fill(
        callers,
        {"at": "2022-02-01T00:00:00Z", "star_mag": 10.0, "object_name": "Hektor", "object_number": "624"},
        {"at": "2022-02-15T23:59:59.999999Z", "star_mag": 18.0, "object_name": "HÉKTOR"},
        {"at": "2022-02-16T00:00:00Z", "star_mag": 12.0, "object_name": "Hektor"},
        {"at": "2022-01-31T23:59:59Z", "star_mag": 12.0, "object_name": "Hektor"},
        {"at": "2022-02-10T00:00:00Z", "star_mag": 18.1, "object_name": "Hektor"},
        {"at": "2022-02-10T00:00:01Z", "star_mag": 9.9, "object_name": "Hektor"},
        {"at": "2022-02-10T00:00:02Z", "object_name": "Hektor"},
        {
            "at": "2022-02-10T00:00:03Z",
            "star_mag": 12.0,
            "object_name": "2002 MS4",
            "object_number": "307261",
        },
    )
    listing = {
        "start_date": "2022-02-01", "end_date": "2022-02-15", "mag_min": 10, "mag_max": 18,
        "object_name": "Hektor", "page": 1,
    }  # fmt: skip
    assert found(callers, **listing) == ["0", "1"]
    assert found(callers, object_name="hektor") == ["3", "0", "4", "5", "6", "1", "2"]
    for name in ("2002MS4", "(307261) 2002 MS4", "307261", "ms4"):
        assert found(callers, object_name=name) == ["7"], name
    assert found(callers, object_name="(624) Hektor") == ["0"]
    assert found(callers, object_name="h_ktor") == []
    assert found(callers, mag_min=18.05) == ["4"]
    assert found(callers, start_date="2022-02-16") == ["2"]
    assert found(callers, end_date="2022-01-31") == ["3"]
    assert found(callers, start_date="0001-01-01", end_date="9999-12-31", mag_max=10) == ["0", "5"]
    assert found(callers, occ_id="5") == ["5"]
    listed: list[str] = []
    cursor = None
    while True:
        options = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = callers.get("observer", "/predictions", **options)
        listed += [one["occ_id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert listed == found(callers)


@pytest.mark.parametrize(
    "params",
    [
        {"start_date": "yesterday"}, {"mag_min": "nan"}, {"page": 0}, {"page": 10**30}, {"object_name": ""},
        {"object_name": "--"}, {"object_name": "a\0"}, {"latitude": 1}, {"latitude": 91, "longitude": 0,
        "distance": 1}, {"latitude": 1, "longitude": 0, "distance": -1},
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_searched(callers: Callers, params: dict[str, Any]) -> None:
    answer = callers.ask("observer", "GET", "/api/predictions", params=params)
    assert answer.status_code == 422, answer.text


@cache
def somewhere() -> dict[str, Predicted]:
    """Paths over the Earth in all directions, some beside it."""
    rng = np.random.default_rng(7)
    events = {}
    for number in range(40):
        angle = rng.uniform(0, 2 * math.pi)
        speed, aside = rng.uniform(2, 12), rng.uniform(-0.9, 0.9)
        x1, y1 = speed * math.cos(angle), speed * math.sin(angle)
        events[f"P{number:02d}"] = event(
            ID_0=f"P{number:02d}",
            Elements_5=f"{rng.uniform(0, 24):.5f}",
            Elements_6=f"{-aside * math.sin(angle):.6f}",
            Elements_7=f"{aside * math.cos(angle):.6f}",
            Elements_8=f"{x1:.6f}",
            Elements_9=f"{y1:.6f}",
            Object_3=f"{rng.uniform(5, 900):.1f}",
        )
    return events


@cache
def band(name: str) -> NDArray[np.float64]:
    """Very many points of a path, km."""
    one = somewhere()[name]
    plane = sky_plane(one)
    begin, end = window_ns(plane)
    radius = one.body.diameter_km / 2
    times = np.linspace(begin, end, 6001).astype(np.int64)
    offsets = np.linspace(-radius, radius, 9)
    points = ground_points(plane, np.tile(times, offsets.size), np.repeat(offsets, times.size)[:, None])[0]
    return np.asarray(points[np.isfinite(points[:, 0])])


def slow_distance(name: str, latitude: float, longitude: float) -> float:
    """The nearest point of the band."""
    apart = np.linalg.norm(band(name) - itrs_km(longitude, latitude), axis=1)
    return float(apart.min(initial=math.inf))


def test_search_by_place(callers: Callers) -> None:
    callers.forget_predictions()
    events = somewhere()
    at = now()
    callers.world.add(
        *(
            Prediction(
                id=new_id(), occ_id=name, source="", object_name="x", object_key="x", at=at,
                elements=one.model_dump(mode="json"), created=at, changed=at,
            )
            for name, one in events.items()
        )
    )  # fmt: skip
    callers.make("staff", "/predictions", body(occ_id="without a path"))
    distance = 1500.0
    hits = 0
    for latitude, longitude in ((36.8, 30.3), (-33.0, -70.0)):
        place = {"latitude": latitude, "longitude": longitude, "distance": distance}
        items = callers.get("observer", "/api/predictions", **place)["items"]
        told = {one["occ_id"]: one["distance_km"] for one in items}
        hits += len(told)
        for name in events:
            slow = slow_distance(name, latitude, longitude)
            if name in told:
                assert abs(told[name] - slow) < 60, name  # the ends of a path, where the star rises and sets
            else:
                assert slow > distance - 60, name
        assert "without a path" not in told
        assert callers.get("observer", "/api/predictions", **place)["count"] == len(told)
    assert hits > 4
    answer = callers.ask("observer", "GET", "/predictions", params=place)
    assert answer.status_code == 422


def test_the_schema_of_the_listing_stays(callers: Callers) -> None:
    fill(callers, {"star_mag": 12.5, "approach": APPROACH})
    page = callers.get("observer", "/api/predictions")
    assert set(page) == {"count", "page", "pages", "items"}
    assert set(page["items"][0]) == {
        "id", "occ_id", "source", "object_name", "object_number", "object_class", "star_name", "star_mag",
        "star_ra_deg", "star_dec_deg", "at", "diameter_km", "distance_au", "shadow_speed_km_s",
        "max_duration_s",
        "has_path", "distance_km", "campaign", "created", "changed",
    }  # fmt: skip
    text = json.dumps(callers.client.get("/api/v1/openapi.json").json()["components"]["schemas"])
    assert "PredictionPage" in text
    assert HEADER[0] in text
