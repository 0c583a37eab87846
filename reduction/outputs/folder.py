"""The output folder: written beside its place, then renamed, so that it is whole or not there."""

import contextlib
import ctypes
import errno
import importlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reduction.cores import cores
from reduction.errors import RequestError, ResourceError
from reduction.outputs.summary import SCHEMA, summarise, summary_text
from reduction.outputs.verdict import judge
from reduction.result import ReductionResult

FILES = ("lightcurve.csv", "stars.parquet", "summary.json", "lightcurve.png", "finder.png", "report.html")
"""What an output folder holds."""

DRAWING = tuple(f"reduction.outputs.{name}" for name in ("finder", "lightcurve_figure", "page", "tables"))
"""Modules that draw and write it."""

PARTIAL = "umbra-partial"
"""Part of the name of a folder under way: ``.OUT.umbra-partial-1a2b3c4d``, safe to remove."""

RENAME_EXCHANGE = 2  # linux/fs.h
AT_FDCWD = -100  # fcntl.h


def check_out(out: Path, overwrite: bool) -> None:
    """Check, before any work, that `out` can be written.

    Raises
    ------
    RequestError
        `out` is a file, a mount point or the current folder; exists with content and `overwrite`
        is not set; or holds anything that Umbra did not write.
    ResourceError
        The folder that would hold it cannot be written.
    """
    try:
        _check_place(out.resolve(), out)
        if out.exists() and any(out.iterdir()):
            if not overwrite:
                raise RequestError(
                    f"{out}: exists and is not empty; add --overwrite, or name another folder by --out"
                )
            _check_ours(out)
        ancestor = next(p for p in out.resolve().parents if p.exists())
    except OSError as error:
        raise ResourceError(f"{out}: cannot be looked at: {error.strerror}; choose another --out") from error
    if not ancestor.is_dir():
        raise RequestError(f"{out}: {ancestor} is not a folder; choose another --out")
    if not os.access(ancestor, os.W_OK | os.X_OK):
        raise ResourceError(f"{out}: {ancestor} cannot be written; choose another --out")


def _check_place(place: Path, out: Path) -> None:
    if place.exists() and not place.is_dir():
        raise RequestError(f"{out}: is a file; --out names a folder")
    if place == place.parent or place.is_mount():
        raise RequestError(f"{out}: is a mount point and cannot be replaced; name a folder inside it")
    if place == Path.cwd() or place in Path.cwd().parents:
        raise RequestError(f"{out}: holds the current folder and cannot be replaced; name a folder inside it")


def _check_ours(out: Path) -> None:
    """Refuse a folder with anything in it that Umbra did not write."""
    refusal = "nothing was overwritten; choose another --out"
    try:
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RequestError(f"{out}: no output of Umbra (it has no summary.json); {refusal}") from None
    except ValueError:
        summary = None
    schema = summary.get("schema") if isinstance(summary, dict) else None
    if not isinstance(schema, str) or not schema.startswith("umbra-summary-"):
        message = f"{out}: no output of Umbra (summary.json is not Umbra's, {SCHEMA!r}); {refusal}"
        raise RequestError(message)
    listed = summary.get("files")
    ours = {str(name) for name in listed} if isinstance(listed, list) else set()
    foreign = sorted({p.name for p in out.iterdir()} - ours)
    if foreign:
        names = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise RequestError(f"{out}: holds {names}, not written by Umbra; {refusal}")


def write_outputs(result: ReductionResult, out: Path, overwrite: bool) -> Path:
    """Write every output of `result` into the folder `out`.

    The files are written into a folder beside `out`, flushed to the disk, and take its name in one step:
    whatever happens, `out` is the old folder or the new one.

    Parameters
    ----------
    result : ReductionResult
        A whole reduction.
    out : Path
        The folder; missing parents are made.
    overwrite : bool
        Replace an earlier output of Umbra.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    RequestError
        As `check_out`.
    ResourceError
        The disk is full, or not writable.
    """
    return write_folder(out, overwrite, lambda folder: _write_files(result, folder))


def write_folder(out: Path, overwrite: bool, write: Callable[[Path], None]) -> Path:
    """Give the folder `out` its content in one step.

    Parameters
    ----------
    out : Path
        The folder; missing parents are made.
    overwrite : bool
        Replace an earlier output of Umbra.
    write : callable
        Writes every file into the folder that it is given; among them ``summary.json`` with a ``schema`` that
        begins with ``umbra-summary-`` and the names of all ``files``.

    Raises
    ------
    RequestError, ResourceError
        As `write_outputs`.
    """
    check_out(out, overwrite)
    place = out.resolve()
    try:
        with placed(out) as folder:
            write(folder)
            _flush(folder)
            check_out(out, overwrite)  # it may have changed since
        _flush_folder(place.parent)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        why = error.strerror or str(error)
        raise ResourceError(
            f"{out}: the outputs cannot be written: {why}{where}; make room or choose another --out"
        ) from error
    return out


@contextlib.contextmanager
def placed(out: Path) -> Iterator[Path]:
    """A new folder beside `out`, which takes its place in one step when all went well, and goes otherwise.

    Whatever is at `out` is replaced: whether it may be is for the caller to find out. Nothing is flushed.

    Raises
    ------
    RequestError
        `out` is a file, a mount point, or holds the current folder.
    OSError
        The disk is full, or not writable.
    """
    place = out.resolve()
    _check_place(place, out)
    place.parent.mkdir(parents=True, exist_ok=True)
    with _partial(place) as folder:
        yield folder
        _take_place(folder, place)


@contextlib.contextmanager
def _partial(place: Path) -> Iterator[Path]:
    """A new folder beside `place`; what bears its name at the end is removed."""
    folder = place.with_name(f".{place.name}.{PARTIAL}-{secrets.token_hex(4)}")
    try:
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def import_beside() -> None:
    """Import in a thread what `write_outputs` needs, which takes a second, where another core is free."""
    if cores() > 1:
        threading.Thread(target=lambda: [importlib.import_module(name) for name in DRAWING]).start()


def _write_files(result: ReductionResult, folder: Path) -> None:
    # matplotlib, pyarrow and jinja2 take a second to import: only here are they needed (`import_beside`)
    from reduction.outputs.finder import draw_finder
    from reduction.outputs.lightcurve_figure import draw_lightcurve
    from reduction.outputs.page import report_page
    from reduction.outputs.tables import write_lightcurve, write_stars

    verdict = judge(result)
    summary = summarise(result, verdict, FILES)
    pictures: dict[str, bytes] = {}
    with ThreadPoolExecutor(1, "star-table") as beside:
        stars = beside.submit(write_stars, result, folder / "stars.parquet")
        write_lightcurve(result.lightcurve, folder / "lightcurve.csv")
        (folder / "summary.json").write_text(summary_text(summary), encoding="utf-8")
        for name, draw in (("lightcurve.png", draw_lightcurve), ("finder.png", draw_finder)):
            pictures[name] = draw(result)
            (folder / name).write_bytes(pictures[name])
        page = report_page(result, verdict, pictures["lightcurve.png"], pictures["finder.png"])
        (folder / "report.html").write_text(page, encoding="utf-8")
        stars.result()


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_place(folder: Path, place: Path) -> None:
    """Give `folder` the name `place`; an older folder there gets the name of `folder`."""
    if not place.exists() or not any(place.iterdir()):
        folder.rename(place)  # POSIX: also over an empty folder
        return
    if _exchange(folder, place):
        return
    # A file system without an exchange (NFS, some FUSE): two renames. Killed between them, the old
    # folder is whole under the name `aside`, the new one under `folder`.
    aside = folder.with_name(f"{folder.name}-old")
    try:
        place.rename(aside)
        folder.rename(place)
    except BaseException:
        if aside.exists() and not place.exists():
            aside.rename(place)
        raise
    aside.rename(folder)


def _exchange(first: Path, second: Path) -> bool:
    """Swap the names of two folders in one step; False where the system cannot."""
    rename: Any = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = [os.fsencode(path) for path in (first, second)]
    if rename(AT_FDCWD, names[0], AT_FDCWD, names[1], ctypes.c_uint(RENAME_EXCHANGE)) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        return False
    raise OSError(code, os.strerror(code), str(second))
