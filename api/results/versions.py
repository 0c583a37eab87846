"""Versions of an observation's results: numbered, never changed, written once the job is done."""

import json
import math
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.database.tables import new_id, now
from api.database.transactions import Database
from api.observations.tables import Observation
from api.results.cache import ResultCache
from api.results.tables import Reduction, Result
from api.standards.coverage import coverage_of
from api.standards.tables import Coverage
from cluster.edition import edition
from cluster.jobs.tables import JobRow
from reduction.errors import DataError

EVENT = ("status", "d_utc", "d_sigma_s", "r_utc", "r_sigma_s")


def settle(database: Database, cache: ResultCache, reduction: str) -> None:
    """Write the version of a reduction whose job is done; nothing where it is written, or not done.

    Raises
    ------
    RequestError, DataError
        The result is not in the store any more, or damaged there.
    """
    with database.reading() as session:
        row = session.get(Reduction, reduction)
        done = session.scalar(select(JobRow.state).where(JobRow.id == reduction)) == "done"
    if row is None or row.result is not None or not done:
        return
    figures = figures_of(cache, row.key)
    covers = coverage_of(new_id(), cache.folder(row.key))
    cache.add_version(row.campaign, row.observation, row.key)
    with database.writing() as session:
        _add(session, reduction, figures, covers)


def _add(session: Session, reduction: str, figures: dict[str, Any], covers: Coverage) -> None:
    """Give a reduction its version: the latest one's, where that is the same result."""
    row = session.get(Reduction, reduction, with_for_update=True)
    if row is None or row.result is not None:
        return
    session.execute(select(Observation.id).where(Observation.id == row.observation).with_for_update())
    versions = select(Result).where(Result.observation == row.observation)
    last = session.scalar(versions.order_by(Result.version.desc()).limit(1))
    if last is not None and last.key == row.key:
        row.result = last.id
        return
    version = Result(
        id=covers.result,
        campaign=row.campaign,
        observation=row.observation,
        person=row.person,
        reduction=row.id,
        version=1 if last is None else last.version + 1,
        key=row.key,
        edition=edition()[:256],
        figures=figures,
        created=now(),
    )
    session.add(version)
    session.flush()
    session.add(covers)
    row.result = version.id


def figures_of(cache: ResultCache, key: str) -> dict[str, Any]:
    """The figures of a result that lists show: frames, verdict, event, caveats. Raises as `ResultCache`."""
    path = cache.folder(key) / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        verdict = summary.get("verdict") or {}
        event = summary.get("event") or {}
        return {
            "frames": (summary.get("input") or {}).get("frames"),
            "verdict": verdict.get("state"),
            "headline": verdict.get("headline"),
            "event": {name: _finite(event.get(name)) for name in EVENT} if event else None,
            "caveats": sorted({str(note["code"]) for note in summary.get("caveats", ())}),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{key}: no summary of Umbra's: {error}") from error


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
