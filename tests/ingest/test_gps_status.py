import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.gps_status import FREE_RUNNING, Almanac, Fix, GpsReview, GpsStatus, review_gps
from reduction.caveats import Caveat
from reduction.timing import UNKNOWN_NS
from tests.ingest.ser_writer import utc_ns

T0 = utc_ns("2026-03-01T21:00:00")
STAMPS = T0 + np.arange(6, dtype=np.int64) * 500_000_000


def status(**changed: object) -> GpsStatus:
    columns: dict[str, tuple[object, type]] = {
        "satellites": (9, np.int16),
        "almanac": (Almanac.CERTAIN, np.int8),
        "leap_seconds": (18, np.int16),
        "offset_s": (0, np.int16),
        "fix": (Fix.POSITION, np.int8),
    }
    made: dict[str, NDArray[np.generic]] = {
        name: np.broadcast_to(np.asarray(changed.get(name, value), kind), (6,)).copy()
        for name, (value, kind) in columns.items()
    }
    return GpsStatus(**made)  # type: ignore[arg-type]  # the types stand in the table above


def reviewed(stamps: NDArray[np.int64] = STAMPS, **changed: object) -> GpsReview:
    return review_gps(status(**changed), stamps, "the recorder")


def test_a_good_receiver_costs_nothing() -> None:
    review = reviewed()
    assert not review.notes
    np.testing.assert_array_equal(review.sigma_s, 0)
    assert status().text() == "9 satellites, time and position fix, almanac certain"


def test_unknown_is_no_blame() -> None:
    review = reviewed(satellites=-1, almanac=Almanac.UNKNOWN, leap_seconds=-1, fix=Fix.UNKNOWN)
    assert not review.notes
    np.testing.assert_array_equal(review.sigma_s, 0)


def test_an_uncertain_almanac_makes_whole_seconds_unsure_where_it_is() -> None:
    review = reviewed(almanac=[1, 1, 0, 0, 1, 1])
    np.testing.assert_array_equal(review.sigma_s, [0, 0, 1, 1, 0, 0])
    (note,) = review.notes
    assert note.caveat is Caveat.GPS_ALMANAC
    assert "2 of 6 frames, first at frame 2" in note.message
    assert "the recorder" in note.message


def test_an_offset_makes_times_as_unsure_as_it_is_large() -> None:
    review = reviewed(offset_s=[0, 0, 0, 0, -3, 1])
    np.testing.assert_array_equal(review.sigma_s, [0, 0, 0, 0, 3, 1])
    assert "-3, 1 s" in review.notes[0].message
    assert "nothing is corrected" in review.notes[0].message


@pytest.mark.parametrize(("used", "word", "sigma"), [(17, "late", 1), (20, "early", 2)])
def test_a_wrong_count_of_leap_seconds_is_said_with_its_sign(used: int, word: str, sigma: float) -> None:
    review = reviewed(leap_seconds=used)
    np.testing.assert_array_equal(review.sigma_s, sigma)
    assert f"likely {sigma} s {word}" in review.notes[0].message


def test_the_count_of_leap_seconds_is_that_of_the_date() -> None:
    before = utc_ns("2016-12-31T12:00:00") + np.arange(6, dtype=np.int64)
    assert not reviewed(before, leap_seconds=17).notes
    assert reviewed(before, leap_seconds=18).notes
    across = utc_ns("2017-01-01T00:00:00") + np.arange(-3, 3, dtype=np.int64) * 400_000_000
    for used in (17, 18):
        assert not reviewed(across, leap_seconds=used).notes


def test_a_free_clock_drifts_from_the_last_fix() -> None:
    review = reviewed(fix=[3, 2, 1, 1, 3, 0])
    np.testing.assert_allclose(review.sigma_s, FREE_RUNNING * np.array([0, 0, 0.5, 1.0, 0, 0.5]))
    (note,) = review.notes
    assert note.caveat is Caveat.GPS_FIX
    assert "3 of 6 frames, first at frame 2" in note.message


def test_a_clock_never_set_is_worth_little() -> None:
    np.testing.assert_array_equal(reviewed(fix=Fix.NONE).sigma_s, 1)
    assert "any amount" in reviewed(fix=Fix.NONE).notes[0].message
    held = reviewed(fix=Fix.HELD)
    np.testing.assert_array_equal(held.sigma_s, 0)
    assert "not stated" in held.notes[0].message


def test_frames_without_a_time_are_no_trouble() -> None:
    stamps = np.full(6, UNKNOWN_NS)
    review = review_gps(status(leap_seconds=17, fix=[3, 0, 0, 0, 0, 0]), stamps, "x")
    assert np.isfinite(review.sigma_s).all()


def test_reasons_add_in_quadrature() -> None:
    review = reviewed(almanac=Almanac.UNCERTAIN, fix=Fix.NONE)
    np.testing.assert_allclose(review.sigma_s, np.sqrt(2))
    assert len(review.notes) == 2


def test_the_line_for_people_counts_what_differs() -> None:
    text = status(satellites=[4, 5, 6, 7, -1, 4], fix=[1, 3, 3, 3, 3, 3], almanac=Almanac.UNKNOWN).text()
    assert text == "4 to 7 satellites, time kept without a fix at 1 frames, time and position fix at 5 frames"
    assert not status(satellites=-1, fix=-1, almanac=-1).text()


def test_columns_are_of_one_length() -> None:
    with pytest.raises(ValueError, match="length"):
        GpsStatus(*(np.zeros(n, np.int16) for n in (2, 2, 2, 2, 3)))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="6 rows"):
        review_gps(status(), STAMPS[:5], "x")
