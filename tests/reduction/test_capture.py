"""What sparse pixels catch of a star, against sums over drawn stars."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu_kernels.planes import even_luminance, whole_frames
from reduction.capture import (
    FIELD,
    MOSAIC,
    Capture,
    Lattice,
    Smoothed,
    capture_of,
    profile,
    sparse_aperture,
    white_excess,
)
from reduction.noise import aperture_of, circle_weights

Floats = NDArray[np.float64]
RADII = np.array([1.7, 2.5, 4.0])
SIGMA = 2.0 / 2.3548


def star(x: float, y: float, size: int, sigma: float = SIGMA) -> Floats:
    """A Gaussian of unit light integrated over pixels."""
    return profile(-y, size, 1, sigma)[:, None] * profile(-x, size, 1, sigma)[None, :]


def disc(x: float, y: float, radius: float, size: int, step: int = 1) -> Floats:
    """Share of boxes of `step` pixels covered by a circle, by fine points."""
    fine = 50
    out = np.zeros((size, size))
    points = ((np.arange(fine) + 0.5) / fine - 0.5) * step
    for j, i in np.ndindex(size, size):
        if np.hypot(j * step - y, i * step - x) < radius + step:
            inside = (points + j * step - y)[:, None] ** 2 + (points + i * step - x)[
                None, :
            ] ** 2 <= radius**2
            out[j, i] = inside.mean()
    return out


def caught_twin(lattice: Lattice, x: float, y: float, radius: float) -> float:
    """Light of a star at (x, y) within an aperture, recorded pixels at even rows (and columns)."""
    if not lattice.fill:
        light = star(x, y, 40)[::2, ::2]
        return float((light * disc(x, y, radius, 20, 2)).sum())
    light = star(x, y, 41)
    light[1::2] = 0.5 * (light[:-1:2] + light[2::2])
    return float((light * disc(x, y, radius, 41)).sum())


@functools.cache
def mean_caught(lattice: Lattice, radius: float) -> float:
    """The same over all places of the star."""
    rows, columns = lattice.step
    grid = [(20 + dx, 20 + dy) for dy in np.arange(0, rows, 0.25) for dx in np.arange(0, columns, 0.25)]
    return float(np.mean([caught_twin(lattice, *place, radius) for place in grid]))


@pytest.fixture(scope="module", params=[MOSAIC, FIELD], ids=["mosaic", "field"])
def capture(request: pytest.FixtureRequest) -> Capture:
    return capture_of(request.param, SIGMA, RADII)


class TestCapture:
    def test_places_average_to_one(self, capture: Capture) -> None:
        rows, columns = capture.lattice.step
        y, x = np.meshgrid((np.arange(32) + 0.5) / 32 * rows, (np.arange(32) + 0.5) / 32 * columns)
        np.testing.assert_allclose(capture.at(x, y).mean(axis=(0, 1)), 1.0, atol=2e-3)

    @pytest.mark.parametrize("place", [(20.0, 20.0), (20.4, 21.1), (21.0, 21.0), (19.3, 20.6)])
    def test_twin(self, capture: Capture, place: tuple[float, float]) -> None:
        x, y = place
        for r, radius in enumerate(RADII.tolist()):
            expected = caught_twin(capture.lattice, x, y, radius) / mean_caught(capture.lattice, radius)
            assert capture.at(np.array(x), np.array(y))[r] == pytest.approx(expected, abs=4e-3)

    @given(x=st.floats(-40, 40), y=st.floats(-40, 40))
    def test_is_even_and_periodic(self, x: float, y: float) -> None:
        found = capture_of(MOSAIC, SIGMA, RADII[:1])
        here = found.at(np.array(x), np.array(y))
        for twin in ((-x, y), (x, -y), (x + 2, y), (x, y - 2)):
            np.testing.assert_allclose(found.at(np.array(twin[0]), np.array(twin[1])), here, atol=1e-9)

    @given(x=st.floats(0, 2), y=st.floats(0, 2), sigma=st.floats(0.6, 2.0))
    def test_planes_of_a_mosaic_share_the_light(self, x: float, y: float, sigma: float) -> None:
        """What one colour misses, the others catch: over the cell, a wide aperture catches all."""
        wide = capture_of(MOSAIC, sigma, np.array([8.0]))
        four = [wide.at(np.array(x - px), np.array(y - py))[0] for py in (0, 1) for px in (0, 1)]
        assert np.mean(four) == pytest.approx(1.0, abs=3e-3)

    def test_nothing_is_missed_of_wide_stars(self) -> None:
        table = capture_of(MOSAIC, 2.5, np.array([10.0])).table
        np.testing.assert_allclose(table, 1.0, atol=1e-4)

    def test_red_light_of_a_sharp_star(self, capture: Capture) -> None:
        """At half a cycle a pixel: 2 exp(-pi^2 s^2 / 2) sinc(1/2), 3.6 % each way at FWHM 2 px."""
        if capture.lattice.fill:
            return
        wide = capture_of(MOSAIC, SIGMA, np.array([8.0]))
        swing = 2 * np.exp(-0.5 * np.pi**2 * SIGMA**2) * 2 / np.pi
        assert wide.at(np.array(0.0), np.array(0.0))[0] == pytest.approx((1 + swing) ** 2, abs=2e-3)
        assert wide.at(np.array(1.0), np.array(0.0))[0] == pytest.approx(1 - swing**2, abs=2e-3)

    def test_a_lost_star_is_no_error(self, capture: Capture) -> None:
        assert np.isfinite(capture.at(np.array([np.nan]), np.array([1.0]))).all()

    def test_stars_of_any_colour(self) -> None:
        """Light of both colours over their sum, against each plane by itself."""
        shares = np.array([[0.8, 0.2], [0.1, 0.9], [0.5, 0.5]])
        both = capture_of(MOSAIC, SIGMA, RADII, ((0, 1), (1, 0)), shares)
        x, y = np.random.default_rng(1).random((2, 4, 3)) * 9.0
        found = both.of_stars(x, y)
        assert found.shape == (4, 3, 3)
        for n, s in np.ndindex(4, 3):
            one = [both.at(x[n, s] - px, y[n, s] - py) for py, px in ((0, 1), (1, 0))]
            np.testing.assert_allclose(found[n, s], shares[s, 0] * one[0] + shares[s, 1] * one[1])

    def test_spread(self, capture: Capture) -> None:
        y, x = np.meshgrid(np.arange(40) / 20, np.arange(40) / 20)
        twin = (capture.at(x, y) ** -2.0).mean(axis=(0, 1))
        np.testing.assert_allclose(capture.spread, twin, rtol=0.02)
        assert (capture.spread >= 1.0 - 1e-9).all()
        whole = capture_of(MOSAIC, SIGMA, RADII, ((0, 0), (0, 1), (1, 0), (1, 1)), np.full((2, 4), 0.25))
        np.testing.assert_allclose(whole.spread, 1.0, atol=5e-3)

    def test_one_radius(self, capture: Capture) -> None:
        place = np.array([0.3]), np.array([1.2])
        np.testing.assert_array_equal(capture.of(1).at(*place)[:, 0], capture.at(*place)[:, 1])


class TestAperture:
    @pytest.mark.parametrize("radius", [1.5, 2.5, 5.0])
    def test_noise_is_that_of_measured_noise(self, radius: float) -> None:
        """Mean over random places, row by recorded row."""
        rng = np.random.default_rng(3)
        for lattice, planes in ((MOSAIC, 4), (MOSAIC, 1), (FIELD, 1)):
            aperture = sparse_aperture(lattice, planes, radius, 1.2)
            squares = []
            for dy, dx in rng.random((12, 2)) * np.array(lattice.step):
                if lattice.fill:
                    weight = np.pad(circle_weights(radius, dy, dx), ((2, 2), (0, 0)))
                    half = weight.shape[0] // 2
                    rows = [_filled(weight, j) for j in range(half % 2, weight.shape[0], 2)]
                    squares.append(float(sum((row**2).sum() for row in rows)))
                else:
                    weight = circle_weights(radius / 2, dy / 2, dx / 2)
                    squares.append(planes * float((weight**2).sum()))
            assert aperture.squares == pytest.approx(np.mean(squares), rel=0.06)

    def test_areas(self) -> None:
        assert sparse_aperture(MOSAIC, 4, 3.0, 1.2).area == pytest.approx(np.pi * 9)
        assert sparse_aperture(MOSAIC, 1, 3.0, 1.2).area == pytest.approx(np.pi * 9 / 4)
        assert sparse_aperture(FIELD, 1, 3.0, 1.2).area == pytest.approx(np.pi * 9)

    def test_light_of_half_the_rows_is_twice_as_noisy(self) -> None:
        wide = sparse_aperture(FIELD, 1, 6.0, 1.2)
        assert wide.light == pytest.approx(2.0, rel=0.01)
        assert sparse_aperture(MOSAIC, 4, 6.0, 1.2).light == pytest.approx(1.0, rel=0.01)
        assert wide.squares == pytest.approx(2.0 * aperture_of(6.0, 1.2).squares, rel=0.1)


def _filled(weight: Floats, j: int) -> Floats:
    """Weights that the recorded row j has in an aperture on filled rows."""
    out = weight[j].copy()
    if j > 0:
        out += 0.5 * weight[j - 1]
    if j + 1 < weight.shape[0]:
        out += 0.5 * weight[j + 1]
    return np.asarray(out, np.float64)


@pytest.mark.parametrize("smoothed", ["none", "mosaic", "field"])
def test_white_noise_that_stands_for_that_of_images(smoothed: Smoothed) -> None:
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((60, 40, 40)).astype(np.float32)
    image = even_luminance(noise) if smoothed == "mosaic" else noise
    if smoothed == "field":
        image = whole_frames(noise, 0)[::2]
    matched = star(5.2, 5.4, 11, 1.3)
    sums = [
        float((image[n, i : i + 11, j : j + 11] * matched).sum())
        for n in range(60)
        for i in range(2, 27, 4)
        for j in range(2, 27, 4)
    ]
    white = float((matched**2).sum())
    assert np.var(sums) / white == pytest.approx(white_excess(smoothed, 1.3), rel=0.1)
