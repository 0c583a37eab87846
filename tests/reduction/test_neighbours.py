"""Neighbours of the target: found in the stack, fitted along, without bias."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.neighbours import Crowd, find_crowd
from reduction.plan import Position
from reduction.roles import Stars
from reduction.run import reduce
from reduction.synthetic import Occultation, SceneStar
from reduction.synthetic.psf import star_image
from tests.reduction.surveyed import held, plan_of
from tests.reduction.test_extraction import LENGTH_S, OTHERS, SCENE

SHAPE = (120, 150)
NOISE = 2.0
PLACES = ((70.3, 60.2), (25.0, 25.4), (120.6, 30.1), (30.2, 95.7), (118.4, 92.3))


def stack(
    fwhm: float, extra: tuple[float, float, float] | None, beta: float | None = None
) -> NDArray[np.float32]:
    """Five stars of 20,000 and, at an offset from the first, one more of a given flux."""
    image = np.random.default_rng(1).normal(100.0, NOISE, SHAPE)
    stars = [(x, y, 20_000.0) for x, y in PLACES]
    if extra is not None:
        stars.append((PLACES[0][0] + extra[0], PLACES[0][1] + extra[1], extra[2]))
    for x, y, flux in stars:
        image += flux * star_image(x, y, fwhm, SHAPE, beta)
    return image.astype(np.float32)


def known() -> Stars:
    x, y = np.array(PLACES).T
    return Stars(x + 0.1, y - 0.1, ["target", *["star"] * 4], [False] * 5)


def crowd(image: NDArray[np.float32], fwhm: float) -> Crowd:
    return find_crowd(known(), image, NOISE, fwhm / 2.3548, Position(x=70.0, y=60.0), np.inf)


@pytest.mark.parametrize("beta", [None, 3.0])
@pytest.mark.parametrize("part", [0.2, 1.0])
@pytest.mark.parametrize("fwhm", [2.0, 3.0, 4.5])
def test_a_neighbour_at_one_and_a_half_fwhm_is_found(fwhm: float, part: float, beta: float | None) -> None:
    offset = 1.5 * fwhm * np.array([np.cos(0.8), np.sin(0.8)])
    found = crowd(stack(fwhm, (offset[0], offset[1], part * 20_000.0), beta), fwhm)
    assert found.groups.shape == (1, 2)
    target, other = found.groups[0]
    assert np.hypot(found.stars.u[target] - PLACES[0][0], found.stars.v[target] - PLACES[0][1]) < 0.05
    place = np.hypot(
        found.stars.u[other] - PLACES[0][0] - offset[0], found.stars.v[other] - PLACES[0][1] - offset[1]
    )
    assert place < 0.15
    assert found.blended.tolist() == [s == other for s in range(len(found.stars.role))]


@pytest.mark.parametrize("beta", [None, 2.5])
@pytest.mark.parametrize("fwhm", [1.2, 2.0, 3.0, 4.5])
def test_a_star_alone_stays_alone(fwhm: float, beta: float | None) -> None:
    found = crowd(stack(fwhm, None, beta), fwhm)
    assert found.groups.size == 0
    assert len(found.stars.role) == 5


def test_trailed_stars_have_no_neighbours() -> None:
    """Every star is as long as the target: what is left of it beside a round profile is no star."""
    image = stack(3.0, None) - 100.0
    trailed = sum(np.roll(image, (k, k), (0, 1)) for k in (-1, 0, 1)) / 3.0 + 100.0
    assert crowd(np.asarray(trailed, np.float32), 3.4).groups.size == 0


def test_a_saturated_target_is_not_taken_apart() -> None:
    image = np.minimum(stack(3.0, None), 1_000.0)
    assert find_crowd(known(), image, NOISE, 1.27, Position(x=70.0, y=60.0), 1_000.0).groups.size == 0


@pytest.mark.parametrize("part", [0.5, 2.0])
def test_depth_beside_a_neighbour_is_not_biased(part: float, tmp_path: Path) -> None:
    beside = SceneStar(80.3 + 3.1, 66.7 + 3.26, 9_000.0 * part)
    scene = replace(
        SCENE,
        stars=(SCENE.stars[0], *OTHERS, beside),
        occultations=(Occultation(0.4 * LENGTH_S, 0.6 * LENGTH_S, 0.85),),
    )
    result = reduce(plan_of(scene), held(scene), tmp_path)
    assert result.photometry.extraction == "psf"
    assert result.photometry.extraction_fitted == 2
    light = scene.target_light(np.arange(scene.frames))
    ratio = result.lightcurve.ratio
    inside, out = ratio[np.isclose(light, 0.15)], ratio[light == 1.0]
    error = np.hypot(inside.std() / np.sqrt(inside.size), out.std() / np.sqrt(out.size)) / out.mean()
    assert 1.0 - inside.mean() / out.mean() == pytest.approx(0.85, abs=max(0.0085, 3.0 * error))
    assert 0.8 < result.quality.chi2_reduced < 1.2
    (star,) = (s for s in result.stars if np.hypot(s.x - beside.x, s.y - beside.y) < 0.3)
    assert star.flux * scene.gain_e_per_adu == pytest.approx(beside.flux_e, rel=0.03)
    assert star.role == "star"
    assert not star.is_guide
