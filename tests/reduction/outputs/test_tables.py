import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reduction.errors import DataError
from reduction.outputs.tables import (
    FLAG_MEANINGS,
    LIGHTCURVE_COLUMNS,
    ROWS,
    STAR_COLUMNS,
    read_lightcurve,
    utc_texts,
    write_lightcurve,
    write_stars,
)
from reduction.result import STAR_DTYPE, Flag, LightCurve, ReductionResult
from reduction.timing import UNKNOWN_NS, utc_text
from tests.reduction.outputs.result_factory import STARS, make_result

REQUIRED = (
    "frame,utc,exposure_s,target_flux,target_sigma,reference_flux,ratio,ratio_sigma,target_x,target_y,flags"
)


def csv_of(lightcurve: LightCurve, path: Path) -> list[list[str]]:
    write_lightcurve(lightcurve, path)
    return [line.split(",") for line in path.read_text().split("\n")[:-1]]


def test_header_begins_with_the_promised_columns(small: ReductionResult, tmp_path: Path) -> None:
    write_lightcurve(small.lightcurve, tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_bytes()
    assert text.startswith(REQUIRED.encode() + b",utc_sigma_s,flux_norm,flux_norm_sigma,")
    assert b"\r" not in text
    assert text.endswith(b"\n")
    assert b"nan" not in text
    assert text.count(b"\n") == 61


def test_every_row_equals_a_slow_writer(result: ReductionResult, tmp_path: Path) -> None:
    curve = result.lightcurve
    rows = csv_of(curve, tmp_path / "a.csv")

    def text(value: float, form: str) -> str:
        return format(value, form) if np.isfinite(value) else ""

    for i in (0, 1, 100, 200, 201, 666, 1100, 1400, 1999):
        expected = [
            f"{i}",
            utc_text(int(curve.mid_ns[i])),
            *(text(float(getattr(curve, c.name)[i]), ".9g") for c in LIGHTCURVE_COLUMNS[2:8]),
            text(curve.target_x[i], ".4f"),
            text(curve.target_y[i], ".4f"),
            str(int(curve.flags[i])),
            *(text(float(getattr(curve, c.name)[i]), ".9g") for c in LIGHTCURVE_COLUMNS[11:16]),
            str(int(curve.baseline[i])),
        ]
        assert rows[i + 1] == expected


def test_lost_frames_have_empty_fields(result: ReductionResult, tmp_path: Path) -> None:
    row = dict(zip(*(csv_of(result.lightcurve, tmp_path / "a.csv")[i] for i in (0, 201)), strict=True))
    assert int(row["flags"]) & Flag.LOST
    assert row["target_flux"] == row["ratio"] == row["target_x"] == ""
    assert row["utc"] != ""


def test_half_frames_and_numbers_at_their_limits(small: ReductionResult, tmp_path: Path) -> None:
    curve = small.lightcurve
    frame = curve.frame.copy()
    frame[:3] = (12345678.5, 99999999, 0.5)
    x = curve.target_x.copy()
    x[:3] = (-0.00001, np.inf, -3.25)
    rows = csv_of(replace(curve, frame=frame, target_x=x), tmp_path / "a.csv")
    assert [row[0] for row in rows[1:4]] == ["12345678.5", "99999999", "0.5"]
    assert [row[8] for row in rows[1:4]] == ["0.0000", "", "-3.2500"]


def test_reading_back(tmp_path: Path) -> None:
    curve = make_result(tmp_path / "s", points=ROWS + 7).lightcurve
    write_lightcurve(curve, tmp_path / "a.csv")
    back = read_lightcurve(tmp_path / "a.csv")
    for name in ("frame", "flags", "baseline"):
        np.testing.assert_array_equal(getattr(back, name), getattr(curve, name))
    known = curve.mid_ns != UNKNOWN_NS
    np.testing.assert_array_equal(back.mid_ns != UNKNOWN_NS, known)
    assert np.abs(back.mid_ns[known] - curve.mid_ns[known]).max() <= 500
    for name in ("target_flux", "ratio", "ratio_sigma", "flux_norm", "target_sky", "exposure_s"):
        np.testing.assert_allclose(getattr(back, name), getattr(curve, name), rtol=5e-9, atol=0)
    np.testing.assert_allclose(back.target_x, curve.target_x, rtol=0, atol=5.1e-5)


def test_a_whole_column_may_be_empty(tmp_path: Path) -> None:
    curve = make_result(tmp_path / "s", points=40, timed=False).lightcurve
    write_lightcurve(curve, tmp_path / "a.csv")
    assert (read_lightcurve(tmp_path / "a.csv").mid_ns == UNKNOWN_NS).all()


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", REQUIRED + "\n"])
def test_reading_something_else_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=r"a\.csv: not a light curve"):
        read_lightcurve(tmp_path / "a.csv")


@given(st.lists(st.one_of(st.just(UNKNOWN_NS), st.integers(-(10**18), 4 * 10**18)), min_size=1))
def test_times_are_written_as_the_domain_writes_them(times: list[int]) -> None:
    assert utc_texts(np.array(times, np.int64)) == [utc_text(t) for t in times]


def test_every_flag_has_a_meaning() -> None:
    assert list(FLAG_MEANINGS) == list(Flag)


def test_stars_hold_every_row_of_the_segments(result: ReductionResult, tmp_path: Path) -> None:
    write_stars(result, tmp_path / "stars.parquet")
    file = pyarrow.parquet.ParquetFile(tmp_path / "stars.parquet")
    assert file.num_row_groups == len(result.segments) == 2
    assert file.schema_arrow.names == [c.name for c in STAR_COLUMNS]
    metadata = file.schema_arrow.metadata
    assert metadata[b"umbra.key"].decode() == result.provenance.key
    assert json.loads(metadata[b"umbra.units"])["sky"] == "ADU/px"
    table = file.read()
    rows = np.concatenate([np.load(path) for path in result.segments])
    names = np.array([s.name for s in STARS])
    assert table.column("star").to_pylist() == names[rows["star"]].tolist()
    assert set(table.column("role").to_pylist()) == {"target", "reference", "guide", "star"}
    assert table.column("role").to_pylist()[:4] == ["target", "reference", "reference", "guide"]
    for name in ("frame", "x", "y", "flux", "sigma", "sky", "sky_sigma", "flags"):
        got = table.column(name).to_numpy()
        assert got.dtype == STAR_DTYPE[name]
        np.testing.assert_array_equal(got, rows[name])


def test_stars_of_no_segment_and_of_an_empty_one(small: ReductionResult, tmp_path: Path) -> None:
    np.save(tmp_path / "empty.npy", np.zeros(0, STAR_DTYPE))
    for segments in ((), (tmp_path / "empty.npy",)):
        write_stars(replace(small, segments=segments), tmp_path / "stars.parquet")
        assert pyarrow.parquet.read_table(tmp_path / "stars.parquet").num_rows == 0


def test_stars_that_are_not_in_the_list_are_refused(small: ReductionResult, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="star 6 is not in"):
        write_stars(replace(small, stars=STARS[:6]), tmp_path / "stars.parquet")
    np.save(tmp_path / "wrong.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"wrong.npy: not a segment"):
        write_stars(replace(small, segments=(tmp_path / "wrong.npy",)), tmp_path / "stars.parquet")


def test_star_order_in_the_list_does_not_matter(small: ReductionResult, tmp_path: Path) -> None:
    write_stars(replace(small, stars=STARS[::-1]), tmp_path / "stars.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "stars.parquet")
    assert table.column("star").to_pylist()[:3] == ["T", "R1", "R2"]
