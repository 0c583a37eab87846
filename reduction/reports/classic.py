"""The classic report form: numbered sections of text, as EAON and IOTA-ES printed it, for any observation.

Sections and event codes (S start, D, R, I and J an interruption's begin and end, E end) are those of the
form that European observers mailed for decades; it has no version.
A miss, a clouded-out station or a plan has its place here too.
"""

import math
import re
from pathlib import Path
from typing import Any

from reduction.angles import sexagesimal_degrees, sexagesimal_text, signed_longitude
from reduction.errors import DataError
from reduction.record import EdgeTime, ObservationRecord, Timing, clean_line
from reduction.reports import reading
from reduction.reports.clock import accuracy, accuracy_s, clock, error_text, timing_digits
from reduction.reports.form import WANTED_BY_ALL, Filled, ReadForm, file_stem, per_event
from reduction.reports.remarks import comments
from reduction.utc import utc_date, utc_ns

WANTED = WANTED_BY_ALL | {
    "prediction.utc": "predicted time",
    "observers.e_mail": "e-mail",
    "observers.address": "address",
    "telescope.focal_cm": "focal length",
    "recording.exposure_s": "exposure time",
    "recording.camera": "camera",
}

HEAD = "ASTEROIDAL OCCULTATION - REPORT FORM"

WIDTH = 22
"""Columns of a line's label, colon included."""

BOUNDS = {"S": "observation started", "E": "observation ended"}
EVENTS = {"D": "disappearance", "R": "reappearance"}


def fill(record: ObservationRecord, template: Path | None = None) -> list[Filled]:
    """One text per event, UTF-8."""
    assert template is None
    return [
        Filled(f"{file_stem(record)}{suffix}_report.txt", _text(record, timing).encode("utf-8"))
        for timing, suffix in per_event(record)
    ]


def _text(record: ObservationRecord, timing: Timing | None) -> str:
    level, words = accuracy(timing) if timing is not None else (None, "")
    sections = {
        "1 EVENT": _event(record),
        "2 OBSERVER": _observer(record),
        "3 OBSERVING STATION": _station(record),
        "4 TIMING OF EVENTS": {"Occultation recorded": record.status.upper()},
        "5 TELESCOPE": _telescope(record),
        "6 TIMING AND RECORDING": _recording(record),
        "7 OBSERVING CONDITIONS": _conditions(record),
        "8 ADDITIONAL COMMENTS": {"Comments": comments(record, timing, words)},
    }
    lines = [HEAD, ""]
    for title, values in sections.items():
        lines.append(title)
        lines += [f"  {f'{label}:':<{WIDTH}} {value}".rstrip() for label, value in values.items()]
        if title.startswith("4"):
            lines += _times(record, timing, level)
        lines.append("")
    return "\n".join(lines)


def _event(record: ObservationRecord) -> dict[str, str]:
    day, body, predicted = record.event_date, record.asteroid, record.prediction.utc
    stamp = ""
    if predicted is not None:
        rounded = predicted + 50_000_000
        stamp = f"{utc_date(rounded):%Y-%m-%d} {clock(predicted, 1).text(' ')} UT"
    return {
        "Date": "" if day is None else f"{day:%Y-%m-%d}",
        "Asteroid": body.name,
        "No": body.number,
        "Star": record.star.name,
        "Predicted": stamp,
    }


def _observer(record: ObservationRecord) -> dict[str, str]:
    first = record.observers[0] if record.observers else None
    if first is None:
        return {"Name": "", "Phone": "", "E-mail": "", "Address": ""}
    address = ", ".join(part for part in (first.address, first.city, first.state, first.country) if part)
    return {
        "Name": "; ".join(one.name for one in record.observers),
        "Phone": first.phone,
        "E-mail": first.e_mail,
        "Address": address,
        "Affiliation": first.affiliation,
    }


def _station(record: ObservationRecord) -> dict[str, str]:
    site = record.site
    if site is None:
        return {"Nearest city": "", "Latitude": "", "Longitude": "", "Altitude": "", "Datum": ""}
    return {
        "Nearest city": clean_line(site.name),
        "Latitude": sexagesimal_text(site.latitude_deg, 2, 2),
        "Longitude": sexagesimal_text(signed_longitude(site.longitude_deg), 2, 3),
        "Altitude": f"{site.altitude_m:.1f} m" if "altitude_m" in site.model_fields_set else "",
        "Datum": "WGS84, north and east positive",
    }


def _times(record: ObservationRecord, timing: Timing | None, level: int | None) -> list[str]:
    lines = ["", "  Code  Date, UT    HH MM SS.ss      Acc. s    Event"]
    lines += _bound("S", record.recording.started)
    for begin, end in record.recording.interrupted:
        lines += _row("I", begin, 2, "", "interruption begins") + _row("J", end, 2, "", "interruption ends")
    if timing is not None:
        lines += _edge("D", timing.d, timing, level) + _edge("R", timing.r, timing, level)
    elif record.status == "negative":
        lines.append("  M     -           -                -         no occultation detected")
    return [*lines, *_bound("E", record.recording.stopped), *_between(timing)]


def _between(timing: Timing | None) -> list[str]:
    """Duration and middle of an event that has both edges; the error of their sum where both are known."""
    if timing is None or timing.d is None or timing.r is None or timing.duration_s is None:
        return []
    digits = timing_digits(timing)
    sigmas = (timing.d.error_s(0), timing.r.error_s(0))
    known = None if None in sigmas else math.hypot(*(sigma or 0.0 for sigma in sigmas))
    error = f" +- {error_text(known, digits)} s (one sigma)" if known else " s"
    middle = (timing.d.utc + timing.r.utc) // 2
    return [
        "",
        f"  {'Duration:':<{WIDTH}} {timing.duration_s:.{digits}f}{error}",
        f"  {'Mid-event:':<{WIDTH}} {clock(middle, digits).text(' ')} UT",
    ]


def _bound(code: str, ns: int | None) -> list[str]:
    return [] if ns is None else _row(code, ns, 2, "", BOUNDS[code])


def _edge(code: str, edge: EdgeTime | None, timing: Timing, level: int | None) -> list[str]:
    if edge is None:
        return []
    digits = timing_digits(timing)
    star = "" if timing.component == "main star" else f" of the {timing.component}"
    return _row(code, edge.utc, digits, error_text(accuracy_s(edge, level), digits), f"{EVENTS[code]}{star}")


def _row(code: str, ns: int, digits: int, error: str, words: str) -> list[str]:
    """A line of the table; the date is that of the rounded time."""
    day = utc_date(ns + 10 ** (9 - digits) // 2)
    return [f"  {code:<4}  {day:%Y-%m-%d}  {clock(ns, digits).text(' '):<15}  {error or '-':<8}  {words}"]


def _telescope(record: ObservationRecord) -> dict[str, str]:
    scope = record.telescope
    return {
        "Type": scope.type or "",
        "Model": scope.model,
        "Aperture": "" if scope.aperture_cm is None else f"{scope.aperture_cm:g} cm",
        "Focal length": "" if scope.focal_cm is None else f"{scope.focal_cm:g} cm",
        "Mount": scope.mount,
        "Motor drive": scope.drive,
    }


def _recording(record: ObservationRecord) -> dict[str, str]:
    one = record.recording
    return {
        "Method": one.method or "",
        "Time source": one.time_source or "",
        "Time insertion": one.timing_device,
        "Sensor": one.camera or one.detector,
        "Recording": ", ".join(part for part in (one.recorder, one.video_format) if part),
        "Exposure": "" if one.exposure_s is None else f"{one.exposure_s:.10g} s",
        "Filter": one.filter,
        "Signal-to-noise": "" if record.snr is None else f"{record.snr:.2f}",
    }


def _conditions(record: ObservationRecord) -> dict[str, str]:
    sky = record.conditions
    return {
        "Transparency": sky.transparency or "",
        "Stability": sky.stability or "",
        "Clouds": sky.clouds,
        "Wind": sky.wind,
        "Temperature": "" if sky.temperature_c is None else f"{sky.temperature_c:g} C",
        "Limiting magnitude": "" if sky.limiting_magnitude is None else f"{sky.limiting_magnitude:g}",
        "Asteroid visible": {None: "", True: "yes", False: "no"}[sky.body_visible],
    }


def read(path: Path) -> ReadForm:
    """Read a form that `fill` wrote.

    Raises
    ------
    RequestError
        The file cannot be read.
    DataError
        It is no such form.
    """
    notes: list[str] = []
    text = reading.text_of(reading.content_of(path), notes)
    if not text.lstrip().startswith(HEAD) or "4 TIMING OF EVENTS" not in text:
        raise DataError(f"{path}: no classic report form: it does not begin with {HEAD!r} and its sections")
    at: dict[str, str] = {}
    for label, value in re.findall(r"^  ([A-Z][\w -]{1,24}):[ \t]*(.*)$", text, re.MULTILINE):
        at.setdefault(label, value.strip())
    comment, generated = reading.without_generated(at.get("Comments", ""))
    raw: dict[str, Any] = _read_words(at) | {"comments": comment}
    raw |= _read_site(at, notes)
    _read_rows(text, raw, generated, notes)
    day = reading.date_of(at.get("Date", ""))
    if day is not None:
        raw["date"] = day
    return reading.tolerant_record(raw, path, notes)


def _read_words(at: dict[str, str]) -> dict[str, Any]:
    names = [name.strip() for name in at.get("Name", "").split(";") if name.strip()]
    observers: list[dict[str, str]] = [{"name": name} for name in names]
    if observers:
        fields = {"phone": "Phone", "e_mail": "E-mail", "address": "Address", "affiliation": "Affiliation"}
        observers[0] |= {field: at.get(label, "") for field, label in fields.items()}
    predicted = re.match(r"(\S+) (\d+) (\d+) ([\d.]+) UT$", at.get("Predicted", ""))
    return {
        "status": at.get("Occultation recorded", "").lower() or "unknown",
        "asteroid": {"name": at.get("Asteroid", ""), "number": at.get("No", "")},
        "star": reading.star_of(at.get("Star", "")),
        "prediction": {} if predicted is None else {"utc": _iso(*predicted.groups())},
        "observers": observers,
        "telescope": {
            "type": at.get("Type") or None,
            "model": at.get("Model", ""),
            "aperture_cm": reading.centimetres(at.get("Aperture", "")),
            "focal_length_cm": reading.centimetres(at.get("Focal length", "")),
            "mount": at.get("Mount", ""),
            "drive": at.get("Motor drive", ""),
        },
        "recording": {
            "method": at.get("Method") or None,
            "time_source": at.get("Time source") or None,
            "timing_device": at.get("Time insertion", ""),
            "camera": at.get("Sensor", ""),
            "exposure_s": reading.number(at.get("Exposure", "")),
            "filter": at.get("Filter", ""),
        },
        "conditions": {
            "transparency": at.get("Transparency") or None,
            "stability": at.get("Stability") or None,
            "clouds": at.get("Clouds", ""),
            "wind": at.get("Wind", ""),
            "temperature_c": reading.number(at.get("Temperature", "")),
            "limiting_magnitude": reading.number(at.get("Limiting magnitude", "")),
            "body_visible": {"yes": True, "no": False}.get(at.get("Asteroid visible", "")),
        },
        "snr": reading.number(at.get("Signal-to-noise", "")),
    }


def _iso(day: str, hour: str, minute: str, second: str) -> str:
    whole, _, fraction = second.partition(".")
    return f"{day}T{hour:0>2}:{minute:0>2}:{whole:0>2}.{fraction or '0'}Z"


def _read_site(at: dict[str, str], notes: list[str]) -> dict[str, Any]:
    try:
        site: dict[str, Any] = {
            "latitude_deg": sexagesimal_degrees(at.get("Latitude", "")),
            "longitude_deg": sexagesimal_degrees(at.get("Longitude", "")),
            "name": at.get("Nearest city", ""),
        }
    except ValueError as error:
        notes.append(f"coordinates left out: {error}")
        return {}
    altitude = reading.number(at.get("Altitude", ""))
    return {"site": site if altitude is None else site | {"altitude_m": altitude}}


def _read_rows(text: str, raw: dict[str, Any], generated: str, notes: list[str]) -> None:
    row = re.compile(r"^  ([SEDR])\s+(\d{4}-\d\d-\d\d)\s+(\d+) (\d+) ([\d.]+)\s+(\S+)\s*(.*)$", re.MULTILINE)
    timing: dict[str, Any] = {}
    for code, day, hour, minute, second, error, words in row.findall(text):
        try:
            utc = utc_ns(_iso(day, hour, minute, second))
        except ValueError as fault:
            notes.append(f"{code}: left out: {fault}")
            continue
        if code in BOUNDS:
            raw["recording"]["started" if code == "S" else "stopped"] = utc
            continue
        timing[code.lower()] = {"utc": utc, "sigma_s": reading.sigma_of(error, generated, notes)}
        if " of the " in words:
            timing["component"] = words.partition(" of the ")[2]
    if timing:
        raw["timings"] = [timing]
