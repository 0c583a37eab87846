"""The first reading: digests, levels, repeats, saturation."""

import hashlib

import numpy as np
import pytest
from blake3 import blake3
from numpy.typing import NDArray

from reduction.scan import scan
from reduction.stack import frame_digest
from tests.reduction.test_view import Held


def noise(shape: tuple[int, ...], dtype: str = "uint16") -> NDArray[np.generic]:
    return np.random.default_rng(3).integers(0, 200, shape).astype(dtype)


class TestScan:
    @pytest.mark.parametrize("block", [1, 3, 64])
    def test_blocks_do_not_matter(self, block: int) -> None:
        stack = Held(noise((10, 6, 8)))
        first, other = scan(stack, 10), scan(stack, block)
        assert first.digest == other.digest
        np.testing.assert_array_equal(first.highest, other.highest)
        np.testing.assert_array_equal(first.lowest, other.lowest)

    def test_the_digest_is_of_shape_type_and_pixels(self) -> None:
        pixels = noise((4, 6, 8))
        leaves = b"".join(blake3(frame.astype("<u2").tobytes()).digest() for frame in pixels)
        expected = hashlib.sha256(b"umbra-pixels-2 uint16 4x6x8\n" + leaves).hexdigest()
        assert scan(Held(pixels), 3).digest == expected
        others = [pixels.astype("uint32"), pixels.reshape(4, 8, 6), pixels[::-1]]
        assert len({scan(Held(p), 3).digest for p in others} | {expected}) == 4

    def test_byte_order_in_memory_does_not_matter(self) -> None:
        pixels = noise((2, 6, 8))
        assert frame_digest(pixels[0].astype(">u2")) == frame_digest(pixels[0].astype("<u2"))

    def test_repeats(self) -> None:
        pixels = noise((8, 6, 8))
        pixels[3] = pixels[2]
        pixels[4] = pixels[2]
        pixels[7] = pixels[5]
        seen = scan(Held(pixels), 2)
        assert np.flatnonzero(seen.repeated).tolist() == [3, 4]

    def test_levels_of_floats_leave_out_what_is_no_number(self) -> None:
        pixels = noise((3, 6, 8), "float32")
        pixels[0, 0, 0], pixels[0, 1, 1] = np.nan, np.inf
        pixels[1] = np.nan
        seen = scan(Held(pixels), 2)
        assert seen.not_finite.tolist() == [2, 48, 0]
        assert np.isnan(seen.highest[1])
        assert seen.highest[0] < 200
        assert seen.lowest[2] == pixels[2].min()

    def test_digests_beside_the_pixels_are_used(self) -> None:
        pixels = noise((3, 6, 8))
        leaves = np.zeros((3, 32), np.uint8)

        class Stored(Held):
            @property
            def known_digests(self) -> NDArray[np.uint8] | None:
                return leaves

        seen = scan(Stored(pixels), 2)
        assert seen.digest != scan(Held(pixels), 2).digest
        assert seen.repeated.tolist() == [False, True, True]

    def test_progress(self) -> None:
        seen: list[tuple[str, int, int]] = []
        scan(Held(noise((5, 6, 8))), 2, lambda *step: seen.append(step))
        assert seen == [("scan", 2, 5), ("scan", 4, 5), ("scan", 5, 5)]
