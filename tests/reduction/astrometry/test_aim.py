"""Targets named by coordinates: on the pixels, among stars, or nowhere."""

from dataclasses import replace

import numpy as np
import pytest

from reduction.astrometry.aim import Sky, SkyGoal
from reduction.astrometry.fit import fit_solution
from reduction.astrometry.reference import DeepImage, deep_image
from reduction.astrometry.solution import SkySolution
from reduction.astrometry.stars import FrameStars
from reduction.errors import RequestError
from reduction.plan import Position, ReductionPlan
from reduction.synthetic.scene import Scene
from reduction.synthetic.sky import SceneStar
from reduction.synthetic.source import SceneSource
from reduction.view import NOTHING
from tests.reduction.astrometry.fields import sky_stars, wcs_of

PLACES = (
    (60.0, 50.0),
    (200.0, 60.0),
    (150.0, 160.0),
    (40.0, 180.0),
    (240.0, 200.0),
    (243.5, 200.0),
    (100.0, 110.0),
)
WCS = wcs_of(83.0, -0.3, 1.5, 25.0, False, 280, 240)


@pytest.fixture(scope="module")
def image() -> DeepImage:
    stars = tuple(SceneStar(x, y, 2e4) for x, y in PLACES)
    return deep_image(SceneSource(Scene(12, 240, 280, stars, fwhm_px=2.2)), ReductionPlan())


@pytest.fixture(scope="module")
def solution() -> SkySolution:
    x, y = np.array(PLACES).T
    ra, dec = WCS.all_pix2world(x, y, 0)
    seen = FrameStars(x, y, np.full(x.size, 0.05), np.ones(x.size), 280, 240)
    every = np.arange(x.size)
    return fit_solution(seen, sky_stars(ra, dec), every, every, "affine", 0).solution


def sky_at(solution: SkySolution, x: float, y: float, sigma_arcsec: float = 0.1) -> Sky:
    ra, dec = (float(v) for v in solution.to_sky(x, y))
    return Sky(solution, "a.wcs", SkyGoal("here", ra, dec, sigma_arcsec / 3600.0))


def settled(sky: Sky, image: DeepImage) -> ReductionPlan:
    info = image.view.stack.info
    plan, masters = sky.applied(ReductionPlan(), NOTHING, info)
    assert masters.digests["wcs"] == sky.solution.digest
    return sky.settled(plan, image.view, image.registered, np.inf, 0.0)


def test_the_star_at_the_place_is_the_target(image: DeepImage, solution: SkySolution) -> None:
    plan = settled(sky_at(solution, 150.2, 159.9), image)
    assert plan.target is not None
    assert np.hypot(plan.target.x - 150.0, plan.target.y - 160.0) < 0.1
    sky = sky_at(solution, 150.2, 159.9).measured(plan.target.x, plan.target.y)
    assert sky.match is not None
    assert sky.match.distance_arcsec == pytest.approx(1.5 * np.hypot(0.2, 0.1), abs=0.1)
    assert sky.match.sigma_arcsec >= 0.1
    (note,) = sky.notes()
    assert "sigma" in note.message
    assert "05 3" in note.message


def test_no_star_there_is_refused_with_the_nearest(image: DeepImage, solution: SkySolution) -> None:
    with pytest.raises(
        RequestError, match=r"no star lies there; the nearest, at 150\.\d,1(59|60)\.\d, is 6\.\d"
    ):
        settled(sky_at(solution, 154.2, 160.0), image)


def test_two_stars_there_are_refused(image: DeepImage, solution: SkySolution) -> None:
    with pytest.raises(RequestError, match="2 stars lie within"):
        settled(sky_at(solution, 241.8, 200.0, sigma_arcsec=1.5), image)
    near = settled(sky_at(solution, 240.0, 200.0), image).target
    assert near is not None
    assert abs(near.x - 240.0) < 0.5


def test_a_place_off_the_frame_and_positions_of_another_frame_are_refused(
    image: DeepImage, solution: SkySolution
) -> None:
    info = image.view.stack.info
    with pytest.raises(RequestError, match="lies off frame 0"):
        sky_at(solution, 300.0, 20.0).applied(ReductionPlan(), NOTHING, info)
    plan = ReductionPlan(frame=3, references=(Position(x=1.0, y=2.0),))
    with pytest.raises(RequestError, match="holds on frame 0"):
        sky_at(solution, 150.0, 160.0).applied(plan, NOTHING, info)
    moved, _ = Sky(replace(solution, frame=5), "", sky_at(solution, 150.0, 160.0).goal).applied(
        ReductionPlan(), NOTHING, info
    )
    assert moved.frame == 5


def test_without_a_goal_nothing_changes(image: DeepImage, solution: SkySolution) -> None:
    sky = Sky(solution, "a.wcs")
    plan = ReductionPlan()
    assert sky.applied(plan, NOTHING, image.view.stack.info) == (plan, NOTHING)
    assert sky.settled(plan, image.view, image.registered, np.inf, 0.0) is plan
    assert sky.notes() == ()


def test_the_deep_image_is_an_average_on_the_frame_asked_for(image: DeepImage) -> None:
    assert image.frame == 0
    for x, y in PLACES:
        assert np.hypot(image.stars.x - x, image.stars.y - y).min() < 0.25  # the close pair moves each other
    with pytest.raises(RequestError, match="frames 0 to 11"):
        deep_image(image.view.stack, ReductionPlan(frame=12))
