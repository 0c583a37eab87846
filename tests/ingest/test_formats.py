import gzip
import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.formats import FORMATS, expand, open_in_place, open_source, recognise
from reduction.errors import DataError, RequestError, UmbraError
from reduction.stack import Stack
from tests.ingest.fits_writer import write_fits
from tests.ingest.ser_writer import starry, write_ser

FRAMES = starry(3, 9, 11, sky=40, peak=90, top=255)


def test_every_row_can_be_opened() -> None:
    for row in FORMATS:
        module, function = row.opener.split(":")
        assert callable(getattr(importlib.import_module(module), function))
    assert len({row.name for row in FORMATS}) == len(FORMATS)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    for source in (
        open_source(write_ser(tmp_path / "a.fits", FRAMES)),
        open_source(write_fits(tmp_path / "a.ser", FRAMES)),
        open_source(write_fits(tmp_path / "b.gz", FRAMES)),
    ):
        np.testing.assert_array_equal(next(source.blocks(3)).frames, FRAMES)


def test_in_place_gives_a_stack(tmp_path: Path) -> None:
    assert isinstance(open_in_place(write_ser(tmp_path / "a.ser", FRAMES)), Stack)


@pytest.mark.parametrize("name", ["missing.ser", "*.ser", "none/*.fits", "bad\0name"])
def test_what_is_not_there_is_a_request_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match=r"no such file|matches no file"):
        open_source(tmp_path / name)


def test_no_input() -> None:
    with pytest.raises(RequestError, match="no input"):
        open_source([])


def test_globs_stand_in_natural_order_and_names_with_brackets_are_names(tmp_path: Path) -> None:
    for i in (10, 2, 1):
        write_ser(tmp_path / f"x{i}.ser", FRAMES)
    odd = write_ser(tmp_path / "y[1].ser", FRAMES)
    assert [path.name for path in expand(str(tmp_path / "x*.ser"))] == ["x1.ser", "x2.ser", "x10.ser"]
    assert expand([odd, odd]) == [odd]


def test_one_recording_at_a_time(tmp_path: Path) -> None:
    paths = [write_ser(tmp_path / f"x{i}.ser", FRAMES) for i in range(2)]
    with pytest.raises(RequestError, match="2 inputs"):
        open_source(paths)
    with pytest.raises(DataError, match=r"x0\.ser: not a FITS file"):
        open_source([write_fits(tmp_path / "a.fits", FRAMES[0]), paths[0]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"r\.ser: the file is empty"),
        (b"hello, world", r"r\.ser: not a recording: begins with b'hello, world'.*ser.*fits"),
        (gzip.compress(b"hello", mtime=0), r"r\.ser: an archive; .*umbra unpack"),
        (b"\x1f\x8b\x08 not gzip at all", r"r\.ser: not a recording"),
    ],
)
def test_what_is_no_recording(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "r.ser"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_source(path)


def test_folder_without_a_recording(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DataError, match="a folder without a recording"):
        open_source(tmp_path)


def test_a_device_is_no_recording() -> None:
    with pytest.raises(DataError, match="neither a file nor a folder"):
        recognise(Path("/dev/null"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([b"", b"LUCAM-RECORDER", b"SIMPLE  =", b"SIMPLE  =" + b" " * 20 + b"T", b"\x1f\x8b"]),
    st.binary(max_size=400),
    st.integers(0, 4000),
)
def test_random_bytes_are_explained(tmp_path: Path, magic: bytes, rest: bytes, padding: int) -> None:
    path = tmp_path / "random.bin"
    path.write_bytes(magic + rest + bytes(padding))
    try:
        source = open_source(path)
    except UmbraError as error:
        message = str(error)
        assert "random.bin" in message
    else:
        source.close()
