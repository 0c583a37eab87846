"""Light curves along their chords: every dot, end and tick where a twin that does one at a time puts it."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from tests.requirements import require

require("server")

from api.fits.chords import ChordList, ChordView, EndView, PlaceView  # noqa: E402 - after the check
from api.web.stacking import AROUND, LEFT, MOST_DOTS, RIGHT, Stack, along_km, stack, up  # noqa: E402
from cluster.campaign.outcomes import Curve  # noqa: E402
from reduction.utc import utc_line, utc_ns  # noqa: E402

START = utc_ns("2026-03-11T20:15:00Z")
SPEED = 20.0


def end(seconds: float, sigma_s: float = 0.1) -> EndView:
    return EndView(
        utc=utc_line(START + round(seconds * 1e9)), sigma_s=sigma_s, f_km=0.0, g_km=0.0, sigma_km=1.0,
        f_sigma_km=1.0, g_sigma_km=0.0,
    )  # fmt: skip


def chord(name: str, ends: Sequence[float] = (), used: bool = True, placed: bool = True) -> ChordView:
    d, r = (end(ends[0]), end(ends[1])) if ends else (None, None)
    return ChordView(
        observation=name, station=name, observer="", state="positive" if ends else "negative",
        place=PlaceView(latitude_deg=0, longitude_deg=0, height_m=0, exact=True), source="result",
        result=None, curve=None, latest=None, choice=None, used=used, why="", d=d, r=r, length_km=None,
        length_sigma_km=None, across_km=0.0, closest_utc=utc_line(START) if placed else None,
        velocity_km_s=SPEED if placed else None, exposure_s=None, shortest_s=None,
        watched_from=utc_line(START - 10**10), watched_to=utc_line(START + 10**10), telescope="",
        aperture_mm=None, camera="", notes=(),
    )  # fmt: skip


def curve(count: int, span_s: float = 20.0) -> Curve:
    at = np.linspace(-span_s / 2, span_s / 2, count)
    flux = 1.0 + 0.1 * np.sin(7 * at)
    used = np.arange(count) % 5 != 0
    return Curve(START + (at * 1e9).astype(np.int64), flux, np.full(count, 0.05), used)


def listed(*chords: ChordView) -> ChordList:
    return ChordList(campaign="0", exact=True, problem="", items=chords)


def laid(*chords: ChordView, diameter_km: float | None = None, **curves: Curve) -> Stack:
    found = stack(listed(*chords), curves, diameter_km)
    assert found is not None
    return found


def km_at(made: Stack, x: float) -> float:
    """Kilometres at a place of the strip, by the ticks alone."""
    known = [(place, float(text.replace("−", "-"))) for place, text in made.ticks]
    (x1, km1), (x2, km2) = known[0], known[-1]
    return km1 + (x - x1) * (km2 - km1) / (x2 - x1)


def test_ends_are_where_the_ticks_say() -> None:
    made = laid(chord("a", (-2.5, 3.0)), chord("b", (-1.0, 1.5)), a=curve(300), b=curve(200))
    for strip, ends in zip(made.strips, ((-2.5, 3.0), (-1.0, 1.5)), strict=True):
        for edge, seconds in zip(strip.edges, ends, strict=True):
            assert km_at(made, edge.x) == pytest.approx(SPEED * seconds, abs=0.2)
            assert km_at(made, edge.high) - km_at(made, edge.low) == pytest.approx(2 * SPEED * 0.1, abs=0.3)
    low, high = km_at(made, LEFT), km_at(made, RIGHT)
    length = 5.5 * SPEED
    assert low == pytest.approx(-2.5 * SPEED - AROUND * length, abs=0.3)
    assert high == pytest.approx(3.0 * SPEED + AROUND * length, abs=0.3)
    assert 5 <= len(made.ticks) <= 13
    steps = np.diff([float(text.replace("−", "-")) for _, text in made.ticks])
    assert np.allclose(steps, steps[0])


@pytest.mark.parametrize("count", [3, 50, 419, 4000])
def test_dots_are_means_of_the_samples_in_the_window(count: int) -> None:
    read = curve(count, 60.0)
    one = chord("a", (-2.5, 3.0))
    made = laid(one, a=read)
    low, high = km_at(made, LEFT), km_at(made, RIGHT)
    inside = [k for k in range(count) if read.used[k] and low <= along_km(one, int(read.mid_ns[k])) <= high]
    (strip,) = made.strips
    size = max(1, math.ceil(len(inside) / MOST_DOTS))
    assert strip.binned == size
    assert len(strip.bars) == math.ceil(len(inside) / size) <= MOST_DOTS
    for number, (x, y, above, below) in enumerate(strip.bars):
        part = inside[number * size : (number + 1) * size]
        km = sum(along_km(one, int(read.mid_ns[k])) for k in part) / len(part)
        mean = sum(float(read.flux[k]) for k in part) / len(part)
        error = 0.05 / math.sqrt(len(part))
        assert km_at(made, x) == pytest.approx(km, abs=0.3)
        assert (y, above, below) == (up(mean), up(mean + error), up(mean - error))


def test_a_station_without_a_curve() -> None:
    made = laid(chord("told", (-1.0, 1.0)), chord("missed"), chord("a", (-2.0, 2.0)), a=curve(50))
    told, missed, _ = made.strips
    assert not told.bars
    assert told.gone is not None
    assert [km_at(made, x) for x in told.gone] == pytest.approx([-20, 20], abs=0.2)
    assert missed.gone is None
    assert missed.watched == pytest.approx((LEFT, RIGHT)), "longer than what is shown"
    assert made.left_out == 0


def test_what_has_no_place_is_left_out() -> None:
    assert stack(listed(), {}, 100.0) is None
    assert stack(listed(chord("a", (-1, 1), placed=False)), {"a": curve(20)}, 100.0) is None
    made = laid(chord("a", (-1, 1)), chord("planned", used=False), a=curve(20))
    assert (len(made.strips), made.left_out) == (1, 1)


def test_without_any_event_the_predicted_body_is_the_scale() -> None:
    made = laid(chord("a"), diameter_km=100.0, a=curve(400))
    assert km_at(made, LEFT) == pytest.approx(-50 - AROUND * 100, abs=0.5)
    alone = laid(chord("a"), a=curve(400))
    assert km_at(alone, LEFT) < -200  # all of the curve
    empty = Curve(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, np.bool_))
    (strip,) = laid(chord("a", used=False), a=empty).strips
    assert not strip.bars
    assert strip.watched == pytest.approx((LEFT, RIGHT))


def test_flux_stays_within_its_strip() -> None:
    made = laid(chord("a", (-1, 1)), a=curve(10))
    assert up(1e9) == made.top
    assert up(-1e9) == made.bottom
    assert up(1.0) < up(0.0)
