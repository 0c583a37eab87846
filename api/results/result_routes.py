"""Routes of results: versions, their files, light curves in every form, cut-outs, provenance."""

import json
import math
import tempfile
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, SettingsDep, StoreDep
from api.observations.tables import Observation, ObservationFile
from api.pages import Page, page_of
from api.problems import RefusedError, responses
from api.results.pictures import Stretch, around, encoded, frame_of, stretched
from api.results.requests import ReductionAsk
from api.results.service import ReducingDep
from api.results.tables import Reduction, Result
from api.results.views import PREFIX
from api.standards.observed import observed_of
from reduction.errors import DataError, RequestError
from reduction.outputs.page import POLICY
from reduction.plan import Settings

MEDIA = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".html": "text/html; charset=utf-8",
    ".fits": "application/fits",
    ".vot": "application/x-votable+xml",
    ".ecsv": "text/plain; charset=utf-8",
    ".dat": "text/plain; charset=utf-8",
}
FORMS: dict[str, tuple[str, str]] = {
    "csv": ("csv", ".csv"),
    "ecsv": ("ecsv", ".ecsv"),
    "fits": ("fits", ".fits"),
    "parquet": ("parquet", ".parquet"),
    "votable": ("votable", ".vot"),
    "sora": ("sora", ".dat"),
    "portal": ("portal", ".csv"),
    "pyote": ("pyote", ".csv"),
    "tangra": ("tangra", ".csv"),
}
PAGE_POLICY = f"{POLICY}; frame-ancestors 'none'; sandbox"
FOR_EVER = "private, max-age=31536000, immutable"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

router = APIRouter(prefix=PREFIX, tags=["results"])
MaySee = Annotated[Permit, may(Operation.SEE_RESULT)]
MayRead = Annotated[Permit, may(Operation.SEE_LIGHT_CURVE)]


class ResultView(Settings):
    """A version of an observation's results; it never changes. `files` are below `links.files`."""

    id: str
    campaign: str
    observation: str
    version: int
    job: str
    key: str
    edition: str
    figures: dict[str, Any]
    created: datetime
    links: dict[str, str]


class FileOfResult(Settings):
    """A file of a result."""

    name: str
    size: int
    sha256: str


class ResultDetail(ResultView):
    """A version with its files."""

    files: tuple[FileOfResult, ...]


def fields_of(row: Result) -> dict[str, Any]:
    """What is told of a version."""
    here = f"{PREFIX}/results/{row.id}"
    return {
        "id": row.id,
        "campaign": row.campaign,
        "observation": row.observation,
        "version": row.version,
        "job": row.reduction,
        "key": row.key,
        "edition": row.edition,
        "figures": row.figures,
        "created": row.created,
        "links": {
            "self": here,
            "files": f"{here}/files/",
            "lightcurve": f"{here}/lightcurve.csv",
            "report": f"{here}/files/report.html",
            "provenance": f"{here}/provenance",
        },
    }


def result_of(session: Session, permit: Permit, result_id: str) -> Result:
    """The result with an id, if the permit holds for it. Raises `RefusedError`."""
    return permit.over(session, session.get(Result, result_id), "result")


def _detail(row: Result, store: StoreDep) -> ResultDetail:
    commit = store.find("results", row.key)
    listed = () if commit is None else commit.files
    files = tuple(FileOfResult(name=one.name, size=one.size, sha256=one.sha256) for one in listed)
    return ResultDetail(**fields_of(row), files=files)


@router.get(
    "/observations/{observation_id}/results",
    responses=responses(401, 403, 404, 422, 503),
    summary="Versions of an observation's results",
)
def list_results(
    observation_id: IdPath,
    permit: MaySee,
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ResultView]:
    """List the versions, the latest first."""
    with database.reading() as session:
        permit.over(session, session.get(Observation, observation_id), "observation")
        rows = select(Result).where(Result.observation == observation_id)
        found, following = page_of(session, rows, (Result.version, Result.id), limit, cursor, True)
    return Page(items=tuple(ResultView(**fields_of(row)) for row in found), next=following)


@router.get(
    "/results/{observation_id}@{version}",
    responses=responses(401, 403, 404, 422, 503),
    summary="A version by its number",
)
def numbered_result(
    observation_id: IdPath,
    version: Annotated[int, Path(ge=1, le=1_000_000)],
    permit: MaySee,
    database: DatabaseDep,
    store: StoreDep,
) -> ResultDetail:
    """Tell of version `version` of an observation's results."""
    rows = select(Result).where(Result.observation == observation_id, Result.version == version)
    with database.reading() as session:
        row = permit.over(session, session.scalar(rows), "result")
    return _detail(row, store)


@router.get("/results/{result_id}", responses=responses(401, 403, 404, 422, 503), summary="A result")
def see_result(result_id: IdPath, permit: MaySee, database: DatabaseDep, store: StoreDep) -> ResultDetail:
    """Tell of a version: figures, files, where it came from."""
    with database.reading() as session:
        row = result_of(session, permit, result_id)
    return _detail(row, store)


@router.get(
    "/results/{result_id}/files/{name}",
    response_class=FileResponse,
    responses=responses(401, 403, 404, 410, 422, 503),
    summary="A file of a result",
)
def result_file(
    result_id: IdPath,
    name: Annotated[str, Path(pattern=NAME)],
    permit: MaySee,
    database: DatabaseDep,
    store: StoreDep,
    reducing: ReducingDep,
) -> FileResponse:
    """Return light curve, star table, summary, figures or report as the reduction wrote them."""
    with database.reading() as session:
        row = result_of(session, permit, result_id)
    commit = store.find("results", row.key)
    if commit is None:
        raise RefusedError(410, "the files of this result are not in the store any more")
    file = next((one for one in commit.files if one.name == name), None)
    if file is None:
        raise RefusedError(404, f"the result has no file {name}")
    path = reducing.cache.folder(row.key) / name
    headers = {"ETag": f'"{file.sha256}"', "Cache-Control": FOR_EVER}
    if path.suffix == ".html":
        headers["Content-Security-Policy"] = PAGE_POLICY
    return FileResponse(path, media_type=MEDIA.get(path.suffix, "application/octet-stream"), headers=headers)


@router.get(
    "/results/{result_id}/lightcurve.{form}",
    responses=responses(401, 403, 404, 422, 503),
    summary="The light curve in a form",
)
def lightcurve(
    result_id: IdPath,
    form: Annotated[
        Literal["csv", "ecsv", "fits", "parquet", "votable", "sora", "portal", "pyote", "tangra"], Path()
    ],
    permit: MayRead,
    database: DatabaseDep,
    reducing: ReducingDep,
    settings: SettingsDep,
) -> Response:
    """Return the light curve as Umbra or another program writes it."""
    from ingest.curves import own_votable
    from ingest.curves.dialects import read_table

    with database.reading() as session:
        row = result_of(session, permit, result_id)
        observed = observed_of(session, row, settings) if form == "votable" else None
    folder = reducing.cache.folder(row.key)
    name, suffix = FORMS[form]
    headers = {"Content-Disposition": f'attachment; filename="lightcurve-{form}-v{row.version}{suffix}"'}
    if observed is not None:  # where it is from may be told better later
        content = own_votable.write(read_table(folder), observed)
        return Response(content, media_type=MEDIA[suffix], headers=headers)
    headers |= {"Cache-Control": FOR_EVER, "ETag": f'"{row.key}-{form}"'}
    whole = form == "csv"
    content = (folder / "lightcurve.csv").read_bytes() if whole else _exported(folder, name, suffix)
    return Response(content, media_type=MEDIA[suffix], headers=headers)


def _exported(folder: FilePath, form: str, suffix: str) -> bytes:
    from ingest.curves.dialects import read_table
    from ingest.curves.exports import export_curve, form_of

    with tempfile.TemporaryDirectory(prefix="umbra-curve-") as room:
        out = FilePath(room) / f"lightcurve{suffix}"
        export_curve(read_table(folder), form_of(form, out), out)
        return out.read_bytes()


@router.get(
    "/results/{result_id}/provenance",
    responses=responses(401, 403, 404, 422, 503),
    summary="What a result was made from, and by what",
)
def provenance(
    result_id: IdPath, permit: MaySee, database: DatabaseDep, reducing: ReducingDep
) -> dict[str, Any]:
    """Tell the recording, its digest, the plan, the settings that were chosen, and the edition of Umbra."""
    with database.reading() as session:
        row = result_of(session, permit, result_id)
        asked = session.get(Reduction, row.reduction)
        file = None if asked is None else session.get(ObservationFile, asked.file)
    summary = summary_of(reducing.cache.folder(row.key))
    parts: dict[str, Any] = {
        name: summary[name]
        for name in ("schema", "provenance", "input", "plan", "settings")
        if name in summary
    }
    return {
        "result": row.id,
        "version": row.version,
        "key": row.key,
        "edition": row.edition,
        "recording": None if file is None else {"name": file.name, "size": file.size, "sha256": file.sha256},
        "request": {} if asked is None else asked.request,
        **parts,
    }


def summary_of(folder: FilePath) -> dict[str, Any]:
    """Content of a result's ``summary.json``. Raises `DataError`."""
    try:
        found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"the summary cannot be read: {error}") from error
    return found


@router.get(
    "/results/{result_id}/cutouts/{star}/{frame}.{form}",
    responses=responses(401, 403, 404, 422, 503),
    summary="A star of a result at a frame",
)
def cutout(
    result_id: IdPath,
    star: Annotated[str, Path(pattern=r"^[A-Z]\d{0,3}$", description="T, R1, G1 ... of the star table.")],
    frame: Annotated[int, Path(ge=0, lt=1 << 31)],
    form: Annotated[Literal["png", "webp"], Path()],
    permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    half: Annotated[int, Query(ge=4, le=64, description="Pixels to each side.")] = 16,
    zoom: Annotated[int, Query(ge=1, le=16)] = 4,
    stretch: Stretch = "asinh",
    scale: Annotated[
        Literal["picture", "star"],
        Query(description="Black and white: the picture's own, or the star's light."),
    ] = "picture",
) -> Response:
    """Return the recorded pixels about a star, where the reduction found it on that frame.

    With `scale=star` white is what the star's peak is when it is not occulted, on all frames alike, so that
    one sees it go.
    """
    with database.reading() as session:
        row = result_of(session, permit, result_id)
        asked = session.get(Reduction, row.reduction)
        file = None if asked is None else session.get(ObservationFile, asked.file)
    if asked is None or file is None:
        raise RefusedError(404, "the recording of this result is not here any more")
    folder = reducing.cache.folder(row.key)
    summary = summary_of(folder)
    if "integration" in ((summary.get("input") or {}).get("metadata") or {}):
        raise RequestError(
            "samples of an integrating camera are means of several frames; see the recording's frames"
        )
    x, y, sky, sky_sigma = _place(folder / "stars.parquet", star, frame)
    member = ReductionAsk.model_validate(asked.request).member if asked.request else None
    with reducing.stacks.opened(file.sha256, member) as stack:
        image = frame_of(stack, frame)
    limits = star_limits(summary, star, sky, sky_sigma) if scale == "star" else None
    pixels = stretched(around(image, x, y, half), stretch, ends=limits)
    headers = {"Cache-Control": FOR_EVER, "X-Umbra-Centre": f"{x:.3f},{y:.3f}"}
    return Response(encoded(pixels, form, zoom), media_type=f"image/{form}", headers=headers)


def star_limits(
    summary: dict[str, Any], star: str, sky: float, sky_sigma: float
) -> tuple[float, float] | None:
    """Levels of black and white for a star: its sky, and the peak of a Gaussian of its out-of-event light.

    None where the summary does not know it.
    """
    flux = next((one.get("flux") for one in summary.get("stars") or () if one.get("name") == star), None)
    fwhm = (summary.get("photometry") or {}).get("fwhm_px")
    if not flux or not fwhm or flux <= 0 or fwhm <= 0 or not math.isfinite(sky + sky_sigma):
        return None
    peak = flux * 4.0 * math.log(2.0) / (math.pi * fwhm**2)
    return sky - 2.0 * sky_sigma, sky + max(peak, 6.0 * sky_sigma)


def _place(path: FilePath, star: str, frame: int) -> tuple[float, float, float, float]:
    """Where a star is on a frame, by the star table; the sky there, and its sigma."""
    from pyarrow import parquet

    columns = ["star", "x", "y", "sky", "sky_sigma"]
    rows = parquet.read_table(path, columns=columns, filters=[("frame", "==", float(frame))])
    for row in rows.to_pylist():
        if row["star"] == star and math.isfinite(row["x"]) and math.isfinite(row["y"]):
            return row["x"], row["y"], row["sky"], row["sky_sigma"]
    raise RefusedError(404, f"no place of star {star} on frame {frame} is known")
