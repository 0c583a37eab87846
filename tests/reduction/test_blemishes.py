"""What is found on the sensor reaches the images, the flags and the notes."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.blemishes import Blemishes, find_blemishes, treated
from reduction.caveats import Caveat
from reduction.plan import ReductionPlan
from reduction.stack import SourceInfo
from reduction.synthetic import Overlay, Scene, SceneSource
from reduction.view import Recipe, View
from tests.scenes.hard_scenes import CLEAR, VIDEO

MARKED = replace(
    VIDEO, frames=60, drift_px=(20.0, 10.0), overlay=Overlay(x=20, y=216), hot_pixels=60, hot_e=2_000.0
)
FRAMES = np.arange(60)


def looked_at(scene: Scene, **fields: Any) -> tuple[View, Blemishes]:
    view = View(SceneSource(scene))
    return view, find_blemishes(view, FRAMES[: scene.frames], ReductionPlan(**fields))


def test_an_ordinary_recording_is_left_as_it_is() -> None:
    view, found = looked_at(replace(CLEAR, frames=60))
    assert not found.any
    assert not list(found.notes())
    assert treated(view, found) is view
    assert view.direct


def test_digits_become_nan_and_hot_pixels_their_surroundings() -> None:
    view, found = looked_at(MARKED)
    better = treated(view, found)
    before, after = view.images(5, 6).values[0], better.images(5, 6).values[0]
    assert after.dtype == np.float32
    (line,) = found.lines
    assert np.isnan(after[line.top : line.bottom, line.left : line.right]).all()
    assert np.isnan(after).sum() == (line.bottom - line.top) * (line.right - line.left)
    assert (found.excess > 100.0).sum() >= 50
    hot = found.excess > 100.0
    assert before[hot].mean() > 150.0
    assert abs(after[hot].mean() - np.nanmedian(after)) < 12.0
    untouched = ~np.isnan(after) & (found.excess == 0.0)
    np.testing.assert_array_equal(after[untouched], before[untouched])
    notes = {note.caveat: note.message for note in found.notes()}
    assert f"rows {line.top}-{line.bottom - 1}" in notes[Caveat.OVERLAY]
    assert "hot pixels were corrected" in notes[Caveat.DEFECTIVE_PIXELS]


def test_workers_make_the_same_images() -> None:
    view, found = looked_at(MARKED)
    better = treated(view, found)
    elsewhere = View(SceneSource(MARKED), pickle.loads(pickle.dumps(better.recipe)))
    np.testing.assert_array_equal(elsewhere.images(7, 9).values, better.images(7, 9).values)


def test_masters_and_known_defects_stay() -> None:
    offset = np.full((240, 320), 8.0, np.float32)
    known = np.zeros((240, 320), bool)
    known[50, 60] = True
    scene = replace(MARKED, dead_pixels=30, sky_e=2_000.0, gain_e_per_adu=30.0)
    view = View(SceneSource(scene))
    view = View(view.stack, Recipe(replace(view.recipe.calibration, offset=offset), defect=known))
    better = treated(view, find_blemishes(view, FRAMES, ReductionPlan()))
    assert better.recipe.defect[50, 60]
    assert treated(View(view.stack), Blemishes(hidden=known)).pointwise.defect.shape == (0, 0)
    assert better.recipe.defect.sum() > 20
    sound = (better.recipe.excess == 0.0) & ~better.recipe.defect & ~better.recipe.hidden
    difference = better.images(3, 4).values[0] - view.images(3, 4).values[0]
    assert not difference[sound].any()


def test_a_plan_may_forbid_either() -> None:
    _, digits = looked_at(MARKED, find_defects=False)
    assert digits.lines
    assert not digits.excess.size
    _, pixels = looked_at(MARKED, find_overlay=False)
    assert not pixels.lines
    assert pixels.excess.size
    _, nothing = looked_at(MARKED, find_overlay=False, find_defects=False)
    assert not nothing.any


class Coloured:
    """The frames of a scene as three planes, hot pixels in one of them alone."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.bare = scene, replace(scene, hot_pixels=0)
        self.grey = SceneSource(scene)
        self.times, self.shard_size, self.known_digests = self.grey.times, 256, None

    @property
    def info(self) -> SourceInfo:
        return replace(self.grey.info, shape=(self.scene.frames, 3, 240, 320), colour="rgb")

    def read(self, start: int, stop: int) -> NDArray[Any]:
        bare = np.stack([self.bare.frame(k) for k in range(start, stop)])
        return np.stack([bare, self.grey.read(start, stop), bare], axis=1)

    def close(self) -> None:
        pass


def test_planes_are_judged_one_by_one() -> None:
    view = View(Coloured(MARKED))
    found = find_blemishes(view, FRAMES, ReductionPlan())
    assert found.lines
    assert found.hidden.shape == found.excess.shape == (3, 240, 320)
    assert np.count_nonzero(found.excess[1]) >= 50
    assert not found.excess[0].any()
    assert np.isfinite(treated(view, found).images(0, 1).values).mean() < 0.95


def test_digits_over_interlaced_frames() -> None:
    view, found = looked_at(replace(MARKED, fields="top", hot_pixels=0))
    assert len(found.lines) == 1
    assert found.lines[0].top < 216
    assert found.lines[0].bottom > 229
    assert view.frames == 60


def test_repaired_pixels_are_known_near_a_star() -> None:
    defect = np.zeros((240, 320), bool)
    defect[100, 200] = True
    view = View(SceneSource(CLEAR), Recipe(defect=defect))
    x = np.array([[200.0, 203.4, 205.0, np.nan, -9.0, 400.0]])
    near = view.near_repairs(x, np.full(x.shape, 100.2), 3.5)
    assert near.tolist() == [[True, True, False, False, False, False]]
    assert not View(SceneSource(CLEAR)).near_repairs(x, x, 3.5).any()


def test_short_recordings_have_no_judged_pixels() -> None:
    _, found = looked_at(replace(MARKED, frames=5))
    assert not found.excess.size
    assert found.lines


@pytest.mark.parametrize("frames", [1, 2])
def test_a_frame_or_two(frames: int) -> None:
    _, found = looked_at(replace(CLEAR, frames=frames))
    assert not found.any


def test_lines_that_the_container_states_are_hidden() -> None:
    stated = (200, 216, 10, 310)
    info = replace(SceneSource(CLEAR).info, burnt_in=(stated,))

    class Stated(SceneSource):
        @property
        def info(self) -> SourceInfo:
            return info

    view = View(Stated(replace(CLEAR, frames=60)))
    found = find_blemishes(view, FRAMES, ReductionPlan(find_defects=False))
    assert [(b.top, b.bottom, b.left, b.right) for b in found.lines] == [stated]
    values = treated(view, found).images(3, 4).values[0]
    assert np.isnan(values[200:216, 10:310]).all()
    assert np.isnan(values).sum() == 16 * 300
    assert [note.caveat for note in found.notes()] == [Caveat.OVERLAY]
    assert not find_blemishes(view, FRAMES, ReductionPlan(find_overlay=False, find_defects=False)).any
