"""Samples of an integrating camera: pixels, times, exposures, flags; against the frames one by one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.inspection import inspect_recording
from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.integration import by_pictures
from reduction.levels import saturation_level, top_samples
from reduction.pictures import IntegratedStack, Pictures, times_of_blocks
from reduction.plan import ReductionPlan
from reduction.repeats import Blocks
from reduction.result import Flag
from reduction.run import reduce
from reduction.stack import FrameBlock
from reduction.synthetic import Occultation, Scene, SceneStar
from reduction.timing import UNKNOWN_NS, Correction, RowTimes, TimeSolution
from reduction.view import Recipe, View
from tests.reduction.test_repeats import Video, pictures

START = 1_760_000_000_000_000_000
FRAME_NS = 40_000_000
STEP = Correction("stamp meaning", "inserted time of the first field", "mid-exposure", 0.0, 0.0, "test")
CAMERA = Correction("camera", "inserted time of the first field", "mid-exposure", -0.18, 1e-3, "table")


def video_times(frames: int, *, camera: bool, dropped_before: int | None = None) -> TimeSolution:
    """Times of video frames: the inserter's stamp of each, with the camera's delay or without."""
    stamp = START + FRAME_NS * np.arange(frames)
    if dropped_before is not None:
        stamp[dropped_before:] += FRAME_NS
    mid = stamp - (180_000_000 if camera else 0)
    exposure = np.full(frames, 0.32 if camera else 0.04)
    return TimeSolution(mid, np.full(frames, 1e-3), exposure, None, "vti", (CAMERA if camera else STEP,))


def blocks(*counts: int) -> Blocks:
    starts = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64)
    return Blocks(8, starts, np.array(counts, np.int64), max(8 - counts[0], 0))


class TestTimes:
    def test_with_the_camera_the_first_frame_s_time(self) -> None:
        found = times_of_blocks(video_times(35, camera=True), blocks(3, 8, 8, 8, 8))
        first_fields = START + FRAME_NS * np.array([-5, 3, 11, 19, 27])
        np.testing.assert_array_equal(found.mid_ns, first_fields - 180_000_000)
        np.testing.assert_allclose(found.exposure_s, 0.32)
        assert [entry.what for entry in found.ledger] == ["camera", "integration"]
        assert [note.caveat for note in found.notes] == [Caveat.INTEGRATED]

    def test_without_it_a_field_within_a_field(self) -> None:
        found = times_of_blocks(video_times(24, camera=False), blocks(8, 8, 8))
        np.testing.assert_array_equal(found.mid_ns, START + FRAME_NS * np.array([0, 8, 16]) - 180_000_000)
        np.testing.assert_allclose(found.sigma_s, np.hypot(1e-3, 0.02))
        assert Caveat.CAMERA_UNKNOWN in {note.caveat for note in found.notes}

    @pytest.mark.parametrize("dropped_before", [16, 17, 20])
    def test_a_picture_that_lost_a_frame_keeps_its_place(self, dropped_before: int) -> None:
        times = video_times(39, camera=True, dropped_before=dropped_before)
        found = times_of_blocks(times, blocks(8, 8, 7, 8, 8))
        places = START + 8 * FRAME_NS * np.arange(5) - 180_000_000
        np.testing.assert_array_equal(found.mid_ns, places)

    def test_unknown_times_stay_unknown(self) -> None:
        times = video_times(24, camera=True)
        times.mid_ns[8] = UNKNOWN_NS
        found = times_of_blocks(times, blocks(8, 8, 8))
        assert found.known.tolist() == [True, False, True]
        none = replace(times, mid_ns=np.full(24, UNKNOWN_NS), ledger=())
        assert not times_of_blocks(none, blocks(8, 8, 8)).known.any()


class TestStack:
    def test_means_of_the_frames(self) -> None:
        frames = pictures([3, 8, 8, 5], 3.0, 2.0)
        stack = IntegratedStack(Video(frames), Pictures(blocks(3, 8, 8, 5)))
        edges = [0, 3, 11, 19, 24]
        for k in range(4):
            own = frames[edges[k] : edges[k + 1]].astype(float).mean(axis=0)
            np.testing.assert_allclose(stack.read(k, k + 1)[0], own, rtol=1e-6)
        assert (stack.info.dtype, stack.info.frames) == ("float32", 4)
        whole = IntegratedStack(Video(frames), Pictures(blocks(3, 8, 8, 5), whole_levels=True))
        assert whole.read(0, 4).dtype == np.uint8
        assert np.abs(whole.read(0, 4) - stack.read(0, 4)).max() <= 0.5

    def test_a_worker_gets_the_same_view_from_the_recipe(self) -> None:
        frames = pictures([8] * 4, 3.0, 2.0)
        here = View(IntegratedStack(Video(frames), Pictures(blocks(8, 8, 8, 8))))
        there = View(Video(frames), Recipe(pictures=here.recipe.pictures))
        np.testing.assert_array_equal(here.images(0, 4).values, there.images(0, 4).values)
        assert there.frames == 4


class TestRequest:
    VIDEO = Video(pictures([5, *[8] * 20], 3.0, 2.0), video_times(165, camera=True))

    def test_found_by_itself_and_when_named(self) -> None:
        for asked in ("auto", 8):
            plan, stack = by_pictures(ReductionPlan(integration=asked, frame=30), self.VIDEO)
            assert isinstance(stack, IntegratedStack)
            assert stack.info.frames == 21
            assert plan.frame == 4, "frame 30 shows the picture that begins with frame 29"

    def test_off(self) -> None:
        for asked in ("off", 1):
            assert by_pictures(ReductionPlan(integration=asked), self.VIDEO)[1] is self.VIDEO
        plain = Video(pictures([1] * 100, 3.0, 2.0))
        assert by_pictures(ReductionPlan(), plain)[1] is plain

    @pytest.mark.parametrize(
        ("plan", "coordinates", "message"),
        [
            ({"integration": 4}, False, "the camera's delay is for x8"),
            ({"fields": "top"}, False, "one exposure"),
            ({}, True, "--coordinates counts video frames"),
        ],
    )
    def test_what_does_not_go_together(self, plan: Any, coordinates: bool, message: str) -> None:
        with pytest.raises(RequestError, match=message):
            by_pictures(ReductionPlan(**plan), self.VIDEO, coordinates)

    def test_asked_for_and_not_there(self) -> None:
        with pytest.raises(RequestError, match="cannot be seen"):
            by_pictures(ReductionPlan(integration=8), Video(pictures([1] * 100, 3.0, 2.0)))
        other = Video(pictures([4] * 40, 3.0, 2.0))
        with pytest.raises(RequestError, match="4 video frames, 8 were named"):
            by_pictures(ReductionPlan(integration=8), other)


def test_what_inspect_says_of_it() -> None:
    class Source(Video):
        def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
            for first in range(start, len(self.frames), size):
                yield FrameBlock(first, self.frames[first : first + size])

    said = {
        count: [n.message for n in inspect_recording(Source(frames)).notes if n.caveat is Caveat.INTEGRATED]
        for count, frames in ((8, pictures([5, *[8] * 9], 3.0, 2.0)), (1, pictures([1] * 77, 3.0, 2.0)))
    }
    assert said[1] == []
    assert said[8][0].startswith("8 video frames show one picture, the first whole one begins with frame 5:")


def test_means_saturate_where_the_recorded_levels_do() -> None:
    top = top_samples([np.full((1, 9, 9), 200.0, np.float32)])
    assert saturation_level(top, 201.0, 8, np.dtype(np.float32)) == (255.0, "bit depth")
    assert saturation_level(top, 201.0, 0, np.dtype(np.float32))[0] == float("inf")


SCENE = Scene(
    frames=40,
    height=120,
    width=160,
    seed=5,
    cadence_s=0.32,
    exposure_s=0.32,
    bit_depth=8,
    gain_e_per_adu=12.0,
    offset_adu=12.0,
    stars=(
        SceneStar(80.3, 60.7, 12_000.0),
        SceneStar(40.2, 30.4, 30_000.0),
        SceneStar(120.6, 35.1, 22_000.0),
        SceneStar(118.8, 90.3, 15_000.0),
    ),
    occultations=(Occultation(20 * 0.32 + 0.05, 28 * 0.32 + 0.13, 0.9),),
    drift_px=(2.0, -1.0),
)


def watec(scene: Scene, lead: int, line_noise: float = 1.0) -> Video:
    """A Watec x8 with an inserter: each picture in eight video frames, noise of the line on each.

    The picture whose exposure ends at T is sent from the VSYNC a field later, and so on for 320 ms.
    """
    rng = np.random.default_rng(9)
    frames = []
    for k in range(scene.frames):
        picture = scene.frame(k).astype(float)
        for _ in range(lead if k == 0 else 8):
            noisy = picture + line_noise * rng.standard_normal(picture.shape)
            frames.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    first_shown = int(scene.frame_start_ns(np.array([0]))[0]) + 320_000_000 + 20_000_000
    stamp = first_shown + FRAME_NS * (np.arange(len(frames)) + 8 - lead)
    times = TimeSolution(
        stamp - 180_000_000,
        np.full(len(frames), 1e-3),
        np.full(len(frames), 0.32),
        None,
        "vti",
        (CAMERA,),
    )
    return Video(np.stack(frames), times)


@pytest.mark.parametrize("lead", [8, 3])
def test_a_watec_recording_reduced(lead: int, tmp_path: Path) -> None:
    """Mid-times to a millisecond of the truth, one sample a picture, partial ones flagged."""
    video = watec(SCENE, lead)
    plan = ReductionPlan.model_validate({"target": {"x": 80, "y": 61}})
    result = reduce(plan, video, tmp_path)
    curve = result.lightcurve
    middle = SCENE.frame_start_ns(np.arange(SCENE.frames)) + 160_000_000
    assert np.abs(curve.mid_ns - middle).max() < 1_000_000
    np.testing.assert_allclose(curve.exposure_s, 0.32)
    assert curve.frame.tolist() == [0.0, *(lead + 8.0 * np.arange(SCENE.frames - 1))]
    partial = (curve.flags & Flag.PARTIAL_INTEGRATION) != 0
    assert np.flatnonzero(partial).tolist() == ([] if lead == 8 else [0])
    assert Caveat.INTEGRATED in {note.caveat for note in result.notes}
    assert result.plan == plan
    inside = curve.flux_norm[22:27].mean()
    assert inside == pytest.approx(0.1, abs=0.05)


def test_a_rolling_shutter_recording_reduced(tmp_path: Path) -> None:
    """Rows are exposed one after the other: the target's time is that of its own row, to a millisecond."""
    scene = replace(SCENE, cadence_s=0.05, exposure_s=0.05, occultations=())
    row_s = 2 * 150e-6  # two sensor rows to a recorded one, read upwards
    frames = np.stack([scene.frame(k) for k in range(scene.frames)])
    middle = scene.frame_start_ns(np.arange(scene.frames)) + 25_000_000
    meaning = Correction("stamp meaning", "recorded stamp", "mid-exposure", 0.025, 0.0, "test")
    rows = RowTimes(-row_s, 1.0, 0.0, "--row-time 0.00015 s")
    n = scene.frames
    times = TimeSolution(middle, np.full(n, 1e-4), np.full(n, 0.05), "start", "SER", (meaning,), rows=rows)
    plan = ReductionPlan.model_validate({"target": {"x": 80, "y": 61}, "integration": "off"})
    result = reduce(plan, Video(frames, times), tmp_path)
    at = np.array([scene.truth(k).y[0] for k in range(n)])
    expected = middle + np.rint((scene.height - 1 - at) * row_s * 1e9)
    assert np.abs(result.lightcurve.mid_ns - expected).max() < 100_000
    assert result.lightcurve.mid_ns[0] - middle[0] > 15_000_000, "17 ms that no stamp tells"
    assert result.times.ledger[-1].what == "row"
