"""Every kind of archive, plain and within another; what is cut off, encrypted, or in parts."""

import gzip
import os
import signal
import subprocess
import sys
import textwrap
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ingest.archives import process
from ingest.archives.kinds import kind_of_file
from ingest.archives.limits import Limits
from ingest.archives.process import unpack
from reduction.errors import DataError, RequestError, ResourceError
from tests.ingest.archives.making import KINDS, SINGLE, seven_zip_bytes, tar_bytes, tree, zip_bytes
from tests.ingest.archives.rar_writer import Entry, rar4, rar5
from tests.ingest.fits_writer import fits_bytes
from tests.processes import all_gone, below
from tests.requirements import require

NOISE = np.random.default_rng(1).integers(0, 40, 300_000, np.uint8).tobytes()
LONG = "a folder with a long name " * 6
FILES = {
    "night/rec.ser": NOISE,
    "night/notes.txt": b"cloudy",
    "night/empty.log": b"",
    f"night/{LONG}/\u00fcml\u00e4ut.txt": b"deep",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scratch"
    made.mkdir()
    return made


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder.parent / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_files(kind: str, folder: Path) -> None:
    found = unpack(written(folder, f"a.{kind}", KINDS[kind](FILES)), folder)
    assert tree(folder) == FILES
    assert {member.path: member.bytes for member in found.files} == {k: len(v) for k, v in FILES.items()}
    assert (found.refused, found.notes) == ((), ())


@pytest.mark.parametrize("kind", SINGLE)
def test_a_compressed_file_loses_its_suffix(kind: str, folder: Path) -> None:
    unpack(written(folder, f"rec.ser.{kind}", SINGLE[kind](NOISE)), folder)
    assert tree(folder) == {"rec.ser": NOISE}


def test_archives_within_archives_are_unpacked_once_more(folder: Path) -> None:
    inside = {f"in/{kind}": make(FILES) for kind, make in KINDS.items()}
    inside |= {f"one/rec{number}.ser.{kind}": SINGLE[kind](NOISE) for number, kind in enumerate(SINGLE)}
    found = unpack(written(folder, "a.zip", zip_bytes(inside)), folder)
    contents = list(tree(folder).values())
    assert all(contents.count(data) == len(KINDS) for name, data in FILES.items() if name != "night/rec.ser")
    assert contents.count(NOISE) == len(KINDS) + len(SINGLE)
    assert {name for name in tree(folder) if name.startswith("one/")} == {f"one/rec{n}.ser" for n in range(3)}
    assert found.notes == ()


def test_a_third_level_stays_packed_and_is_said(folder: Path) -> None:
    inner = zip_bytes({"deepest.ser.gz": gzip.compress(NOISE)})
    found = unpack(written(folder, "a.7z", seven_zip_bytes({"middle.zip": inner, "x": b"x"})), folder)
    assert set(tree(folder)) == {"middle/deepest.ser.gz", "x"}
    assert found.notes == ("left packed: middle/deepest.ser.gz: an archive in an archive in an archive",)


def test_gzipped_fits_is_no_archive_and_a_spreadsheet_stays(folder: Path) -> None:
    frame = gzip.compress(fits_bytes(np.zeros((4, 5), np.uint8)))
    sheet = zip_bytes({"docProps/app.xml": b"<x/>", "[Content_Types].xml": b"<x/>"})
    files = {"f.fits.gz": frame, "report.xlsx": sheet}
    unpack(written(folder, "a.zip", zip_bytes(files)), folder)
    assert tree(folder) == files
    assert kind_of_file(written(folder, "f.fits.gz", frame)) is None


def test_deflate64_as_windows_writes_it(folder: Path) -> None:
    from inflate64 import Deflater

    deflater = Deflater()
    packed = deflater.deflate(NOISE) + deflater.flush()
    plain = bytearray(zip_bytes({"rec.ser": packed}, zipfile.ZIP_STORED))
    crc = zlib.crc32(NOISE).to_bytes(4, "little")
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = plain.index(signature) + at
        plain[start : start + 2] = b"\x09\x00"
        plain[start + 6 : start + 10] = crc
        plain[start + 14 : start + 18] = len(NOISE).to_bytes(4, "little")
    unpack(written(folder, "a.zip", bytes(plain)), folder)
    assert tree(folder) == {"rec.ser": NOISE}


def test_a_cut_stream_gives_what_came_before(folder: Path) -> None:
    packed = gzip.compress(NOISE, 1)
    found = unpack(written(folder, "rec.ser.gz", packed[: len(packed) * 2 // 3]), folder)
    (got,) = tree(folder).values()
    assert NOISE.startswith(got)
    assert len(got) > len(NOISE) // 2
    assert [member.cut for member in found.files] == [True]
    assert found.notes == ("rec.ser.gz is cut off; what came before is used",)


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: gzip.compress(data, 1)])
def test_a_cut_tar_gives_whole_members_and_the_start_of_the_last(
    wrap: Callable[[bytes], bytes], folder: Path
) -> None:
    packed = wrap(tar_bytes({"a.ser": NOISE, "b.ser": NOISE[::-1]}))
    found = unpack(written(folder, "a.tar", packed[: len(packed) * 3 // 4]), folder)
    assert tree(folder)["a.ser"] == NOISE
    assert [(member.path, member.cut) for member in found.files] == [("a.ser", False), ("b.ser", True)]
    assert len(found.notes) == 1


def test_what_follows_a_stream_is_left_out_and_said(folder: Path) -> None:
    data = gzip.compress(NOISE) + b"\0" * 100 + gzip.compress(b"more") + b"garbage"
    found = unpack(written(folder, "rec.ser.gz", data), folder)
    assert tree(folder) == {"rec.ser": NOISE + b"more"}
    assert "does not belong to it" in found.notes[0]


def broken(data: bytes, at: float, value: int = 0xFF) -> bytes:
    place = int(len(data) * at)
    return data[:place] + bytes([data[place] ^ value]) + data[place + 1 :]


def far_rar4() -> bytes:
    """A file of almost 2^64 bytes, as its header says."""
    data = bytearray(rar4([Entry("a.ser", NOISE)]))
    at = 20  # behind signature and main header
    data[at + 4] |= 0x01  # of 4 GiB or more
    data[at + 32 : at + 36] = b"\xff" * 4
    return bytes(data)


SICK: dict[str, tuple[Callable[[], bytes], str]] = {
    "cut.zip": (lambda: zip_bytes(FILES)[:-100_000], "cut off"),
    "cut.7z": (lambda: seven_zip_bytes(FILES)[:-50_000], "cut off"),
    "cut4.rar": (lambda: rar4([Entry("a.ser", NOISE)])[:-100_000], "damaged"),
    "cut5.rar": (lambda: rar5([Entry("a.ser", NOISE)])[:-100_000], "damaged"),
    "flipped.zip": (lambda: broken(zip_bytes(FILES), 0.5), "damaged"),
    "flipped.7z": (lambda: broken(seven_zip_bytes(FILES), 0.3), "damaged"),
    "flipped4.rar": (lambda: broken(rar4([Entry("a.ser", NOISE)]), 0.5), "damaged"),
    "flipped5.rar": (lambda: broken(rar5([Entry("a.ser", NOISE)]), 0.5), "damaged"),
    "flipped.gz": (lambda: broken(SINGLE["gz"](NOISE), 0.5), "damaged after"),
    "flipped.bz2": (lambda: broken(SINGLE["bz2"](NOISE), 0.5), "damaged after"),
    "flipped.xz": (lambda: broken(SINGLE["xz"](NOISE), 0.5), "damaged after"),
    "flipped.tar": (
        lambda: broken(tar_bytes({"a": b"1" * 2000, "b": b"2"}), (2048 + 512 + 30) / 10240),
        "header",
    ),
    "locked.7z": (lambda: seven_zip_bytes({"a": NOISE}, password="x"), "encrypted"),
    "hidden.7z": (lambda: seven_zip_bytes({"a": NOISE}, password="x", header_encryption=True), "encrypted"),
    "locked4.rar": (lambda: rar4([Entry("a", NOISE)], main_flags=0x80), "encrypted"),
    "locked5.rar": (lambda: rar5([], encrypted=True), "encrypted"),
    "part4.rar": (lambda: rar4([Entry("a", NOISE)], main_flags=0x01), "one part of several"),
    "part5.rar": (lambda: rar5([Entry("a", NOISE)], archive_flags=0x01), "one part of several"),
    "part.zip": (lambda: b"PK\x07\x08" + zip_bytes({"a": NOISE})[:5000], "one part of several"),
    "far4.rar": (far_rar4, r"damaged: Header CRC error; "),
    "nul.zip": (lambda: zip_bytes({"e": b"x"}).replace(b"e", b"\0"), "no file in it; .*NUL"),
    "none.zip": (lambda: zip_bytes({}), "no file"),
    "nothing.zip": (lambda: b"PK\x03\x04", "no end"),
}


@pytest.mark.parametrize("name", SICK)
def test_what_cannot_be_unpacked_is_one_data_error_and_leaves_nothing(name: str, folder: Path) -> None:
    if name.endswith(".rar"):
        require("rar")
    made, message = SICK[name]
    with pytest.raises(DataError, match=message) as caught:
        unpack(written(folder, name, made()), folder)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(folder.iterdir()) == []


def test_an_encrypted_zip(folder: Path) -> None:
    data = bytearray(zip_bytes({"a": NOISE}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    with pytest.raises(DataError, match=r"a\.zip: a is encrypted"):
        unpack(written(folder, "a.zip", bytes(data)), folder)


def test_a_damaged_archive_inside_is_left_packed_and_said(folder: Path) -> None:
    sick = broken(zip_bytes({"b.ser": NOISE, "a.txt": b"x"}), 0.5)
    found = unpack(written(folder, "a.zip", zip_bytes({"in.zip": sick, "notes.txt": b"n"})), folder)
    assert set(tree(folder)) == {"in.zip", "notes.txt"}
    assert found.notes[0].startswith("left packed: in.zip: b.ser is damaged")


def test_without_libarchive_a_rar_names_the_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBARCHIVE", "libarchive-is-not-here.so.13")
    with pytest.raises(ResourceError, match=r"a\.rar: .*libarchive13"):
        unpack(written(folder, "a.rar", rar5([Entry("a", b"a")])), folder)


def test_an_archive_that_is_not_there(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(RequestError, match=r"gone\.zip"):
        unpack(tmp_path / "gone.zip", folder)


def test_progress_ends_at_the_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    seen: list[tuple[int, int]] = []
    archive = written(folder, "a.tar", tar_bytes({f"{k}": NOISE for k in range(3)}))
    unpack(archive, folder, lambda done, total: seen.append((done, total)))
    assert all(0 <= done <= total == archive.stat().st_size for done, total in seen)


def test_a_process_that_does_not_get_on_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def sleeper(*_: object) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=-1))
        return started[0]

    monkeypatch.setattr(process, "_start", sleeper)
    limits = Limits(written=1 << 20, stall_s=0.2)
    with pytest.raises(DataError, match=r"did not get on for 0\.2 s"):
        unpack(written(folder, "a.zip", zip_bytes(FILES)), folder, limits=limits)
    assert started[0].returncode == -signal.SIGKILL


def test_an_interrupt_ends_the_process_and_leaves_nothing(tmp_path: Path, folder: Path) -> None:
    """A second process unpacks what would take long, and gets the signal of Ctrl-C."""
    packed = SINGLE["xz"](bytes(30_000_000))
    slow = zip_bytes({f"{k}.xz": packed for k in range(100)}, zipfile.ZIP_STORED)
    archive = written(folder, "a.zip", slow)
    code = textwrap.dedent(f"""
        from pathlib import Path
        from ingest.archives.limits import Limits
        from ingest.archives.process import unpack
        limits = Limits(written=1 << 40, ratio=10**9)
        unpack(Path({str(archive)!r}), Path({str(folder)!r}), lambda *_: print("on", flush=True), limits)
    """)
    outer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert outer.stdout is not None
    assert outer.stdout.readline() == b"on\n"
    inner = list(below(outer.pid))
    outer.send_signal(signal.SIGINT)
    assert outer.wait(300) != 0
    outer.stdout.close()
    assert inner
    assert all_gone(inner, 60.0)
    assert list(folder.iterdir()) == []
