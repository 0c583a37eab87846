"""The camera's response: its inverse, its tables, and light curves through it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.levels import LumaRange
from reduction.plan import MOST_RESPONSE_POINTS, ReductionPlan, make_plan
from reduction.preparation import recipe_of, response_before
from reduction.response import LINEAR, check_covered, linearise, read_response, response_of, step_at
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.scan import scan
from reduction.stack import SourceInfo
from reduction.synthetic import Occultation, Scene
from reduction.view import Calibration, Recipe, View
from tests.recordings import SMALL
from tests.reduction.surveyed import Altered, held, plan_of
from tests.reduction.test_levels import Video
from tests.reduction.test_view import Held

VIDEO_LUMA = LumaRange(16.0, 235.0, "container")


def info_of(dtype: str, depth: int) -> SourceInfo:
    return SourceInfo("ser", "a.ser", (3, 4, 5), dtype, depth)


class TestCurve:
    @pytest.mark.parametrize(("dtype", "depth"), [("uint8", 8), ("uint16", 12), ("uint16", 0)])
    @pytest.mark.parametrize("gamma", [0.45, 1 / 2.2, 1.0, 2.0])
    def test_undoes_what_the_camera_does(self, dtype: str, depth: int, gamma: float) -> None:
        full = {8: 255, 12: 4095, 0: 65_535}[depth]
        curve = response_of(ReductionPlan(gamma=gamma), info_of(dtype, depth), None)
        assert curve.size == np.iinfo(dtype).max + 1
        linear = np.linspace(0.2 * full, full, 50)
        recorded = full * (linear / full) ** gamma
        found = np.interp(recorded, np.arange(curve.size), curve)
        np.testing.assert_allclose(found, linear, rtol=1e-3)
        assert curve[full] == pytest.approx(full)
        assert (np.diff(curve) > 0).all()

    def test_levels_of_luma_count_from_black(self) -> None:
        curve = response_of(ReductionPlan(gamma=0.45), info_of("uint8", 8), VIDEO_LUMA)
        assert (curve[16], curve[235]) == (0.0, pytest.approx(219.0))
        assert curve[125] == pytest.approx(219 * (109 / 219) ** (1 / 0.45))
        assert curve[10] < 0 < curve[250]
        assert (np.diff(curve) > 0).all()

    def test_a_table_is_interpolated_and_ends_at_its_ends(self) -> None:
        plan = ReductionPlan(response=((0, 0), (100, 10), (200, 110)))
        curve = response_of(plan, info_of("uint8", 8), VIDEO_LUMA)
        assert curve[[0, 50, 100, 150, 200]].tolist() == [0, 5, 10, 60, 110]
        assert np.isnan(curve[201:]).all()

    def test_a_linear_camera_needs_nothing(self) -> None:
        assert response_of(ReductionPlan(), info_of("float32", 0), VIDEO_LUMA).size == 0

    @pytest.mark.parametrize("dtype", ["float32", "int16", "uint32"])
    def test_levels_that_were_computed(self, dtype: str) -> None:
        with pytest.raises(RequestError, match=f"a.ser: --gamma and --response .* these are {dtype}"):
            response_of(ReductionPlan(gamma=0.45), info_of(dtype, 0), None)

    def test_levels_that_a_table_does_not_cover(self) -> None:
        plan = ReductionPlan(response=((10, 0), (200, 110)))
        check_covered(plan, "a.ser", 10, 200)
        for lowest, highest in ((9, 100), (10, 201)):
            with pytest.raises(RequestError, match=f"levels from {lowest} to {highest}, .* covers 10 to 200"):
                check_covered(plan, "a.ser", lowest, highest)

    def test_width_of_a_level(self) -> None:
        assert step_at(LINEAR, 30.0) == 1.0
        curve = response_of(ReductionPlan(gamma=0.5), info_of("uint8", 8), None)
        for level in (10, 100, 250):
            slope = 2 * level / 255  # of level^2 / 255
            assert step_at(curve, float(curve[level])) == pytest.approx(slope, rel=0.06)
        assert step_at(curve, -50.0) > 0
        assert step_at(curve, 1e6) == pytest.approx(2.0, rel=0.02)

    def test_frames_of_masters(self) -> None:
        curve = response_of(ReductionPlan(gamma=0.45), info_of("uint8", 8), None)
        frame = np.array([[0, 17, 255]], np.uint8)
        np.testing.assert_array_equal(linearise(frame, curve), curve[frame])
        between = linearise(np.array([[17.5, np.nan]], np.float32), curve)
        assert between[0, 0] == pytest.approx((curve[17] + curve[18]) / 2)
        assert np.isnan(between[0, 1])
        assert linearise(frame, LINEAR) is frame


class TestTable:
    def written(self, folder: Path, text: str) -> Path:
        path = folder / "lut.csv"
        path.write_text(text, encoding="utf-8")
        return path

    def test_is_read(self, tmp_path: Path) -> None:
        path = self.written(tmp_path, "\ufeffLevel, Linear\n0,0\n\n16.5, 1e1\r\n255,200\n")
        assert read_response(path) == ((0.0, 0.0), (16.5, 10.0), (255.0, 200.0))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "first line is ''"),
            ("a,b\n1,2\n", "first line is 'a,b'; give level,linear"),
            ("level,linear\n1\n", "line 2: '1'; give two numbers"),
            ("level,linear\n0,0\n1,x\n", "line 3: '1,x'"),
            ("level,linear\n0,0\n", "1 points of a response; give 2 to 4096"),
            ("level,linear\n0,0\n5,3\n5,4\n", r"after level 5 \(linear 3\) comes level 5 .* must rise"),
            ("level,linear\n0,0\n5,3\n9,3\n", "must rise"),
            ("level,linear\n0,0\n5,nan\n", "must rise"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, text: str, said: str) -> None:
        with pytest.raises(RequestError, match=f"lut.csv.*{said}"):
            read_response(self.written(tmp_path, text))

    def test_no_file_and_no_text(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match=r"nowhere\.csv: cannot read the response: No such file"):
            read_response(tmp_path / "nowhere.csv")
        (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(RequestError, match=r"b\.csv: cannot read the response: not a text file"):
            read_response(tmp_path / "b.csv")

    def test_is_part_of_the_plan(self) -> None:
        one, other = (ReductionPlan(response=((0, 0), (255, top))) for top in (255.0, 254.0))
        assert len({one.digest, other.digest, ReductionPlan().digest}) == 3
        assert ReductionPlan.model_validate_json(one.model_dump_json()) == one

    def test_plans_that_cannot_be(self) -> None:
        many = [[k, k] for k in range(MOST_RESPONSE_POINTS + 1)]
        faults: tuple[tuple[dict[str, object], str], ...] = (
            ({"gamma": 0.45, "response": [[0, 0], [1, 1]]}, "exclude each other"),
            ({"response": [[0, 0], [1, -1]]}, "must rise"),
            ({"response": many}, "give 2 to"),
            ({"gamma": 0.0}, "greater than"),
        )
        for fields, said in faults:
            with pytest.raises(RequestError, match=said):
                make_plan(fields, "options")


HALVED = replace(
    SMALL,
    frames=300,
    occultations=(Occultation(100 * 0.05 + 0.01, 200 * 0.05 + 0.02, 0.5),),
    bit_depth=8,
    gain_e_per_adu=24.0,
    offset_adu=0.5,
    sky_e=140.0,
    gamma=0.45,
    fwhm_px=3.2,
)
"""An ordinary video camera: the sky at level 48, the brightest star at 177."""


def depth_of(result: ReductionResult, scene: Scene) -> tuple[float, float]:
    """Light left in the event, weighted mean over weighted mean, and reduced chi-square outside."""
    curve, light = result.lightcurve, scene.target_light(np.arange(scene.frames))
    weight = curve.flux_norm_sigma**-2
    outside, inside = (light == 1.0) & (curve.flags == 0), np.isclose(light, 0.5) & (curve.flags == 0)
    mean = np.average(curve.flux_norm[outside], weights=weight[outside])
    chi2 = float((weight * (curve.flux_norm - mean) ** 2)[outside].sum()) / (outside.sum() - 1)
    return float(np.average(curve.flux_norm[inside], weights=weight[inside]) / mean), chi2


def reduced(stack: Any, plan: ReductionPlan, folder: Path, **more: Any) -> ReductionResult:
    return reduce(plan, stack, folder, **more)


class TestLightCurve:
    def test_a_star_halved_measures_a_half(self, tmp_path: Path) -> None:
        result = reduced(held(HALVED), plan_of(HALVED, gamma=0.45), tmp_path)
        left, chi2 = depth_of(result, HALVED)
        assert left == pytest.approx(0.5, abs=0.005)
        assert 0.85 < chi2 < 1.15
        assert result.quality.sigma_scale == 1.0
        assert result.photometry.gain == pytest.approx(24.0, rel=0.25)
        bent, _ = depth_of(reduced(held(HALVED), plan_of(HALVED), tmp_path), HALVED)
        assert bent > 0.55  # the test would notice a response that is not undone

    def test_a_table_does_the_same_as_the_gamma(self, tmp_path: Path) -> None:
        stack = held(HALVED)
        curve = response_of(ReductionPlan(gamma=0.45), stack.info, None)
        table = tuple((float(k), float(value)) for k, value in enumerate(curve))
        one = reduced(stack, plan_of(HALVED, gamma=0.45), tmp_path)
        other = reduced(stack, plan_of(HALVED, response=table), tmp_path)
        np.testing.assert_array_equal(one.lightcurve.flux_norm, other.lightcurve.flux_norm)
        assert one.provenance.key != other.provenance.key
        scaled = reduced(stack, plan_of(HALVED, response=tuple((k, 7 * v) for k, v in table)), tmp_path)
        np.testing.assert_allclose(
            scaled.lightcurve.flux_norm, one.lightcurve.flux_norm, rtol=1e-3, atol=1e-4
        )

    def test_limited_range_luma(self, tmp_path: Path) -> None:
        """The same camera into a recorder that codes black as 16 and white as 235."""
        stack = held(HALVED)
        squeezed = np.rint(16 + stack.pixels * (219.0 / 255.0)).astype(np.uint8)
        video = Video(squeezed, said="limited")
        result = reduced(video, plan_of(HALVED, gamma=0.45), tmp_path)
        left, _ = depth_of(result, HALVED)
        assert left == pytest.approx(0.5, abs=0.005)
        assert result.photometry.saturation_adu == 235.0
        (note,) = (note for note in result.notes if note.caveat is Caveat.LIMITED_RANGE)
        assert "from 16 (black) to 235 (white), says the container" in note.message

    def test_saturation_is_judged_on_what_was_recorded(self, tmp_path: Path) -> None:
        stack = held(HALVED)
        clipped = Altered(stack.source, np.minimum(stack.pixels, 140))
        result = reduced(clipped, plan_of(HALVED, gamma=0.45), tmp_path)
        assert result.photometry.saturation_adu == 140.0
        assert any(star.saturated for star in result.stars)


class TestRecipe:
    def test_rounding_follows_the_slope(self) -> None:
        pixels = np.full((3, 8, 8), 48, np.uint8)
        curve = response_of(ReductionPlan(gamma=0.45), info_of("uint8", 8), None)
        view = View(Held(pixels), Recipe(response=curve))
        for level in (48, 200):
            slope = float(curve[level + 1] - curve[level - 1]) / 2
            found = view.rounding_variance(float(curve[level]))
            assert found == pytest.approx(slope**2 / 12, rel=0.05)
        assert View(Held(pixels)).rounding_variance(3.0) == pytest.approx(1 / 12)
        assert View(Held(pixels.astype(np.float32))).rounding_variance(3.0) < 1e-9
        dark = Calibration(np.full((8, 8), curve[48], np.float32))
        above = View(Held(pixels), Recipe(dark, curve)).rounding_variance(0.0)
        assert above == pytest.approx(view.rounding_variance(float(curve[48])))

    def test_saturation_of_images(self) -> None:
        pixels = np.full((3, 8, 8), 48, np.uint8)
        curve = response_of(ReductionPlan(gamma=0.45), info_of("uint8", 8), None)
        assert View(Held(pixels)).saturation_in_images(235.0) == 235.0
        assert View(Held(pixels), Recipe(response=curve)).saturation_in_images(235.0) == curve[235]
        assert View(Held(pixels), Recipe(response=curve)).saturation_in_images(np.inf) == np.inf
        flat = Calibration(flat=np.ones((8, 8), np.float32))
        assert View(Held(pixels), Recipe(flat)).saturation_in_images(235.0) == np.inf
        assert View(Held(pixels, "rggb")).saturation_in_images(235.0) == np.inf

    def test_masters_and_recording_go_through_one_response(self) -> None:
        rng = np.random.default_rng(2)
        stack = Video(rng.integers(30, 60, (5, 20, 20)).astype(np.uint8), said="limited")
        plan = ReductionPlan(gamma=0.45)
        recipe = recipe_of(plan, stack, scan=scan(stack, 2))
        assert recipe.luma == VIDEO_LUMA
        np.testing.assert_array_equal(recipe.response, response_before(plan, stack))
        assert recipe_of(ReductionPlan(), stack).response.size == 0
