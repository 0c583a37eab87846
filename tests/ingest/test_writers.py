"""Writers against the bytes of the formats, read back without Umbra's own readers."""

import csv
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from ingest.writers import ser_ticks, write_avi, write_fits_sequence, write_ser, write_times_csv
from reduction.errors import RequestError
from reduction.timing import UNKNOWN_NS

STAMPS = 1_760_000_000_123_456_700 + np.arange(5, dtype=np.int64) * 40_000_000


def noise(dtype: str, shape: tuple[int, ...] = (5, 12, 18)) -> NDArray[Any]:
    return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize(("dtype", "order"), [("uint8", "little"), ("uint16", "little"), ("uint16", "big")])
def test_ser_bytes(tmp_path: Path, dtype: str, order: Any) -> None:
    pixels = noise(dtype)
    write_ser(tmp_path / "a.ser", pixels, stamps_ns=STAMPS, byte_order=order, observer="Ångström")
    raw = (tmp_path / "a.ser").read_bytes()
    size = np.dtype(dtype).itemsize
    head = struct.unpack("<14s7i", raw[:42])
    assert head == (b"LUCAM-RECORDER", 0, 0, int(order == "big"), 18, 12, 8 * size, 5)
    assert raw[42:82].decode().rstrip() == "Ångström"
    sample = np.dtype(dtype).newbyteorder("<" if order == "little" else ">")
    stored = np.frombuffer(raw, sample, pixels.size, 178).reshape(pixels.shape)
    np.testing.assert_array_equal(stored, pixels)
    trailer = np.frombuffer(raw, "<i8", 5, 178 + pixels.nbytes)
    np.testing.assert_array_equal((trailer - 621_355_968_000_000_000) * 100, STAMPS)
    assert struct.unpack("<2q", raw[162:178]) == (trailer[0], trailer[0])
    assert len(raw) == 178 + pixels.nbytes + 40


def test_ser_without_times_has_no_trailer(tmp_path: Path) -> None:
    write_ser(tmp_path / "a.ser", noise("uint16"), bit_depth=12, order_field=1, colour="bggr")
    raw = (tmp_path / "a.ser").read_bytes()
    assert len(raw) == 178 + 5 * 12 * 18 * 2
    assert struct.unpack("<7i", raw[14:42])[1:] == (11, 1, 18, 12, 12, 5)
    assert raw[162:178] == bytes(16)


def test_ser_colour_planes_are_interleaved(tmp_path: Path) -> None:
    pixels = noise("uint8", (2, 3, 4, 6))
    write_ser(tmp_path / "a.ser", pixels, colour="rgb")
    stored = np.fromfile(tmp_path / "a.ser", np.uint8, offset=178).reshape(2, 4, 6, 3)
    np.testing.assert_array_equal(np.moveaxis(stored, -1, 1), pixels)


def test_ticks() -> None:
    assert ser_ticks(0) / 864e9 + 1721425.5 == 2440587.5
    assert ser_ticks(UNKNOWN_NS) == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_fits_sequence(tmp_path: Path, dtype: str) -> None:
    pixels = noise(dtype)
    folder = tmp_path / "deep" / "lights"
    write_fits_sequence(
        folder, pixels, stamps_ns=STAMPS, exposure_s=0.03, gain_e_per_adu=1.5, header={"OBSERVER": "A"}
    )
    files = sorted(folder.iterdir())
    assert [f.name for f in files] == [f"frame_{i:06d}.fits" for i in range(5)]
    for file, frame in zip(files, pixels, strict=True):
        np.testing.assert_array_equal(fits.getdata(file), frame)
    header = fits.getheader(files[1])
    assert header["DATE-OBS"] == header["DATE-BEG"] == "2025-10-09T08:53:20.163457"
    assert header["DATE-AVG"] == "2025-10-09T08:53:20.178457"
    assert header["DATE-END"] == "2025-10-09T08:53:20.193457"
    assert (header["IMAGETYP"], header["EXPTIME"], header["EGAIN"]) == ("LIGHT", 0.03, 1.5)
    assert header["OBSERVER"] == "A"


def test_fits_calibration_without_times(tmp_path: Path) -> None:
    write_fits_sequence(tmp_path / "darks", noise("uint16"), image_type="DARK", stem="dark")
    header = fits.getheader(tmp_path / "darks" / "dark_000004.fits")
    assert header["IMAGETYP"] == "DARK"
    assert "DATE-OBS" not in header
    assert "EXPTIME" not in header


@pytest.mark.parametrize(
    ("dtype", "codec"),
    [
        ("uint8", "ffv1"),
        ("uint8", "ffvhuff"),
        ("uint8", "rawvideo"),
        ("uint16", "ffv1"),
    ],
)
def test_avi_is_lossless(tmp_path: Path, dtype: str, codec: Any) -> None:
    pixels = noise(dtype, (5, 32, 48))
    write_avi(tmp_path / "a.avi", pixels, rate=25.0, codec=codec)
    assert (tmp_path / "a.avi").read_bytes()[:4] == b"RIFF"
    with av.open(str(tmp_path / "a.avi")) as container:
        frames = [frame.to_ndarray() for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.name == codec
        assert container.streams.video[0].average_rate == 25
    np.testing.assert_array_equal(np.stack(frames), pixels)


def test_times_csv(tmp_path: Path) -> None:
    stamps = STAMPS.copy()
    stamps[2] = UNKNOWN_NS
    write_times_csv(tmp_path / "t.csv", stamps, 0.04)
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["frame", "utc", "exposure_s"]
    assert rows[1] == ["0", "2025-10-09T08:53:20.123456700Z", "0.04"]
    assert [row[0] for row in rows[1:]] == ["0", "1", "3", "4"]


def broken() -> Iterator[NDArray[Any]]:
    yield np.zeros((4, 6), np.uint8)
    yield np.zeros((4, 7), np.uint8)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    writes: list[Callable[[], None]] = [
        lambda: write_ser(tmp_path / "a", broken()),
        lambda: write_fits_sequence(tmp_path / "a", broken()),
        lambda: write_avi(tmp_path / "a", broken(), rate=1.0),
        lambda: write_ser(tmp_path / "a", []),
        lambda: write_ser(tmp_path / "a", noise("uint8"), stamps_ns=STAMPS[:3]),
        lambda: write_fits_sequence(tmp_path / "a", noise("uint8"), stamps_ns=STAMPS[:3]),
        lambda: write_fits_sequence(tmp_path / "a", noise("uint8")[:2], stamps_ns=STAMPS),
    ]
    for write in writes:
        with pytest.raises(RequestError):
            write()
        assert list(tmp_path.iterdir()) == []
