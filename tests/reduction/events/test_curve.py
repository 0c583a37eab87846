"""The curve that event search takes."""

import numpy as np
import pytest

from reduction.errors import DataError
from reduction.events.curve import EventCurve, curve_of
from reduction.events.settings import EventSettings
from reduction.result import Flag, LightCurve
from reduction.timing import UNKNOWN_NS


def lightcurve(mid_ns: list[int], flags: list[int] | None = None) -> LightCurve:
    n = len(mid_ns)
    one = np.ones(n)
    return LightCurve(
        frame=np.arange(n, dtype=np.float64),
        mid_ns=np.array(mid_ns, np.int64),
        utc_sigma_s=one * 1e-3,
        exposure_s=one * 0.1,
        target_flux=one,
        target_sigma=one,
        reference_flux=one,
        reference_sigma=one,
        ratio=one,
        ratio_sigma=one,
        flux_norm=np.arange(n, dtype=np.float64),
        flux_norm_sigma=one * 0.1,
        target_x=one,
        target_y=one,
        target_sky=one,
        flags=np.array(flags or [0] * n, np.uint32),
        baseline=np.ones(n, bool),
    )


def test_samples_go_by_time_and_those_without_one_go_out() -> None:
    curve = curve_of(lightcurve([3_000_000_000, UNKNOWN_NS, 1_000_000_000, 2_000_000_000]), "a")
    assert curve.frame.tolist() == [2, 3, 0]
    assert curve.time_s.tolist() == [0.0, 1.0, 2.0]
    assert curve.utc_ns(0.5) == 1_500_000_000


def test_of_two_samples_at_one_instant_the_first_stands() -> None:
    curve = curve_of(lightcurve([0, 1_000_000_000, 1_000_000_000, 2_000_000_000]), "a")
    assert curve.frame.tolist() == [0, 1, 3]


def test_a_curve_without_times_counts_frames() -> None:
    curve = curve_of(lightcurve([UNKNOWN_NS] * 3), "a", cadence_s=0.04)
    assert not curve.dated
    assert curve.utc_ns(1.0) == UNKNOWN_NS
    assert curve.time_s == pytest.approx([0, 0.04, 0.08])


def test_unusable_samples_are_kept_and_marked() -> None:
    curve = curve_of(lightcurve([0, 10, 20], [0, Flag.LOST.value, Flag.SATURATED.value]), "a")
    assert curve.usable.tolist() == [True, False, True]


def test_one_sample_is_no_curve() -> None:
    with pytest.raises(DataError, match="1 samples"):
        curve_of(lightcurve([5]), "a")


def test_times_must_rise() -> None:
    one = np.ones(2)
    with pytest.raises(ValueError, match="rise"):
        EventCurve("a", one, 0, one, one, one, one > 0, one, one)


def test_expected_depth_from_magnitudes() -> None:
    assert EventSettings(star_magnitude=10, body_magnitude=10).depth() == pytest.approx(0.5)
    assert EventSettings(star_magnitude=10).depth() is None
    assert EventSettings(expected_depth=0.9, star_magnitude=10, body_magnitude=10).depth() == 0.9


def test_repaired_samples_weigh_less() -> None:
    curve = curve_of(lightcurve([0, 10, 20], [0, Flag.REPAIRED.value, 0]), "a")
    assert curve.usable.all()
    assert curve.sigma == pytest.approx([0.1, np.hypot(0.1, 0.05), 0.1])
