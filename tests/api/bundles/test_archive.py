"""Archives: read by Python's zipfile and by Info-ZIP's unzip, whole and in any part."""

import io
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.requirements import require

require("server")

from api.bundles.archive import Layout, Member, Slice  # noqa: E402 - after the check for the extra

WHEN = int(datetime(2020, 8, 8, 20, 44, 27, tzinfo=UTC).timestamp())
GIB = 1 << 30


def member(name: str, content: bytes, when: int = WHEN) -> Member:
    return Member(name, len(content), zlib.crc32(content), when)


def made(layout: Layout, contents: Sequence[bytes], start: int, stop: int) -> bytes:
    parts = layout.parts(start, stop)
    return b"".join(
        contents[part.member][part.start : part.stop] if isinstance(part, Slice) else part for part in parts
    )


def archive(files: dict[str, bytes]) -> tuple[Layout, list[bytes]]:
    return Layout([member(name, content) for name, content in files.items()]), list(files.values())


class Virtual(io.RawIOBase):
    """An archive of zeros as a file, made where it is read; `read` tells how much was."""

    def __init__(self, layout: Layout, contents: dict[int, bytes]) -> None:
        self._layout, self._contents, self._at, self.made = layout, contents, 0, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._layout.size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._layout.size if size < 0 else min(self._at + size, self._layout.size)
        assert stop - self._at < 64 << 20, "reads what need not be read"
        found = b"".join(
            self._contents.get(part.member, b"\0" * 0)[part.start : part.stop]
            or b"\0" * (part.stop - part.start)
            if isinstance(part, Slice)
            else part
            for part in self._layout.parts(self._at, stop)
        )
        self.made += len(found)
        self._at += len(found)
        return found


FILES = {
    "a/README.txt": b"hello\n",
    "a/empty": b"",
    "a/Kılıç – Ω 観測.ser": bytes(range(256)) * 300,
    "a/b/c/d.bin": b"\xff" * 70_000,
}


def test_zipfile_reads_what_was_put_in() -> None:
    layout, contents = archive(FILES)
    whole = made(layout, contents, 0, layout.size)
    assert len(whole) == layout.size
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert read.testzip() is None
        assert {info.filename: read.read(info) for info in read.infolist()} == FILES
        assert {info.date_time for info in read.infolist()} == {(2020, 8, 8, 20, 44, 26)}
        assert all(info.compress_type == zipfile.ZIP_STORED for info in read.infolist())
        assert all(info.external_attr >> 16 == 0o100644 for info in read.infolist())


@pytest.mark.skipif(shutil.which("unzip") is None, reason="no unzip here")
def test_unzip_reads_what_was_put_in(tmp_path: Path) -> None:
    layout, contents = archive({name: content for name, content in FILES.items() if name.isascii()})
    path = tmp_path / "a.zip"
    path.write_bytes(made(layout, contents, 0, layout.size))
    tested = subprocess.run(["unzip", "-t", path], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout
    assert "No errors detected" in tested.stdout
    subprocess.run(["unzip", "-q", path, "-d", tmp_path / "out"], check=True)
    found = {
        p.relative_to(tmp_path / "out").as_posix(): p for p in (tmp_path / "out").rglob("*") if p.is_file()
    }
    assert {name: path.read_bytes() for name, path in found.items()} == dict(
        zip([one.name for one in layout.members], contents, strict=True)
    )
    assert {int(path.stat().st_mtime) for path in found.values()} == {WHEN}, "the time, in UTC, to the second"


def test_an_archive_of_nothing() -> None:
    layout = Layout([])
    assert zipfile.ZipFile(io.BytesIO(made(layout, [], 0, layout.size))).infolist() == []


NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(NAMES, st.binary(max_size=300), max_size=8),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=20),
)
def test_any_range_is_that_slice_of_the_whole(files: dict[str, bytes], asked: list[tuple[int, int]]) -> None:
    layout, contents = archive(files)
    whole = made(layout, contents, 0, layout.size)
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert read.testzip() is None
        assert [info.orig_filename for info in read.infolist()] == list(files)
    for first, length in asked:
        start = first % (layout.size + 1)
        stop = min(start + length, layout.size)
        assert made(layout, contents, start, stop) == whole[start:stop]


def test_every_range_of_a_small_archive() -> None:
    layout, contents = archive({"a": b"12345", "b": b"", "c": b"678"})
    whole = made(layout, contents, 0, layout.size)
    for start in range(layout.size + 1):
        for stop in range(start, layout.size + 1):
            assert made(layout, contents, start, stop) == whole[start:stop]


SMALL = b"after all the zeros"
SIZES = {
    "at the edge": (0xFFFFFFFE, 5),
    "one more": (0xFFFFFFFF, 5),
    "5 GiB": (5 * GIB, 5),
    "offsets alone": (3 * GIB, 3 * GIB),
    "1 TiB": (1 << 40, 1 << 40),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_beyond_32_bits(sizes: tuple[int, int]) -> None:
    big = [Member(f"{number}.ser", size, 0x12345678, WHEN) for number, size in enumerate(sizes)]
    layout = Layout([*big, member("last.txt", SMALL)])
    virtual = Virtual(layout, {2: SMALL})
    with zipfile.ZipFile(virtual) as read:
        listed = read.infolist()
        assert [one.file_size for one in listed] == [*sizes, len(SMALL)]
        assert [one.compress_size for one in listed] == [*sizes, len(SMALL)]
        assert read.read("last.txt") == SMALL
        with read.open("0.ser") as first:
            assert first.read(1 << 20) == bytes(1 << 20)
    assert virtual.made < 8 << 20


@pytest.mark.skipif(shutil.which("unzip") is None, reason="no unzip here")
@pytest.mark.parametrize("sizes", [SIZES["5 GiB"], SIZES["offsets alone"]], ids=["size", "offset"])
def test_unzip_beyond_32_bits(sizes: tuple[int, int], tmp_path: Path) -> None:
    """A file with holes in place of the zeros: it needs no room on the disk."""
    big = [Member(f"{number}.ser", size, 0, WHEN) for number, size in enumerate(sizes)]
    layout = Layout([*big, member("last.txt", SMALL)])
    path = tmp_path / "holes.zip"
    with path.open("wb") as file:
        for part in layout.parts(0, layout.size):
            if isinstance(part, bytes):
                file.write(part)
            elif part.member == 2:
                file.write(SMALL)
            else:
                file.seek(part.stop - part.start, io.SEEK_CUR)
    assert path.stat().st_size == layout.size
    assert path.stat().st_blocks * 512 < 1 << 20
    listed = subprocess.run(["unzip", "-l", path], capture_output=True, text=True, check=True).stdout
    assert all(f"{size}" in listed for size in sizes)
    tested = subprocess.run(["unzip", "-t", path, "last.txt"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize("count", [65_534, 65_535, 70_000])
def test_more_entries_than_16_bits(count: int) -> None:
    layout = Layout([member(f"d/{number:06d}", b"x") for number in range(count)])
    whole = made(layout, [b"x"] * count, 0, layout.size)
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert len(read.infolist()) == count
        assert read.read(f"d/{count - 1:06d}") == b"x"
    middle = layout.size // 2
    assert made(layout, [b"x"] * count, middle, middle + 1000) == whole[middle : middle + 1000]
    if count == 70_000:
        assert b"PK\6\6" in whole[-200:]


def test_times_that_no_archive_holds_are_the_nearest() -> None:
    for when, seen in ((0, (1980, 1, 1)), (int(datetime(2150, 6, 1, tzinfo=UTC).timestamp()), (2107, 6, 1))):
        layout = Layout([Member("a", 0, 0, when)])
        with zipfile.ZipFile(io.BytesIO(made(layout, [b""], 0, layout.size))) as read:
            assert read.infolist()[0].date_time[:3] == seen
