"""The light-curve page: may it be trusted, the curves, the event, cut-outs, versions, exports, provenance."""

import shlex
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from fastapi import Query, Response
from sqlalchemy import select

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns.tables import Campaign
from api.dependencies import Cursor, DatabaseDep, IdPath, StoreDep
from api.observations.tables import Observation, ObservationFile
from api.problems import RefusedError
from api.results.columns import named_stars, shown
from api.results.result_routes import (
    ResultView,
    list_results,
    numbered_result,
    provenance,
    result_of,
    see_result,
    summary_of,
)
from api.results.service import Reducing, ReducingDep
from api.results.tables import Reduction, Result
from api.results.views import PREFIX
from api.standards.identifiers import identifier
from api.web.curve_shown import (
    EVENT_TITLES,
    event_rows,
    events_of,
    excluded_runs,
    flag_counts,
    found_rows,
    quality_rows,
    sample_at,
    verdict_of,
)
from api.web.curve_versions import compared
from api.web.limb_words import clock, two_digits
from api.web.pages import Visit, VisitDep, page_router
from cluster.campaign.outcomes import read_outcome
from ingest.instants import parse_utc
from ingest.time_arguments import ARGUMENTS
from reduction.outputs.reproduce import plan_toml
from reduction.outputs.tables import read_lightcurve
from reduction.plan import ReductionPlan
from reduction.result import LightCurve

MOST_VERSIONS = 50
MOST_CUTOUTS = 3
PICTURE = "half=16&zoom=5&scale=star"
"""Of a cut-out: pixels to each side, how many times enlarged; black and white by the star's light."""

FORMS = (
    ("csv", "CSV", "every column; what Umbra, spreadsheets and scripts read"),
    ("sora", "SORA", "time (JD), flux, its σ, as SORA's LightCurve takes them"),
    ("fits", "FITS", "a binary table with units; times to 1 ns"),
    ("votable", "VOTable", "for TOPCAT, Aladin and other tools of the Virtual Observatory"),
    ("parquet", "Parquet", "columns for pandas and other programs"),
    ("ecsv", "ECSV", "text with units and flags, as astropy writes it"),
    ("pyote", "PyOTE", "as PyMovie writes for PyOTE"),
    ("tangra", "Tangra", "as Tangra exports"),
    ("portal", "Occultation Portal", "DATE-OBS and the ratio"),
)
FILES = (
    ("report.html", "Report", "everything on one page that loads nothing"),
    ("summary.json", "Summary", "the figures, for programs"),
    ("stars.parquet", "All stars", "every measured star on every frame"),
    ("lightcurve.png", "Figure of the curves", "PNG"),
    ("finder.png", "Finder chart", "the field with its apertures, PNG"),
)

router = page_router()
MaySee = Annotated[Permit, may(Operation.SEE_LIGHT_CURVE)]
Frame = Annotated[float | None, Query(ge=0, lt=1 << 31)]
Number = Annotated[int | None, Query(alias="with", ge=1, le=1_000_000)]
StarName = Annotated[str | None, Query(pattern=r"^[A-Z]\d{0,3}$")]


class Opened(NamedTuple):
    """What the database has of a result: its row, and what it belongs to."""

    row: Result
    campaign: Campaign
    observation: Observation
    asked: Reduction | None
    file: ObservationFile | None


@router.get("/results/{result_id}")
def result(
    result_id: IdPath,
    visit: VisitDep,
    permit: MaySee,
    database: DatabaseDep,
    store: StoreDep,
    reducing: ReducingDep,
    frame: Frame = None,
    other: Number = None,
    reference: StarName = None,
    guide: StarName = None,
    versions: Cursor = None,
) -> Response:
    """Show a version of an observation's results; `with` another version, beside it."""
    with database.reading() as session:
        row = result_of(session, permit, result_id)
        whole = visit.may(Operation.SEE_RESULT, row, session)
        opened = Opened(
            row,
            session.get_one(Campaign, row.campaign),
            session.get_one(Observation, row.observation),
            asked := session.get(Reduction, row.reduction),
            None if asked is None else session.get(ObservationFile, asked.file),
        )
        bundle = visit.may(Operation.REQUEST_EVENT_DATA, opened.campaign, session)
        reduces = visit.may(Operation.REDUCE, opened.observation, session)
    folder = reducing.cache.folder(row.key)
    summary = summary_of(folder)
    values = _of_curve(row, folder, summary, frame)
    if whole:
        values |= _whole(visit, opened, summary, database, store, reducing, versions)
        values |= _beside(visit, opened, other, folder, reducing)
        values["cutouts"] = _cutouts(row, summary, values["sample"].frame, reference, guide)
    return visit.page(
        "curves/result.html",
        result=row,
        campaign=opened.campaign,
        station=opened.observation,
        file=opened.file if whole else None,
        whole=whole,
        may_bundle=bundle,
        may_reduce=reduces,
        api=f"{PREFIX}/results/{row.id}",
        identifier=identifier(visit.settings, "result", row.id),
        clock=clock,
        two_digits=two_digits,
        **{"versions": (), "compared": None, "cutouts": None, "other": None, **values},
    )


@lru_cache(maxsize=4)
def _curve_at(key: str, path: Path) -> LightCurve:
    """The curve of a key, which never changes; the latest few stay in memory."""
    del key
    return read_lightcurve(path)


def middle_ns(summary: Mapping[str, Any]) -> int | None:
    """UTC of the middle of the event, POSIX ns; of its one edge where the other is not there."""
    event = summary.get("event") or {}
    known = [parse_utc(str(event[name])) for name in ("d_utc", "r_utc") if event.get(name)]
    found = [one[0] for one in known if one is not None]
    return sum(found) // len(found) if found else None


def _of_curve(row: Result, folder: Path, summary: dict[str, Any], frame: float | None) -> dict[str, Any]:
    """What everybody sees who may see the curve."""
    curve = _curve_at(row.key, folder / "lightcurve.csv")
    if not curve.frame.size:
        raise RefusedError(410, "the light curve of this result is empty")
    found = shown(folder, summary, curve)
    event = summary.get("event")
    runs, number = excluded_runs(curve)
    return {
        "verdict": verdict_of(summary),
        "event": event,
        "event_title": EVENT_TITLES.get(event["status"]) if event else None,
        "event_rows": event_rows(summary) if event else (),
        "events": events_of(found.analysis, found.curve),
        "quality": quality_rows(summary),
        "flags": flag_counts(summary),
        "runs": runs,
        "run_count": number,
        "found": found_rows(found.analysis, found.curve),
        "picture": PICTURE,
        "sample": sample_at(curve, frame, middle_ns(summary)),
        "source": summary["input"],
        "points": curve.frame.size,
        "forms": FORMS,
        "files": FILES,
        "stars": (stars := named_stars(summary)),
        "first_guide": next((star["name"] for star in stars if star["role"] == "guide"), None),
    }


def _cutouts(
    row: Result, summary: Mapping[str, Any], frame: float, reference: str | None, guide: str | None
) -> list[dict[str, Any]] | None:
    """Target, a reference and a guide at a frame; None where the pictures are means of several frames."""
    if "integration" in ((summary.get("input") or {}).get("metadata") or {}):
        return None
    found: list[dict[str, Any]] = []
    for role, wanted in (("target", None), ("reference", reference), ("guide", guide)):
        names = [s["name"] for s in summary["stars"] if s["role"] == role]
        if role == "guide":
            names += [s["name"] for s in summary["stars"] if s["is_guide"] and s["role"] == "reference"]
        if names:
            taken = {one["name"] for one in found}
            name = wanted if wanted in names else next((n for n in names if n not in taken), names[0])
            path = f"{PREFIX}/results/{row.id}/cutouts/{name}/{int(frame)}.png?{PICTURE}"
            found.append({"role": role, "name": name, "names": names, "src": path})
    return found[:MOST_CUTOUTS]


def _whole(
    visit: Visit,
    opened: Opened,
    summary: Mapping[str, Any],
    database: DatabaseDep,
    store: StoreDep,
    reducing: Reducing,
    older: str | None,
) -> dict[str, Any]:
    """What the owner and the team see: files, versions (a page of them, from `older` on), provenance."""
    row = opened.row
    permit = visit.permit(Operation.SEE_RESULT)
    detail = see_result(row.id, permit, database, store)
    listed = list_results(row.observation, permit, database, MOST_VERSIONS, older)
    said = summary["provenance"]
    asked = opened.asked.request if opened.asked is not None else {}
    return {
        "sizes": {file.name: file.size for file in detail.files},
        "versions": listed.items,
        "older": listed.next,
        "later": older is not None,
        "provenance": provenance(row.id, permit, database, reducing),
        "plan": plan_toml(ReductionPlan.model_validate(said["plan"])),
        "command": command_of(opened.file, asked, said),
        "ledger": summary["input"]["ledger"],
    }


def command_of(file: ObservationFile | None, asked: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """The command that repeats the reduction on one's own machine."""
    words = ["umbra reduce", shlex.quote("RECORDING" if file is None else file.name), "--plan plan.toml"]
    words += [f"--{kind} {kind.upper()}" for kind in sorted(said["calibration"])]
    for name, value in (asked.get("times") or {}).items():
        if value is not None and name in ARGUMENTS:
            words += [ARGUMENTS[name].flag, "TABLE" if name == "table" else shlex.quote(str(value))]
    return " ".join([*words, "--out again"])


def _beside(
    visit: Visit, opened: Opened, number: int | None, folder: Path, reducing: Reducing
) -> dict[str, Any]:
    """The comparison with another version of the same observation."""
    if number is None or number == opened.row.version:
        return {}
    row = opened.row
    permit, database = visit.permit(Operation.SEE_RESULT), visit.database
    store = visit.request.app.state.store
    view: ResultView = numbered_result(row.observation, number, permit, database, store)
    station = opened.observation.station
    old = read_outcome(station, view.version, view.key, reducing.cache.folder(view.key))
    new = read_outcome(station, row.version, row.key, folder)
    return {"other": view, "compared": compared(old, new)}


@router.get("/observations/{observation_id}/results")
def latest(observation_id: IdPath, visit: VisitDep, permit: MaySee, database: DatabaseDep) -> Response:
    """Lead to the latest version of an observation's results."""
    newest = (
        select(Result).where(Result.observation == observation_id).order_by(Result.version.desc()).limit(1)
    )
    with database.reading() as session:
        row = permit.over(session, session.scalar(newest), "result")
    return visit.back(f"/results/{row.id}")
