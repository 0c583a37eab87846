"""Results are equal, byte for byte, whatever the block size, the place, and the number of workers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.executors import RayExecutor
from cluster.recording import ReductionRequest, reduce_to_folder
from ingest.writers import write_avi
from reduction.synthetic import Scene
from tests.contracts.executors import PLAN, SCENE, bytes_of, request_of
from tests.requirements import require
from tests.scenes.scenes import fits_folder, little_ser


def avi(scene: Scene, folder: Path) -> Path:
    """A grey FFV1 video: goes through a Zarr stack."""
    write_avi(folder / "scene.avi", map(scene.frame, range(scene.frames)), rate=1 / scene.cadence_s)
    return folder / "scene.avi"


WRITERS: dict[str, Callable[[Scene, Path], Path]] = {"ser": little_ser, "fits": fits_folder, "avi": avi}


PLAN_TO_CURVES = PLAN.model_copy(update={"event": PLAN.event.model_copy(update={"search": False})})
"""Events and figures follow from the curves, and their own tests tell that equal curves give equal ones."""


@pytest.fixture(scope="module", autouse=True)
def _curves_alone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, figure in (("finder", "draw_finder"), ("lightcurve_figure", "draw_lightcurve")):
            patch.setattr(f"reduction.outputs.{module}.{figure}", lambda _: b"drawn elsewhere")
        yield


def wanted(path: Path) -> ReductionRequest:
    """A recording reduced to its curves."""
    return request_of(path, plan=PLAN_TO_CURVES)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(SCENE, tmp_path_factory.mktemp(name)) for name, write in WRITERS.items()}


@pytest.fixture(scope="module")
def expected(
    recordings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """Outputs in-process with the default block."""
    found = {}
    for name, path in recordings.items():
        out = tmp_path_factory.mktemp(name) / "out"
        reduce_to_folder(wanted(path), out)
        found[name] = bytes_of(out)
    return found


def test_the_recordings_tell_something(expected: dict[str, dict[str, bytes]]) -> None:
    header, *rows = expected["ser"]["lightcurve.csv"].decode().splitlines()
    column = header.split(",").index("flux_norm")
    flux = [float(row.split(",")[column]) for row in rows]
    assert len(flux) == SCENE.frames
    assert min(flux) < 0.3
    assert max(flux) > 0.8


def test_containers_agree(expected: dict[str, dict[str, bytes]]) -> None:
    """The same pixels give the same fluxes from every container; FITS alone says gain and read noise."""
    columns = ("frame", "target_flux", "target_x", "target_y")

    def pick(name: str) -> list[list[str]]:
        header, *rows = (line.split(",") for line in expected[name]["lightcurve.csv"].decode().splitlines())
        return [[row[header.index(column)] for column in columns] for row in rows]

    assert pick("ser") == pick("avi")


CASES = [*(("ser", block) for block in (1, 7, 64, SCENE.frames)), ("fits", 7), ("avi", 64)]


@pytest.mark.parametrize(("name", "block"), CASES)
def test_block_sizes(
    recordings: dict[str, Path],
    expected: dict[str, dict[str, bytes]],
    tmp_path: Path,
    name: str,
    block: int,
) -> None:
    reduce_to_folder(wanted(recordings[name]), tmp_path / "out", block=block)
    assert bytes_of(tmp_path / "out") == expected[name]


@pytest.fixture(scope="module", params=[1, 2], ids=lambda n: f"{n} workers")
def ray_executor(request: pytest.FixtureRequest) -> Iterator[RayExecutor]:
    require("ray")
    with RayExecutor(workers=request.param) as executor:
        yield executor


@pytest.mark.parametrize(("name", "block"), CASES)
def test_through_ray(
    ray_executor: RayExecutor,
    recordings: dict[str, Path],
    expected: dict[str, dict[str, bytes]],
    tmp_path: Path,
    name: str,
    block: int,
) -> None:
    reduce_to_folder(wanted(recordings[name]), tmp_path / "out", block=block, crew=ray_executor.crew)
    assert bytes_of(tmp_path / "out") == expected[name]


@pytest.mark.parametrize("name", ["avi"])
def test_whole_through_ray(
    ray_executor: RayExecutor,
    recordings: dict[str, Path],
    expected: dict[str, dict[str, bytes]],
    tmp_path: Path,
    name: str,
) -> None:
    ray_executor.execute(wanted(recordings[name]), tmp_path / "out")
    assert bytes_of(tmp_path / "out") == expected[name]
