import io
import tracemalloc
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from reduction.outputs.drawing import EDGE_COLOURS, drawable, shorten
from reduction.outputs.finder import Box, cutout_stars, draw_finder, label_place, sky_stretch
from reduction.outputs.lightcurve_figure import (
    MARKS,
    POINTS,
    draw_lightcurve,
    envelope,
    scale,
    time_axis,
)
from reduction.result import Flag, ReductionResult
from reduction.timing import UNKNOWN_NS
from tests.reduction.outputs.result_factory import STARS, make_result, without_reference


def pixels(png: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png)) as image:
        assert set(image.info) <= {"dpi"}, "metadata would change from run to run"
        return np.asarray(image.convert("RGB"))


def has_colour(picture: NDArray[np.uint8], colour: str) -> bool:
    near = np.ones(picture.shape[:2], bool)
    for channel, digits in enumerate((1, 3, 5)):
        value = int(colour[digits : digits + 2], 16)
        near &= (picture[..., channel] > value - 12) & (picture[..., channel] < value + 12)
    return bool(near.any())


def test_light_curve_shows_every_flag(result: ReductionResult, clean: ReductionResult) -> None:
    flags = result.lightcurve.flags.copy()
    for k, mark in enumerate(MARKS):
        flags[300 + 60 * k :: 900] |= np.uint32(mark.flag)
    full = pixels(draw_lightcurve(replace(result, lightcurve=replace(result.lightcurve, flags=flags))))
    plain = pixels(draw_lightcurve(replace(clean, event=None)))
    for mark in MARKS:
        assert has_colour(full, mark.colour), mark.label
        assert not has_colour(plain, mark.colour), mark.label


def test_light_curve_shows_disappearance_and_reappearance(clean: ReductionResult) -> None:
    assert clean.event is not None
    assert clean.event.events
    shown = pixels(draw_lightcurve(clean))
    bare = pixels(draw_lightcurve(replace(clean, event=None)))
    for colour in EDGE_COLOURS.values():
        assert has_colour(shown, colour)
        assert not has_colour(bare, colour)


@pytest.mark.parametrize("points", [1, 2, 4, 60, POINTS + 1])
@pytest.mark.parametrize("timed", [True, False])
def test_any_number_of_points(points: int, timed: bool, tmp_path: Path) -> None:
    draw_lightcurve(make_result(tmp_path, points=points, timed=timed, clean=True))


def test_nothing_measured_is_still_drawn(small: ReductionResult) -> None:
    draw_lightcurve(without_reference(small))
    curve = small.lightcurve
    gone = np.full_like(curve.target_flux, np.nan)
    nothing = replace(without_reference(small).lightcurve, target_flux=gone)
    draw_lightcurve(replace(small, lightcurve=nothing))


def test_wild_points_do_not_flatten_the_curve() -> None:
    values = np.concatenate([np.linspace(0.97, 1.03, 500), [0.02, 0.03, 2.2]])
    low, high = scale(values)
    assert low < 0
    assert 2.2 < high < 2.6
    wild_low, wild_high = scale(np.append(values, [1e6, -1e6]))
    assert (wild_low, wild_high) == pytest.approx((low, high), rel=0.02)


def test_axis_is_seconds_minutes_or_frames(result: ReductionResult, tmp_path: Path) -> None:
    x, label = time_axis(result)
    assert label == "seconds after 2024-05-04 21:02:00 UTC (mid-exposure)"
    assert x[0] == pytest.approx(56.12)
    assert np.isnan(x[666])
    _, label = time_axis(make_result(tmp_path / "a", points=50_000))
    assert label == "minutes after 2024-05-04 21:00:00 UTC (mid-exposure)"
    mid = result.lightcurve.mid_ns.copy()
    mid[:300] = UNKNOWN_NS
    x, label = time_axis(replace(result, lightcurve=replace(result.lightcurve, mid_ns=mid)))
    assert label == "frame (times unknown)"
    assert x[5] == 5


@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 2**31))
def test_envelope_equals_a_slow_one(n: int, bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.arange(n, dtype=float)
    y = np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n))
    group = envelope(x, y, bins)
    size = -(-n // bins)
    assert group.x.size <= bins
    for k, start in enumerate(range(0, n, size)):
        part = y[start : start + size]
        part = part[np.isfinite(part)]
        if part.size:
            expected = (part.min(), np.median(part), part.max())
            assert (group.low[k], group.median[k], group.high[k]) == pytest.approx(expected)
        else:
            assert np.isnan([group.low[k], group.median[k], group.high[k], group.x[k]]).all()


def test_a_single_deep_point_survives_the_envelope() -> None:
    y = np.ones(100_000)
    y[54_321] = 0.01
    assert envelope(np.arange(100_000.0), y, 1500).low.min() == 0.01


def test_a_long_curve_needs_little_memory(tmp_path: Path) -> None:
    result = make_result(tmp_path, points=100_000)
    draw_lightcurve(result)
    tracemalloc.start()
    try:
        draw_lightcurve(result)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60e6


def test_equal_results_give_equal_pictures(small: ReductionResult) -> None:
    before = dict(mpl.rcParams)
    first = (draw_lightcurve(small), draw_finder(small))
    with mpl.rc_context({"font.size": 25, "axes.facecolor": "red", "text.usetex": True}):
        assert (draw_lightcurve(small), draw_finder(small)) == first
    assert dict(mpl.rcParams) == before


def test_any_name_can_be_drawn(small: ReductionResult) -> None:
    name = "$\\frac{x}$ 掩星\n\x07" + 200 * "w" + "_{.ser"
    source = replace(small.source, name=name)
    draw_lightcurve(replace(small, source=source))
    draw_finder(replace(small, source=source))
    assert drawable("a\n掩σ") == "a��σ"
    assert shorten("abcdefghij", 5) == "ab…ij"


def test_finder_shows_apertures_in_the_right_places(small: ReductionResult) -> None:
    picture = pixels(draw_finder(small)).astype(int)
    red = (picture[..., 0] > 220) & (picture[..., 1] < 110) & (picture[..., 2] < 130)
    field = red[: round(7.5 * 120), : round(9.9 * 120)]
    rows, columns = np.nonzero(field)
    scale_px = 9.0 * 120 / 320  # dots of the figure per image pixel
    x = (columns.mean() - 0.85 * 120) / scale_px - 0.5
    y = (rows.mean() - 0.65 * 120) / scale_px - 0.5
    assert (x, y) == pytest.approx((STARS[0].x, STARS[0].y), abs=8)  # the label T pulls a little


@pytest.mark.parametrize("shape", [(40, 320), (240, 60), (3, 3), (1, 1), (1700, 900)])
def test_finder_of_any_shape(small: ReductionResult, shape: tuple[int, int]) -> None:
    image = np.full(shape, 50, np.float32)
    draw_finder(replace(small, reference_image=image))
    image[:] = np.nan
    draw_finder(replace(small, reference_image=image))


def test_stretch_reads_the_sky() -> None:
    rng = np.random.default_rng(3)
    image = rng.normal(100, 4, (200, 200))
    image[:10] = 5000
    image[11] = np.nan
    sky = sky_stretch(image)
    assert sky.sky == pytest.approx(100, abs=0.5)
    assert sky.sigma == pytest.approx(4, rel=0.1)
    assert np.isnan(sky.apply(image)[11]).all()


def test_cutouts_are_of_the_telling_stars() -> None:
    assert [s.name for s in cutout_stars(STARS[::-1])] == ["T", "R1", "R2"]
    assert [s.name for s in cutout_stars(STARS[3:])] == ["G1", "S1", "S2"]


@given(st.floats(0, 299), st.floats(0, 199))
def test_labels_stay_inside(x: float, y: float) -> None:
    taken = [Box(x - 30, y - 30, x + 30, y + 30)]
    place = label_place(replace(STARS[0], x=x, y=y), 8.0, (20.0, 10.0), taken, (300, 200))
    assert place.overlap(Box(-0.5, -0.5, 299.5, 199.5)) == pytest.approx(200)


@given(st.integers(0, 2**31))
def test_labels_stay_apart_and_off_their_star(seed: int) -> None:
    rng = np.random.default_rng(seed)
    star = replace(STARS[0], x=150.0, y=100.0)
    taken = [Box(a, b, a + 12, b + 12) for a, b in rng.uniform((110, 70), (180, 120), (2, 2))]
    place = label_place(star, 8.0, (20.0, 10.0), taken, (300, 200))
    assert sum(place.overlap(other) for other in taken) == pytest.approx(0, abs=1e-6)
    assert place.overlap(Box(145, 95, 155, 105)) == 0


def test_flags_drawn_are_single_bits() -> None:
    assert all(mark.flag in Flag and mark.flag.bit_count() == 1 for mark in MARKS)
