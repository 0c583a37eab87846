"""DataLink 1.1: from a data set to what belongs to it, as far as a caller may see it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.access.matrix import Operation
from api.access.permit import Permit
from api.access.relations import Concern
from api.observations.tables import Observation, ObservationFile
from api.problems import RefusedError
from api.results.cache import ResultCache
from api.results.choices import recording_choice
from api.results.result_routes import FORMS, MEDIA
from api.results.tables import Reduction, Result
from api.results.views import PREFIX
from api.settings import ServiceSettings
from api.standards.identifiers import identifier, named
from api.standards.obscore import media_type
from api.standards.votable import Field, Value
from cluster.store.published import ObjectStore
from reduction.errors import DataError, RequestError
from reduction.outputs.tables import read_lightcurve

JSON = "application/json"
FIELDS = (
    Field("ID", "char", "identifier of the data set", ucd="meta.id;meta.main"),
    Field("access_url", "char", "where it is", ucd="meta.ref.url"),
    Field("service_def", "char", "ID of a service; there is none", ucd="meta.ref"),
    Field("error_message", "text", "why there is no link", ucd="meta.code.error"),
    Field("description", "text", "what it is, in words", ucd="meta.note"),
    Field("semantics", "char", "what it is to the data set: a term of datalink/core", ucd="meta.code"),
    Field("content_type", "char", "media type", ucd="meta.code.mime"),
    Field("content_length", "long", "size", unit="byte", ucd="phys.size;meta.file"),
    Field("content_qualifier", "char", "kind of product", ucd="meta.code"),
    Field("local_semantics", "char", "what it is, in this service's own terms", ucd="meta.id;meta.main"),
    Field("link_auth", "char", "true: log in, or send an API key", ucd="meta.code"),
    Field("link_authorized", "boolean", "whether who asked may follow the link", ucd="meta.code"),
)
CURVES = ("votable", "csv", "fits", "parquet", "sora")
SIDES = {"bias": "#bias", "dark": "#dark", "flat": "#flat"}


class Link(NamedTuple):
    """A row: either a path below `PREFIX`, or why there is none."""

    id: str
    path: str = ""
    error: str = ""
    description: str = ""
    semantics: str = "#this"
    content_type: str = ""
    size: int | None = None
    product: str = ""
    local: str = ""

    def cells(self, settings: ServiceSettings) -> list[Value]:
        """In the order of `FIELDS`."""
        url = f"{settings.url}{PREFIX}{self.path}" if self.path else None
        return [
            self.id, url, None, self.error or None, self.description or None, self.semantics,
            self.content_type or None, self.size, self.product or None, self.local or None,
            "true" if url else None, True if url else None,
        ]  # fmt: skip


class Shelf(NamedTuple):
    """Where things are looked for, and by whom."""

    session: Session
    caller: Caller
    settings: ServiceSettings
    store: ObjectStore
    cache: ResultCache

    def may(self, operation: Operation, thing: Concern) -> bool:
        """Whether the caller may do it."""
        try:
            Permit(self.caller, operation).over(self.session, thing, "data set")
        except RefusedError:
            return False
        return True


def links_of(shelf: Shelf, wanted: str) -> Iterator[Link]:
    """The links of what an identifier names; a row of error where it is nothing, or not theirs to see."""
    one = named(shelf.settings, wanted)
    row = (
        None
        if one is None
        else shelf.session.get(Result if one.what == "result" else ObservationFile, one.id)
    )
    if isinstance(row, Result) and shelf.may(Operation.SEE_LIGHT_CURVE, row):
        yield from result_links(shelf, row)
        return
    if isinstance(row, ObservationFile):
        observation = shelf.session.get(Observation, row.observation)
        if observation is not None and shelf.may(Operation.SEE_FILES, observation):
            yield from _recording(identifier(shelf.settings, "file", row.id), row, "#this")
            return
    yield Link(wanted, error="NotFoundFault: no such data set, or not yours to see")


def result_links(shelf: Shelf, row: Result) -> Iterator[Link]:
    """The links of a result, for a caller who may see its light curve."""
    did, here = identifier(shelf.settings, "result", row.id), f"/results/{row.id}"
    commit = shelf.store.find("results", row.key)
    try:
        folder = None if commit is None else shelf.cache.folder(row.key)
        summary = None if folder is None else _summary(folder)
    except (RequestError, DataError):
        folder = summary = None
    if commit is None or folder is None or summary is None:
        yield Link(did, error="NotFoundFault: the files of this result are not in the store any more")
        return
    sizes = {file.name: file.size for file in commit.files}
    for form in CURVES:
        told = f"light curve, {form}" + (": with units, time system and place" if form == "votable" else "")
        kind = MEDIA[FORMS[form][1]]
        size = sizes.get("lightcurve.csv") if form == "csv" else None
        path = f"{here}/lightcurve.{form}"
        yield Link(did, path, "", told, "#this", kind, size, "timeseries", form)
    if summary.get("event"):
        told = "the event: samples, fitted light, residuals, each edge enlarged"
        yield Link(did, f"{here}/event.png", "", told, "#preview-plot", "image/png", None, "", "event")
    if shelf.may(Operation.SEE_RESULT, row):
        yield from _whole(did, here, sizes, summary, folder)
    yield from _made_from(shelf, did, row)


def _whole(
    did: str, here: str, sizes: dict[str, int], summary: dict[str, Any], folder: Path
) -> Iterator[Link]:
    """Files of a result, for who may see them all."""
    for name, semantics, told in (
        ("lightcurve.png", "#preview-plot", "the curves: ratio, target, reference"),
        ("finder.png", "#preview-image", "the field, with its apertures"),
        ("report.html", "#documentation", "the report: everything on one page"),
        ("summary.json", "#documentation", "the figures, for programs"),
        ("stars.parquet", "#auxiliary", "every measured star on every frame"),
    ):
        if name in sizes:
            kind = MEDIA[Path(name).suffix]
            yield Link(did, f"{here}/files/{name}", "", told, semantics, kind, sizes[name], "", name)
    told = "provenance, W3C PROV-JSON"
    yield Link(did, f"{here}/prov.json", "", told, "#documentation", JSON, None, "", "provenance")
    found = _cutout(summary, folder)
    if found is not None:
        star, frame = found
        path = f"{here}/cutouts/{star}/{frame}.png"
        told = f"the target at frame {frame}; other stars and frames by their names and numbers"
        yield Link(did, path, "", told, "#cutout", "image/png", None, "image", "cutout")


def _made_from(shelf: Shelf, did: str, row: Result) -> Iterator[Link]:
    """The recording and the calibration frames of a result."""
    asked = shelf.session.get(Reduction, row.reduction)
    observation = shelf.session.get(Observation, row.observation)
    if asked is None or observation is None or not shelf.may(Operation.SEE_FILES, observation):
        return
    file = shelf.session.get(ObservationFile, asked.file)
    if file is not None:
        yield from _recording(did, file, "#progenitor", asked.request.get("member"))
    for name, semantics in SIDES.items():
        side = shelf.session.get(ObservationFile, asked.request.get(name) or "")
        if side is not None:
            path, kind = f"/files/{side.id}/content", media_type(side.name)
            yield Link(did, path, "", f"{name} frames: {side.name}", semantics, kind, side.size, "", name)


def _recording(did: str, file: ObservationFile, semantics: str, member: str | None = None) -> Iterator[Link]:
    """A recording, and its frames where they can be looked at; `member`: of an archive of several."""
    path, kind = f"/files/{file.id}", media_type(file.name)
    told = f"the recording as it came: {file.name}"
    yield Link(did, f"{path}/content", "", told, semantics, kind, file.size, "cube", "recording")
    choice = recording_choice(file)
    if file.role != "recording" or file.state != "accepted" or (choice and choice.members and not member):
        return
    which = f"?member={quote(member, safe='')}" if member else ""
    told = (
        "the recording as a stack: its frames and times; frames/N.png and frames/N/pixels.npy are the frames"
    )
    yield Link(did, f"{path}/frames{which}", "", told, semantics, JSON, None, "cube", "stack")
    told = "its first frame"
    yield Link(did, f"{path}/frames/0.png{which}", "", told, "#preview-image", "image/png", None, "", "frame")


def _cutout(summary: dict[str, Any], folder: Path) -> tuple[str, int] | None:
    """The target's name, and the frame in the middle on which it was found; None: there are no cut-outs."""
    if "integration" in ((summary.get("input") or {}).get("metadata") or {}):
        return None
    star = next((one["name"] for one in summary.get("stars") or () if one.get("role") == "target"), None)
    curve = read_lightcurve(folder / "lightcurve.csv")
    seen = np.isfinite(curve.target_x) & np.isfinite(curve.target_y) & (curve.frame % 1 == 0)
    frames = curve.frame[seen]
    return None if star is None or not frames.size else (star, int(frames[frames.size // 2]))


def _summary(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"the summary cannot be read: {error}") from error
    return found
