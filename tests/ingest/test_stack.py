"""The Zarr stack: layout, contract, versioned times, damage."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.convert import convert
from ingest.formats import open_in_place
from ingest.stack import (
    CHUNK_BYTES,
    SHARD_BYTES,
    add_times,
    info_from_json,
    info_json,
    open_stack,
    plan_layout,
    shard_file,
    verify,
)
from ingest.stack_times import read_times, time_digests
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat, Note
from reduction.errors import DataError, RequestError
from reduction.stack import SourceInfo, Stack, frame_digest, pixel_digest
from reduction.timing import UNKNOWN_NS, Correction, TimeSolution, no_times
from tests.contracts.sources import Recording, StackContract
from tests.ingest.generating import GeneratedSource


class ZarrRecording(Recording):
    """Its pixels are what is damaged."""

    @property
    def damageable(self) -> Path:
        return shard_file(self.inputs[0], self.frames.ndim, 1)


def recorded(path: Path, source: GeneratedSource, shard: int) -> ZarrRecording:
    convert(source, path, shard=shard)
    frames = np.concatenate([b.frames for b in source.blocks(7)])
    return ZarrRecording(inputs=[path], format="zarr", frames=frames, mid_ns=source.times.mid_ns)


class TestMonoStack(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        return recorded(tmp_path / "a.zarr", GeneratedSource(11), 4)


class TestColourStack(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        return recorded(tmp_path / "a.zarr", GeneratedSource(6, (3, 9, 7), "uint8"), 3)


class TestFloatStack(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        source = FloatSource(6, (9, 7), "float32")
        return recorded(tmp_path / "a.zarr", source, 2)


class FloatSource(GeneratedSource):
    def blocks(self, size: int, start: int = 0) -> Any:
        whole = GeneratedSource(self.info.frames, self.info.frame_shape, "uint16")
        for block in whole.blocks(size, start):
            frames = block.frames.astype(np.float32)
            frames[:, 0, 0] = np.nan
            yield replace(block, frames=frames)


@pytest.fixture
def stack_path(tmp_path: Path) -> Path:
    path = tmp_path / "a.zarr"
    convert(GeneratedSource(20), path, shard=8)
    return path


@given(
    frames=st.integers(1, 200_000),
    channels=st.sampled_from([None, 3]),
    height=st.integers(1, 9000),
    width=st.integers(1, 9000),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    shard=st.none() | st.integers(1, 500),
)
def test_layout(
    frames: int, channels: int | None, height: int, width: int, dtype: str, shard: int | None
) -> None:
    size = (height, width) if channels is None else (channels, height, width)
    info = SourceInfo("ser", "a", (frames, *size), dtype)
    layout = plan_layout(info, shard)
    item = np.dtype(dtype).itemsize
    assert np.prod(layout.chunk) * item <= CHUNK_BYTES
    assert all(s % c == 0 for s, c in zip(layout.shard, layout.chunk, strict=True))
    assert all(s >= n for s, n in zip(layout.shard[1:], size, strict=True))
    assert layout.shard[-2] - height < layout.chunk[-2]
    assert 1 <= layout.chunk[0] <= 16
    if shard is None:
        assert layout.shard[0] * info.frame_bytes <= max(SHARD_BYTES, info.frame_bytes)
        assert layout.shard[0] in {min(frames, 1 << k) for k in range(13)}
    if info.frame_bytes <= CHUNK_BYTES:
        assert layout.chunk[1:] == size


def test_shard_holds_32_to_64_mib_of_a_long_recording() -> None:
    layout = plan_layout(SourceInfo("ser", "a", (100_000, 480, 640), "uint8"))
    assert SHARD_BYTES // 2 < np.prod(layout.shard) <= SHARD_BYTES
    assert 1024 % layout.shard[0] == 0


def test_frames_larger_than_a_chunk(tmp_path: Path) -> None:
    source = GeneratedSource(3, (1501, 1601), "uint16")
    stack = convert(source, tmp_path / "big.zarr")
    (block,) = source.blocks(3)
    np.testing.assert_array_equal(stack.read(0, 3), block.frames)
    np.testing.assert_array_equal(stack.read(1, 2), block.frames[1:2])


def test_digest_is_that_of_the_pixels(stack_path: Path) -> None:
    stack = open_stack(stack_path)
    leaves = np.array([np.frombuffer(frame_digest(f), np.uint8) for f in stack.read(0, 20)])
    np.testing.assert_array_equal(stack.known_digests, leaves)
    assert stack.digest == pixel_digest((20, 24, 32), "uint16", leaves)


def test_digest_does_not_depend_on_shards(tmp_path: Path, stack_path: Path) -> None:
    other = convert(GeneratedSource(20), tmp_path / "b.zarr", shard=3)
    assert other.shard_size == 3
    assert other.digest == open_stack(stack_path).digest


def test_says_what_it_was_made_from(stack_path: Path) -> None:
    info = open_stack(stack_path).info
    assert info.format == "zarr"
    assert info.metadata == {
        "observer": "test",
        "source_format": "generated",
        "source_name": "generated",
    }
    assert info.name == "a.zarr"


def test_is_a_stack_in_place(stack_path: Path) -> None:
    stack = open_in_place([stack_path])
    assert isinstance(stack, Stack)
    np.testing.assert_array_equal(stack.read(3, 5), open_stack(stack_path).read(3, 5))


def test_info_survives_json() -> None:
    info = SourceInfo(
        "fits", "x", (2, 3, 4, 5), "uint16", 12, "rgb", 0.5, None, 3.25, {"a": "β"},
        (Note(Caveat.FILE_TRUNCATED, "cut"),),
    )  # fmt: skip
    assert info_from_json(json.loads(json.dumps(info_json(info)))) == info


class TestTimes:
    def retimed(self) -> TimeSolution:
        mid = np.arange(20, dtype=np.int64) * 1_000
        mid[4] = UNKNOWN_NS
        sigma = np.full(20, 0.01)
        sigma[4] = np.nan
        ledger = (
            Correction("stamp meaning", "stamp", "start", 0.0, 0.0, "header"),
            Correction("integration", "start", "mid", 0.1 / 3, 1e-4, "half the exposure"),
        )
        notes = (Note(Caveat.TIMES_PARTIAL, "one frame has no time"),)
        return TimeSolution(mid, sigma, np.full(20, 0.1), "start", "table", ledger, notes)

    def test_new_times_leave_the_pixels_alone(self, stack_path: Path) -> None:
        def pixels() -> dict[Path, tuple[int, bytes]]:
            return {
                p: (p.stat().st_mtime_ns, p.read_bytes())
                for name in ("pixels", "digests")
                for p in (stack_path / name).rglob("*")
                if p.is_file()
            }

        before, old, digest = pixels(), read_times(stack_path), open_stack(stack_path).digest
        times = self.retimed()
        add_times(stack_path, times)
        assert pixels() == before
        assert open_stack(stack_path).times.digest == times.digest
        found = read_times(stack_path)
        assert (found.meaning, found.source, found.ledger, found.notes) == (
            times.meaning, times.source, times.ledger, times.notes,
        )  # fmt: skip
        np.testing.assert_array_equal(found.sigma_s, times.sigma_s)
        assert read_times(stack_path, old.digest).digest == old.digest
        assert time_digests(stack_path) == tuple(sorted([old.digest, times.digest]))
        assert open_stack(stack_path).digest == digest

    def test_the_same_times_twice_are_one(self, stack_path: Path) -> None:
        times = self.retimed()
        add_times(stack_path, times)
        add_times(stack_path, no_times(20))
        add_times(stack_path, times)
        assert len(time_digests(stack_path)) == 3
        assert read_times(stack_path).digest == times.digest

    def test_times_of_another_length(self, stack_path: Path) -> None:
        with pytest.raises(RequestError, match=r"20 frames.*19"):
            add_times(stack_path, no_times(19))
        assert len(time_digests(stack_path)) == 1

    def test_interrupted_writing_of_times_is_not_seen(
        self, stack_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = read_times(stack_path).digest

        def interrupted(self: Path, target: Path) -> Path:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", interrupted)
            with pytest.raises(KeyboardInterrupt):
                add_times(stack_path, self.retimed())
        assert time_digests(stack_path) == (before,)
        assert read_times(stack_path).digest == before

    def test_options_change_what_is_opened_not_what_is_stored(self, stack_path: Path) -> None:
        before = read_times(stack_path).digest
        options = TimeOptions(start_utc="2026-03-01T00:00:00.000Z", cadence_s=0.5)
        opened = open_stack(stack_path, options).times
        assert opened.digest != before
        assert opened.cadence_s() == pytest.approx(0.5)
        assert read_times(stack_path).digest == before

    def test_damaged_times(self, stack_path: Path) -> None:
        digest = read_times(stack_path).digest
        group = zarr.open_group(stack_path / "times" / digest, mode="r+")
        group.update_attributes({"source": "somebody else"})
        with pytest.raises(DataError, match=r"times .* damaged"):
            open_stack(stack_path)
        shutil.rmtree(stack_path / "times" / digest)
        with pytest.raises(DataError, match="times cannot be read"):
            open_stack(stack_path)


class TestDamage:
    def test_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="not a stack"):
            open_stack(tmp_path / "none.zarr")

    def test_another_zarr_group(self, tmp_path: Path) -> None:
        zarr.create_group(tmp_path / "g.zarr")
        with pytest.raises(DataError, match="not a stack of Umbra's"):
            open_stack(tmp_path / "g.zarr")

    def test_a_later_format(self, stack_path: Path) -> None:
        zarr.open_group(stack_path, mode="r+").update_attributes({"umbra_stack": 2})
        with pytest.raises(DataError, match="stack format 2, this program reads 1"):
            open_stack(stack_path)

    def test_unfinished(self, stack_path: Path) -> None:
        zarr.open_group(stack_path, mode="r+").update_attributes({"state": "converting"})
        with pytest.raises(DataError, match="interrupted; run umbra ingest again"):
            open_stack(stack_path)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"zarr_format": 3}', b"\xff\xfe"])
    @pytest.mark.parametrize(
        "name", ["zarr.json", "pixels/zarr.json", "digests/zarr.json", "times/zarr.json"]
    )
    def test_damaged_metadata(self, stack_path: Path, name: str, content: bytes) -> None:
        (stack_path / name).write_bytes(content)
        with pytest.raises(DataError, match=r"a\.zarr"):
            open_stack(stack_path)

    def test_missing_shard(self, stack_path: Path) -> None:
        stack = open_stack(stack_path)
        shard_file(stack_path, 3, 1).unlink()
        with pytest.raises(DataError, match="shard 1 is missing or empty"):
            open_stack(stack_path)
        np.testing.assert_array_equal(stack.read(0, 8).shape, (8, 24, 32))
        with pytest.raises(DataError, match="shard 1 is missing or empty"):
            stack.read(7, 9)

    @pytest.mark.parametrize("where", [0, 100, -5])
    def test_a_flipped_byte_is_found(self, stack_path: Path, where: int) -> None:
        file = shard_file(stack_path, 3, 2)
        content = bytearray(file.read_bytes())
        content[where] ^= 0x10
        file.write_bytes(content)
        stack = open_stack(stack_path)
        with pytest.raises(DataError, match="frames 16 to 19"):
            stack.read(16, 20)
        assert verify(stack_path) == [16, 17, 18, 19]
        assert stack.read(0, 16).shape[0] == 16

    def test_a_changed_pixel_is_found(self, stack_path: Path) -> None:
        assert verify(stack_path) == []
        pixels = zarr.open_array(stack_path / "pixels", mode="r+")
        frame = np.array(pixels[9])
        frame[3, 4] += 1
        pixels[9] = frame
        assert verify(stack_path) == [9]

    def test_changed_digests(self, stack_path: Path) -> None:
        digests: NDArray[np.uint8] = np.zeros((20, 32), np.uint8)
        zarr.open_array(stack_path / "digests", mode="r+")[:] = digests
        with pytest.raises(DataError, match="do not agree with the pixel digest"):
            open_stack(stack_path)
