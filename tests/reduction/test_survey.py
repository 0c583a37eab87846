"""Pass 1: stars, roles, noise, apertures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.plan import Position, Sky
from reduction.synthetic import SceneStar
from tests.recordings import SMALL
from tests.reduction.surveyed import Altered, held, plan_of, star_tables, survey_of

SCENE = replace(SMALL, frames=90, occultations=(), gain_e_per_adu=0.8)


@pytest.fixture(scope="module")
def stack() -> Altered:
    return held(SCENE)


def caveats(notes: Any) -> set[Caveat]:
    return {note.caveat for note in notes}


class TestStars:
    def test_are_those_of_the_scene(self, stack: Altered) -> None:
        found, _, _ = survey_of(stack, plan_of(SCENE, extract="aperture"))
        truth = SCENE.truth(0)
        assert found.named[0] == "target"
        for x, y, flux in zip(truth.x, truth.y, truth.flux_e, strict=True):
            distance = np.hypot(found.u - x, found.v - y)
            k = int(np.argmin(distance))
            assert distance[k] < 0.1
            assert found.flux[k] * 0.8 / flux == pytest.approx(
                float(np.interp(found.aperture.radius, found.radii, found.growth)), rel=0.05
            )
        assert found.fwhm == pytest.approx(3.0, rel=0.05)
        assert found.u.size <= 7

    def test_predicted_errors_are_the_scatter(self, stack: Altered, tmp_path: Path) -> None:
        found, view, _ = survey_of(stack, plan_of(SCENE))
        (path,) = star_tables(found, view, tmp_path)
        table = np.load(path).reshape(-1, found.u.size)
        for k in range(5):
            flux = table["flux"][:, k]
            assert flux.std() == pytest.approx(found.rms[k], rel=0.3)
            assert np.median(table["sigma"][:, k]) == pytest.approx(found.rms[k], rel=0.1)

    def test_gain_and_read_noise_of_the_recording(self, stack: Altered) -> None:
        noise = survey_of(stack, plan_of(SCENE))[0].noise
        assert noise.gain_source == "recording"
        assert noise.inv_gain == pytest.approx(1 / 0.8, abs=max(4 * noise.inv_gain_sigma, 0.1))
        assert noise.variance == pytest.approx(124.0 / 0.8**2 + 1 / 12, rel=0.05)

    def test_stated_gain_wins(self, stack: Altered) -> None:
        noise = survey_of(stack, plan_of(SCENE, gain_e_per_adu=0.8, read_noise_e=2.0))[0].noise
        assert (noise.inv_gain, noise.gain_source) == (1.25, "option")
        assert noise.read_noise_e == 2.0


class TestRoles:
    def test_the_target_is_neither_reference_nor_guide(self, stack: Altered) -> None:
        found, _, _ = survey_of(stack, plan_of(SCENE))
        assert not found.references[0]
        assert not found.guides[0]
        assert found.references[1:5].all()
        assert found.guides[1:5].sum() >= 3

    def test_saturated_stars_are_not_relied_on(self) -> None:
        stars = (*SCENE.stars[:1], replace(SCENE.stars[1], flux_e=900_000.0), *SCENE.stars[2:])
        scene = replace(SCENE, stars=stars, full_well_e=20_000.0, frames=40)
        found, _, _ = survey_of(held(scene), plan_of(scene))
        k = int(np.argmin(np.hypot(found.u - 40.2, found.v - 30.4)))
        assert found.saturated[k]
        assert not found.references[k]
        assert not found.guides[k]
        assert found.saturation == scene.saturation_adu

    def test_a_variable_star_is_no_reference(self) -> None:
        scene = replace(SCENE, stars=(*SCENE.stars, SceneStar(20.0, 100.0, 18_000.0)))
        stack = held(scene)
        dim = held(replace(scene, stars=(*SCENE.stars, SceneStar(20.0, 100.0, 9_000.0))))
        stack.pixels[45:] = dim.pixels[45:]
        found, _, _ = survey_of(stack, plan_of(scene))
        k = int(np.argmin(np.hypot(found.u - 20.0, found.v - 100.0)))
        assert not found.references[k]
        assert found.references.sum() >= 3

    @pytest.mark.parametrize("seed", [31, 32, 33])
    def test_hot_pixels_that_the_field_drifts_over_are_not_relied_on(self, seed: int) -> None:
        """In the mean of many frames their trails look like stars."""
        scene = replace(SCENE, hot_pixels=20, hot_e=5000.0, seed=seed)
        found, _, _ = survey_of(held(scene), plan_of(scene))
        truth = scene.truth(0)
        for k in np.flatnonzero(found.references | found.guides):
            assert np.hypot(truth.x - found.u[k], truth.y - found.v[k]).min() < 2.0
        assert found.references.sum() >= 3

    def test_stars_that_leave_the_frame_are_no_references(self) -> None:
        scene = replace(SCENE, stars=(*SCENE.stars, SceneStar(154.0, 60.0, 30_000.0)), drift_px=(8.0, 0.0))
        found, _, _ = survey_of(held(scene), plan_of(scene))
        distance = np.hypot(found.u - 154.0, found.v - 60.0)
        if distance.min() < 1.0:
            assert not found.references[int(np.argmin(distance))]

    def test_named_stars_have_their_roles(self, stack: Altered) -> None:
        plan = plan_of(
            SCENE, references=(Position(x=120, y=35),), guides=(Position(x=46, y=93), Position(x=121, y=35))
        )
        found, _, _ = survey_of(stack, plan)
        assert found.named[:3] == ("target", "reference", "guide")
        assert found.references.tolist()[:3] == [False, True, False]
        assert found.references.sum() == 1
        assert found.guides.tolist()[:3] == [False, True, True]
        assert found.guides.sum() == 2
        assert Caveat.ONE_REFERENCE in caveats(found.notes)

    def test_a_place_without_a_star_is_measured_as_given(self, stack: Altered) -> None:
        plan = plan_of(SCENE).model_copy(update={"target": Position(x=80.25, y=20.5)})
        found, _, _ = survey_of(stack, plan)
        assert (found.u[0], found.v[0]) == (80.25, 20.5)

    def test_one_star_alone(self) -> None:
        scene = replace(SCENE, stars=SCENE.stars[:1], frames=40)
        found, _, _ = survey_of(held(scene), plan_of(scene))
        assert found.guides.sum() == 1
        assert {Caveat.NO_REFERENCE, Caveat.ONE_GUIDE} <= caveats(found.notes)


class TestApertures:
    def test_the_radius_is_the_best_of_those_tried(self, stack: Altered) -> None:
        found, _, _ = survey_of(stack, plan_of(SCENE))
        assert (
            found.predicted[np.flatnonzero(found.radii == found.aperture.radius)[0]] == found.predicted.min()
        )
        assert 0.7 * 3.0 < found.aperture.radius < 1.6 * 3.0
        assert (np.diff(found.growth) >= 0).all()
        assert found.growth[-1] == 1.0
        assert found.sky[0] > found.radii[-1]

    def test_predictions_follow_what_is_seen(self, tmp_path: Path) -> None:
        """Three radii forced one after the other: their scatter goes as predicted."""
        scene = replace(SCENE, stars=(replace(SCENE.stars[0], flux_e=2500.0), *SCENE.stars[1:]), frames=300)
        stack = held(scene)
        free, _, _ = survey_of(stack, plan_of(scene))
        for radius in (1.5, 2.5, 5.5):
            found, view, _ = survey_of(stack, plan_of(scene, aperture_px=radius))
            (path,) = star_tables(found, view, tmp_path)
            flux = np.load(path).reshape(-1, found.u.size)["flux"]
            ratio = flux[:, 0] / flux[:, 1:5].sum(axis=1)
            predicted = float(np.interp(radius, free.radii, free.predicted))
            assert ratio.std() / ratio.mean() == pytest.approx(predicted, rel=0.2)

    def test_given_ones_are_used(self, stack: Altered) -> None:
        found, _, _ = survey_of(stack, plan_of(SCENE, aperture_px=4.25, sky_px=Sky(inner=9, outer=13.5)))
        assert (found.aperture.radius, found.sky) == (4.25, (9.0, 13.5))
        assert found.radii.tolist() == [4.25]


class TestRequests:
    def test_a_frame_that_is_not_there(self, stack: Altered) -> None:
        with pytest.raises(RequestError, match="frames 0 to 89"):
            survey_of(stack, plan_of(SCENE, frame=90))

    @pytest.mark.parametrize("place", [(-1.0, 5.0), (160.0, 5.0), (5.0, 119.8)])
    def test_a_place_off_the_frame(self, stack: Altered, place: tuple[float, float]) -> None:
        plan = plan_of(SCENE).model_copy(update={"target": Position(x=place[0], y=place[1])})
        with pytest.raises(RequestError, match="lies off the frame"):
            survey_of(stack, plan)

    def test_one_star_in_two_roles(self, stack: Altered) -> None:
        with pytest.raises(RequestError, match="same star as the target"):
            survey_of(stack, plan_of(SCENE, references=(Position(x=81, y=60),)))

    def test_positions_on_a_frame_that_cannot_be_placed(self) -> None:
        stack = held(replace(SCENE, frames=30))
        stack.pixels[0] = 130
        with pytest.raises(RequestError, match="cannot be matched"):
            survey_of(stack, plan_of(SCENE))
        assert survey_of(stack, plan_of(SCENE, frame=1))[0].grid_frame == 1


class TestNoise:
    def test_frames_of_nan_and_single_frames_do_not_disturb(self, stack: Altered) -> None:
        lifted = Altered(stack.source, stack.pixels.astype(np.float32))
        clean = survey_of(lifted, plan_of(SCENE))[0].noise
        lifted.pixels[[0, 7, 8, 40]] = np.nan
        noise = survey_of(lifted, plan_of(SCENE, frame=1))[0].noise
        assert noise.variance == pytest.approx(clean.variance, rel=0.03)
        assert noise.level == pytest.approx(clean.level, rel=0.01)

    def test_frames_of_another_field_do_not_count(self, stack: Altered) -> None:
        clean = survey_of(stack, plan_of(SCENE))[0].noise
        other = Altered(stack.source, stack.pixels.copy())
        rng = np.random.default_rng(1)
        for i in range(40, 80):
            other.pixels[i] = np.clip(rng.normal(3000, 50, (120, 160)), 0, 65_535)
        noise = survey_of(other, plan_of(SCENE))[0].noise
        assert noise.variance == pytest.approx(clean.variance, rel=0.05)

    def test_no_two_neighbouring_frames(self, stack: Altered) -> None:
        lifted = Altered(stack.source, stack.pixels.astype(np.float32))
        lifted.pixels[1::2] = np.nan
        found = survey_of(lifted, plan_of(SCENE))[0]
        assert np.isfinite(found.noise.variance)
        assert found.noise.level == pytest.approx(250.0, rel=0.02)
        assert np.isfinite(found.rms[:5]).all()

    def test_one_frame(self) -> None:
        scene = replace(SCENE, frames=1)
        found = survey_of(held(scene), plan_of(scene))[0]
        assert found.noise.level == pytest.approx(250.0, rel=0.02)
        assert found.noise.gain_source in {"unknown", "sky level"}
