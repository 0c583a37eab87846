"""A wrong recording or request ends in one clear message, the right exit code and no output."""

import os
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from reduction.result import Flag
from tests.recordings import (
    AT_TARGET,
    SMALL,
    SMALL_8BIT,
    Outcome,
    avi_of,
    fits_of,
    frames_of,
    run_reduce,
    ser_of,
)

REQUEST, DATA, RESOURCE = 2, 3, 4


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound recordings, to be copied and then damaged."""
    folder = tmp_path_factory.mktemp("whole")
    ser_of(SMALL, folder / "scene.ser")
    fits_of(SMALL, folder / "scene")
    avi_of(SMALL_8BIT, folder / "scene.avi")
    cube = fits.PrimaryHDU(frames_of(SMALL))
    cube.header["DATE-OBS"] = "2025-10-09T08:53:20"
    cube.header["CDELT3"] = 0.05
    cube.writeto(folder / "scene.fits")
    return folder


@pytest.fixture
def place(tmp_path: Path, whole: Path) -> Path:
    """A folder with copies, in which the results would come to stand."""
    shutil.copytree(whole, tmp_path / "data")
    (tmp_path / "results").mkdir()
    return tmp_path


def refused(place: Path, code: int, *arguments: str | Path, says: str = "") -> str:
    """Run the command, which must fail with one line and leave nothing; return that line."""
    before = sorted(place.rglob("*"))
    outcome = run_reduce(place / "results" / "out", *arguments)
    assert outcome.code == code, outcome.err or outcome.out
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("umbra reduce: ")
    assert "Traceback" not in outcome.err
    assert says in lines[0]
    assert not outcome.out
    assert sorted(place.rglob("*")) == before
    return lines[0]


def reduced(place: Path, *arguments: str | Path) -> Outcome:
    """Run the command, which must succeed and leave its results alone beside the input."""
    outcome = run_reduce(place / "results" / "out", *arguments)
    assert outcome.code == 0, outcome.err
    assert not outcome.err
    assert [path.name for path in (place / "results").iterdir()] == ["out"]
    return outcome


def cut(path: Path, size: int) -> Path:
    os.truncate(path, size)
    return path


def patched(path: Path, offset: int, content: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
    return path


FRAME = 160 * 120 * 2
SER = "data/scene.ser"
CUBE = "data/scene.fits"
AVI = "data/scene.avi"


class TestSer:
    @pytest.mark.parametrize("size", [0, 1, 14, 100, 177])
    def test_a_header_cut_short(self, place: Path, size: int) -> None:
        refused(place, DATA, cut(place / SER, size), says="scene.ser")

    def test_a_header_and_nothing_else(self, place: Path) -> None:
        refused(place, DATA, cut(place / SER, 178), says="scene.ser")

    @pytest.mark.parametrize("extra", [0, 777])
    def test_cut_within_the_frames_is_salvaged(self, place: Path, extra: int) -> None:
        outcome = reduced(place, cut(place / SER, 178 + 30 * FRAME + extra), *AT_TARGET)
        assert outcome.summary["input"]["frames"] == 30
        assert "file-truncated" in outcome.caveats
        assert "times-absent" in outcome.caveats

    def test_no_frames(self, place: Path) -> None:
        cut(place / SER, 178)
        refused(place, DATA, patched(place / SER, 38, struct.pack("<i", 0)), says="scene.ser")

    @pytest.mark.parametrize("count", [0, 40, 1_000_000, -5])
    def test_a_wrong_frame_count(self, place: Path, count: int) -> None:
        outcome = reduced(place, patched(place / SER, 38, struct.pack("<i", count)), *AT_TARGET)
        assert outcome.caveats & {"frame-count-wrong", "file-truncated"}
        assert outcome.summary["input"]["frames"] in {40, 48}

    @pytest.mark.parametrize(
        ("offset", "value"),
        [
            (26, 2**31 - 1),
            (26, -160),
            (26, 0),
            (30, 2**31 - 1),
            (30, -1),
            (34, 0),
            (34, 77),
            (34, -8),
            (18, 55),
        ],
        ids=str,
    )
    def test_a_header_that_lies(self, place: Path, offset: int, value: int) -> None:
        refused(place, DATA, patched(place / SER, offset, struct.pack("<i", value)), says="scene.ser")

    def test_byte_order_is_settled_by_content(self, place: Path) -> None:
        right = reduced(place, place / SER, *AT_TARGET)
        table = (right.folder / "lightcurve.csv").read_bytes()
        shutil.rmtree(right.folder)
        for big_endian, field in ((True, 0), (False, 1)):
            ser_of(SMALL, place / SER, big_endian=big_endian, order_field=field)
            wrong = reduced(place, place / SER, *AT_TARGET)
            assert "byte-order-settled-by-content" in wrong.caveats
            assert (wrong.folder / "lightcurve.csv").read_bytes() == table
            shutil.rmtree(wrong.folder)


class TestFits:
    @pytest.mark.parametrize("size", [0, 1, 79, 80, 1000, 2879])
    def test_a_header_cut_short(self, place: Path, size: int) -> None:
        refused(place, DATA, cut(place / CUBE, size), says="scene.fits")

    def test_a_header_and_nothing_else(self, place: Path) -> None:
        refused(place, DATA, cut(place / CUBE, 2880), says="scene.fits")

    def test_a_cube_cut_within_the_frames_is_salvaged(self, place: Path) -> None:
        outcome = reduced(place, cut(place / CUBE, 2880 + 30 * FRAME + 777), *AT_TARGET)
        assert outcome.summary["input"]["frames"] == 30
        assert "file-truncated" in outcome.caveats

    def test_a_sequence_whose_last_file_is_cut(self, place: Path) -> None:
        cut(place / "data/scene/frame_000047.fits", 20_000)
        outcome = reduced(place, place / "data/scene", *AT_TARGET)
        assert outcome.summary["input"]["frames"] == 47
        assert "file-truncated" in outcome.caveats

    def test_a_sequence_with_a_cut_file_in_its_midst(self, place: Path) -> None:
        cut(place / "data/scene/frame_000020.fits", 20_000)
        refused(place, DATA, place / "data/scene", says="frame_000020.fits")

    @pytest.mark.parametrize("axes", [(), (0, 120, 160), (48, 0, 160)], ids=str)
    def test_no_frames(self, place: Path, axes: tuple[int, ...]) -> None:
        lines = [
            "SIMPLE  =                    T",
            "BITPIX  =                   16",
            f"NAXIS   = {len(axes):20d}",
        ]
        lines += [f"NAXIS{k + 1}  = {n:20d}" for k, n in enumerate(reversed(axes))]
        (place / CUBE).write_bytes("".join(line.ljust(80) for line in [*lines, "END"]).ljust(2880).encode())
        refused(place, DATA, place / CUBE, says="scene.fits")

    @pytest.mark.parametrize(
        ("keyword", "value"),
        [
            ("NAXIS1", 2**40),
            ("NAXIS1", -160),
            ("NAXIS2", 10**9),
            ("NAXIS3", -48),
            ("BITPIX", 13),
            ("BITPIX", 0),
            ("NAXIS", 5),
            ("NAXIS", 2**31),
            ("NAXIS", -1),
        ],
        ids=str,
    )
    def test_a_header_that_lies(self, place: Path, keyword: str, value: int) -> None:
        head = (place / CUBE).read_bytes()[:2880]
        at = head.index(keyword.ljust(8).encode() + b"=")
        refused(
            place, DATA, patched(place / CUBE, at, f"{keyword:<8}= {value:20d}".encode()), says="scene.fits"
        )

    def test_a_frame_count_too_high(self, place: Path) -> None:
        at = (place / CUBE).read_bytes()[:2880].index(b"NAXIS3")
        outcome = reduced(place, patched(place / CUBE, at, b"NAXIS3  =              1000000"), *AT_TARGET)
        assert outcome.summary["input"]["frames"] == 48
        assert outcome.caveats & {"file-truncated", "frame-count-wrong"}

    def test_nothing_but_nan(self, place: Path) -> None:
        fits.writeto(place / CUBE, np.full((12, 60, 80), np.nan, np.float32), overwrite=True)
        refused(place, DATA, place / CUBE, says="scene.fits")

    def test_some_frames_of_nan_are_flagged(self, place: Path) -> None:
        pixels = frames_of(SMALL).astype(np.float32)
        pixels[[5, 6, 40]] = np.nan
        pixels[10, 55:66, 75:86] = np.nan
        fits.writeto(place / CUBE, pixels, overwrite=True)
        outcome = reduced(place, place / CUBE, *AT_TARGET)
        rows = (outcome.folder / "lightcurve.csv").read_text().splitlines()[1:]
        flags = np.array([int(row.split(",")[10]) for row in rows])
        assert set(np.flatnonzero(flags & Flag.LOST).tolist()) == {5, 6, 40}
        assert flags[10] & (Flag.NOT_FINITE | Flag.LOST)
        assert not np.delete(flags, [5, 6, 10, 40]).any()
        assert {"pixels-not-finite", "frames-lost"} <= outcome.caveats

    def test_an_empty_folder(self, place: Path) -> None:
        (place / "data/none").mkdir()
        refused(place, DATA, place / "data/none", says="none")


class TestAvi:
    @pytest.mark.parametrize("size", [0, 1, 12, 100, 300])
    def test_a_header_cut_short(self, place: Path, size: int) -> None:
        refused(place, DATA, cut(place / AVI, size), says="scene.avi")

    def test_cut_within_the_frames_is_salvaged(self, place: Path) -> None:
        outcome = reduced(place, cut(place / AVI, (place / AVI).stat().st_size * 6 // 10), *AT_TARGET)
        assert 20 <= outcome.summary["input"]["frames"] < 48
        assert outcome.caveats & {"file-truncated", "frame-count-wrong"}
        assert "times-absent" in outcome.caveats

    @pytest.mark.parametrize("number", [2**31 - 1, 0])
    def test_dimensions_that_lie(self, place: Path, number: int) -> None:
        content = (place / AVI).read_bytes()
        at = content.index(b"strf") + 12  # biWidth
        refused(place, DATA, patched(place / AVI, at, struct.pack("<i", number)), says="scene.avi")


class TestMislabelled:
    @pytest.mark.parametrize(
        ("source", "name"), [(SER, "scene.fits"), (CUBE, "scene.avi"), (AVI, "scene.ser"), (SER, "scene")]
    )
    def test_content_decides(self, place: Path, source: str, name: str) -> None:
        path = place / "data" / "odd" / name
        path.parent.mkdir()
        (place / source).rename(path)
        outcome = reduced(place, path, *AT_TARGET)
        assert outcome.summary["input"]["frames"] == 48

    @pytest.mark.parametrize("name", ["notes.ser", "notes.fits", "notes.avi", "notes.txt", "notes.zarr"])
    def test_text_is_no_recording(self, place: Path, name: str) -> None:
        path = place / "data" / name
        path.write_text("The night was clear.\nNo frames were recorded.\n" * 200)
        assert "not a recording" in refused(place, DATA, path, says=name)

    @pytest.mark.parametrize("seed", range(3))
    def test_random_bytes_are_no_recording(self, place: Path, seed: int) -> None:
        path = place / "data" / "noise.ser"
        path.write_bytes(np.random.default_rng(seed).bytes(50_000))
        refused(place, DATA, path, says="noise.ser")


class TestRequests:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("--target", "abc"), "--target"),
            (("--target", "1,2,3"), "--target"),
            (("--target", "nan,5"), "target"),
            (("--target", "inf,5"), "target"),
            (("--reference", "10;20"), "--reference"),
            (("--guide", ""), "--guide"),
            (("--frame", "1000000"), "frame"),
            (("--frame", "48"), "frame"),
            (("--frame", "-1"), "frame"),
            (("--sky", "5,3"), "sky"),
            (("--sky", "-5,-3"), "sky"),
            (("--aperture", "0"), "aperture"),
            (("--aperture", "1e9"), "aperture"),
            (("--aperture", "nan"), "aperture"),
            (("--gain", "0"), "gain"),
            (("--gain", "-2"), "gain"),
            (("--read-noise", "-1"), "read_noise"),
            (("--time-is", "foo"), "--time-is"),
            (("--device", "tpu"), "--device"),
            (("--cadence", "0.05"), "--cadence"),
            (("--start-utc", "2025-10-09T08:53:20"), "--start-utc"),
            (("--start-utc", "yesterday", "--cadence", "1"), "yesterday"),
            (("--start-utc", "2025-10-09T08:53:20", "--cadence", "0"), "--cadence"),
            (("--times", "missing.csv"), "missing.csv"),
            (("--plan", "missing.toml"), "missing.toml"),
            (("--dark", "missing-dark"), "missing-dark"),
            (("--target", "500,60"), "500,60"),
            (("--target", "80,-20"), "80,-20"),
            (("--reference", "160.6,10"), "160.6,10"),
            (("--target", "80,61", "--reference", "80,60"), "same star"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_bad_options(self, place: Path, options: tuple[str, ...], says: str) -> None:
        refused(place, REQUEST, place / SER, *options, says=says)

    def test_a_device_that_is_not_here(self, place: Path) -> None:
        refused(place, RESOURCE, place / SER, "--device", "cuda:0", says="cuda:0")

    @pytest.mark.parametrize("arguments", [("--nonsense",), ("--frame", "one"), ("--gain",)])
    def test_usage(self, place: Path, arguments: tuple[str, ...]) -> None:
        outcome = run_reduce(place / "results" / "out", place / SER, *arguments)
        assert outcome.code == REQUEST
        assert "Traceback" not in outcome.err
        assert outcome.err
        assert not any((place / "results").iterdir())

    @pytest.mark.parametrize("name", ["gone.ser", "gone/", "gone/*.fits", "data/*.nothing"])
    def test_an_input_that_does_not_exist(self, place: Path, name: str) -> None:
        refused(place, REQUEST, str(place) + "/" + name, says=name.rstrip("/"))

    def test_two_recordings_at_once(self, place: Path) -> None:
        refused(place, REQUEST, place / SER, place / AVI)

    def test_a_times_table_that_does_not_fit(self, place: Path) -> None:
        table = place / "data" / "times.csv"
        for text in ("", "utc\nnonsense\n", "frame,utc\n48,2025-10-09T08:53:20\n", "time\n1\n"):
            table.write_text(text)
            refused(place, REQUEST, place / SER, "--times", table, says="times.csv")

    def test_a_dark_of_another_camera(self, place: Path) -> None:
        fits.writeto(place / "data/dark.fits", np.zeros((60, 80), np.uint16))
        refused(place, REQUEST, place / SER, "--dark", place / "data/dark.fits")

    def test_a_plan_with_an_unknown_field(self, place: Path) -> None:
        plan = place / "data" / "plan.toml"
        plan.write_text("aperture = 3\n")
        refused(place, REQUEST, place / SER, "--plan", plan, says="aperture")


class TestOut:
    def out(self, place: Path) -> Path:
        return place / "results" / "out"

    def test_a_folder_with_something_in_it(self, place: Path) -> None:
        self.out(place).mkdir()
        (self.out(place) / "thesis.tex").write_text("years of work")
        refused(place, REQUEST, place / SER, says="out")
        refused(place, REQUEST, place / SER, "--overwrite", says="out")
        assert (self.out(place) / "thesis.tex").read_text() == "years of work"

    def test_a_file(self, place: Path) -> None:
        self.out(place).write_text("mine")
        refused(place, REQUEST, place / SER, "--overwrite", says="out")

    def test_under_a_file(self, place: Path) -> None:
        outcome = run_reduce(place / SER / "out", place / SER)
        assert outcome.code == REQUEST
        assert len(outcome.err.splitlines()) == 1

    def test_earlier_results_stay_when_the_next_run_fails(self, place: Path) -> None:
        first = reduced(place, place / SER, *AT_TARGET)
        kept = {path.name: path.read_bytes() for path in first.folder.iterdir()}
        refused(place, REQUEST, place / SER, says="--overwrite")
        refused(place, DATA, cut(place / CUBE, 100), "--overwrite")
        assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == kept


class TestSkyWithoutStars:
    @pytest.mark.parametrize("kind", ["noise", "constant", "zero", "full"])
    def test_no_star_at_all(self, place: Path, kind: str) -> None:
        scene = replace(SMALL, stars=(replace(SMALL.stars[0], flux_e=0.0),), frames=12)
        pixels = frames_of(scene)
        if kind != "noise":
            pixels[:] = {"constant": 77, "zero": 0, "full": 65_535}[kind]
        fits.writeto(place / CUBE, pixels, overwrite=True)
        refused(place, DATA, place / CUBE, says="scene.fits")
