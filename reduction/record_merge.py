"""One record from what a reduction knows and what the observer's file states; the observer's word counts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reduction.angles import sexagesimal_degrees
from reduction.errors import DataError, RequestError
from reduction.record import ObservationRecord
from reduction.record_file import load_raw, make_record, with_degrees
from reduction.utc import utc_line, utc_ns

SUMMARY, EVENTS = "summary.json", "events.json"
MOST_BYTES = 256 << 20
MOST_CAVEAT, MOST_CAVEATS = 500, 100
MOST = 1e12
"""Figures beyond it are none."""

CAMERAS = ("instrume", "instrument", "camera_model")
"""Keys of a recording's own metadata that name its camera, the first that is there counts."""

STATUS = {"positive": "positive", "negative": "negative", "inconclusive": "unknown"}


@dataclass(frozen=True, slots=True)
class Merged:
    """A record, and what had to be decided on the way."""

    record: ObservationRecord
    notes: tuple[str, ...] = ()


def record_from(result: Path | None, observer: Path | None) -> Merged:
    """The record of an observation.

    Parameters
    ----------
    result : Path or None
        Folder that `umbra reduce` wrote (its ``summary.json``, and ``events.json`` where it is there),
        an ``events.json``, or a record as a file.
    observer : Path or None
        A record as a file; what it states goes before what the reduction found, which is noted.

    Raises
    ------
    RequestError
        Neither is given, or a file cannot be read.
    DataError
        A file is not what it should be, or a field is impossible.
    """
    notes: list[str] = []
    found = {} if result is None else _known(result, notes)
    stated = {} if observer is None else load_raw(observer)
    if result is None and observer is None:
        raise RequestError("nothing to report: name a result, or the observer's file by --observer")
    if observer is not None:
        make_record(stated, str(observer))  # its faults are its own
    merged = merge_raw(found, with_degrees(stated), notes)
    source = result / SUMMARY if result is not None and result.is_dir() else result
    where = " with ".join(str(path) for path in (source, observer) if path is not None)
    return Merged(make_record(merged, where), tuple(notes))


def record_of_events(document: Mapping[str, Any], where: str) -> Merged:
    """The record of an ``events.json`` that was read already; `where` begins what is wrong with it.

    Raises
    ------
    DataError
        It is none.
    """
    notes: list[str] = []
    return Merged(make_record(_event(document, where, notes), where), tuple(notes))


def merge_raw(found: dict[str, Any], stated: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Two raw records as one; what is stated counts, and where it goes against what was found is noted."""
    _settle_status(found, stated, notes)
    return _merged(found, stated, "", notes)


def _known(result: Path, notes: list[str]) -> dict[str, Any]:
    """What a result says, as a raw record."""
    if not result.is_dir():
        raw = load_raw(result) if result.suffix.lower() != ".json" else _json(result)
        if "events" not in raw and "schema" not in raw:
            return with_degrees(raw)
        return _event(raw, str(result), notes)
    summary = result / SUMMARY
    if not summary.exists() and (result / EVENTS).exists():
        return _event(_json(result / EVENTS), str(result / EVENTS), notes)
    if not summary.exists():
        raise RequestError(
            f"{result}: no {SUMMARY} or {EVENTS}; name a folder that umbra reduce or umbra events wrote"
        )
    content = _json(summary)
    found = _recording(content, summary)
    newer = result / EVENTS
    event = _json(newer) if newer.exists() else content.get("event")
    if isinstance(event, dict):
        search = _event(event, str(newer if newer.exists() else summary), notes)
        caveats = dict.fromkeys([*found["caveats"], *search.pop("caveats", ())])
        found |= search | {"caveats": list(caveats)}
    else:
        notes.append(f"{result}: holds no search for events; state status and timings yourself")
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes are no result of Umbra")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: not a JSON object")
    return content


def _recording(summary: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Recording, corrections, signal-to-noise and software of ``summary.json``."""
    given, quality = summary.get("input"), summary.get("lightcurve")
    provenance = summary.get("provenance")
    if not isinstance(given, dict) or not isinstance(quality, dict):
        raise DataError(f"{path}: not a summary of umbra reduce")
    exposure = _figure(given.get("exposure_s"))
    half_ns = round((exposure or 0.0) * 5e8)
    recording: dict[str, Any] = {
        "exposure_s": exposure,
        "cadence_s": _figure(given.get("cadence_s")),
        "video_format": str(given.get("format", "")).upper(),
    }
    for name, key, away in (("started", "first_utc", -half_ns), ("stopped", "last_utc", half_ns)):
        if isinstance(given.get(key), str):
            recording[name] = utc_line(_time(given[key], path) + away)
    metadata = given.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    camera = next((str(known[key]).strip() for key in CAMERAS if str(known.get(key, "")).strip()), "")
    ledger = given.get("ledger")
    version = provenance.get("version", "") if isinstance(provenance, dict) else ""
    found: dict[str, Any] = {
        "recording": recording | ({"camera": camera} if camera else {}),
        "corrections": [_correction(entry) for entry in _list(ledger) if isinstance(entry, dict)],
        "reduction_software": f"Umbra {version}".strip(),
        "caveats": _caveats(summary),
    }
    scatter = _figure(quality.get("scatter"))
    if scatter:
        found["snr"] = 1 / scatter
    return found | _site(known)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _caveats(content: Mapping[str, Any]) -> list[str]:
    """Caveats as ``code: sentence``, cut to what a line of a record holds."""
    listed = [one for one in _list(content.get("caveats")) if isinstance(one, dict)]
    return [f"{one.get('code', '')}: {one.get('message', '')}"[:MOST_CAVEAT] for one in listed[:MOST_CAVEATS]]


def _correction(entry: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: entry[key] for key in ("what", "value_s", "sigma_s", "source", "included") if key in entry}
    return {key: value for key, value in kept.items() if value is not None}


def _site(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The place that the recording itself names, where both its coordinates can be read."""
    try:
        site: dict[str, Any] = {
            "latitude_deg": sexagesimal_degrees(str(metadata.get("latitude", ""))),
            "longitude_deg": sexagesimal_degrees(str(metadata.get("longitude", ""))),
        }
    except ValueError:
        return {}
    try:
        return {"site": site | {"altitude_m": float(str(metadata.get("altitude", "")))}}
    except ValueError:
        return {"site": site}


def _time(text: str, path: Path) -> int:
    try:
        return utc_ns(text)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def _figure(value: object) -> float | None:
    """A number that a record can hold; None for anything else."""
    usual = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST
    return float(value) if usual and isinstance(value, int | float) else None


def _event(event: Mapping[str, Any], where: str, notes: list[str]) -> dict[str, Any]:
    """Status and timings of an analysis of events."""
    status = event.get("status")
    if not isinstance(status, str) or status not in STATUS:
        raise DataError(f"{where}: its events have the status {str(status)[:40]!r}, which is none of Umbra's")
    if status == "inconclusive":
        notes.append(
            f"{where}: the search for events is inconclusive; the status is unknown until you state it"
        )
    listed = event.get("events")
    one = {
        "d": {"utc": event.get("d_utc"), "sigma_s": event.get("d_sigma_s")},
        "r": {"utc": event.get("r_utc"), "sigma_s": event.get("r_sigma_s")},
        "depth": event.get("depth"),
    }
    timings = [timing for entry in _list(listed) if isinstance(entry, dict) and (timing := _timing(entry))]
    if not timings and (outermost := _timing(one)):
        timings = [outermost]
        if event.get("edges_from") == "search":
            notes.append(f"{where}: D and R are the first and last low exposure, not those of a fit")
    found: dict[str, Any] = {"status": STATUS[status]}
    if "caveats" in event:
        found["caveats"] = _caveats(event)
    if status == "positive":
        if not timings:
            notes.append(f"{where}: the event's times are not in UTC; state its timings yourself")
        return found | {"timings": timings}
    return found


def _reach(span: object) -> list[float] | None:
    """How far an interval reaches before and after its edge, of ``[low, high]`` around it, seconds."""
    ends = [_figure(end) for end in _list(span)]
    return [abs(end) for end in ends if end is not None] if len(ends) == 2 and None not in ends else None


def _nested(spans: list[list[float]]) -> list[list[float]]:
    """Intervals of which each holds the one before; a fit's may miss that by a hair, and is widened then."""
    return [[max(inner[side] for inner in spans[: k + 1]) for side in (0, 1)] for k in range(len(spans))]


def _timing(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One event; empty where neither edge has a time."""
    edges = {}
    for name in ("d", "r"):
        edge = entry.get(name)
        if isinstance(edge, dict) and isinstance(edge.get("utc"), str) and edge["utc"]:
            kept = {key: edge.get(key) for key in ("utc", "sigma_s", "gradual_s")}
            spans = [_reach(span) for span in _list(edge.get("intervals_s"))]
            if len(spans) == 3 and None not in spans:
                kept["intervals_s"] = _nested([span for span in spans if span is not None])
            edges[name] = {key: value for key, value in kept.items() if value is not None}
    if not edges:
        return {}
    depth, dip = entry.get("depth"), entry.get("dip")
    found: dict[str, Any] = dict(edges) | {"model": str(entry.get("label", ""))}
    if isinstance(depth, dict):
        found |= {"depth": _figure(depth.get("value")), "depth_sigma": _figure(depth.get("sigma"))}
    else:
        found["depth"] = _figure(depth)
    if isinstance(dip, dict):
        found["snr"] = _figure(dip.get("snr"))
    return {key: value for key, value in found.items() if value is not None}


def _settle_status(found: dict[str, Any], stated: Mapping[str, Any], notes: list[str]) -> None:
    """Where the observer says that nothing was seen, the timings of the search do not stand."""
    status = stated.get("status")
    if status is None or status in {"positive", "unknown"} or not found.get("timings"):
        return
    notes.append(f"the observer states {status!r}: what the reduction found as an event is left out")
    found.pop("timings")


def _merged(
    found: Mapping[str, Any], stated: Mapping[str, Any], path: str, notes: list[str]
) -> dict[str, Any]:
    """Tables field by field, the stated one first; lists are taken whole."""
    merged = dict(found)
    for key, value in stated.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = _merged(before, value, f"{path}{key}.", notes)
            continue
        if before not in (None, "", [], value):
            notes.append(f"{path}{key}: what is stated counts, not what was found{_shown(before)}")
        merged[key] = value
    return merged


def _shown(value: object) -> str:
    return f" ({str(value)[:60]})" if isinstance(value, str | int | float) else ""
