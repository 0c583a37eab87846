"""Profiles and growth curves against sums that anybody can check; errors against the scatter of trials."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.errors import RequestError
from reduction.growth import growth
from tests.reduction.test_picking import light, sky_with

Floats = NDArray[np.float64]
SKY = (12.0, 20.0)


def covered(radius: float, x: float, y: float, shape: tuple[int, int], parts: int = 40) -> Floats:
    """Share of each pixel within a circle, by counting points."""
    at = (np.arange(parts) + 0.5) / parts - 0.5
    rows = (np.arange(shape[0])[:, None] + at).reshape(-1)
    columns = (np.arange(shape[1])[:, None] + at).reshape(-1)
    inside = np.hypot(rows[:, None] - y, columns[None] - x) <= radius
    return np.asarray(inside.reshape(shape[0], parts, shape[1], parts).mean(axis=(1, 3)))


def test_sums_and_rings_are_those_of_a_slow_twin() -> None:
    image = sky_with([(60.3, 48.8, 8000.0, 1.7)], seed=3)
    found = growth(image, 60.3, 48.8, SKY, aperture=4.3)
    assert found.radius[-1] == pytest.approx(SKY[1], abs=0.5)
    assert (np.diff(found.radius) > 0).all()
    assert 4.3 in found.radius
    before, light_before = 0.0, 0.0
    for k in (0, 3, found.at(4.3), found.at(10.0)):
        share = covered(float(found.radius[k]), 60.3, 48.8, image.shape)
        flux = float((share * (image - found.sky)).sum())
        # the twin counts points: its area is a little off
        assert found.area[k] == pytest.approx(share.sum(), abs=0.02 * found.radius[k] + 0.01)
        assert found.flux[k] == pytest.approx(flux, abs=8.0 + 0.002 * abs(flux))
        assert found.radius[k] > before
        assert found.flux[k] > light_before - 5 * found.flux_error[k]
        before, light_before = float(found.radius[k]), float(found.flux[k])
    # rings add up to the circle again
    areas = np.diff(found.area, prepend=0.0)
    assert np.cumsum(found.ring * areas) == pytest.approx(found.flux, rel=1e-9, abs=1e-6)
    inside = found.ring_radius
    assert (np.diff(inside) > 0).all()
    assert (inside < found.radius).all()
    assert found.best is not None
    assert 1.0 < found.best < 6.0
    assert found.said(4.3) == ()


def test_errors_are_the_scatter_of_many_frames() -> None:
    gain, trials = 2.0, 300
    rng = np.random.default_rng(11)
    rows, columns = np.arange(64.0), np.arange(64.0)
    star = 30_000.0 * light(rows, 31.2, 1.6)[:, None] * light(columns, 30.7, 1.6)
    told: list[tuple[Floats, Floats, Floats, Floats]] = []
    for _ in range(trials):
        image = (rng.poisson(star * gain) / gain + rng.normal(200.0, 6.0, star.shape)).astype(np.float32)
        found = growth(image, 30.7, 31.2, SKY, gain_e_per_adu=gain)
        told.append((found.flux, found.flux_error, found.ring, found.ring_error))
    flux, error, ring, ring_error = (np.array(part) for part in zip(*told, strict=True))
    for k in (2, 5, 9, 15, 25):
        assert flux[:, k].std() == pytest.approx(error[:, k].mean(), rel=0.15), k
        assert ring[:, k].std() == pytest.approx(ring_error[:, k].mean(), rel=0.15), k


def test_without_a_gain_the_errors_are_those_of_the_sky() -> None:
    image = sky_with([(60.0, 48.0, 50_000.0, 1.5)])
    sky_alone, with_photons = growth(image, 60.0, 48.0, SKY), growth(image, 60.0, 48.0, SKY, None, 1.0)
    assert not sky_alone.photons
    assert with_photons.photons
    k = sky_alone.at(4.0)
    assert sky_alone.flux[k] == with_photons.flux[k]
    assert with_photons.flux_error[k] > 2 * sky_alone.flux_error[k]
    assert sky_alone.sky_sigma == pytest.approx(5.0, rel=0.1)
    assert sky_alone.sky_error == pytest.approx(sky_alone.sky_sigma / np.sqrt(sky_alone.sky_pixels))


def test_at_the_edge_and_over_holes_it_says_so() -> None:
    image = sky_with([(3.0, 48.0, 9000.0, 1.5)])
    found = growth(image, 3.0, 48.0, SKY)
    assert found.said(6.0) == ("the aperture is partly off the frame",)
    assert found.said(2.0) == ()
    holed = sky_with([(60.0, 48.0, 9000.0, 1.5)])
    holed[48, 62] = np.nan
    found = growth(holed, 60.0, 48.0, SKY)
    assert "no numbers" in found.said(4.0)[0]
    assert np.isnan(found.flux[found.at(4.0)])
    assert np.isfinite(found.flux[found.at(1.0)])


@pytest.mark.parametrize(
    ("x", "y", "sky", "aperture"),
    [
        (60.0, 48.0, (9.0, 9.0), None),
        (60.0, 48.0, (9.0, 500.0), None),
        (60.0, 48.0, (float("nan"), 12.0), None),
        (60.0, 48.0, (9.0, 12.0), -1.0),
        (60.0, 48.0, (9.0, 12.0), 1e4),
        (-40.0, 48.0, (9.0, 12.0), 3.0),
        (60.0, 4000.0, (9.0, 12.0), 3.0),
    ],
)
def test_what_cannot_be_measured(
    x: float, y: float, sky: tuple[float, float], aperture: float | None
) -> None:
    with pytest.raises(RequestError):
        growth(sky_with([]), x, y, sky, aperture)
