"""The limb by the API: the very bytes of `umbra chords`, versions that never change, and who may see them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.requirements import require

require("server")

from api.campaigns.tables import Prediction  # noqa: E402 - after the check for the extra
from api.database.tables import now  # noqa: E402
from api.mail.tables import Message  # noqa: E402
from ingest.chords_cli import chords  # noqa: E402
from tests.api.access.webhook_requests import told_to, webhook_of  # noqa: E402
from tests.api.access.world import make_world  # noqa: E402
from tests.api.backends import service_on  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.client import Client  # noqa: E402
from tests.api.fits.field import TRUTH, Stations, elements  # noqa: E402

ADDED = {"campaign.toml", "event.xml", "provenance.json", "limb-open.png", "limb-open.svg"}


class Fitted:
    """A campaign with a limb."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.callers = Callers(client, make_world(client.app.state.database))
        self.stations = Stations(self.callers.world, client.app.state.store, folder)
        self.stations.fill()
        self.here = f"/campaigns/{self.stations.campaign}/fits"
        self.hooks = [
            webhook_of(self.callers.world, self.callers.world.people[who].id)
            for who in ("responsible", "owner")
        ]
        self.asked = self.post({"seed": 1})
        self.done = self.ended(1)

    def post(self, body: Any, who: str = "responsible", key: str | None = None, **options: Any) -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.callers.ask(who, "POST", self.here, json=body, headers=headers, **options)

    def ended(self, version: int) -> Any:
        for _ in range(10):
            told = self.callers.get("staff", f"{self.here}/{version}", wait=30)
            if told["state"] in {"done", "failed"}:
                return told
        raise AssertionError(f"{told}: does not end")

    def file(self, name: str, who: str = "staff", version: int = 1) -> Any:
        return self.callers.ask(who, "GET", f"{self.here}/{version}/files/{name}")


@pytest.fixture(scope="module", params=["sqlite"])
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fitted]:
    folder = tmp_path_factory.mktemp("results")
    for client in service_on(request.param, tmp_path_factory.mktemp("service")):
        yield Fitted(client, folder)


def test_a_limb_by_the_api_is_that_of_the_command(fitted: Fitted, tmp_path: Path) -> None:
    """From the files that the service tells: the same bytes in every file that the command writes."""
    assert fitted.asked.status_code == 202, fitted.asked.text
    assert fitted.asked.headers["location"] == f"/api/v1{fitted.here}/1"
    assert fitted.done["state"] == "done", fitted.done
    for name in ("campaign.toml", "event.xml"):
        (tmp_path / name).write_bytes(fitted.file(name).content)
    results = tmp_path / "results"
    results.mkdir()
    for one in fitted.done["made_from"]:
        if one["key"] is not None:
            fitted.stations.store.fetch("results", one["key"], results / one["key"])
    out = tmp_path / "out"
    assert chords([str(tmp_path / "campaign.toml"), "--seed", "1", "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == set(fitted.done["files"]) - ADDED
    assert "curves.png" in fitted.done["files"]
    for path in out.iterdir():
        assert fitted.file(path.name).content == path.read_bytes(), path.name
    document = json.loads((out / "limb.json").read_text())
    told = fitted.done["limb"]
    assert told["fit"] == {name: value for name, value in document["fit"].items() if name != "influence"}
    assert told["named"] == document["named"]


def test_the_limb_is_that_of_the_body(fitted: Fitted) -> None:
    figures = fitted.done["limb"]["fit"]["figures"]
    for name, value in (("f_km", TRUTH.f_km), ("g_km", TRUTH.g_km), ("semi_major_km", TRUTH.a_km)):
        low, high = figures[name]["intervals"][2]
        assert low < value < high, name
    assert fitted.done["limb"]["chords"] == 5
    assert "5 chords" in fitted.done["sentence"]


def test_who_answers_for_the_campaign_is_told_once(fitted: Fitted) -> None:
    """The event responsible asked for it: one e-mail, with the limb in a line; the owner gets none."""
    world = fitted.callers.world
    with world.database.reading() as session:
        told = list(session.scalars(select(Message).where(Message.kind == "fit")))
    mine = [one for one in told if f"{fitted.here.removesuffix('s')}/1\n" in one.text]
    assert [one.person for one in mine] == [world.people["responsible"].id]
    assert fitted.done["sentence"] in mine[0].text
    (event, *_), nothing = (told_to(world, hook) for hook in fitted.hooks)
    assert (event["version"], event["state"], nothing) == (1, "done", [])


def test_what_it_is_made_from_is_told(fitted: Fitted) -> None:
    told = {one["station"]: one for one in fitted.done["made_from"]}
    for number, station in enumerate(fitted.stations.seen):
        one = told[station.name]
        assert one["used"] is True
        assert one["source"] == ("report" if number in {1, 3} else "result")
        assert (one["version"], one["recording_sha256"]) == (
            (None, None) if number in {1, 3} else (1, "0" * 64)
        )
    assert told["owner"]["used"] is False
    kept = json.loads(fitted.file("provenance.json").content)
    assert kept["stations"] == fitted.done["made_from"]
    assert kept["edition"] == fitted.done["edition"]
    assert kept["seed"] == 1


def test_the_same_inputs_are_the_same_version_and_others_another(fitted: Fitted) -> None:
    again = fitted.post({"seed": 1}, key="k-1")
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert again.json()["id"] == fitted.asked.json()["id"]
    late = {fitted.stations.observations[0]: {"late_s": 0.25, "clock_sigma_s": 0.02}}
    other = fitted.post({"model": "circle", "stations": late}, key="k-2")
    assert (other.status_code, other.json()["version"]) == (202, 2)
    same = fitted.post({"model": "circle", "stations": late}, key="k-2")
    assert (same.status_code, same.json()["version"]) == (200, 2)
    assert fitted.post({"model": "ellipse"}, key="k-2").status_code == 422
    answered = 0  # while it is computed, others are not held up
    while fitted.callers.get("staff", f"{fitted.here}/2")["state"] in {"queued", "running"}:
        assert fitted.callers.ask("anyone", "GET", "/health").status_code == 200
        answered += 1
    assert answered > 10
    done = fitted.ended(2)
    assert done["limb"]["fit"]["model"] == "circle"
    text = fitted.file("campaign.toml", version=2).text
    assert "late_s = 0.25" in text
    listed = fitted.callers.get("staff", fitted.here)["items"]
    assert [one["version"] for one in listed] == [2, 1]
    assert listed[1]["key"] == fitted.done["key"]
    assert fitted.callers.get("staff", f"{fitted.here}/1") == fitted.done  # it never changes


@pytest.mark.parametrize(
    "body",
    [
        {"models": "circle"},
        {"model": "square"},
        {"seed": -1},
        {"diameter_sigma_km": 3},
        {"diameter_km": 0},
        {"stations": {"0" * 32: {"late_s": 1}}},
        {"stations": {"x": {}}},
        {"star_catalogue": "Gaia 3\n"},
        {"ades": {"submitter": "A"}},
    ],
    ids=str,
)
def test_what_cannot_be_fitted_is_refused(fitted: Fitted, body: Any) -> None:
    answer = fitted.post(body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_without_a_chord_there_is_no_limb(fitted: Fitted) -> None:
    opened = fitted.callers.world.opened
    with fitted.callers.world.database.writing() as session:
        session.execute(
            update(Prediction).where(Prediction.id == opened["prediction"]).values(elements=elements())
        )
    answer = fitted.callers.ask("staff", "POST", f"/campaigns/{opened['campaign']}/fits", json={})
    assert answer.status_code == 422
    assert "none of the campaign's 2 stations has a D or an R" in answer.json()["detail"]


def test_figures_and_pages(fitted: Fitted) -> None:
    for form, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        answer = fitted.callers.ask("responsible", "GET", f"{fitted.here}/1/limb.{form}")
        assert answer.status_code == 200
        assert answer.content.startswith(start)
        assert answer.content == fitted.file(f"limb.{form}").content
        assert "sandbox" in answer.headers["content-security-policy"]
    assert "allow-scripts" in fitted.file("limb.html").headers["content-security-policy"]
    assert fitted.file("limb.jpg").status_code == 404
    assert fitted.file("..%2f..%2fumbra.sqlite").status_code in {404, 422}


def test_participants_see_the_limb_and_no_place(fitted: Fitted) -> None:
    stations, ask = fitted.stations, fitted.callers.ask
    stations.embargo(now() - timedelta(days=1))
    try:
        told = ask("participant", "GET", f"{fitted.here}/1")
        listed = ask("participant", "GET", fitted.here)
        figure = ask("participant", "GET", f"{fitted.here}/1/limb.svg")
        assert [told.status_code, listed.status_code, figure.status_code] == [200, 200, 200]
        assert told.json()["limb"]["fit"] == fitted.done["limb"]["fit"]
        assert told.json()["made_from"] is None
        assert told.json()["files"] is None
        assert fitted.file("limb.json", "participant").status_code == 403
        assert figure.content == fitted.file("limb-open.svg").content
        assert figure.content != fitted.file("limb.svg").content
        for station in stations.seen:
            for text in (told.text, listed.text, figure.text):
                assert f"{station.site.latitude_deg:.4f}" not in text
    finally:
        stations.embargo(None)


def test_a_fit_that_its_process_does_not_survive_says_so(
    fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.fits.fitting.MOST_SECONDS", 1)  # of processor time: less than its imports take
    told = fitted.ended(fitted.post({"seed": 6}).json()["version"])
    assert told["state"] == "failed"
    assert "was ended (signal" in told["error"]
