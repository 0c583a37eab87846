"""Guide stars followed within a segment: as the correlation places them, and never on another star."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.calibrate import Development, develop
from reduction.following import Follower, Placed
from reduction.segment import measure_segment
from reduction.survey import Survey
from reduction.synthetic import Bump, Scene
from reduction.tracking import CORRELATION, METHODS, TRACKING, Tracker
from reduction.view import View
from tests.recordings import SMALL
from tests.reduction.surveyed import held, plan_of, survey_of

FRAMES = SMALL.frames


def surveyed(scene: Scene) -> tuple[Survey, View]:
    found, view, _ = survey_of(held(scene), plan_of(scene))
    return found, view


@pytest.fixture(scope="module")
def calm() -> tuple[Survey, View]:
    return surveyed(SMALL)


def placed(found: Survey, view: View, follow: bool = True, blocks: tuple[int, ...] = (FRAMES,)) -> Placed:
    """Place all frames, in blocks of given lengths."""
    follower = Follower(Tracker(found.field), follow)
    parts, start = [], 0
    for n in blocks:
        parts.append(follower.place(view.raw(start, start + n), Development(), start))
        start += n
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("transform", "method", "stars", "sigma_px", "weak")
    }
    return Placed(**joined)


def named(result: Placed) -> list[str]:
    return [METHODS[k] for k in result.method]


def errors_px(result: Placed, found: Survey, scene: Scene) -> NDArray[np.float64]:
    """Distance of the target's place from the truth on each frame, less the grid's own."""
    x, y = result.apply(found.u[:1], found.v[:1])
    truths = [scene.truth(i) for i in range(scene.frames)]
    dx = x[:, 0] - [t.x[scene.target] for t in truths]
    dy = y[:, 0] - [t.y[scene.target] for t in truths]
    return np.asarray(np.hypot(dx - np.median(dx), dy - np.median(dy)), np.float64)


class TestFollowing:
    def test_all_but_the_first_frame_are_followed(self, calm: tuple[Survey, View]) -> None:
        assert named(placed(*calm)) == [CORRELATION] + [TRACKING] * (FRAMES - 1)
        assert named(placed(*calm, follow=False)) == [CORRELATION] * FRAMES

    def test_places_are_those_of_the_correlation(self, calm: tuple[Survey, View]) -> None:
        one, other = placed(*calm), placed(*calm, follow=False)
        np.testing.assert_allclose(one.transform, other.transform, atol=2e-3)
        np.testing.assert_allclose(one.sigma_px, other.sigma_px, rtol=5e-3)
        np.testing.assert_array_equal(one.stars, other.stars)
        x, y = one.apply(*(np.array([place]) for place in (100.0, 70.0)))
        u, v = other.apply(*(np.array([place]) for place in (100.0, 70.0)))
        assert np.hypot(x - u, y - v).max() < 0.1 * one.sigma_px.max()

    @pytest.mark.parametrize("blocks", [(1,) * FRAMES, (7, FRAMES - 7), (FRAMES - 1, 1)])
    def test_blocks_do_not_matter(self, calm: tuple[Survey, View], blocks: tuple[int, ...]) -> None:
        whole, parts = placed(*calm), placed(*calm, blocks=blocks)
        for name in ("transform", "method", "stars", "sigma_px", "weak"):
            assert getattr(parts, name).tobytes() == getattr(whole, name).tobytes()

    def test_a_knock_is_for_the_correlation(self) -> None:
        scene = replace(SMALL, bumps=(Bump(20, 14.0, -9.0, duration=6),))
        found, view = surveyed(scene)
        result = placed(found, view)
        assert [k for k, name in enumerate(named(result)) if name == CORRELATION] == [0, 20, 26]
        assert errors_px(result, found, scene).max() < 0.5

    def test_darkness_is_never_followed_through(self) -> None:
        scene = replace(SMALL, opaque=((15, 22),))
        found, view = surveyed(scene)
        result = placed(found, view)
        assert TRACKING not in named(result)[15:22]
        assert named(result)[22] == CORRELATION
        assert named(result)[23:] == [TRACKING] * (FRAMES - 23)

    def test_a_dim_sky_is_followed(self) -> None:
        scene = replace(SMALL, transparency=((0.0, 1.0), (0.5, 0.4), (1.0, 1.0)))
        found, view = surveyed(scene)
        result = placed(found, view)
        assert named(result)[1:] == [TRACKING] * (FRAMES - 1)
        assert errors_px(result, found, scene).max() < 0.5

    def test_another_field_is_not_taken_for_this_one(self, calm: tuple[Survey, View]) -> None:
        found, view = calm
        frames = view.raw(0, FRAMES).copy()
        frames[10:] = frames[10:, ::-1, ::-1]
        result = Follower(Tracker(found.field)).place(frames, Development(), 0)
        assert TRACKING not in named(result)[10:]

    def test_rotation_is_followed(self) -> None:
        scene = replace(SMALL, rotation_deg=5.0)
        found, view = surveyed(scene)
        result = placed(found, view)
        assert named(result).count(TRACKING) > FRAMES // 2
        turned = np.degrees(np.arctan2(result.transform[:, 1], result.transform[:, 0]))
        truth = np.array([scene.truth(i).rotation_deg for i in range(FRAMES)])
        np.testing.assert_allclose(turned - turned[0], truth - truth[0], atol=0.15)

    def test_frames_are_developed_on_the_way(self, calm: tuple[Survey, View]) -> None:
        found, view = calm
        rng = np.random.default_rng(8)
        shape = view.raw(0, 1).shape[1:]
        development = Development(
            offset=rng.normal(3.0, 1.0, shape).astype(np.float32),
            scale=rng.normal(1.0, 0.02, shape).astype(np.float32),
            defect=rng.random(shape) < 0.01,
        )
        raw = view.raw(0, FRAMES)
        here = Follower(Tracker(found.field)).place(raw, development, 0)
        whole = Follower(Tracker(found.field)).place(develop(raw, development), Development(), 0)
        assert here.transform.tobytes() == whole.transform.tobytes()
        assert named(here) == named(whole)

    def test_masked_guides_are_left_out(self, calm: tuple[Survey, View]) -> None:
        found, view = calm
        mask = np.zeros(found.field.shape, np.bool_)
        brightest = int(np.argmax(found.field.flux))
        x, y = int(found.field.u[brightest]), int(found.field.v[brightest])
        mask[y - 4 : y + 5, x - 4 : x + 5] = True
        hidden = replace(found, field=replace(found.field, mask=mask))
        result, open_sky = placed(hidden, view), placed(found, view)
        followed = np.array([name == TRACKING for name in named(result)])
        assert followed.sum() > FRAMES // 2
        assert (result.stars[followed] < open_sky.stars[followed]).all()

    def test_segments_place_alike_with_and_without(self, calm: tuple[Survey, View]) -> None:
        found, view = calm
        one = measure_segment(found, view, 0, FRAMES, 16).rows
        other = measure_segment(replace(found, follow=False), view, 0, FRAMES, 16).rows
        seen = np.isfinite(one["flux"]) & np.isfinite(other["flux"])
        assert seen.all()
        assert (np.abs(one["flux"] - other["flux"]) / one["sigma"]).max() < 0.05
