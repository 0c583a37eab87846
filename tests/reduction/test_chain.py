"""The chain as a whole: which step places which frame of a recording, how well, and what it says of that."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.coordinates import Coordinates
from reduction.result import Flag, ReductionResult
from reduction.run import reduce
from reduction.scan import scan
from reduction.segment import measure_segment, segments_of
from reduction.survey import survey
from reduction.synthetic import Bump, Occultation, Scene, SceneStar, shift_bound_px
from reduction.tracking import METHODS
from reduction.view import View
from tests.reduction.surveyed import Altered, held, plan_of, to_curve

FRAMES = 160
TARGET = SceneStar(100.3, 74.7, 9_000.0)
OTHERS = (
    SceneStar(50.2, 40.4, 30_000.0),
    SceneStar(150.6, 50.1, 22_000.0),
    SceneStar(140.8, 110.3, 14_000.0),
    SceneStar(60.7, 112.9, 9_500.0),
    SceneStar(108.1, 30.3, 6_000.0),
)
FIELD = Scene(
    frames=FRAMES,
    height=150,
    width=200,
    seed=71,
    stars=(TARGET, *OTHERS),
    occultations=(Occultation(3.013, 5.031, 1.0),),
    wind_px=0.3,
)
IN_EVENT = np.arange(61, 100)
BY_STARS = {"correlation", "tracking"}
GAP = ((0.0, 1.0), (0.3, 1.0), (0.31, 0.0), (0.42, 0.0), (0.43, 1.0), (1.0, 1.0))
"""No light on frames 50 to 66."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A recording after both passes: truth and placements, ``(frame,)``."""

    result: ReductionResult
    method: list[str]
    sigma: NDArray[np.float64]
    off: NDArray[np.float64]  # (frame, axis), of the target
    weak: NDArray[np.bool_]
    scene: Scene

    @property
    def steps(self) -> set[str]:
        return {name for name, count in self.result.alignment.counts.items() if count}

    def bound(self, guides: list[int]) -> float:
        """Cramer-Rao bound of the shift from these stars."""
        return float(np.sqrt(np.mean(shift_bound_px(self.scene, guides, range(0, FRAMES, 8)) ** 2)))


def seen(folder: Path, scene: Scene, given: Coordinates | None = None, pixels: Altered | None = None) -> Seen:
    stack = held(scene) if pixels is None else pixels
    plan = plan_of(scene)
    result = reduce(to_curve(plan), stack, folder, coordinates=given)
    view = View(stack)
    places = measure_segment(
        survey(view, scan(stack, 64), plan, coordinates=given), view, 0, scene.frames, 64
    ).places
    truth = np.array([(t.x[0], t.y[0]) for t in map(scene.truth, range(scene.frames))])
    curve = result.lightcurve
    return Seen(
        result,
        [METHODS[k] for k in places["method"]],
        places["sigma_px"],
        np.stack([curve.target_x, curve.target_y], axis=1) - truth,
        (curve.flags & Flag.WEAK_TRACKING.value) != 0,
        scene,
    )


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


class TestTargetAlone:
    def test_is_held_through_the_event(self, tmp_path: Path) -> None:
        """No star but the target, which vanishes: measured where it should be, never lost, never on noise."""
        got = seen(tmp_path, replace(FIELD, stars=(TARGET,), drift_px=(9.0, -6.0)))
        assert got.result.alignment.lost_frames == 0
        assert {got.method[i] for i in IN_EVENT} == {"held"}
        assert got.weak[IN_EVENT].all()
        assert 0.75 < rms(got.off[IN_EVENT] / got.sigma[IN_EVENT, None]) < 1.3
        outside = np.setdiff1d(np.arange(FRAMES), [*IN_EVENT, 60, 100])
        assert not got.weak[outside].any()
        assert rms(got.off[outside]) < 0.05
        assert "frames-held" in {note.caveat.value for note in got.result.notes}
        light = got.result.lightcurve.flux_norm[IN_EVENT]
        assert abs(float(np.mean(light))) < 0.05

    def test_a_fading_star_does_not_draw_its_position_to_noise(self, tmp_path: Path) -> None:
        faint = replace(FIELD, stars=(TARGET,), occultations=(Occultation(3.013, 5.031, 0.93),))
        got = seen(tmp_path, faint)
        assert got.result.alignment.lost_frames == 0
        assert np.abs(got.off[IN_EVENT]).max() < 1.6
        assert rms(got.off[IN_EVENT]) < 0.42

    def test_a_knock_is_followed(self, tmp_path: Path) -> None:
        got = seen(tmp_path, replace(FIELD, stars=(TARGET,), bumps=(Bump(120, 24.0, -20.0),)))
        after = np.arange(120, FRAMES)
        assert {got.method[i] for i in after} <= BY_STARS
        assert rms(got.off[after]) < 0.05


class TestClouds:
    @pytest.mark.parametrize("bump", [(), (Bump(58, 24.0, -20.0),)])
    def test_a_gap(self, tmp_path: Path, bump: tuple[Bump, ...]) -> None:
        got = seen(tmp_path, replace(FIELD, transparency=GAP, bumps=bump, occultations=()))
        dark = np.arange(51, 66)
        assert {got.method[i] for i in dark} <= {"held", "lost"}
        kept = np.array([i for i in dark if got.method[i] == "held"])
        assert got.weak[kept].all()
        if not bump:
            assert kept.size == dark.size
        assert np.abs(got.off[kept] / got.sigma[kept, None]).max() < 4.5
        clear = np.r_[0:48, 70:FRAMES]
        assert {got.method[i] for i in clear} <= BY_STARS
        assert np.abs(got.off[clear]).max() < 0.06

    def test_two_stars_and_a_gap(self, tmp_path: Path) -> None:
        two = replace(FIELD, stars=(TARGET, OTHERS[1]), transparency=GAP, drift_px=(8.0, 5.0))
        got = seen(tmp_path, two)
        assert got.result.alignment.lost_frames == 0
        assert got.steps <= {*BY_STARS, "held"}
        clear = np.r_[0:48, 70:FRAMES]
        assert np.abs(got.off[clear]).max() < 0.08


class TestCoordinates:
    def places(self, scene: Scene, frames: NDArray[np.int64], shift: float) -> Coordinates:
        truth = [scene.truth(int(i)) for i in frames]
        x = np.array([[t.x[0] + shift] for t in truth])
        y = np.array([[t.y[0] + shift] for t in truth])
        return Coordinates(frames.astype(float), ("target",), x, y, "digest")

    @pytest.mark.parametrize("shift", [0.0, 1.0])
    def test_place_what_nothing_else_does(self, tmp_path: Path, shift: float) -> None:
        """A field that is knocked about in a dark gap; the file counts pixels from 0 or from 1."""
        scene = replace(FIELD, transparency=GAP, bumps=(Bump(58, 24.0, -20.0),), occultations=())
        got = seen(tmp_path, scene, self.places(scene, np.arange(FRAMES), shift))
        dark = np.arange(51, 66)
        assert {got.method[i] for i in dark} == {"coordinates"}
        assert got.weak[dark].all()
        assert np.abs(got.off[dark]).max() < 0.05
        assert got.result.alignment.lost_frames == 0
        assert got.result.provenance.calibration["coordinates"] == "digest"
        assert got.method[20] in BY_STARS

    def test_a_file_of_some_frames_names_no_target_but_serves(self, tmp_path: Path) -> None:
        scene = replace(FIELD, transparency=GAP, bumps=(Bump(58, 24.0, -20.0),), occultations=())
        got = seen(tmp_path, scene, self.places(scene, np.arange(55, 62), 0.0))
        assert {got.method[i] for i in range(55, 62)} == {"coordinates"}
        assert np.abs(got.off[55:62]).max() < 0.2


class TestMotion:
    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("drift", {"drift_px": (100.0, 30.0)}),
            ("rotation", {"rotation_deg": 20.0, "drift_px": (6.0, 3.0)}),
            ("scale", {"scale_change": 0.01, "drift_px": (6.0, 3.0)}),
            ("defocus", {"seeing": ((0.0, 1.0), (0.5, 2.0), (1.0, 1.1)), "drift_px": (6.0, 3.0)}),
            ("wind", {"wind_px": 5.0}),
        ],
    )
    def test_is_followed_to_the_bound(self, tmp_path: Path, name: str, change: dict[str, object]) -> None:
        scene = replace(FIELD, **change)  # type: ignore[arg-type]  # fields of a scene
        got = seen(tmp_path, scene)
        assert got.steps <= BY_STARS
        assert not got.weak.any()
        if name != "drift":  # whose guides leave the frame one by one
            assert rms(got.off - got.off.mean(axis=0)) < max(1.25 * got.bound([1, 2, 3, 4, 5]), 0.01)
        assert np.abs(got.off).max() < 0.06
        normalised = rms((got.off - got.off.mean(axis=0)) / got.sigma[:, None])
        assert 0.75 < normalised < 1.3, normalised
        noted = {note.caveat.value for note in got.result.notes}
        assert ("field-rotates" in noted) == (name == "rotation")


def test_segments_and_blocks_with_lost_frames(tmp_path: Path) -> None:
    """What a frame's placement rests on is its segment, never the block."""
    stack = held(replace(FIELD, stars=(TARGET, OTHERS[1]), transparency=GAP))
    view = View(stack)
    found = survey(view, scan(stack, 64), plan_of(FIELD))
    whole = [measure_segment(found, view, a, b, 64) for a, b in segments_of(FRAMES, 50)]
    for block in (1, 7, 50):
        again = [measure_segment(found, view, a, b, block) for a, b in segments_of(FRAMES, 50)]
        for one, two in zip(whole, again, strict=True):
            assert one.rows.tobytes() == two.rows.tobytes()
            assert one.places.tobytes() == two.places.tobytes()
