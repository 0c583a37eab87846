"""Jobs: what was asked, and what has become of it."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import Field

from api.places import confine, fingerprint
from api.problems import Problem
from cluster.requests import ReductionRequest, Times
from reduction.plan import ReductionPlan, Settings
from reduction.version import STAGES, VERSION

Status = Literal["queued", "running", "done", "failed"]
PathText = Annotated[str, Field(min_length=1, max_length=4096)]


class FolderReductionBody(Settings):
    """A reduction that is asked for. Paths are relative to the service's data folder.

    Attributes
    ----------
    input : str
        Recording: a file, a folder of FITS files, a stack, or an archive.
    member : str or None
        Which recording of an archive is meant.
    plan : ReductionPlan
        How it is reduced; what is left out is chosen from the recording.
    times : Times
        Times besides the container's; `table` is a path, too.
    bias, dark, flat : str or None
        Calibration frames: file, folder or stack.
    coordinates : str or None
        Coordinates file.
    calibration : bool
        Whether those of the recording's own FITS folder are used where none are named.
    """

    input: PathText
    member: str | None = None
    plan: ReductionPlan = ReductionPlan()
    times: Times = Times()
    bias: PathText | None = None
    dark: PathText | None = None
    flat: PathText | None = None
    coordinates: PathText | None = None
    calibration: bool = True

    @property
    def digest(self) -> str:
        """SHA-256 of the body as sorted JSON."""
        return _digest(self.model_dump(mode="json"))

    def confined(self, root: Path) -> ReductionRequest:
        """Return the request with its paths found under `root`.

        Raises
        ------
        RequestError
            A path leads out of `root` or names nothing, or the times contradict each other.
        """

        def found(field: str, text: str | None) -> str | None:
            return None if text is None else str(confine(root, text, field))

        table = found("times.table", self.times.table)
        times = self.times.model_copy(update={"table": table})
        times.options()
        return ReductionRequest(
            inputs=(str(confine(root, self.input, "input")),),
            plan=self.plan,
            times=times,
            bias=found("bias", self.bias),
            dark=found("dark", self.dark),
            flat=found("flat", self.flat),
            coordinates=found("coordinates", self.coordinates),
            calibration=self.calibration,
            member=self.member,
        )


class Job(Settings):
    """One reduction. Never changed: `evolve` gives the next state.

    Attributes
    ----------
    id : str
        From the body, the files as they were, and the version of Umbra: the same again is the same job.
    keys : tuple of str
        Values of Idempotency-Key under which it was asked for.
    attempts : int
        How often it was begun.
    crashes : int
        How often the service ended while it ran.
    result : str or None
        Folder of the results within the job's folder.
    key : str or None
        Key of the result.
    """

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    body: FolderReductionBody
    status: Status
    submitted: datetime
    started: datetime | None = None
    finished: datetime | None = None
    attempts: int = 0
    crashes: int = 0
    keys: tuple[str, ...] = ()
    error: Problem | None = None
    result: str | None = None
    key: str | None = None

    def evolve(self, **changes: Any) -> Self:
        """Return the job with some fields changed."""
        return self.model_copy(update=changes)

    @property
    def ended(self) -> bool:
        """Whether it will not change by itself."""
        return self.status in {"done", "failed"}


def job_id(body: FolderReductionBody, root: Path) -> str:
    """Identity of a request; checks that it can be carried out.

    Raises
    ------
    RequestError
        As `FolderReductionBody.confined`.
    DataError
        The input is no recording.
    """
    from ingest.archives.opening import archive_of
    from ingest.formats import identify

    request = body.confined(root)
    if archive_of(request.inputs) is None:
        identify(request.inputs)
    paths = (
        *request.inputs,
        request.times.table,
        request.bias,
        request.dark,
        request.flat,
        request.coordinates,
    )
    files = [None if path is None else fingerprint(Path(path)) for path in paths]
    return _digest([body.model_dump(mode="json"), files, VERSION, STAGES])[:32]


def _digest(document: object) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class JobStore(Protocol):
    """Keeps jobs beyond the process. A job that was saved is there after a power loss."""

    def save(self, job: Job) -> None:
        """Keep the state of a job, in one step."""
        ...

    def load(self) -> list[Job]:
        """All jobs, oldest first."""
        ...

    def folder(self, job: str) -> Path:
        """Folder for the results of a job."""
        ...

    def tidy(self, job: Job) -> None:
        """Remove from a job's folder what interrupted attempts left."""
        ...

    def close(self) -> None:
        """Let another process have the jobs."""
        ...
