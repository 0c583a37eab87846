"""`umbra reduce ARCHIVE`: the light curve of what is inside, with its calibration frames."""

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.cli import ingest
from ingest.formats import FORMATS
from ingest.writers import write_avi, write_fits_sequence, write_ser
from tests.ingest.archives.making import KINDS
from tests.ingest.fits_writer import write_fits
from tests.ingest.fstf.writer import Frame, Layout, Recording, write_v1, write_v2
from tests.ingest.picture_writer import png_bytes, write_folder
from tests.ingest.ravf_writer import write_ravf
from tests.recordings import AT_TARGET, SMALL, Outcome, frames_of, run_reduce, ser_of, stamps

CAMERA = replace(SMALL, dark_e=40.0, vignetting=0.4, frames=40, hot_pixels=150, hot_e=3000.0)


def _fits(folder: Path) -> Path:
    write_fits_sequence(
        folder / "lights", frames_of(SMALL), stamps_ns=stamps(SMALL), exposure_s=SMALL.exposure_s
    )
    return folder / "lights"


def _avi(folder: Path) -> Path:
    write_avi(folder / "rec.avi", frames_of(SMALL), rate=20)
    return folder / "rec.avi"


def _zarr(folder: Path) -> Path:
    assert ingest([str(ser_of(SMALL, folder.parent / "a.ser")), str(folder / "rec.zarr")]) == 0
    return folder / "rec.zarr"


def _ravf(folder: Path) -> Path:
    return write_ravf(folder / "rec.ravf", frames_of(SMALL), stamps_ns=stamps(SMALL).tolist())


def _fstf(kind: str, version: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        shots = zip(frames_of(SMALL), stamps(SMALL).tolist(), strict=True)
        frames = [Frame(pixels, utc_ns=ns, exposure_s=SMALL.exposure_s) for pixels, ns in shots]
        tags = {"FSTF-TYPE": kind.upper()} | ({"AAV-VERSION": "1"} if kind == "aav" else {})
        made = Recording(SMALL.width, SMALL.height, 16, {1: Layout()}, frames, tags=tags)
        return (write_v1 if version == 1 else write_v2)(folder / f"rec.{kind}", made)

    return write


WRITERS: dict[str, Callable[[Path], Path]] = {
    "zarr": _zarr,
    "ser": lambda folder: ser_of(SMALL, folder / "rec.ser"),
    "ravf": _ravf,
    "fits": _fits,
    "adv": _fstf("adv", 2),
    "aav": _fstf("aav", 1),
    "video": _avi,
    "images": lambda folder: write_folder(
        folder / "n", [png_bytes(pixels, kinds="1") for pixels in frames_of(SMALL)], ".png"
    ),
}
"""A recording of each format of the registry, written into a folder."""


def zipped(folder: Path, archive: Path) -> Path:
    """All files below a folder as a zip, with a note beside them."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                made.write(path, f"night/{path.relative_to(folder)}")
        made.writestr("night/notes.txt", "cloudy")
    return archive


def curve(outcome: Outcome) -> bytes:
    assert outcome.code == 0, outcome.err
    return (outcome.folder / "lightcurve.csv").read_bytes()


def fluxes(table: bytes) -> list[dict[str, str]]:
    """What a light curve says of the pixels alone."""
    rows = csv.DictReader(io.StringIO(table.decode()))
    return [{key: row[key] for key in ("frame", "target_flux", "target_x", "target_y")} for row in rows]


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A SER recording, and its light curve."""
    folder = tmp_path_factory.mktemp("plain")
    ser = ser_of(SMALL, folder / "rec.ser")
    return ser, curve(run_reduce(folder / "out", ser, *AT_TARGET))


@pytest.mark.parametrize("name", [row.name for row in FORMATS])
def test_every_format_out_of_a_zip_gives_its_light_curve(
    name: str, plain: tuple[Path, bytes], tmp_path: Path
) -> None:
    """The frames are the same in all of them, so the fluxes and positions are."""
    assert name in WRITERS, f"a format of the registry: write one into WRITERS ({', '.join(WRITERS)})"
    folder = tmp_path / "in"
    folder.mkdir()
    path = WRITERS[name](folder)
    archive = zipped(folder, tmp_path / "night.zip")
    out = run_reduce(tmp_path / "a", archive, *AT_TARGET)
    assert fluxes(curve(out)) == fluxes(plain[1])
    said = out.summary["input"]
    assert (said["format"], said["name"]) == (name, path.name)
    assert said["metadata"]["archive"] == "night.zip"
    assert "archive-contents-sorted" in out.caveats
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("kind", ["7z", "rar4.rar", "rar5.rar", "tar.xz"])
def test_every_kind_of_archive(kind: str, plain: tuple[Path, bytes], tmp_path: Path) -> None:
    ser, expected = plain
    (tmp_path / f"night.{kind}").write_bytes(KINDS[kind]({"night/rec.ser": ser.read_bytes()}))
    out = run_reduce(tmp_path / "a", tmp_path / f"night.{kind}", *AT_TARGET)
    assert curve(out) == expected


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SER recording with a SER dark, FITS flats and bias, nothing said in headers."""
    folder = tmp_path_factory.mktemp("night") / "in"
    folder.mkdir()
    write_ser(folder / "rec.ser", frames_of(CAMERA), stamps_ns=stamps(CAMERA))
    for kind in ("bias", "dark", "flat"):
        (folder / kind).mkdir()
        frames = np.stack([CAMERA.calibration_frame(kind, i) for i in range(6)])
        if kind == "dark":
            write_ser(folder / kind / "d.ser", frames)
        else:
            for number, frame in enumerate(frames):
                write_fits(folder / kind / f"{number}.fits", frame)
    return folder


class TestCalibrationFramesInside:
    def test_are_applied_as_if_they_had_been_named(self, camera: Path, tmp_path: Path) -> None:
        archive = zipped(camera, tmp_path / "night.zip")
        out = run_reduce(tmp_path / "a", archive, *AT_TARGET)
        named: list[str | Path] = [
            "--dark",
            camera / "dark" / "d.ser",
            "--flat",
            camera / "flat",
            "--bias",
            camera / "bias",
        ]
        here = run_reduce(tmp_path / "b", camera / "rec.ser", *AT_TARGET, *named)
        assert curve(out) == curve(here)
        said = {entry["code"]: entry["message"] for entry in out.summary["caveats"]}
        assert "6 frames (dark)" in said["calibration-frames-applied"]
        assert "the archive night.zip" in said["calibration-frames-applied"]
        assert "1 notes" in said["archive-contents-sorted"]

    def test_can_be_left_out_and_those_named_win(self, camera: Path, tmp_path: Path) -> None:
        archive = zipped(camera, tmp_path / "night.zip")
        bare = run_reduce(tmp_path / "a", archive, *AT_TARGET, "--no-calibration")
        assert bare.summary["provenance"]["calibration"] == {}
        own = run_reduce(tmp_path / "c", archive, *AT_TARGET, "--dark", camera / "bias")
        metadata = own.summary["input"]["metadata"]
        assert metadata["calibration.dark"] == "6 frames given by --dark"
        assert metadata["calibration.flat"] == "6 frames (flat) of the archive night.zip"

    def test_that_do_not_fit_are_left_out_and_said(self, tmp_path: Path) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        ser_of(SMALL, folder / "rec.ser")
        for name, shape in (("flat", (4, 60, 80)), ("dark_1", (3, 120, 160)), ("dark_2", (3, 120, 160))):
            write_ser(folder / f"{name}.ser", np.full(shape, 90, np.uint16))
        out = run_reduce(tmp_path / "a", zipped(folder, tmp_path / "n.zip"), *AT_TARGET)
        assert curve(out) == curve(run_reduce(tmp_path / "b", folder / "rec.ser", *AT_TARGET))
        (said,) = [e["message"] for e in out.summary["caveats"] if e["code"] == "calibration-frames-left-out"]
        assert "flat.ser: 80 x 60 pixels, the recording has 160 x 120" in said
        assert "nothing tells which dark belongs to the recording; give it by --dark" in said


def test_fits_folders_are_chosen_from_by_their_headers(tmp_path: Path) -> None:
    """Lights, darks of two exposures and flats in folders of their own: as if they lay in one folder."""
    apart, together = tmp_path / "apart", tmp_path / "together"
    sets = (
        ("lights", "Light Frame", frames_of(SMALL), 0.05),
        ("darks", "Dark Frame", np.full((5, 120, 160), 100, np.uint16), 0.05),
        ("long", "Dark Frame", np.full((5, 120, 160), 400, np.uint16), 10.0),
        ("flats", "Flat Field", np.full((5, 120, 160), 9000, np.uint16), 1.0),
    )
    together.mkdir()
    for name, word, frames, exposure in sets:
        start = stamps(SMALL) if name == "lights" else None
        write_fits_sequence(
            apart / name, frames, stamps_ns=start, exposure_s=exposure, image_type=word, stem=name
        )
        for path in (apart / name).iterdir():
            (together / path.name).write_bytes(path.read_bytes())
    out = run_reduce(tmp_path / "a", zipped(apart, tmp_path / "n.zip"), *AT_TARGET)
    here = run_reduce(tmp_path / "b", together, *AT_TARGET)
    assert curve(out) == curve(here)
    assert out.summary["provenance"]["calibration"] == here.summary["provenance"]["calibration"] != {}


def test_of_several_recordings_one_is_chosen(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    ser_of(SMALL, folder / "a.ser")
    ser_of(SMALL, folder / "b.ser")
    archive = zipped(folder, tmp_path / "night.zip")
    unsure = run_reduce(tmp_path / "x", archive, *AT_TARGET)
    assert (unsure.code, unsure.err.count("\n")) == (2, 1)
    assert "2 recordings: night/a.ser" in unsure.err
    assert not (tmp_path / "x").exists()
    chosen = run_reduce(tmp_path / "a", archive, *AT_TARGET, "--member", "b.ser")
    assert chosen.summary["input"]["name"] == "b.ser"
    assert hidden(tmp_path) == []


def test_a_sick_archive_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    outcome = run_reduce(tmp_path / "deep" / "x", tmp_path / "a.zip", *AT_TARGET)
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert not (tmp_path / "deep").exists()
