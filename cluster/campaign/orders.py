"""What is sent to the queue: an order for each observation, known by the key of the result it makes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster.campaign.digests import Digests, files_of, state_of
from cluster.campaign.observation import Observation
from cluster.jobs.job import Order
from cluster.requests import ReductionRequest
from reduction.errors import RequestError
from reduction.version import STAGES, VERSION

FORM = "umbra-order-1"
LONGEST_CAMPAIGN = 80


@dataclass(frozen=True, slots=True)
class Work:
    """An order's payload: all that a worker needs.

    Attributes
    ----------
    station : str
    key : str
        Of the result: SHA-256 of the digests of all files, the plan, the options about times and the
        edition of Umbra. No path is in it.
    request : ReductionRequest
    state : str
        `state_of` the files when `key` was made.
    store : str
        URL of the store that the result goes to.
    bytes : int
        Of all files.
    """

    station: str
    key: str
    request: ReductionRequest
    state: str
    store: str
    bytes: int

    @property
    def text(self) -> str:
        """The same as JSON."""
        content = asdict(self) | {
            "form": FORM,
            "request": self.request.model_dump(mode="json", exclude_unset=True),
        }
        return json.dumps(content, sort_keys=True)


def work_of(payload: str) -> Work:
    """The work of a payload.

    Raises
    ------
    RequestError
        It is of another form: another version of Umbra wrote it.
    """
    try:
        content: dict[str, Any] = json.loads(payload)
        if content.pop("form") != FORM:
            raise RequestError("the job was sent by another version of Umbra; run the campaign again")
        request = ReductionRequest.model_validate(content.pop("request"))
        return Work(**content, request=request)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"the job's payload is no order of a campaign: {error}") from error


def check_campaign(name: str) -> str:
    """The name of a campaign. Raises `RequestError` where it is none."""
    if (
        not name
        or len(name) > LONGEST_CAMPAIGN
        or not name.isprintable()
        or "/" in name
        or name.startswith(".")
    ):
        raise RequestError(
            f"--campaign {name!r:.100}: give 1 to {LONGEST_CAMPAIGN} characters, no slash, no dot in front"
        )
    return name


def work_for(
    observation: Observation, store: str, digests: Digests, stopped: Callable[[], bool] = lambda: False
) -> Work:
    """The work of an observation; its files are read where their digests are not known.

    Raises
    ------
    RequestError, DataError
        A file is not there, cannot be read, or changes meanwhile.
    ResourceError
        `stopped` returned true.
    """
    request = observation.request
    state = state_of(request)
    files = [(name, digests.of(path, stopped)) for name, path in files_of(request)]
    files += [("input/raw", text.removeprefix("raw:")) for text in request.inputs if text.startswith("raw:")]
    size = sum(path.stat().st_size for _, path in files_of(request))
    return Work(observation.station, key_of(request, files), request, state, store, size)


def key_of(request: ReductionRequest, files: list[tuple[str, str]]) -> str:
    """Key of a result: SHA-256 of what it is made from and by what."""
    content = {
        "files": sorted(files),
        "plan": request.plan.model_dump(mode="json"),
        "times": request.times.model_dump(mode="json", exclude={"table"}),
        "sky": request.sky.model_dump(mode="json", exclude={"wcs", "catalogue"}),
        "member": request.member,
        "calibration": request.calibration,
        "device": request.device,
        "edition": {"version": VERSION, "stages": STAGES},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def order_of(campaign: str, work: Work, owner: str = "", priority: int = 0) -> Order:
    """The job of an observation in a campaign: the same observation with the same key is the same job."""
    identity = hashlib.sha256(f"{campaign}\0{work.station}\0{work.key}".encode()).hexdigest()
    return Order(identity, work.text, owner, campaign, priority)


def name_of(manifest: Path) -> str:
    """The campaign's name where none is given: the manifest's."""
    return check_campaign(manifest.stem if manifest.stem != "manifest" else manifest.absolute().parent.name)
