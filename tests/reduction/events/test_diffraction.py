"""Fresnel diffraction: against quadrature, brute means, energy, and SORA's own texts."""

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad

from reduction.events.diffraction import (
    AU_KM,
    Fringes,
    Light,
    between_the_edges,
    edge,
    fresnel_unit_km,
    over_band,
    strip,
    strip_taken,
)
from reduction.events.flanks import taken_at_d
from tests.requirements import require


def _slow_edge(w: float) -> float:
    """Intensity by quadrature of the Fresnel integrals."""
    c = float(mpmath.quad(lambda u: mpmath.cos(mpmath.pi * u * u / 2), mpmath.linspace(0, w, 9)))
    s = float(mpmath.quad(lambda u: mpmath.sin(mpmath.pi * u * u / 2), mpmath.linspace(0, w, 9)))
    return 0.5 * ((0.5 + c) ** 2 + (0.5 + s) ** 2)


@pytest.mark.parametrize("w", [-3.3, -1.0, -0.2, 0.0, 0.6, 1.217, 2.9, 4.4])
def test_straight_edge(w: float) -> None:
    expected = _slow_edge(w)
    assert edge(np.array([w]))[0] == pytest.approx(expected, abs=1e-9)
    for unit in (0.03, 1.0, 12.0):
        assert 1.0 - Fringes(unit).taken(np.array([-w * unit]))[0] == pytest.approx(expected, abs=1e-6)


def test_known_marks_of_the_straight_edge() -> None:
    assert edge(np.array([0.0]))[0] == pytest.approx(0.25)
    w = np.linspace(0, 3, 30_001)
    i = edge(w)
    assert w[np.argmax(i)] == pytest.approx(1.2172, abs=2e-3)
    assert i.max() == pytest.approx(1.3704, abs=2e-4)


def test_exposures_in_one_colour() -> None:
    fringes = Fringes(1.0)
    for start, stop in ((-9.0, -8.6), (-2.0, -1.3), (-0.2, 0.3), (1.0, 4.0)):
        slow = quad(lambda x: 1.0 - float(edge(np.array([-x]))[0]), start, stop, limit=300)[0] / (
            stop - start
        )
        found = taken_at_d(fringes, np.array([start]), np.array([stop]), np.array([0.0]))[0, 0]
        assert found == pytest.approx(slow, abs=1e-6)


def test_as_much_light_leaks_in_as_is_missing_outside() -> None:
    far = Fringes(1.0, Light(0.3)).integral(np.array([19.0]))[0]
    assert far == pytest.approx(19.0 + 1 / (2 * np.pi**2 * 19.0), abs=1e-5)


@pytest.mark.parametrize("x", [-24.0, -13.1, -5.02, -1.2, 0.0, 0.7, 8.0])
def test_the_band_is_an_even_mean_of_its_colours(x: float) -> None:
    middles = 1.0 + 0.43 * ((np.arange(40_000) + 0.5) / 40_000 - 0.5)
    slow = np.mean(1.0 - edge(-x / np.sqrt(middles)))
    assert over_band(np.array([x]), None, 0.43)[0] == pytest.approx(slow, abs=1e-6)
    assert Fringes(1.0, Light(0.43)).taken(np.array([x]))[0] == pytest.approx(slow, abs=1e-6)


@pytest.mark.parametrize("x", [-6.0, -1.4, 0.0, 0.9])
def test_the_star_is_a_mean_over_its_disc(x: float) -> None:
    radius = 1.7
    y, z = np.mgrid[-1:1:501j, -1:1:501j]
    light = np.where(y * y + z * z < 1, 1 - 0.5 * (1 - np.sqrt(np.clip(1 - y * y - z * z, 0, None))), 0.0)
    by_strip = light.sum(axis=1) / light.sum()
    slow = (by_strip * (1.0 - edge(-(x + radius * y[:, 0])))).sum()
    assert Fringes(1.0, Light(0.0, radius, 0.5)).taken(np.array([x]))[0] == pytest.approx(slow, abs=5e-4)


def test_a_wide_strip_is_two_edges_and_a_narrow_one_is_not() -> None:
    start = np.arange(-30.0, 30.0, 0.5)
    wide = between_the_edges(40.0, Light(0.4, 0.3), start, start + 0.5)
    assert np.abs(wide).max() < 2e-3
    narrow = between_the_edges(1.5, Light(0.4, 0.3), start, start + 0.5)
    assert np.abs(narrow).max() > 0.02


def test_strip_in_one_colour() -> None:
    x = np.array([-4.0, -1.1, 0.0, 0.4, 2.6])
    np.testing.assert_allclose(strip_taken(x, 2.0, Light()), 1.0 - strip(x + 1.0, x - 1.0), atol=1e-6)
    np.testing.assert_allclose(strip(x + 300.0, x), edge(x), atol=3e-3)


def test_unit() -> None:
    assert fresnel_unit_km(0.5, 26.67) == pytest.approx(1.00006 * np.sqrt(1.0), rel=3e-3)
    assert fresnel_unit_km(0.7, 14.66) == pytest.approx(np.sqrt(0.7e-9 * 14.66 * AU_KM / 2))


@pytest.mark.parametrize("star_km", [0.0, 0.6])
def test_agrees_with_sora_at_its_sampling(star_km: float) -> None:
    require("sora")
    from sora.lightcurve.utils import bar_fresnel

    distance, wavelength, band, width = 14.66, 0.7, 0.3, 8.0
    x = np.arange(-12.0, 12.0, 0.06)
    theirs, same, ours = np.zeros(x.size), np.zeros(x.size), np.zeros(x.size)
    for strips in (12, 120):
        p = np.arange(-strips, strips) * (star_km / 2) / strips if star_km else np.zeros(1)
        coefficient = np.sqrt(np.abs((star_km / 2) ** 2 - p**2)) if star_km else np.ones(1)
        theirs[:], same[:], ours[:] = 0.0, 0.0, 0.0
        for colour in (wavelength - band / 2, wavelength + band / 2):
            unit = fresnel_unit_km(colour, distance)
            for place, weight in zip(p, coefficient / coefficient.sum(), strict=True):
                theirs += 0.5 * weight * bar_fresnel(x + place, -width / 2, width / 2, unit, 1.0)
                same += 0.5 * weight * strip((x + place + width / 2) / unit, (x + place - width / 2) / unit)
            ours += 0.5 * (1.0 - strip_taken(x / unit, width / unit, Light(0.0, star_km / 2 / unit)))
        np.testing.assert_allclose(same, theirs, atol=1e-6)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)  # SORA's twelve strips to a radius are 1.7e-3 off
