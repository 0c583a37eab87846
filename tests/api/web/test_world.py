"""The world that the portal's tests look at is what it says, and true."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.api.campaign.truth import RADIUS_KM, edges_ns
from tests.api.client import Client, serving
from tests.api.executors import Scripted
from tests.api.people.browser import Browser, database
from tests.api.web import scenery
from tests.api.web.archive import REDUCED, STATUS
from tests.api.web.cast import ADA, EVA, EVERYONE, OBSERVERS, PASSWORD, STAFF
from tests.api.web.world import FREE, World, copied, told

SIGMAS = 4.0


@pytest.fixture(scope="module")
def kept(made: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A copy for this file."""
    return copied(made, tmp_path_factory.mktemp("kept") / "world")


@pytest.fixture(scope="module")
def client(kept: World) -> Iterator[Client]:
    with serving(kept.folder / "data", kept.home, Scripted(), **FREE) as client:
        yield client


@pytest.fixture(scope="module")
def staff(client: Client) -> Browser:
    browser = Browser(client)
    assert browser.log_in(STAFF.email, PASSWORD).status_code == 201
    return browser


def got(browser: Browser, path: str) -> Any:
    answer = browser.send("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_everyone_logs_in(client: Client, kept: World) -> None:
    for member in EVERYONE:
        browser = Browser(client)
        assert browser.log_in(member.email, PASSWORD).status_code == 201
        account = got(browser, "/account")
        assert (account["name"], account["level"]) == (member.name, member.level)
        assert account["id"] == kept.note["people"][member.key]["id"]
    assert f"{ADA.email} " in told(kept)


def test_stations_and_their_results(staff: Browser, kept: World) -> None:
    campaign = kept.note["campaigns"]["past"]
    rows = got(staff, f"/campaigns/{campaign}/observations")["items"]
    assert {row["id"]: row["status"] for row in rows} == {
        kept.note["stations"][member.key]: STATUS.get(member, "positive") for member in OBSERVERS
    }
    for member in REDUCED:
        for version in range(len(kept.note["more"]["results"][member.key])):
            figures = got(staff, f"/results/{kept.result(member.key, version)}")["figures"]["event"]
            assert figures["status"] == ("negative" if member is EVA else "positive"), (member.key, figures)
    assert len(kept.note["more"]["results"]["ada"]) == 2
    assert got(staff, f"/files/{kept.note['files']['gus']}")["state"] == "refused"
    assert got(staff, f"/jobs/{kept.note['more']['failed']}")["state"] == "failed"


def test_chords_are_true(staff: Browser, kept: World) -> None:
    campaign = kept.note["campaigns"]["past"]
    chords = {one["observation"]: one for one in got(staff, f"/campaigns/{campaign}/chords")["items"]}
    for member in REDUCED[:-1]:
        chord = chords[kept.note["stations"][member.key]]
        for name, true_ns in zip("dr", edges_ns(scenery.placed(member)), strict=True):
            late = datetime.fromisoformat(chord[name]["utc"]).timestamp() - true_ns * 1e-9
            assert abs(late) < SIGMAS * chord[name]["sigma_s"], (member.key, name, late, chord[name])
    (fit,) = got(staff, f"/campaigns/{campaign}/fits")["items"]
    assert fit["state"] == "done"
    limb = got(staff, f"/campaigns/{campaign}/fits/{fit['version']}")["limb"]
    diameter = limb["fit"]["figures"]["diameter_km"]
    assert abs(diameter["value"] - 2 * RADIUS_KM) < SIGMAS * diameter["sigma"], diameter
    assert limb["named"] == []


def test_a_copy_is_ones_own(made: World, kept: World, client: Client, tmp_path: Path) -> None:
    assert kept.home != made.home
    assert str(database(client).engine.url).endswith(str(kept.home / "umbra.sqlite"))
    another = copied(made, tmp_path / "another")
    assert (another.home / "umbra.sqlite").stat().st_nlink == 1
