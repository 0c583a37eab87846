"""A whole reduction with the target named by its place on the sky."""

import json
from pathlib import Path

import numpy as np
import pytest

from cluster.cli import reduce
from ingest.convert import convert
from ingest.solve.kept import put_solution
from reduction.astrometry.angles import dec_text, ra_text
from reduction.astrometry.fit import fit_solution
from reduction.astrometry.stars import FrameStars
from reduction.synthetic.scene import Scene
from reduction.synthetic.sky import Occultation, SceneStar
from reduction.synthetic.source import SceneSource
from tests.reduction.astrometry.fields import sky_stars, wcs_of

PLACES = ((60.0, 50.0), (160.0, 60.0), (110.0, 120.0), (40.0, 140.0))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack that drifts, with its solution; the third star is occulted."""
    path = tmp_path_factory.mktemp("sky") / "rec.zarr"
    stars = tuple(SceneStar(x, y, f) for (x, y), f in zip(PLACES, (3e4, 2e4, 8e3, 1.5e4), strict=True))
    event = Occultation(disappear_s=0.8, reappear_s=1.2, depth=0.9)
    scene = Scene(40, 180, 200, stars, target=2, occultations=(event,), drift_px=(6.0, 2.0))
    convert(SceneSource(scene), path)
    x, y = np.array(PLACES).T
    ra, dec = wcs_of(10.0, 50.0, 1.2, 40.0, True, 200, 180).all_pix2world(x, y, 0)
    seen = FrameStars(x, y, np.full(4, 0.05), np.ones(4), 200, 180)
    put_solution(
        path, fit_solution(seen, sky_stars(ra, dec), np.arange(4), np.arange(4), "affine", 0).solution
    )
    return path


def place(star: int) -> str:
    x, y = PLACES[star]
    ra, dec = wcs_of(10.0, 50.0, 1.2, 40.0, True, 200, 180).all_pix2world([x], [y], 0)
    return f"{ra_text(ra[0])},{dec_text(dec[0])}"


def test_the_star_is_found_by_its_place(
    stack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reduce([str(stack), "--target-sky", place(2), "--out", str(tmp_path / "out")]) == 0
    assert "named by its place" in capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    (target,) = [star for star in summary["stars"] if star["role"] == "target"]
    assert np.hypot(target["x"] - 110.0, target["y"] - 120.0) < 0.2
    sky = summary["sky"]
    assert sky["target_distance_arcsec"] < 3.0 * sky["target_sigma_arcsec"]
    assert sky["mirrored"]
    assert sky["on_this_frame"]
    assert summary["provenance"]["calibration"]["wcs"] == sky["solution"]


def test_without_a_place_the_solution_is_told_all_the_same(stack: Path, tmp_path: Path) -> None:
    assert reduce([str(stack), "--target", "110,120", "--out", str(tmp_path / "out")]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["sky"]["target_ra_deg"] is None
    assert summary["sky"]["scale_arcsec"] == pytest.approx(1.2, rel=1e-4)
    assert "wcs" not in summary["provenance"]["calibration"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--target-sky", "00:40:00,+49:59:00", "--target", "1,2"], "both name the target"),
        (["--target-sky", "00 40 00 49 59 00"], "one comma"),
        (["--target-sky", "12:00:00,-10:00:00"], "lies off frame 0"),
        (["--target-sky", "10,50", "--epoch", "1"], "--epoch"),
    ],
    ids=["both", "comma", "off", "epoch"],
)
def test_wrong_requests_are_told(
    stack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert reduce([str(stack), *options, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
