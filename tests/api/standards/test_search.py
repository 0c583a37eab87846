"""The search behind ObsCore, on both databases: places against plain geometry, rights against the matrix."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, func, select

from tests.requirements import require

require("server")

from alembic.script import ScriptDirectory  # noqa: E402 - after the check for the extra

from api.access.caller import Caller  # noqa: E402
from api.access.matrix import BY_LEVEL, Level, Operation, Standing  # noqa: E402
from api.access.permit import Permit  # noqa: E402
from api.campaigns.tables import Prediction  # noqa: E402
from api.database.migrate import migrate, scripts  # noqa: E402
from api.database.tables import now  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.problems import RefusedError  # noqa: E402
from api.results.cache import ResultCache  # noqa: E402
from api.results.tables import Result  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402
from api.standards.coverage import catch_up  # noqa: E402
from api.standards.obscore import search  # noqa: E402
from api.standards.query import asked  # noqa: E402
from api.standards.tables import Coverage  # noqa: E402
from cluster.store import open_store  # noqa: E402
from reduction.errors import RequestError  # noqa: E402
from tests.api import migrated  # noqa: E402
from tests.api.access.world import CALLERS, World, make_world  # noqa: E402
from tests.api.standards.filled import campaign_at, observed, recorded, reduced  # noqa: E402

STAFF = Caller("session", "0" * 32, standing=BY_LEVEL[Level.STAFF])
STARS = 40


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if request.param == "postgres":
        require("postgres")
        with migrated.fresh() as url:
            database = Database(url)
            yield make_world(database)
            database.close()
        return
    home = tmp_path_factory.mktemp("home")
    migrated.put(home)
    database = Database(f"sqlite:///{home / migrated.FILE}")
    yield make_world(database)
    database.close()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ServiceSettings:
    home = tmp_path_factory.mktemp("settings")
    return ServiceSettings(data=home, home=home, url="https://umbra.example.org")


def caller(world: World, who: str) -> Caller:
    if who == "anyone":
        return Caller("nobody")
    person = world.people[who]
    return Caller("session", person.id, standing=BY_LEVEL[Level(person.level)])


def found(world: World, settings: ServiceSettings, who: Caller, **words: str) -> list[str]:
    """Identifiers of what a query finds."""
    with world.database.reading() as session:
        rows = search(session, who, settings, asked(words.items())).rows
    return [str(row["obs_publisher_did"]) for row in rows]


@pytest.fixture(scope="module")
def sky(world: World, settings: ServiceSettings) -> dict[str, tuple[float, float]]:
    """Identifiers of light curves of stars all over the sky, among them the poles and RA 0."""
    rng = np.random.default_rng(9)
    places = [(0.0, 90.0), (0.0, -90.0), (0.0, 0.0), (359.9999, 0.1), (180.0, 45.0)]
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, STARS)))
    places += list(zip(rng.uniform(0, 360, STARS).tolist(), dec.tolist(), strict=True))
    stars = {}
    for number, (ra, dec_deg) in enumerate(places):
        campaign = campaign_at(world, ra, dec_deg, f"Body {number}")
        observation = observed(world, campaign)
        result = reduced(world, observation, recorded(world, observation), minutes=number)
        stars[f"ivo://umbra.example.org/umbra?result/{result}"] = (ra, dec_deg)
    return stars


def apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Degrees between two places, by the haversine."""
    (ra1, dec1), (ra2, dec2) = (tuple(map(math.radians, place)) for place in (a, b))
    h = math.sin((dec2 - dec1) / 2) ** 2 + math.cos(dec1) * math.cos(dec2) * math.sin((ra2 - ra1) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(h))))


@pytest.mark.parametrize(
    ("ra", "dec", "radius"),
    [(0, 0, 1e-7), (0, 0, 0.2), (123, 90, 30), (200, -40, 60), (10, 10, 180), (359.9999, 0.1, 0.0)],
)
def test_circles(
    world: World, settings: ServiceSettings, sky: dict[str, tuple[float, float]], ra: float, dec: float,
    radius: float,
) -> None:  # fmt: skip
    got = found(world, settings, STAFF, POS=f"CIRCLE {ra} {dec} {radius}", DPTYPE="timeseries")
    assert set(got) == {did for did, star in sky.items() if apart((ra, dec), star) <= radius + 1e-9}


def test_boxes(world: World, settings: ServiceSettings, sky: dict[str, tuple[float, float]]) -> None:
    got = found(world, settings, STAFF, POS="RANGE 90 +Inf -30 60.5", DPTYPE="timeseries")
    assert set(got) == {did for did, (ra, dec) in sky.items() if ra >= 90 and -30 <= dec <= 60.5}


@pytest.mark.parametrize("turned", [1, -1])
def test_polygons(
    world: World, settings: ServiceSettings, sky: dict[str, tuple[float, float]], turned: int
) -> None:
    """An octant: its sides are great circles; corners in either direction."""
    corners = [(0, 0), (90, 0), (0, 90)][::turned]
    text = "POLYGON " + " ".join(f"{ra} {dec}" for ra, dec in corners)
    got = found(world, settings, STAFF, POS=text, DPTYPE="timeseries")
    inside = {did for did, (ra, dec) in sky.items() if dec >= 0 and (ra <= 90 or dec == 90)}
    assert set(got) == inside
    assert 3 <= len(inside) < len(sky)


def test_several_places_are_any_of_them(
    world: World, settings: ServiceSettings, sky: dict[str, tuple[float, float]]
) -> None:
    pairs = [("POS", "CIRCLE 0 90 0.1"), ("pos", "circle 0 -90 0.1"), ("DPTYPE", "timeseries")]
    with world.database.reading() as session:
        rows = search(session, STAFF, settings, asked(pairs)).rows
    assert sorted(float(str(row["s_dec"])) for row in rows) == [-90.0, 90.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POS", "CIRCLE 1 2"), ("POS", "CIRCLE 1 2 x"), ("POS", "CIRCLE 400 2 1"), ("POS", "CIRCLE nan 2 1"),
        ("POS", "POLYGON 0 0 10 0 2 1 0 10"), ("POS", "POLYGON 0 0 0 0 0 0"), ("POS", ""),
        ("POS", "RANGE 10 5 0 1"), ("POS", "CIRCLE 1 2 Inf"), ("TIME", "2 1"), ("TIME", "a"),
        ("TIME", "1 2 3"), ("TIME", ""), ("MAXREC", "-1"), ("MAXREC", "1.5"), ("CALIB", "7"), ("CURSOR", "x"),
        ("TARGET", "a\0b"), ("CURSOR", "cube:!!"), ("RESPONSEFORMAT", "csv"),
    ],
)  # fmt: skip
def test_what_is_no_query(world: World, settings: ServiceSettings, name: str, value: str) -> None:
    with pytest.raises(RequestError, match=f"(?i){name}"):
        found(world, settings, STAFF, **{name: value})


def test_times_overlap(world: World, settings: ServiceSettings, sky: dict[str, tuple[float, float]]) -> None:
    """Recordings of a minute each, one a minute."""
    half = 60957 + 10.5 / 1440
    assert found(world, settings, STAFF, TIME=f"{half}", DPTYPE="timeseries") == [list(sky)[10]]
    later = found(world, settings, STAFF, TIME=f"{half} +Inf", DPTYPE="timeseries")
    assert set(later) == set(list(sky)[10:])
    assert not found(world, settings, STAFF, TIME="-Inf 60956.9")


def test_pages_hold_every_row_once(
    world: World, settings: ServiceSettings, sky: dict[str, tuple[float, float]]
) -> None:
    whole = found(world, settings, STAFF)
    assert len(found(world, settings, STAFF, COLLECTION="Body 3")) == 2
    seen: list[str] = []
    words = {"MAXREC": "7"}
    with world.database.reading() as session:
        while True:
            page = search(session, STAFF, settings, asked(words.items()))
            seen += [str(row["obs_publisher_did"]) for row in page.rows]
            if page.next is None:
                break
            assert len(page.rows) == 7
            words["CURSOR"] = page.next
        none = search(session, STAFF, settings, asked([("MAXREC", "0")]))
    assert seen == whole
    assert len(set(seen)) == len(seen) == 2 * len(sky)
    assert (none.rows, none.next) == ([], "timeseries:")


def test_the_latest_version_of_each_recording(world: World, settings: ServiceSettings) -> None:
    observation = observed(world, campaign_at(world, 12.0, 12.0, "Versions"))
    first, second = recorded(world, observation, "a.FITS"), recorded(world, observation, "b.avi")
    reduced(world, observation, first, 1)
    other = reduced(world, observation, second, 2)
    last = reduced(world, observation, first, 3)
    got = found(world, settings, STAFF, COLLECTION="Versions")
    assert [did.rpartition("/")[2] for did in got] == [last, other, first, second]
    with world.database.reading() as session:
        words = {"COLLECTION": "Versions", "FORMAT": "application/fits"}
        (row,) = search(session, STAFF, settings, asked(words.items())).rows
    assert row["access_url"] == f"https://umbra.example.org/api/v1/files/{first}/content"
    assert row["access_format"] == "application/fits"
    assert found(world, settings, STAFF, ID=got[0]) == [got[0]]
    assert not found(world, settings, STAFF, ID=got[0].replace("umbra.example", "other.example"))


def test_everybody_finds_what_they_may_see(world: World, settings: ServiceSettings) -> None:
    """Against `Permit.over`, thing by thing: in three campaigns, of one of which the embargo has ended."""
    things = {}
    for place in (world.strict, world.open, world.opened):
        observation = place["observation"]
        file = recorded(world, observation)
        things[reduced(world, observation, file)] = file
    for who in CALLERS:
        asking = caller(world, who)
        got = {did.rpartition("/")[2] for did in found(world, settings, asking, TARGET="ixion")}
        for result, file in things.items():
            assert (result in got) == _may(world, asking, Operation.SEE_LIGHT_CURVE, result), who
            assert (file in got) == _may(world, asking, Operation.SEE_FILES, result), who


def _may(world: World, asking: Caller, operation: Operation, result: str) -> bool:
    try:
        with world.database.reading() as session:
            Permit(asking, operation).over(session, session.get(Result, result), "result")
    except RefusedError:
        return False
    return True


def test_a_key_without_the_scope_finds_no_recordings(world: World, settings: ServiceSettings) -> None:
    observation = observed(world, campaign_at(world, 13.0, 13.0, "Scopes"))
    reduced(world, observation, recorded(world, observation))
    key = Caller("key", "0" * 32, scopes=frozenset({"reductions:read"}), standing=STAFF.standing)
    assert len(found(world, settings, key, COLLECTION="Scopes")) == 1
    both = Caller("key", "0" * 32, scopes=key.scopes | {"data:read"}, standing=STAFF.standing)
    assert len(found(world, settings, both, COLLECTION="Scopes")) == 2
    operator = Caller("operator", standing=Standing.ANYONE | Standing.OPERATOR)
    assert not found(world, settings, operator)


def test_results_of_an_older_service_are_covered_later(
    world: World, settings: ServiceSettings, tmp_path: Path
) -> None:
    """Their files are lost here: a coverage of nothing, so that they are not looked at again."""
    observation = observed(world, campaign_at(world, 14.0, 14.0, "Older"))
    result = reduced(world, observation, recorded(world, observation))
    with world.database.writing() as session:
        session.execute(delete(Coverage).where(Coverage.result == result))
    cache = ResultCache(open_store(str(tmp_path / "store")), tmp_path / "cache")
    assert catch_up(world.database, cache)
    assert not catch_up(world.database, cache)
    with world.database.reading() as session:
        assert session.get_one(Coverage, result).t_min is None
    assert len(found(world, settings, STAFF, COLLECTION="Older")) == 2
    assert not found(world, settings, STAFF, COLLECTION="Older", TIME="-Inf +Inf")


def test_predictions_of_an_older_service_get_their_stars(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    steps = ScriptDirectory.from_config(scripts()).walk_revisions()
    before = next(step.down_revision for step in steps if step.revision.endswith("_standards"))
    migrate(database.engine, str(before))
    empty = "source, object_name, object_number, object_key, object_class, star_name"
    with database.writing() as session:
        connection = session.connection()
        for identity, elements in (("a", '{"star": {"ra_hours": 6, "dec_deg": 30}}'), ("b", "{}")):
            connection.exec_driver_sql(
                f"INSERT INTO prediction (id, occ_id, elements, {empty}, at, created, changed) "
                "VALUES (?, ?, ?, '', '', '', '', '', '', 0, 0, 0)",
                (identity, identity, elements),
            )
    migrate(database.engine)
    with database.reading() as session:
        star = session.get_one(Prediction, "a")
        assert (star.star_ra_deg, star.star_dec_deg) == (90.0, 30.0)
        assert (star.star_x, star.star_y, star.star_z) == pytest.approx((0.0, math.sqrt(3) / 2, 0.5))
        assert session.get_one(Prediction, "b").star_ra_deg is None
    with database.writing() as session:
        row = session.get_one(Prediction, "a")
        row.elements, row.changed = {}, now()
    with database.reading() as session:
        assert session.get_one(Prediction, "a").star_x is None
        assert session.scalar(select(func.count()).select_from(Prediction)) == 2
    database.close()
