import dataclasses

import pytest

from reduction import budget
from reduction.budget import (
    BLOCK_BYTES,
    LIGHT_BLOCK_BYTES,
    UNDER_WAY_BYTES,
    block_frames,
    frame_cost,
    threads_for,
)
from reduction.stack import Colour, SourceInfo

SMALL = SourceInfo("ser", "a", (50_000, 480, 640), "uint8")
LARGE = SourceInfo("ser", "a", (50_000, 1080, 1920), "uint16")
COLOUR = dataclasses.replace(LARGE, shape=(50_000, 3, 1080, 1920), colour="rgb")


@pytest.mark.parametrize("info", [SMALL, LARGE, COLOUR])
@pytest.mark.parametrize("cores", [1, 2, 8, 64, 256])
def test_what_is_under_way_is_bounded(info: SourceInfo, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "cores", lambda: cores)
    for light, most in ((False, BLOCK_BYTES), (True, LIGHT_BLOCK_BYTES)):
        block = block_frames(info, light=light)
        threads = threads_for(info, block, light)
        assert 1 <= threads <= cores
        assert block == 1 or block * info.frame_bytes <= most
        assert 3 * threads * block * frame_cost(info, light) <= UNDER_WAY_BYTES


def test_two_cores_read_small_frames_by_the_dozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "cores", lambda: 2)
    assert block_frames(SMALL) > 40
    assert threads_for(SMALL, block_frames(SMALL)) == 2
    assert threads_for(LARGE, block_frames(LARGE)) == 2
    assert block_frames(SMALL, light=True) > 2 * block_frames(SMALL)
    assert threads_for(SMALL, block_frames(SMALL, light=True), light=True) == 2


@pytest.mark.parametrize("colour", ["mono", "rggb"])
def test_a_frame_larger_than_everything_is_read_alone(colour: Colour) -> None:
    huge = SourceInfo("fits", "a", (9, 30_000, 30_000), "float32", colour=colour)
    assert block_frames(huge) == 1
    assert threads_for(huge, 1) == 1
    assert threads_for(huge, 50) == 1


def test_no_pixels_at_all() -> None:
    assert block_frames(SourceInfo("ser", "a", (0, 0, 0), "uint8")) >= 1
