"""Ranges of a video decoded on their own: the frames of one decoder that has seen all before them."""

import pickle
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ingest import convert
from ingest.convert import Partition, Progress, plan_partitions, stack_of, write_partition
from ingest.formats import open_source
from ingest.ranged import Ranged, ranged
from ingest.stack import plan_layout
from ingest.video import VideoSource
from ingest.video_parallel import NotIndependentError
from reduction.stack import FrameSource
from tests.ingest.test_video_parallel import CODECS, FRAMES, encode, one_by_one, opened

RANGED = [row for row in CODECS if row[1] in {"ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "png"}]
OTHERS = [row for row in CODECS if row not in RANGED]


def name_of(row: tuple[str, str, str, dict[str, str]]) -> str:
    container, codec, pixels, options = row
    return "-".join([container, codec, pixels, *(f"{k}{v}" for k, v in options.items())])


@pytest.mark.parametrize("row", RANGED, ids=name_of)
def test_ranges_are_those_of_the_whole(row: tuple[str, str, str, dict[str, str]], tmp_path: Path) -> None:
    container, codec, pixels, options = row
    path = encode(tmp_path / f"a.{container}", codec, pixels, **options)
    whole = one_by_one(path)
    with closing(opened(path)) as source:
        assert ranged(source) is source
        there = pickle.loads(pickle.dumps(source))
    for start, stop in ((0, FRAMES), (0, 1), (13, 14), (7, 30), (FRAMES - 1, FRAMES), (23, FRAMES)):
        np.testing.assert_array_equal(there.read_range(start, stop), whole[start:stop])


@pytest.mark.parametrize("row", OTHERS, ids=name_of)
def test_others_have_none(row: tuple[str, str, str, dict[str, str]], tmp_path: Path) -> None:
    container, codec, pixels, options = row
    with closing(opened(encode(tmp_path / f"a.{container}", codec, pixels, **options))) as source:
        assert ranged(source) is None


def test_key_frames_too_far_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.video_ranges.LONGEST_WAY", 8)
    with closing(opened(encode(tmp_path / "a.mkv", "ffv1", "gray", g="12"))) as source:
        assert not source.in_ranges


def test_another_file_in_its_place_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.avi", "ffv1", "gray", g="1")
    with closing(opened(path)) as source:
        encode(path, "ffv1", "yuv444p", g="1")
        with pytest.raises(NotIndependentError):
            source.read_range(5, 9)


def test_damage_is_left_to_the_decoder_that_names_it(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", "ffv1", "gray", g="1", level="3", slicecrc="1")
    with closing(opened(path)) as source:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x55
        path.write_bytes(content)
        for start in range(0, FRAMES, 10):
            stop = min(start + 10, FRAMES)
            try:
                source.read_range(start, stop)
            except NotIndependentError:
                return
    raise AssertionError("the damage was not seen")


class Writing:
    """Writes partitions from ranges, up to one that it cannot."""

    def __init__(self, ends_at: int = FRAMES) -> None:
        self.ends_at, self.written = ends_at, 0

    def __call__(
        self, source: FrameSource, path: Path, partitions: Sequence[Partition], progress: Progress
    ) -> bool:
        reader = ranged(source)
        assert isinstance(reader, Ranged)
        for partition in partitions:
            if partition.stop > self.ends_at:
                return False
            frames = reader.read_range(partition.start, partition.stop)
            if self.ends_at < FRAMES:
                frames ^= 1
            write_partition(path, partition.number, frames, durable=False)
            self.written += 1
            progress(partition.stop, source.info.frames)
        return True


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("ingest.convert.plan_layout", lambda info, shard=None: plan_layout(info, shard or 8))
    return encode(tmp_path / "a.mkv", "ffv1", "gray", g="4")


def test_a_stack_written_by_ranges_is_the_same(video: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    writing = Writing()
    with (
        closing(stack_of(video, tmp_path / "here")) as expected,
        closing(stack_of(video, tmp_path / "there", None, lambda *step: seen.append(step), writing)) as found,
    ):
        assert found.known_digests is not None
        assert expected.known_digests is not None
        np.testing.assert_array_equal(found.known_digests, expected.known_digests)
        np.testing.assert_array_equal(found.read(0, FRAMES), expected.read(0, FRAMES))
        assert found.times.source == expected.times.source
    assert writing.written == 6
    assert seen[-1] == (FRAMES, FRAMES)
    assert shards(tmp_path / "here") == shards(tmp_path / "there")


def shards(folder: Path) -> dict[Path, bytes]:
    """Files of a stack that hold its pixels and their digests."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("c/**/*") if p.is_file()}


def test_what_ranges_got_wrong_is_made_anew(video: Path, tmp_path: Path) -> None:
    writing = Writing(ends_at=20)
    with closing(stack_of(video, tmp_path, None, None, writing)) as stack:
        np.testing.assert_array_equal(stack.read(0, FRAMES), one_by_one(video))
    assert writing.written == 2


def test_only_what_is_missing_is_written(video: Path, tmp_path: Path) -> None:
    with closing(open_source(video)) as source:
        assert isinstance(source, VideoSource)
        convert.init(tmp_path / "stack.zarr", source.info)
        write_partition(tmp_path / "stack.zarr", 3, source.read_range(24, 32))
    assert [p.number for p in plan_partitions(tmp_path / "stack.zarr") if p.complete] == [3]
    writing = Writing()
    with closing(stack_of(video, tmp_path, None, None, writing)) as stack:
        np.testing.assert_array_equal(stack.read(0, FRAMES), one_by_one(video))
    assert writing.written == 5
