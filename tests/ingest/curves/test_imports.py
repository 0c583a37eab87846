"""Light curves of other programs: what each dialect must give, and what only one has."""

import json
from pathlib import Path

import numpy as np
import pytest

from ingest.curves.curve_table import CurveTable
from ingest.curves.dialects import DIALECTS, dialect_of, read_curve, read_table
from ingest.curves.settled import CurveOptions
from reduction.caveats import Caveat
from reduction.errors import DataError, RequestError, UmbraError
from reduction.events.curve import EventCurve
from reduction.result import Flag
from reduction.timing import UNKNOWN_NS, Instant, utc_text
from tests.fuzzing import COUNT, endure, mutations
from tests.ingest.curves.written import (
    EXPOSURE_MS,
    limovie,
    portal,
    pymovie,
    rote,
    sora,
    tangra,
    truth,
)
from tests.sample_data import sample

TRUTH = truth()
DAY = CurveOptions(date="2026-03-01")
CASES: dict[str, tuple[str, str, CurveOptions, float, bool]] = {
    "pymovie": ("PyMovie CSV", pymovie(TRUTH), CurveOptions(meaning="mid"), 1e-9, True),
    "pymovie undated": ("PyMovie CSV", pymovie(TRUTH, date=""), DAY, 1e-9, True),
    "rote": ("R-OTE CSV", rote(TRUTH), DAY, 1e-9, False),
    "tangra": ("Tangra CSV", tangra(TRUTH), DAY, 1e-9, True),
    "tangra minus": ("Tangra CSV", tangra(TRUTH, "minus"), DAY, 1e-9, True),
    "tangra magnitudes": ("Tangra CSV", tangra(TRUTH, "magnitude"), DAY, 1e-9, True),
    "tangra bins": ("Tangra CSV", tangra(TRUTH, "bins"), DAY, 1e-9, True),
    "tangra days": ("Tangra CSV", tangra(TRUTH, time="Days UT"), DAY, 1e-7, True),
    "tangra jd": ("Tangra CSV", tangra(TRUTH, time="JD"), CurveOptions(), 5e-4, True),
    "limovie": ("LiMovie CSV", limovie(TRUTH), DAY, 1e-9, False),
    "portal": ("Occultation Portal CSV", portal(TRUTH), CurveOptions(), 1e-9, False),
    "sora jd": ("text of columns", sora(TRUTH), CurveOptions(), 21e-6, False),
    "sora iso": ("text of columns", sora(TRUTH, "iso", " "), CurveOptions(), 1e-9, False),
    "sora seconds": (
        "text of columns", sora(TRUTH, "seconds", ","), CurveOptions(tref="2026-03-01T00:00:00"), 1e-9, False,
    ),
    "sora mjd": (
        "text of columns", sora(TRUTH, "mjd", ";", "MJD;flux;dflux"), CurveOptions(), 1e-6, False,
    ),
}  # fmt: skip
"""Program, text, what must be said, exactness of times in seconds, whether it is divided by a reference."""


def written(folder: Path, text: str, name: str = "curve.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[CurveTable, EventCurve, float, bool]:
    program, text, options, exact, divided = CASES[request.param]
    path = written(tmp_path, text)
    table = read_table(path, options)
    assert table.program == program
    return table, read_curve(path, options), exact, divided


class TestEveryDialect:
    def test_times_are_mid_exposure_over_midnight(
        self, case: tuple[CurveTable, EventCurve, float, bool]
    ) -> None:
        table, curve, exact, _ = case
        assert curve.dated
        wrong_s = (table.mid_ns - TRUTH.ns) * 1e-9
        np.testing.assert_allclose(wrong_s, 0.0, atol=exact)
        np.testing.assert_allclose(curve.utc_ns(0.0) * 1e-9, TRUTH.ns[0] * 1e-9, atol=max(exact, 1e-6))
        assert (curve.utc_sigma_s >= np.abs(wrong_s) - 1e-9).all()

    def test_flux_is_over_its_level(self, case: tuple[CurveTable, EventCurve, float, bool]) -> None:
        table, curve, _, divided = case
        flux = TRUTH.target / TRUTH.comparison if divided else TRUTH.target
        outside = np.r_[0:60, 80:120]
        expected = flux / np.median(flux[outside])
        seen = expected > 0.01  # magnitudes have a floor
        np.testing.assert_allclose(table.flux[seen], expected[seen], rtol=0.002)
        assert curve.usable.all()
        assert abs(np.median(curve.flux[outside]) - 1) < 0.002

    def test_exposure_is_known_or_said_to_be_assumed(
        self, case: tuple[CurveTable, EventCurve, float, bool]
    ) -> None:
        table, curve, exact, _ = case
        np.testing.assert_allclose(curve.exposure_s, EXPOSURE_MS * 1e-3, atol=2 * exact + 1e-9)
        notes = {note.caveat for note in curve.notes}
        assert (Caveat.EXPOSURE_ASSUMED in notes) == (table.program != "R-OTE CSV")
        assert Caveat.CLOCK_UNSTATED in notes


def test_every_dialect_of_the_table_has_its_case_and_is_told_by_content(tmp_path: Path) -> None:
    for program, text, *_ in CASES.values():
        found = dialect_of(written(tmp_path, text, "anything.ser"))
        assert program.split()[0] in found.name
    covered = {dialect_of(written(tmp_path, text)).module for _, text, *_ in CASES.values()}
    assert covered >= {d.module for d in DIALECTS if not d.own}


@pytest.mark.parametrize(
    "text", ["", "\n\n", "hello world\n", "# PyMovie like\nnothing\n", "1\n2\n", "a,b\nc,d\n"]
)
def test_what_is_no_light_curve_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RequestError, match=r"curve\.txt: no light curve"):
        read_table(written(tmp_path, text))


def test_no_file_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no such file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(RequestError, match=r"without lightcurve\.csv"):
        read_table(tmp_path)


def test_columns_are_chosen_by_name_end_and_number(tmp_path: Path) -> None:
    path = written(tmp_path, pymovie(TRUTH))
    for column in ("signal-ref", "ref", "REF", "2"):
        table = read_table(path, CurveOptions(column=column, reference="target"))
        np.testing.assert_allclose(
            table.flux * table.level, TRUTH.comparison / TRUTH.target * np.median(TRUTH.target), rtol=1e-9
        )
    alone = read_table(path, CurveOptions(reference="none"))
    np.testing.assert_allclose(alone.flux * alone.level, TRUTH.target)
    for options in (CurveOptions(column="nobody"), CurveOptions(reference="3")):
        with pytest.raises(RequestError, match="there are signal-target, signal-ref"):
            read_table(path, options)
    with pytest.raises(RequestError, match="the target itself"):
        read_table(path, CurveOptions(reference="target"))


def test_a_choice_that_the_file_does_not_make_is_said(tmp_path: Path) -> None:
    text = pymovie(TRUTH).replace("signal-target", "signal-a").replace("signal-ref", "signal-b")
    table = read_table(written(tmp_path, text))
    assert [n.message for n in table.notes if n.caveat is Caveat.TARGET_CHOSEN] == [
        "curve.txt: signal-a is taken as the target; --column names another of signal-b"
    ]
    np.testing.assert_allclose(table.flux * table.level, TRUTH.target)
    assert not any(
        n.caveat is Caveat.TARGET_CHOSEN
        for n in read_table(written(tmp_path, rote(TRUTH)), CurveOptions(column="LC2")).notes
    )


def test_a_bad_reference_makes_no_flux(tmp_path: Path) -> None:
    lines = pymovie(TRUTH).splitlines()
    cells = lines[-1].split(",")
    cells[3] = "0.0"
    table = read_table(written(tmp_path, "\n".join([*lines[:-1], ",".join(cells)])))
    assert table.flags[-1] & Flag.BAD_REFERENCE.value
    assert not table.usable[-1]
    assert table.usable[:-1].all()
    assert table.flags[3] & Flag.REPAIRED.value  # hit-defect


@pytest.mark.parametrize(("meaning", "shift"), [("start", 20), ("mid", 0), ("end", -20)])
def test_the_instant_that_a_time_names(tmp_path: Path, meaning: Instant, shift: int) -> None:
    path = written(tmp_path, portal(TRUTH))
    table = read_table(path, CurveOptions(meaning=meaning))
    assert np.unique(table.mid_ns - TRUTH.ns).tolist() == [shift * 10**6]
    assert not any(n.caveat is Caveat.TIME_MEANING_ASSUMED for n in table.notes)
    assert np.median(table.utc_sigma_s) < 0.001
    unsaid = read_table(path)
    assert any(n.caveat is Caveat.TIME_MEANING_ASSUMED for n in unsaid.notes)
    assert np.median(unsaid.utc_sigma_s) == pytest.approx(0.02, rel=0.01)  # half an exposure
    stated = read_table(path, CurveOptions(meaning=meaning, exposure_s=0.02))
    assert np.unique(stated.mid_ns - TRUTH.ns).tolist() == [shift * 10**6 // 2]


def test_fields_of_a_video_are_their_own_exposures(tmp_path: Path) -> None:
    lines = pymovie(TRUTH, "C:/x/rec.avi").splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("FrameNum")) + 1
    rows = [line.split(",") for line in lines[at:]]
    fields = [",".join([f"{k / 2:.2f}", *cells[1:]]) for k, cells in enumerate(rows)]
    table = read_table(written(tmp_path, "\n".join([*lines[:at], *fields])))
    assert table.frame[:3].tolist() == [0.0, 0.5, 1.0]
    assert np.unique(table.mid_ns - TRUTH.ns).tolist() == [-20 * 10**6]  # VSYNC ends each field
    frames = read_table(written(tmp_path, pymovie(TRUTH, "C:/x/rec.avi")))
    assert np.unique(frames.mid_ns - TRUTH.ns).tolist() == [0]  # and is the middle of a frame
    assert any(n.caveat is Caveat.CAMERA_UNKNOWN for n in frames.notes)


def test_undated_curves_count_from_midnight_and_say_so(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, pymovie(TRUTH, date="")))
    curve = table.event_curve()
    assert not curve.dated
    assert curve.ref_ns == UNKNOWN_NS
    assert curve.time_s[0] == pytest.approx(86398.0)
    assert curve.time_s[-1] > 86400
    assert any(n.caveat is Caveat.DATE_UNSET and "--date" in n.message for n in curve.notes)


def test_a_date_or_reference_is_taken_where_it_belongs(tmp_path: Path) -> None:
    dated, seconds = (
        written(tmp_path, pymovie(TRUTH), "a.csv"),
        written(tmp_path, sora(TRUTH, "seconds"), "b.dat"),
    )
    for path, options, message in (
        (dated, DAY, "holds dates of its own"),
        (dated, CurveOptions(tref="2026-03-01"), "--tref is for seconds"),
        (seconds, CurveOptions(tref="yesterday"), "--tref yesterday"),
        (seconds, CurveOptions(date="tomorrow"), "--date tomorrow"),
    ):
        with pytest.raises(RequestError, match=message):
            read_table(path, options)
    assert not read_table(seconds).dated
    assert read_table(seconds, DAY).mid_ns.tolist() == TRUTH.ns.tolist()
    own = written(
        tmp_path,
        sora(
            TRUTH, "seconds", header="# tref: 2026-03-01T00:00:00Z\n# exposure_s: 0.03\n# time meaning: mid"
        ),
    )
    table = read_table(own)
    assert table.mid_ns.tolist() == TRUTH.ns.tolist()
    assert table.exposure_s[0] == 0.03
    assert not any(n.caveat is Caveat.TIME_MEANING_ASSUMED for n in table.notes)


def test_sigma_of_a_third_column(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, sora(TRUTH)))
    np.testing.assert_allclose(table.sigma * table.level, 0.02)


def test_repeated_and_rejected_rows_are_flagged(tmp_path: Path) -> None:
    lines = rote(TRUTH).splitlines()
    rows = lines.index("FrameNum,timeInfo,primaryData,LC2") + 1
    lines[rows + 10] = lines[rows + 9]  # twice the same row
    lines[rows + 20] = lines[rows + 20].rsplit(",", 2)[0] + ",,"
    cells = lines[rows + 30].split(",")
    lines[rows + 30] = ",".join([cells[0], "[]", *cells[2:]])
    table = read_table(written(tmp_path, "\n".join(lines)), DAY)
    assert [k for k in range(120) if table.flags[k] & Flag.REPEATED.value] == [10]
    assert [k for k in range(120) if table.flags[k] & Flag.NOT_FINITE.value] == [20]
    assert [k for k in range(120) if table.flags[k] & Flag.TIME_UNSURE.value] == [10, 30]
    curve = table.event_curve()
    assert curve.time_s.size == 118
    assert np.count_nonzero(~curve.usable) == 1


def test_rows_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    lines = sora(TRUTH, "iso").splitlines()
    shuffled = [lines[k] for k in np.random.default_rng(1).permutation(len(lines))]
    path = written(tmp_path, "\n".join(shuffled))
    np.testing.assert_array_equal(
        read_curve(path).flux, read_curve(written(tmp_path, sora(TRUTH, "iso"), "b")).flux
    )


def test_the_level_of_a_curve_with_long_flanks(tmp_path: Path) -> None:
    """A median of all that is not in the dip would be low by several percent."""
    t = np.arange(600) * 0.04
    shape = 1 - 0.8 * (np.clip((t - 4) / 3, 0, 1) - np.clip((t - 17) / 3, 0, 1))
    flux = shape + np.random.default_rng(5).normal(0, 0.03, t.size)
    table = read_table(written(tmp_path, "\n".join(f"{a:.3f} {b:.6f}" for a, b in zip(t, flux, strict=True))))
    assert table.level == pytest.approx(1.0, abs=0.01)


def test_a_star_that_is_never_seen_is_not_divided_by_nothing(tmp_path: Path) -> None:
    flux = np.random.default_rng(5).normal(0, 1, 200)
    table = read_table(written(tmp_path, "\n".join(f"{k}.0 {b:.6f}" for k, b in enumerate(flux))))
    assert table.level == 1.0
    assert any(n.caveat is Caveat.TARGET_NOT_SEEN for n in table.notes)


def test_barycentric_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another scale or place"):
        read_table(written(tmp_path, sora(TRUTH, "jd", header="BJD_TDB flux dflux")))


def test_what_lies_beside_is_believed_of_its_own_file_only(tmp_path: Path) -> None:
    import hashlib

    path = written(tmp_path, portal(TRUTH), "p.csv")
    about = {"schema": "umbra-curve-1", "time_meaning": "mid", "exposure_s": 0.03, "time_sigma_s": 0.002}
    beside = tmp_path / "p.csv.about.json"
    beside.write_text(json.dumps({**about, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    table = read_table(path)
    assert (table.exposure_s[0], table.utc_sigma_s[0]) == (0.03, 0.002)
    beside.write_text(json.dumps({**about, "sha256": "0" * 64}))
    assert read_table(path).exposure_s[0] == pytest.approx(0.04)
    beside.write_text("{")
    with pytest.raises(DataError, match=r"about\.json"):
        read_table(path)


REAL = {
    "sora/lc_example.dat": ("2017-06-22T21:20:00.056", 2000, CurveOptions(exposure_s=0.1)),
    "sora/lc_example_3.dat": ("2018-05-20T22:17:53.123", 98, CurveOptions(tref="2018-05-20")),
    "sora/lc_example_4.csv": ("2020-09-21T22:31:33.250", 235, CurveOptions()),
    "sora/lc_example_5.dat": ("2017-06-22T21:10:19.961", 400, CurveOptions()),
    "sora/lc_example_trend.dat": ("2017-06-22T21:20:00.056", 2000, CurveOptions(tref="2017-06-22")),
    "pyote/diffraction_miss_shotnoise_1.0_readnoise_20.0.csv": (
        "2022-12-25T00:00:00.000", 333, CurveOptions(date="2022-12-25"),
    ),
    "pyote/example-penumbral.csv": ("2001-01-01T00:00:01.000", 300, CurveOptions(date="2001-01-01")),
    "reports/tangra_csv_header_excerpt_75975.csv": (
        "2025-12-04T08:48:48.666", 14, CurveOptions(date="2025-12-04"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str) -> None:
    first, samples, options = REAL[name]
    curve = read_curve(sample(name), options)
    assert utc_text(curve.utc_ns(0.0), 3)[:-1] == first
    assert curve.time_s.size == samples
    assert curve.usable.all()
    assert (curve.utc_sigma_s > 0).all()


@pytest.mark.parametrize("which", CASES)
def test_mutated_inputs_of_light_curves(tmp_path: Path, which: str) -> None:
    program, text, options, _, _ = CASES[which]
    share = COUNT // sum(case[0] == program for case in CASES.values())  # so many for each parser
    lines = text.splitlines(keepends=True)
    whole = "".join(lines[: len(lines) - 110]).encode()

    def read(path: Path) -> None:
        table = read_table(path, options)
        try:
            curve = table.event_curve()
        except DataError:
            return
        assert np.isfinite(curve.flux[curve.usable]).all()

    outcomes = endure(tmp_path / "damaged.txt", mutations([whole], share, 800), read, f"curve {which}")
    assert outcomes["read"]
    assert set(outcomes) <= {"read", "DataError", "RequestError"}
    assert issubclass(DataError, UmbraError)
