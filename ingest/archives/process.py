"""Unpacking in a process of its own: started, listened to, ended when it does not get on."""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ingest.archives.limits import Limits, limits_for
from ingest.archives.sink import Member
from reduction.errors import DataError, RequestError, ResourceError, UmbraError

PACKAGES = Path(__file__).resolve().parents[2]
READ_BYTES = 1 << 16
ERRORS: dict[str, type[UmbraError]] = {"ResourceError": ResourceError}

Progress = Callable[[int, int], None]
"""Called with bytes of the archive read, and its size."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of an archive.

    Attributes
    ----------
    files : tuple of Member
        In the order of the archive.
    refused : tuple of (str, str)
        Members that were not written, and why.
    notes : tuple of str
        What else must be said.
    """

    files: tuple[Member, ...]
    refused: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def unpack(
    archive: Path, folder: Path, progress: Progress | None = None, limits: Limits | None = None
) -> Unpacked:
    """Unpack an archive into an empty folder; on failure the folder is emptied again.

    Parameters
    ----------
    archive : Path
    folder : Path
        Is there, and empty.
    progress : callable, optional
    limits : Limits, optional
        Those of the disk and the archive's size by default.

    Raises
    ------
    DataError
        The archive is damaged, encrypted, a part of several, without a file, or asks for more than it may.
    RequestError
        The archive cannot be read.
    ResourceError
        The disk would be full; rar, and libarchive is not installed.
    """
    try:
        size = archive.stat().st_size
        bounds = limits_for(archive, folder) if limits is None else limits
    except OSError as error:
        raise RequestError(f"{archive.name}: cannot be read: {error.strerror}") from error
    try:
        return _run(archive, folder, size, bounds, progress)
    except BaseException:
        for entry in folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        raise


def _run(archive: Path, folder: Path, size: int, limits: Limits, progress: Progress | None) -> Unpacked:
    done: dict[str, Any] | None = None
    with tempfile.TemporaryFile() as complaints:
        process = _start(archive, folder, limits, complaints)
        try:
            for message in _messages(process, archive.name, limits):
                if "error" in message:
                    raise ERRORS.get(message["error"], DataError)(message["message"])
                done = message.get("done", done)
                if progress is not None and "at" in message:
                    progress(min(message["at"], size), size)
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if done is None:
            raise DataError(_why(archive.name, code, limits, complaints))
    return Unpacked(
        files=tuple(Member(**member) for member in done["files"]),
        refused=tuple((name, why) for name, why in done["refused"]),
        notes=tuple(done["notes"]),
    )


def _start(archive: Path, folder: Path, limits: Limits, complaints: IO[bytes]) -> "subprocess.Popen[bytes]":
    """The process: of this very code, in a session of its own, so that Ctrl-C reaches this process alone."""
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LIBARCHIVE", "PYTHONPATH"}}
    path = os.pathsep.join(filter(None, (str(PACKAGES), kept.get("PYTHONPATH", ""))))
    own = {"PYTHONPATH": path, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}
    module = "ingest.archives.unpack"
    arguments = [str(archive.absolute()), str(folder.absolute()), json.dumps(asdict(limits))]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env={"LIBARCHIVE": "libarchive.so.13", **kept, **own},
        start_new_session=True,
    )


def _messages(process: "subprocess.Popen[bytes]", name: str, limits: Limits) -> Iterator[dict[str, Any]]:
    """Its lines as they come.

    Raises
    ------
    DataError
        Nothing came for too long.
    """
    assert process.stdout is not None
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        last = time.monotonic()
        while True:
            if not selector.select(max(0.0, last + limits.stall_s - time.monotonic())):
                raise DataError(
                    f"{name}: unpacking did not get on for {limits.stall_s:g} s and was ended; the archive "
                    "is damaged, or made to keep a machine busy"
                )
            data = os.read(process.stdout.fileno(), READ_BYTES)
            if not data:
                return
            last = time.monotonic()
            *lines, waiting = (waiting + data).split(b"\n")
            for line in lines:
                yield json.loads(line)


def _why(name: str, code: int, limits: Limits, complaints: IO[bytes]) -> str:
    """Why the process ended without a word."""
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return (
            f"{name}: unpacking took more than {limits.processor_s} s of processor time, or was ended from "
            "outside; nothing was unpacked"
        )
    complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - READ_BYTES))
    lines = complaints.read().decode(errors="replace").strip().splitlines() or [f"signal {-code}"]
    if lines[-1].startswith("MemoryError"):
        return f"{name}: needs more than {limits.memory >> 20} MiB of memory to unpack"
    return f"{name}: damaged: it cannot be read ({lines[-1][:200]}); copy it again"
