"""Alignment kernels against slow, obvious twins."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray
from scipy import ndimage

from gpu_kernels.align import (
    SURROUNDINGS,
    Pattern,
    add_registered,
    bin_sum,
    binning_for,
    correlate,
)
from gpu_kernels.transforms import IDENTITY, Transform

Floats = NDArray[np.float64]

small = st.floats(-500.0, 500.0)
angles = st.floats(-math.pi, math.pi)


def turn(angle: float, tx: float, ty: float) -> Transform:
    return Transform(math.cos(angle), math.sin(angle), tx, ty)


class TestTransform:
    @given(a=angles, b=angles, shifts=st.tuples(small, small, small, small), u=small, v=small)
    @settings(max_examples=60, deadline=None)
    def test_after_applies_the_first_then_the_second(
        self, a: float, b: float, shifts: tuple[float, float, float, float], u: float, v: float
    ) -> None:
        first, second = turn(a, *shifts[:2]), turn(b, *shifts[2:])
        x, y = first.apply(np.array([u]), np.array([v]))
        step = second.apply(x, y)
        np.testing.assert_allclose(
            second.after(first).apply(np.array([u]), np.array([v])), step, rtol=0, atol=1e-9
        )

    @given(a=angles, tx=small, ty=small, u=small, v=small)
    @settings(max_examples=60, deadline=None)
    def test_invert_undoes_apply(self, a: float, tx: float, ty: float, u: float, v: float) -> None:
        place = turn(a, tx, ty).apply(np.array([u]), np.array([v]))
        back = turn(a, tx, ty).invert(*place)
        np.testing.assert_allclose(np.ravel(back), [u, v], rtol=0, atol=1e-9)

    @given(a=angles, b=angles, c=angles, t=st.lists(small, min_size=6, max_size=6))
    @settings(max_examples=40, deadline=None)
    def test_order_of_bracketing_does_not_matter(self, a: float, b: float, c: float, t: list[float]) -> None:
        f, g, h = turn(a, t[0], t[1]), turn(b, t[2], t[3]), turn(c, t[4], t[5])
        left, right = h.after(g).after(f), h.after(g.after(f))
        np.testing.assert_allclose(
            (left.c, left.s, left.tx, left.ty), (right.c, right.s, right.tx, right.ty), rtol=0, atol=1e-9
        )

    def test_a_quarter_turn_brings_x_to_y(self) -> None:
        quarter = turn(math.pi / 2, 10.0, 20.0)
        x, y = quarter.apply(np.array([1.0]), np.array([0.0]))
        assert (x[0], y[0]) == (pytest.approx(10.0), pytest.approx(21.0))
        assert quarter.rotation_deg == pytest.approx(90.0)
        assert IDENTITY.rotation_deg == 0.0


class TestBinning:
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "float32", "float64"])
    @pytest.mark.parametrize(
        ("shape", "factor"), [((24, 36), 4), ((23, 37), 3), ((16, 16), 1), ((40, 33), 16)]
    )
    def test_boxes_are_summed(self, dtype: DTypeLike, shape: tuple[int, int], factor: int) -> None:
        rng = np.random.default_rng(3)
        kind = np.dtype(dtype)
        top = 200 if kind.itemsize == 1 else 30_000
        frame = (rng.random(shape) * top).astype(kind)
        rows, columns = shape[0] // factor, shape[1] // factor
        cut = frame[: rows * factor, : columns * factor].astype(np.float64)
        twin = cut.reshape(rows, factor, columns, factor).sum(axis=(1, 3))
        found = bin_sum(frame, factor)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, twin, rtol=2e-6)
        if kind.kind == "u" and kind.itemsize <= 2:
            np.testing.assert_array_equal(found, twin)

    @pytest.mark.parametrize("dtype", ["uint8", "uint16"])
    def test_full_scale_does_not_overflow(self, dtype: DTypeLike) -> None:
        frame = np.full((32, 32), np.iinfo(np.dtype(dtype)).max, dtype)
        assert (bin_sum(frame, 16) == 256.0 * float(frame[0, 0])).all()

    def test_pixels_that_are_no_numbers_count_as_zero(self) -> None:
        frame = np.ones((8, 8), np.float32)
        frame[0, 0], frame[5, 6], frame[7, 7] = np.nan, np.inf, -np.inf
        np.testing.assert_array_equal(bin_sum(frame, 4), [[15.0, 16.0], [16.0, 14.0]])

    def test_a_window_of_a_larger_frame(self) -> None:
        frame = np.arange(400, dtype=np.uint16).reshape(20, 20)
        window = frame[3:15, 2:14]
        np.testing.assert_array_equal(bin_sum(window, 3), bin_sum(window.copy(), 3))

    def test_about_160_by_120_remain(self) -> None:
        assert binning_for(120, 160) == 1
        assert binning_for(480, 640) == 4
        assert binning_for(1080, 1920) == 12
        assert binning_for(20_000, 20_000) == 16
        assert binning_for(10, 10) == 1


def field_picture(
    shape: tuple[int, int], places: list[tuple[float, float, float]], sigma: float = 1.6
) -> NDArray[np.float32]:
    """Stars (x, y, peak) on a zero sky; what falls off the frame is gone."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = np.zeros(shape)
    for px, py, peak in places:
        picture += peak * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / sigma**2)
    return picture.astype(np.float32)


STARS = [
    (60.3, 50.1, 900.0),
    (110.8, 57.6, 500.0),
    (85.2, 92.9, 700.0),
    (135.4, 102.2, 400.0),
    (70.0, 114.5, 300.0),
]


def pattern_of(shape: tuple[int, int], cap: float = np.inf) -> Pattern:
    """The stars as points of a binned frame."""
    rows = np.array([math.floor(y + 0.5) for _, y, _ in STARS])
    columns = np.array([math.floor(x + 0.5) for x, _, _ in STARS])
    weights = np.minimum([peak for _, _, peak in STARS], cap).astype(np.float32)
    return Pattern(rows, columns, weights, shape)


def vertex(a: float, b: float, c: float) -> float:
    return 0.5 * (a - c) / (a - 2 * b + c)


class TestCorrelation:
    @pytest.mark.parametrize("shape", [(24, 30), (25, 31), (40, 20)])
    def test_the_shift_is_that_of_sums_over_all_shifts(self, shape: tuple[int, int]) -> None:
        height, width = shape
        rng = np.random.default_rng(5)
        rows, columns = np.array([6, 15, 11]), np.array([7, 14, 3])
        weights = np.array([100.0, 60.0, 80.0], np.float32)
        frame = field_picture(shape, [(10, 4, 100.0), (17, 13, 90.0), (6, 9, 80.0)])
        frame = (frame + rng.normal(20, 2, shape) + np.linspace(0, 50, width)).astype(np.float32)
        cap, size = 70.0, 2 * SURROUNDINGS + 1
        inside = ndimage.convolve(np.ones(shape), np.ones((size, size)), mode="constant")
        around = ndimage.convolve(frame.astype(np.float64), np.ones((size, size)), mode="constant") / inside
        flat = np.minimum(frame - around, cap)
        for axis in (0, 1):
            flat = ndimage.convolve1d(flat, [1.0, 2.0, 1.0], axis=axis, mode="nearest")
        surface = {}
        for dy in range(-(height // 2), height // 2 + 1):
            for dx in range(-(width // 2), width // 2 + 1):
                total = 0.0
                for r, c, w in zip(rows, columns, weights, strict=True):
                    if 0 <= r + dy < height and 0 <= c + dx < width:
                        total += float(w) * flat[r + dy, c + dx]
                surface[dy, dx] = total
        dy, dx = max(surface, key=lambda at: surface[at])
        here = surface[dy, dx]
        expected = (
            dx + vertex(surface[dy, dx - 1], here, surface[dy, dx + 1]),
            dy + vertex(surface[dy - 1, dx], here, surface[dy + 1, dx]),
        )
        assert (dx, dy) == (3, -2)
        found = correlate(frame, Pattern(rows, columns, weights, shape), cap)
        np.testing.assert_allclose(found, expected, atol=2e-3)

    @pytest.mark.parametrize(
        "shift", [(0, 0), (1, 0), (-1, -1), (7.4, -3.2), (-12.5, 15.5), (48, -40), (-55.3, 30.8), (0.4, -45)]
    )
    @pytest.mark.parametrize("shape", [(150, 200), (149, 203), (160, 187)])
    def test_known_shifts(self, shape: tuple[int, int], shift: tuple[float, float]) -> None:
        rng = np.random.default_rng(8)
        seen = [(x + shift[0], y + shift[1], peak) for x, y, peak in STARS]
        frame = 300.0 + field_picture(shape, seen) + rng.normal(0, 10, shape).astype(np.float32)
        found = correlate(frame.astype(np.float32), pattern_of(shape), 3000.0)
        np.testing.assert_allclose(found, shift, atol=0.8)

    def test_glow_and_one_bright_pixel_do_not_rule(self) -> None:
        shape = (150, 200)
        rng = np.random.default_rng(9)
        seen = [(x + 11.0, y - 6.0, peak) for x, y, peak in STARS]
        frame = field_picture(shape, seen) + rng.normal(0, 10, shape)
        frame += np.linspace(0, 2000, 200)[None, :] + np.linspace(800, 0, 150)[:, None]
        frame[100, 20] = 3e6
        found = correlate(frame.astype(np.float32), pattern_of(shape, 900.0), 900.0)
        np.testing.assert_allclose(found, (11.0, -6.0), atol=0.8)

    def test_the_frame_is_left_as_it_is_and_the_answer_repeats(self) -> None:
        shape = (150, 200)
        frame = field_picture(shape, STARS)
        before = frame.copy()
        first = correlate(frame, pattern_of(shape), 500.0)
        correlate(np.ascontiguousarray(frame[::-1]), pattern_of(shape), 500.0)
        assert correlate(frame, pattern_of(shape), 500.0) == first
        np.testing.assert_array_equal(frame, before)

    @pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 200)])
    def test_frames_smaller_than_the_surroundings(self, shape: tuple[int, int]) -> None:
        point = Pattern(np.array([0]), np.array([0]), np.ones(1, np.float32), shape)
        frame = np.zeros(shape, np.float32)
        frame[0, 0] = 5.0
        found = correlate(frame, point, 10.0)
        assert np.isfinite(found).all()


class TestRegisteredSum:
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    @pytest.mark.parametrize(
        "transform",
        [
            IDENTITY,
            turn(0.0, 2.3, -1.6),
            turn(0.0, -60.0, 3.0),
            turn(0.05, -4.2, 3.1),
            turn(-0.8, 10.0, 22.0),
        ],
    )
    def test_as_scipy_samples_it(self, dtype: DTypeLike, transform: Transform) -> None:
        frame = (np.random.default_rng(2).random((40, 52)) * 250).astype(dtype)
        total, count = np.zeros(frame.shape), np.zeros(frame.shape)
        add_registered(frame, transform, total, count)
        v, u = np.mgrid[:40, :52].astype(np.float64)
        x, y = transform.apply(u.ravel(), v.ravel())
        twin = ndimage.map_coordinates(frame.astype(np.float64), [y, x], order=1, mode="nearest")
        inside = (x >= 0) & (y >= 0) & (x < 51) & (y < 39)
        np.testing.assert_array_equal(count.ravel(), inside.astype(float))
        np.testing.assert_allclose(total.ravel()[inside], twin[inside], rtol=1e-6)  # float32
        assert not total.ravel()[~inside].any()

    def test_frames_add_up_and_missing_pixels_do_not(self) -> None:
        total, count = np.zeros((10, 10)), np.zeros((10, 10))
        frame = np.ones((10, 10), np.float32)
        frame[4, 4] = np.nan
        add_registered(frame, IDENTITY, total, count)
        add_registered(np.ones((10, 10), np.float32), IDENTITY, total, count)
        assert np.isfinite(total).all()
        assert total[4, 4] == count[4, 4] == 1.0
        assert total[7, 7] == count[7, 7] == 2.0
