"""`umbra solve` as a person meets it: a synthetic recording of a known sky."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from ingest.convert import convert
from ingest.export import export_fits
from ingest.export_cli import export
from ingest.formats import open_source
from ingest.solve.cli import parse_scale, solve
from ingest.solve.kept import find_solution
from ingest.stack import open_stack
from ingest.timeoptions import TimeOptions
from reduction.errors import RequestError
from reduction.synthetic.scene import Scene
from reduction.synthetic.sky import SceneStar
from reduction.synthetic.source import SceneSource
from tests.reduction.astrometry.fields import Field, make_field

FRAMES = 24


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Field, Scene]:
    """A drifting, turning recording as a stack, and its catalogue beside it."""
    folder = tmp_path_factory.mktemp("solve")
    field = make_field(21, 25, 2.0, false_share=0.0, size=(320, 240), mirrored=True)
    flux = 2e4 * 10 ** (-0.4 * (field.sky.magnitude[field.shown] - 11.0))
    places = zip(field.x[field.shown], field.y[field.shown], flux, strict=True)
    stars = tuple(SceneStar(float(x), float(y), float(f)) for x, y, f in places)
    scene = Scene(FRAMES, 240, 320, stars, drift_px=(8.0, -5.0), rotation_deg=1.0, seed=3)
    convert(SceneSource(scene), folder / "rec.zarr")
    Table({"ra": field.sky.ra, "dec": field.sky.dec, "mag": field.sky.magnitude}).write(folder / "sky.csv")
    return folder, field, scene


def arguments(folder: Path, *more: str) -> list[str]:
    return [
        "--center",
        "08:13:36,-12:18:00",
        "--radius",
        "30'",
        "--catalogue",
        str(folder / "sky.csv"),
        *more,
    ]


def test_a_stack_is_solved_and_keeps_it(
    recording: tuple[Path, Field, Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, field, _ = recording
    stack = folder / "rec.zarr"
    before = open_stack(stack).digest
    assert solve([str(stack), *arguments(folder)]) == 0
    said = capsys.readouterr().out
    assert "mirrored" in said
    found = find_solution([str(stack)], 320, 240)
    assert found is not None
    assert found[0].scale_arcsec == pytest.approx(2.0, rel=1e-3)
    x, y = found[0].to_pixel(field.sky.ra[field.shown], field.sky.dec[field.shown])
    assert np.hypot(x - field.x[field.shown], y - field.y[field.shown]).max() < 0.2
    assert found[0].pixel_digest == open_stack(stack).digest == before


def test_frames_as_fits_are_solved_beside(
    recording: tuple[Path, Field, Scene], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _, scene = recording
    source = open_source([str(folder / "rec.zarr")], TimeOptions())
    export_fits(source, tmp_path / "frames")
    given = [str(tmp_path / "frames"), *arguments(folder, "--frame", str(FRAMES - 1), "--json")]
    assert solve(given) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["frame"] == FRAMES - 1
    assert document["false_match_probability"] < 1e-6
    header = (tmp_path / "frames.wcs").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a header without an image has fewer axes than its WCS
        wcs = WCS(header.decode())
    truth = scene.truth(FRAMES - 1)
    star = document["matches"][0]
    x, y = wcs.all_world2pix([star["ra_deg"]], [star["dec_deg"]], 0)
    assert np.hypot(truth.x - x, truth.y - y).min() < 0.2
    assert solve(given) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_wrong_requests_are_told(
    recording: tuple[Path, Field, Scene], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _, _ = recording
    stack = str(folder / "rec.zarr")
    assert solve([stack, "--center", "1,2", "--radius", "1"]) == 2
    assert "--index" in capsys.readouterr().err
    assert solve([stack, *arguments(folder, "--frame", "99")]) == 2
    assert "frames 0 to" in capsys.readouterr().err
    assert solve([stack, "--center", "300,50", "--radius", "1", "--catalogue", str(folder / "sky.csv")]) == 2
    assert "lie within" in capsys.readouterr().err
    other = make_field(77, 25, 2.0, size=(320, 240))
    Table({"ra": other.sky.ra, "dec": other.sky.dec}).write(tmp_path / "wrong.csv")
    wrong = ["--center", "08:13:36,-12:18:00", "--radius", "30'", "--catalogue", str(tmp_path / "wrong.csv")]
    assert solve([stack, *wrong]) == 3
    assert "beyond doubt" in capsys.readouterr().err


def test_scales() -> None:
    assert parse_scale("1,2") == (1.0, 2.0)
    assert parse_scale("1.1") == pytest.approx((1.0, 1.21))
    for wrong in ("", "x", "2,1", "0,1", "1,2,3", "nan", "1,inf"):
        with pytest.raises(RequestError, match="--scale"):
            parse_scale(wrong)


def wcs_of_header(header: fits.Header) -> WCS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy tells that it reads dates too
        return WCS(header, naxis=2)


def test_exported_frames_carry_the_solution_where_each_frame_lies(
    recording: tuple[Path, Field, Scene], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, field, scene = recording
    stack = str(folder / "rec.zarr")
    assert solve([stack, *arguments(folder)]) == 0
    assert export([stack, "--fits", str(tmp_path / "out")]) == 0
    assert "moved to each frame" in capsys.readouterr().out
    for frame in (0, 11, FRAMES - 1):
        with fits.open(tmp_path / "out" / f"rec_{frame:06d}.fits") as opened:
            header = opened[0].header
        truth = scene.truth(frame)
        x, y = wcs_of_header(header).all_world2pix(field.sky.ra[field.shown], field.sky.dec[field.shown], 0)
        assert np.hypot(x - truth.x, y - truth.y).max() < 0.25
        assert header["WCSFRAME"] == frame
    assert export([stack, "--fits", str(tmp_path / "cube"), "--cube", "--frames", "5:9"]) == 0
    with fits.open(tmp_path / "cube" / "rec.fits") as opened:
        header = opened[0].header
    x, y = wcs_of_header(header).all_world2pix(field.sky.ra[field.shown], field.sky.dec[field.shown], 0)
    assert np.hypot(x - scene.truth(5).x, y - scene.truth(5).y).max() < 0.25
    assert open_source([str(tmp_path / "cube")], TimeOptions()).info.shape == (4, 240, 320)
    assert export([stack, "--fits", str(tmp_path / "off"), "--wcs", "off"]) == 0
    with fits.open(tmp_path / "off" / "rec_000000.fits") as opened:
        assert "CRVAL1" not in opened[0].header
    assert export([stack, "--fits", str(tmp_path / "no"), "--wcs", "none.wcs"]) == 2
