"""Whether frames hold two fields, and which came first, from scenes with truth."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.caveats import Caveat
from reduction.interlace import judge_fields, settled_fields
from reduction.stack import SourceInfo
from reduction.synthetic import Scene, SceneSource, SceneStar
from reduction.timing import FirstField

STARS = (
    SceneStar(70.4, 60.2, 30_000.0),
    SceneStar(30.1, 30.6, 60_000.0),
    SceneStar(110.7, 35.3, 50_000.0),
    SceneStar(105.2, 90.9, 40_000.0),
)
SCENE = Scene(frames=60, height=120, width=140, seed=4, stars=STARS, fwhm_px=2.6, sky_e=60.0)


class AsVideo(SceneSource):
    """A scene that says it is a video."""

    @property
    def info(self) -> SourceInfo:
        return replace(super().info, format="video")


class Told:
    """A video whose burnt-in times say which field is first."""

    def __init__(self, video: AsVideo, fields: FirstField) -> None:
        self.video, self.info = video, video.info
        self.times = replace(video.times, fields=fields)
        self.shard_size, self.known_digests = video.shard_size, None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        return self.video.read(start, stop)

    def close(self) -> None:
        self.video.close()


@pytest.mark.parametrize("drift", [(18.0, -5.0), (0.5, 20.0), (-25.0, 0.0)])
@pytest.mark.parametrize("fields", ["top", "bottom", None])
def test_motion_tells(fields: str | None, drift: tuple[float, float]) -> None:
    scene = replace(SCENE, fields=fields, drift_px=drift)  # type: ignore[arg-type]  # of a table
    found = judge_fields(SceneSource(scene))
    expected = {"top": 0.5, "bottom": -0.5, None: 0.0}[fields]
    assert found.fields == (fields or "off")
    assert abs(found.share - expected) < max(5.0 * found.sigma, 0.1)


class Stamped(SceneSource):
    """A scene with a line of bright blocks burnt in, which change with the frame and never move."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        frames = super().read(start, stop).copy()
        for number, frame in enumerate(frames, start):
            for digit in range(14):
                box = frame[104:114, 6 + 9 * digit : 12 + 9 * digit]
                box[:] = 0
                box[:, :2] = frame.max()
                box[(number * (digit + 3)) % 8 :: 4] = frame.max()
        return frames


@pytest.mark.parametrize(("fields", "share"), [("top", 0.5), ("bottom", -0.5), (None, 0.0)])
def test_burnt_in_digits_are_no_stars(fields: str | None, share: float) -> None:
    scene = replace(SCENE, fields=fields, drift_px=(25.0, -8.0))  # type: ignore[arg-type]  # of a table
    found = judge_fields(Stamped(scene))
    assert found.fields == (fields or "off")
    assert abs(found.share - share) < max(5.0 * found.sigma, 0.1)
    resting = judge_fields(Stamped(replace(SCENE, fields=fields)))  # type: ignore[arg-type]  # of a table
    assert resting.fields is None


def test_a_field_at_rest_tells_nothing() -> None:
    for fields in ("top", None):
        scene = replace(SCENE, fields=fields)
        assert judge_fields(SceneSource(scene)).fields is None
    assert judge_fields(SceneSource(replace(SCENE, frames=3))).fields is None


class TestSettling:
    def test_as_asked(self) -> None:
        for asked in ("off", "top", "bottom"):
            assert settled_fields(asked, AsVideo(SCENE)) == (asked, ())

    def test_judged(self) -> None:
        moving = replace(SCENE, drift_px=(18.0, -5.0))
        assert settled_fields("auto", AsVideo(moving)) == ("off", ())
        assert settled_fields("auto", AsVideo(replace(moving, fields="bottom"))) == ("bottom", ())
        found, notes = settled_fields("auto", AsVideo(SCENE))
        assert found == "off"
        assert [note.caveat for note in notes] == [Caveat.FIELDS_UNDECIDED]

    @pytest.mark.parametrize("told", ["top", "bottom"])
    def test_times_that_differ_between_fields_tell(self, told: FirstField) -> None:
        for fields in (None, "top"):
            resting = AsVideo(replace(SCENE, fields=fields))
            found, notes = settled_fields("auto", Told(resting, told))
            assert found == told
            (note,) = notes
            assert note.caveat is Caveat.FIELDS_BY_TIMES
            assert f"{told} field first" in note.message
            assert "move too little" in note.message

    def test_motion_confirms_times_or_contradicts_them(self) -> None:
        moving = AsVideo(replace(SCENE, drift_px=(18.0, -5.0), fields="bottom"))
        for told, words in (("bottom", "agrees"), ("top", "says the other")):
            found, notes = settled_fields("auto", Told(moving, told))  # type: ignore[arg-type]  # of a table
            assert found == told
            assert words in notes[0].message

    def test_whole_frames_stay_whole_whatever_their_times(self) -> None:
        whole = AsVideo(replace(SCENE, drift_px=(18.0, -5.0)))
        assert settled_fields("auto", Told(whole, "top")) == ("off", ())
        assert settled_fields("off", Told(whole, "top")) == ("off", ())

    def test_only_video_has_fields(self) -> None:
        interlaced = replace(SCENE, drift_px=(18.0, -5.0), fields="top")
        assert settled_fields("auto", SceneSource(interlaced)) == ("off", ())

    def test_nothing_to_see(self) -> None:
        dark = replace(SCENE, stars=(SceneStar(60.0, 60.0, 0.0),), drift_px=(18.0, -5.0))
        assert judge_fields(SceneSource(dark)).fields is None
        assert np.isinf(judge_fields(SceneSource(dark)).sigma)
