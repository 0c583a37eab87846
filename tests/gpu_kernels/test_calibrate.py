"""Development, luminance and raw peaks against loops over pixels."""

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from gpu_kernels.calibrate import Development, develop, largest_sample, luminance, measurable, scale_of
from tests.gpu_kernels.homes import Home, in_homes


def frames_of(dtype: DTypeLike, shape: tuple[int, ...], seed: int = 1) -> NDArray[Any]:
    return (np.random.default_rng(seed).random(shape) * 250).astype(dtype)


def masters_of(shape: tuple[int, ...], seed: int = 2) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    flat = rng.uniform(0.5, 1.5, shape).astype(np.float32)
    flat[rng.random(shape) < 0.02] = 0.0
    return {
        "offset": rng.uniform(0, 300, shape).astype(np.float32),  # above the frames too: results go negative
        "scale": scale_of(flat),
        "defect": rng.random(shape) < 0.2,
    }


def response_of(dtype: str) -> NDArray[np.float32]:
    levels = np.arange(2 ** (8 * np.dtype(dtype).itemsize))
    return (levels.size * (levels / levels.size) ** 2.2).astype(np.float32)


def twin(
    frames: NDArray[Any], response: NDArray[np.float32] | None = None, step: int = 1, **masters: Any
) -> Any:
    """`develop`, one pixel at a time."""
    out = np.empty(frames.shape, np.float32)
    for index in np.ndindex(frames.shape):
        value = np.float32(frames[index]) if response is None else response[frames[index]]
        if "offset" in masters:
            value = value - masters["offset"][index[1:]]
        if "scale" in masters:
            value = value * masters["scale"][index[1:]]
        out[index] = value
    if "defect" not in masters:
        return out
    defect, made = masters["defect"], out.copy()
    for index in np.ndindex(frames.shape):
        if not defect[index[1:]]:
            continue
        total, count = np.float32(0), np.float32(0)
        for dy in (-step, 0, step):
            for dx in (-step, 0, step):
                *plane, y, x = index[1:]
                y, x = y + dy, x + dx
                if 0 <= y < frames.shape[-2] and 0 <= x < frames.shape[-1] and not defect[(*plane, y, x)]:
                    near = made[(index[0], *plane, y, x)]
                    if np.isfinite(near):
                        total, count = np.float32(total + near), count + np.float32(1)
        out[index] = total / count if count else np.nan
    return out


class TestDevelop:
    @in_homes(develop)
    @pytest.mark.parametrize("step", [1, 2])
    @pytest.mark.parametrize("shape", [(2, 9, 11), (2, 3, 7, 8), (1, 1, 6), (3, 6, 1)])
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_bit_by_bit(self, home: Home, dtype: str, shape: tuple[int, ...], step: int) -> None:
        frames, masters = frames_of(dtype, shape), masters_of(shape[1:])
        before = frames.copy()
        response = None if dtype == "float32" else response_of(dtype)
        chosen = [("offset",), ("scale",), ("defect",), ("offset", "scale"), ("offset", "scale", "defect")]
        for names in chosen:
            some: dict[str, Any] = {name: masters[name] for name in names}
            for curve in (None, response):
                given: dict[str, Any] = some if curve is None else {**some, "response": curve}
                found = home.run(develop, frames, Development(**given, step=step))
                assert found.dtype == np.float32
                np.testing.assert_array_equal(found, twin(frames, curve, step, **some))
        np.testing.assert_array_equal(frames, before)

    @pytest.mark.parametrize("dtype", ["int8", "int16", "int32", ">u2", "float64"])
    def test_other_types_become_single(self, dtype: str) -> None:
        frames, masters = frames_of(dtype, (2, 5, 6)), masters_of((5, 6))
        found = develop(frames, Development(**masters))
        np.testing.assert_array_equal(found, twin(frames.astype(np.float32), **masters))

    def test_a_response_of_foreign_byte_order(self) -> None:
        frames, curve = frames_of("uint16", (2, 5, 6)), response_of("uint16")
        found = develop(frames.astype(">u2"), Development(response=curve))
        np.testing.assert_array_equal(found, curve[frames])

    def test_frames_do_not_depend_on_each_other(self) -> None:
        frames, masters = frames_of("uint16", (5, 9, 11)), masters_of((9, 11))
        whole = develop(frames, Development(**masters))
        for k in range(5):
            np.testing.assert_array_equal(develop(frames[k : k + 1], Development(**masters))[0], whole[k])
        assert develop(frames[:0], Development(**masters)).shape == (0, 9, 11)

    def test_views_and_read_only_arrays(self) -> None:
        frames = frames_of("uint16", (3, 18, 11))[:, ::2]
        masters = masters_of((9, 11))
        for array in (frames, *masters.values()):
            array.flags.writeable = False
        np.testing.assert_array_equal(develop(frames, Development(**masters)), twin(frames, **masters))

    def test_nothing_to_do_costs_nothing(self) -> None:
        frames = frames_of("uint8", (2, 4, 4))
        assert develop(frames, Development()) is frames
        assert develop(frames, Development(defect=np.zeros((4, 4), np.bool_))) is frames

    def test_a_defect_among_defects_is_no_number(self) -> None:
        frames, defect = frames_of("uint8", (1, 5, 5)), np.zeros((5, 5), np.bool_)
        defect[1:4, 1:4] = True
        found = develop(frames, Development(defect=defect))
        assert np.isnan(found[0, 2, 2])
        assert np.isfinite(np.delete(found.ravel(), 12)).all()

    def test_pixels_that_are_no_numbers_do_not_spread(self) -> None:
        frames, defect = frames_of("float32", (1, 5, 5)), np.zeros((5, 5), np.bool_)
        frames[0, 1, 1], frames[0, 1, 2] = np.nan, np.inf
        defect[2, 2] = True
        near = [float(frames[0, y, x]) for y, x in ((1, 3), (2, 1), (2, 3), (3, 1), (3, 2), (3, 3))]
        assert develop(frames, Development(defect=defect))[0, 2, 2] == pytest.approx(np.mean(near))

    def test_survives_pickling(self) -> None:
        development = Development(**masters_of((5, 6)))
        frames = frames_of("uint8", (2, 5, 6))
        loaded = pickle.loads(pickle.dumps(development))
        np.testing.assert_array_equal(develop(frames, loaded), develop(frames, development))

    @in_homes(scale_of)
    @pytest.mark.parametrize("dead", [0.0, -0.5, np.nan])
    def test_a_dead_pixel_of_the_flat_is_no_number(self, home: Home, dead: float) -> None:
        flat = np.full((4, 4), 2.0, np.float32)
        flat[1, 2] = dead
        scale = home.run(scale_of, flat)
        assert scale.dtype == np.float32
        assert np.isnan(scale[1, 2])
        assert (np.delete(scale.ravel(), 6) == 0.5).all()

    def test_what_does_not_fit_is_refused(self) -> None:
        frames = frames_of("uint8", (1, 4, 5))
        for name in ("offset", "scale"):
            wrong: dict[str, Any] = {name: np.ones((5, 4), np.float32)}
            with pytest.raises(ValueError, match=rf"{name} of shape \(5, 4\)"):
                develop(frames, Development(**wrong))
        with pytest.raises(ValueError, match=r"response of 65536 levels for uint8 samples, which have 256"):
            develop(frames, Development(response=response_of("uint16")))
        with pytest.raises(ValueError, match=r"response of 256 levels for float32 samples, which have 0"):
            develop(frames.astype(np.float32), Development(response=response_of("uint8")))


class TestLuminance:
    def test_mono_is_itself(self) -> None:
        frames = frames_of("uint8", (2, 4, 4))
        assert luminance(frames, "mono") is frames
        assert largest_sample(frames, "mono") is frames

    @in_homes(luminance, largest_sample)
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_planes_are_summed(self, home: Home, dtype: DTypeLike) -> None:
        frames = frames_of(dtype, (2, 3, 5, 6))
        twin, top = np.zeros((2, 5, 6)), np.zeros((2, 5, 6))
        for n, y, x in np.ndindex(2, 5, 6):
            samples = [float(frames[n, c, y, x]) for c in range(3)]
            twin[n, y, x], top[n, y, x] = sum(samples), max(samples)
        np.testing.assert_allclose(home.run(luminance, frames, "rgb"), twin, rtol=1e-6)
        np.testing.assert_array_equal(home.run(largest_sample, frames, "rgb"), top)

    @in_homes(luminance, largest_sample)
    @pytest.mark.parametrize("shape", [(4, 6), (5, 6), (4, 7), (5, 7)])
    def test_cells_are_summed_and_odd_edges_left_out(self, home: Home, shape: tuple[int, int]) -> None:
        frames = frames_of("uint16", (2, *shape))
        height, width = shape[0] // 2, shape[1] // 2
        twin, top = np.zeros((2, height, width)), np.zeros((2, height, width))
        for n, y, x in np.ndindex(2, height, width):
            cell = [float(frames[n, 2 * y + j, 2 * x + i]) for j in (0, 1) for i in (0, 1)]
            twin[n, y, x], top[n, y, x] = sum(cell), max(cell)
        np.testing.assert_array_equal(home.run(luminance, frames, "mosaic"), twin)
        np.testing.assert_array_equal(home.run(largest_sample, frames, "mosaic"), top)

    def test_full_scale_is_exact(self) -> None:
        assert (luminance(np.full((1, 2, 2), 65_535, np.uint16), "mosaic") == 4 * 65_535).all()
        assert (luminance(np.full((1, 3, 2, 2), 65_535, np.uint16), "rgb") == 3 * 65_535).all()


class TestMeasurable:
    @in_homes(measurable)
    @pytest.mark.parametrize(
        ("given", "made"),
        [
            *((kind, kind) for kind in ("uint8", "uint16", "float32", "float64")),
            *((kind, "float32") for kind in ("int8", "int16")),
            *((kind, "float64") for kind in ("int32", "uint32")),
        ],
    )
    def test_values_are_kept(self, home: Home, given: str, made: str) -> None:
        images = frames_of("float64", (2, 5, 6)).astype(given)
        found = home.run(measurable, images)
        assert found.dtype == np.dtype(made)
        np.testing.assert_array_equal(found, images.astype(np.float64))

    def test_foreign_byte_order(self) -> None:
        images = frames_of("uint16", (2, 5, 6))
        assert measurable(images.astype(">u2")).dtype == np.uint16
        np.testing.assert_array_equal(measurable(images.astype(">u2")), images)
