"""Solving by astrometry.net, with a small index built here; and all the ways in which it fails."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from ingest.solve import index as by_index
from ingest.solve.index import Aim, solve_by_index
from reduction.astrometry.match import Match
from reduction.astrometry.stars import FrameStars
from reduction.errors import DataError, RequestError, ResourceError
from tests.processes import all_gone
from tests.reduction.astrometry.fields import Field, make_field
from tests.requirements import require

FIELD = make_field(11, 40, 2.0)
AIM = Aim(*FIELD.centre, 0.6, (1.0, 4.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Index files of the field's catalogue."""
    require("solve")
    made = tmp_path_factory.mktemp("index")
    stars = {"RA": FIELD.sky.ra, "DEC": FIELD.sky.dec, "MAG": FIELD.sky.magnitude}
    Table(stars).write(made / "catalogue.fits")
    words = "build-astrometry-index -i catalogue.fits -o index-1.fits -P 3 -S MAG -E -I 1 -t ."
    command = words.split()
    subprocess.run(command, cwd=made, check=True, capture_output=True)
    return made


def run(
    folder: Path,
    scratch: Path,
    field: Field = FIELD,
    aim: Aim = AIM,
    limit_s: int = 20,
    with_sky: bool = False,
) -> Match:
    scratch.mkdir(exist_ok=True)
    return solve_by_index(field.seen, aim, folder, scratch, limit_s, 5, field.sky if with_sky else None)


@pytest.mark.parametrize("with_sky", [False, True])
def test_a_field_is_found(folder: Path, tmp_path: Path, with_sky: bool) -> None:
    match = run(folder, tmp_path, with_sky=with_sky)
    x, y = match.solution.to_pixel(FIELD.sky.ra[FIELD.shown], FIELD.sky.dec[FIELD.shown])
    miss = np.hypot(x - FIELD.x[FIELD.shown], y - FIELD.y[FIELD.shown])
    assert miss.max() < 0.25
    assert match.solution.frame == 5
    assert match.solution.stars >= 30


def test_failures_are_told_apart(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="found no solution"):
        run(folder, tmp_path / "a", aim=replace(AIM, ra_deg=300.0, dec_deg=50.0))
    with pytest.raises(RequestError, match="index files hold patterns of"):
        run(folder, tmp_path / "b", aim=replace(AIM, scale=(20.0, 30.0)))
    (tmp_path / "none").mkdir()
    with pytest.raises(RequestError, match="no index files"):
        run(tmp_path / "none", tmp_path / "c")
    with pytest.raises(RequestError, match="is no folder"):
        run(tmp_path / "nowhere", tmp_path / "d")
    other = make_field(12, 40, 2.0)
    with pytest.raises(DataError):
        run(folder, tmp_path / "e", field=other)
    seen = FIELD.seen
    few = FrameStars(seen.x[:2], seen.y[:2], seen.sigma[:2], seen.flux[:2], seen.width, seen.height)
    with pytest.raises(DataError, match="2 stars found"):
        run(folder, tmp_path / "f", field=replace(FIELD, seen=few))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResourceError, match="not installed"):
        run(folder, tmp_path / "g")


def program(folder: Path, text: str) -> None:
    (folder / "solve-field").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "solve-field").chmod(0o755)


def test_a_program_that_hangs_or_breaks_is_ended(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_index, "WALL_EXTRA_S", -1.7)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program(tmp_path, "sleep 600 & echo $! > pid; wait")
    with pytest.raises(ResourceError, match="was ended"):
        run(folder, tmp_path / "a", limit_s=1)
    child = int((tmp_path / "a" / "pid").read_text())
    assert all_gone([child], 60.0)
    monkeypatch.setattr(by_index, "WALL_EXTRA_S", 20.0)
    program(tmp_path, "echo Total CPU time limit reached!")
    with pytest.raises(ResourceError, match="1 s of processor time"):
        run(folder, tmp_path / "b", limit_s=1)
    program(tmp_path, "echo library missing >&2; exit 3")
    with pytest.raises(ResourceError, match="failed: library missing"):
        run(folder, tmp_path / "c")
    program(tmp_path, "printf 'END' > field.wcs; touch field.solved")
    with pytest.raises(RequestError, match="WCS"):
        run(folder, tmp_path / "d")
