"""The whole reduction of a stack in memory."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.plan import ReductionPlan
from reduction.register import sample_frames
from reduction.result import Flag, ReductionResult
from reduction.run import default_block, reduce, result_key, this_machine, with_notes, with_seconds
from reduction.stack import SourceInfo
from reduction.synthetic import SceneSource
from reduction.timing import TimeSolution, no_times
from reduction.tracking import METHODS
from reduction.version import VERSION
from reduction.view import Calibration
from tests.recordings import SMALL
from tests.reduction.surveyed import Altered, alike, held, plan_of

LONG = replace(SMALL, frames=120, occultations=(replace(SMALL.occultations[0], reappear_s=2.03),))


def reduced(folder: Path, stack: Any, plan: ReductionPlan, **more: Any) -> ReductionResult:
    folder.mkdir(exist_ok=True)
    return reduce(plan, stack, folder, **more)


def caveats(result: ReductionResult) -> set[Caveat]:
    return {note.caveat for note in result.notes}


@pytest.fixture(scope="module")
def stack() -> Altered:
    return held(LONG)


@pytest.fixture(scope="module")
def result(stack: Altered, tmp_path_factory: pytest.TempPathFactory) -> ReductionResult:
    return reduced(tmp_path_factory.mktemp("segments"), stack, plan_of(LONG))


class TestTruth:
    def test_light_places_and_flags(self, result: ReductionResult) -> None:
        curve = result.lightcurve
        light = LONG.target_light(np.arange(120))
        pull = (curve.flux_norm - light) / curve.flux_norm_sigma
        assert np.abs(pull).max() < 5
        assert 0.7 < pull.std() < 1.3
        assert abs(pull.mean()) < 0.4
        truths = [LONG.truth(i) for i in range(120)]
        assert np.abs(curve.target_x - [t.x[0] for t in truths]).max() < 0.1
        assert np.abs(curve.target_y - [t.y[0] for t in truths]).max() < 0.1
        assert not curve.flags.any()
        assert curve.baseline[light == 1.0].mean() > 0.85
        assert not curve.baseline[light < 0.5].any()
        assert 0.7 < result.quality.chi2_reduced < 1.3

    def test_the_event_is_found_or_left_alone(
        self, result: ReductionResult, stack: Altered, tmp_path: Path
    ) -> None:
        assert result.event is not None
        assert result.event.status == "positive"
        plan = plan_of(LONG)
        plan = plan.model_copy(update={"event": plan.event.model_copy(update={"search": False})})
        assert reduced(tmp_path, stack, plan).event is None

    def test_stars_have_names_roles_and_weights(self, result: ReductionResult) -> None:
        names = [star.name for star in result.stars]
        assert len(set(names)) == len(names)
        assert [star.role for star in result.stars].count("target") == 1
        references = [star for star in result.stars if star.role == "reference"]
        assert [star.name for star in references] == [f"R{k + 1}" for k in range(len(references))]
        assert sum(star.weight for star in references) == pytest.approx(1.0)
        assert all(star.weight == 0 for star in result.stars if star.role != "reference")
        assert all(star.index == k for k, star in enumerate(result.stars))

    def test_summary_figures(self, result: ReductionResult) -> None:
        assert result.alignment.counts == dict.fromkeys(METHODS, 0) | {"correlation": 1, "tracking": 119}
        assert result.alignment.range_x_px == pytest.approx(4.0, abs=0.2)
        assert result.alignment.range_y_px == pytest.approx(3.0, abs=0.2)
        assert result.photometry.fwhm_px == pytest.approx(3.0, rel=0.05)
        assert result.photometry.saturation_adu == 65_535
        assert result.reference_image.shape == (120, 160)

    def test_hidden_for_most_of_the_recording(self, tmp_path: Path) -> None:
        scene = replace(
            LONG, occultations=(replace(SMALL.occultations[0], disappear_s=0.51, reappear_s=5.02),)
        )
        found = reduced(tmp_path, held(scene), plan_of(scene))
        light = scene.target_light(np.arange(120))
        assert np.median(found.lightcurve.flux_norm[light == 1.0]) == pytest.approx(1.0, abs=0.02)
        assert np.median(found.lightcurve.flux_norm[light < 0.2]) == pytest.approx(0.1, abs=0.02)


class TestIndependence:
    def test_blocks_and_segments(self, stack: Altered, result: ReductionResult, tmp_path: Path) -> None:
        whole = np.concatenate([np.load(path) for path in result.segments])
        blocks = reduced(tmp_path / "blocks", stack, plan_of(LONG), block=5)
        assert np.concatenate([np.load(path) for path in blocks.segments]).tobytes() == whole.tobytes()
        np.testing.assert_array_equal(blocks.lightcurve.ratio, result.lightcurve.ratio)
        short = reduced(tmp_path / "short", stack, plan_of(LONG, segment=17), block=5)
        assert len(short.segments) == 8
        alike(np.concatenate([np.load(path) for path in short.segments]), whole)

    def test_segments_do_not_matter_where_every_frame_is_correlated(
        self, stack: Altered, tmp_path: Path
    ) -> None:
        tables = []
        for length, block in ((1024, 64), (17, 5)):
            plan = plan_of(LONG, segment=length, follow=False)
            found = reduced(tmp_path / str(length), stack, plan, block=block)
            tables.append(np.concatenate([np.load(path) for path in found.segments]).tobytes())
        assert tables[0] == tables[1]

    def test_no_point_is_altered_by_its_neighbours(self, stack: Altered, tmp_path: Path) -> None:
        """A frame outside of the survey's sample shows only in its own row."""
        plan = plan_of(LONG, survey_frames=40, follow=False)
        sample = sample_frames(40, np.zeros(120, bool))
        outside = next(i for i in range(40, 100) if not {i - 1, i, i + 1} & set(sample.tolist()))
        pixels = stack.pixels.copy()
        pixels[outside] = np.roll(pixels[outside], (7, -9), (0, 1))
        tables = []
        for name, part in (("a", stack), ("b", Altered(stack.source, pixels))):
            found = reduced(tmp_path / name, part, plan)
            tables.append(np.load(found.segments[0]).reshape(120, -1))
        rest = np.delete(np.arange(120), outside)
        assert tables[0][rest].tobytes() == tables[1][rest].tobytes()
        assert tables[0][outside].tobytes() != tables[1][outside].tobytes()
        moved = tables[1]["x"][outside] - tables[0]["x"][outside]
        np.testing.assert_allclose(moved, -9.0, atol=0.01)

    def test_the_same_again(self, stack: Altered, result: ReductionResult, tmp_path: Path) -> None:
        again = reduced(tmp_path, stack, plan_of(LONG))
        assert again.provenance.key == result.provenance.key
        for name in ("target_flux", "ratio", "ratio_sigma", "target_x", "flags"):
            assert getattr(again.lightcurve, name).tobytes() == getattr(result.lightcurve, name).tobytes()


class TestProvenance:
    def test_the_key_is_of_plan_pixels_times_and_calibration(self, result: ReductionResult) -> None:
        p = result.provenance
        assert p.key == result_key(p.plan, p.pixel_digest, p.time_digest, {})
        keys = {
            p.key,
            result_key(plan_of(LONG, frame=1), p.pixel_digest, p.time_digest, {}),
            result_key(p.plan, "0", p.time_digest, {}),
            result_key(p.plan, p.pixel_digest, "0", {}),
            result_key(p.plan, p.pixel_digest, p.time_digest, {"dark": "0"}),
        }
        assert len(keys) == 5
        assert p.version == VERSION
        assert set(p.seconds) == {"scan", "survey", "measure", "lightcurve", "event"}
        assert p.device == this_machine().device

    def test_extras(self, result: ReductionResult) -> None:
        note = Note(Caveat.FEW_FRAMES, "x")
        more = with_seconds(with_notes(result, [note, note]), {"open": 1.0})
        assert [n for n in more.notes if n == note] == [note]
        assert more.provenance.seconds["open"] == 1.0
        assert more.provenance.key == result.provenance.key


class TestCaveats:
    def test_few_frames_and_no_times(self, tmp_path: Path) -> None:
        scene = replace(SMALL, frames=12, occultations=())

        class Untimed(Altered):
            @property
            def times(self) -> TimeSolution:
                return no_times(12)

        source = SceneSource(scene)
        found = reduced(tmp_path, Untimed(source, source.read(0, 12)), plan_of(scene))
        assert {Caveat.FEW_FRAMES, Caveat.TIMES_ABSENT} <= caveats(found)

    def test_repeats_lost_and_saturated_frames_are_counted(self, tmp_path: Path) -> None:
        scene = replace(LONG, repeated=(30, 31), full_well_e=900.0)
        changed = held(scene)
        changed.pixels[70] = 130
        found = reduced(tmp_path, changed, plan_of(scene))
        texts = {note.caveat: note.message for note in found.notes}
        assert texts[Caveat.FRAMES_REPEATED].startswith("2 frames")
        assert texts[Caveat.FRAMES_LOST].startswith("1 of 120")
        assert Caveat.FRAMES_SATURATED in texts
        assert found.alignment.lost_frames == 1
        assert (found.lightcurve.flags[[30, 31]] & Flag.REPEATED).all()
        assert not found.lightcurve.baseline[[30, 31, 70]].any()

    def test_the_target_drifts_off(self, tmp_path: Path) -> None:
        scene = replace(
            LONG,
            stars=(replace(SMALL.stars[0], x=12.0), *SMALL.stars[1:]),
            drift_px=(-18.0, 0.0),
            occultations=(),
        )
        found = reduced(tmp_path, held(scene), plan_of(scene))
        assert Caveat.OFF_FRAME in caveats(found)
        assert (found.lightcurve.flags[-5:] & Flag.OFF_FRAME).all()
        assert np.isnan(found.lightcurve.ratio[-5:]).all()

    def test_black_is_clipped(self, tmp_path: Path) -> None:
        scene = replace(SMALL, bit_depth=8, gain_e_per_adu=12.0, offset_adu=-9.0)
        assert Caveat.BLACK_CLIPPED in caveats(reduced(tmp_path, held(scene), plan_of(scene)))

    def test_a_sky_of_zeros(self, tmp_path: Path) -> None:
        """Black crushed so far that only the stars remain."""
        scene = replace(LONG, bit_depth=8, gain_e_per_adu=20.0, offset_adu=-30.0)
        assert np.median(scene.frame(0)) == 0
        found = reduced(tmp_path, held(scene), plan_of(scene))
        light = scene.target_light(np.arange(120))
        assert found.alignment.lost_frames == 0
        assert np.median(found.lightcurve.flux_norm[light < 0.2]) < 0.1
        assert Caveat.BLACK_CLIPPED in caveats(found)

    def test_infinite_pixels(self, tmp_path: Path) -> None:
        stack = held(LONG)
        stack.pixels = stack.pixels.astype(np.float32)
        stack.pixels[30, 61, 81] = np.inf
        stack.pixels[:, 5, 5] = -np.inf
        found = reduced(tmp_path, stack, plan_of(LONG))
        assert found.lightcurve.flags[30] & Flag.NOT_FINITE
        assert not np.delete(found.lightcurve.flags, 30).any()

    @pytest.mark.parametrize("scale", [1 / 65_535, 1e-6, 1e4])
    def test_units_do_not_matter(
        self, stack: Altered, result: ReductionResult, tmp_path: Path, scale: float
    ) -> None:
        class Scaled(Altered):
            @property
            def info(self) -> SourceInfo:
                return replace(super().info, dtype="float32", bit_depth=0)

        scaled = Scaled(stack.source, (stack.pixels * scale).astype(np.float32))
        found = reduced(tmp_path, scaled, plan_of(LONG))
        assert found.lightcurve.ratio == pytest.approx(result.lightcurve.ratio, abs=2e-3)
        assert found.lightcurve.ratio_sigma == pytest.approx(result.lightcurve.ratio_sigma, rel=0.05)

    def test_a_frame_too_small_for_a_sky(self, tmp_path: Path) -> None:
        scene = replace(
            LONG, height=12, width=12, stars=(replace(SMALL.stars[0], x=6.0, y=6.0),), drift_px=(0.0, 0.0)
        )
        with pytest.raises(DataError):
            reduced(tmp_path, held(scene), plan_of(scene))

    def test_scatter_beyond_the_model_rescales(self, tmp_path: Path) -> None:
        scene = replace(LONG, scintillation=0.08, occultations=())
        found = reduced(tmp_path, held(scene), plan_of(scene, gain_e_per_adu=1.0))
        assert Caveat.SIGMA_RESCALED in caveats(found)
        assert found.quality.sigma_scale > 2
        assert found.quality.chi2_reduced == pytest.approx(1.0, abs=0.02)
        assert np.median(found.lightcurve.flux_norm_sigma) == pytest.approx(0.085, rel=0.25)

    def test_no_frame_fits_another(self, tmp_path: Path) -> None:
        stack = held(replace(SMALL, frames=8, stars=(replace(SMALL.stars[0], flux_e=0.0),)))
        with pytest.raises(DataError):
            reduced(tmp_path, stack, ReductionPlan())


class TestCalibration:
    def test_dark_and_flat_take_the_camera_out(self, tmp_path: Path) -> None:
        scene = replace(
            LONG,
            vignetting=0.4,
            pixel_rms=0.03,
            hot_pixels=60,
            hot_e=4000.0,
            dark_e=40.0,
            drift_px=(20.0, -12.0),
        )

        def master(kind: Any) -> NDArray[np.float32]:
            frames = np.stack([scene.calibration_frame(kind, i) for i in range(40)])
            return np.asarray(frames.mean(axis=0), np.float32)

        dark = master("dark")
        flat = master("flat") - dark
        calibration = Calibration(dark, flat / flat.mean(), {"dark": "d", "flat": "f"})
        raw = reduced(tmp_path / "raw", held(scene), plan_of(scene, find_defects=False))
        clean = reduced(tmp_path / "clean", held(scene), plan_of(scene), calibration=calibration)
        light = scene.target_light(np.arange(120))
        off = [np.std((r.lightcurve.flux_norm - light)[light == 1.0]) for r in (raw, clean)]
        assert off[1] < 0.7 * off[0]
        assert 0.6 < clean.quality.chi2_reduced < 1.5
        assert clean.provenance.calibration == {"dark": "d", "flat": "f"}
        assert clean.provenance.key != raw.provenance.key


def test_progress_and_blocks(stack: Altered, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    reduced(tmp_path, stack, plan_of(LONG), progress=lambda *step: seen.append(step), block=50)
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == ["scan", "survey", "measure"]
    assert [done for stage, done, _ in seen if stage == "measure"] == [50, 100, 120]
    assert 1 <= default_block(stack) <= 256
    assert default_block(SceneSource(replace(LONG, height=20_000, width=20_000))) == 1
