"""Exports of light curves: each by a reader of its own, and back through ours."""

import csv
import json
import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.curves.curve_table import CurveTable, table_of
from ingest.curves.dialects import read_table
from ingest.curves.exports import FORMS, Form, export_curve, form_of
from ingest.curves.settled import CurveOptions
from ingest.lightcurve_cli import lightcurve
from reduction.caveats import Caveat, Note
from reduction.errors import DataError, RequestError
from reduction.outputs.tables import read_lightcurve, write_lightcurve
from reduction.result import Flag, LightCurve
from reduction.timing import UNKNOWN_NS
from tests.fuzzing import COUNT, endure, mutations
from tests.ingest.curves.written import pymovie, truth

N = 60
FIRST_NS = 1772409599_123456789  # 2026-03-01T23:59:59.123456789
STEP_NS = 40_000_123
OWN = ("ecsv", "fits", "parquet", "votable")
TIME_LIMIT_NS = {"sora": 1, "portal": 500, "pyote": 500, "tangra": 500_000, "csv": 500} | dict.fromkeys(
    OWN, 0
)


def reduction(n: int = N) -> LightCurve:
    rng = np.random.default_rng(8)
    flux = 1 + rng.normal(0, 0.03, n)
    flux[n // 2 : n // 2 + n // 8] = rng.normal(0.02, 0.03, n // 8)
    mid = FIRST_NS + STEP_NS * np.arange(n, dtype=np.int64)
    flags = np.zeros(n, np.uint32)
    flux[5], flags[5] = np.nan, Flag.LOST.value
    mid[7], flags[7] = UNKNOWN_NS, Flag.TIME_UNSURE.value
    flags[9] = Flag.SATURATED.value | Flag.WEAK_TRACKING.value
    noise = {
        name: rng.normal(100, 10, n) for name in ("target_x", "target_y", "target_sky", "reference_flux")
    }
    return LightCurve(
        frame=np.arange(n) / 2,
        mid_ns=mid,
        utc_sigma_s=np.full(n, 0.00125),
        exposure_s=np.full(n, 0.035),
        target_flux=flux * 5432.1,
        target_sigma=np.full(n, 160.0),
        reference_sigma=np.full(n, 3.0),
        ratio=flux * 0.98,
        ratio_sigma=np.full(n, 0.029),
        flux_norm=flux,
        flux_norm_sigma=rng.uniform(0.02, 0.04, n),
        flags=flags,
        baseline=flux > 0.5,
        **noise,
    )


def whole() -> CurveTable:
    note = Note(Caveat.CLOCK_UNSTATED, 'how sure the clock was, "nobody" <says> & it\'s é')
    words = {"version": "0.1.0", "key": "ab" * 32, "recording": "Ümläut, 'x' <y>.ser"}
    return table_of(reduction(), "Ümläut, 'x' <y>.ser", words, (note,))


@pytest.fixture
def table() -> CurveTable:
    return whole()


def export(table: CurveTable, name: str, folder: Path) -> Path:
    out = folder / f"curve.{name}"
    export_curve(table, form_of(name, out), out)
    return out


def good(table: CurveTable) -> NDArray[np.bool_]:
    return table.usable & table.timed


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_round_trip(form: Form, table: CurveTable, tmp_path: Path) -> None:
    options = CurveOptions(date="2026-03-01") if form.name == "tangra" else CurveOptions()
    back = read_table(export(table, form.name, tmp_path), options)
    all_rows = form.name in {*OWN, "csv"}
    rows = np.ones(N, bool) if all_rows else good(table)
    known = table.timed[rows]
    assert back.dated
    assert (back.timed == known).all()
    assert np.abs(back.mid_ns[known] - table.mid_ns[rows][known]).max() <= TIME_LIMIT_NS[form.name]
    rtol = 1e-8 if form.name == "csv" else 4e-16
    np.testing.assert_allclose(back.flux, table.flux[rows], rtol=rtol, atol=0.0)
    np.testing.assert_allclose(back.exposure_s, 0.035)
    digit_s = 0.0005 if form.name == "tangra" else 0.0
    np.testing.assert_allclose(back.utc_sigma_s, math.hypot(0.00125, digit_s))
    assert not any(n.caveat is Caveat.TIME_MEANING_ASSUMED for n in back.notes)
    if form.name not in {"portal", "tangra"}:
        np.testing.assert_allclose(back.sigma, table.sigma[rows], rtol=1e-8)
    if form.name in {"pyote", *OWN, "csv"}:
        keep = ~np.uint32(Flag.TIME_GAP.value)  # found anew, where a sample is left out
        np.testing.assert_array_equal(back.flags & keep, table.flags[rows] & keep)
        np.testing.assert_array_equal(back.frame, table.frame[rows])
    if form.name in {"sora", "pyote", *OWN}:
        assert [n.caveat for n in back.notes if n.caveat in {n.caveat for n in table.notes}] == [
            Caveat.CLOCK_UNSTATED
        ]


@pytest.mark.parametrize("name", OWN)
def test_own_forms_keep_every_column_and_word(name: str, table: CurveTable, tmp_path: Path) -> None:
    back = read_table(export(table, name, tmp_path))
    assert (back.name, back.program, back.level) == (table.name, "Umbra", 1.0)
    assert back.provenance == table.provenance
    assert back.notes == table.notes
    assert set(back.further) == set(table.further)
    for column, values in table.further.items():
        np.testing.assert_array_equal(back.further[column], values, err_msg=column)
    again = tmp_path / "again"
    again.mkdir()
    assert export(back, name, again).read_bytes() == (tmp_path / f"curve.{name}").read_bytes()


@pytest.mark.parametrize("name", [*OWN, "pyote", "tangra", "csv"])
def test_a_curve_without_dates_keeps_its_seconds(name: str, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(pymovie(truth(), date=""))
    table = read_table(path, CurveOptions(meaning="mid", exposure_s=0.03))
    assert not table.dated
    back = read_table(export(table, name, tmp_path))
    assert not back.dated
    assert np.abs(back.mid_ns - table.mid_ns).max() <= 1
    np.testing.assert_allclose(back.flux, table.flux, rtol=1e-8)


@pytest.mark.parametrize("name", ["sora", "portal"])
def test_forms_of_dates_refuse_a_curve_without(name: str, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(pymovie(truth(), date=""))
    with pytest.raises(RequestError, match=f"--as {name} needs UTC"):
        export(read_table(path), name, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv"]


def test_ecsv_by_astropy(table: CurveTable, tmp_path: Path) -> None:
    from astropy.table import Table
    from astropy.time import Time

    read = Table.read(export(table, "ecsv", tmp_path), format="ascii.ecsv")
    np.testing.assert_array_equal(np.asarray(read["flux_norm"]), table.flux)
    assert str(read["exposure_s"].unit) == "s"
    assert read.meta["time_meaning"] == "mid"
    assert json.loads(read.meta["provenance"]) == dict(table.provenance)
    at = good(table)
    times = Time([text.rstrip("Z") for text in np.asarray(read["utc"])[at]], scale="utc", format="isot")
    epoch = Time("1970-01-01T00:00:00", scale="utc")
    days = (times.jd1 - epoch.jd1) + (times.jd2 - epoch.jd2)
    np.testing.assert_allclose(days * 86400e9, table.mid_ns[at].astype(float), rtol=1e-15, atol=300)


def test_fits_by_astropy(table: CurveTable, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    from astropy.io import fits

    path = export(table, "fits", tmp_path)
    with fits.open(path) as hdus:
        hdus.verify("exception")
        hdu = hdus["LIGHTCURVE"]
        header, rows = hdu.header, hdu.data
        assert (header["TIMESYS"], header["TIMEPIXR"], header["TREFPOS"]) == ("UTC", 0.5, "TOPOCENTER")
        assert header["XPOSURE"] == 0.035
        np.testing.assert_array_equal(rows["FLUX_NORM"], table.flux)
        at = good(table)
        midnight = (header["MJDREFI"] - 40587) * 86400 * 10**9 + round(header["MJDREFF"] * 86400e9)
        ns = midnight + np.rint(rows["TIME"][at] * 1e9).astype(np.int64)
        np.testing.assert_array_equal(ns, table.mid_ns[at])
        begin = datetime.fromisoformat(header["DATE-BEG"]).replace(tzinfo=UTC)
        first = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(table.mid_ns[0]) / 1000)
        assert abs((first - begin) / timedelta(seconds=1) - 0.0175) < 2e-6
        assert any("clock-accuracy-unstated" in str(card) for card in header["COMMENT"])
    assert not recwarn.list


def test_fits_times_are_times_to_astropy(table: CurveTable, tmp_path: Path) -> None:
    from astropy.io import fits
    from astropy.time import Time

    with fits.open(export(table, "fits", tmp_path)) as hdus:
        header, rows = hdus[1].header, hdus[1].data
        reference = Time(header["MJDREFI"], header["MJDREFF"], format="mjd", scale=header["TIMESYS"].lower())
        times = reference + rows["TIME"][:3] / 86400 * (Time("2000-01-02") - Time("2000-01-01"))
        assert times[0].isot.startswith("2026-03-01T23:59:59.123")


def test_votable_by_astropy(table: CurveTable, tmp_path: Path) -> None:
    from astropy.io.votable import parse

    found = parse(str(export(table, "votable", tmp_path)), verify="exception")
    resource = found.resources[0]
    system = resource.time_systems[0]
    assert (system.timescale, system.refposition, system.timeorigin) == ("UTC", "TOPOCENTER", 2461100.5)
    read = resource.tables[0]
    field = next(f for f in read.fields if f.name == "time_s")
    assert (field.ref, str(field.unit)) == (system.ID, "s")
    np.testing.assert_array_equal(np.ma.filled(read.array["flux_norm"], np.nan), table.flux)
    at = good(table)
    seconds = np.asarray(read.array["time_s"])[at]
    np.testing.assert_allclose(
        seconds, (table.mid_ns[at] - FIRST_NS // (86400 * 10**9) * 86400 * 10**9) * 1e-9, rtol=1e-15
    )


def test_parquet_by_arrow(table: CurveTable, tmp_path: Path) -> None:
    import pyarrow.parquet

    read = pyarrow.parquet.read_table(export(table, "parquet", tmp_path))
    assert read.schema.metadata[b"time_meaning"] == b"mid"
    assert read.schema.field("exposure_s").metadata[b"unit"] == b"s"
    assert str(read.schema.field("utc").type) == "timestamp[ns, tz=UTC]"
    assert read.column("utc").null_count == 1
    np.testing.assert_array_equal(read.column("flux_norm").to_numpy(), table.flux)


def test_the_folder_of_a_reduction_gives_its_own_csv_back(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    write_lightcurve(reduction(), folder / "lightcurve.csv")
    summary = {
        "input": {"name": "a.ser", "time_source": "SER trailer", "time_meaning": "start"},
        "provenance": {"version": "0.1.0", "key": "cd" * 32},
        "caveats": [{"code": "time-gaps", "message": "3 gaps"}, {"code": "of the future", "message": "?"}],
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    table = read_table(folder)
    assert (table.name, table.program) == ("a.ser", "Umbra")
    assert table.provenance["key"] == "cd" * 32
    assert table.notes == (Note(Caveat.TIME_GAPS, "3 gaps"),)
    out = export(table, "csv", tmp_path)
    assert out.read_bytes() == (folder / "lightcurve.csv").read_bytes()
    assert read_lightcurve(out).frame.size == N
    (folder / "summary.json").write_text("[1")
    with pytest.raises(DataError, match=r"summary\.json"):
        read_table(folder)


def test_sora_text_by_loadtxt(table: CurveTable, tmp_path: Path) -> None:
    path = export(table, "sora", tmp_path)
    time, flux, sigma = np.loadtxt(path, usecols=(0, 1, 2), unpack=True)
    at = good(table)
    np.testing.assert_array_equal(flux, table.flux[at])
    np.testing.assert_array_equal(sigma, table.sigma[at])
    assert (np.diff(time) > 0).all()
    text = path.read_text()
    assert "# tref: 2026-03-01T00:00:00Z" in text
    assert "# samples left out, without a time or a usable flux: 2" in text
    snippet = next(line for line in text.splitlines() if "LightCurve(name" in line)
    assert "usecols=(0, 1, 2), exptime=0.035, tref='2026-03-01 00:00:00.000'" in snippet


def test_sora_loads_it(table: CurveTable, tmp_path: Path) -> None:
    sora = pytest.importorskip("sora", reason="SORA (sora-astro) is not installed")
    path = export(table, "sora", tmp_path)
    snippet = next(line for line in path.read_text().splitlines() if "LightCurve(name" in line)
    code = snippet.removeprefix("#   curve = ")
    curve = eval(code, {"LightCurve": sora.LightCurve, "FILE": str(path)})
    at = good(table)
    np.testing.assert_allclose(curve.flux, table.flux[at], rtol=1e-12)
    np.testing.assert_allclose(curve.dflux, table.sigma[at], rtol=1e-12)
    midnight = FIRST_NS // (86400 * 10**9) * 86400 * 10**9
    np.testing.assert_allclose(curve.time, (table.mid_ns[at] - midnight) * 1e-9, rtol=0, atol=1e-6)
    assert curve.tref.isot == "2026-03-01T00:00:00.000"
    assert curve.exptime == 0.035


def as_pyote_reads(path: Path) -> tuple[list[float], list[str], list[float]]:
    """Frames, times, and first light curve as PyOTE takes them (its first line decides the kind)."""
    lines = path.read_text().splitlines()
    if "Tangra" in lines[0]:
        at = next(k for k, line in enumerate(lines) if line.startswith("FrameNo"))
        subtracted = "SignalMinusBackground" in lines[at]
        rows = [line.split(",") for line in lines[at + 1 :] if line]
        values = [float(r[2]) if subtracted else float(r[2]) - float(r[3]) for r in rows]
    else:
        assert lines[0].startswith("#")
        at = next(k for k, line in enumerate(lines) if line.startswith("FrameNum,timeInfo"))
        rows = [line.split(",") for line in lines[at + 1 :] if line]
        values = [float(r[2]) for r in rows]
    return [float(r[0]) for r in rows], [r[1] for r in rows], values


@pytest.mark.parametrize("name", ["pyote", "tangra"])
def test_pyote_reads_it(name: str, table: CurveTable, tmp_path: Path) -> None:
    frames, times, values = as_pyote_reads(export(table, name, tmp_path))
    at = good(table)
    np.testing.assert_array_equal(frames, table.frame[at])
    digits = 3 if name == "tangra" else 6
    assert all(re.fullmatch(rf"\[\d\d:\d\d:\d\d\.\d{{{digits}}}\]", text) for text in times)
    clocks = [sum(float(part) * 60**k for k, part in enumerate(reversed(t[1:-1].split(":")))) for t in times]
    seconds = np.array(clocks) + np.where(np.array(clocks) < 43200, 86400, 0)
    expected = (table.mid_ns[at] - FIRST_NS // (86400 * 10**9) * 86400 * 10**9) * 1e-9
    np.testing.assert_allclose(seconds, expected, atol=0.51 * 10.0**-digits)
    ratio = np.array(values) / table.flux[at]
    assert ratio.std() < 1e-9 * ratio.mean()
    assert ratio.mean() == pytest.approx(5432.1, rel=0.1)  # counts, as the recording's


def test_the_portals_own_form(table: CurveTable, tmp_path: Path) -> None:
    path = export(table, "portal", tmp_path)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == ["DATE-OBS", "Object+Occ./Ref1."]
    assert path.read_text().startswith('"DATE-OBS","Object+Occ./Ref1."\n"2026-03-01T23:59:59.123457",')
    assert all(datetime.fromisoformat(stamp) and math.isfinite(float(flux)) for stamp, flux in rows[1:])
    about = json.loads((tmp_path / "curve.portal.about.json").read_text())
    assert (about["time_meaning"], about["exposure_s"], about["left_out"]) == ("mid", 0.035, 2)
    assert about["provenance"] == dict(table.provenance)


def test_nothing_is_overwritten_unasked(table: CurveTable, tmp_path: Path) -> None:
    out = tmp_path / "a.dat"
    out.write_text("precious")
    with pytest.raises(RequestError, match="exists"):
        export_curve(table, form_of("sora", out), out)
    beside = tmp_path / "b.csv.about.json"
    beside.write_text("precious")
    with pytest.raises(RequestError, match=r"about\.json: exists"):
        export_curve(table, form_of("portal", tmp_path / "b.csv"), tmp_path / "b.csv")
    with pytest.raises(RequestError, match="is a folder"):
        export_curve(table, form_of("sora", tmp_path), tmp_path)
    assert out.read_text() == beside.read_text() == "precious"
    export_curve(table, form_of("sora", out), out, overwrite=True)
    assert out.read_text().startswith("# Umbra")


def test_forms_by_name_and_by_ending(tmp_path: Path) -> None:
    for form in FORMS:
        assert form_of(form.name, Path("x")) is form
        assert all(form_of(None, Path(f"x{suffix.upper()}")) is form for suffix in form.suffixes)
    with pytest.raises(RequestError, match="give --as"):
        form_of(None, Path("x.csv"))
    with pytest.raises(RequestError, match="--as excel"):
        form_of("excel", Path("x.csv"))


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in.csv"
    path.write_text(pymovie(truth()))
    assert lightcurve([str(path)]) == 0
    assert "in.csv: PyMovie CSV, 120 samples, 120 usable" in capsys.readouterr().out
    out = tmp_path / "new" / "x.ecsv"
    assert lightcurve([str(path), "--time-is", "mid", "--exposure", "0.03", "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["written"] == [str(out)]
    assert (document["exposure_s"], document["target"], document["reference"]) == (
        0.03,
        "signal-target",
        "signal-ref",
    )
    for arguments, words in (
        ([str(path), "--as", "sora"], "give --out too"),
        ([str(path), "--as", "sora", "--out", str(path)], "is the light curve itself"),
        ([str(path), "--time-is", "noon"], "--time-is noon"),
        ([str(path), "--exposure", "-1"], "--exposure -1"),
        ([str(out), "--date", "2026-03-01"], "--date is for other programs"),
    ):
        assert lightcurve(arguments) == 2
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", ["csv", *OWN])
def test_mutated_inputs_of_own_curves(name: str, tmp_path: Path) -> None:
    table = table_of(reduction(14), "a", {"key": "ab"}, (Note(Caveat.TIME_GAPS, "3 gaps"),))
    data = export(table, name, tmp_path).read_bytes()
    head = {"parquet": len(data), "fits": 2880 * 6, "votable": 5000, "ecsv": 3000, "csv": 600}[name]

    def read(path: Path) -> None:
        back = read_table(path)
        assert back.frame.size == back.flux.size == back.flags.size

    damaged = tmp_path / "damaged.bin"
    outcomes = endure(damaged, mutations([data], COUNT, head), read, f"own {name}")
    assert set(outcomes) <= {"read", "DataError", "TruncatedError", "RequestError"}
    assert outcomes["DataError"]
