"""Plate solutions kept with recordings."""

import json
from pathlib import Path

import numpy as np
import pytest

from ingest.convert import convert
from ingest.solve.kept import (
    find_solution,
    load_solution,
    put_side_files,
    put_solution,
    read_solution,
    solution_digests,
)
from ingest.solve.side_place import side_file
from ingest.stack import open_stack
from reduction.astrometry.match import match_field
from reduction.astrometry.solution import SkySolution
from reduction.errors import DataError, RequestError
from reduction.synthetic.scene import Scene
from reduction.synthetic.sky import SceneStar
from reduction.synthetic.source import SceneSource
from tests.fuzzing import COUNT, endure, mutations
from tests.reduction.astrometry.fields import make_field


def solved(seed: int = 3) -> SkySolution:
    field = make_field(seed, 60, 2.0)
    return match_field(field.seen, field.sky, field.centre, field.radius, (0.5, 8.0)).solution


def a_stack(path: Path) -> Path:
    scene = Scene(frames=3, height=480, width=640, stars=(SceneStar(60.0, 50.0, 1e4),))
    convert(SceneSource(scene), path)
    return path


def test_a_stack_keeps_versions_beside_unchanged_pixels(tmp_path: Path) -> None:
    stack = a_stack(tmp_path / "a.zarr")
    before = open_stack(stack)
    one, two = solved(3), solved(4)
    assert read_solution(stack) is None
    assert find_solution([str(stack)], 640, 480) is None
    put_solution(stack, one)
    put_solution(stack, two)
    put_solution(stack, two)
    assert solution_digests(stack) == tuple(sorted([one.digest, two.digest]))
    for digest, expected in ((None, two), (one.digest, one)):
        found = read_solution(stack, digest)
        assert found is not None
        assert found.digest == expected.digest
    after = open_stack(stack)
    assert after.digest == before.digest
    assert after.times.digest == before.times.digest
    again = find_solution([str(stack)], 640, 480)
    assert again is not None
    assert again[0].digest == two.digest


def test_a_damaged_version_is_told(tmp_path: Path) -> None:
    stack = a_stack(tmp_path / "a.zarr")
    put_solution(stack, solved())
    document = stack / "wcs" / solved().digest / "zarr.json"
    text = json.loads(document.read_text())
    text["attributes"]["solution"]["x0"] += 1.0
    document.write_text(json.dumps(text))
    with pytest.raises(DataError, match="is damaged"):
        read_solution(stack)
    document.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        read_solution(stack)


def test_side_files_are_found_again_with_their_errors(tmp_path: Path) -> None:
    recording = tmp_path / "rec.ser"
    recording.write_bytes(b"x")
    path = side_file([str(recording)])
    assert path == tmp_path / "rec.wcs"
    put_side_files(path, solved(), False)
    found = find_solution([str(recording)], 640, 480)
    assert found is not None
    assert found[0].digest == solved().digest
    with pytest.raises(RequestError, match="--overwrite"):
        put_side_files(path, solved(4), False)
    put_side_files(path, solved(4), True)
    assert load_solution(path, 640, 480).digest == solved(4).digest
    with pytest.raises(RequestError, match="320 x 240"):
        load_solution(path, 320, 240)


def test_another_program_s_header_wins_over_our_old_json(tmp_path: Path) -> None:
    from ingest.solve.header import wcs_file

    path = tmp_path / "rec.wcs"
    put_side_files(path, solved(), False)
    path.write_bytes(wcs_file(solved(5)))
    found = load_solution(path, 640, 480)
    assert not found.sigma_known
    assert found.ra_deg == pytest.approx(solved(5).ra_deg)


def test_a_folder_of_frames_has_its_file_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        (folder / f"a{number}.fits").write_bytes(b"x")
    assert side_file([str(folder)]) == tmp_path / "frames.wcs"
    assert side_file([str(folder / "*.fits")]) == tmp_path / "frames.wcs"


def test_mutated_inputs_are_read_or_refused(tmp_path: Path) -> None:
    whole = json.dumps(solved().as_json(), indent=1).encode()

    def read(path: Path) -> None:
        assert np.isfinite(load_solution(path, 640, 480).scale_arcsec)

    endure(tmp_path / "m.wcs.json", mutations([whole], COUNT, len(whole)), read, "plate solution JSON")
