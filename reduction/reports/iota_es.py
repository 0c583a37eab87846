"""The IOTA-ES report form 2.03: text of ``#KEY: value`` lines, which SODIS imports."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reduction.angles import sexagesimal_degrees, sexagesimal_text, signed_longitude
from reduction.errors import DataError
from reduction.record import ObservationRecord, Timing, clean_line
from reduction.reports import codes, reading
from reduction.reports.clock import (
    MONTHS,
    accuracy,
    accuracy_s,
    clock,
    clock_ns,
    error_text,
    near,
    on,
    timing_digits,
)
from reduction.reports.form import (
    WANTED_BY_ALL,
    Filled,
    ReadForm,
    file_stem,
    per_event,
    require_status,
)
from reduction.reports.remarks import comments
from reduction.utc import utc_date

WANTED = WANTED_BY_ALL | {
    "prediction.utc": "predicted time",
    "observers.e_mail": "e-mail",
    "observers.address": "address",
    "observers.country": "country code",
    "site.name": "nearest city",
    "telescope.focal_cm": "focal length",
    "recording.exposure_s": "exposure time",
    "recording.camera": "camera",
    "snr": "signal-to-noise ratio",
}

ENCODING = "utf-8"

LAYOUT = """\
#IOTA-ES ASTEROIDAL OCCULTATION - REPORT FORM 2.03
#Event
#Occultation:
#DATE:
#PREDICTTIME:
#STAR:
#ASTEROID:
#Nr:
#OBSERVER
#Observer1:
#Observer2:
#moreObs:
#E-mail:
#Address:
#OBSERVING_STATION
#NearestCity:
#Countrycode:
#Coordinates LAT +/-DD MM SS.S  LON +/-DDD MM SS.S
#Latitude:
#Longitude:
#Altitude:
#Datum _blank=WGS84 N=NAD1927 E=ED1950 T=Tokyo G=GB1936 *=unspecified, or other
#Datum:
#Teleskop _=unstated 1=Refractor 2=Newtonian 3=SCT 4=Dobsonian 5=Binoculars 6=Other 7=None 8=eVscope
#Telescope:
#Aperture in cm
#Aperture:
#FocalLength in cm
#FocalLength:
#ObservingMethod   _=unspecified a=Analogue & digital video b=Digital SLR-camera video c=Photometer \
d=Sequential images e=Drift scan f=Visual g=Other
#ObservingMethod:
#Observation
#StartObs:
#D D=Main Star d=second Star G=satellite main star g=satellite 2nd star N=ring M=non detection \
+time hh:mm:ss.s
#D:
#Acc_D:
#R R=Main Star r=second Star B=satellite main star b=satellite 2nd star N=ring M=non detection \
+time hh:mm:ss.s
#R:
#Acc_R:
#EndObs:
#Duration:
#Exp_Time:
#Timesource  _=unspecified a=GPS b=NTP c=Telephone (fixed or mobile) d=Radio time signal \
e=Internal clock of recorder f=Stopwatch g=Other
#Timesource:
#Camera:
#Signal/Noise:
#Weatherconditions
#Wind:
#Temperature:
#Transparency 1=Clear 2=Fog 3=Thin cloud <2 [mag loss <2 mag.] 4=Thick cloud >2 [mag loss >2 mag. \
5=Broken opaque cloud [that is, observed thru gaps in the cloud] 6=Star faint 7=By averted vision
#Transparency:
#Stability _=unstated 1=Steady 2=Slight flickering 3=Strong flickering
#Stability:
#Comments:
"""
"""The form: a line that ends with a colon has a value, every other one is the form's own text."""

KEYS = tuple(line[1:-1] for line in LAYOUT.splitlines() if line.endswith(":"))

DATUMS = {"N": "NAD1927", "E": "ED1950", "T": "Tokyo", "G": "GB1936", "*": "unspecified"}


def fill(record: ObservationRecord, template: Path | None = None) -> list[Filled]:
    """One file per event; UTF-8, lines end with a line feed.

    Raises
    ------
    RequestError
        The observation is neither positive nor negative.
    """
    assert template is None
    require_status(record, "IOTA-ES form", ("positive", "negative"))
    files = []
    for timing, suffix in per_event(record):
        values = _values(record, timing)
        lines = [_line(line, values) for line in LAYOUT.splitlines()]
        files.append(
            Filled(f"{file_stem(record)}{suffix}_IOTA-ES.txt", ("\n".join(lines) + "\n").encode(ENCODING))
        )
    return files


def _line(line: str, values: dict[str, str]) -> str:
    value = values.get(line[1:-1], "") if line.endswith(":") else ""
    return f"{line} {value}" if value else line


def _values(record: ObservationRecord, timing: Timing | None) -> dict[str, str]:
    recording, telescope = record.recording, record.telescope
    level, words = accuracy(timing) if timing is not None else (None, "")
    return {
        **_event_values(record),
        **_place_values(record),
        "Telescope": codes.code(codes.TELESCOPES, telescope.type),
        "Aperture": _figure(telescope.aperture_cm),
        "FocalLength": _figure(telescope.focal_cm),
        "ObservingMethod": codes.code(codes.METHODS, recording.method),
        "StartObs": _clock(recording.started, 2),
        **_timing_values(record, timing, level),
        "EndObs": _clock(recording.stopped, 2),
        "Exp_Time": _figure(recording.exposure_s),
        "Timesource": codes.code(codes.TIME_SOURCES, recording.time_source),
        "Camera": recording.camera or recording.detector,
        "Signal/Noise": "" if record.snr is None else f"{record.snr:.2f}",
        "Wind": record.conditions.wind,
        "Temperature": _figure(record.conditions.temperature_c),
        "Transparency": codes.code(codes.TRANSPARENCIES, record.conditions.transparency),
        "Stability": codes.code(codes.STABILITIES, record.conditions.stability),
        "Comments": comments(record, timing, words),
    }


def _event_values(record: ObservationRecord) -> dict[str, str]:
    day, names, first = record.event_date, [o.name for o in record.observers], record.observers[:1]
    return {
        "Occultation": record.status.upper(),
        "DATE": "" if day is None else f"{day.day} {MONTHS[day.month - 1]} {day.year}",
        "PREDICTTIME": _predicted(record.prediction.utc),
        "STAR": record.star.name,
        "ASTEROID": record.asteroid.name,
        "Nr": record.asteroid.number,
        "Observer1": "".join(names[:1]),
        "Observer2": "".join(names[1:2]),
        "moreObs": "; ".join(names[2:]),
        "E-mail": "".join(one.e_mail for one in first),
        "Address": "".join(one.address for one in first),
        "Countrycode": "".join(one.country for one in first),
    }


def _place_values(record: ObservationRecord) -> dict[str, str]:
    site = record.site
    if site is None:
        return {}
    return {
        "NearestCity": clean_line(site.name),
        "Latitude": sexagesimal_text(site.latitude_deg, 1, 2),
        "Longitude": sexagesimal_text(signed_longitude(site.longitude_deg), 1, 3),
        "Altitude": f"{site.altitude_m:.1f}" if "altitude_m" in site.model_fields_set else "",
    }


def _timing_values(record: ObservationRecord, timing: Timing | None, level: int | None) -> dict[str, str]:
    if timing is None:
        return {"D": codes.NOT_DETECTED, "R": codes.NOT_DETECTED} if record.status == "negative" else {}
    values, digits = {}, timing_digits(timing)
    for name, edge, table in (("D", timing.d, codes.D_CODES), ("R", timing.r, codes.R_CODES)):
        if edge is not None:
            values[name] = table[timing.component] + clock(edge.utc, digits).text()
            values[f"Acc_{name}"] = error_text(accuracy_s(edge, level), digits)
    if timing.duration_s is not None:
        values["Duration"] = f"{timing.duration_s:.{digits}f}"
    return values


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _clock(ns: int | None, digits: int) -> str:
    return "" if ns is None else clock(ns, digits).text()


def _predicted(ns: int | None) -> str:
    if ns is None:
        return ""
    moment = clock(ns, 0)
    day = utc_date(ns + 500_000_000)  # as the clock, rounded to a second
    return f"{day.day} {MONTHS[day.month - 1][:3]}; {day.year} {moment.text()} UT"


def read(path: Path) -> ReadForm:
    """Read a filled form.

    Clock times have no date: each is put on the day on which it falls within twelve hours of the
    predicted time (or, without one, of D on the stated date).

    Raises
    ------
    RequestError
        The file cannot be read.
    DataError
        It is no IOTA-ES form, or nothing in it holds together.
    """
    notes: list[str] = []
    text = reading.text_of(reading.content_of(path), notes)
    values = _keys(text, path, notes)
    comment, generated = reading.without_generated(values.get("Comments", ""))
    raw: dict[str, Any] = _read_event(values, notes) | _read_equipment(values)
    if comment:
        raw["comments"] = comment
    raw |= _read_site(values, notes)
    _read_times(values, raw, generated, notes)
    return reading.tolerant_record(raw, path, notes)


def _keys(text: str, path: Path, notes: list[str]) -> dict[str, str]:
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    if "IOTA-ES" not in head or "REPORT FORM" not in head.upper():
        raise DataError(f"{path}: no IOTA-ES report form: its first line is {head[:60]!r}")
    if "2.03" not in head:
        notes.append(f"the form is not version 2.03: {head.strip('# ')[:80]}")
    values: dict[str, str] = {}
    last = ""
    for line in lines:
        found = re.match(r"#([\w/-]{1,30}):(.*)", line)
        if found is not None:
            last = found[1]
            if last not in KEYS:
                notes.append(f"#{last}: not a field of the form; left out")
            elif last in values:
                notes.append(f"#{last}: stands twice; the first was taken")
            values.setdefault(last, found[2].strip())
        elif last == "Comments" and line.strip() and not line.startswith("#"):
            values[last] = f"{values[last]} {line.strip()}".strip()
    return values


def _read_event(values: dict[str, str], notes: list[str]) -> dict[str, Any]:
    status = values.get("Occultation", "").lower()
    names = [values.get(key, "") for key in ("Observer1", "Observer2")]
    names += [name.strip() for name in values.get("moreObs", "").split(";")]
    observers = [{"name": name} for name in names if name]
    if observers:
        observers[0] |= {
            field: values.get(key, "")
            for field, key in (("e_mail", "E-mail"), ("address", "Address"), ("country", "Countrycode"))
        }
    if status not in {"positive", "negative"}:
        notes.append(f"#Occultation: {status[:30]!r} is neither positive nor negative")
    return {
        "status": status if status in {"positive", "negative"} else "unknown",
        "asteroid": {"number": values.get("Nr", ""), "name": values.get("ASTEROID", "")},
        "star": reading.star_of(values.get("STAR", "")),
        "observers": observers,
    }


def _read_equipment(values: dict[str, str]) -> dict[str, Any]:
    def at(key: str) -> str:
        return values.get(key, "")

    return {
        "telescope": {
            "type": codes.word(codes.TELESCOPES, at("Telescope")),
            "aperture_cm": reading.centimetres(at("Aperture")),
            "focal_length_cm": reading.centimetres(at("FocalLength")),
        },
        "recording": {
            "method": codes.word(codes.METHODS, at("ObservingMethod")),
            "exposure_s": reading.number(at("Exp_Time")),
            "time_source": codes.word(codes.TIME_SOURCES, at("Timesource")),
            "camera": at("Camera"),
        },
        "conditions": {
            "wind": at("Wind"),
            "temperature_c": reading.number(at("Temperature")),
            "transparency": codes.word(codes.TRANSPARENCIES, at("Transparency")),
            "stability": codes.word(codes.STABILITIES, at("Stability")),
        },
        "snr": reading.number(at("Signal/Noise")),
    }


def _read_site(values: dict[str, str], notes: list[str]) -> dict[str, Any]:
    datum = values.get("Datum", "").strip(" _")
    if datum and datum.upper() != "WGS84":
        notes.append(f"coordinates are in the datum {DATUMS.get(datum, datum)!r}, not WGS84; left out")
        return {}
    try:
        site: dict[str, Any] = {
            "latitude_deg": sexagesimal_degrees(values.get("Latitude", "")),
            "longitude_deg": sexagesimal_degrees(values.get("Longitude", "")),
        }
    except ValueError as error:
        notes.append(f"coordinates left out: {error}")
        return {}
    altitude = reading.number(values.get("Altitude", ""))
    if altitude is not None:
        site["altitude_m"] = altitude
    if values.get("NearestCity"):
        site["name"] = values["NearestCity"]
    return {"site": site}


def _read_times(values: dict[str, str], raw: dict[str, Any], generated: str, notes: list[str]) -> None:
    day = reading.date_of(values.get("DATE", ""))
    if day is not None:
        raw["date"] = day
    edges = {name: values.get(name, "") for name in ("D", "R")}
    day_ns = {"d": _day_ns(edges["D"][1:], "D", notes), "r": _day_ns(edges["R"][1:], "R", notes)}
    day_ns |= {"started": _day_ns(values.get("StartObs", ""), "StartObs", notes)}
    day_ns |= {"stopped": _day_ns(values.get("EndObs", ""), "EndObs", notes)}
    predicted = _read_predicted(values.get("PREDICTTIME", ""), day, notes)
    if predicted is not None:
        raw["prediction"] = {"utc": predicted}
    first = next((ns for ns in (day_ns["d"], day_ns["r"], day_ns["started"]) if ns is not None), None)
    anchor = predicted if predicted is not None or day is None or first is None else on(day, first)
    if anchor is None:
        if first is not None:
            notes.append("the form states no date; its times are left out")
        return
    for name in ("started", "stopped"):
        if (ns := day_ns[name]) is not None:
            raw["recording"][name] = near(ns, anchor)
    timing: dict[str, Any] = {}
    for name in ("d", "r"):
        if (ns := day_ns[name]) is not None:
            sigma = reading.sigma_of(values.get(f"Acc_{name.upper()}", ""), generated, notes)
            timing[name] = {"utc": near(ns, anchor), "sigma_s": sigma}
    if timing:
        component = codes.word(codes.D_CODES, edges["D"][:1]) or codes.word(codes.R_CODES, edges["R"][:1])
        raw["timings"] = [timing | {"component": component or "main star"}]


def _day_ns(text: str, key: str, notes: list[str]) -> int | None:
    if not text.strip():
        return None
    try:
        return clock_ns(text)
    except ValueError as error:
        notes.append(f"#{key}: left out: {error}")
        return None


def _read_predicted(text: str, day: date | None, notes: list[str]) -> int | None:
    found = re.search(r"\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?", text, re.ASCII)
    if found is None:
        return None
    stated = reading.date_of(text[: found.start()]) or day
    ns = _day_ns(found[0], "PREDICTTIME", notes)
    if stated is None or ns is None:
        return None
    utc = on(stated, ns)
    if day is not None and stated != day and abs(stated - day) > timedelta(days=1):
        notes.append(f"#PREDICTTIME is of {stated}, #DATE is {day}; the former dates the times")
    return utc
