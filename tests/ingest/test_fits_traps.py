"""Traps of FITS times: each is said, and changed only where the headers prove what is meant."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ingest.fits_header import FitsHeader
from ingest.fits_times import sequence_stamps
from ingest.stamps import Stamps, solve
from reduction.caveats import Caveat
from reduction.timing import utc_text
from tests.ingest.ser_writer import utc_ns

START = utc_ns("2026-03-01T21:00:00") + 250_000_000
HOUR = 3600 * 10**9


def of(frames: int, cards: Callable[[int], dict[str, Any]]) -> Stamps:
    headers = []
    for i in range(frames):
        written = {}
        for key, value in cards(i).items():
            text, comment = value if isinstance(value, tuple) else (value, "")
            shown = f" '{text}'" if isinstance(text, str) else f" {text!r}"
            written[key] = f"{shown} / {comment}" if comment else shown
        headers.append(FitsHeader(f"{i}.fits", written))
    return sequence_stamps(headers, None)


def iso(ns: int, digits: int = 3) -> str:
    return utc_text(ns, digits).removesuffix("Z")


def jd(ns: int) -> float:
    return ns / 86_400e9 + 2_440_587.5


def kinds(stamps: Stamps) -> list[Caveat]:
    return [note.caveat for note in stamps.notes]


def at(i: int, step: float = 0.5) -> int:
    return START + round(i * step * 1e9)


class TestLocalTime:
    def test_proven_by_two_keywords(self) -> None:
        found = of(
            6,
            lambda i: {
                "DATE-OBS": iso(at(i) - 5 * HOUR),
                "JD": jd(at(i)),
                "TIMEZONE": -5,
                "EXPTIME": 0.4,
            },
        )
        assert kinds(found) == [Caveat.LOCAL_TIME_CORRECTED]
        np.testing.assert_array_equal(found.stamp_ns, [at(i) for i in range(6)])
        assert "TIMEZONE = -5 says the same; +5 h are added" in found.notes[0].message

    @pytest.mark.parametrize("zone", [{}, {"TIMEZONE": 3.0}])
    def test_not_proven_it_is_said_and_left(self, zone: dict[str, Any]) -> None:
        found = of(6, lambda i: {"DATE-OBS": iso(at(i) + 2 * HOUR), "JD": jd(at(i)), "EXPTIME": 0.4, **zone})
        assert kinds(found) == [Caveat.LOCAL_TIME]
        np.testing.assert_array_equal(found.stamp_ns, [at(i) + 2 * HOUR for i in range(6)])

    def test_half_hours_and_days_are_told_apart(self) -> None:
        half = of(6, lambda i: {"DATE-OBS": iso(at(i) + 11 * HOUR // 2), "JD": jd(at(i)), "TZ": 5.5})
        assert kinds(half) == [Caveat.LOCAL_TIME_CORRECTED]
        day = of(6, lambda i: {"DATE-OBS": iso(at(i) + 24 * HOUR), "JD": jd(at(i))})
        assert kinds(day) == [Caveat.TIMES_CONFLICT]

    def test_a_comment_that_says_local(self) -> None:
        found = of(6, lambda i: {"DATE-OBS": (iso(at(i)), "local time at start"), "TIMEZONE": -5})
        assert kinds(found) == [Caveat.LOCAL_TIME]
        assert "--clock-offset" in found.notes[0].message

    def test_a_time_zone_alone_says_nothing(self) -> None:
        assert kinds(of(6, lambda i: {"DATE-OBS": iso(at(i)), "TIMEZONE": -5})) == []


class TestKeywordsThatDisagree:
    def test_one_frame_late(self) -> None:
        found = of(6, lambda i: {"DATE-OBS": iso(at(i + 1, 3.0)), "JD": jd(at(i, 3.0)), "EXPTIME": 0.4})
        assert kinds(found) == [Caveat.TIMES_CONFLICT]
        assert "one frame" in found.notes[0].message
        np.testing.assert_array_equal(found.stamp_ns, [at(i + 1, 3.0) for i in range(6)])

    @pytest.mark.parametrize("part", [-1.0, -0.5, 0.0, 0.5, 1.0])
    def test_instants_of_one_exposure_do_not(self, part: float) -> None:
        found = of(
            6,
            lambda i: {"DATE-OBS": iso(at(i, 3.0)), "JD": jd(at(i, 3.0) + round(2e9 * part)), "EXPTIME": 2.0},
        )
        assert kinds(found) == []

    def test_coarse_days_do_not(self) -> None:
        found = of(6, lambda i: {"DATE-OBS": iso(at(i)), "JD": round(jd(at(i)), 4), "EXPTIME": 0.01})
        assert kinds(found) == []


class TestMidnight:
    def test_a_date_that_stays(self) -> None:
        late = utc_ns("2026-03-01T23:59:58")
        found = of(8, lambda i: {"DATE-OBS": "2026-03-01", "TIME-OBS": iso(late + i * 500_000_000)[11:]})
        assert kinds(found) == [Caveat.TIMES_CONFLICT]
        np.testing.assert_array_equal(np.diff(found.stamp_ns), 500_000_000)
        assert "from frame 4 on" in found.notes[0].message

    def test_frames_out_of_order_are_left(self) -> None:
        found = of(8, lambda i: {"DATE-OBS": iso(at(i) - (20 * HOUR if i == 4 else 0))})
        assert Caveat.TIMES_CONFLICT not in kinds(found)


class TestWholeSeconds:
    @pytest.mark.parametrize("step", [0.32, 1.37, 2.9])
    @pytest.mark.parametrize("rounded", [False, True])
    def test_a_cadence_gives_places_within_the_second(self, step: float, rounded: bool) -> None:
        def whole(i: int) -> int:
            ns = at(i, step) + (500_000_000 if rounded else 0)
            return ns // 10**9 * 10**9

        found = of(60, lambda i: {"DATE-OBS": iso(whole(i), 0), "EXPTIME": 0.3})
        assert kinds(found) == [Caveat.WHOLE_SECONDS]
        np.testing.assert_allclose(np.diff(found.stamp_ns) * 1e-9, step, atol=0.01)
        error = (found.stamp_ns - np.array([at(i, step) for i in range(60)])) * 1e-9
        assert np.abs(error).max() < 0.6
        np.testing.assert_array_equal(found.sigma_s, 0.5)
        assert Caveat.TIMES_NOT_MONOTONIC not in {note.caveat for note in solve(found).notes}

    @pytest.mark.parametrize("step", [1.0, 2.0])
    def test_whole_cadences_and_gaps_are_left(self, step: float) -> None:
        regular = of(60, lambda i: {"DATE-OBS": iso(at(i, step) // 10**9 * 10**9, 0)})
        np.testing.assert_array_equal(np.diff(regular.stamp_ns), step * 1e9)
        gap = of(
            60, lambda i: {"DATE-OBS": iso((at(i, 1.37) + (7 * 10**9 if i > 30 else 0)) // 10**9 * 10**9, 0)}
        )
        assert not np.any(gap.stamp_ns % 10**9)
