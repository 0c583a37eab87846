"""Plate solutions kept with recordings: versions beside a stack's pixels, side files of other recordings.

::

    STACK.zarr/wcs/         attribute: current
      <digest>/             attribute: solution, as `SkySolution.as_json`
    NAME.wcs                a FITS header, for other programs
    NAME.wcs.json           the same with its uncertainty, for Umbra
"""

import json
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from ingest.durable import put
from ingest.formats import expand
from ingest.solve.header import read_wcs_file, wcs_file
from ingest.solve.side_place import side_file
from ingest.stack_times import UNREADABLE
from ingest.zarr_groups import create_group, open_group
from reduction.astrometry.solution import SkySolution, solution_from_json
from reduction.errors import DataError, RequestError, ResourceError

MOST_BYTES = 4 << 20


def put_solution(stack: Path, solution: SkySolution) -> None:
    """Put a solution beside the pixels of a stack and make it the current one; nothing else is touched.

    Raises
    ------
    ResourceError
        The folder cannot be written.
    """
    folder = stack / "wcs"
    target, beside = folder / solution.digest, folder / f".{uuid.uuid4().hex}.partial"
    try:
        if not (folder / "zarr.json").is_file():
            create_group(folder)
        if not target.exists():
            group = create_group(beside)
            group.update_attributes({"solution": solution.as_json()})
            beside.rename(target)
        open_group(folder, "r+").update_attributes({"current": solution.digest})
    except UNREADABLE as error:
        raise ResourceError(f"{stack}: cannot write the plate solution: {error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def solution_digests(stack: Path) -> tuple[str, ...]:
    """Digests of every solution beside the pixels, sorted."""
    folder = stack / "wcs"
    return (
        tuple(sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != "."))
        if folder.is_dir()
        else ()
    )


def read_solution(stack: Path, digest: str | None = None) -> SkySolution | None:
    """A solution of a stack: the current one, or that of `digest`; None where there is none.

    Raises
    ------
    DataError
        It is damaged.
    """
    folder = stack / "wcs"
    if not folder.is_dir():
        return None
    try:
        name = digest or str(open_group(folder).attrs["current"])
        document = open_group(folder / name).attrs["solution"]
    except UNREADABLE as error:
        raise DataError(
            f"{stack}: its plate solution cannot be read ({error}); run umbra solve again"
        ) from error
    solution = solution_from_json(document, f"{stack}: wcs {name[:12]}")
    if solution.digest != name:
        raise DataError(
            f"{stack}: wcs {name[:12]} is damaged (digest {solution.digest[:12]}); run umbra solve again"
        )
    return solution


def put_side_files(path: Path, solution: SkySolution, overwrite: bool) -> tuple[Path, Path]:
    """Write ``NAME.wcs`` and ``NAME.wcs.json``.

    Raises
    ------
    RequestError
        One of them is there and `overwrite` is not set.
    ResourceError
        They cannot be written.
    """
    full = path.with_name(f"{path.name}.json")
    check_side_files(path, overwrite)
    text = json.dumps(solution.as_json(), indent=1, allow_nan=False) + "\n"
    try:
        put(full, [text.encode()])
        put(path, [wcs_file(solution)])
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path, full


def check_side_files(path: Path, overwrite: bool) -> None:
    """Refuse to replace side files that are there, unless `overwrite`."""
    for file in (path, path.with_name(f"{path.name}.json")):
        if file.exists() and not overwrite:
            raise RequestError(f"{file}: is there already; add --overwrite to replace it, or --out FILE.wcs")


def load_solution(path: Path, width: int, height: int, frame: int = 0) -> SkySolution:
    """A solution from a file: Umbra's JSON, or a FITS header of any program.

    ``NAME.wcs`` stands for the ``NAME.wcs.json`` beside it where that is the same solution.

    Raises
    ------
    RequestError
        It cannot be read, or is of frames of another size.
    DataError
        It is damaged.
    """
    full = path.with_name(f"{path.name}.json")
    if path.suffix == ".json":
        return _of_size(_from_json(path), path, width, height)
    if full.is_file():
        solution = _from_json(full)
        if _first_bytes(path, len(wcs_file(solution))) == wcs_file(solution):
            return _of_size(solution, full, width, height)
    return read_wcs_file(path, width, height, frame)


def find_solution(inputs: Sequence[str], width: int, height: int) -> tuple[SkySolution, str] | None:
    """The solution kept with a recording, and where; None where there is none.

    Raises as `load_solution`.
    """
    there = expand(inputs)
    if len(there) == 1 and (there[0] / "zarr.json").is_file():
        kept = read_solution(there[0])
        return None if kept is None else (_of_size(kept, there[0], width, height), f"{there[0].name}/wcs")
    path = side_file(inputs)
    return (load_solution(path, width, height), path.name) if path.is_file() else None


def _from_json(path: Path) -> SkySolution:
    data = _first_bytes(path, MOST_BYTES)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"--wcs {path.name}: no JSON ({error}); run umbra solve again") from error
    return solution_from_json(document, f"--wcs {path.name}")


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise RequestError(f"--wcs {path}: cannot be read: {error.strerror or error}") from error


def _of_size(solution: SkySolution, path: Path, width: int, height: int) -> SkySolution:
    if (solution.width, solution.height) != (width, height):
        raise RequestError(
            f"--wcs {path.name}: is of frames of {solution.width} x {solution.height} pixels, the recording "
            f"has {width} x {height}"
        )
    return solution
