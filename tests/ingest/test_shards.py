"""Shards as files: ordinary Zarr arrays, the same on any number of threads, and no damage unseen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

import reduction.cores as cores_module
from ingest import shards, stack
from ingest.convert import convert
from ingest.shards import ShardCoding, coding_of, decode_frames, encode_shard
from ingest.stack import Layout, create, open_group, open_stack, shard_file
from reduction.cores import at_most
from reduction.stack import SourceInfo
from tests.ingest.generating import GeneratedSource

CODINGS = [
    ShardCoding((6, 5), "uint8", (4, 6, 5), (8, 6, 5)),
    ShardCoding((6, 5), "uint16", (1, 6, 5), (8, 6, 5)),
    ShardCoding((3, 6, 5), "float32", (2, 3, 6, 5), (8, 3, 6, 5)),
    ShardCoding((7, 5), "uint16", (1, 3, 5), (8, 9, 5)),  # rows of a frame, the last ones padded
    ShardCoding((3, 7, 5), "uint8", (1, 1, 4, 5), (8, 3, 8, 5)),
]


def pixels(coding: ShardCoding, frames: int) -> NDArray[Any]:
    return np.random.default_rng(2).integers(0, 200, (frames, *coding.frame_shape)).astype(coding.dtype)


def made(path: Path, coding: ShardCoding, frames: int) -> "zarr.Array[Any]":
    """An empty stack of that coding; its array."""
    info = SourceInfo("ser", "a", (frames, *coding.frame_shape), coding.dtype)
    create(path, info, Layout(coding.chunk, coding.shard))
    array = open_group(path, "r+")["pixels"]
    assert isinstance(array, zarr.Array)
    return array.with_config({"write_empty_chunks": True})


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("frames", [8, 5])
@pytest.mark.parametrize("threads", [1, 3])
class TestAgainstZarr:
    def test_zarr_reads_what_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: ShardCoding, frames: int, threads: int
    ) -> None:
        monkeypatch.setattr(cores_module, "cores", lambda: threads)
        array = made(tmp_path / "a.zarr", coding, frames)
        assert coding_of(array) == coding
        file = shard_file(tmp_path / "a.zarr", array.ndim, 0)
        file.parent.mkdir(parents=True)
        file.write_bytes(b"".join(encode_shard(coding, pixels(coding, frames))))
        np.testing.assert_array_equal(np.asarray(array[:]), pixels(coding, frames))

    def test_what_zarr_writes_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: ShardCoding, frames: int, threads: int
    ) -> None:
        monkeypatch.setattr(cores_module, "cores", lambda: threads)
        array = made(tmp_path / "a.zarr", coding, frames)
        array[:] = pixels(coding, frames)
        file = shard_file(tmp_path / "a.zarr", array.ndim, 0)
        for start in range(frames):
            for stop in range(start + 1, frames + 1):
                out = np.zeros((stop - start, *coding.frame_shape), coding.dtype)
                decode_frames(coding, file, start, stop, out)
                np.testing.assert_array_equal(out, pixels(coding, frames)[start:stop])


@given(frames=st.integers(1, 8), which=st.integers(0, len(CODINGS) - 1))
def test_the_same_bytes_on_any_number_of_threads(frames: int, which: int) -> None:
    coding = CODINGS[which]
    with at_most(1):
        alone = encode_shard(coding, pixels(coding, frames))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cores_module, "cores", lambda: 4)
        assert encode_shard(coding, pixels(coding, frames)) == alone


class TestOtherCodings:
    """Stacks that another program wrote again: read by zarr itself."""

    @pytest.mark.parametrize(
        "options",
        [
            {"shards": (4, 24, 32), "compressors": zarr.codecs.BloscCodec()},
            {"shards": None, "compressors": zarr.codecs.ZstdCodec()},
            {"shards": (4, 24, 32), "compressors": None},
        ],
    )
    def test_are_left_to_zarr(self, tmp_path: Path, options: dict[str, Any]) -> None:
        array = zarr.create_array(
            tmp_path / "a.zarr", shape=(8, 24, 32), chunks=(2, 24, 32), dtype="uint16", **options
        )
        assert coding_of(array) is None

    def test_and_read_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        convert(GeneratedSource(9), tmp_path / "a.zarr", shard=4)
        expected = open_stack(tmp_path / "a.zarr").read(2, 9)
        monkeypatch.setattr(stack, "coding_of", lambda _: None)
        np.testing.assert_array_equal(open_stack(tmp_path / "a.zarr").read(2, 9), expected)


class TestDamage:
    CODING = CODINGS[0]

    def damaged(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        out = np.zeros((8, 6, 5), np.uint8)
        decode_frames(self.CODING, path, 0, 8, out)

    def test_every_byte_matters(self, tmp_path: Path) -> None:
        whole = b"".join(encode_shard(self.CODING, pixels(self.CODING, 8)))
        self.damaged(tmp_path / "s", whole)
        for at in range(len(whole)):
            changed = bytearray(whole)
            changed[at] ^= 0x21
            with pytest.raises((ValueError, RuntimeError)):
                self.damaged(tmp_path / "s", bytes(changed))

    @pytest.mark.parametrize("kept", [0, 1, 30, 100, -1])
    def test_cut_short(self, tmp_path: Path, kept: int) -> None:
        whole = b"".join(encode_shard(self.CODING, pixels(self.CODING, 8)))
        with pytest.raises(ValueError, match=r"index|cut short"):
            self.damaged(tmp_path / "s", whole[:kept])

    def test_a_chunk_that_was_never_written(self, tmp_path: Path) -> None:
        half = b"".join(encode_shard(self.CODING, pixels(self.CODING, 4)))
        with pytest.raises(ValueError, match="chunk 1 is missing"):
            self.damaged(tmp_path / "s", half)

    def test_a_chunk_of_another_size(self, tmp_path: Path) -> None:
        small = ShardCoding((6, 5), "uint8", (2, 6, 5), (4, 6, 5))
        shard = b"".join(encode_shard(small, pixels(small, 4)))
        with pytest.raises(ValueError, match="does not hold the pixels"):
            self.damaged(tmp_path / "s", shard)


@pytest.mark.parametrize("size", [1, 200, 255, 256, 300, 65_791, 65_792, 70_000])
def test_content_sizes(size: int) -> None:
    assert shards._content_size(bytes(Zstd(level=1).encode(b"x" * size))) == size
