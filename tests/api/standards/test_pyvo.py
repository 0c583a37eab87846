"""What the Virtual Observatory's own programs make of the archive: pyvo, astropy and prov read it."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from tests.requirements import require

require("server")
require("vo")

import astropy.units as u  # noqa: E402 - after the check for the extra
from astropy.io.votable import parse  # noqa: E402
from astropy.time import Time  # noqa: E402
from astropy.timeseries import TimeSeries  # noqa: E402
from prov.model import ProvActivity, ProvDocument  # noqa: E402
from pyvo.dal import DALQueryError, SIA2Service  # noqa: E402
from pyvo.dal.adhoc import DatalinkResults  # noqa: E402

from api.observations.tables import Observation  # noqa: E402
from api.people.tables import Person  # noqa: E402
from api.standards.columns import OPTIONAL  # noqa: E402
from tests.api.standards.served import DEC, RA, Served, served  # noqa: E402
from tests.contracts.executors import SCENE  # noqa: E402

MANDATORY = {
    "dataproduct_type", "calib_level", "obs_collection", "obs_id", "obs_publisher_did", "access_url",
    "access_format", "access_estsize", "target_name", "s_ra", "s_dec", "s_fov", "s_region", "s_resolution",
    "s_xel1", "s_xel2", "t_min", "t_max", "t_exptime", "t_resolution", "t_xel", "em_min", "em_max",
    "em_res_power", "em_xel", "o_ucd", "pol_states", "pol_xel", "facility_name", "instrument_name",
}  # fmt: skip
"""Of ObsCore 1.1, table 5."""
UNITS = {"s_ra": "deg", "t_min": "d", "t_exptime": "s", "em_min": "m", "access_estsize": "kbyte"}
DONE = "ivo://umbra.test/umbra?result/"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("service")) as archive:
        yield archive


def service(archive: Served, who: str) -> SIA2Service:
    return SIA2Service(archive.vo, session=archive.session(who))


def test_pyvo_finds_the_light_curve_and_the_recording(archive: Served) -> None:
    found = service(archive, "owner").search(pos=(RA, DEC, 0.001))
    table = found.to_table()
    assert set(table.colnames) == MANDATORY | OPTIONAL
    assert {name: str(table[name].unit) for name in UNITS} == UNITS
    assert list(table["dataproduct_type"]) == ["timeseries", "cube"]
    assert list(table["calib_level"]) == [2, 0]
    assert set(table["obs_id"]) == {archive.world.strict["observation"]}
    assert set(table["target_name"]) == {"(28978) Ixion"}
    curve = found[0]
    assert curve["obs_publisher_did"] == DONE + archive.result
    begun = Time(curve["t_min"], format="mjd", scale="utc")
    assert abs((begun - Time("2025-10-09T08:53:19.98", scale="utc")).to_value("s")) < 1e-4
    assert curve["t_max"] - curve["t_min"] == pytest.approx(SCENE.frames * 0.04 / 86400, abs=1e-9)
    assert curve["t_exptime"] == pytest.approx(SCENE.frames * 0.04)
    assert curve["t_xel"] == SCENE.frames
    assert (curve["s_ra"], curve["s_dec"]) == (RA, DEC)
    assert (found[1]["s_xel1"], found[1]["s_xel2"]) == (SCENE.width, SCENE.height)


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({"pos": (RA + 0.01, DEC, 0.001)}, 0),
        ({"pos": (RA - 1, RA + 1, DEC - 1, DEC + 1)}, 2),
        ({"pos": (RA - 1, DEC - 1, RA + 1, DEC - 1, RA, DEC + 1)}, 2),
        ({"time": (Time("2025-10-09T08:53:25"), Time("2025-10-09T08:53:26"))}, 2),
        ({"time": (Time("2025-10-09T08:53:33"), Time("2025-10-10"))}, 0),
        ({"target_name": "ixion"}, 2),
        ({"target_name": "(28978) Ixion", "data_type": "cube"}, 1),
        ({"target_name": "Chariklo"}, 0),
        ({"calib_level": 2}, 1),
        ({"exptime": (1, 100), "timeres": (0.03, 0.05)}, 2),
        ({"pol": "I"}, 0),
        ({"band": (4e-7, 7e-7)}, 0),
    ],
)
def test_searches(archive: Served, asked: dict[str, Any], rows: int) -> None:
    assert len(service(archive, "owner").search(**asked)) == rows


def test_what_is_wrong_is_told(archive: Served) -> None:
    with pytest.raises(DALQueryError, match="a radius of 200 degrees"):
        service(archive, "owner").search(POS="CIRCLE 1 2 200")
    with pytest.raises(DALQueryError, match="RESPONSEFORMAT"):
        service(archive, "owner").search(RESPONSEFORMAT="image/png")


def test_more_than_was_asked_for_is_told(archive: Served) -> None:
    asking = service(archive, "owner")
    first = asking.search(maxrec=1)
    assert first.votable.resources[0].infos[-1].value == "OVERFLOW"
    assert [row["dataproduct_type"] for row in first] == ["timeseries"]
    rest = asking.search(CURSOR=_next(first))
    assert [row["dataproduct_type"] for row in rest] == ["cube"]


def _next(found: Any) -> str:
    return str(next(info.value for info in found.votable.resources[0].infos if info.name == "next_cursor"))


def test_the_table_is_sound(archive: Served) -> None:
    answer = archive.session("owner").get(archive.vo)
    table = parse(io.BytesIO(answer.content), verify="exception")
    system = table.get_timesys_by_id("utc")
    assert (system.timescale, system.refposition, system.timeorigin) == ("UTC", "TOPOCENTER", "MJD-origin")
    assert table.get_field_by_id("t_min").utype == "obscore:Char.TimeAxis.Coverage.Bounds.Limits.StartTime"
    assert table.get_coosys_by_id("icrs").system == "ICRS"


def test_every_link_resolves(archive: Served) -> None:
    session = archive.session("owner")
    found = service(archive, "owner").search()
    seen: dict[str, set[str]] = {}
    for links in found.iter_datalinks():
        for link in links:
            assert not link["error_message"], link
            answer = session.get(link["access_url"])
            assert answer.status_code == 200, (link["access_url"], answer.text)
            assert answer.headers["content-type"].partition(";")[0] == link["content_type"].partition(";")[0]
            if link["content_length"]:
                assert len(answer.content) == link["content_length"], link["access_url"]
            seen.setdefault(str(link["ID"]), set()).add(str(link["semantics"]))
    curve = seen.pop(DONE + archive.result)
    assert curve == {
        "#this", "#progenitor", "#preview-plot", "#preview-image", "#documentation", "#auxiliary", "#cutout",
    }  # fmt: skip
    assert list(seen.values()) == [{"#this", "#preview-image"}], "the recording"


def test_links_of_a_result_by_its_address(archive: Served) -> None:
    session = archive.session("owner")
    url = f"{archive.url}/api/v1/results/{archive.result}/links"
    links = DatalinkResults.from_result_url(url, session=session)
    parse(io.BytesIO(session.get(url).content), verify="exception")
    raw = next(links.bysemantics("#progenitor", include_narrower=False))
    assert raw["local_semantics"] == "recording"
    stack = [link for link in links if link["local_semantics"] == "stack"]
    assert session.get(stack[0]["access_url"]).json()["frames"] == SCENE.frames


def test_a_data_set_that_is_none_is_a_row_of_error(archive: Served) -> None:
    wanted = [DONE + "0" * 32, "ivo://elsewhere.org/a?b", DONE + archive.result]
    answer = archive.session("owner").post(f"{archive.url}/api/v1/datalink", data={"ID": wanted})
    rows = parse(io.BytesIO(answer.content), verify="exception").get_first_table().to_table()
    for each in wanted[:2]:
        own = rows[rows["ID"] == each]
        assert [str(row["error_message"])[:14] for row in own] == ["NotFoundFault:"]
        assert not own["access_url"][0]
    assert (rows["ID"] == wanted[2]).sum() > 5


@pytest.mark.parametrize(
    ("who", "during", "after"),
    [
        ("anyone", None, None),
        ("observer", 0, 0),
        ("participant", 0, 1),
        ("owner", 2, 2),
        ("responsible", 2, 2),
        ("staff", 2, 2),
        ("superuser", 2, 2),
    ],
)
def test_the_embargo_holds(archive: Served, who: str, during: int | None, after: int | None) -> None:
    session, result = archive.session(who), f"{archive.url}/api/v1/results/{archive.result}"
    did = DONE + archive.result
    try:
        for when, rows in ((timedelta(hours=1), during), (timedelta(hours=-1), after)):
            archive.open_from(when)
            if rows is None:
                for path in (archive.vo, f"{result}/links", f"{result}/prov.json"):
                    assert session.get(path).status_code == 401
                continue
            assert len(service(archive, who).search(ID=did)) == min(rows, 1)
            found = service(archive, who).search()
            assert len(found) == rows
            rights = [str(row["data_rights"]) for row in found][:1]
            assert rights == (["secure" if when < timedelta() else "proprietary"] if rows else [])
            links = session.get(f"{result}/links")
            assert links.status_code == (200 if rows else 404)
            assert session.get(f"{result}/prov.json").status_code == (200 if rows == 2 else 404)
            asked = session.get(f"{archive.url}/api/v1/datalink", params={"ID": did})
            assert asked.status_code == 200
            assert (b"NotFoundFault" in asked.content) == (not rows)
            assert (b"#progenitor" in asked.content) == (rows == 2), "the recording is the team's"
            if rows == 1:
                table = parse(io.BytesIO(links.content)).get_first_table().to_table()
                told = {session.get(str(url)).status_code for url in table["access_url"]}
                assert told == {200}
    finally:
        archive.open_from(None)


def test_a_light_curve_reads_to_a_time_series(archive: Served) -> None:
    url = f"{archive.url}/api/v1/results/{archive.result}/lightcurve."
    session = archive.session("owner")
    content = session.get(url + "votable").content
    votable = parse(io.BytesIO(content), verify="exception")
    table = votable.get_first_table()
    system = votable.get_timesys_by_id(table.get_field_by_id_or_name("time_s").ref)
    assert (system.timescale, system.refposition) == ("UTC", "TOPOCENTER")
    place = {param.name: param.value for param in votable.resources[0].params}
    assert place == {"ra": RA, "dec": DEC}
    assert all(field.ucd for field in table.fields)
    words = {info.name: info.value for info in votable.resources[0].infos}
    assert words["obs_publisher_did"] == DONE + archive.result
    assert words["target_name"] == "(28978) Ixion"
    assert "pixel digest" in json.loads(words["provenance"])
    series = TimeSeries.read(io.BytesIO(content), format="votable", time_column="utc", time_scale="utc")
    assert len(series) == SCENE.frames
    times = Time(system.timeorigin, format="jd", scale="utc") + table.to_table()["time_s"].quantity
    assert np.abs((times - series.time).to_value("s")).max() < 1e-6
    csv = np.genfromtxt(io.BytesIO(session.get(url + "csv").content), delimiter=",", names=True, dtype=None)
    assert np.array_equal(series["flux_norm"], csv["flux_norm"])
    assert series["exposure_s"].unit == u.s


def test_prov_reads_where_it_came_from(archive: Served) -> None:
    session = archive.session("owner")
    url = f"{archive.url}/api/v1/results/{archive.result}/prov.json"
    document = ProvDocument.deserialize(content=session.get(url).text, format="json")
    text = document.get_provn()
    assert "observer" in text
    assert "Ann Observer" not in text
    derived = {
        str(one.args[0]): str(one.args[1])
        for one in document.get_records()
        if one.get_type().localpart == "Derivation"
    }
    curve = next(name for name in derived if name.endswith("/lightcurve.csv"))
    assert derived[curve] in {"result:stack", "result:times"}
    assert derived["result:stack"].startswith("data:files/")
    raw = document.get_record(derived["result:stack"])[0]
    attributes = {str(name): value for name, value in raw.attributes}
    assert raw.identifier is not None
    file = session.get(raw.identifier.uri).json()
    assert attributes["umbra:sha256"] == file["sha256"], "and its name is its address"
    (ran,) = document.get_record("result:reduction")
    assert isinstance(ran, ProvActivity)
    begun, ended = ran.get_startTime(), ran.get_endTime()
    assert begun is not None
    assert ended is not None
    assert begun <= ended
    assert "SoftwareAgent" in text
    assert "umbra:plan_digest" in text
    _named(archive, "Ann Observer")
    assert '"Ann Observer"' in session.get(url).text


def _named(archive: Served, name: str) -> None:
    """The observer agrees to be named."""
    with archive.app.state.database.writing() as session:
        session.get_one(Person, archive.world.people["owner"].id).name = name
        session.get_one(Observation, archive.world.strict["observation"]).consent = True


def test_the_service_tells_what_it_can(archive: Served) -> None:
    asking = service(archive, "anyone")
    standards = {capability.standardid for capability in asking.capabilities}
    assert {"ivo://ivoa.net/std/SIA#query-2.0", "ivo://ivoa.net/std/DataLink#links-1.1"} <= standards
    assert asking.query_ep == archive.vo
    assert b"<vosi:available>true" in archive.session("anyone").get(f"{archive.vo}/availability").content
