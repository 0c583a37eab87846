"""What every reader must do: one suite, a subclass per format."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.formats import open_source
from ingest.timeoptions import TimeOptions
from reduction.errors import DataError, UmbraError
from reduction.stack import FrameSource, InPlace, Stack, frame_digest, pixel_digest


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording whose truth is known.

    Attributes
    ----------
    inputs : sequence of Path
        What is handed to `open_source`.
    frames : array, (t, y, x) or (t, c, y, x)
        The pixels, native-endian.
    mid_ns : array, (t,), or None
        Mid-exposure times; None where the recording has none.
    """

    inputs: Sequence[Path]
    format: str
    frames: NDArray[Any]
    mid_ns: NDArray[np.int64] | None = None
    colour: str = "mono"
    tolerance_ns: int = 0
    options: TimeOptions = field(default_factory=TimeOptions)

    def open(self) -> FrameSource:
        return open_source(self.inputs, self.options)

    @property
    def damageable(self) -> Path:
        """A file whose damage the reader must notice."""
        first = self.inputs[0]
        return first if first.is_file() else min(path for path in first.rglob("[!.]*") if path.is_file())


def collect(source: FrameSource, size: int, start: int = 0) -> NDArray[Any]:
    """All frames from `start`, block by block, with the numbering checked."""
    blocks = []
    expected = start
    for block in source.blocks(size, start):
        assert block.start == expected
        assert 0 < len(block.frames) <= size
        assert len(block.frames) == size or expected + len(block.frames) == source.info.frames
        expected += len(block.frames)
        blocks.append(np.array(block.frames))
    assert expected == source.info.frames
    return np.concatenate(blocks)


def digest_of(source: FrameSource) -> str:
    leaves = [np.frombuffer(frame_digest(frame), np.uint8) for frame in collect(source, 7)]
    return pixel_digest(source.info.shape, source.info.dtype, np.array(leaves))


class SourceContract:
    """Subclass it and give the fixture `recording`."""

    @pytest.fixture
    def recording(self) -> Recording:
        raise pytest.UsageError("a subclass gives the fixture `recording`")

    def test_says_what_it_is(self, recording: Recording) -> None:
        source = recording.open()
        info = source.info
        assert isinstance(source, FrameSource)
        assert (info.format, info.colour) == (recording.format, recording.colour)
        assert info.shape == recording.frames.shape
        assert info.dtype == recording.frames.dtype.name
        assert info.name in {path.name for path in recording.inputs} | {
            path.parent.name for path in recording.inputs
        }
        source.close()

    @pytest.mark.parametrize("size", [1, 7, 64, 1_000_000])
    def test_blocks_of_any_size_hold_the_frames(self, recording: Recording, size: int) -> None:
        source = recording.open()
        found = collect(source, size)
        source.close()
        assert found.dtype == recording.frames.dtype
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, recording.frames)

    @pytest.mark.parametrize("start", [1, 3])
    def test_blocks_start_where_told(self, recording: Recording, start: int) -> None:
        source = recording.open()
        np.testing.assert_array_equal(collect(source, 2, start), recording.frames[start:])
        source.close()

    def test_has_a_time_for_every_frame(self, recording: Recording) -> None:
        source = recording.open()
        times = source.times
        source.close()
        assert times.mid_ns.shape == (len(recording.frames),)
        assert times.mid_ns.dtype == np.int64
        if recording.mid_ns is None:
            assert not times.known.any()
        else:
            assert np.abs(times.mid_ns - recording.mid_ns).max() <= recording.tolerance_ns
            assert np.isfinite(times.sigma_s).all()

    def test_closes_twice(self, recording: Recording) -> None:
        source = recording.open()
        source.close()
        source.close()

    def test_reopens_with_the_same_digest(self, recording: Recording) -> None:
        first, second = recording.open(), recording.open()
        assert digest_of(first) == digest_of(second)
        first.close()
        second.close()

    def test_empty_file_is_a_data_error(self, recording: Recording) -> None:
        path = recording.damageable
        path.write_bytes(b"")
        with pytest.raises(DataError, match=path.name.replace(".", r"\.")):
            collect(recording.open(), 7)

    @pytest.mark.parametrize("kept", [1, 20, 100])
    def test_a_stump_is_a_data_error(self, recording: Recording, kept: int) -> None:
        path = recording.damageable
        os.truncate(path, kept)
        with pytest.raises(DataError, match=path.name.replace(".", r"\.")):
            collect(recording.open(), 7)

    @pytest.mark.parametrize("percent", [5, 30, 60, 90, 99])
    def test_truncation_is_explained_or_salvaged(self, recording: Recording, percent: int) -> None:
        path = recording.damageable
        os.truncate(path, path.stat().st_size * percent // 100)
        try:
            source = recording.open()
            found = collect(source, 7)
        except UmbraError as error:
            message = str(error)
            assert path.name in message
            return
        complete = len(found) == len(recording.frames)  # only padding was lost
        assert complete or source.info.notes or source.times.notes
        np.testing.assert_array_equal(found, recording.frames[: len(found)])
        assert source.times.mid_ns.shape == (len(found),)
        source.close()


class StackContract(SourceContract):
    """For formats with random access."""

    def test_reads_anywhere(self, recording: Recording) -> None:
        stack = recording.open()
        assert isinstance(stack, Stack)
        n = len(recording.frames)
        assert stack.shard_size >= 1
        for start, stop in [(0, 1), (0, n), (1, 4), (n - 1, n), (2, 2)]:
            part = stack.read(start, stop)
            assert part.dtype == recording.frames.dtype
            assert part.dtype.isnative
            np.testing.assert_array_equal(part, recording.frames[start:stop])
            if isinstance(stack, InPlace):
                seen = stack.look(start, stop)
                assert (seen.dtype, seen.dtype.isnative) == (part.dtype, True)
                assert seen.flags.aligned
                np.testing.assert_array_equal(seen, part)
        stack.close()

    def test_refuses_frames_that_are_not_there(self, recording: Recording) -> None:
        stack = recording.open()
        assert isinstance(stack, Stack)
        n = len(recording.frames)
        for start, stop in [(-1, 1), (0, n + 1), (3, 2)]:
            with pytest.raises((UmbraError, ValueError)):
                stack.read(start, stop)
        stack.close()

    def test_threads_read_the_same(self, recording: Recording) -> None:
        stack = recording.open()
        assert isinstance(stack, Stack)
        n = len(recording.frames)
        spans = [(i % n, min(n, i % n + 1 + i % 5)) for i in range(64)]
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(lambda span: stack.read(*span), spans))
        for (start, stop), part in zip(spans, parts, strict=True):
            np.testing.assert_array_equal(part, recording.frames[start:stop])
        stack.close()
