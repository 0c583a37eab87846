"""The path on the ground: what a station on each line sees, date line, poles, grazes, misses."""

import numpy as np
import pytest

from reduction.geometry.circumstances import circumstances
from reduction.geometry.outline import Outline
from reduction.geometry.path import ShadowPath, shadow_path
from reduction.geometry.skyplane import sky_plane
from reduction.sites import Site
from tests.reduction.geometry.predictions import event


def check_lines(path: ShadowPath, outline: Outline | None = None) -> None:
    """A station on a line has just that line's offset, at just that time, and that star altitude."""
    for line in path.lines:
        for trace in line.traces:
            for k in np.linspace(1, trace.utc_ns.size - 2, 5).astype(int):
                site = Site(latitude_deg=trace.latitude_deg[k], longitude_deg=trace.longitude_deg[k])
                (seen,) = circumstances(path.plane, [site], outline)
                assert seen.offset_km == pytest.approx(line.offset_km, abs=0.01)
                assert (seen.mid_ns - int(trace.utc_ns[k])) / 1e9 == pytest.approx(0, abs=0.005)
                assert seen.star_altitude_deg == pytest.approx(trace.star_altitude_deg[k], abs=1e-3)
                assert seen.sun_altitude_deg == pytest.approx(trace.sun_altitude_deg[k], abs=0.01)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Object_3": "900", "Elements_7": "0.7"},
        {"Star_2": "-62.7", "Star_10": "", "Earth_0": ""},
        {"Star_2": "80.0", "Star_10": "", "Elements_7": "0.0", "Elements_6": "0.0"},
        {"Elements_5": "9.2", "Earth_0": ""},
    ],
    ids=["plain", "large", "south", "pole", "pacific"],
)
def test_a_station_on_a_line_sees_that_line(changes: dict[str, str]) -> None:
    path = shadow_path(sky_plane(event(**changes)))
    assert path.lines[0].traces
    check_lines(path)


def test_an_outline_beside_the_centre() -> None:
    outline = Outline(
        semi_major_km=60, semi_minor_km=20, position_angle_deg=40, centre_f_km=15, centre_g_km=-40
    )
    path = shadow_path(sky_plane(event()), outline)
    check_lines(path, outline)
    assert 40 < path.width_km < 120


def test_lines_begin_and_end_on_the_horizon() -> None:
    for line in shadow_path(sky_plane(event())).lines:
        (trace,) = line.traces
        assert 0 <= trace.star_altitude_deg[0] < 0.2
        assert 0 <= trace.star_altitude_deg[-1] < 0.2
        assert trace.star_altitude_deg.max() > 60
        assert (np.diff(trace.utc_ns) >= 0).all()


def test_the_date_line_parts_a_line_without_a_gap() -> None:
    path = shadow_path(sky_plane(event(Elements_5="9.2", Earth_0="")))
    first, second = path.lines[0].traces
    assert abs(first.longitude_deg[-1]) == 180
    assert second.longitude_deg[0] == -first.longitude_deg[-1]
    assert second.latitude_deg[0] == first.latitude_deg[-1]
    for trace in (first, second):
        assert np.abs(np.diff(trace.longitude_deg)).max() < 90


def test_a_graze_has_one_limit_on_the_earth() -> None:
    """The axis passes the Earth by; one edge of a large shadow touches it."""
    path = shadow_path(sky_plane(event(Elements_6="-0.5", Elements_7="0.93", Object_3="900")))
    on = [bool(line.traces) for line in path.lines]
    assert on[0] is False
    assert on[1] is False
    assert on[2] is True
    assert path.meets_the_earth
    assert path.ticks
    check_lines(path)


def test_a_shadow_that_misses_the_earth() -> None:
    path = shadow_path(sky_plane(event(Elements_6="0.9", Elements_7="-0.9")))
    assert not path.meets_the_earth
    assert path.ticks == ()


def test_ticks_are_round_and_on_the_line() -> None:
    path = shadow_path(sky_plane(event()))
    assert 5 <= len(path.ticks) <= 30
    for tick in path.ticks:
        assert tick.utc_ns % 1_000_000_000 == 0
        site = Site(latitude_deg=tick.latitude_deg, longitude_deg=tick.longitude_deg)
        (seen,) = circumstances(path.plane, [site])
        assert abs(seen.offset_km) < 0.01
        assert (seen.mid_ns - tick.utc_ns) / 1e9 == pytest.approx(0, abs=0.005)


def test_a_slow_shadow_is_followed_for_hours() -> None:
    changes = {f"Elements_{n}": "0" for n in range(10, 14)}
    path = shadow_path(sky_plane(event(Elements_8="0.6", Elements_9="0.2", **changes)))
    (trace,) = path.lines[0].traces[:1]
    assert trace.utc_ns[-1] - trace.utc_ns[0] > 3600 * 10**9
    check_lines(path)
