"""A client of the service, for programs: files go up and come down in pieces, jobs are followed.

It asks the public API alone; what it has no method for, `Service.ask` asks.
"""

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from api.remote import downloading, following, uploading
from api.remote.connection import API, Connection, Trouble
from api.remote.following import Event
from api.remote.uploading import Begun, Progress
from api.webhooks.signing import verify
from reduction.errors import DataError, RequestError

MEDIA = {".xml": "application/xml", ".csv": "text/csv", ".json": "application/json"}
MEDIA |= {".jsonl": "application/jsonl", ".ndjson": "application/jsonl"}

verify_webhook = verify
"""Of a receiver of webhooks: the event of a request, if it is the service's."""

View = dict[str, Any]
"""What the service says, as docs/service.md and its OpenAPI text describe it."""


class Service:
    """A service, as the holder of an API key.

    Parameters
    ----------
    url : str
        Of the service: ``https://umbra.example.org``; http for this machine alone.
    key : str
        An API key, with the scopes of what is to be done.
    patience_s : float
        How long what may pass is tried again: the service is away, full, or busy.
    timeout_s : float
        For one answer.
    insecure : bool
        Allow http to another machine, by which everyone on the way can read the key.
    trouble : callable, optional
        Told why something is tried again.
    """

    def __init__(
        self,
        url: str,
        key: str,
        patience_s: float = 3600.0,
        timeout_s: float = 120.0,
        insecure: bool = False,
        trouble: Trouble | None = None,
    ) -> None:
        self.connection = Connection(url, key, patience_s, timeout_s, insecure, trouble)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.client.close()

    def ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Send a request below ``/api/v1`` and return what its JSON says.

        Raises
        ------
        RequestError
            The service refuses it; the message is the service's.
        ResourceError
            The service cannot be reached, or fails.
        """
        return self.connection.ask(method, path, body, params)

    def send(
        self, path: str, content: Path | str, headers: Mapping[str, str] | None = None, **params: Any
    ) -> Any:
        """Post a file, or text, as it is: predictions, manifests. Raises as `ask`.

        Parameters
        ----------
        path : str
            Route below ``/api/v1``.
        content : Path or str
            A file, whose suffix tells what it is (xml, csv, json, jsonl), or JSON lines.
        """
        media = "application/jsonl"
        if isinstance(content, Path):
            media = MEDIA.get(content.suffix.lower(), "")
            if not media:
                raise RequestError(f"{content}: name it {', '.join(MEDIA)}, so that it is known what it is")
        try:
            data = content.read_bytes() if isinstance(content, Path) else content.encode()
        except OSError as error:
            raise RequestError(f"{content}: cannot be read: {error.strerror or error}") from error
        told = {"Content-Type": media, **(headers or {})}
        return self.connection.ask("POST", path, None, params, told, data)

    def pages(self, path: str, **params: Any) -> Iterator[View]:
        """All rows of a list, page by page; raises as `ask`."""
        return following.pages(self.connection, path, **params)

    def open_campaign(self, predicted: Path | str, **fields: Any) -> str:
        """Import the file of a prediction (occelmnt XML), and call for observations of it; the campaign's id.

        Parameters
        ----------
        predicted : Path
            Of one event; one whose occ_id the service has already is kept.
        **fields
            As of ``POST /campaigns``: ``message``, ``embargo``, ``observers_reduce``, ``tell`` ...

        Raises
        ------
        RequestError
            The service refuses it, or the file holds several events.
        """
        found = self.send("/predictions/occelmnt", Path(predicted), existing="keep")["predictions"]
        if len(found) > 1:
            raise RequestError(
                f"{predicted}: holds {len(found)} events, which are there now; open them singly"
            )
        campaign: str = self.ask("POST", "/campaigns", {"prediction": found[0], **fields})["id"]
        return campaign

    def join(self, campaign: str, station: str, **place: float) -> str:
        """Take part in a campaign with a station at a new site of its name; the observation's id.

        Parameters
        ----------
        campaign : str
            Its id.
        station : str
        **place
            ``latitude_deg``, ``longitude_deg`` (east positive) and ``height_m``, WGS 84.

        Raises
        ------
        RequestError
            The service refuses it.
        """
        site = self.ask("POST", "/sites", {"name": station, **place})["id"]
        body = {"campaign": campaign, "site": site, "station": station}
        observation: str = self.ask("POST", "/observations", body)["id"]
        return observation

    def upload(
        self,
        path: Path | str,
        observation: str,
        role: str = "recording",
        resume: str | None = None,
        progress: Progress | None = None,
        begun: Begun | None = None,
        sha256: str | None = None,
        node: str | None = None,
    ) -> str:
        """Send a file; return the id of its upload once all its bytes are safe at the service, or its node.

        Parameters
        ----------
        path : Path
        observation : str
            Whose file it is.
        role : str
            ``recording``, ``additional`` or ``roi``.
        resume : str, optional
            Id of an earlier upload of this very file, which is gone on with, if the service still has it.
        progress : callable, optional
            Called with bytes that are safe at the service, and bytes of the file.
        begun : callable, optional
            Called with the upload's id before the first byte goes: keep it to go on from another process.
        sha256 : str, optional
            Of the file, where it is known already.
        node : str, optional
            Name of an upload node (``GET /nodes``), or ``nearest``: the bytes go there, and it hands them
            over by itself, also where the service is away for a while.

        Raises
        ------
        RequestError
            The service refuses it, or the file cannot be read.
        DataError
            The file changes meanwhile.
        ResourceError
            The service was not to be reached for `patience_s`.
        """
        return uploading.upload(
            self.connection, Path(path), observation, role, resume, progress, begun, sha256, node
        )

    def file_of(self, upload: str, patience_s: float = 3600.0) -> View:
        """Wait until an uploaded file was stored and looked at; the file, with what was found.

        Raises
        ------
        DataError
            It did not arrive as it was sent, or holds nothing that can be read.
        ResourceError
            It takes longer than `patience_s`.
        """
        view = uploading.settled(self.connection, f"/uploads/{upload}", "stored", patience_s)
        return uploading.settled(self.connection, f"/files/{view['file']}", "accepted", patience_s)

    def reduce(self, file: str, key: str | None = None, **fields: Any) -> View:
        """Ask for a reduction of an accepted recording; the job. Raises as `ask`.

        Parameters
        ----------
        file : str
            Its id.
        key : str, optional
            Idempotency-Key: asking again with it is the same job.
        **fields
            As of ``POST /reductions``: ``plan``, ``times``, ``bias``, ``dry_run`` ...
        """
        told = {"Idempotency-Key": key or uuid.uuid4().hex}
        body = {"file": file, **fields}
        view: View = self.connection.patiently(
            lambda: self.connection.ask("POST", "/reductions", body, headers=told)
        )
        return view

    def reduce_all(
        self,
        campaign: str,
        manifest: Path | str,
        key: str | None = None,
        mode: str = "atomic",
        dry_run: bool = False,
    ) -> View:
        """Ask for the reductions of a manifest; the batch. Raises as `ask`, with what is wrong of each line.

        Parameters
        ----------
        campaign : str
            Of which all files are.
        manifest : Path or str
            A CSV or JSONL file, or JSON lines.
        key : str, optional
            Idempotency-Key: asking again with it is the same batch.
        mode : str
            ``atomic``, or ``partial``: lines that are wrong are left out.
        dry_run : bool
            Tell faults and estimate, do nothing.
        """
        told = {"Idempotency-Key": key or uuid.uuid4().hex}
        view: View = self.connection.patiently(
            lambda: self.send(
                "/batches", manifest, told, campaign=campaign, mode=mode, dry_run=str(dry_run).lower()
            )
        )
        return view

    def follow(self, view: View, polling: bool = False) -> Iterator[Event]:
        """Tell each state of a job's, or of all jobs of a batch, as it comes, until all have ended.

        By server-sent events, which go on where a broken line left them; by long polls where no events come
        through. An event has ``job``, ``state``, ``attempt`` and ``at``.

        Raises
        ------
        RequestError
            There is no such job or batch.
        ResourceError
            The service was not to be reached for `patience_s`.
        """
        path = str(view["links"]["self"]).removeprefix(API)
        return following.follow(self.connection, path, polling)

    def ended(self, view: View) -> View:
        """Wait until a job or a batch has ended; what became of it.

        Raises
        ------
        DataError
            The job failed or was cancelled; the message is its reason. Of a batch, see its counts.
        """
        for _ in self.follow(view):
            pass
        now: View = self.ask("GET", str(view["links"]["self"]).removeprefix(API))
        return _sound(now)

    def fit(self, campaign: str, key: str | None = None, **fields: Any) -> View:
        """Fit the limb to the chords of a campaign; the fit, once it is done.

        Parameters
        ----------
        campaign : str
            Its id.
        key : str, optional
            Idempotency-Key: asking again with it is the same fit.
        **fields
            As of ``POST /campaigns/ID/fits``: ``model``, ``diameter_km``, ``stations`` ...

        Raises
        ------
        RequestError
            The service refuses it.
        DataError
            There are no chords to fit, or the fit failed.
        """
        told = {"Idempotency-Key": key or uuid.uuid4().hex}
        here = f"/campaigns/{campaign}/fits"
        connection = self.connection
        now: View = connection.patiently(lambda: connection.ask("POST", here, fields, headers=told))
        path, wait = f"{here}/{now['version']}", {"wait": following.WAIT_S}
        while now["state"] not in following.ENDED:
            now = connection.patiently(lambda: connection.ask("GET", path, params=wait))
        return _sound(now)

    def event_data(self, campaign: str, goal: Path | str) -> Path:
        """Request the event data of a campaign, and fetch them as one ZIP; raises as `download`."""
        asked = self.ask("POST", f"/campaigns/{campaign}/data-requests", {})
        return self.download(asked["links"]["bundle"], goal)

    def download(
        self,
        path: str,
        goal: Path | str,
        sha256: str | None = None,
        progress: Progress | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Fetch a file: whole, or not at all; it goes on where a broken line or a killed process left it.

        Parameters
        ----------
        path : str
            Route below ``/api/v1``, or a link that the service told.
        goal : Path
            File to write; what came so far waits beside it as ``.NAME.partial``.
        sha256 : str, optional
            What it must have; by default what the service says.
        progress : callable, optional
            Called with bytes that are here, and bytes of the file.
        overwrite : bool
            Replace a file.

        Raises
        ------
        RequestError
            The service refuses it, or the file exists.
        DataError
            It did not arrive as it was sent.
        ResourceError
            It cannot be written, or the service was not to be reached for `patience_s`.
        """
        goal = Path(goal)
        downloading.unused(goal, overwrite)
        return downloading.download(self.connection, path.removeprefix(API), goal, sha256, progress)


def _sound(view: View) -> View:
    """What has ended well; raises `DataError` where it failed."""
    if view.get("state") in {"failed", "cancelled"}:
        raise DataError(f"{view['state']}: {view.get('error') or 'no reason is told'}")
    return view
