"""A stack as it is measured: geometry, calibration, luminance."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.calibrate import develop
from reduction.errors import RequestError
from reduction.stack import Colour, SourceInfo
from reduction.timing import TimeSolution, no_times
from reduction.view import Calibration, Recipe, View


@dataclass(frozen=True, eq=False)
class Held:
    """A stack held in memory."""

    pixels: NDArray[np.generic]
    colour: Colour = "mono"
    shard_size: int = 8

    @property
    def info(self) -> SourceInfo:
        return SourceInfo("held", "held", self.pixels.shape, self.pixels.dtype.name, colour=self.colour)

    @property
    def times(self) -> TimeSolution:
        return no_times(len(self.pixels))

    @property
    def known_digests(self) -> NDArray[np.uint8] | None:
        return None

    def read(self, start: int, stop: int) -> NDArray[np.generic]:
        return self.pixels[start:stop]

    def close(self) -> None:
        pass


def pixels(shape: tuple[int, ...]) -> NDArray[np.uint16]:
    return np.random.default_rng(1).integers(0, 4000, shape).astype(np.uint16)


class TestGeometry:
    def test_mono_is_the_frame(self) -> None:
        view = View(Held(pixels((2, 6, 8))))
        assert (view.geometry.height, view.geometry.width, view.geometry.scale) == (6, 8, 1.0)
        assert view.direct
        assert view.images(0, 2).values is not None
        np.testing.assert_array_equal(view.images(1, 2).values, view.stack.read(1, 2))

    @pytest.mark.parametrize("colour", ["rggb", "cyym"])
    def test_a_mosaic_keeps_the_frame(self, colour: Colour) -> None:
        view = View(Held(pixels((1, 7, 9)), colour))
        assert (view.geometry.height, view.geometry.width) == (7, 9)
        for value in (-0.5, 0.0, 3.7):
            assert view.geometry.to_image(value) == view.geometry.to_full(value) == value
        images = view.images(0, 1)
        assert images.values.shape == (1, 7, 9)
        assert images.planes is not None
        assert images.planes.shape == (4, 1, 3, 4)

    def test_a_star_on_a_mosaic_lies_where_its_light_is(self) -> None:
        y, x = np.mgrid[:40, :50]
        frame = 4000 * np.exp(-0.5 * ((x - 21.3) ** 2 + (y - 14.8) ** 2) / 3.0**2)
        view = View(Held(np.rint(frame).astype(np.uint16)[None], "rggb"))
        image = view.images(0, 1).values[0].astype(float)
        v, u = np.mgrid[: image.shape[0], : image.shape[1]]
        found = [view.geometry.to_full(float((image * z).sum() / image.sum())) for z in (u, v)]
        assert found == pytest.approx([21.3, 14.8], abs=0.02)

    def test_planes(self) -> None:
        view = View(Held(pixels((2, 3, 6, 8)), "rgb"))
        images = view.images(0, 2)
        assert not view.direct
        np.testing.assert_array_equal(images.values, view.stack.read(0, 2).astype(float).sum(axis=1))
        np.testing.assert_array_equal(images.raw_peak, view.stack.read(0, 2).max(axis=1))


class TestCalibration:
    def test_is_applied_as_recorded(self) -> None:
        raw = pixels((2, 6, 8))
        offset, flat = np.full((6, 8), 100.0, np.float32), np.full((6, 8), 0.5, np.float32)
        view = View(Held(raw, "rggb"), Recipe(Calibration(offset, flat)))
        expected = ((raw.astype(float) - 100) / 0.5).reshape(2, 3, 2, 4, 2)
        images = view.images(0, 2)
        assert images.planes is not None
        np.testing.assert_allclose(images.planes[3], expected[:, :, 1, :, 1], rtol=1e-6)
        np.testing.assert_allclose(images.values.sum(), expected.sum(), rtol=0.2)
        assert images.raw_peak.max() == raw.max()  # saturation is judged on what was recorded
        assert not View(Held(raw), Recipe(Calibration(offset))).direct

    def test_development_is_what_makes_the_images(self) -> None:
        raw = pixels((3, 6, 8))
        offset, flat = np.full((6, 8), 100.0, np.float32), np.full((6, 8), 0.3, np.float32)
        defect = np.zeros((6, 8), np.bool_)
        defect[2, 3] = True
        response = np.sqrt(np.arange(65_536)).astype(np.float32)
        view = View(Held(raw), Recipe(Calibration(offset, flat), response, defect))
        assert view.development is not None
        np.testing.assert_array_equal(view.raw(1, 3), raw[1:3])
        images = view.images(1, 3)
        np.testing.assert_array_equal(images.values, develop(view.raw(1, 3), view.development))
        expected = (response[raw[1:3]] - offset) * (np.float32(1) / flat)
        good = ~defect
        np.testing.assert_array_equal(images.values[:, good], expected[:, good])
        np.testing.assert_array_equal(images.raw_peak, raw[1:3])
        assert view.dtype == "float32"

    def test_development_of_colours_is_more_than_pointwise(self) -> None:
        assert View(Held(pixels((2, 6, 8)), "rggb")).development is None
        assert View(Held(pixels((2, 3, 6, 8)), "rgb")).development is None

    def test_as_recorded_is_not_copied(self) -> None:
        view = View(Held(pixels((2, 6, 8))))
        assert view.development is not None
        assert not view.development.active
        assert np.shares_memory(view.images(0, 2).values, view.raw(0, 2))

    def test_a_defect_of_a_mosaic_takes_neighbours_of_its_colour(self) -> None:
        raw = np.zeros((1, 8, 8), np.uint16)
        raw[:, ::2, ::2] = 1000  # red
        defect = np.zeros((8, 8), np.bool_)
        defect[4, 4] = True
        images = View(Held(raw, "rggb"), Recipe(defect=defect)).images(0, 1)
        assert (images.values == 250.0).all()
        assert images.planes is not None
        assert (images.planes[0] == 1000.0).all()

    def test_fields_are_samples(self) -> None:
        raw = pixels((5, 6, 8))
        offset = np.full((6, 8), 100.0, np.float32)
        view = View(Held(raw), Recipe(Calibration(offset), fields="bottom"))
        assert (view.frames, view.direct, view.development) == (10, False, None)
        every = view.images(0, 10)
        for start, stop in ((0, 1), (1, 2), (3, 8), (4, 6), (9, 10)):
            part = view.images(start, stop)
            np.testing.assert_array_equal(part.values, every.values[start:stop])
            np.testing.assert_array_equal(part.raw_peak, every.raw_peak[start:stop])
        np.testing.assert_array_equal(every.values[4, 1::2], raw[2, 1::2].astype(np.float32) - 100)
        np.testing.assert_array_equal(every.values[5, ::2], raw[2, ::2].astype(np.float32) - 100)
        assert view.raw(3, 6).shape == (2, 6, 8)
        kept = view.sampled(3, 6)
        np.testing.assert_array_equal(kept[1].values, every.values[4:5])
        assert view.sampled(4, 5)[0] is kept[1]
        recorded, kind = view.recorded(5)
        np.testing.assert_array_equal(recorded[::2], every.values[5, ::2])
        assert np.isnan(recorded[1::2]).all()
        assert (kind == 0).all()

    @pytest.mark.parametrize(("kind", "word"), [("offset", "bias/dark"), ("flat", "flat")])
    def test_of_another_geometry_is_refused(self, kind: str, word: str) -> None:
        master = np.ones((8, 6), np.float32)
        calibration = Calibration(**{kind: master})  # type: ignore[arg-type]  # one of two fields
        with pytest.raises(RequestError, match=rf"{word} frame is \(8, 6\)"):
            View(Held(pixels((2, 6, 8))), Recipe(calibration))

    def test_nothing_is_not_active(self) -> None:
        assert not Calibration().active
        assert Calibration(flat=np.ones((2, 2), np.float32)).active
