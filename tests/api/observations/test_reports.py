"""The asteroidal occultation report of an observation: what was stated, in every form."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.requirements import require

require("server")

from reduction.record_file import load_record  # noqa: E402 - after the check for the extra
from reduction.reports.form import FORMS  # noqa: E402
from tests.api.access.campaign_requests import prediction  # noqa: E402
from tests.api.access.world import make_world  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402

REPORT = {
    "begin": "2020-08-08T20:40:00Z",
    "end": "2020-08-08T20:50:00Z",
    "disappearance": {"utc": "2020-08-08T20:44:27.120Z", "sigma_s": 0.02},
    "reappearance": {"utc": "2020-08-08T20:44:30.480Z", "sigma_s": 0.03},
    "timing": "gps",
    "exposure_s": 0.04,
    "clouds_percent": 10,
    "transparency": "clear",
    "seeing": "2 of 5",
    "wind": "none",
    "temperature_c": -95,
    "limiting_mag": 14.5,
    "comments": ["Nice event.", "=HYPERLINK(1) <b>bold</b>"],
}
PLACE = {
    "name": "Bakırlıtepe", "latitude_deg": 36.8245, "longitude_deg": 30.3353, "height_m": 2500,
    "address": "Observatory road 1", "country": "Türkiye",
}  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    with serving(folder / "data", folder / "home", Scripted()) as client:
        yield client


@pytest.fixture
def callers(client: Client) -> Callers:
    return Callers(client, make_world(client.app.state.database))


def observed(callers: Callers, status: str = "positive", **changed: Any) -> str:
    """Path of an observation of the owner's, in a campaign whose prediction has elements."""
    body = {"prediction": prediction(callers.world).id, "tell": False}
    campaign = callers.make("staff", "/campaigns", body)["id"]
    kit = {
        "telescope": {"kind": "telescope", "name": "C11", "aperture_mm": 280, "design": "schmidt-cassegrain"},
        "camera": {"kind": "camera", "name": "QHY174M", "sensor": "IMX174"},
        "recorder": {"kind": "recorder", "name": "IOTA-VTI 3", "time_source": "gps"},
    }
    used = {kind: callers.make("owner", "/equipment", {"equipment": one})["id"] for kind, one in kit.items()}
    site = callers.make("owner", "/sites", PLACE)["id"]
    report = {**REPORT, **changed}
    sent = {"campaign": campaign, "site": site, "station": "home", "status": status, "report": report, **used}
    return f"/observations/{callers.make('owner', '/observations', sent)['id']}"


def asked(callers: Callers, path: str, form: str, who: str = "owner") -> httpx.Response:
    return callers.ask(who, "GET", f"{path}/report.{form}")


def test_the_record_has_all_that_was_stated(callers: Callers, tmp_path: Path) -> None:
    path = observed(callers)
    answer = asked(callers, path, "json")
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    kept = tmp_path / "record.json"
    kept.write_bytes(answer.content)
    record = load_record(kept)
    assert record.status == "positive"
    assert record.observers[0].name == "owner"
    assert record.observers[0].address == "Observatory road 1"
    assert record.site is not None
    assert (record.site.latitude_deg, record.site.altitude_m) == (36.8245, 2500)
    assert record.altitude_of == "ellipsoid"
    assert (record.telescope.aperture_cm, record.telescope.type) == (28.0, "schmidt-cassegrain")
    assert (record.recording.camera, record.recording.timing_device) == ("QHY174M", "IOTA-VTI 3")
    assert record.recording.time_source == "gps"
    assert record.asteroid.number == "81879"
    assert record.star.ra_deg is not None
    assert record.prediction.utc is not None
    timing = record.timings[0]
    assert timing.duration_s == pytest.approx(3.36, abs=1e-9)
    assert timing.d is not None
    assert timing.d.sigma_s == 0.02
    assert record.conditions.transparency == "clear"
    assert "seeing: 2 of 5" in record.comments, "words that the record has no place for are kept"
    assert "temperature_c left out" in record.comments, "what no record holds is told, and costs no report"


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form(callers: Callers, form: str) -> None:
    answer = asked(callers, observed(callers), form)
    assert answer.status_code == 200, answer.text
    if form in {"iota-na", "tt"}:
        with zipfile.ZipFile(io.BytesIO(answer.content)) as workbook:
            assert workbook.testzip() is None
        return
    assert "44" in answer.text
    assert "27.12" in answer.text
    if form == "page":
        assert "<b>bold" not in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_miss_and_what_does_not_go_with_it(callers: Callers) -> None:
    path = observed(callers, "negative", comments=[])
    text = asked(callers, path, "text").text
    assert "NEGATIVE" in text
    assert "D was stated as 20:44:27.120000 UTC" in text
    assert json.loads(asked(callers, path, "json").content).get("timings") is None


def test_a_form_that_cannot_hold_it(callers: Callers) -> None:
    path = observed(callers, "overcast", disappearance=None, reappearance=None)
    refused = asked(callers, path, "iota-es")
    assert refused.status_code == 422
    assert "overcast" in refused.json()["detail"]
    assert asked(callers, path, "text").status_code == 200


def test_a_place_that_the_shadow_never_meets_and_an_empty_form(callers: Callers) -> None:
    path = f"/observations/{callers.world.strict['observation']}"
    text = asked(callers, path, "text").text
    assert "PLANNED" in text
    assert "Ixion" in text


def test_who_may_see_it(callers: Callers) -> None:
    """It has the address and the exact place."""
    path = f"/observations/{callers.world.strict['observation']}"
    for who, status in (("staff", 200), ("responsible", 200), ("participant", 404), ("observer", 404)):
        assert asked(callers, path, "text", who).status_code == status, who
