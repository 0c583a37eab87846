"""Profiles from bright stars, the seeing's changes, and the sky that stars share."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.profile import Boxes, profile_of, seeing_of
from reduction.skylevel import SharedSky, alone, shared_sky
from reduction.synthetic.psf import star_image

Floats = NDArray[np.float64]


def boxes(
    fwhm: float, beta: float | None, flux: float, count: int = 80, widths: Floats | None = None
) -> Boxes:
    rng = np.random.default_rng(2)
    side = 2 * int(np.ceil(2.6 * fwhm)) + 5
    x, y = side // 2 + rng.uniform(-0.5, 0.5, (2, count))
    factor = np.ones(count) if widths is None else widths
    values = np.array(
        [
            flux * star_image(float(a), float(b), float(fwhm * f), (side, side), beta)
            for a, b, f in zip(x, y, factor, strict=True)
        ]
    )
    values += rng.normal(0.0, 1.0, values.shape) * np.sqrt(100.0 + values)
    return Boxes(values, x, y, np.full(count, 100.0), 1.0)


@pytest.mark.parametrize("beta", [None, 4.0])
@pytest.mark.parametrize("fwhm", [1.5, 2.2, 3.5])
def test_profiles_are_those_of_the_stars(fwhm: float, beta: float | None) -> None:
    found = profile_of(boxes(fwhm, beta, 30_000.0), 1.3, 2.2 * fwhm)
    truth = star_image(20.3, 20.1, fwhm, (41, 41), beta)
    assert np.abs(found.image(20.3, 20.1, (41, 41)) - truth).max() < 0.012 * truth.max()
    assert found.terms[:, 0].sum() == pytest.approx(1.0)
    assert found.fwhm == pytest.approx(fwhm, rel=0.03)
    assert len(found.terms) <= 3


def test_stars_too_faint_to_tell_give_what_is_known() -> None:
    found = profile_of(boxes(3.0, None, 10.0, 20), 1.4, 6.0)
    np.testing.assert_array_equal(found.terms, [[1.0, 1.4, 1.4]])


def test_spread_of_the_seeing_is_found() -> None:
    rng = np.random.default_rng(3)
    frame = np.repeat(np.arange(20), 4)
    widths = np.exp(rng.normal(0.0, 0.15, 20))[frame]
    mine = boxes(3.0, None, 20_000.0, 80, widths)
    found = seeing_of(mine, frame, profile_of(mine, 1.3, 6.6), 4.5)
    assert found.spread == pytest.approx(float(np.std(np.log(widths))), rel=0.2)
    still = seeing_of(boxes(3.0, None, 20_000.0), frame, profile_of(mine, 1.3, 6.6), 4.5)
    assert still.spread < 0.02


def skies(wander: float) -> tuple[Floats, Floats, Floats]:
    """400 frames of 5 stars: a sky that goes up and down, fixed offsets, noise, and one that wanders."""
    rng = np.random.default_rng(4)
    level = 100.0 + 20.0 * np.sin(np.arange(400) / 30.0)[:, None] + np.array([0.0, 3.0, -2.0, 1.0, 0.5])
    noise = rng.normal(0.0, 0.5, level.shape)
    own = np.zeros(level.shape)
    own[:, 0] = wander * np.sin(np.arange(400) / 50.0)
    return level + own + noise, np.full(level.shape, 400.0), level + own


def test_skies_that_go_together_are_known_better_than_alone() -> None:
    sky, count, truth = skies(0.0)
    pixel = np.full(sky.shape, 100.0)
    shared = shared_sky(sky, count, pixel)
    best, worth = shared.at(sky, count, pixel)
    error = (best - truth).std(axis=0)
    assert (error < 0.65 * 0.5).all()
    np.testing.assert_allclose(10.0 / np.sqrt(worth.mean(axis=0)), error, rtol=0.3)


def test_a_sky_that_wanders_keeps_its_own() -> None:
    sky, count, truth = skies(4.0)
    pixel = np.full(sky.shape, 100.0)
    best, worth = shared_sky(sky, count, pixel).at(sky, count, pixel)
    assert np.abs(best[:, 0] - truth[:, 0]).max() < 2.2
    assert worth[:, 0].mean() < 1.2 * 400.0
    assert (best[:, 1:] - truth[:, 1:]).std() < 0.75 * 0.5


def test_a_sky_that_strays_on_one_frame_keeps_its_own() -> None:
    sky, count, _ = skies(0.0)
    pixel = np.full(sky.shape, 100.0)
    shared = shared_sky(sky, count, pixel)
    sky[7, 2] += 30.0
    best, worth = shared.at(sky[7:8], count[7:8], pixel[7:8])
    assert best[0, 2] == sky[7, 2]
    assert worth[0, 2] == 400.0
    assert abs(best[0, 1] - sky[7, 1]) < 2.0


def test_one_star_or_few_frames_have_nothing_to_share() -> None:
    sky, count, _ = skies(0.0)
    pixel = np.full(sky.shape, 100.0)
    for few in (
        shared_sky(sky[:, :1], count[:, :1], pixel[:, :1]),
        shared_sky(sky[:9], count[:9], pixel[:9]),
    ):
        assert np.isinf(few.spread).all()
    best, worth = alone(5).at(sky, count, pixel)
    np.testing.assert_array_equal(best, sky)
    np.testing.assert_array_equal(worth, count)
    assert isinstance(alone(2), SharedSky)
