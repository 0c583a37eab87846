"""The map of a campaign: drawn, with the stations that the caller may know of."""

import io
from datetime import timedelta

import pytest

from tests.requirements import require

require("server")

from api.access.matrix import Operation  # noqa: E402 - after the check for the extra
from api.access.permit import Permit  # noqa: E402
from api.database.tables import now  # noqa: E402
from api.fits.map_routes import StationOnMap, stations_of  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.fits.field import Stations  # noqa: E402


def seen_by(callers: Callers, stations: Stations, who: str) -> dict[str, StationOnMap]:
    from api.access.caller import Caller
    from api.access.matrix import BY_LEVEL
    from tests.api.access.world import LEVELS

    caller = Caller("session", callers.world.people[who].id, standing=BY_LEVEL[LEVELS[who]])
    app = callers.client.app
    permit = Permit(caller, Operation.SEE_CAMPAIGNS)
    found = stations_of(stations.campaign, permit, app.state.database, app.state.fitting)
    return {one.station: one for one in found}


def test_stations_as_one_may_know_of_them(callers: Callers, stations: Stations) -> None:
    stations.fill()
    first = stations.seen[0]
    assert seen_by(callers, stations, "observer") == {}
    rough = seen_by(callers, stations, "participant")[first.name]
    assert (rough.exact, rough.state) == (False, "planned"), "what was reported"
    assert rough.latitude_deg == round(first.site.latitude_deg, 2)
    exact = seen_by(callers, stations, "responsible")[first.name]
    assert (exact.exact, exact.state) == (True, "positive"), "what came of the data"
    assert exact.latitude_deg == first.site.latitude_deg
    stations.embargo(now() - timedelta(seconds=5))
    reader = seen_by(callers, stations, "participant")[first.name]
    assert (reader.exact, reader.state, reader.latitude_deg) == (False, "positive", rough.latitude_deg)


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_map_is_drawn(callers: Callers, stations: Stations, form: str) -> None:
    stations.fill()
    stations.join(stations.seen[0], "clouds", status="overcast")
    stations.join(stations.seen[1], "power", status="technical_failure")
    address = f"/campaigns/{stations.campaign}/map.{form}"
    plain, whole = callers.ask("observer", "GET", address), callers.ask("staff", "GET", address)
    assert plain.status_code == whole.status_code == 200
    assert plain.content != whole.content
    if form == "png":
        from PIL import Image

        assert Image.open(io.BytesIO(whole.content)).size[0] > 1000
    else:
        assert "technical failure (1)" in whole.text
        assert "overcast (1)" in whole.text
        assert "technical failure" not in plain.text
        assert f"{stations.seen[0].name}" not in plain.text


def test_without_elements_there_is_none(callers: Callers) -> None:
    campaign = callers.world.strict["campaign"]
    answer = callers.ask("staff", "GET", f"/campaigns/{campaign}/map.png")
    assert answer.status_code == 409
    assert "no elements" in answer.json()["detail"]
