"""Reading report forms that are a sheet ``DATA`` of a workbook."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from reduction.angles import sexagesimal_degrees
from reduction.errors import DataError, RequestError
from reduction.reports import reading
from reduction.reports.clock import near, on
from reduction.reports.form import ReadForm
from reduction.reports.workbook_form import (
    CLOUDS,
    CORRECTION_CELLS,
    CORRECTIONS,
    DEVICE_OF,
    OTHER_DEVICE,
    TELESCOPES,
    Layout,
    checked,
)
from reduction.reports.xlsx import Archive, Value, open_workbook, sheet
from reduction.utc import SECOND_NS


def read_form(layout: Layout, path: Path) -> ReadForm:
    """Read a filled form.

    Raises
    ------
    RequestError
        It cannot be read.
    DataError
        It is no such form.
    """
    archive = open_workbook(path)
    try:
        found = checked(archive, layout, path)
    except RequestError as error:
        raise DataError(str(error)) from error
    notes: list[str] = []
    held = {name: found.values.get(found.anchors.get(cell, cell)) for name, cell in layout.cells.items()}
    _note_corrections(archive, notes)
    raw = _read_event(held, notes) | _read_equipment(held) | _read_site(held, notes)
    _read_timing(held, raw, notes)
    return reading.tolerant_record(raw, path, notes)


def _note_corrections(archive: Archive, notes: list[str]) -> None:
    found = sheet(archive, CORRECTIONS)
    for cell, name in zip(CORRECTION_CELLS, ("D", "R"), strict=True):
        value = None if found is None else found.values.get(cell)
        if isinstance(value, float) and value != 0:
            notes.append(f"the form adds {value:+g} s to {name} as a correction; that is not applied")


def _text(value: Value | None) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _figure(value: Value | None) -> float | None:
    return value if isinstance(value, float) else reading.number(_text(value))


def _read_event(held: Mapping[str, Value | None], notes: list[str]) -> dict[str, Any]:
    known = ("positive", "negative", "overcast", "technical failure", "planned")
    status = _text(held.get("status")).strip().lower()
    comment, _ = reading.without_generated(_text(held.get("comment")))
    names = [name.strip() for name in _text(held.get("observer")).split(",") if name.strip()]
    observers: list[dict[str, str]] = [{"name": name} for name in names]
    if observers:
        observers[0] |= {field: _text(held.get(field)) for field in ("e_mail", "address", "phone", "city")}
    if status not in known:
        notes.append(f"the form's result is {status[:30]!r}")
    raw: dict[str, Any] = {
        "status": status if status in known else "unknown",
        "asteroid": {"number": _text(held.get("number")), "name": _text(held.get("name"))},
        "star": {
            "catalogue": _catalogue(held),
            "designation": _text(held.get("star")),
        },
        "observers": observers,
        "snr": _figure(held.get("snr")),
        "reduction_software": _text(held.get("software")),
        "comments": comment,
    }
    day = _read_date(held)
    if day is not None:
        raw["date"] = day
    return raw


def _catalogue(held: Mapping[str, Value | None]) -> str:
    """Catalogue without the pattern of numbers in the form's list (``UCAC4     xxx - xxxxxx``)."""
    words = _text(held.get("catalogue")).split()
    return " ".join(word for word in words if set(word) - set("x-h.?dms"))


def _read_date(held: Mapping[str, Value | None]) -> date | None:
    year, day = _figure(held.get("year")), _figure(held.get("day"))
    if year is None or day is None:
        return None
    return reading.date_of(f"{day:.0f} {_text(held.get('month'))} {year:.0f}")


def _read_equipment(held: Mapping[str, Value | None]) -> dict[str, Any]:
    aperture, unit = _figure(held.get("aperture")), _text(held.get("aperture_unit")).lower()
    if aperture is not None:
        aperture *= {"in": 2.54, "inch": 2.54, "inches": 2.54, "mm": 0.1, "m": 100.0}.get(unit, 1.0)
    timing = _text(held.get("timing"))
    device = _text(held.get("device"))
    gps = timing.startswith(("GPS", "IOTA-VTI"))
    source = "gps" if gps else {v: k for k, v in DEVICE_OF.items()}.get(device)
    return {
        "telescope": {
            "aperture_cm": aperture,
            "focal_ratio": _figure(held.get("ratio")),
            "type": {v: k for k, v in TELESCOPES.items()}.get(_text(held.get("telescope"))),
        },
        "recording": {
            "camera": _text(held.get("detector")),
            "video_format": _text(held.get("format")),
            "timing_device": "" if device == OTHER_DEVICE else device,
            "time_source": source,
            "exposure_s": _read_exposure(held),
        },
        "conditions": {
            "transparency": {v: k for k, v in CLOUDS.items()}.get(_text(held.get("clouds"))),
            "stability": _text(held.get("stability")).lower() or None,
        },
    }


def _read_exposure(held: Mapping[str, Value | None]) -> float | None:
    stated = held.get("integration")
    if isinstance(stated, float):
        return stated
    before, found, after = _text(held.get("detector_info")).partition("exposure ")
    del before
    return reading.number(after) if found else None


def _read_site(held: Mapping[str, Value | None], notes: list[str]) -> dict[str, Any]:
    try:
        latitude = sexagesimal_degrees(_text(held.get("latitude")))
        longitude = sexagesimal_degrees(_text(held.get("longitude")))
    except ValueError as error:
        notes.append(f"coordinates left out: {error}")
        return {}
    south, west = _text(held.get("north_south")).strip(), _text(held.get("east_west")).strip()
    if south not in {"N", "S"} or west not in {"E", "W"}:
        notes.append(f"coordinates left out: {south[:9]!r}, {west[:9]!r} are not N or S, E or W")
        return {}
    site: dict[str, Any] = {
        "latitude_deg": -latitude if south == "S" else latitude,
        "longitude_deg": -longitude if west == "W" else longitude,
        "name": _text(held.get("location")),
    }
    elevation = _figure(held.get("elevation"))
    if elevation is not None:
        feet = _text(held.get("elevation_unit")).lower().startswith("f")
        site["altitude_m"] = elevation * 0.3048 if feet else elevation
    return {"site": site}


def _day_ns(held: Mapping[str, Value | None], name: str) -> int | None:
    hour, minute, second = (_figure(held.get(f"{name}_{part}")) for part in "hms")
    if hour is None or minute is None or second is None:
        return None  # not a time, or not a whole one
    if not (0 <= hour < 100 and 0 <= minute < 60 and 0 <= second < 60):
        return None
    return (int(hour) * 3600 + int(minute) * 60) * SECOND_NS + round(second * SECOND_NS)


def _read_timing(held: Mapping[str, Value | None], raw: dict[str, Any], notes: list[str]) -> None:
    """The form's date is that of the predicted time; without one, of the first time that it has."""
    day: date | None = raw.get("date")
    times = {name: _day_ns(held, name) for name in ("predicted", "d", "r", "started", "stopped")}
    first = next((ns for ns in times.values() if ns is not None), None)
    if day is None or first is None:
        if first is not None:
            notes.append("the form states no date; its times are left out")
        return
    anchor = on(day, first)
    placed = {name: near(ns, anchor) for name, ns in times.items() if ns is not None}
    raw["recording"] |= {name: placed[name] for name in ("started", "stopped") if name in placed}
    if "predicted" in placed:
        raw["prediction"] = {"utc": placed["predicted"]}
    edges = {name: {"utc": placed[name]} | _read_errors(held, name) for name in ("d", "r") if name in placed}
    if edges:
        raw["timings"] = [edges]


def _read_errors(held: Mapping[str, Value | None], name: str) -> dict[str, Any]:
    errors = [_figure(held.get(f"{name}_error_{level}")) for level in ("68", "95", "99")]
    found: dict[str, Any] = {}
    if errors[0] is not None:
        found["sigma_s"] = abs(errors[0])
    elif errors[1] is not None:
        found["sigma_s"] = abs(errors[1]) / reading.NORMAL_95
    spans = [(abs(error), abs(error)) for error in errors if error is not None]
    if len(spans) == 3:
        found["intervals_s"] = spans
    return found
