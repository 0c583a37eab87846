"""Search of campaigns, and the paths of those that are open on one map."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests.requirements import require

require("server")

from api.campaigns.tables import Campaign, Prediction  # noqa: E402 - after the check for the extra
from api.database.tables import new_id, now  # noqa: E402
from tests.api.access.campaign_requests import prediction  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402


def campaign(
    callers: Callers, state: str = "open", days: float = 2.0, name: str = "LB11 call"
) -> tuple[str, str]:
    row = prediction(callers.world)
    at = now() + timedelta(days=days)
    with callers.world.database.writing() as session:
        session.execute(update(Prediction).where(Prediction.id == row.id).values(at=at))
    made = Campaign(id=new_id(), prediction=row.id, name=name, state=state, opened=now(), embargo=None)
    callers.world.add(made)
    return made.id, row.id


def lines(callers: Callers, **params: Any) -> dict[str, Any]:
    answer = callers.ask("observer", "GET", "/calendar/paths.geojson", params=params)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/geo+json"
    return {one["properties"]["campaign"]: one for one in answer.json()["features"]}


def test_paths_are_those_of_the_predictions(callers: Callers) -> None:
    made, row = campaign(callers)
    closed, _ = campaign(callers, "closed")
    past, _ = campaign(callers, days=-3)
    found = lines(callers)
    assert made in found
    assert not {closed, past, callers.world.strict["campaign"]} & set(found)
    assert past in lines(callers, start_date=(now() - timedelta(days=4)).date())
    assert made not in lines(callers, end_date=(now() + timedelta(days=1)).date())
    whole = callers.ask("observer", "GET", f"/predictions/{row}/path.geojson").json()["features"][0]
    assert whole["properties"]["kind"] == "centre"
    one = found[made]
    for thin, fine, sun in zip(
        one["geometry"]["coordinates"], whole["geometry"]["coordinates"],
        one["properties"]["sun_altitude_deg"], strict=True,
    ):  # fmt: skip
        rounded = [[round(east, 3), round(north, 3)] for east, north in fine]
        assert thin[0] == rounded[0]
        assert thin[-1] == rounded[-1]
        assert all(place in rounded for place in thin)
        assert len(fine) / 6 <= len(thin) <= len(fine) / 6 + 2
        assert len(sun) == len(thin)


@pytest.mark.parametrize("words", ["lb11", "LB 11", "81879", "2000 LB11", "B11 CALL"])
def test_words(callers: Callers, words: str) -> None:
    made, _ = campaign(callers)
    found = callers.get("observer", "/campaigns", words=words)["items"]
    assert made in {one["id"] for one in found}
    assert callers.world.strict["campaign"] not in {one["id"] for one in found}


def test_a_search_by_dates_state_and_person(callers: Callers) -> None:
    made, _ = campaign(callers, days=400)
    day = (now() + timedelta(days=400)).date().isoformat()
    found = callers.get("participant", "/campaigns", start_date=day, end_date=day, state="open")["items"]
    assert [one["id"] for one in found] == [made]
    assert callers.get("participant", "/campaigns", start_date=day, mine=True)["items"] == []
    mine = {one["id"] for one in callers.get("participant", "/campaigns", mine=True)["items"]}
    assert mine == {callers.world.strict["campaign"], callers.world.open["campaign"]}
    hidden = callers.ask("participant", "GET", "/campaigns", params={"words": "a\u0007"})
    assert hidden.status_code == 422
    assert callers.get("participant", "/campaigns", words="%_%")["items"] == []
