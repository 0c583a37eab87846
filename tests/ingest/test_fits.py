import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from astropy.table import Table
from numpy.typing import NDArray

from ingest.formats import open_in_place, open_source
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat
from reduction.errors import DataError, UmbraError
from reduction.stack import Stack
from reduction.timing import utc_text
from tests.contracts.sources import Recording, StackContract, collect
from tests.ingest.fits_writer import Value, fits_bytes, header, write_fits, write_tiles
from tests.ingest.ser_writer import starry, utc_ns
from tests.sample_data import sample

START = utc_ns("2026-03-01T23:59:58") + 250_000_000
STEP = 500_000_000
EXPOSURE = 0.4
MID = np.array([START + i * STEP + 200_000_000 for i in range(9)])
Cards = dict[str, Value | tuple[Value, str]]


def stamp(i: int, offset_ns: int = 0) -> str:
    return utc_text(START + i * STEP + offset_ns, 3).rstrip("Z")


def caveats(stack: Stack) -> set[Caveat]:
    return {note.caveat for note in (*stack.info.notes, *stack.times.notes)}


def opened(paths: Any, times: TimeOptions | None = None) -> Stack:
    stack = open_in_place(paths, times)
    assert stack is not None
    return stack


def sequence(folder: Path, frames: NDArray[Any], cards: Any = lambda _: {}, suffix: str = ".fits") -> Path:
    """A file per frame, named so that the order of letters is not the order of numbers."""
    folder.mkdir(exist_ok=True)
    for i, frame in enumerate(frames):
        write_fits(folder / f"a{i}{suffix}", frame, cards(i))
    return folder


def dated(i: int) -> Cards:
    return {"DATE-OBS": stamp(i), "EXPTIME": EXPOSURE}


def pictures(count: int = 9, top: int = 65535) -> NDArray[Any]:
    return starry(count, 13, 17, sky=top / 9, peak=top / 3, top=top)


class TestFolder(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = pictures()
        folder = sequence(tmp_path / "night", frames, dated)
        (folder / "notes.txt").write_text("clear sky")
        (folder / ".hidden.fits").write_bytes(b"")
        return Recording([folder], "fits", frames, MID)


class TestList(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = pictures(11, 255)
        folder = sequence(tmp_path / "night", frames)
        return Recording(sorted(folder.iterdir()), "fits", frames)


class TestCube(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = pictures().astype(np.float32)
        frames[3, 2:5] = np.nan
        cards: Cards = {"DATE-OBS": stamp(0), "EXPTIME": EXPOSURE, "CADENCE": STEP * 1e-9}
        return Recording([write_fits(tmp_path / "cube.fits", frames, cards)], "fits", frames, MID)


class TestGzip(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = pictures()
        folder = sequence(tmp_path / "night", frames, dated, ".fits.gz")
        return Recording([folder], "fits", frames, MID)


class TestGzipCube(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = pictures(9, 255)
        return Recording([write_fits(tmp_path / "cube.fits.gz", frames)], "fits", frames)


class TestTiles(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = pictures()
        folder = tmp_path / "night"
        folder.mkdir()
        for i, frame in enumerate(frames):
            write_tiles(folder / f"a{i}.fits.fz", frame, {"DATE-OBS": stamp(i), "EXPTIME": EXPOSURE})
        return Recording([folder], "fits", frames, MID)


class TestTiledCube(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = pictures().astype(np.int16) // 4
        return Recording([write_tiles(tmp_path / "cube.fits.fz", frames)], "fits", frames)


class TestColour(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        frames = np.stack([pictures(9, 255)] * 3, axis=1)
        frames[:, 1] //= 2
        folder = sequence(tmp_path / "night", frames, dated)
        return Recording([folder], "fits", frames, MID, "rgb")


def test_the_first_extension_with_an_image_is_taken(tmp_path: Path) -> None:
    frame = pictures(1)[0]
    path = tmp_path / "a.fits"
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), astropy_fits.ImageHDU(frame)]).writeto(path)
    np.testing.assert_array_equal(opened(path).read(0, 1)[0], frame)


@pytest.mark.parametrize("code", ["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_types_are_kept_as_recorded(tmp_path: Path, code: str) -> None:
    rng = np.random.default_rng(2)
    values = rng.integers(0, 256, (2, 5, 7)) if code == "u1" else rng.normal(3e4, 1e4, (2, 5, 7))
    frames = np.clip(values, 0, 65535).astype(code)
    stack = opened(write_fits(tmp_path / "a.fits", frames))
    assert stack.info.dtype == np.dtype(code).name
    np.testing.assert_array_equal(stack.read(0, 2), frames)


def test_real_scaling_and_blank_give_floats(tmp_path: Path) -> None:
    frame = np.arange(35, dtype=np.int16).reshape(5, 7)
    path = write_fits(tmp_path / "a.fits", frame, {"BSCALE": 0.5, "BZERO": 10.0, "BLANK": 4})
    stack = opened(path)
    expected = frame * 0.5 + 10
    expected[frame == 4] = np.nan
    assert stack.info.dtype == "float32"
    np.testing.assert_array_equal(stack.read(0, 1)[0], expected.astype(np.float32))
    with astropy_fits.open(path) as hdus:
        np.testing.assert_array_equal(stack.read(0, 1)[0], hdus[0].data)


def test_natural_order_of_names_not_of_letters(tmp_path: Path) -> None:
    frames = pictures(12, 255)
    folder = sequence(tmp_path / "night", frames, dated)
    np.testing.assert_array_equal(opened(str(folder / "*.fits")).read(0, 12), frames)


def test_times_that_decrease_are_a_caveat_and_no_reordering(tmp_path: Path) -> None:
    frames = pictures(5, 255)
    folder = sequence(tmp_path / "night", frames, lambda i: dated(7 - i if i == 3 else i))
    stack = opened(folder)
    np.testing.assert_array_equal(stack.read(0, 5), frames)
    assert Caveat.TIMES_NOT_MONOTONIC in caveats(stack)


@pytest.mark.parametrize(
    ("cards", "mid_offset_ns", "caveat"),
    [
        (lambda i: {"DATE-OBS": stamp(i)}, 250_000_000, Caveat.EXPOSURE_ASSUMED),
        (lambda i: {"DATE-OBS": (stamp(i), "mid-exposure"), "EXPTIME": 0.4}, 0, None),
        (lambda i: {"DATE-OBS": (stamp(i), "end of exposure"), "EXPOSURE": 0.4}, -200_000_000, None),
        (lambda i: {"DATE-OBS": stamp(i), "EXPTIME": (400, "[ms]")}, 200_000_000, None),
        (lambda i: {"DATE-OBS": stamp(i) + "+00:00", "XPOSURE": "0.4"}, 200_000_000, None),
        (lambda i: {"DATE-OBS": stamp(i)[:10], "TIME-OBS": stamp(i)[11:], "EXPTIME": 0.4}, 200_000_000, None),
        (lambda i: {"DATE-OBS": stamp(i)[:10], "UT": stamp(i)[11:], "EXPTIME": 0.4}, 200_000_000, None),
        (lambda i: {"DATE-BEG": stamp(i), "DATE-END": stamp(i, 400_000_000)}, 200_000_000, None),
        (lambda i: {"DATE-AVG": stamp(i), "DATE-OBS": stamp(i, -(10**9)), "EXPTIME": 0.4}, 0, None),
        (lambda i: {"DATE-END": stamp(i), "EXPTIME": 0.4}, -200_000_000, None),
        (lambda i: {"MJD-OBS": str(start_mjd(i)), "EXPTIME": 0.4}, 200_000_000, None),
        (lambda i: {"MJD-AVG": start_mjd(i), "EXPTIME": 0.4}, 0, None),
        (lambda i: {"JD": (start_mjd(i) + 2400000.5, "start"), "EXPTIME": 0.4}, 200_000_000, None),
        (lambda i: {"JD": start_mjd(i) + 2400000.5, "EXPTIME": 0.4}, 0, Caveat.TIME_MEANING_ASSUMED),
    ],
)
def test_time_keywords(tmp_path: Path, cards: Any, mid_offset_ns: int, caveat: Caveat | None) -> None:
    times = opened(sequence(tmp_path / "night", pictures(6, 255), cards)).times
    expected = np.array([START + i * STEP + mid_offset_ns for i in range(6)])
    tolerance = 41_000 if times.source == "FITS JD" else 1_000
    assert np.abs(times.mid_ns - expected).max() <= tolerance
    found = {note.caveat for note in times.notes}
    assert found == ({caveat} if caveat else set())


def start_mjd(i: int) -> float:
    return (START + i * STEP) / 86_400e9 + 40_587


@pytest.mark.parametrize(("scale", "ahead_s"), [("TT", 69.184), ("TAI", 37.0), ("GPS", 18.0), ("UTC", 0.0)])
def test_time_scales_are_converted(tmp_path: Path, scale: str, ahead_s: float) -> None:
    ahead = round(ahead_s * 1e9)
    folder = sequence(
        tmp_path / "night",
        pictures(3, 255),
        lambda i: {"DATE-BEG": stamp(i, ahead), "EXPTIME": EXPOSURE, "TIMESYS": scale},
    )
    np.testing.assert_array_equal(opened(folder).times.mid_ns, MID[:3])


def test_an_unknown_time_scale_gives_no_times(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "night", pictures(3, 255), lambda i: {**dated(i), "TIMESYS": "TCB"})
    stack = opened(folder)
    assert not stack.times.known.any()
    assert any(note.message.startswith("TIMESYS") for note in stack.times.notes)


def test_whole_second_clock(tmp_path: Path) -> None:
    start = utc_ns("2026-03-01T21:00:00")
    cards = lambda i: {"DATE-OBS": utc_text(start + i * 2 * 10**9, 0).rstrip("Z"), "EXPTIME": 1.5}  # noqa: E731
    stack = opened(sequence(tmp_path / "night", pictures(4, 255), cards))
    assert Caveat.WHOLE_SECONDS in caveats(stack)
    np.testing.assert_array_equal(stack.times.sigma_s, 0.5)
    np.testing.assert_array_equal(stack.times.mid_ns, [start + i * 2 * 10**9 + 750_000_000 for i in range(4)])


def test_time_is_speaks_of_date_obs(tmp_path: Path) -> None:
    cards = lambda i: {"DATE-OBS": stamp(i), "DATE-BEG": stamp(i), "EXPTIME": 0.4}  # noqa: E731
    folder = sequence(tmp_path / "night", pictures(4, 255), cards)
    times = opened(folder, TimeOptions(meaning="end")).times
    np.testing.assert_array_equal(times.mid_ns, MID[:4] - 400_000_000)
    assert times.source == "FITS DATE-OBS"


def test_frames_without_times_are_unknown(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "night", pictures(5, 255), lambda i: {} if i == 2 else dated(i))
    stack = opened(folder)
    np.testing.assert_array_equal(stack.times.known, [True, True, False, True, True])
    assert Caveat.TIMES_PARTIAL in caveats(stack)


def test_cube_with_a_table_of_times(tmp_path: Path) -> None:
    path = tmp_path / "cube.fits"
    hdus = astropy_fits.HDUList([astropy_fits.PrimaryHDU(pictures())])
    table = Table({"DATE-BEG": [stamp(i) for i in range(9)], "EXPTIME": np.full(9, EXPOSURE)})
    hdus.append(astropy_fits.BinTableHDU(table))
    hdus.writeto(path)
    times = opened(path).times
    np.testing.assert_array_equal(times.mid_ns, MID)
    assert times.source == "FITS table column DATE-BEG"


def test_cube_with_only_its_beginning_has_no_times(tmp_path: Path) -> None:
    stack = opened(write_fits(tmp_path / "c.fits", pictures(), {"DATE-OBS": stamp(0), "EXPTIME": 0.4}))
    assert not stack.times.known.any()
    assert any("beginning" in note.message for note in stack.times.notes)


def test_a_cadence_that_the_end_contradicts_is_not_used(tmp_path: Path) -> None:
    cards: Cards = {"DATE-OBS": stamp(0), "DATE-END": stamp(90), "CADENCE": 0.5}
    assert not opened(write_fits(tmp_path / "c.fits", pictures(), cards)).times.known.any()


def test_a_truncated_cube_keeps_whole_frames(tmp_path: Path) -> None:
    frames = pictures()
    path = write_fits(tmp_path / "c.fits", frames)
    os.truncate(path, 2880 + 13 * 17 * 2 * 5 + 40)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, stack.info.frames), frames[:5])
    assert Caveat.FILE_TRUNCATED in caveats(stack)


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz", ".fits.fz"])
@pytest.mark.parametrize("left", [0, 1, 30, 0.4])
def test_a_truncated_last_file_is_left_out(tmp_path: Path, suffix: str, left: float) -> None:
    frames = starry(4, 64, 64, sky=3000, peak=9000, top=65535)
    folder = sequence(tmp_path / "night", frames[:3], dated, suffix.replace(".fz", ""))
    last = folder / f"a3{suffix}"
    (write_tiles if suffix == ".fits.fz" else write_fits)(last, frames[3])
    os.truncate(last, int(left if left >= 1 or not left else last.stat().st_size * left))
    stack = opened(folder)
    np.testing.assert_array_equal(stack.read(0, stack.info.frames), frames[:3])
    assert Caveat.FILE_TRUNCATED in caveats(stack)
    assert any(f"a3{suffix}" in note.message for note in stack.info.notes)


def test_a_last_file_that_is_something_else_is_an_error(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "night", pictures(3))
    (folder / "a3.fits").write_bytes(b"not a picture, whatever its name" * 200)
    with pytest.raises(DataError, match=r"a3\.fits: not a FITS file"):
        open_source(folder)


def test_files_that_differ_are_named(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "night", pictures(3))
    write_fits(folder / "a1.fits", pictures(1)[0, :5])
    with pytest.raises(DataError, match=r"a1\.fits: 17 x 5 uint16, but a0\.fits is 17 x 13 uint16"):
        open_source(folder)
    write_fits(folder / "a1.fits", pictures(1)[0].astype(np.float32))
    with pytest.raises(DataError, match=r"a1\.fits.*float32"):
        open_source(folder)


def test_image_types(tmp_path: Path) -> None:
    words = ["Light Frame", "DARK", "Bias", "LIGHT", "Flat Field", "PolarAlign", "Dark Frame"]
    frames = pictures(7, 255)
    stack = opened(sequence(tmp_path / "night", frames, lambda i: {"IMAGETYP": words[i]}))
    np.testing.assert_array_equal(stack.read(0, 3), frames[[0, 3, 5]])
    messages = {note.caveat: note.message for note in stack.info.notes}
    assert "PolarAlign" in messages[Caveat.IMAGE_TYPE_UNKNOWN]
    assert messages[Caveat.FRAMES_EXCLUDED].endswith("1 bias, 2 dark, 1 flat")


def test_a_folder_of_darks_opens(tmp_path: Path) -> None:
    stack = opened(sequence(tmp_path / "darks", pictures(3, 255), lambda _: {"IMAGETYP": "Dark"}))
    assert stack.info.frames == 3
    assert stack.info.metadata["image_type"] == "Dark"


@pytest.mark.parametrize(
    ("cards", "gain", "noise"),
    [
        ({"EGAIN": 1.5, "RDNOISE": 3.2}, 1.5, 3.2),
        ({"GAIN": 120, "READNOIS": (4.0, "electrons")}, None, 4.0),
        ({"GAIN": (0.8, "gain in e-/ADU"), "RDNOISE": (4.0, "ADU")}, 0.8, None),
        ({"GAIN": (3.9, "camera setting")}, None, None),
    ],
)
def test_gain_and_read_noise_only_where_unmistakable(
    tmp_path: Path, cards: Cards, gain: float | None, noise: float | None
) -> None:
    info = opened(write_fits(tmp_path / "a.fits", pictures(1)[0], cards)).info
    assert (info.gain_e_per_adu, info.read_noise_e) == (gain, noise)


def test_bayer_pattern_with_offsets(tmp_path: Path) -> None:
    cards: Cards = {"BAYERPAT": "RGGB", "XBAYROFF": 1, "YBAYROFF": 0}
    assert opened(write_fits(tmp_path / "a.fits", pictures(1)[0], cards)).info.colour == "grbg"


@pytest.mark.parametrize(
    "damage",
    [
        {"NAXIS1": -4},
        {"NAXIS1": 0},
        {"NAXIS1": 2_000_000_000, "NAXIS2": 2_000_000_000},
        {"NAXIS2": 60_000},
        {"NAXIS3": 10**12},
        {"BITPIX": 17},
        {"NAXIS": 999},
        {"NAXIS": 1},
        {"NAXIS": 0},
        {"BITPIX": "x"},
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_lying_headers(tmp_path: Path, damage: Cards, packed: bool) -> None:
    cards: Cards = {"SIMPLE": True, "BITPIX": 16, "NAXIS": 3, "NAXIS1": 17, "NAXIS2": 13, "NAXIS3": 4}
    path = tmp_path / ("liar.fits.gz" if packed else "liar.fits")
    import gzip

    data = header(cards | damage) + bytes(2880)
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match=r"liar\.fits"):
        collect(open_source(path), 2)


def test_damaged_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    cards: Cards = {"BSCALE": 1.0, "DATE-OBS": stamp(0), "EXPTIME": 0.4, "TIMESYS": "UTC", "JD": 2460000.5}
    wholes = [
        ("d.fits", fits_bytes(pictures(4).astype(np.int16), cards)),
        ("d.fits.gz", write_fits(tmp_path / "w.gz", pictures(4), cards).read_bytes()),
        ("d.fits.fz", write_tiles(tmp_path / "w.fz", pictures(4)).read_bytes()),
    ]
    rng = np.random.default_rng(11)
    outcomes, messages = set(), set()
    for i in range(600):
        name, whole = wholes[{0: 1, 1: 2}.get(i % 6, 0)]
        path = tmp_path / name
        data = bytearray(whole)
        for place in rng.integers(0, len(data) if name.endswith("fz") else 1200, rng.integers(1, 8)):
            data[place] = rng.choice(list(b"0123456789 =-+.'/TFENDX\x00\xff"))
        path.write_bytes(data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.3 else data)
        try:
            source = open_source(path)
            assert collect(source, 3).shape == source.info.shape
            source.close()
            outcomes.add("read")
        except UmbraError as error:
            outcomes.add("DataError" if isinstance(error, DataError) else "other")
            messages.add(name in str(error))
    assert outcomes == {"read", "DataError"}
    assert messages == {True}


def test_real_polar_alignment_frames() -> None:
    folder = sample("astrid")
    stack = opened(folder)
    assert stack.info.shape == (4, 1088, 1456)
    assert {Caveat.WHOLE_SECONDS, Caveat.IMAGE_TYPE_UNKNOWN, Caveat.TIME_GAPS} >= caveats(stack)
    assert Caveat.WHOLE_SECONDS in caveats(stack)
    assert Caveat.IMAGE_TYPE_UNKNOWN in caveats(stack)
    start = utc_ns("2023-08-06T06:51:58")
    np.testing.assert_allclose(
        (stack.times.mid_ns - start) * 1e-9, np.array([0, 42, 66, 86]) + 2.49997, atol=1e-6
    )
    for i, path in enumerate(sorted(folder.glob("PA_*.fit"))):
        with astropy_fits.open(path) as hdus:
            np.testing.assert_array_equal(stack.read(i, i + 1)[0], hdus[0].data)
    assert stack.info.gain_e_per_adu is None


def test_a_gzipped_cube_with_a_wrong_checksum_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    """Astropy reads such a header without end: a failed read of gzip looks like an empty one to it."""
    raw = bytearray(fits_bytes(starry(4, 9, 16, sky=900, peak=9000, top=65535), {}))
    raw[29] = 0x93  # SIMPLE is not T
    packed = bytearray(gzip.compress(bytes(raw) + bytes(24)))
    packed[-8] ^= 1
    path = tmp_path / "cube.fits.gz"
    path.write_bytes(packed)
    with pytest.raises(DataError, match=r"cube\.fits\.gz: the gzip stream is damaged"):
        open_source(path)
