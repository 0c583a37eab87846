"""Exact areas of overlap of circles about the origin and rectangles, compiled by numba.

Every term is an area inside the rectangle (columns, a trapezoid, a segment on the chord), never a difference
of areas of the size of the circle, so the error stays near ``radius * 1e-16`` whatever the overlap. There is
no branch on the data, and all is inlined, so that `quadrant_overlaps` becomes vector instructions.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpu_kernels._numba import kernel

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def segment_area(chord2: float, radius: float) -> float:
    """Area between a chord of squared length `chord2` and its arc, of at most a quarter of the circle.

    The arc is halved: a triangle on the chord, and two segments with u = half-chord / radius <= 0.39. One
    segment is radius^2 (asin u - u sqrt(1 - u^2)), the integral of 2 u^2 / sqrt(1 - u^2), whose binomial
    series is cut where its terms fall below 1e-17 of the sum.
    """
    whole2 = chord2 / (4.0 * radius * radius)
    rest = 1.0 - whole2
    u2 = whole2 / (2.0 * (1.0 + math.sqrt(rest if rest > 0.0 else 0.0)))
    series = 2.0 * 9075135300.0 / (68719476736.0 * 39.0)
    series = series * u2 + 2.0 * 2333606220.0 / (17179869184.0 * 37.0)
    series = series * u2 + 2.0 * 601080390.0 / (4294967296.0 * 35.0)
    series = series * u2 + 2.0 * 155117520.0 / (1073741824.0 * 33.0)
    series = series * u2 + 2.0 * 40116600.0 / (268435456.0 * 31.0)
    series = series * u2 + 2.0 * 10400600.0 / (67108864.0 * 29.0)
    series = series * u2 + 2.0 * 2704156.0 / (16777216.0 * 27.0)
    series = series * u2 + 2.0 * 705432.0 / (4194304.0 * 25.0)
    series = series * u2 + 2.0 * 184756.0 / (1048576.0 * 23.0)
    series = series * u2 + 2.0 * 48620.0 / (262144.0 * 21.0)
    series = series * u2 + 2.0 * 12870.0 / (65536.0 * 19.0)
    series = series * u2 + 2.0 * 3432.0 / (16384.0 * 17.0)
    series = series * u2 + 2.0 * 924.0 / (4096.0 * 15.0)
    series = series * u2 + 2.0 * 252.0 / (1024.0 * 13.0)
    series = series * u2 + 2.0 * 70.0 / (256.0 * 11.0)
    series = series * u2 + 2.0 * 20.0 / (64.0 * 9.0)
    series = series * u2 + 2.0 * 6.0 / (16.0 * 7.0)
    series = series * u2 + 2.0 * 2.0 / (4.0 * 5.0)
    series = series * u2 + 2.0 / 3.0
    return u2 * radius * (math.sqrt(chord2) + 2.0 * radius * math.sqrt(u2) * series)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def quadrant_overlap(left: float, right: float, bottom: float, top: float, radius: float) -> float:
    """Overlap of the circle and ``[left, right] x [bottom, top]`` where ``0 <= left`` and ``0 <= bottom``.

    In this quadrant the arc falls from left to right: it enters through the left or the top edge and leaves
    through the bottom or the right edge.
    """
    square = radius * radius
    at_left = (radius - left) * (radius + left)
    at_right = (radius - right) * (radius + right)
    at_bottom = (radius - bottom) * (radius + bottom)
    at_top = (radius - top) * (radius + top)
    at_left = math.sqrt(at_left if at_left > 0.0 else 0.0)
    at_right = math.sqrt(at_right if at_right > 0.0 else 0.0)
    at_bottom = math.sqrt(at_bottom if at_bottom > 0.0 else 0.0)
    at_top = math.sqrt(at_top if at_top > 0.0 else 0.0)
    x0 = at_top if at_top > left else left
    y0 = at_left if at_left < top else top
    x1 = at_bottom if at_bottom < right else right
    y1 = at_right if at_right > bottom else bottom
    across, down = x1 - x0, y0 - y1
    columns = (x0 - left) * (top - bottom)
    trapezoid = across * (0.5 * ((y0 - bottom) + (y1 - bottom)))
    cut = columns + trapezoid + segment_area(across * across + down * down, radius)
    cut = (right - left) * (top - bottom) if right * right + top * top <= square else cut
    return 0.0 if left * left + bottom * bottom >= square else cut


@kernel
def quadrant_overlaps(
    left: Floats, right: Floats, bottom: Floats, top: Floats, radius: Floats, count: int, areas: Floats
) -> None:
    """`quadrant_overlap` of the first `count` rectangles, into `areas`."""
    for m in range(count):
        areas[m] = quadrant_overlap(left[m], right[m], bottom[m], top[m], radius[m])
