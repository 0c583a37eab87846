"""Equipment and sites: registered, changed while unused, kept for the record."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from tests.requirements import require

require("server")

from api.observations.tables import Observation  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402

THINGS: dict[str, dict[str, Any]] = {
    "telescope": {"aperture_mm": 280, "focal_length_mm": 2800, "design": "schmidt-cassegrain"},
    "camera": {
        "sensor": "IMX174",
        "pixel_um": 5.86,
        "width_px": 1936,
        "height_px": 1216,
        "shutter": "global",
    },
    "recorder": {"time_source": "gps", "sigma_ms": 0.1},
    "filter": {"centre_nm": 640, "width_nm": 100},
}
PLACE = {"name": "home", "latitude_deg": 36.8, "longitude_deg": 30.3, "height_m": 2500, "address": "Street 1"}


@pytest.mark.parametrize("kind", sorted(THINGS))
def test_each_kind(callers: Callers, kind: str) -> None:
    sent = {"kind": kind, "name": "mine", **THINGS[kind]}
    made = callers.make("owner", "/equipment", {"equipment": sent})
    assert sent.items() <= made["equipment"].items()
    place = f"/equipment/{made['id']}"
    assert callers.get("owner", place) == made
    assert callers.get("staff", place) == made
    assert callers.ask("participant", "GET", place).status_code == 404
    assert [one["id"] for one in callers.get("owner", "/equipment", kind=kind)["items"]] == [made["id"]]
    assert callers.get("participant", "/equipment")["items"] == []

    changed = callers.ask("owner", "PUT", place, json={"equipment": sent | {"name": "other"}}).json()
    assert changed["equipment"]["name"] == "other"
    other = {"kind": "filter" if kind != "filter" else "camera", "name": "x"}
    assert callers.ask("owner", "PUT", place, json={"equipment": other}).status_code == 409
    assert callers.ask("staff", "DELETE", place).status_code == 404
    assert callers.ask("owner", "DELETE", place).status_code == 204
    assert callers.ask("owner", "GET", place).status_code == 404


@pytest.mark.parametrize(
    "sent",
    [
        {}, {"kind": "telescope"}, {"kind": "dome", "name": "x"}, {"kind": "recorder", "name": "x"},
        {"kind": "telescope", "name": "x", "aperture_mm": -1},
        {"kind": "filter", "name": "x", "shutter": "global"},
        {"kind": "telescope", "name": "a\nb"}, {"kind": "camera", "name": "x", "bits": 1e400},
    ],
)  # fmt: skip
def test_what_is_no_equipment(callers: Callers, sent: dict[str, Any]) -> None:
    content = json.dumps({"equipment": sent}).replace("Infinity", "1e999")
    headers = {"Content-Type": "application/json"}
    answer = callers.ask("owner", "POST", "/equipment", content=content, headers=headers)
    assert answer.status_code == 422


def test_what_an_observation_used_is_kept(callers: Callers) -> None:
    telescope = callers.make("owner", "/equipment", {"equipment": {"kind": "telescope", "name": "C11"}})["id"]
    with callers.world.database.writing() as session:
        where = Observation.id == callers.world.strict["observation"]
        session.execute(update(Observation).where(where).values(telescope=telescope))
    site = callers.world.strict["site"]
    for place, sent in (
        (f"/equipment/{telescope}", {"equipment": {"kind": "telescope", "name": "C14"}}),
        (f"/sites/{site}", PLACE),
    ):
        before = callers.get("owner", place)
        answer = callers.ask("owner", "PUT", place, json=sent)
        assert answer.status_code == 409
        assert "record" in answer.json()["detail"]
        for _ in range(2):
            assert callers.ask("owner", "DELETE", place).status_code == 204
        after = callers.get("owner", place)
        assert after["retired"] is not None
        assert after | {"retired": None} == before
        kind = place.rpartition("/")[0]
        assert after["id"] not in [one["id"] for one in callers.get("owner", kind)["items"]]
        assert after["id"] in [one["id"] for one in callers.get("owner", kind, retired=True)["items"]]
        assert callers.ask("owner", "PUT", place, json=sent).status_code == 409


def test_sites(callers: Callers) -> None:
    before = len(callers.get("owner", "/sites")["items"])
    made = callers.make("owner", "/sites", PLACE | {"sigma_m": 3, "country": "Türkiye"})
    assert (made["latitude_deg"], made["address"], made["code"]) == (36.8, "Street 1", None)
    coded = callers.make("owner", "/sites", {"name": "TUG", "code": "a84"})
    assert coded["code"] == "A84"
    assert coded["latitude_deg"] == pytest.approx(36.82, abs=0.02)
    assert coded["sigma_m"] > 0
    newer = callers.make("owner", "/sites", PLACE | {"code": "X99"})
    assert "installed table" in newer["notes"][0]
    far = callers.make("owner", "/sites", PLACE | {"code": "A84", "latitude_deg": -36.8})
    assert "check both" in far["notes"][0]
    moved = callers.ask("owner", "PUT", f"/sites/{made['id']}", json=PLACE | {"height_m": 10}).json()
    assert (moved["height_m"], moved["sigma_m"]) == (10, None)
    assert callers.ask("participant", "GET", f"/sites/{made['id']}").status_code == 404
    assert len(callers.get("owner", "/sites")["items"]) == before + 4


@pytest.mark.parametrize(
    "changes",
    [
        {"latitude_deg": 90.1}, {"longitude_deg": 181}, {"height_m": 9001}, {"latitude_deg": None},
        {"height_m": None}, {"code": "A8"}, {"code": "84A"}, {"name": ""}, {"sigma_m": -1}, {"town": "x"},
        {"latitude_deg": "36 48 12"}, {"latitude_deg": None, "longitude_deg": None, "code": "X99"},
    ],
    ids=lambda changes: " ".join(f"{name} {value}" for name, value in changes.items()),
)  # fmt: skip
def test_what_is_no_site(callers: Callers, changes: dict[str, Any]) -> None:
    assert callers.ask("owner", "POST", "/sites", json=PLACE | changes).status_code == 422


def test_observatories(callers: Callers) -> None:
    assert callers.get("observer", "/observatories/a84")["code"] == "A84"
    for code in ("ZZZ", "250", "x" * 50):
        assert callers.ask("observer", "GET", f"/observatories/{code}").status_code == 404
