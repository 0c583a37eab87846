"""Jobs in a folder: ``HOME/jobs/ID/job.json``, with the results beside it."""

import fcntl
import os
import shutil
from pathlib import Path

from pydantic import ValidationError

from api.backup.home import refuse_unfinished
from api.jobs import Job
from reduction.errors import ResourceError, UmbraError

STATE = "job.json"


class FolderStore:
    """A `JobStore` for one process at a time.

    Raises
    ------
    ResourceError
        The folder cannot be written, another service has it, or its restore is not finished.
    """

    def __init__(self, home: Path) -> None:
        self._jobs = home / "jobs"
        try:
            self._jobs.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ResourceError(f"{home}: cannot be written: {error.strerror}; set UMBRA_HOME") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise ResourceError(
                f"{home}: another Umbra service uses it; stop that one, or set UMBRA_HOME"
            ) from error
        try:
            refuse_unfinished(home)
        except UmbraError:
            os.close(self._lock)
            raise

    def folder(self, job: str) -> Path:
        """Folder of a job."""
        return self._jobs / job

    def save(self, job: Job) -> None:
        """Keep the state of a job: written beside, flushed, renamed."""
        folder = self.folder(job.id)
        beside = folder / f".{STATE}"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                file.write(job.model_dump_json(indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(folder / STATE)
            for parent in (folder, self._jobs):
                _flush(parent)
        except OSError as error:
            raise ResourceError(f"{folder}: the job cannot be kept: {error.strerror}; make room") from error

    def load(self) -> list[Job]:
        """All jobs, oldest first; a folder whose job was never acknowledged is removed.

        Raises
        ------
        ResourceError
            A job cannot be read.
        """
        jobs = []
        for folder in self._jobs.iterdir():
            path = folder / STATE
            if not path.exists():
                shutil.rmtree(folder, ignore_errors=True)
                continue
            try:
                jobs.append(Job.model_validate_json(path.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError, ValidationError) as error:
                raise ResourceError(
                    f"{path}: cannot be read as a job: {error}; restore the file, or remove its folder"
                ) from error
        return sorted(jobs, key=lambda job: (job.submitted, job.id))

    def tidy(self, job: Job) -> None:
        """Remove all but the state and the result."""
        for path in self.folder(job.id).iterdir():
            if path.name in {STATE, job.result}:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._lock)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
