"""Whole synthetic recordings: every frame's time right, and none wrong without a flag."""

from dataclasses import replace

import numpy as np
import pytest

from bench.inserters import Recording, Scene
from bench.vti import DATE, outcome, scenes
from ingest.burnt_in import read_burnt_in
from ingest.ocr.options import vti_options
from reduction.errors import DataError

SMALL = scenes(8, 36)


@pytest.mark.parametrize("k", range(8))
def test_every_frame_is_right(k: int) -> None:
    scene = SMALL[k]
    found = outcome(scene)
    assert found.exact == 1.0
    assert found.flagged <= 0.3
    model = "generic" if scene.model == "ghs" else scene.model
    assert found.found.overlay.layout.model == model
    assert found.found.order.first == (0 if scene.top_first else 1)


@pytest.mark.parametrize("model", ["iota", "kiwi", "gps-boxsprite", "ghs"])
def test_with_a_fifth_unreadable_none_is_wrong_unflagged(model: str) -> None:
    scene = Scene(model=model, frames=50, seed=31, spoilt=0.2, noise=15, jumps={17: 2, 33: -2})
    found = outcome(scene)
    assert found.wrong == 0
    assert found.exact >= 0.96
    assert 1.0 - found.raw >= 0.15


def test_midnight_is_crossed() -> None:
    scene = Scene(model="kiwi", frames=30, start_s=86_399.6, seed=5)
    found = outcome(scene)
    assert found.exact == 1.0
    assert np.all(np.diff(found.found.stamps.stamp_ns) > 0)


def test_a_recording_without_a_line_is_said_to_have_none() -> None:
    scene = Scene(frames=12)
    recording = Recording(scene)
    blank = replace(scene, strength=-12.0)  # the signs are as bright as the sky
    recording = Recording(blank)
    vti = vti_options("auto", DATE)
    assert vti is not None
    with pytest.raises(DataError, match="no line with a burnt-in time"):
        read_burnt_in(recording, vti)


def test_a_wrong_model_is_refused() -> None:
    vti = vti_options("kiwi", DATE)
    assert vti is not None
    with pytest.raises(DataError, match="look like iota"):
        read_burnt_in(Recording(Scene(frames=12)), vti)


def test_whole_frames_that_bear_one_time() -> None:
    vti = vti_options("auto", DATE)
    assert vti is not None

    class Progressive(Recording):
        def _frame(self, k: int) -> np.ndarray:
            frame = super()._frame(k)
            frame[1::2] = frame[0::2]
            return frame

    scene = Scene(model="ghs", frames=40, seed=3)
    found = read_burnt_in(Progressive(scene), vti)
    assert found.order.first is None
    assert not found.overlay.interlaced
    truth = scene.shown_s(scene.numbers)
    seconds = (found.stamps.stamp_ns - vti.midnight_ns) * 1e-9
    assert np.abs(seconds - truth).max() <= 1.01e-3
    assert found.stamps.exposure_s[0] == pytest.approx(2 * scene.step_s, rel=1e-3)
