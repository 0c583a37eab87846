"""Who sees results before and after the embargo's end: by the one matrix, with the clock in hand."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.requirements import require

require("server")

from api.access import relations  # noqa: E402 - after the check for the extra
from api.database.tables import now  # noqa: E402
from tests.api.access.fit_requests import fit_of  # noqa: E402
from tests.api.access.world import CALLERS  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.fits.field import Stations  # noqa: E402

TEAM = {"responsible", "staff", "superuser"}
END = now() + timedelta(days=30)
MOMENTS: dict[str, tuple[datetime | None, datetime, bool]] = {
    "no date": (None, now() + timedelta(days=9999), False),
    "the last microsecond": (END, END - timedelta(microseconds=1), False),
    "the end": (END, END, True),
    "a year later": (END, END + timedelta(days=365), True),
}


class Things:
    """What there is to see of a campaign: a result of the owner's, and a fit."""

    def __init__(self, callers: Callers, stations: Stations) -> None:
        here = f"/campaigns/{stations.campaign}"
        row = stations.result(stations.things["observation"], stations.seen[2])
        fit = fit_of(callers.world, stations.campaign)
        self.opened = (
            f"{here}/chords",
            f"{here}/chords.csv",
            f"{here}/fits",
            f"{here}/fits/{fit.version}",
            f"{here}/report.html",
        )
        self.curve = f"/results/{row.id}/lightcurve.csv"
        self.own = (
            f"/results/{row.id}",
            f"/results/{row.id}/files/summary.json",
            f"/results/{row.id}/provenance",
            f"/observations/{row.observation}/results",
            f"/observations/{row.observation}/files",
            f"/observations/{row.observation}",
        )
        self.team = (f"{here}/fits/{fit.version}/files/limb.json", f"{here}/observations")


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_sees_what(
    callers: Callers, stations: Stations, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    embargo, at, opened = MOMENTS[moment]
    things = Things(callers, stations)
    stations.embargo(embargo)
    monkeypatch.setattr(relations, "now", lambda: at)
    for who in CALLERS:
        takes_part = who in {"participant", "owner"}
        reads = who in TEAM or (opened and takes_part)
        expected: dict[str, bool] = dict.fromkeys(things.opened, reads)
        expected[things.curve] = reads or who == "owner"
        expected |= dict.fromkeys(things.own, who in TEAM or who == "owner")
        expected |= dict.fromkeys(things.team, who in TEAM)
        for path, allowed in expected.items():
            status = callers.ask(who, "GET", path).status_code
            told = f"{moment}: {who}: {path}: {status}"
            if allowed:
                assert status not in {401, 403, 404} or path in things.team, told
                assert status != 403, told
            else:
                assert status == (401 if who == "anyone" else status), told
                assert status in {401, 403, 404}, told


def test_a_campaign_is_published_and_withdrawn_by_its_date(callers: Callers, stations: Stations) -> None:
    path, chords = f"/campaigns/{stations.campaign}", f"/campaigns/{stations.campaign}/chords"

    def set_to(embargo: Any) -> None:
        answer = callers.ask("responsible", "PATCH", path, json={"embargo": embargo})
        assert answer.status_code == 200, answer.text

    def seen() -> int:
        return callers.ask("participant", "GET", chords).status_code

    assert seen() == 403
    set_to((now() - timedelta(seconds=1)).isoformat())
    assert seen() == 200
    assert callers.ask("observer", "GET", chords).status_code == 403
    set_to(None)
    assert seen() == 403
    set_to((now() + timedelta(days=1)).isoformat())
    assert seen() == 403
