"""Observations: a campaign is joined with a station, and what was seen is reported."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from api.campaigns.tables import Campaign
from api.database.tables import new_id, now
from api.equipment.tables import Equipment, Site
from tests.api.access.world import World, make_world
from tests.api.client import API, Client
from tests.api.uploads.observer import key_for


@dataclass
class Somebody:
    """An account's API key, and a site of theirs."""

    client: Client
    world: World
    person: str
    key: str
    site: str

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        options = {} if body is None else {"json": body}
        return self.client.send(method, API + path, headers={"X-API-Key": self.key}, **options)

    def join(self, station: str = "A", **more: Any) -> httpx.Response:
        body = {"campaign": self.world.strict["campaign"], "site": self.site, "station": station, **more}
        return self.send("POST", "/observations", body)

    def equipment(self, kind: str) -> str:
        row = Equipment(id=new_id(), person=self.person, kind=kind, name=kind, details={}, created=now())
        self.world.add(row)
        return row.id


def somebody(client: Client, world: World, name: str) -> Somebody:
    person = world.people[name].id
    site = Site(
        id=new_id(), person=person, name="home", latitude_deg=36.8, longitude_deg=30.3, height_m=9.0,
        created=now(),
    )  # fmt: skip
    world.add(site)
    return Somebody(client, world, person, key_for(world.database, person), site.id)


@pytest.fixture
def ann(client: Client) -> Somebody:
    return somebody(client, make_world(client.app.state.database), "observer")


def test_join_report_and_leave(ann: Somebody) -> None:
    answer = ann.join("Anna's", telescope=ann.equipment("telescope"), camera=ann.equipment("camera"))
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert answer.headers["Location"] == f"{API}/observations/{view['id']}"
    assert (view["status"], view["station"], view["consent"]) == ("planned", "Anna's", False)
    where = f"/observations/{view['id']}"
    report = {
        "begin": "2020-08-08T23:40:00Z",
        "end": "2020-08-08T23:50:00Z",
        "disappearance": {"utc": "2020-08-08T23:44:27.123Z", "sigma_s": 0.02},
        "timing": "gps",
        "comments": ["thin clouds at the end", "wind from the north"],
    }
    change = {"status": "positive", "report": report, "telescope": None, "consent": True}
    changed = ann.send("PATCH", where, change).json()
    assert (changed["status"], changed["telescope"], changed["consent"]) == ("positive", None, True)
    assert changed["camera"] == view["camera"]
    assert changed["report"]["disappearance"]["sigma_s"] == 0.02
    assert changed["report"]["comments"] == report["comments"]
    assert ann.send("GET", where).json() == changed
    assert ann.send("DELETE", where).status_code == 204
    assert ann.send("GET", where).status_code == 404


def test_one_report_of_a_station(ann: Somebody) -> None:
    first = ann.join("A").json()["id"]
    assert ann.join("A").status_code == 409
    second = ann.join("B").json()["id"]
    assert ann.send("PATCH", f"/observations/{second}", {"station": "A"}).status_code == 409
    listed = ann.send("GET", "/observations").json()["items"]
    assert [one["id"] for one in listed] == [second, first]
    campaign = ann.world.strict["campaign"]
    assert len(ann.send("GET", f"/observations?campaign={campaign}").json()["items"]) == 2
    assert ann.send("GET", f"/observations?campaign={new_id()}").json()["items"] == []


def test_only_what_is_ones_own(ann: Somebody, client: Client) -> None:
    bert = somebody(client, ann.world, "participant")
    for wrong in (
        {"site": bert.site},
        {"site": new_id()},
        {"telescope": bert.equipment("telescope")},
        {"telescope": ann.equipment("camera")},
        {"filter": new_id()},
    ):
        answer = ann.join("A", **wrong)
        assert answer.status_code == 422, wrong
        assert next(iter(wrong)) in answer.json()["detail"]
    own = ann.join("A").json()["id"]
    assert ann.send("PATCH", f"/observations/{own}", {"site": bert.site}).status_code == 422
    assert bert.send("GET", f"/observations/{own}").status_code == 404
    assert bert.send("PATCH", f"/observations/{own}", {"status": "negative"}).status_code == 404
    assert bert.send("DELETE", f"/observations/{own}").status_code == 404


def test_retired_equipment(ann: Somebody) -> None:
    telescope = ann.equipment("telescope")
    with ann.world.database.writing() as session:
        session.execute(update(Equipment).where(Equipment.id == telescope).values(retired=now()))
    assert ann.join("A", telescope=telescope).status_code == 422


def test_campaigns_that_cannot_be_joined(ann: Somebody) -> None:
    assert ann.join("A", campaign=new_id()).status_code == 404
    with ann.world.database.writing() as session:
        campaign = ann.world.strict["campaign"]
        session.execute(update(Campaign).where(Campaign.id == campaign).values(state="closed"))
    answer = ann.join("A")
    assert answer.status_code == 409
    assert "closed" in answer.json()["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "seen"},
        {"station": ""},
        {"station": "a\nb"},
        {"station": "a\0b"},
        {"colour": "red"},
        {"report": {"colour": "red"}},
        {"report": {"begin": "2020-08-08T23:40:00"}},
        {"report": {"begin": "2020-08-08T23:50:00Z", "end": "2020-08-08T23:40:00Z"}},
        {"report": {"disappearance": {"utc": "2020-08-08T23:44:27Z", "sigma_s": 0}}},
        {"report": {"disappearance": {"utc": "2020-08-08T23:44:27Z", "sigma_s": "NaN"}}},
        {"report": {"exposure_s": -1}},
        {"report": {"clouds_percent": 101}},
        {"report": {"timing": "guess"}},
        {"report": {"comments": ["a"] * 51}},
        {
            "report": {
                "disappearance": {"utc": "2020-08-08T23:44:27Z"},
                "reappearance": {"utc": "2020-08-08T23:44:26Z"},
            }
        },
    ],
)
def test_fields_of_the_form(ann: Somebody, wrong: dict[str, Any]) -> None:
    answer = ann.join(**wrong)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert ann.send("GET", "/observations").json()["items"] == []


def test_null_is_for_equipment(ann: Somebody) -> None:
    own = ann.join("A").json()["id"]
    for name in ("site", "station", "status", "report", "consent", "role"):
        assert ann.send("PATCH", f"/observations/{own}", {name: None}).status_code == 422


def test_what_has_files_stays(ann: Somebody) -> None:
    from api.observations.tables import ObservationFile

    own = ann.join("A").json()["id"]
    ann.world.add(
        ObservationFile(
            id=new_id(), observation=own, role="roi", name="a.png", size=1, sha256="0" * 64, state="accepted",
            finding={}, created=now(),
        )
    )  # fmt: skip
    assert ann.send("DELETE", f"/observations/{own}").status_code == 409


def test_the_list_of_those_who_manage_it(ann: Somebody, client: Client) -> None:
    ann.join("A", status="negative")
    staff = somebody(client, ann.world, "staff")
    campaign = ann.world.strict["campaign"]
    listed = staff.send("GET", f"/campaigns/{campaign}/observations").json()["items"]
    assert len(listed) == 3
    only = staff.send("GET", f"/campaigns/{campaign}/observations?status=negative").json()["items"]
    assert [one["station"] for one in only] == ["A"]
    assert ann.send("GET", f"/campaigns/{campaign}/observations").status_code == 403
