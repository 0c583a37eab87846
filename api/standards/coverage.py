"""The coverage of results, found once: when a version is written, and of older ones after the start."""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from api.database.transactions import Database
from api.results.cache import ResultCache
from api.results.tables import Result
from api.standards.tables import Coverage
from ingest.instants import DAY_NS, parse_utc
from reduction.errors import DataError, RequestError

AT_ONCE = 50
MJD_OF_UNIX_EPOCH = 40587
DAY_S = timedelta(days=1).total_seconds()


def mjd(ns: int) -> float:
    """MJD of POSIX UTC nanoseconds."""
    days, rest = divmod(ns, DAY_NS)
    return MJD_OF_UNIX_EPOCH + days + rest / DAY_NS


def coverage_of(result: str, folder: Path) -> Coverage:
    """What a result covers, by the files in `folder`. Raises `DataError`."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        size = (folder / "lightcurve.csv").stat().st_size
        return Coverage(result=result, size=size, **_figures(summary))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{folder.name}: no summary of Umbra's: {error}") from error


def _figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    source, photometry, curve, sky = (
        summary.get(name) or {} for name in ("input", "photometry", "lightcurve", "sky")
    )
    points, exposure = curve.get("points"), _number(source.get("exposure_s"))
    first, last = (_instant(source.get(name)) for name in ("first_utc", "last_utc"))
    half = (exposure or 0.0) / 2 / DAY_S
    return {
        "t_min": None if first is None else mjd(first) - half,
        "t_max": None if last is None else mjd(last) + half,
        "exposure_s": None if exposure is None or points is None else exposure * points,
        "cadence_s": _number(source.get("cadence_s")),
        "samples": points,
        "width": source.get("width"),
        "height": source.get("height"),
        "scale_arcsec": _number(sky.get("scale_arcsec")),
        "fwhm_px": _number(photometry.get("fwhm_px")),
        "aperture_px": _number(photometry.get("aperture_px")),
    }


def _instant(text: str | None) -> int | None:
    found = parse_utc(text) if text else None
    return None if found is None else found[0]


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def catch_up(database: Database, cache: ResultCache) -> bool:
    """Find what some results cover of which that is not known; False: there were none.

    A result whose files are lost or damaged gets a coverage of nothing.

    Raises
    ------
    ResourceError
        The store cannot be reached.
    """
    missing = (
        select(Result.id, Result.key)
        .outerjoin(Coverage, Coverage.result == Result.id)
        .where(Coverage.result.is_(None))
        .limit(AT_ONCE)
    )
    with database.reading() as session:
        found = session.execute(missing).all()
    for identity, key in found:
        try:
            row = coverage_of(identity, cache.folder(key))
        except (DataError, RequestError):
            row = Coverage(result=identity)
        with database.writing() as session:
            session.merge(row)
    return bool(found)
