"""FITS export: strict headers, complete times, and the same recording when read again."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ingest.export as export_module
from ingest.convert import convert
from ingest.export import export_fits, parse_frames
from ingest.export_cli import export
from ingest.fits_cards import Card, ascii_text, commentary, header_bytes
from ingest.fits_time_cards import errors_of, mjd
from ingest.formats import open_source
from ingest.inspection import inspect_recording
from ingest.timeoptions import TimeOptions
from reduction.errors import DataError, RequestError, ResourceError
from reduction.stack import FrameBlock, FrameSource, SourceInfo
from reduction.timing import UNKNOWN_NS, Correction, TimeSolution, no_times
from tests.contracts.sources import collect
from tests.ingest.picture_writer import png_bytes, write_folder
from tests.ingest.ravf_writer import write_ravf
from tests.ingest.ser_writer import starry, utc_ns, write_ser

T0 = utc_ns("2026-12-31T23:59:59") + 123_456_789
STAMPS = [T0 + k * 333_333_333 for k in range(7)]


def ser(tmp_path: Path, top: int = 65535, colour: int = 0, stamps: bool = True) -> Path:
    frames = starry(7, 12, 18, sky=top / 9, peak=top / 3, top=top)
    if colour >= 100:
        frames = np.stack([frames, frames // 2, frames // 3], axis=-1)
    return write_ser(tmp_path / "a night.ser", frames, colour=colour, stamps_ns=STAMPS if stamps else None)


def astrid(tmp_path: Path) -> Path:
    frames = starry(7, 12, 18, sky=90, peak=300, top=1023)
    rows = {3: {"almanac": 1}}
    extra = [("LONGITUDE", 9, 12.5), ("ALTITUDE", 9, 310.0)]
    return write_ravf(
        tmp_path / "r.ravf", frames, image_format=2, colour=2, stamps_ns=STAMPS, gps=rows, extra=extra,
        exposure_ns=250_000_001, padding=6,
    )  # fmt: skip


def partly_timed(tmp_path: Path) -> Path:
    frames = starry(7, 12, 18, sky=90, peak=300, top=1023)
    stamps = [0 if k in {0, 4} else ns for k, ns in enumerate(STAMPS)]
    return write_ravf(tmp_path / "p.ravf", frames, image_format=2, stamps_ns=stamps)


class Held:
    """Frames in memory as a recording without times."""

    def __init__(self, frames: NDArray[Any]) -> None:
        self.info = SourceInfo("held", "held", frames.shape, frames.dtype.name)
        self.times = no_times(len(frames))
        self._frames = frames

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        for first in range(start, len(self._frames), size):
            yield FrameBlock(first, self._frames[first : first + size])

    def close(self) -> None:
        """Nothing is open."""


RECORDINGS: dict[str, Callable[[Path], Path]] = {
    "16 bit": ser,
    "8 bit": lambda path: ser(path, 255),
    "mosaic": lambda path: ser(path, colour=10),
    "complementary": lambda path: ser(path, colour=16),
    "colour": lambda path: ser(path, 255, 100),
    "without times": lambda path: ser(path, stamps=False),
    "GPS": astrid,
    "some times": partly_timed,
    "pictures": lambda path: write_folder(
        path / "n", [png_bytes(p) for p in starry(7, 9, 8, sky=9, peak=9, top=255)], ".png"
    ),
}


def exported(path: Path, goal: Path, **more: Any) -> FrameSource:
    source = open_source(path)
    export_fits(source, goal, **more)
    return source


def files(goal: Path) -> list[Path]:
    return sorted(goal.iterdir())


@pytest.mark.parametrize("cube", [False, True])
@pytest.mark.parametrize("kind", RECORDINGS)
def test_read_again_it_is_the_same_recording(tmp_path: Path, kind: str, cube: bool) -> None:
    goal = tmp_path / "out"
    source = exported(RECORDINGS[kind](tmp_path), goal, cube=cube)
    again = open_source(goal)
    np.testing.assert_array_equal(collect(again, 4), collect(source, 3))
    assert again.info.shape == source.info.shape
    assert again.info.dtype == source.info.dtype
    assert (again.info.colour, again.info.bit_depth) == (source.info.colour, source.info.bit_depth)
    np.testing.assert_array_equal(again.times.known, source.times.known)
    known = source.times.known
    assert np.abs(again.times.mid_ns - source.times.mid_ns)[known].max(initial=0) <= 501
    np.testing.assert_allclose(again.times.exposure_s[known], source.times.exposure_s[known], rtol=1e-15)
    np.testing.assert_allclose(again.times.sigma_s[known], source.times.sigma_s[known], atol=6e-7)
    assert inspect_recording(again).pixel_digest == inspect_recording(source).pixel_digest


@pytest.mark.parametrize("cube", [False, True])
@pytest.mark.parametrize("kind", RECORDINGS)
def test_astropy_finds_nothing_to_mend(tmp_path: Path, kind: str, cube: bool) -> None:
    source = exported(RECORDINGS[kind](tmp_path), tmp_path / "out", cube=cube)
    for path in files(tmp_path / "out"):
        with fits.open(path) as hdus:
            hdus.verify("exception")
            header = hdus[0].header
            assert header["PIXDIGST"] == inspect_recording(source).pixel_digest
            assert header["TIMDIGST"] == source.times.digest
            assert header["TIMESYS"] == "UTC"
            assert header["SRCNAME"] == source.info.name
            assert header["CREATOR"].startswith("Umbra ")
        assert path.stat().st_size % 2880 == 0


def test_all_time_keywords_agree_with_astropys_arithmetic(tmp_path: Path) -> None:
    exported(astrid(tmp_path), tmp_path / "out")
    for number, path in enumerate(files(tmp_path / "out")):
        header = fits.getheader(path)
        start = Time(STAMPS[number] // 1_000_000_000, STAMPS[number] % 1_000_000_000 * 1e-9, format="unix")
        mid, end = (start.unix + half * 0.125 for half in (1, 2))
        for key, instant in (
            ("DATE-OBS", start.unix),
            ("DATE-BEG", start.unix),
            ("DATE-AVG", mid),
            ("DATE-END", end),
        ):
            assert Time(header[key], scale="utc").unix == pytest.approx(instant, abs=2e-6)
        assert header["MJD-AVG"] == pytest.approx(Time(header["DATE-AVG"], scale="utc").mjd, abs=2e-11)
        assert header["EXPTIME"] == header["XPOSURE"] == 0.250000001
        assert header["TREFPOS"] == "TOPOCENT"
        assert header["TIMEUNIT"] == "s"
        both = np.hypot(header["TIMSYER"], header["TIMRDER"])
        assert both == pytest.approx(1.0 if number == 3 else 1e-6, rel=1e-3)
        assert header["FRAMENO"] == number


def test_what_is_wrong_on_all_frames_alike_is_told_from_what_is_not() -> None:
    """The ledger's corrections are systematic: 3 and 4 ms make 5; a frame's own error is what is left."""
    ledger = (
        Correction("clock", "stamp", "utc", 0.1, 0.003, "a person"),
        Correction("stamp meaning", "utc", "mid-exposure", 0.02, 0.004, "a person"),
    )
    sigma = np.array([0.013, 0.005, 0.002, np.nan])
    known = np.array([1, 2, 3, UNKNOWN_NS])
    times = TimeSolution(known, sigma, np.full(4, 0.04), "start", "test", ledger)
    common, own = errors_of(times, slice(0, 4))
    np.testing.assert_allclose(common, [0.005, 0.005, 0.002, np.nan])
    np.testing.assert_allclose(own, [0.012, 0.0, 0.0, np.nan], atol=1e-12)


def test_a_frame_without_a_time_has_no_time_keywords_and_says_so(tmp_path: Path) -> None:
    exported(partly_timed(tmp_path), tmp_path / "out")
    for number, path in enumerate(files(tmp_path / "out")):
        header = fits.getheader(path)
        keys = {"DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END", "MJD-AVG", "MJD-BEG", "TIMSYER", "TIMRDER"}
        assert keys & set(header) == (set() if number in {0, 4} else keys)
        assert ("The time of this frame is not known" in str(header["COMMENT"])) == (number in {0, 4})


def test_people_instruments_place_and_caveats(tmp_path: Path) -> None:
    exported(astrid(tmp_path), tmp_path / "out")
    header = fits.getheader(files(tmp_path / "out")[0])
    assert header["OBSERVER"] == "A. Observer"  # FITS holds ASCII alone
    assert (header["TELESCOP"], header["INSTRUME"], header["OBJECT"]) == (
        "Telescope",
        "Camera 1",
        "(411) Xanthe",
    )
    assert (header["GAIN"], header["BAYERPAT"], header["BITDEPTH"]) == (8.5, "GRBG", 10)
    assert (header["OBSGEO-B"], header["OBSGEO-L"], header["OBSGEO-H"]) == (-33.5, 12.5, 310.0)
    text = " ".join(str(header["COMMENT"]).split())
    assert "gps-almanac-uncertain" in text
    assert "stamp meaning, from recorded stamp to mid-exposure: +0.125" in " ".join(
        str(header["HISTORY"]).split()
    )


def test_from_a_stack_and_from_what_it_was_made_of(tmp_path: Path) -> None:
    source = open_source(ser(tmp_path, 255), TimeOptions(meaning="start"))
    stack = convert(source, tmp_path / "s.zarr")
    export_fits(source, tmp_path / "one", frames=range(2, 5))
    export_fits(stack, tmp_path / "two", frames=range(2, 5))
    names = [path.name for path in files(tmp_path / "one")]
    assert names == [f"a_night_{k:06d}.fits" for k in range(2, 5)]
    for one, two in zip(files(tmp_path / "one"), files(tmp_path / "two"), strict=True):
        a, b = fits.getheader(one), fits.getheader(two)
        assert a["DATE-OBS"] == b["DATE-OBS"]
        assert "PIXDIGST" not in a  # of a part it is not known without reading all
        assert b["PIXDIGST"] == stack.digest
        assert (b["SRCNAME"], b["SRCFMT"]) == ("a night.ser", "ser")
        np.testing.assert_array_equal(fits.getdata(one), fits.getdata(two))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_every_pixel_type(tmp_path: Path, dtype: str) -> None:
    kind = np.dtype(dtype)
    rng = np.random.default_rng(1)
    if kind.kind == "f":
        frames = rng.normal(0, 1e3, (3, 5, 4)).astype(kind)
        frames[0, 0, 0] = np.nan
    else:
        info = np.iinfo(kind)
        frames = rng.integers(info.min, info.max, (3, 5, 4), kind, endpoint=True)
        frames[0, 0, :2] = info.min, info.max
    export_fits(Held(frames), tmp_path / "out")
    for frame, path in zip(frames, files(tmp_path / "out"), strict=True):
        np.testing.assert_array_equal(fits.getdata(path), frame)


class TestFrames:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [(None, range(9)), (":", range(9)), ("2:5", range(2, 5)), ("7:", range(7, 9)), (":1", range(1))],
    )
    def test_spans(self, text: str | None, expected: range) -> None:
        assert parse_frames(text, 9) == expected

    @pytest.mark.parametrize("text", ["3", "a:b", "5:5", "5:2", "0:10", "-1:3", "9:", "1:2:3"])
    def test_others_are_refused(self, text: str) -> None:
        with pytest.raises(RequestError, match="--frames"):
            parse_frames(text, 9)


class TestGoal:
    def test_a_folder_that_is_there_is_refused_and_replaced_when_told(self, tmp_path: Path) -> None:
        exported(ser(tmp_path), tmp_path / "out")
        with pytest.raises(RequestError, match="--overwrite"):
            exported(ser(tmp_path), tmp_path / "out")
        exported(ser(tmp_path), tmp_path / "out", frames=range(1), overwrite=True)
        assert len(files(tmp_path / "out")) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a night.ser", "out"]

    @pytest.mark.parametrize("other", ["notes.txt", "sub"])
    def test_a_folder_with_something_else_is_never_replaced(self, tmp_path: Path, other: str) -> None:
        exported(ser(tmp_path), tmp_path / "out")
        (tmp_path / "out" / other).mkdir()
        with pytest.raises(RequestError, match="something else"):
            exported(ser(tmp_path), tmp_path / "out", overwrite=True)

    def test_the_folder_one_works_in_is_never_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exported(ser(tmp_path), tmp_path / "out")
        monkeypatch.chdir(tmp_path / "out")
        with pytest.raises(RequestError, match="current folder"):
            exported(ser(tmp_path), tmp_path / "out", overwrite=True)
        assert files(tmp_path / "out")

    def test_a_full_disk_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any) -> bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        path = ser(tmp_path)
        monkeypatch.setattr(export_module, "header_bytes", full)
        with pytest.raises(ResourceError, match="disk is full"):
            exported(path, tmp_path / "out")
        assert [item.name for item in tmp_path.iterdir()] == ["a night.ser"]

    def test_a_recording_that_breaks_leaves_nothing(self, tmp_path: Path) -> None:
        path = ser(tmp_path)
        source = open_source(path)
        os.truncate(path, 900)
        with pytest.raises(DataError, match="a night"):
            export_fits(source, tmp_path / "out")
        assert [item.name for item in tmp_path.iterdir()] == ["a night.ser"]


class TestCommand:
    def run(self, *arguments: object) -> int:
        return export([str(argument) for argument in arguments])

    def test_a_line_for_people_and_a_document(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = partly_timed(tmp_path)
        assert self.run(path, "--fits", tmp_path / "one") == 0
        assert "7 frames in 7 FITS files, 2 of them without a time" in capsys.readouterr().out
        assert self.run(path, "--fits", tmp_path / "two", "--frames", "1:3", "--cube", "--json") == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["files"], document["first_frame"], document["frames"]) == (1, 1, 2)
        assert document["time_source"] == "RAVF frame headers"

    def test_times_may_be_given(self, tmp_path: Path) -> None:
        start = ("--start-utc", "2026-01-01T00:00:00.000000Z", "--cadence", "0.5", "--time-is", "start")
        assert self.run(ser(tmp_path, stamps=False), "--fits", tmp_path / "out", *start) == 0
        header = fits.getheader(files(tmp_path / "out")[3])
        assert header["DATE-OBS"] == "2026-01-01T00:00:01.500000"
        assert header["EXPTIME"] == 0.5

    def test_refusals(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = ser(tmp_path)
        assert self.run(path, "--fits", tmp_path) == 2
        assert "is the input" in capsys.readouterr().err
        assert self.run(path, "--fits", tmp_path / "out", "--frames", "8:9") == 2
        assert self.run(path) == 2
        assert not (tmp_path / "out").exists()


@given(st.text(max_size=200))
def test_any_text_is_a_card(text: str) -> None:
    header = fits.Header.fromstring(header_bytes([Card("SIMPLE", True), Card("OBSERVER", text)]).decode())
    header.cards["OBSERVER"].verify("exception")
    kept = ascii_text(text).rstrip()
    assert kept.startswith(header["OBSERVER"])
    assert len(header["OBSERVER"]) >= min(34, len(kept))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63))
def test_any_number_is_a_card(value: float) -> None:
    line = Card("X", value, "a comment").line()
    assert len(line) == 80
    card = fits.Card.fromstring(line)
    card.verify("exception")
    assert card.value == value


@given(st.text(max_size=400))
def test_a_long_text_keeps_its_words(text: str) -> None:
    cards = list(commentary("COMMENT", text))
    assert all(len(str(card.value)) <= 72 for card in cards)
    joined = "".join(str(card.value) for card in cards).replace(" ", "")
    assert joined == ascii_text(text).replace(" ", "")


@pytest.mark.parametrize("ns", [0, T0, -1, utc_ns("2016-12-31T23:59:59")])
def test_mjd(ns: int) -> None:
    assert mjd(ns) == pytest.approx(40_587 + ns / 86_400e9, abs=1e-11)
