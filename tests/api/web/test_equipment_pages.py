"""Pages of equipment and sites: added, changed, retired; what was typed stays when something is wrong."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from tests.api.client import API, Client  # noqa: E402 - after the check for the extra
from tests.api.web.observing import Station, service, station_of, surfer_of  # noqa: E402
from tests.api.web.surfer import Surfer  # noqa: E402

HOSTILE = "<script>alert(1)</script> \"'&{{ 7*7 }}"
CAMERA: dict[str, Any] = {"name": "QHY174M", "pixel_um": "5,86", "width_px": "1920", "shutter": "global"}
PLACE: dict[str, Any] = {
    "name": "Hilltop",
    "latitude_deg": "36 49 28.2 N",
    "longitude_deg": "70 24 W",
    "height_m": "2485,5",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with service(tmp_path_factory.mktemp("service")) as client:
        yield client


@pytest.fixture
def station(served: Client) -> Station:
    return station_of(served)


def items(surfer: Surfer, path: str) -> list[dict[str, Any]]:
    """What the API says to them; the page at hand stays."""
    beside = Surfer(surfer.client)
    beside.cookies = surfer.cookies
    found: list[dict[str, Any]] = beside.send("GET", f"{API}{path}").json()["items"]
    return found


def test_a_camera_is_added_changed_and_removed(station: Station) -> None:
    ada = station.surfer
    ada.get("/equipment?add=camera")
    answer = ada.post("/equipment", **CAMERA)
    assert answer.status_code == 200
    assert "QHY174M" in ada.words
    (view,) = items(ada, "/equipment")
    held = view["equipment"]
    assert (held["kind"], held["pixel_um"], held["width_px"], held["bits"]) == ("camera", 5.86, 1920, None)
    ada.get(f"/equipment/{view['id']}")
    ada.post(f"/equipment/{view['id']}", name="QHY174M-GPS", bits="12")
    assert items(ada, "/equipment")[0]["equipment"]["bits"] == 12
    ada.get("/equipment")
    ada.post(f"/equipment/{view['id']}/retire")
    assert items(ada, "/equipment") == []


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("telescope", {"name": "C11", "aperture_mm": "280", "design": "schmidt-cassegrain", "mount": "CGX"}),
        ("recorder", {"name": "GPS", "time_source": "gps", "sigma_ms": "0.1"}),
        ("filter", {"name": "r'", "centre_nm": "620"}),
    ],
)
def test_each_kind(station: Station, kind: str, fields: dict[str, Any]) -> None:
    ada = station.surfer
    ada.get(f"/equipment?add={kind}")
    ada.post("/equipment", **fields)
    (view,) = items(ada, "/equipment")
    assert view["equipment"]["kind"] == kind
    assert {name: str(view["equipment"][name]).removesuffix(".0") for name in fields} == fields


def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(station: Station) -> None:
    ada = station.surfer
    ada.get("/equipment?add=camera")
    answer = ada.post("/equipment", name=HOSTILE, pixel_um="wide", sensor="IMX174")
    assert answer.status_code == 422
    assert (
        html.escape(HOSTILE, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in answer.text
    )
    assert "<script>alert" not in answer.text
    assert 'value="wide"' in answer.text
    assert 'id="e-pixel_um"' in answer.text
    assert 'value="IMX174"' in answer.text
    assert items(ada, "/equipment") == []


def test_hostile_names_are_text(station: Station) -> None:
    ada = station.surfer
    ada.get("/equipment?add=filter")
    ada.post("/equipment", name=HOSTILE)
    ada.get("/sites")
    ada.post("/sites#add", **PLACE | {"name": HOSTILE})
    for path in ("/equipment", "/sites"):
        text = ada.get(path).text
        assert "<script>alert" not in text
        assert HOSTILE in ada.words
    (site,) = [one for one in items(ada, "/sites") if one["name"] == HOSTILE]
    assert HOSTILE in (ada.get(f"/sites/{site['id']}").text and ada.words)


def test_what_was_used_is_not_changed_but_added_anew(station: Station) -> None:
    ada = station.surfer
    ada.get("/equipment?add=camera")
    ada.post("/equipment", **CAMERA)
    (view,) = items(ada, "/equipment")
    station.report(camera=view["id"])
    ada.get(f"/equipment/{view['id']}")
    assert "part of an observation's record" in ada.words
    assert f"/equipment?like={view['id']}#add" in ada.links
    ada.get(f"/equipment?like={view['id']}")
    form = next(one for one in ada.forms if one.action == "/equipment")
    assert form.fields["pixel_um"] == ["5.86"]
    ada.get(f"/equipment/{view['id']}")
    ada.post(f"/equipment/{view['id']}/retire")
    assert items(ada, "/equipment") == []
    assert "QHY174M" in (ada.get("/equipment?retired=true").text and ada.words)


def test_a_site_in_minutes_and_seconds(station: Station) -> None:
    ada = station.surfer
    ada.get("/sites")
    assert ada.post("/sites#add", **PLACE).status_code == 200
    site = next(one for one in items(ada, "/sites") if one["name"] == "Hilltop")
    assert site["latitude_deg"] == pytest.approx(36.8245, abs=1e-9)
    assert site["longitude_deg"] == pytest.approx(-70.4)
    assert site["height_m"] == 2485.5
    assert "+36 49 28.2" in ada.words


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("latitude_deg", "36 70 00"), ("latitude_deg", "30 E"), ("latitude_deg", "91"),
        ("longitude_deg", "x"), ("longitude_deg", "181"),
        ("height_m", "high"), ("height_m", ""), ("name", ""), ("code", "toolong"),
    ],
)  # fmt: skip
def test_a_site_that_is_none(station: Station, field: str, text: str) -> None:
    ada = station.surfer
    ada.get("/sites")
    answer = ada.post("/sites#add", **PLACE | {field: text})
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    assert 'value="36 49 28.2 N"' in answer.text or field == "latitude_deg"


def test_the_place_of_an_observatory(station: Station) -> None:
    ada = station.surfer
    ada.get("/sites")
    answer = ada.post("/sites#add", code="a84", look_up="1")
    assert answer.status_code == 200
    form = next(one for one in ada.forms if one.action == "/sites#add")
    assert float(form.fields["latitude_deg"][0]) == pytest.approx(36.82, abs=0.02)
    assert form.fields["code"] == ["A84"]
    count = len(items(ada, "/sites"))
    ada.post("/sites#add", name="TUG")
    assert len(items(ada, "/sites")) == count + 1
    ada.get("/sites")
    answer = ada.post("/sites#add", name="Mine", code="247", look_up="1")
    assert answer.status_code == 422
    assert 'id="e-code"' in answer.text
    assert 'value="Mine"' in answer.text


def test_others_equipment_is_not_there(station: Station) -> None:
    ada = station.surfer
    ada.get("/equipment?add=camera")
    ada.post("/equipment", **CAMERA)
    (view,) = items(ada, "/equipment")
    other = surfer_of(station.client, station.world, "participant")
    assert other.get(f"/equipment/{view['id']}").status_code == 404
    assert other.get(f"/equipment?like={view['id']}").status_code == 404
    staff = surfer_of(station.client, station.world, "staff")
    assert staff.get(f"/equipment/{view['id']}").status_code == 200
    assert all(form.action != f"/equipment/{view['id']}" for form in staff.forms)


def test_odd_forms_change_nothing(station: Station, tmp_path: Path) -> None:
    del tmp_path
    ada = station.surfer
    ada.get("/equipment?add=camera")
    assert ada.post("/equipment", kind="spoon", name="x").status_code == 422
    ada.get("/equipment?add=camera")
    assert ada.post("/equipment", name="x", owner="me").status_code == 422
    assert items(ada, "/equipment") == []
