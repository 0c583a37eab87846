"""Pictures of integrating cameras: phase and length from noise alone, drops, flashes; and other cameras."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reduction.repeats import blocks_from, find_blocks, may_repeat
from reduction.stack import SourceInfo
from reduction.timing import TimeSolution, no_times

HEIGHT, WIDTH = 90, 120


class Video:
    """Frames in memory, as a stack."""

    def __init__(self, frames: NDArray[Any], times: TimeSolution | None = None) -> None:
        self.frames = frames
        self.info = SourceInfo("video", "v", frames.shape, str(frames.dtype), 8 * frames.dtype.itemsize)
        self.times = times or no_times(len(frames))
        self.shard_size = 16
        self.known_digests = None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        return self.frames[start:stop]

    def close(self) -> None:
        pass


def pictures(
    counts: Sequence[int], light: float, analogue: float, seed: int = 1, dtype: str = "uint8"
) -> NDArray[Any]:
    """Each picture `counts` times: its own noise once, the line's noise on every frame, a drifting star."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frames = []
    for k, count in enumerate(counts):
        star = 90 * np.exp(-((x - 40 - 0.05 * k) ** 2 + (y - 50) ** 2) / 8)
        picture = 60 + star + light * rng.standard_normal((HEIGHT, WIDTH))
        for _ in range(count):
            frame = picture + analogue * rng.standard_normal((HEIGHT, WIDTH))
            frames.append(np.clip(np.rint(frame), 0, 255).astype(dtype))
    return np.stack(frames)


@pytest.mark.parametrize("length", [2, 3, 4, 8, 16, 32])
@pytest.mark.parametrize(("light", "analogue"), [(3.0, 2.0), (1.0, 3.0), (4.0, 0.0)])
@pytest.mark.parametrize("lead", [0, 1])
def test_length_and_phase(length: int, light: float, analogue: float, lead: int) -> None:
    counts = [*([length - 1] if lead else []), *[length] * (160 // length + 2), 1]
    video = Video(pictures(counts, light, analogue))
    assert may_repeat(video)
    blocks = find_blocks(video)
    assert blocks is not None
    assert blocks.length == length
    assert blocks.counts.tolist() == counts
    assert blocks.starts.tolist() == np.concatenate(([0], np.cumsum(counts)[:-1])).tolist()
    assert blocks.lead == lead
    assert np.flatnonzero(blocks.partial).tolist() == [*([0] if lead else []), len(counts) - 1]


def test_light_noise_below_the_line_s() -> None:
    counts = [5, *[8] * 40]
    assert (blocks := find_blocks(Video(pictures(counts, 1.2, 3.0)))) is not None
    assert blocks.counts.tolist() == counts


@pytest.mark.parametrize("noise", [0.5, 3.0, 10.0])
def test_a_camera_that_does_not_integrate(noise: float) -> None:
    video = Video(pictures([1] * 200, noise, noise))
    assert find_blocks(video) is None


def test_changing_transparency_and_gain_are_no_pictures() -> None:
    rng = np.random.default_rng(4)
    level = 40 + 30 * np.sin(np.arange(300) / 17)
    frames = level[:, None, None] + np.sqrt(level)[:, None, None] * rng.standard_normal((300, 60, 80))
    assert find_blocks(Video(np.clip(frames, 0, 255).astype(np.uint8))) is None


def test_frames_that_were_dropped_or_doubled_stay_in_their_picture() -> None:
    counts = [8] * 30
    counts[10], counts[20] = 6, 9
    blocks = find_blocks(Video(pictures(counts, 3.0, 2.0)))
    assert blocks is not None
    assert blocks.counts.tolist() == counts
    assert np.flatnonzero(blocks.partial).tolist() == [10, 20]


def test_a_flash_and_two_pictures_alike() -> None:
    frames = pictures([8] * 30, 3.0, 2.0)
    frames[8 * 12 + 3] = np.clip(
        frames[8 * 12 + 3] + np.random.default_rng(1).integers(0, 40, frames[0].shape), 0, 255
    )
    frames[160:168] = frames[152:160]
    blocks = find_blocks(Video(frames))
    assert blocks is not None
    assert blocks.counts.tolist() == [8] * 30


def test_digits_that_change_on_every_frame_do_not_hide_the_pictures() -> None:
    frames = pictures([8] * 30, 2.0, 2.0)
    frames[:, 80:88, :90] = np.random.default_rng(2).choice([20, 240], (240, 8, 90))
    blocks = find_blocks(Video(frames))
    assert blocks is not None
    assert blocks.counts.tolist() == [8] * 30


def test_a_known_length_needs_weaker_signs() -> None:
    frames = pictures([4, *[8] * 120], 0.4, 3.0, dtype="float32")
    blocks = find_blocks(Video(frames), 8)
    assert blocks is not None
    assert blocks.starts[:3].tolist() == [0, 4, 12]
    assert find_blocks(Video(pictures([1] * 200, 2.0, 2.0)), 8) is None


@pytest.mark.parametrize("places", [(10, 30), (10, 30, 50), (8, 20, 33, 47)])
def test_a_few_flashes_are_no_pictures(places: tuple[int, ...]) -> None:
    frames = pictures([1] * 70, 2.0, 2.0)
    for place in places:
        frames[place] = np.clip(
            frames[place] + np.random.default_rng(1).integers(0, 60, frames[0].shape), 0, 255
        )
    assert find_blocks(Video(frames)) is None


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_few_frames(frames: int) -> None:
    assert find_blocks(Video(pictures([1] * frames, 2.0, 2.0))) is None


@given(
    length=st.integers(2, 64),
    many=st.integers(6, 40),
    lead=st.integers(0, 63),
    tail=st.integers(0, 63),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_beginnings_too_many_or_too_few(
    length: int, many: int, lead: int, tail: int, data: st.DataObject
) -> None:
    """Twin: the grid is known; a beginning is missed, another is seen where there is none."""
    lead, tail = lead % length, tail % length
    frames = lead + many * length + tail
    grid = list(range(lead or length, frames, length))
    begins = set(grid)
    inner = grid[2:-2]
    if len(inner) > 2:
        begins.discard(data.draw(st.sampled_from(inner)))
        extra = data.draw(st.sampled_from(inner)) + data.draw(st.integers(1, length - 1))
        begins.add(extra)
    blocks = blocks_from(np.array(sorted(begins), np.intp), frames, length)
    assert blocks is not None
    expected = sorted({0, *grid})
    assert int(blocks.counts.sum()) == frames
    assert blocks.starts.tolist() == expected
