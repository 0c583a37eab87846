"""The view for a TAP service, as docs/standards.md has it: the same rows as the service's own search."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.requirements import require

require("server")
require("postgres")

from api.access.caller import Caller  # noqa: E402 - after the check for the extra
from api.access.matrix import BY_LEVEL, Level  # noqa: E402
from api.campaigns.tables import Campaign, Prediction  # noqa: E402
from api.database.tables import new_id, now  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.equipment.tables import Equipment  # noqa: E402
from api.observations.tables import Observation  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402
from api.standards.columns import FIELDS  # noqa: E402
from api.standards.obscore import search, stamp  # noqa: E402
from api.standards.query import asked  # noqa: E402
from api.standards.tables import Coverage  # noqa: E402
from tests.api import migrated  # noqa: E402
from tests.api.access.world import World, make_world  # noqa: E402
from tests.api.standards.filled import campaign_at, observed, recorded, reduced  # noqa: E402

STAFF = Caller("session", "0" * 32, standing=BY_LEVEL[Level.STAFF])
PAGE = Path(__file__).parents[3] / "docs" / "standards.md"


@pytest.fixture
def world() -> Iterator[World]:
    with migrated.fresh() as url:
        database = Database(url)
        yield make_world(database)
        database.close()


def night(world: World) -> None:
    """Three campaigns, of which one is open to those who took part; one curve has all that can be known."""
    places = {"Open": timedelta(days=-1), "Later": timedelta(days=1), "Closed": None}
    for number, (name, embargo) in enumerate(places.items()):
        campaign = campaign_at(world, 10.0 + number, -5.0, name)
        whole, bare = observed(world, campaign), observed(world, campaign, "participant")
        file = recorded(world, whole)
        reduced(world, whole, file, 1)
        result = reduced(world, whole, file, 2)
        reduced(world, bare, recorded(world, bare))
        with world.database.writing() as session:
            row = session.get_one(Campaign, campaign)
            row.embargo = None if embargo is None else now() + embargo
            session.get_one(Prediction, row.prediction).object_number = "50000"
            for kind, details in (
                ("telescope", {}),
                ("camera", {}),
                ("filter", {"centre_nm": 600, "width_nm": 90.5}),
            ):
                one = Equipment(
                    id=new_id(), person=world.people["owner"].id, kind=kind, name=f"my {kind}",
                    details=details, created=now(),
                )  # fmt: skip
                session.add(one)
                session.flush()
                setattr(session.get_one(Observation, whole), kind, one.id)
            covers = session.get_one(Coverage, result)
            covers.scale_arcsec, covers.aperture_px, covers.fwhm_px = 1.25, 4.0, 3.0
            covers.size, covers.samples = 12_345, 1500


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    return pytest.approx(value, rel=1e-12) if isinstance(value, float) else value


def test_the_view_has_the_rows_of_the_search(world: World, tmp_path: Path) -> None:
    night(world)
    settings = ServiceSettings(data=tmp_path, home=tmp_path, url="https://umbra.example.org")
    script = PAGE.read_text(encoding="utf-8").partition("```sql\n")[2].partition("```")[0]
    with world.database.writing() as session:
        session.execute(text(script))
    with world.database.reading() as session:
        found = session.execute(text("SELECT * FROM obscore")).mappings().all()
        rows = search(session, STAFF, settings, asked([("DPTYPE", "timeseries")])).rows
    wanted = {row["obs_publisher_did"]: row for row in rows if row["data_rights"] == "secure"}
    assert len(rows) == 6
    assert len(wanted) == 2
    assert {row["obs_publisher_did"] for row in found} == set(wanted)
    for row in found:
        assert set(row) == {field.name for field in FIELDS}
        same = wanted[row["obs_publisher_did"]]
        assert {name: same.get(name) for name in row} == {name: plain(value) for name, value in row.items()}
    (whole,) = (row for row in found if row["instrument_name"])
    assert whole["s_region"] == "Circle ICRS 10.00000000 -5.00000000 0.00138889"
    assert (whole["instrument_name"], whole["access_estsize"]) == ("my telescope, my camera", 13)
