"""Samples of mosaics, colour planes and interlaced video: where, when, how much light, how much noise."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.errors import RequestError
from reduction.plan import Position, ReductionPlan
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.sampling import Channel, Fields, sampling_of
from reduction.scan import Scan
from reduction.stack import Colour, Digest, SourceInfo
from reduction.synthetic import Occultation, Scene, SceneSource, SceneStar, shift_bound_px
from reduction.timing import UNKNOWN_NS, Correction, TimeSolution, no_times

Floats = NDArray[np.float64]
COLOURED = (
    SceneStar(70.4, 60.2, 30_000.0, (1.0, 0.3, 0.05)),
    SceneStar(30.1, 30.6, 60_000.0, (0.1, 0.4, 1.0)),
    SceneStar(110.7, 35.3, 50_000.0, (0.6, 1.0, 0.6)),
    SceneStar(105.2, 90.9, 40_000.0, (1.0, 0.5, 0.2)),
    SceneStar(35.6, 95.4, 35_000.0, (0.15, 0.4, 1.0)),
)


def info(colour: Colour = "mono", shape: tuple[int, ...] = (4, 8, 10)) -> SourceInfo:
    return SourceInfo("held", "held", shape, "uint16", colour=colour)


def scene_of(**changes: Any) -> Scene:
    settings: dict[str, Any] = {
        "frames": 160, "height": 120, "width": 140, "seed": 4, "stars": COLOURED, "fwhm_px": 2.0,
        "sky_e": 60.0, "drift_px": (5.3, -4.1), "cadence_s": 0.04, "exposure_s": 0.04,
    }  # fmt: skip
    return Scene(**(settings | changes))


def reduced(scene: Scene, folder: Path, block: int | None = None, **plan: Any) -> ReductionResult:
    target = scene.target_star
    place = Position(x=round(target.x), y=round(target.y))
    folder.mkdir(exist_ok=True)
    settings = ReductionPlan(target=place, survey_frames=120, **plan)
    return reduce(settings, SceneSource(scene), folder, block=block)


def positions_of(scene: Scene, result: ReductionResult) -> tuple[Floats, Floats]:
    """True places of the target on every sample."""
    truths = [scene.truth(int(f), round(2 * (f % 1))) for f in result.lightcurve.frame]
    return np.array([t.x[scene.target] for t in truths]), np.array([t.y[scene.target] for t in truths])


def swing(values: Floats, *places: Floats) -> float:
    """Largest amplitude of the harmonics of a period of two pixels."""
    columns = [np.ones_like(values)]
    for z in places:
        columns += [np.cos(np.pi * z), np.sin(np.pi * z)]
    found, *_ = np.linalg.lstsq(np.stack(columns, 1), values, rcond=None)
    return float(max(np.hypot(a, b) for a, b in zip(found[1::2], found[2::2], strict=True)))


class TestChoice:
    @pytest.mark.parametrize(
        ("colour", "channel", "places"),
        [
            ("rggb", "R", ((0, 0),)),
            ("rggb", "G", ((0, 1), (1, 0))),
            ("grbg", "R", ((0, 1),)),
            ("gbrg", "B", ((0, 1),)),
            ("bggr", "R", ((1, 1),)),
            ("bggr", "L", ((0, 0), (0, 1), (1, 0), (1, 1))),
            ("cyym", "L", ((0, 0), (0, 1), (1, 0), (1, 1))),
        ],
    )
    def test_places(self, colour: Colour, channel: Channel, places: tuple[tuple[int, int], ...]) -> None:
        assert sampling_of(info(colour), channel).places == places

    @pytest.mark.parametrize(
        ("colour", "channel", "fields", "words"),
        [
            ("mono", "R", "off", "--channel R: the recording is mono"),
            ("cyym", "G", "off", "--channel G: the recording is a CYYM mosaic, which has no G pixels"),
            ("rggb", "L", "top", "--fields top: a RGGB mosaic has no fields"),
        ],
    )
    def test_what_there_is_not_is_refused(
        self, colour: Colour, channel: Channel, fields: Fields, words: str
    ) -> None:
        with pytest.raises(RequestError, match=words):
            sampling_of(info(colour), channel, fields)

    def test_a_channel_of_colour_planes(self) -> None:
        frames = np.random.default_rng(2).integers(0, 9, (2, 3, 4, 6)).astype(np.uint8)
        for channel, plane in (("R", 0), ("G", 1), ("B", 2)):
            sampling = sampling_of(info("rgb", (2, 3, 4, 6)), channel)  # type: ignore[arg-type]  # of a table
            images = sampling.images(frames, frames)
            np.testing.assert_array_equal(images.values, frames[:, plane])
            np.testing.assert_array_equal(images.raw_peak, frames[:, plane])
        whole = sampling_of(info("rgb", (2, 3, 4, 6))).images(frames, frames)
        np.testing.assert_array_equal(whole.values, frames.sum(axis=1))
        np.testing.assert_array_equal(whole.raw_peak, frames.max(axis=1))


class TestNumbers:
    def test_of_fields(self) -> None:
        sampling = sampling_of(info(), fields="bottom")
        np.testing.assert_array_equal(sampling.frame_numbers(3, 3), [1.5, 2.0, 2.5])
        np.testing.assert_array_equal(sampling.samples_of(np.array([1, 4])), [2, 3, 8, 9])
        assert [sampling.first_row(s) for s in (0, 1, 2)] == [1, 0, 1]
        assert [sampling_of(info(), fields="top").first_row(s) for s in (0, 1)] == [0, 1]

    def test_a_repeated_frame_repeats_both_fields(self) -> None:
        repeated = np.array([False, True, False])
        levels = np.arange(3.0)
        scan = Scan(Digest("0"), repeated, levels, levels, np.zeros(3, np.int64))
        samples = sampling_of(info(), fields="top").of_samples(scan)
        np.testing.assert_array_equal(samples.repeated, [False, False, True, True, False, False])
        np.testing.assert_array_equal(samples.rank, [0, 1, 1, 1, 2, 3])
        np.testing.assert_array_equal(samples.highest, [0, 0, 1, 1, 2, 2])
        assert sampling_of(info()).of_samples(scan) is scan


class TestTimes:
    def test_of_fields(self) -> None:
        mid = np.array([40, 80, UNKNOWN_NS, 160], np.int64)
        mid[mid > 0] *= 1_000_000
        ledger = (Correction("stamp meaning", "recorded stamp", "mid-exposure", 0.02, 0.0, "option"),)
        frames = TimeSolution(mid, np.full(4, 1e-3), np.full(4, 0.04), "start", "table", ledger)
        fields = sampling_of(info(), fields="top").times(frames)
        at = np.array([30, 50, 70, 90, 0, 0, 150, 170]) * 1_000_000
        at[4:6] = UNKNOWN_NS
        np.testing.assert_array_equal(fields.mid_ns, at)
        np.testing.assert_array_equal(fields.exposure_s, 0.02)
        assert fields.cadence_s() == pytest.approx(0.02)
        assert fields.ledger[:1] == ledger
        last = fields.ledger[1]
        assert (last.what, last.start, last.value_s) == ("field", "mid-exposure", -0.01)
        assert "whole frames; top field first" in last.source
        assert sampling_of(info()).times(frames) is frames

    def test_unknown(self) -> None:
        fields = sampling_of(info(), fields="bottom").times(no_times(4, 0.04))
        assert fields.mid_ns.size == 8
        assert not fields.known.any()
        assert fields.ledger == ()
        np.testing.assert_array_equal(fields.exposure_s, 0.02)


class TestMosaic:
    @pytest.fixture(scope="class")
    @classmethod
    def result(cls, tmp_path_factory: pytest.TempPathFactory) -> ReductionResult:
        return reduced(scene_of(colour="rggb"), tmp_path_factory.mktemp("mosaic"))

    def test_stars_of_different_colour(self, result: ReductionResult) -> None:
        scene = scene_of(colour="rggb")
        curve = result.lightcurve
        x, y = positions_of(scene, result)
        assert swing(curve.flux_norm, x, y) < 0.004
        assert 0.8 < result.quality.chi2_reduced < 1.2
        bound = float(np.median(shift_bound_px(scene, (1, 2, 3, 4), range(0, 160, 16))))
        worst = max(1.2 * bound, 0.05)
        assert np.sqrt(np.mean((curve.target_x - x) ** 2)) < worst
        assert np.sqrt(np.mean((curve.target_y - y) ** 2)) < worst
        assert result.photometry.fwhm_px == pytest.approx(2.0, abs=0.05)

    def test_fluxes_are_those_of_the_sensor(self, result: ReductionResult) -> None:
        growth = np.interp(
            result.photometry.aperture_px, result.photometry.radii_px, result.photometry.growth
        )
        red, green, blue = COLOURED[0].colour
        light = 30_000.0 * (red + 2 * green + blue) / 4.0
        assert np.mean(result.lightcurve.target_flux) / growth == pytest.approx(light, rel=0.02)

    @pytest.mark.parametrize("channel", ["R", "G", "B"])
    def test_channels(self, tmp_path: Path, channel: Channel) -> None:
        scene = scene_of(colour="grbg", frames=80)
        found = reduced(scene, tmp_path, channel=channel)
        growth = np.interp(found.photometry.aperture_px, found.photometry.radii_px, found.photometry.growth)
        share = {"R": 0.25, "G": 0.5, "B": 0.25}[channel]
        for star in found.stars:
            near = [s for s in COLOURED if np.hypot(s.x - star.x, s.y - star.y) < 1]
            if near:
                light = near[0].flux_e * share * near[0].colour["RGB".index(channel)]
                assert star.flux / growth == pytest.approx(light, rel=0.05, abs=60.0)
        assert 0.75 < found.quality.chi2_reduced < 1.3

    def test_blocks_change_nothing(self, tmp_path: Path) -> None:
        scene = scene_of(colour="rggb", frames=40)
        tables = []
        for block in (1, 7, 40):
            found = reduced(scene, tmp_path / str(block), block, segment=16)
            tables.append(np.concatenate([np.load(path) for path in found.segments]))
        assert tables[0].tobytes() == tables[1].tobytes() == tables[2].tobytes()


class TestFields:
    SCENE = scene_of(
        fields="bottom",
        fwhm_px=2.4,
        stars=tuple(SceneStar(s.x, s.y, s.flux_e) for s in COLOURED),
        occultations=(Occultation(2.42, 3.66, 0.8),),
    )

    @pytest.fixture(scope="class")
    @classmethod
    def result(cls, tmp_path_factory: pytest.TempPathFactory) -> ReductionResult:
        return reduced(cls.SCENE, tmp_path_factory.mktemp("fields"), fields="bottom")

    def test_samples_are_fields(self, result: ReductionResult) -> None:
        curve = result.lightcurve
        np.testing.assert_array_equal(curve.frame, np.arange(320) / 2)
        start = self.SCENE.start_ns + np.rint(np.arange(320) * 0.02e9).astype(np.int64)
        np.testing.assert_allclose(curve.mid_ns - start, 0.01e9, atol=2)
        np.testing.assert_allclose(curve.exposure_s, 0.02)
        assert sum(result.alignment.counts.values()) == 320
        table = np.concatenate([np.load(path) for path in result.segments])
        np.testing.assert_array_equal(np.unique(table["frame"]), np.arange(320) / 2)

    def test_light_and_noise(self, result: ReductionResult) -> None:
        curve = result.lightcurve
        x, y = positions_of(self.SCENE, result)
        frames = np.arange(160)
        light = np.stack([self.SCENE.target_light(frames, field) for field in (0, 1)], 1).ravel()
        out, dark = light == 1.0, light < 0.21
        assert swing(curve.flux_norm[out], x[out], y[out]) < 0.006
        assert np.mean(curve.flux_norm[out][::2]) == pytest.approx(
            np.mean(curve.flux_norm[out][1::2]), abs=0.006
        )
        assert np.mean(curve.flux_norm[dark]) == pytest.approx(0.2, abs=0.01)
        assert 0.8 < result.quality.chi2_reduced < 1.2
        growth = np.interp(
            result.photometry.aperture_px, result.photometry.radii_px, result.photometry.growth
        )
        assert np.mean(curve.target_flux[out]) / growth == pytest.approx(30_000.0, rel=0.02)

    def test_places(self, result: ReductionResult) -> None:
        x, y = positions_of(self.SCENE, result)
        bound = float(np.median(shift_bound_px(self.SCENE, (1, 2, 3, 4), range(0, 160, 16))))
        worst = max(1.2 * bound, 0.05)
        for found, true in ((result.lightcurve.target_x, x), (result.lightcurve.target_y, y)):
            assert np.sqrt(np.mean((found - true) ** 2)) < worst

    def test_blocks_change_nothing(self, tmp_path: Path) -> None:
        scene = scene_of(fields="top", frames=30)
        tables = []
        for block in (1, 7, 60):
            found = reduced(scene, tmp_path / str(block), block, segment=17, fields="top")
            tables.append(np.concatenate([np.load(path) for path in found.segments]))
        assert tables[0].tobytes() == tables[1].tobytes() == tables[2].tobytes()
