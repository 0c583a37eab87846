"""Memory that blocks of frames share one after the other, never at once."""

import gc
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest import block_memory
from ingest.block_memory import KEPT_BYTES, LEAST_BYTES, empty_block
from ingest.convert import convert
from ingest.formats import open_source
from ingest.writers import write_avi
from tests.ingest.fits_writer import fits_bytes
from tests.ingest.fstf.writer import EPOCH, Frame, Layout, Recording, write_v2
from tests.ingest.ravf_writer import write_ravf
from tests.ingest.ser_writer import write_ser

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _none_kept() -> Iterator[None]:
    gc.collect()
    block_memory._free.clear()
    yield
    block_memory._free.clear()


def kept() -> int:
    gc.collect()
    return sum(memory.size for memory in block_memory._free)


def test_a_block_is_as_asked() -> None:
    for kind in ("uint8", "<u2", ">u2", np.float32):
        block = empty_block((3, 700, 1001), kind)
        assert block.shape == (3, 700, 1001)
        assert block.dtype == np.dtype(kind)
        assert block.flags.c_contiguous
        assert block.flags.writeable
        assert block.ctypes.data % 64 == 0
        block[...] = 7
        assert (block == 7).all()
    assert empty_block((0, 4, 5), np.uint8).shape == (0, 4, 5)


def test_memory_is_used_again_once_nobody_has_it() -> None:
    block = empty_block((4, MIB), np.uint8)
    place = block.ctypes.data
    del block
    assert empty_block((2, MIB), np.uint16).ctypes.data == place


@pytest.mark.parametrize(
    "part",
    [
        lambda block: block[1],
        lambda block: block[1:3, ::7][:, 5:],
        lambda block: block.reshape(-1).view(np.uint16)[9:],
        lambda block: memoryview(block)[2:],
        lambda block: np.lib.stride_tricks.as_strided(block, (2, 2), (1, 1)),
        lambda block: block.T.astype(np.uint8, copy=False),
        lambda block: [row for row in block][3],  # noqa: C416  # an iteration's views
    ],
)
def test_any_part_of_a_block_keeps_all_of_its_memory(part: Callable[[NDArray[Any]], Any]) -> None:
    block = empty_block((4, MIB), np.uint8)
    block[...] = 1
    have = part(block)
    before = np.asarray(have).copy()
    del block
    assert kept() == 0
    other = empty_block((4, MIB), np.uint8)
    other[...] = 2
    np.testing.assert_array_equal(np.asarray(have), before)
    del have
    assert kept() == 4 * MIB


def test_what_is_kept_has_an_end() -> None:
    blocks = [empty_block((16, MIB), np.uint8) for _ in range(12)]
    blocks.clear()
    assert kept() == KEPT_BYTES
    huge = empty_block((KEPT_BYTES + 1,), np.uint8)
    del huge
    assert kept() == KEPT_BYTES


def test_small_blocks_do_not_hold_large_memory() -> None:
    block = empty_block((64, MIB), np.uint8)
    del block
    small = empty_block((8, MIB), np.uint8)
    assert kept() == 64 * MIB
    assert small.size == 8 * MIB
    small = empty_block((LEAST_BYTES - 1,), np.uint8)
    assert small.base is None


def test_threads_never_share_memory() -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        held: list[NDArray[Any]] = []
        for turn in range(60):
            block = empty_block((int(rng.integers(1, 4)), MIB), np.uint8)
            block[:, ::4096] = number
            held.append(block[-1:])
            if turn % 3 == 0:
                held.pop(int(rng.integers(len(held))))
            del held[:-4]
            wrong.extend(f"{number}" for one in held if not (one[:, ::4096] == number).all())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def recordings(folder: Path) -> Iterator[Path]:
    """A recording of each format."""
    rng = np.random.default_rng(3)
    small, large = rng.integers(0, 200, (13, 40, 52), np.uint8), rng.integers(0, 4000, (13, 40, 52))
    words = large.astype(np.uint16)
    yield write_ravf(folder / "8.ravf", small, image_format=0)
    yield write_ravf(folder / "10.ravf", words >> 2, image_format=2, padding=4)
    yield write_ravf(folder / "16.ravf", words, image_format=1)
    for name, layout in (("raw", Layout()), ("packed", Layout("12BIT-IMAGE-PACKED", bits=12))):
        frames = [Frame(frame, EPOCH + k * 10**9, 0.5) for k, frame in enumerate(words)]
        yield write_v2(folder / f"{name}.adv", Recording(52, 40, 12, {1: layout}, frames))
    yield write_ser(folder / "8.ser", small)
    yield write_ser(folder / "16.ser", words)
    (folder / "cube.fits").write_bytes(fits_bytes(words, {}))
    yield folder / "cube.fits"
    write_avi(folder / "8.avi", small, rate=25.0, codec="ffv1")
    yield folder / "8.avi"
    convert(open_source(folder / "16.ser"), folder / "16.zarr")
    yield folder / "16.zarr"


def test_blocks_of_every_format_are_whole_and_stay_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_memory, "LEAST_BYTES", 1)
    monkeypatch.setattr(block_memory, "ROUNDED_BYTES", 1)
    for path in recordings(tmp_path):
        source = open_source(path)
        alone = [block.frames.copy() for block in source.blocks(13)]
        source.close()
        source = open_source(path)
        stale = [empty_block((6 * 40 * 52 * np.dtype(source.info.dtype).itemsize,), np.uint8) for _ in "ab"]
        for memory in stale:
            memory[...] = 0xEE
        stale.clear()
        blocks = [block.frames for block in source.blocks(6)]
        np.testing.assert_array_equal(np.concatenate(blocks), alone[0], str(path.name))
        assert not any(np.shares_memory(one, other) for one, other in pairwise(blocks)), path.name
        source.close()
