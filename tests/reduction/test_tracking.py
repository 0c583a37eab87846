"""Placing single frames against a field of guide stars."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.transforms import similarity
from reduction.drift import Expectation
from reduction.synthetic import Bump, Scene, SceneStar, combined_bound_px, position_bound_px
from reduction.tracking import CORRELATION, LOST, NOWHERE, Field, Placement, Tracker

SCENE = Scene(
    frames=60,
    height=240,
    width=320,
    seed=51,
    stars=(
        SceneStar(150.3, 110.7, 20_000.0),
        SceneStar(70.2, 60.4, 40_000.0),
        SceneStar(245.6, 75.1, 30_000.0),
        SceneStar(230.8, 180.3, 18_000.0),
        SceneStar(85.7, 175.9, 12_000.0),
        SceneStar(190.1, 45.3, 9_000.0),
        SceneStar(120.4, 150.8, 6_000.0),
    ),
    wind_px=1.5,
)
VARIANCE = SCENE.sky_e + SCENE.read_noise_e**2 + 1 / 12


def field_of(scene: Scene, stars: list[int] | None = None, rotate: bool = False) -> Field:
    """Truth of frame 0 as reference."""
    truth = scene.truth(0)
    use = list(range(len(scene.stars))) if stars is None else stars
    return Field(
        u=truth.x[use],
        v=truth.y[use],
        flux=truth.flux_e[use],
        all_u=truth.x,
        all_v=truth.y,
        all_flux=truth.flux_e,
        sigma=scene.fwhm_px / 2.3548,
        variance=VARIANCE,
        inv_gain=1.0,
        saturation=np.inf,
        shape=(scene.height, scene.width),
        rotate=rotate,
    )


def turned(degrees: float) -> Expectation:
    """Rotation expected, place unknown."""
    return Expectation(similarity(1.0, degrees, 0.0, 0.0, 0.0, 0.0))


def errors(
    scene: Scene, tracker: Tracker, frames: range | list[int], prior: bool = False
) -> NDArray[np.float64]:
    """Error of the middle of the guides on each frame, (frame, axis)."""
    out = []
    for i in frames:
        placed = tracker.place(scene.frame(i), turned(scene.truth(i).rotation_deg if prior else 0.0))
        assert placed.found, i
        truth = scene.truth(i)
        x, y = placed.transform.apply(scene.truth(0).x, scene.truth(0).y)
        out.append([np.mean(x - truth.x), np.mean(y - truth.y)])
    return np.array(out)


class TestShifts:
    def test_reach_the_bound_and_say_so(self) -> None:
        tracker = Tracker(field_of(SCENE))
        off = errors(SCENE, tracker, range(60))
        bound = combined_bound_px(position_bound_px(s.flux_e, 3.0, 120.0, 2.0, 1.0) for s in SCENE.stars)
        assert np.sqrt((off**2).mean()) <= 1.2 * bound
        stated = tracker.place(SCENE.frame(5)).sigma_px
        assert stated == pytest.approx(bound, rel=0.15)

    @pytest.mark.parametrize(
        "shift", [(30.0, 0.0), (-32.4, 24.3), (0.0, -45.7), (60.2, 40.6), (-70.9, -50.2)]
    )
    def test_knocks(self, shift: tuple[float, float]) -> None:
        scene = replace(SCENE, bumps=(Bump(1, *shift),))
        placed = Tracker(field_of(scene)).place(scene.frame(3))
        truth = scene.truth(3)
        assert placed.method == CORRELATION
        assert placed.transform.tx == pytest.approx(truth.dx, abs=0.1)
        assert placed.transform.ty == pytest.approx(truth.dy, abs=0.1)

    @pytest.mark.parametrize("kind", ["uint8", "float32", "nan column", "hot pixels", "gradient"])
    def test_pixels_of_every_kind(self, kind: str) -> None:
        image: NDArray[Any] = SCENE.frame(4)
        if kind == "uint8":
            image = np.clip(image.astype(np.int64) - 100, 0, 255).astype(np.uint8)
        elif kind == "hot pixels":
            hot = np.random.default_rng(1).integers(0, 240, (60, 2))
            image[hot[:, 0], hot[:, 1]] = 60_000
        else:
            image = image.astype(np.float32)
            if kind == "nan column":
                image[:, 160:163] = np.nan
            if kind == "gradient":
                image += np.linspace(0, 2000, 320, dtype=np.float32)[None, :]
        field = field_of(SCENE)
        if kind == "gradient":
            field = replace(field, variance=VARIANCE + 2.0)
        placed = Tracker(field).place(image)
        assert placed.transform.tx == pytest.approx(SCENE.truth(4).dx, abs=0.08)
        assert placed.transform.ty == pytest.approx(SCENE.truth(4).dy, abs=0.08)

    def test_a_guide_that_vanishes_is_left_out(self) -> None:
        field = field_of(SCENE)
        stars = list(SCENE.stars)
        for gone in ([1], [1, 2], [0, 1, 2]):
            dark = replace(
                SCENE, stars=tuple(replace(s, flux_e=0.0) if k in gone else s for k, s in enumerate(stars))
            )
            placed = Tracker(field).place(dark.frame(7))
            assert placed.found
            assert placed.stars <= 7 - len(gone)
            assert placed.transform.tx == pytest.approx(SCENE.truth(7).dx, abs=0.08)

    @pytest.mark.parametrize("gone", [0, 1, 2])
    def test_one_of_three_guides_gone(self, gone: int) -> None:
        three = replace(SCENE, stars=SCENE.stars[:3])
        dark = tuple(replace(s, flux_e=0.0) if k == gone else s for k, s in enumerate(three.stars))
        placed = Tracker(field_of(three)).place(replace(three, stars=dark).frame(7))
        assert placed.stars == 2
        assert placed.transform.tx == pytest.approx(SCENE.truth(7).dx, abs=0.08)

    def test_cloud_that_leaves_only_the_brightest(self) -> None:
        cloud = replace(SCENE, transparency=((0.0, 0.01), (1.0, 0.01)))
        tracker = Tracker(field_of(SCENE))
        placed = [tracker.place(cloud.frame(i)) for i in range(20)]
        assert sum(p.found for p in placed) >= 15
        assert min(p.stars for p in placed if p.found) < 4
        for i, p in enumerate(placed):
            if p.found:
                assert abs(p.transform.tx - cloud.truth(i).dx) < max(0.5, 5 * p.sigma_px)

    def test_the_brightest_guide_gone_and_a_brighter_star_beside(self) -> None:
        """A saturated star that is no guide must not be taken for the one that vanished."""
        bright = replace(
            SCENE, stars=(*SCENE.stars, SceneStar(280.4, 120.2, 900_000.0)), full_well_e=60_000.0
        )
        field = replace(field_of(bright, [0, 1, 2, 3, 4]), saturation=float(bright.saturation_adu))
        dark = replace(
            bright, stars=tuple(replace(s, flux_e=0.0) if k == 1 else s for k, s in enumerate(bright.stars))
        )
        for i in range(0, 30, 3):
            placed = Tracker(field).place(dark.frame(i))
            assert placed.found
            assert placed.stars >= 3
            assert placed.transform.tx == pytest.approx(dark.truth(i).dx, abs=0.08)


class TestRotation:
    def test_slow_rotation_with_a_prior(self) -> None:
        scene = replace(SCENE, rotation_deg=6.0)
        tracker = Tracker(field_of(scene, rotate=True))
        for i in (0, 10, 30, 59):
            truth = scene.truth(i)
            placed = tracker.place(scene.frame(i), turned(truth.rotation_deg - 0.2))
            assert placed.found
            assert placed.transform.rotation_deg == pytest.approx(truth.rotation_deg, abs=0.03)
            x, y = placed.transform.apply(scene.truth(0).x, scene.truth(0).y)
            assert np.hypot(x - truth.x, y - truth.y).max() < 0.1

    @pytest.mark.parametrize("degrees", [25.0, -60.0, 180.0])
    def test_any_rotation_as_a_last_resort(self, degrees: float) -> None:
        scene = replace(SCENE, rotation_deg=degrees, frames=2)
        tracker = Tracker(field_of(scene, rotate=True))
        placed = tracker.place(scene.frame(1))
        assert placed.found
        x, y = placed.transform.apply(scene.truth(0).x, scene.truth(0).y)
        truth = scene.truth(1)
        assert np.hypot(x - truth.x, y - truth.y).max() < 0.1
        assert tracker.place(scene.frame(1), last_resort=False).method in {CORRELATION, LOST}

    def test_the_target_far_from_the_guides_is_less_sure(self) -> None:
        field = field_of(SCENE, rotate=True)
        near = Tracker(replace(field, target=(150.0, 110.0))).place(SCENE.frame(3)).sigma_px
        far = Tracker(replace(field, target=(900.0, 800.0))).place(SCENE.frame(3)).sigma_px
        assert far > 2 * near


class TestLost:
    def test_another_field(self) -> None:
        other = replace(SCENE, stars=tuple(SceneStar(s.y * 1.2, s.x * 0.7, s.flux_e) for s in SCENE.stars))
        assert Tracker(field_of(SCENE)).place(other.frame(3)) == NOWHERE

    @pytest.mark.parametrize("kind", ["cloud", "zero", "nan", "saturated"])
    def test_nothing_to_be_seen(self, kind: str) -> None:
        empty = replace(SCENE, stars=(replace(SCENE.stars[0], flux_e=0.0),))
        image = empty.frame(3).astype(np.float32)
        if kind != "cloud":
            image[:] = {"zero": 0.0, "nan": np.nan, "saturated": 65_535.0}[kind]
        assert not Tracker(field_of(SCENE)).place(image).found

    def test_noise_is_hardly_ever_taken_for_the_field(self) -> None:
        empty = replace(SCENE, stars=(replace(SCENE.stars[0], flux_e=0.0),))
        tracker = Tracker(field_of(SCENE))
        assert sum(tracker.place(empty.frame(i), last_resort=False).found for i in range(40)) == 0

    def test_a_field_without_stars(self) -> None:
        assert Tracker(field_of(SCENE, [])).place(SCENE.frame(0)) is NOWHERE

    def test_one_guide(self) -> None:
        alone = replace(SCENE, stars=SCENE.stars[1:2])
        tracker = Tracker(field_of(alone))
        placed = tracker.place(alone.frame(5))
        assert (placed.method, placed.stars) == (CORRELATION, 1)
        assert placed.transform.tx == pytest.approx(alone.truth(5).dx, abs=0.1)
        faint = replace(alone, stars=(replace(alone.stars[0], flux_e=0.0),))
        assert sum(tracker.place(faint.frame(i)).found for i in range(20)) <= 1


def test_frames_know_nothing_of_each_other() -> None:
    field = field_of(SCENE, rotate=True)
    alone: list[Placement] = [Tracker(field).place(SCENE.frame(i)) for i in range(6)]
    tracker = Tracker(field)
    backwards = [tracker.place(SCENE.frame(i)) for i in reversed(range(6))]
    assert backwards[::-1] == alone
