"""Columns of a curve against the tables that they are of; figures of events; cut-outs on one scale."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.requirements import require

require("server")

from PIL import Image  # noqa: E402 - after the check for the extra

from api.results.column_routes import takes_gzip  # noqa: E402
from api.results.columns import columns_of  # noqa: E402
from cluster.executors import InProcess  # noqa: E402
from reduction.errors import DataError  # noqa: E402
from reduction.events.analyse import analyse  # noqa: E402
from reduction.events.curve import curve_of  # noqa: E402
from reduction.events.document import document  # noqa: E402
from reduction.events.settings import EventSettings  # noqa: E402
from reduction.outputs.tables import read_lightcurve  # noqa: E402
from reduction.result import Flag  # noqa: E402
from reduction.timing import UNKNOWN_NS  # noqa: E402
from tests.api.client import serving  # noqa: E402
from tests.api.results.columns import START_NS, curve, folder_of, read, summary_of  # noqa: E402
from tests.api.results.test_results import Done, recording  # noqa: E402, F401 - the fixture
from tests.contracts.executors import SCENE  # noqa: E402


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, recording: Path) -> Iterator[Done]:  # noqa: F811 - the fixture
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    with serving(folder / "data", folder / "home", InProcess()) as client:
        yield Done(client, recording)


def test_columns_are_the_tables(done: Done) -> None:
    answer = done.staff.get(f"/results/{done.result}/columns.bin", headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers
    assert "immutable" in answer.headers["cache-control"]
    found = read(answer.content)
    text = done.staff.get(f"/results/{done.result}/lightcurve.csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert found.header["points"] == len(rows) == SCENE.frames
    assert np.array_equal(found.columns["frame"], [float(row["frame"]) for row in rows])
    assert np.allclose(found.columns["normalised"], [float(row["flux_norm"]) for row in rows], rtol=1e-6)
    target = np.array([float(row["target_flux"]) for row in rows])
    assert np.allclose(found.columns["target"], target / np.median(target), rtol=1e-5)
    assert found.header["medians_adu"]["target"] == pytest.approx(np.median(target))
    summary = done.staff.get(f"/results/{done.result}/files/summary.json").json()
    assert {star["name"] for star in found.header["stars"]} == {
        star["name"] for star in summary["stars"] if star["role"] in {"reference", "guide"}
    }
    for star in found.header["stars"]:
        assert np.nanmedian(found.columns[f"star {star['name']}"]) == pytest.approx(1.0, abs=1e-6)


def test_the_event_lies_where_the_summary_has_it(done: Done) -> None:
    found = read(done.staff.get(f"/results/{done.result}/columns.bin").content)
    event = done.staff.get(f"/results/{done.result}/files/summary.json").json()["event"]
    edges = {edge["kind"]: edge for edge in found.header["event"]["edges"]}
    assert event["status"] == found.header["event"]["status"] == "positive"
    time, model = found.columns["time"], found.columns["model"]
    d, r = edges["D"]["at"], edges["R"]["at"]
    assert edges["D"]["sigma"] == pytest.approx(event["d_sigma_s"])
    assert r - d == pytest.approx(event["events"][0]["duration_s"]["value"], abs=0.01)
    assert found.header["event"]["middle"] == pytest.approx((d + r) / 2)
    inside, outside = (time > d + 0.1) & (time < r - 0.1), (time < d - 0.1) | (time > r + 0.1)
    assert np.allclose(model[inside], 1 - event["depth"], atol=0.01)
    assert np.allclose(model[outside], 1.0, atol=0.01)
    for low, high in edges["D"]["intervals"]:
        assert low < d < high
    corners = found.columns["model_line_time"]
    assert (np.diff(corners) > 0).all()
    assert corners.size < 2000


def test_gzip_only_for_who_takes_it(done: Done) -> None:
    path = f"/results/{done.result}/columns.bin"
    plain = done.staff.get(path, headers={"Accept-Encoding": "identity"})
    packed = done.staff.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert "Accept-Encoding" in plain.headers["vary"]
    assert packed.headers["etag"] != plain.headers["etag"]
    again = done.staff.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("text", ["gzip", "br;q=1, GZIP;q=0.5", "x-gzip"])
def test_who_takes_gzip(text: str) -> None:
    assert takes_gzip(text)


@pytest.mark.parametrize("text", ["gzip;q=0", "gzip; q=0.0", "br", ""])
def test_who_does_not(text: str) -> None:
    assert not takes_gzip(text)


@pytest.mark.parametrize(("form", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_figures_of_the_event(done: Done, form: str, magic: bytes) -> None:
    answer = done.staff.get(f"/results/{done.result}/event.{form}")
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(magic)


def test_no_figure_where_no_event_was_looked_for(done: Done) -> None:
    plan = {"target": {"x": 60.4, "y": 55.2}, "event": {"search": False}}
    job = done.staff.ask(done.file, plan=plan).json()["id"]
    result = done.staff.ended(job)["result"]
    answer = done.staff.get(f"/results/{result}/event.png")
    assert answer.status_code == 422
    assert "no event was looked for" in answer.json()["detail"]
    found = read(done.staff.get(f"/results/{result}/columns.bin").content)
    assert found.header["event"] is None
    assert "model" not in found.columns


def test_a_star_goes_on_the_scale_of_its_light(done: Done) -> None:
    def brightest(frame: int, scale: str) -> int:
        answer = done.staff.get(
            f"/results/{done.result}/cutouts/T/{frame}.png", params={"half": 8, "zoom": 1, "scale": scale}
        )
        assert answer.status_code == 200, answer.text
        return int(np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"))[4:13, 4:13].max())

    seen, hidden = brightest(20, "star"), brightest(150, "star")  # 6 s: within the event
    assert seen > 230
    assert hidden < 0.8 * seen
    assert brightest(150, "picture") > 230


def test_rows_without_a_time_are_left_out_and_order_is_that_of_time(tmp_path: Path) -> None:
    light = curve(60)
    mid = light.mid_ns.copy()
    mid[7] = UNKNOWN_NS
    mid[10], mid[11] = mid[11], mid[10]
    folder = folder_of(tmp_path / "result", replace(light, mid_ns=mid))
    found = read(columns_of(folder, summary_of()))
    assert found.header["without_time"] == 1
    assert found.header["zero_ns"] == str(START_NS // 60_000_000_000 * 60_000_000_000)
    assert found.columns["time"][0] == pytest.approx(35.25)
    assert (np.diff(found.columns["time"]) > 0).all()
    assert found.columns["frame"][:11].tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 10]
    assert found.columns["star G1"][10] == pytest.approx(
        (2000 + 10) / np.median(2000 + np.delete(np.arange(60), 7))
    )


@pytest.mark.parametrize("n", [0, 1, 2, 40])
def test_curves_without_times_and_short_ones(tmp_path: Path, n: int) -> None:
    for timed in (True, False):
        folder = folder_of(tmp_path / f"{timed}", curve(n, timed=timed))
        found = read(columns_of(folder, summary_of()))
        assert found.header["points"] == n
        assert found.header["axis"] == ("seconds" if timed and n > 1 else "frame")
        if not (timed and n > 1):
            assert np.array_equal(found.columns["time"], np.arange(n))


@pytest.mark.parametrize("timed", [True, False])
def test_the_fit_of_a_curve_with_and_without_times(tmp_path: Path, timed: bool) -> None:
    light = curve(400, (180, 220), timed)
    folder = folder_of(tmp_path / "result", light)
    one = curve_of(read_lightcurve(folder / "lightcurve.csv"), "a.ser", 0.5)
    said = document(analyse(one), one, EventSettings())
    event = {**said, "d_utc": None, "r_utc": None}
    summary = summary_of(event=json.loads(json.dumps(event)))
    summary["input"]["cadence_s"] = 0.5
    found = read(columns_of(folder, summary))
    edges = [edge["at"] for edge in found.header["event"]["edges"]]
    if timed:
        assert edges == pytest.approx([35.25 + 179.5 * 0.04, 35.25 + 219.5 * 0.04], abs=0.02)
    else:
        assert edges == pytest.approx([179.5, 219.5], abs=0.6)
    low = found.columns["model"] < 0.5
    assert found.columns["frame"][low].tolist() == pytest.approx(list(range(180, 220)))


def test_samples_that_mean_nothing_are_no_numbers(tmp_path: Path) -> None:
    light = curve(30)
    flags = light.flags.copy()
    flags[3], flags[4] = int(Flag.BAD_REFERENCE), int(Flag.LOST)
    found = read(columns_of(folder_of(tmp_path / "result", replace(light, flags=flags)), summary_of()))
    assert np.isnan(found.columns["normalised"][3:5]).all()
    assert np.isfinite(found.columns["target"][3])
    assert np.isnan(found.columns["target"][4])
    assert found.header["unusable"] & int(Flag.LOST)


def test_damaged_files_are_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "result", curve(30))
    (folder / "stars.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="star table"):
        columns_of(folder, summary_of())
    with pytest.raises(DataError, match="light curve"):
        columns_of(tmp_path / "nowhere", summary_of())
    with pytest.raises(DataError, match="plan"):
        columns_of(
            folder_of(tmp_path / "other", curve(30)),
            summary_of(event={**json.loads(json.dumps(_negative())), "d_utc": None})
            | {"provenance": {"plan": {"event": {"seed": "x"}}}},
        )


def _negative() -> dict[str, object]:
    one = curve_of(curve(30), "a", 0.04)
    said = document(analyse(one), one, EventSettings())
    return {name: value for name, value in said.items() if name not in {"curve", "settings", "version"}}
