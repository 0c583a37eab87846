"""Colour planes, even luminance and whole frames of fields against loops over pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.planes import even_luminance, mosaic_planes, repeated_rows, whole_frames


def frames_of(shape: tuple[int, ...], dtype: str = "uint16") -> NDArray[np.generic]:
    return np.random.default_rng(7).integers(0, 250, shape).astype(dtype)


class TestMosaicPlanes:
    @pytest.mark.parametrize("shape", [(3, 6, 8), (2, 7, 9), (1, 2, 2)])
    def test_twin(self, shape: tuple[int, int, int]) -> None:
        frames = frames_of(shape)
        places = ((0, 1), (1, 0), (1, 1))
        found = mosaic_planes(frames, places)
        assert found.shape == (3, shape[0], shape[1] // 2, shape[2] // 2)
        assert found.dtype == frames.dtype
        for k, (py, px) in enumerate(places):
            for n, i, j in np.ndindex(found.shape[1:]):
                assert found[k, n, i, j] == frames[n, 2 * i + py, 2 * j + px]
            assert found[k].flags.c_contiguous


class TestEvenLuminance:
    @pytest.mark.parametrize("shape", [(2, 6, 8), (1, 7, 5), (1, 2, 2)])
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_twin(self, shape: tuple[int, int, int], dtype: str) -> None:
        frames = frames_of(shape, dtype)
        mirrored = np.pad(frames.astype(float), ((0, 0), (1, 1), (1, 1)), mode="reflect")
        twin = np.zeros(shape)
        for dy, wy in enumerate((0.25, 0.5, 0.25)):
            for dx, wx in enumerate((0.25, 0.5, 0.25)):
                twin += wy * wx * mirrored[:, dy : dy + shape[1], dx : dx + shape[2]]
        found = even_luminance(frames)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, twin, rtol=1e-6)

    def test_is_the_mean_of_the_cells_around(self) -> None:
        frames = frames_of((1, 5, 5)).astype(float)
        cells = [frames[0, i : i + 2, j : j + 2].mean() for i in (1, 2) for j in (1, 2)]
        assert even_luminance(frames)[0, 2, 2] == pytest.approx(np.mean(cells))

    def test_sky_of_any_colour_is_even(self) -> None:
        sky = np.tile(np.array([[900.0, 300.0], [310.0, 40.0]]), (4, 5))[None, :7, :9]
        np.testing.assert_allclose(even_luminance(sky), 387.5)

    @pytest.mark.parametrize("place", [(4, 4), (4, 5), (5, 4), (5, 5)])
    def test_light_of_any_colour_stays_where_it_is(self, place: tuple[int, int]) -> None:
        frame = np.zeros((1, 10, 10))
        frame[0, place[0], place[1]] = 160.0
        found = even_luminance(frame)[0]
        y, x = np.mgrid[:10, :10]
        assert found.sum() == pytest.approx(160.0)
        assert ((found * y).sum() / 160, (found * x).sum() / 160) == pytest.approx(place)


class TestFields:
    @pytest.mark.parametrize("first", [0, 1])
    @pytest.mark.parametrize("shape", [(2, 6, 4), (1, 7, 3), (1, 2, 2), (1, 3, 1)])
    def test_twin(self, shape: tuple[int, int, int], first: int) -> None:
        frames = frames_of(shape)
        whole, rows = whole_frames(frames, first), repeated_rows(frames, first)
        assert whole.shape == rows.shape == (2 * shape[0], *shape[1:])
        assert rows.dtype == frames.dtype
        for n in range(shape[0]):
            for second in (0, 1):
                row = (first + second) % 2
                for j in range(shape[1]):
                    value = frames[n].astype(float)
                    if j % 2 == row:
                        expected = value[j]
                        assert (rows[2 * n + second, j] == value[j]).all()
                    else:
                        around = [value[k] for k in (j - 1, j + 1) if 0 <= k < shape[1]]
                        expected = np.mean(around, axis=0)
                        above = j - 1 if j > 0 else j + 1
                        assert (rows[2 * n + second, j] == value[above]).all()
                    np.testing.assert_allclose(whole[2 * n + second, j], expected)

    def test_a_slope_stays_a_slope(self) -> None:
        """Half a line's offset between the fields is none on the frame."""
        slope = np.repeat(np.arange(9.0)[:, None], 4, axis=1)[None]
        whole = whole_frames(slope, 1)
        np.testing.assert_allclose(whole[0, 1:-1], slope[0, 1:-1])
        np.testing.assert_allclose(whole[1, 1:-1], slope[0, 1:-1])
