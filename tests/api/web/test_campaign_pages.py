"""Pages of campaigns without scripts: what the API tells stands there, as far as the visitor may know it."""

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from tests.requirements import require

require("server")

from api.campaigns.tables import Campaign, Prediction, Responsible  # noqa: E402 - after the check
from api.database.tables import new_id, now  # noqa: E402
from api.equipment.tables import Equipment, Site  # noqa: E402
from api.fits.tables import Fit  # noqa: E402
from api.notices.tables import Announcement  # noqa: E402
from api.observations.tables import Observation  # noqa: E402
from tests.api.access.fit_requests import fit_of  # noqa: E402
from tests.api.access.world import make_world  # noqa: E402
from tests.api.backends import service_on  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.client import Client  # noqa: E402
from tests.api.fits.field import Stations  # noqa: E402

NASTY = "<script>alert('x')</script>\"&"
FIRST_PAGE_BYTES = 150_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from service_on("sqlite", tmp_path_factory.mktemp("service"))


@pytest.fixture
def callers(client: Client) -> Callers:
    client.forget()
    return Callers(client, make_world(client.app.state.database))


@pytest.fixture
def stations(client: Client, callers: Callers, tmp_path: Path) -> Stations:
    return Stations(callers.world, client.app.state.store, tmp_path)


class Rows(HTMLParser):
    """The words of a page, the cells of its tables, and what its data blocks hold."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.data: dict[str, Any] = {}
        self.addresses: list[str] = []
        self._table = self._block = ""
        self._quiet = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        if tag == "table":
            self._table = held.get("id", "")
            self.tables.setdefault(self._table, [])
        elif tag == "tr":
            self.tables.setdefault(self._table, []).append([])
        elif tag in {"td", "th"}:
            self.tables[self._table][-1].append("")
        elif tag == "script":
            self._quiet, self._block = True, held.get("id", "")
        if tag in {"link", "script", "img"}:
            self.addresses += [held[name] for name in ("href", "src") if held.get(name)]

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._quiet, self._block = False, ""
        elif tag == "table":
            self._table = ""

    def handle_data(self, data: str) -> None:
        if self._quiet:
            if self._block:
                self.data[self._block] = json.loads(data)
            return
        self.words.append(data)
        rows = self.tables.get(self._table)
        if rows and rows[-1]:
            rows[-1][-1] = f"{rows[-1][-1]} {data}"

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def row(self, table: str, first: str) -> list[str]:
        rows = [[" ".join(cell.split()) for cell in row] for row in self.tables[table]]
        return next(row for row in rows if row and row[0].startswith(first))


def read(answer: httpx.Response) -> Rows:
    rows = Rows()
    rows.feed(answer.text)
    return rows


def send(callers: Callers, who: str, method: str, path: str, **options: Any) -> httpx.Response:
    callers.client.forget()
    headers = {**callers.world.headers(who), **options.pop("headers", {})}
    return callers.client.send(method, path, headers=headers, **options)


def page(callers: Callers, who: str, path: str, **params: Any) -> Rows:
    answer = send(callers, who, "GET", path, params=params)
    assert answer.status_code == 200, answer.text
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r"<[^>]+\sstyle=|<[^>]+\son\w+=|<style", answer.text), "the policy refuses these"
    return read(answer)


def post(callers: Callers, who: str, path: str, **fields: Any) -> httpx.Response:
    return send(callers, who, "POST", path, data=fields)


def soon(callers: Callers, kind: str = "strict", **days: float) -> None:
    """Let the event of a campaign come; its path stays as it is."""
    things = getattr(callers.world, kind)
    with callers.world.database.writing() as session:
        chosen = update(Prediction).where(Prediction.id == things["prediction"])
        session.execute(chosen.values(at=now() + timedelta(**days)))


def site_of(callers: Callers, who: str, **fields: Any) -> Site:
    values: dict[str, Any] = {
        "name": "My roof",
        "latitude_deg": 46.3,
        "longitude_deg": 14.2,
        "height_m": 300.0,
    }
    row = Site(id=new_id(), person=callers.world.people[who].id, created=now(), **values | fields)
    callers.world.add(row)
    return row


def test_the_first_page_of_a_visitor(callers: Callers, stations: Stations) -> None:
    soon(callers, days=3)
    shown = page(callers, "anyone", "/")
    assert "Register as an observer" in shown.text
    assert "Ixion" not in shown.text, "campaigns are for who is logged in"
    assert send(callers, "anyone", "GET", "/campaigns").status_code == 303


@pytest.mark.parametrize("who", ["anyone", "observer"])
def test_the_first_page_is_light(callers: Callers, stations: Stations, who: str) -> None:
    soon(callers, days=3)
    answer = send(callers, who, "GET", "/")
    shown = read(answer)
    sizes = {"/": len(answer.content)}
    wanted = {one for one in shown.addresses if one.startswith("/static/")}
    leaflet = next((one for one in wanted if one.endswith("/islands/leaflet.css")), None)
    if "map-data" in shown.data and leaflet is not None:
        folder = leaflet.rpartition("/")[0]
        wanted |= {f"{folder}/{name}" for name in ("leaflet.js", "topojson.js", "land-110m.json")}
        sizes["paths"] = len(send(callers, who, "GET", shown.data["map-data"]["paths"]).content)
    for address in wanted:
        sent = callers.client.run(_bytes(callers.client, address))
        sizes[address] = sent
    assert sum(sizes.values()) < FIRST_PAGE_BYTES, sizes


async def _bytes(client: Client, address: str) -> int:
    status, body = await client.bare(address, {"Accept-Encoding": "gzip"})
    assert status == 200, address
    return len(body)


def test_a_page_that_the_browser_has_keeps_its_policy(callers: Callers) -> None:
    first = send(callers, "observer", "GET", "/campaigns")
    again = send(callers, "observer", "GET", "/campaigns", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    for name in ("content-security-policy", "referrer-policy"):
        assert again.headers[name] == first.headers[name]


def test_calendar(callers: Callers, stations: Stations) -> None:
    soon(callers, days=3)
    soon(callers, "opened", days=-5)
    author = callers.world.people["staff"]
    callers.world.add(
        Announcement(
            id=new_id(), subject="Clear skies", text=NASTY, author=author.id, created=now(),
        )
    )  # fmt: skip
    shown = page(callers, "participant", "/")
    assert "Clear skies" in shown.text
    assert NASTY in shown.text
    rows = [" ".join(row[1].split()) for table in shown.tables.values() for row in table if len(row) > 1]
    assert rows.count("Ixion ✓ you take part") >= 1
    assert "in 3 days" in shown.text
    assert "5 days ago" in shown.text
    told = shown.data["map-data"]
    found = json.loads(send(callers, "participant", "GET", told["paths"]).text)
    (line,) = [one for one in found["features"] if one["properties"]["campaign"] == stations.campaign]
    assert line["geometry"]["type"] == "MultiLineString"


def test_campaigns_are_found(callers: Callers) -> None:
    with callers.world.database.writing() as session:
        session.execute(
            update(Campaign).where(Campaign.id == callers.world.open["campaign"]).values(state="closed")
        )
        session.execute(
            update(Campaign).where(Campaign.id == callers.world.strict["campaign"]).values(name=NASTY)
        )

    def names(**params: Any) -> set[str]:
        shown = page(callers, "participant", "/campaigns", **params)
        ours = {getattr(callers.world, kind)["campaign"]: kind for kind in ("strict", "open", "opened")}
        text = send(callers, "participant", "GET", "/campaigns", params=params).text
        assert shown.text
        return {kind for identity, kind in ours.items() if f"/campaigns/{identity}" in text}

    assert names() == {"strict", "open", "opened"}
    assert names(state="closed", words="ixion") == {"open"}
    assert names(words="script>") == {"strict"}
    assert names(mine="true") == {"strict", "open"}
    assert names(words="IX ION") == {"strict", "open", "opened"}
    assert names(words="100%_") == set()
    assert names(start_date="2199-01-01") == set()
    wrong = send(callers, "participant", "GET", "/campaigns", params={"start_date": "soon"})
    assert wrong.status_code == 422
    assert "year-month-day" in wrong.text
    assert NASTY not in send(callers, "participant", "GET", "/campaigns").text


def test_a_list_goes_on(callers: Callers) -> None:
    for _ in range(51):
        row = Prediction(
            id=new_id(), occ_id=new_id(), source="", object_name="Far", object_key="far", at=now(),
            elements={}, created=now(), changed=now(),
        )  # fmt: skip
        callers.world.add(row)
        callers.world.add(
            Campaign(id=new_id(), prediction=row.id, name="Far", state="open", opened=now(), embargo=None)
        )
    first = send(callers, "observer", "GET", "/campaigns", params={"words": "far"})
    (more,) = re.findall(r'rel="next" href="([^"]+)"', first.text)
    second = send(callers, "observer", "GET", html.unescape(more))
    ids = [set(re.findall(r"/campaigns/([0-9a-f]{32})", one.text)) for one in (first, second)]
    assert (len(ids[0]), ids[0] & ids[1]) == (50, set())
    assert ids[1]
    assert "These are all" in second.text


def test_what_a_site_may_expect_is_what_the_api_tells(callers: Callers, stations: Stations) -> None:
    there = stations.seen[2].site
    mine = site_of(callers, "observer", latitude_deg=there.latitude_deg, longitude_deg=there.longitude_deg)
    stations.fill()
    address = f"/campaigns/{stations.campaign}"
    shown = page(callers, "observer", address, latitude="46 30 00", longitude="14.5", height="250")
    here = f"/predictions/{stations.things['prediction']}"
    for name, params in (
        ("My roof", {"site": mine.id}),
        ("the chosen place", {"latitude": 46.5, "longitude": 14.5, "height": 250}),
    ):
        told = callers.get("observer", f"{here}/circumstances", **params)
        row = shown.row("", name)
        assert told["predicted_utc"][11:21] in row[1]
        assert f"{abs(told['offset_km']):.1f} km {told['side']}" in row[2]
        share = 100 * told["probability"]
        assert row[3] == f"{share:.{1 if share < 10 else 0}f} %"
        assert row[4] == (f"{told['duration_s']:.1f} s" if told["duration_s"] else "misses")
        assert told["darkness"] in row[5]
    data = shown.data["map-data"]
    assert data["path"] == f"/api/v1{here}/path.geojson"
    assert data["circumstances"] == f"/api/v1{here}/circumstances"
    assert data["sites"] == [
        {"name": "My roof", "latitude_deg": there.latitude_deg, "longitude_deg": there.longitude_deg}
    ]
    path = callers.get("observer", f"{here}/path")
    assert f"{path['geocentric']['path_sigma_km']:.1f} km across" in shown.text
    assert f"path {path['path']['width_km']:.1f} km wide" in shown.text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"latitude": "north", "longitude": "3"}, "is no angle"),
        ({"latitude": "95", "longitude": "3"}, "beyond 90"),
        ({"latitude": "5"}, "is no angle"),
        ({"latitude": "5", "longitude": "5", "height": "1e9"}, "metres above"),
    ],
)
def test_a_place_that_is_none(callers: Callers, stations: Stations, typed: dict[str, str], told: str) -> None:
    shown = page(callers, "observer", f"/campaigns/{stations.campaign}", **typed)
    assert told in shown.text


def test_who_sees_whom(callers: Callers, stations: Stations) -> None:
    stations.fill()
    stations.join(stations.seen[0], NASTY, status="technical_failure")
    address = f"/campaigns/{stations.campaign}"
    outside = page(callers, "observer", address)
    assert outside.data["map-data"]["stations"] == []
    assert "observer of" not in outside.text
    inside = page(callers, "participant", address)
    assert NASTY in inside.text
    shown = {one["station"]: one for one in inside.data["map-data"]["stations"]}
    assert len(shown) == len(stations.seen) + 3
    for station in stations.seen:
        one = shown[station.name]
        assert one["exact"] is False
        assert one["latitude_deg"] == round(station.site.latitude_deg, 2)
        assert one["longitude_deg"] == round(station.site.longitude_deg, 2)
    assert shown[NASTY]["state"] == "technical_failure"
    assert f"{stations.seen[0].site.latitude_deg:.4f}" not in inside.text
    team = page(callers, "responsible", address)
    exact = {one["station"]: one for one in team.data["map-data"]["stations"]}
    assert exact[stations.seen[0].name]["latitude_deg"] == stations.seen[0].site.latitude_deg
    # the team is told what came of the data, not what was reported
    assert {exact[one.name]["state"] for one in stations.seen} == {"positive", "negative"}
    assert "positive 5 negative 1" in team.text


def test_without_elements(callers: Callers) -> None:
    campaign = callers.world.strict["campaign"]
    for path in ("", "/chords", "/curves", "/fit", "/data"):
        shown = page(callers, "staff", f"/campaigns/{campaign}{path}")
        assert "Ixion" in shown.text


def test_join(callers: Callers) -> None:
    campaign = callers.world.strict["campaign"]
    assert "register your site" in page(callers, "observer", f"/campaigns/{campaign}").text.lower()
    mine, foreign = site_of(callers, "observer"), site_of(callers, "owner", name="Theirs")
    camera = Equipment(
        id=new_id(), person=callers.world.people["observer"].id, kind="camera", name="QHY 174M", details={},
        created=now(),
    )  # fmt: skip
    callers.world.add(camera)
    shown = page(callers, "observer", f"/campaigns/{campaign}")
    assert "QHY 174M" in shown.text
    assert "Theirs" not in shown.text
    address = f"/campaigns/{campaign}/join"
    for fields, word in (
        ({"station": "Roof"}, "site"),
        ({"station": "Roof", "site": foreign.id}, "not among the observer&#39;s own"),
        ({"station": "", "site": mine.id}, "station"),
    ):
        answer = post(callers, "observer", address, **fields)
        assert answer.status_code == 422, fields
        assert word in answer.text
    made = post(
        callers,
        "observer",
        address,
        station="Roof",
        site=mine.id,
        camera=camera.id,
        consent="true",
        filter="",
    )
    assert made.status_code == 303
    identity = made.headers["location"].removeprefix("/observations/").partition("?")[0]
    told = callers.get("observer", f"/observations/{identity}")
    assert (told["station"], told["camera"], told["consent"], told["status"]) == (
        "Roof",
        camera.id,
        True,
        "planned",
    )
    again = post(callers, "observer", address, station="Roof", site=mine.id)
    assert again.status_code == 409
    assert "a station of that name" in again.text
    with callers.world.database.writing() as session:
        session.execute(update(Campaign).where(Campaign.id == campaign).values(state="closed"))
    closed = post(callers, "observer", address, station="Late", site=mine.id)
    assert closed.status_code == 409
    assert "no station can join" in page(callers, "observer", f"/campaigns/{campaign}").text


def test_the_team_manages(callers: Callers) -> None:
    campaign = callers.world.strict["campaign"]
    address = f"/campaigns/{campaign}/change"

    def kept() -> Campaign:
        with callers.world.database.reading() as session:
            return session.get_one(Campaign, campaign)

    assert post(callers, "participant", address, name="Mine").status_code == 403
    assert "Manage the campaign" not in page(callers, "participant", f"/campaigns/{campaign}").text
    assert post(callers, "responsible", address, name="Ixion 2020").status_code == 303
    assert kept().name == "Ixion 2020"
    wrong = post(callers, "responsible", address, embargo="some day")
    assert wrong.status_code == 422
    assert "some day" in wrong.text
    assert post(callers, "responsible", address, embargo="2030-05-06T07:08").status_code == 303
    assert kept().embargo is not None
    assert kept().embargo.isoformat() == "2030-05-06T07:08:00+00:00"  # type: ignore[union-attr]  # just seen
    assert "until 2030-05-06 07:08 UTC" in page(callers, "participant", f"/campaigns/{campaign}").text
    assert post(callers, "responsible", address, embargo="now").status_code == 303
    assert "open to all who take part" in page(callers, "participant", f"/campaigns/{campaign}").text
    assert post(callers, "responsible", address, embargo="never").status_code == 303
    assert kept().embargo is None
    assert post(callers, "responsible", address, observers_reduce="true").status_code == 303
    assert kept().observers_reduce
    assert post(callers, "responsible", address, state="closed").status_code == 303
    assert kept().state == "closed"


def test_appointments(callers: Callers) -> None:
    campaign, somebody = callers.world.strict["campaign"], callers.world.people["observer"]
    address = f"/campaigns/{campaign}/responsibles"
    assert post(callers, "responsible", address, email=somebody.email).status_code == 403
    unknown = post(callers, "staff", address, email="nobody@example.org")
    assert unknown.status_code == 422
    assert "nobody@example.org" in unknown.text
    assert post(callers, "staff", address, email=somebody.email).status_code == 303
    assert "/data" in send(callers, "observer", "GET", f"/campaigns/{campaign}").text
    assert post(callers, "staff", f"{address}/{somebody.id}/withdraw").status_code == 303
    with callers.world.database.reading() as session:
        rows = select(Responsible).where(Responsible.campaign == campaign, Responsible.person == somebody.id)
        assert session.scalar(rows) is None


def test_the_table_of_chords_is_the_api_s(callers: Callers, stations: Stations) -> None:
    stations.fill()
    stations.join(stations.seen[0], NASTY, status="overcast")
    address = f"/campaigns/{stations.campaign}/chords"
    assert send(callers, "participant", "GET", address).status_code == 403
    shown = page(callers, "responsible", address)
    told = callers.get("responsible", f"{address}")
    assert "positive 5 negative 1 overcast 1 technical failure 0 planned 2 unknown 0 together 9" in shown.text
    for one in told["items"]:
        row = shown.row("chords", one["station"])
        assert one["state"].replace("_", " ") in row[2]
        assert ("✓ yes" if one["used"] else one["why"]) in row[12]
        for cell, end in ((row[3], one["d"]), (row[4], one["r"])):
            if end is None:
                assert cell == "–"
                continue
            assert end["utc"][11:20] in cell
            assert f"± {end['sigma_s']:.3f} s" in cell
        if one["length_km"] is not None:
            assert f"{one['length_km']:.2f} ± {one['length_sigma_km']:.2f}" in row[5]
    table = csv.DictReader(io.StringIO(callers.ask("responsible", "GET", f"{address}.csv").text))
    assert len(list(table)) == len(told["items"])


def test_decisions(callers: Callers, stations: Stations) -> None:
    stations.fill()
    address = f"/campaigns/{stations.campaign}/chords/{stations.observations[0]}"
    assert "Decide what counts" in page(callers, "staff", address).text
    without = post(callers, "responsible", address, excluded="true", reason="")
    assert without.status_code == 422
    assert "say why" in without.text
    assert post(callers, "participant", address, excluded="true", reason="x").status_code == 403
    assert post(callers, "responsible", address, excluded="true", reason=NASTY).status_code == 303
    shown = page(callers, "responsible", address)
    assert f"left out : {NASTY}" in shown.text or f"left out: {NASTY}" in shown.text
    assert post(callers, "responsible", address, back="yes").status_code == 303
    assert callers.get("responsible", f"{address}")["choice"] is None


def test_readers_see_rounded_places_once_the_embargo_is_over(callers: Callers, stations: Stations) -> None:
    stations.fill()
    address = f"/campaigns/{stations.campaign}"
    assert send(callers, "participant", "GET", f"{address}/chords").status_code == 403
    assert "Chords" not in page(callers, "participant", address).text
    stations.embargo(now() - timedelta(minutes=1))
    for path in ("/chords", "/curves", "/fit"):
        shown = page(callers, "participant", f"{address}{path}")
        assert f"{stations.seen[0].site.latitude_deg:.4f}" not in shown.text
    shown = page(callers, "participant", f"{address}/chords")
    assert {one["exact"] for one in shown.data["map-data"]["stations"]} == {False}
    assert "Fit the limb" not in page(callers, "participant", f"{address}/fit").text
    assert send(callers, "participant", "GET", f"{address}/data").status_code == 403


def test_curves_lie_in_order_across_the_shadow(callers: Callers, stations: Stations) -> None:
    stations.fill()
    address = f"/campaigns/{stations.campaign}/curves"
    answer = send(callers, "staff", "GET", address)
    told = callers.get("staff", f"/campaigns/{stations.campaign}/chords")
    order = [one["station"] for one in told["items"] if one["used"]]
    labels = re.findall(r'aria-label="Light curve of ([^,"]+)', answer.text)
    assert labels == order
    drawn = {
        name: part.count('class="bar"')
        for name, part in zip(labels, answer.text.split("<article")[1:], strict=True)
    }
    for number, station in enumerate(stations.seen):
        assert (drawn[station.name] > 50) == (number not in {1, 3}), "two stations have reports alone"


def test_a_limb_is_asked_for_and_told(callers: Callers, stations: Stations) -> None:
    stations.fill()
    address = f"/campaigns/{stations.campaign}/fit"
    assert "No limb has been fitted yet" in page(callers, "staff", address).text
    wrong = post(callers, "responsible", address, diameter_sigma_km="3")
    assert wrong.status_code == 422
    assert "give both" in wrong.text
    assert post(callers, "participant", address, model="circle").status_code == 403
    late = {f"stations.{stations.observations[0]}.late_s": "0.5"}
    asked = post(callers, "responsible", address, model="circle", diameter_km="", **late)
    assert asked.status_code == 303, asked.text
    version = int(asked.headers["location"].partition("version=")[2])
    with callers.world.database.reading() as session:
        row = session.scalar(select(Fit).where(Fit.campaign == stations.campaign, Fit.version == version))
        assert row is not None
        assert row.request == {"model": "circle", "stations": {stations.observations[0]: {"late_s": 0.5}}}
    part = send(callers, "responsible", "GET", f"{address}/{version}", headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.text
    whole = send(callers, "responsible", "GET", f"{address}/{version}")
    assert whole.status_code == 303


def figure(value: float, sigma: float) -> dict[str, Any]:
    return {
        "value": value,
        "sigma": sigma,
        "intervals": [[value - sigma, value + sigma], [value - 2 * sigma, value + 2 * sigma], [value, value]],
    }


def test_stations_with_shifted_times_are_named(callers: Callers) -> None:
    campaign = callers.world.opened["campaign"]
    named = {
        "station": NASTY, "late_s": 0.512, "sigma_s": 0.021, "chance": 2e-7,
        "odds_against_another_station": 3.0, "length_sigmas": 0.3,
        "causes": [{"name": "second", "value_s": 0.5, "probability": 0.93, "text": "half a second"}],
    }  # fmt: skip
    fit = {
        "model": "circle", "figures": {"diameter_km": figure(101.234, 0.56)},
        "position_angle_determined": False, "chi2_reduced": 1.1, "degrees_of_freedom": 5, "solutions": [],
    }  # fmt: skip
    outcome = {
        "sentence": "circle, 5 chords", "chords": 5, "stations": 6, "fit": fit,
        "fit_with_named_stations_free": fit, "named": [named], "notes": [{"kind": "a", "message": "a note"}],
    }  # fmt: skip
    row = fit_of(callers.world, campaign, outcome=outcome, finished=now())
    shown = page(callers, "reader", f"/campaigns/{campaign}/fit", version=row.version)
    assert "101.23 ± 0.56 km" in shown.text
    assert f"{NASTY} 0.512 ± 0.021 s late" in shown.text
    assert "1 in 5 000 000 93 % half a second" in shown.text
    assert "a note" in shown.text
    failed = fit_of(callers.world, campaign, state="failed", outcome={"message": "too few chords"})
    assert (
        "too few chords" in page(callers, "staff", f"/campaigns/{campaign}/fit", version=failed.version).text
    )
    assert (
        send(callers, "staff", "GET", f"/campaigns/{campaign}/fit", params={"version": 99}).status_code == 404
    )


def test_event_data_and_authors(callers: Callers) -> None:
    campaign = callers.world.strict["campaign"]
    with callers.world.database.writing() as session:
        rows = update(Observation).where(Observation.id == callers.world.strict["observation"])
        session.execute(rows.values(consent=True, role=NASTY))
    address = f"/campaigns/{campaign}/data"
    assert send(callers, "participant", "GET", address).status_code == 403
    shown = page(callers, "responsible", address)
    assert NASTY in shown.text
    assert "Nobody has asked" in shown.text
    assert post(callers, "participant", address).status_code == 403
    assert post(callers, "responsible", address, missing="list").status_code == 303
    found = callers.get("responsible", f"/campaigns/{campaign}/data-requests")["items"]
    text = send(callers, "responsible", "GET", address).text
    assert found[0]["links"]["bundle"] in text


def test_calendar_address(callers: Callers) -> None:
    assert "Make an address" in page(callers, "observer", "/calendar").text
    made = post(callers, "observer", "/calendar")
    (address,) = re.findall(r"http[^<\s]+campaigns\.ics", made.text)
    path = address[address.index("/api/") :]
    assert send(callers, "anyone", "GET", path).status_code == 200
    assert post(callers, "observer", "/calendar", end="yes").status_code == 303
    assert send(callers, "anyone", "GET", path).status_code == 404
