"""Exact overlap of circle and rectangle against an antiderivative and against brute force."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_kernels._numba.overlap import quadrant_overlap, quadrant_overlaps, segment_area


def slow_overlap(left: float, right: float, bottom: float, top: float, radius: float) -> float:
    """Integrate the height of the covered part over x, between the places where its form changes."""

    def under_arc(x: float) -> float:
        x = min(max(x, -radius), radius)
        return 0.5 * (x * math.sqrt(radius * radius - x * x) + radius * radius * math.asin(x / radius))

    cuts = [left, right, radius]
    cuts += [math.sqrt(radius * radius - y * y) for y in (bottom, top) if y < radius]
    places = sorted(x for x in cuts if left <= x <= right)
    total = 0.0
    for x0, x1 in pairwise(places):
        middle = 0.5 * (x0 + x1)
        if middle >= radius:
            continue
        height = math.sqrt(radius * radius - middle * middle)
        if height >= top:
            total += (x1 - x0) * (top - bottom)
        elif height > bottom:
            total += under_arc(x1) - under_arc(x0) - (x1 - x0) * bottom
    return total


def brute_overlap(left: float, right: float, bottom: float, top: float, radius: float, n: int = 400) -> float:
    """Count the centres of n x n cells that lie inside the circle."""
    x = left + (np.arange(n) + 0.5) * (right - left) / n
    y = bottom + (np.arange(n) + 0.5) * (top - bottom) / n
    inside = x[:, np.newaxis] ** 2 + y**2 < radius * radius
    return float(inside.mean() * (right - left) * (top - bottom))


corner = st.floats(0.0, 62.0)
side = st.floats(0.0, 1.0)


@settings(max_examples=400, deadline=None)
@given(corner, corner, side, side, st.floats(0.05, 60.0))
def test_any_rectangle_of_the_quadrant(
    left: float, bottom: float, wide: float, high: float, radius: float
) -> None:
    right, top = left + wide, bottom + high
    expected = slow_overlap(left, right, bottom, top, radius)
    # The twin subtracts areas as large as the circle: its own rounding sets the tolerance.
    assert quadrant_overlap(left, right, bottom, top, radius) == pytest.approx(
        expected, abs=4e-16 * (radius + 1) ** 2 * 8
    )


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 8.0), st.floats(0.0, math.pi / 2), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_pixels_on_the_rim_by_brute_force(radius: float, angle: float, across: float, up: float) -> None:
    left = max(0.0, radius * math.cos(angle) - across)
    bottom = max(0.0, radius * math.sin(angle) - up)
    expected = brute_overlap(left, left + 1.0, bottom, bottom + 1.0, radius)
    assert quadrant_overlap(left, left + 1.0, bottom, bottom + 1.0, radius) == pytest.approx(
        expected, abs=4e-3
    )


def test_places_where_the_form_changes() -> None:
    assert quadrant_overlap(0.0, 5.0, 0.0, 5.0, 5.0) == pytest.approx(math.pi * 25 / 4, rel=1e-15)
    assert quadrant_overlap(0.0, 3.0, 0.0, 4.0, 5.0) == 12.0  # the far corner lies on the circle
    assert quadrant_overlap(3.0, 4.0, 4.0, 5.0, 5.0) == 0.0  # the near corner lies on the circle
    assert quadrant_overlap(5.0, 6.0, 0.0, 1.0, 5.0) == 0.0  # tangent from outside
    assert quadrant_overlap(7.0, 7.0, 0.0, 1.0, 9.0) == 0.0  # no width
    tiny = 1e-9
    sliver = quadrant_overlap(5.0 - tiny, 6.0, 0.0, 1.0, 5.0)
    assert sliver == pytest.approx(2 / 3 * math.sqrt(2 * 5.0 * tiny) * tiny, rel=1e-6)


def test_segment_of_every_size() -> None:
    for angle in (1e-6, 1e-3, 0.1, 0.5, 1.0, math.pi / 2):
        expected = 0.5 * 49.0 * (angle - math.sin(angle))
        chord = 2 * 7.0 * math.sin(angle / 2)
        assert segment_area(chord * chord, 7.0) == pytest.approx(expected, rel=1e-14, abs=1e-15)


def test_the_vector_form_is_the_scalar_form() -> None:
    rng = np.random.default_rng(7)
    left, bottom = rng.uniform(0, 6, (2, 101))
    right, top, radius = (
        left + rng.uniform(0, 1, 101),
        bottom + rng.uniform(0, 1, 101),
        rng.uniform(0.5, 9, 101),
    )
    areas = np.full(101, -1.0)
    quadrant_overlaps(left, right, bottom, top, radius, 100, areas)
    expected = [quadrant_overlap(*box) for box in zip(left, right, bottom, top, radius, strict=True)]
    assert areas[:100].tolist() == expected[:100]
    assert areas[100] == -1.0
