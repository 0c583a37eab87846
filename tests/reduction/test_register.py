"""Pass 1, first half: the sample of frames, aligned and stacked."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.errors import DataError
from reduction.register import Registered, register, sample_frames
from reduction.scan import scan
from reduction.sweep import each_image
from reduction.synthetic import Bump
from reduction.view import View
from tests.recordings import SMALL
from tests.reduction.surveyed import Altered, held

NO_REPEATS = np.zeros(100_000, bool)


class TestSample:
    @given(frames=st.integers(1, 50_000), limit=st.integers(8, 600))
    @settings(max_examples=60, deadline=None)
    def test_all_or_neighbouring_pairs_evenly_spread(self, frames: int, limit: int) -> None:
        index = sample_frames(limit, NO_REPEATS[:frames])
        assert (np.diff(index) > 0).all()
        assert index[0] == 0
        assert index[-1] == frames - 1
        if frames <= limit:
            assert index.size == frames
        else:
            assert limit // 2 <= index.size <= limit
            pairs = np.flatnonzero(np.diff(index) == 1)
            assert pairs.size >= limit // 2 - 1
            gaps = np.diff(index)
            assert gaps.max() <= 2 * frames / (limit // 2 - 1) + 2

    def test_repeats_are_left_out(self) -> None:
        repeated = np.zeros(20, bool)
        repeated[[3, 4, 9]] = True
        assert sample_frames(400, repeated).tolist() == [i for i in range(20) if i not in {3, 4, 9}]
        assert sample_frames(400, np.array([False, True, True, True])).tolist() == [0]


def registered(stack: Altered, plan_frame: int = 0) -> Registered:
    view, seen = View(stack), scan(stack, 64)
    return register(view, seen, sample_frames(400, seen.repeated), plan_frame, 24, np.inf)


class TestImages:
    def test_come_in_order_with_their_place_in_the_sample(self) -> None:
        stack = held(SMALL)
        index = np.array([0, 1, 2, 7, 9, 10, 40])
        seen = [(k, image) for k, image, _ in each_image(View(stack), index)]
        assert [k for k, _ in seen] == list(range(7))
        for k, image in seen:
            np.testing.assert_array_equal(image, stack.pixels[index[k]])


class TestRegister:
    def test_frames_lie_where_they_truly_do(self) -> None:
        stack = held(replace(SMALL, bumps=(Bump(30, 9.0, -6.0),)))
        found = registered(stack)
        scene = stack.source.scene
        assert found.grid_frame == 0
        for k, i in enumerate(found.index):
            truth = scene.truth(int(i))
            assert found.placements[k].transform.tx == pytest.approx(truth.dx, abs=0.1)
            assert found.placements[k].transform.ty == pytest.approx(truth.dy, abs=0.1)

    @pytest.mark.parametrize("frame", [0, 24, 47])
    def test_the_grid_is_that_of_the_plans_frame(self, frame: int) -> None:
        found = registered(held(SMALL), frame)
        assert found.grid_frame == frame
        truth = SMALL.truth(frame)
        for x, y in zip(truth.x, truth.y, strict=True):
            near = np.hypot(found.field.all_u - x, found.field.all_v - y)
            assert near.min() < 0.15
        at = int(np.flatnonzero(found.index == frame)[0])
        assert found.placements[at].transform.tx == pytest.approx(0.0, abs=1e-9)

    def test_the_stack_is_quieter_than_a_frame_and_as_sharp(self) -> None:
        found = registered(held(SMALL))
        frame = SMALL.frame(0).astype(float)
        corner = (slice(5, 20), slice(5, 20))
        assert np.nanstd(found.image[corner]) < 0.4 * frame[corner].std()
        assert found.stacked >= 16
        assert np.nanmax(found.image) > 0.6 * frame.max()

    def test_a_frame_of_nan_does_not_disturb(self) -> None:
        stack = held(SMALL)
        stack.pixels = stack.pixels.astype(np.float32)
        stack.pixels[[0, 5, 47]] = np.nan
        found = registered(stack, plan_frame=1)
        lost = [int(found.index[k]) for k, p in enumerate(found.placements) if not p.found]
        assert lost == [0, 5, 47]

    def test_a_plans_frame_that_is_lost_leaves_the_grid_to_another(self) -> None:
        stack = held(SMALL)
        stack.pixels[0] = 120
        found = registered(stack, plan_frame=0)
        assert found.grid_frame != 0

    def test_nothing_to_see(self) -> None:
        stack = held(replace(SMALL, stars=(replace(SMALL.stars[0], flux_e=0.0),), frames=10))
        with pytest.raises(DataError, match="no star stands out"):
            registered(stack)
        stack.pixels = np.full((10, 120, 160), np.nan, np.float32)
        with pytest.raises(DataError, match="NaN"):
            registered(stack)
