"""Fits in the database: leases, services that die, requests at once. Nothing is computed here."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.requirements import require

require("server")

from api.access.caller import Caller  # noqa: E402 - after the check for the extra
from api.access.matrix import BY_LEVEL, Level, Operation  # noqa: E402
from api.access.permit import Permit  # noqa: E402
from api.database.tables import now  # noqa: E402
from api.fits.fit_routes import _row  # noqa: E402
from api.fits.fitting import Fitting  # noqa: E402
from api.fits.inputs import Inputs  # noqa: E402
from api.fits.tables import Fit  # noqa: E402
from api.mail.tables import Message  # noqa: E402
from reduction.limb.campaign import Campaign as LimbCampaign  # noqa: E402
from reduction.limb.campaign import read_campaign  # noqa: E402
from tests.api.access.fit_requests import fit_of  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.fits.field import Stations, summary  # noqa: E402
from tests.api.results.things import file_of  # noqa: E402

EMPTY: dict[str, Any] = {"campaign": "", "event": "", "seed": 0, "results": [], "stations": []}


def test_what_a_dead_service_had_begun_is_begun_again_and_given_up_in_the_end(
    callers: Callers, stations: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"/campaigns/{stations.campaign}/fits"
    fitting = callers.client.app.state.fitting
    database = callers.world.database
    row = fit_of(callers.world, stations.campaign, inputs={**EMPTY}, state="done")
    said = {"good": False, "message": "as computed", "again": True}
    monkeypatch.setattr(Fitting, "_computed", lambda _self, _row, _room: dict(said))

    def left(attempts: int, seconds: float = -1.0) -> Any:
        values = {
            "state": "running", "lease": now() + timedelta(seconds=seconds), "attempts": attempts,
            "outcome": {}, "finished": None,
        }  # fmt: skip
        with database.writing() as session:
            session.execute(update(Fit).where(Fit.id == row.id).values(**values))
        fitting.tell()
        return callers.get("staff", f"{here}/{row.version}", wait=30 if seconds < 0 else 0.5)

    assert left(1, 60.0)["state"] == "running"  # somebody is at it
    assert left(1)["error"] == "as computed"
    given_up = left(3)
    assert given_up["state"] == "failed"
    assert "ended 3 times" in given_up["error"]
    answer = callers.ask("staff", "GET", f"{here}/{row.version}/limb.png")
    assert answer.status_code == 409
    assert "ended 3 times" in answer.json()["detail"]


def test_who_asked_for_a_fit_is_told_that_it_failed(
    callers: Callers, stations: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and when it is given up; the others of the campaign are not."""
    fitting = callers.client.app.state.fitting
    said = {"good": False, "message": "two chords say nothing", "again": True}
    monkeypatch.setattr(Fitting, "_computed", lambda _self, _row, _room: dict(said))
    rows = [fit_of(callers.world, stations.campaign, inputs={**EMPTY}, state="queued", attempts=0)]
    more: dict[str, Any] = {"state": "running", "attempts": 3, "lease": now() - timedelta(seconds=1)}
    rows.append(fit_of(callers.world, stations.campaign, inputs={**EMPTY}, **more))
    fitting.tell()
    for row in rows:
        told = callers.get("staff", f"/campaigns/{stations.campaign}/fits/{row.version}", wait=5)
        assert told["state"] == "failed"
    with callers.world.database.reading() as session:
        mails = list(session.scalars(select(Message).where(Message.kind == "fit_failed")))
    mine = [mail for mail in mails if stations.campaign in mail.text]
    assert [mail.person for mail in mine] == [row.person for row in rows]
    assert "two chords say nothing" in mine[0].text
    assert "ended 3 times" in mine[1].text


def test_one_that_lost_its_lease_changes_nothing(
    callers: Callers, stations: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it computed, another service took the fit: its word is not written."""
    here = f"/campaigns/{stations.campaign}/fits"
    fitting = callers.client.app.state.fitting
    database = callers.world.database
    row = fit_of(callers.world, stations.campaign, inputs={**EMPTY}, state="queued", attempts=0)
    taken = threading.Event()

    def computed(_self: Any, mine: Fit, _room: Any) -> dict[str, Any]:
        if mine.id == row.id:
            with database.writing() as session:
                session.execute(update(Fit).where(Fit.id == row.id).values(attempts=2))
            taken.set()
        return {"good": False, "message": "too late"}

    monkeypatch.setattr(Fitting, "_computed", computed)
    fitting.tell()
    assert taken.wait(300)
    told = callers.get("staff", f"{here}/{row.version}", wait=1)
    assert (told["state"], told["error"]) == ("running", None)
    with database.writing() as session:
        session.execute(update(Fit).where(Fit.id == row.id).values(state="failed"))


def test_a_hundred_requests_at_once_are_one_version(callers: Callers) -> None:
    """Through the row's own lock: each thread is another connection."""

    world = callers.world
    caller = Caller("session", world.people["staff"].id, standing=BY_LEVEL[Level.STAFF])
    inputs = Inputs("[[station]]", "<x/>", 9, (), {}, ())
    found: list[int] = []

    def ask() -> None:
        with world.database.writing() as session:
            permit = Permit(caller, Operation.FIT_CAMPAIGN)
            row, _ = _row(session, permit, world.open["campaign"], inputs, {}, None)
            found.append(row.version)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 20


def test_what_was_found_in_a_curve_that_was_sent_lies_beside_the_campaign(
    callers: Callers, stations: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `umbra chords` reads it: the station has the times that were found, less what its clock is late."""
    station = stations.seen[2]
    found = summary(station)["event"] | {"schema": "umbra-events-1"}
    observation = stations.join(station, "here", status="positive")
    callers.world.add(file_of(observation, "c" * 64, name="a.csv", role="additional", events=found))
    body = {"source": "curve", "reason": "the recording is lost"}
    answer = callers.ask("staff", "PUT", f"/campaigns/{stations.campaign}/chords/{observation}", json=body)
    assert answer.status_code == 200, answer.text
    read: list[LimbCampaign] = []

    def computed(_self: Any, row: Fit, room: Path) -> dict[str, Any]:
        if row.campaign == stations.campaign:
            read.append(read_campaign(room / "campaign.toml"))
        return {"good": False, "message": "as computed"}

    monkeypatch.setattr(Fitting, "_computed", computed)
    here = f"/campaigns/{stations.campaign}/fits"
    asked = callers.ask("staff", "POST", here, json={"stations": {observation: {"late_s": 2.5}}})
    assert asked.status_code == 202, asked.text
    told = callers.get("staff", f"{here}/1", wait=30)
    assert (told["state"], told["error"]) == ("failed", "as computed")
    (known,) = [one for one in read[0].stations if one.name == "here"]
    assert station.d is not None
    assert known.d is not None
    assert known.d.utc_ns == station.d.utc_ns - 2_500_000_000
    assert known.d.sigma_s == 0.05
    (one,) = [one for one in told["made_from"] if one["station"] == "here"]
    assert (one["source"], one["curve_sha256"]) == ("curve", "c" * 64)
