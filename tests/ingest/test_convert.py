"""Conversion: restart after SIGKILL, bounded memory, full disks, refusals."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr.storage._local

from ingest import durable
from ingest.convert import convert, finalise, init, plan_partitions, stack_of, write_partition
from ingest.ser import SerStack
from ingest.stack import ZarrStack, digest_file, open_stack
from ingest.timeoptions import TimeOptions
from ingest.writers import write_avi, write_ser
from reduction.errors import DataError, RequestError, ResourceError
from reduction.stack import FrameBlock
from tests.ingest.generating import GeneratedSource

ROOT = Path(__file__).parents[2]


def pixel_files(path: Path) -> dict[str, bytes]:
    """Every file of a stack's pixels and digests."""
    return {
        str(p.relative_to(path)): p.read_bytes()
        for name in ("pixels", "digests")
        for p in (path / name).rglob("*")
        if p.is_file()
    }


def run_python(script: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """An uninterrupted conversion of GeneratedSource(22)."""
    path = tmp_path / "whole.zarr"
    convert(GeneratedSource(22), path, shard=4)
    return path


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import zarr.storage._local as local
    from ingest import durable
    from ingest.convert import convert
    from tests.ingest.generating import GeneratedSource

    left = int(sys.argv[2])

    def counting(put):
        def counted(path, *content, **options):
            global left
            left -= 1
            if left == 0:
                beside = path.with_suffix(".killed.partial")
                path.parent.mkdir(parents=True, exist_ok=True)
                beside.write_bytes(b"begun..")
                os.kill(os.getpid(), signal.SIGKILL)
            return put(path, *content, **options)
        return counted

    local._put, durable.put = counting(local._put), counting(durable.put)
    convert(GeneratedSource(22), Path(sys.argv[1]), shard=4)
"""


@pytest.mark.parametrize("writes", [2, 9, 10, 13, 18, 20, 24, 30])
def test_killed_and_restarted(tmp_path: Path, whole: Path, writes: int) -> None:
    path = tmp_path / "killed.zarr"
    ended = run_python(KILLED, path, writes)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    if path.exists():
        with pytest.raises(DataError, match="interrupted"):
            open_stack(path)
        done = [p.number for p in plan_partitions(path) if p.complete]
    else:
        done = []
    source = GeneratedSource(22)
    stack = convert(source, path, shard=4)
    assert pixel_files(path) == pixel_files(whole)
    assert stack.digest == open_stack(whole).digest
    assert stack.times.digest == open_stack(whole).times.digest
    assert not list(tmp_path.rglob("*.partial"))
    assert source.read_from[-1] == (len(done) * 4 if len(done) < 6 else done[-1] * 4)


def test_kills_fall_at_every_stage(tmp_path: Path) -> None:
    """The writes above reach from the first metadata to the last attribute."""
    written: list[str] = []

    def counting(put: Callable[..., Any]) -> Callable[..., Any]:
        def counted(path: Path, *content: Any, **options: Any) -> Any:
            written.append(str(path))
            return put(path, *content, **options)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zarr.storage._local, "_put", counting(zarr.storage._local._put))
        patch.setattr(durable, "put", counting(durable.put))
        convert(GeneratedSource(22), tmp_path / "a.zarr", shard=4)
    shards = [i for i, name in enumerate(written, 1) if "/pixels/c/" in name]
    times = [i for i, name in enumerate(written, 1) if "/times/" in name]
    assert min(shards) in {9, 10, *range(2, 9)}
    assert shards[3] < 20
    assert max(times) < len(written)
    assert any(2 < w <= len(written) for w in (24, 30) if w in times)
    assert len(written) >= 30


def test_complete_partitions_are_not_written_again(tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "a.zarr"
    source = GeneratedSource(22)
    init(path, source.info, shard=4)
    blocks = list(source.blocks(4))
    for i in (4, 0, 2):
        write_partition(path, i, blocks[i].frames)
    before = {i: digest_file(path, i).stat().st_mtime_ns for i in (0, 2, 4)}
    seen: list[tuple[int, int]] = []
    again = GeneratedSource(22)
    convert(again, path, lambda done, total: seen.append((done, total)))
    assert {i: digest_file(path, i).stat().st_mtime_ns for i in (0, 2, 4)} == before
    assert again.read_from == [0, 16, 4, 12, 20]  # two frames compared, then three runs
    assert seen == [(16, 22), (20, 22), (22, 22)]
    assert pixel_files(path) == pixel_files(whole)


def test_partitions_written_at_once(tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "a.zarr"
    source = GeneratedSource(22)
    init(path, source.info, shard=4)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda b: write_partition(path, b.start // 4, b.frames), source.blocks(4)))
    finalise(path, source.times)
    assert pixel_files(path) == pixel_files(whole)


def test_finalise_needs_every_partition(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    source = GeneratedSource(22)
    init(path, source.info, shard=4)
    for block in source.blocks(4):
        if block.start not in {4, 20}:
            write_partition(path, block.start // 4, block.frames)
    with pytest.raises(RequestError, match="partitions not written: 1, 5"):
        finalise(path, source.times)


def test_partition_of_another_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    init(path, GeneratedSource(22).info, shard=4)
    for frames in (
        np.zeros((3, 24, 32), np.uint16),
        np.zeros((4, 24, 32), np.uint8),
        np.zeros((4, 24, 31), np.uint16),
    ):
        with pytest.raises(DataError, match="frames 8 to 11: got"):
            write_partition(path, 2, frames)
    assert not any(p.complete for p in plan_partitions(path))


class TestRefusals:
    def test_finished(self, whole: Path) -> None:
        before = pixel_files(whole)
        with pytest.raises(RequestError, match="finished stack stands there"):
            convert(GeneratedSource(22), whole)
        assert pixel_files(whole) == before

    def test_finished_and_overwritten(self, whole: Path) -> None:
        stack = convert(GeneratedSource(5, seed=2), whole, overwrite=True)
        assert stack.info.frames == 5
        assert [p.name for p in whole.parent.iterdir()] == [whole.name]

    def interrupted(self, path: Path) -> None:
        source = GeneratedSource(22)
        init(path, source.info, shard=4)
        write_partition(path, 0, next(source.blocks(4)).frames)

    @pytest.mark.parametrize(
        "other", [GeneratedSource(22, seed=2), GeneratedSource(21), GeneratedSource(22, dtype="uint8")]
    )
    def test_interrupted_of_another_recording(self, tmp_path: Path, other: GeneratedSource) -> None:
        path = tmp_path / "a.zarr"
        self.interrupted(path)
        before = pixel_files(path)
        with pytest.raises(RequestError, match="another recording"):
            convert(other, path)
        assert pixel_files(path) == before
        assert convert(other, path, overwrite=True).info.frames == other.info.frames

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_folder_that_is_no_stack(self, tmp_path: Path, overwrite: bool) -> None:
        (tmp_path / "thesis.tex").write_text("years of work")
        with pytest.raises(RequestError, match="no stack"):
            convert(GeneratedSource(2), tmp_path, overwrite=overwrite)
        assert (tmp_path / "thesis.tex").read_text() == "years of work"

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_zarr_group_of_somebody_else(self, tmp_path: Path, overwrite: bool) -> None:
        zarr.create_group(tmp_path / "g.zarr", attributes={"mine": True})
        with pytest.raises(DataError, match="not a stack of Umbra's"):
            convert(GeneratedSource(2), tmp_path / "g.zarr", overwrite=overwrite)
        assert zarr.open_group(tmp_path / "g.zarr", mode="r").attrs["mine"] is True

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_file(self, tmp_path: Path, overwrite: bool) -> None:
        (tmp_path / "a.zarr").write_text("x")
        with pytest.raises(RequestError, match="is a file"):
            convert(GeneratedSource(2), tmp_path / "a.zarr", overwrite=overwrite)

    def test_empty_folder_is_used(self, tmp_path: Path) -> None:
        (tmp_path / "a.zarr").mkdir()
        assert convert(GeneratedSource(2), tmp_path / "a.zarr").info.frames == 2

    def test_another_conversion_is_running(self, tmp_path: Path) -> None:
        path = tmp_path / "a.zarr"
        refused: list[str] = []

        def second(done: int, total: int) -> None:
            with pytest.raises(ResourceError, match="another process") as caught:
                convert(GeneratedSource(22), path)
            refused.append(str(caught.value))

        convert(GeneratedSource(22), path, second, shard=11)
        assert len(refused) == 2


def test_recording_that_ends_early_leaves_nothing(tmp_path: Path) -> None:
    source = GeneratedSource(22)
    source.ends_at = 9
    with pytest.raises(DataError, match=r"generated: frame 12 is missing|frames 8 to 11"):
        convert(source, tmp_path / "a.zarr", shard=4)
    assert not list(tmp_path.iterdir())


class TestFullDisk:
    def test_is_a_resource_error_and_goes_on(
        self, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "a.zarr"
        put = durable.put

        def full(target: Path, *content: Any) -> None:
            if target.match("pixels/c/3/*/*"):
                raise OSError(errno.ENOSPC, "No space left on device")
            put(target, *content)

        with monkeypatch.context() as patch:
            patch.setattr(durable, "put", full)
            with pytest.raises(ResourceError, match=r"disk is full.*again to go on"):
                convert(GeneratedSource(22), path, shard=4)
        assert [p.number for p in plan_partitions(path) if p.complete] == [0, 1, 2]
        assert not (path / "pixels/c/3/0/0").exists()
        convert(GeneratedSource(22), path)
        assert pixel_files(path) == pixel_files(whole)

    def test_a_write_that_fails_half_way_leaves_no_part(self, tmp_path: Path) -> None:
        """A file size limit, which the kernel enforces in the middle of a write."""
        script = """
            import resource, signal, sys
            from pathlib import Path
            from ingest.convert import convert
            from reduction.errors import ResourceError
            from tests.ingest.generating import GeneratedSource

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            try:
                convert(GeneratedSource(4, (256, 256)), Path(sys.argv[1]))
            except ResourceError as error:
                print(error)
        """
        ended = run_python(script, tmp_path / "a.zarr")
        assert "cannot be written: File too large" in ended.stdout, ended.stderr
        assert not list((tmp_path / "a.zarr").rglob("*.partial"))
        assert not (tmp_path / "a.zarr/pixels/c").exists() or not [
            p for p in (tmp_path / "a.zarr/pixels/c").rglob("*") if p.is_file()
        ]

    def test_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ResourceError, match="cannot be written"):
            convert(GeneratedSource(2), tmp_path / "file" / "a.zarr")


MEMORY = """
    import resource, sys
    from pathlib import Path
    from ingest.convert import convert
    from tests.ingest.generating import GeneratedSource

    convert(GeneratedSource(int(sys.argv[2]), (480, 640), "uint8"), Path(sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


class TestPowerCut:
    """What a disk may forget: everything that was not waited for, names before contents."""

    def order_of(self, path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[str]:
        """Files and folders as they are waited for, and renamed."""
        order: list[str] = []
        fsync, replace_ = os.fsync, Path.replace

        def waited(descriptor: int) -> None:
            place = Path(f"/proc/self/fd/{descriptor}").readlink()
            order.append(f"wait {str(place).removeprefix(f'{path}/')}")
            fsync(descriptor)

        def renamed(self: Path, target: Path) -> Path:
            order.append(f"name {str(target).removeprefix(f'{path}/')}")
            return replace_(self, target)

        with monkeypatch.context() as patch:
            patch.setattr("ingest.durable.os.fsync", waited)
            patch.setattr(Path, "replace", renamed)
            convert(GeneratedSource(5), path, shard=4, **options)
        return order

    def test_contents_before_names_and_shards_before_digests(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = self.order_of(tmp_path / "a.zarr", monkeypatch)
        for file in ("pixels/c/1/0/0", "digests/c/1/0"):
            named = order.index(f"name {file}")
            assert order[named - 1].startswith(f"wait {file}.")
            assert f"wait {file.rpartition('/')[0]}" in order[named:]
        assert order.index("wait pixels/c/1") < order.index("name digests/c/1/0")
        complete = max(k for k, step in enumerate(order) if step == "name zarr.json")
        for name in ("pixels/zarr.json", "digests/zarr.json", "times/zarr.json", "times", "pixels/c"):
            assert order.index(f"wait {name}") < complete
        assert any("/mid_ns/c/0" in step for step in order[:complete])
        assert "wait zarr.json" in order[complete:]

    def test_scratch_is_not_waited_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        order = self.order_of(tmp_path / "a.zarr", monkeypatch, durable=False)
        assert not [step for step in order if step.startswith("wait ")]


def test_reading_and_writing_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block k + 1 is read while shard k is written; block k + 2 is not yet."""
    blocks_made: list[int] = []

    class Slow(GeneratedSource):
        def blocks(self, size: int, start: int = 0) -> Any:
            for block in super().blocks(size, start):
                blocks_made.append(block.start)
                yield block

    seen: list[list[int]] = []
    put = durable.put

    def noted(path: Path, *content: Any) -> None:
        if path.match("pixels/c/1/*/*"):
            for _ in range(200):
                if len(blocks_made) > 2:
                    break
                time.sleep(0.01)
            time.sleep(0.05)
            seen.append(list(blocks_made))
        put(path, *content)

    monkeypatch.setattr(durable, "put", noted)
    convert(Slow(22), tmp_path / "a.zarr", shard=4)
    assert seen == [[0, 4, 8]]


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    peaks = []
    for frames in (300, 1000):
        ended = run_python(MEMORY, tmp_path / f"{frames}.zarr", frames)
        assert ended.returncode == 0, ended.stderr
        peaks.append(int(ended.stdout))
    assert peaks[1] <= 1.05 * peaks[0]


class TestStackOf:
    def test_ser_in_place(self, tmp_path: Path) -> None:
        frames = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
        write_ser(tmp_path / "a.ser", frames)
        stack = stack_of(tmp_path / "a.ser", tmp_path / "scratch")
        assert isinstance(stack, SerStack)
        np.testing.assert_array_equal(stack.read(0, 3), frames)
        assert not (tmp_path / "scratch").exists()

    def test_stack_in_place(self, tmp_path: Path, whole: Path) -> None:
        stack = stack_of([whole], tmp_path / "scratch")
        assert isinstance(stack, ZarrStack)
        assert stack.path == whole

    def test_video_through_scratch(self, tmp_path: Path) -> None:
        frames = np.random.default_rng(0).integers(0, 255, (6, 48, 64), np.uint8)
        write_avi(tmp_path / "a.avi", frames, rate=25)
        first = stack_of(tmp_path / "a.avi", tmp_path / "scratch")
        assert isinstance(first, ZarrStack)
        assert first.path == tmp_path / "scratch" / "stack.zarr"
        np.testing.assert_array_equal(first.read(0, 6), frames)
        made = (first.path / "pixels/c/0/0/0").stat().st_mtime_ns
        timed = stack_of(
            tmp_path / "a.avi",
            tmp_path / "scratch",
            TimeOptions(start_utc="2026-01-01T00:00:00Z", cadence_s=0.04),
        )
        assert timed.times.known.all()
        assert (first.path / "pixels/c/0/0/0").stat().st_mtime_ns == made

        write_avi(tmp_path / "a.avi", 255 - frames, rate=25)
        other = stack_of(tmp_path / "a.avi", tmp_path / "scratch")
        np.testing.assert_array_equal(other.read(0, 6), 255 - frames)


def test_block_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    class Skipping(GeneratedSource):
        def blocks(self, size: int, start: int = 0) -> Any:
            for block in super().blocks(size, start):
                yield block if block.start == 0 else replace(block, start=block.start + 1)

    block: FrameBlock = next(Skipping(22).blocks(4))
    assert block.start == 0
    with pytest.raises(DataError, match="frame 4 is missing"):
        convert(Skipping(22), tmp_path / "a.zarr", shard=4)
