"""Saturation and luma range from recorded levels: stars that clip at any level, and stars that do not."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.levels import LumaRange, joined, luma_range, sampled_luma, saturation_level, top_samples
from reduction.stack import SourceInfo
from tests.reduction.test_view import Held

Floats = NDArray[np.float64]


def sky_with_stars(
    peaks: tuple[float, ...], frames: int = 12, sky: float = 30.0, noise: float = 2.0, fwhm: float = 3.5
) -> Floats:
    """Frames of drifting Gaussian stars with photon noise, before anything clips them."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:90, :120]
    out = sky + noise * rng.standard_normal((frames, 90, 120))
    for number in range(frames):
        for k, peak in enumerate(peaks):
            at = (20.0 + 25.0 * k + 0.37 * number, 30.0 + 17.0 * (k % 3) + 0.21 * number)
            light = peak * np.exp(-4 * np.log(2) * ((x - at[0]) ** 2 + (y - at[1]) ** 2) / fwhm**2)
            out[number] += light + np.sqrt(light * noise) * rng.standard_normal(light.shape)
    return out


def recorded(values: Floats, dtype: str, clip: float, step: int = 1) -> NDArray[Any]:
    return (np.rint(np.clip(values, 0, clip) / step) * step).astype(dtype)


def level_of(frames: NDArray[Any], bit_depth: int = 0, spread: int = 0) -> tuple[float, str]:
    return saturation_level(top_samples(frames), float(frames.max()), bit_depth, frames.dtype, spread)


BRIGHT = (3.0, 1.6, 0.6)
"""Peaks over the level at which they clip: two saturated stars and one that is not."""


class TestSaturation:
    @pytest.mark.parametrize(
        ("dtype", "clip", "step"),
        [
            ("uint8", 235, 1),
            ("uint8", 254, 1),
            ("uint8", 200, 1),
            ("uint16", 1023, 1),
            ("uint16", 4095, 1),
            ("uint16", 65_520, 16),
            ("uint16", 16_383, 1),
            ("uint16", 50_123, 1),
            ("int16", 4095, 1),
        ],
    )
    def test_any_level(self, dtype: str, clip: float, step: int) -> None:
        peaks = tuple(clip * part for part in BRIGHT)
        frames = recorded(sky_with_stars(peaks, noise=max(2.0, clip / 400)), dtype, clip, step)
        level, source = level_of(frames, 16 if dtype == "uint16" else 0)
        assert level == clip
        assert source == ("bit depth" if clip == 65_520 else "histogram")

    def test_top_of_the_digitiser(self) -> None:
        frames = recorded(sky_with_stars((700.0, 90.0)), "uint8", 255)
        assert level_of(frames, 8) == (255.0, "bit depth")
        frames = recorded(sky_with_stars((9000.0, 900.0)), "uint16", 4095)
        assert level_of(frames, 12) == (4095.0, "bit depth")

    @pytest.mark.parametrize(
        "peaks", [(180.0, 60.0), (30.0,), (12.0, 8.0), (200.0, 199.0, 198.0), (200.0,) * 3]
    )
    @pytest.mark.parametrize("noise", [0.2, 0.6, 2.0])
    @pytest.mark.parametrize("fwhm", [1.5, 3.5, 12.0])
    def test_stars_that_do_not_clip(self, peaks: tuple[float, ...], noise: float, fwhm: float) -> None:
        frames = recorded(sky_with_stars(peaks, noise=noise, fwhm=fwhm), "uint8", 255)
        assert level_of(frames, 8) == (255.0, "bit depth")
        scaled = recorded(sky_with_stars(peaks, noise=noise, fwhm=fwhm) * 150.3, "uint16", 65_535)
        assert level_of(scaled, 16) == (65_535.0, "bit depth")

    def test_a_star_that_neither_moves_nor_flickers(self) -> None:
        one = recorded(sky_with_stars((150.0,), frames=1, noise=0.1), "uint8", 255)
        assert level_of(np.repeat(one, 24, axis=0), 8) == (255.0, "bit depth")

    def test_hot_samples_above(self) -> None:
        frames = recorded(sky_with_stars((900.0, 500.0, 100.0)), "uint8", 235)
        frames[::3, 70, 100], frames[5, 80, 20] = 255, 247
        assert level_of(frames, 8) == (235.0, "histogram")

    def test_a_burnt_in_overlay_above(self) -> None:
        frames = recorded(sky_with_stars((900.0, 500.0, 100.0)), "uint8", 235)
        frames[:, 78:88, 10:60:2] = 255
        assert level_of(frames, 8) == (235.0, "histogram")

    def test_an_overlay_that_stars_outshine(self) -> None:
        frames = recorded(sky_with_stars((900.0, 180.0, 60.0)), "uint8", 255)
        frames[:, 78:88, 10:60] = 128
        assert level_of(frames, 8) == (255.0, "bit depth")

    def test_lossy_compression_smears_the_pile(self) -> None:
        clipped = np.clip(sky_with_stars((2000.0, 900.0, 500.0), fwhm=6.0), 0, 235)
        smeared = clipped + np.random.default_rng(1).normal(0, 0.8, clipped.shape)
        frames = recorded(smeared, "uint8", 255)
        level, source = level_of(frames, 8, spread=2)
        assert source == "histogram"
        assert 231 <= level <= 235
        faint = recorded(sky_with_stars((180.0, 60.0), fwhm=6.0), "uint8", 255)
        assert level_of(faint, 8, spread=2) == (255.0, "bit depth")

    def test_a_depth_that_the_file_does_not_state(self) -> None:
        frames = recorded(sky_with_stars((4800.0, 300.0), frames=2, noise=10.0, fwhm=2.0), "uint16", 4095)
        frames[0] = np.minimum(frames[0], 4000)  # one frame only, too few samples for a pile
        assert level_of(frames, 16)[0] == 4095.0

    def test_floats(self) -> None:
        values = sky_with_stars((300.0, 60.0))
        assert level_of(values.astype(np.float32)) == (np.inf, "unknown")
        assert level_of(np.clip(values, None, 201.5).astype(np.float32)) == (201.5, "histogram")
        clipped = np.clip(values, None, 201.5).astype(np.float32)
        clipped[:, :4] = np.nan
        top = top_samples(clipped)
        assert saturation_level(top, 201.5, 0, np.dtype("float32")) == (201.5, "histogram")

    def test_colour_planes(self) -> None:
        frames = recorded(sky_with_stars((900.0, 500.0)), "uint8", 240).reshape(4, 3, 90, 120)
        assert level_of(frames, 8) == (240.0, "histogram")

    def test_frames_can_be_joined(self) -> None:
        frames = recorded(sky_with_stars((9e4, 7e4), noise=100.0), "uint16", 50_000, 4)
        parts = joined([top_samples(frames[:5]), top_samples(frames[5:])])
        whole = top_samples(frames)
        np.testing.assert_array_equal(parts.values, whole.values)
        assert parts.unit == whole.unit == 4
        assert joined([]).values.size == 0

    def test_nothing_at_all(self) -> None:
        assert level_of(np.full((2, 8, 8), 7, np.uint8), 8) == (255.0, "bit depth")
        assert level_of(np.full((2, 8, 8), np.nan, np.float32)) == (np.inf, "unknown")


@dataclass(frozen=True, eq=False)
class Video(Held):
    """A stack whose container says something of its range."""

    said: str = "unspecified"
    depth: int = 8
    more: dict[str, str] = field(default_factory=dict)

    @property
    def info(self) -> SourceInfo:
        shape, dtype = self.pixels.shape, self.pixels.dtype.name
        return SourceInfo("video", "v.avi", shape, dtype, self.depth, metadata={"color_range": self.said})


def luma(frames: NDArray[Any], said: str = "unspecified", depth: int = 8) -> LumaRange | None:
    stack = Video(frames, said=said, depth=depth)
    found = luma_range(stack, float(frames.min()), float(frames.max()))
    assert found == sampled_luma(stack)
    return found


class TestLuma:
    def frames(self, low: int = 16, high: int = 235, sky: float = 40.0) -> NDArray[np.uint8]:
        values = sky_with_stars((900.0, 500.0), sky=sky)
        return np.clip(np.rint(values), low, high).astype(np.uint8)

    def test_what_the_container_says(self) -> None:
        quiet = self.frames(sky=60.0)[:, :, 60:]  # neither end is reached
        assert luma(quiet, "limited") == LumaRange(16.0, 235.0, "container")
        assert luma(quiet, "full") is None
        assert luma(quiet) is None
        ten = quiet.astype(np.uint16) * 4
        assert luma(ten, "limited", 10) == LumaRange(64.0, 940.0, "container")

    def test_a_container_that_is_wrong(self) -> None:
        assert luma(self.frames(0, 255, sky=16.0), "limited") is None
        ringing = self.frames()
        ringing[:, 0, :5] = 250
        assert luma(ringing, "limited") == LumaRange(16.0, 235.0, "container")

    def test_piles_at_white_or_black(self) -> None:
        assert luma(self.frames()) == LumaRange(16.0, 235.0, "histogram")
        crushed = self.frames(sky=16.3)[:, :, 60:]
        assert luma(crushed) == LumaRange(16.0, 235.0, "histogram")

    def test_what_is_no_limited_range(self) -> None:
        assert luma(self.frames(0, 255)) is None
        assert luma(self.frames(16, 240)) is None
        assert luma(self.frames(16, 200, sky=60.0)) is None
        assert luma(self.frames(), "full") is None
        assert luma(self.frames().astype(np.uint16), depth=16) is None
        assert luma(self.frames().astype(np.float32), depth=0) is None
        rising = np.tile(np.arange(16, 236, dtype=np.uint8), (3, 20, 1))
        assert luma(rising) is None
