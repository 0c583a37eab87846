"""Occult's file of asteroidal observations, version 2.15: XML whose elements hold fields parted by pipes."""

from datetime import UTC, date, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from reduction.angles import sexagesimal, signed_longitude
from reduction.record import ObservationRecord, Star, Timing, clean_line
from reduction.reports import codes
from reduction.reports.clock import DAY_NS, accuracy, accuracy_s, clock, error_text, on, timing_digits
from reduction.reports.form import WANTED_BY_ALL, Filled, ReadForm, file_stem, require_status
from reduction.reports.remarks import comments
from reduction.utc import utc_date

VERSION = "2.15"
ENCODING = "utf-8"

WANTED = WANTED_BY_ALL | {
    "asteroid.number": "asteroid's number",
    "asteroid.diameter_km": "asteroid's diameter",
    "star.ra_deg": "star's right ascension and declination",
    "star.diameter_mas": "star's diameter",
    "star.magnitude": "star's magnitude",
    "prediction.utc": "predicted time",
    "prediction.source": "source of the prediction",
    "observers.country": "country",
    "site.name": "nearest place",
    "snr": "signal-to-noise ratio",
}

DOUBTFUL_RUWE = 1.4

AT_SITE = "for the observer's site, not the central line"

FIELDS = {
    "Date": 4,
    "Star": 16,
    "StarIssues": 11,
    "Asteroid": 13,
    "SolveFlags": 9,
    "EllipticFit": 10,
    "ID": 14,
    "Conditions": 5,
    "D": 6,
    "R": 6,
    "Prediction": 5,
}
"""Fields of each element; the prediction's hours, minutes and seconds are one field, as in D and R."""


def fill(record: ObservationRecord, template: Path | None = None) -> list[Filled]:
    """One file with one event; each timing of the record is an observer's entry of its own.

    Raises
    ------
    RequestError
        The observation is still planned, or nobody says how it went.
    """
    assert template is None
    held = ("positive", "negative", "overcast", "technical failure")
    require_status(record, "Occult observation file", held)
    content = "\n".join(_lines(record, _first_day(record))) + "\n"
    return [Filled(f"{file_stem(record)}_Occult.xml", content.encode(ENCODING))]


def read(path: Path) -> ReadForm:
    """Read the first observation of such a file; see `reduction.reports.occult_xml_read`."""
    from reduction.reports.occult_xml_read import read_first

    return read_first(path)


def _lines(record: ObservationRecord, day: date | None) -> list[str]:
    today = _today()
    stamp = f"{today.year}|{today.month}|{today.day}"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<AsteroidOccultations>",
        f"  <FileVersion>{VERSION}</FileVersion>",
        "  <Event>",
        _element(4, "Date", _date_fields(record, day)),
        "    <Details>",
        _element(6, "Star", _star_fields(record.star)),
        _element(8, "StarIssues", _issue_fields(record.star)),
        _element(6, "Asteroid", _asteroid_fields(record)),
        "      <EventFits>",
        _element(8, "SolveFlags", ["0"] * 9),
        _element(8, "EllipticFit", _fit_fields(record)),
        "      </EventFits>",
        "    </Details>",
        "    <Observations>",
    ]
    for sequence, timing in enumerate(record.timings or (None,), 1):
        level, words = accuracy(timing) if timing is not None else (None, "")
        lines += [
            "      <Observer>",
            _element(8, "ID", _id_fields(record, sequence)),
            _element(8, "Conditions", _condition_fields(record, timing, words)),
            _element(8, "D", _edge_fields(record, timing, "D", level, day)),
            _element(8, "R", _edge_fields(record, timing, "R", level, day)),
            "      </Observer>",
        ]
    predicted = record.prediction.utc
    if predicted is not None and day is not None and 0 <= predicted - on(day, 0) < 2 * DAY_NS:
        fields = _prediction_fields(record, len(record.timings or (None,)) + 1, day)
        lines.append(_element(6, "Prediction", fields))
    return [
        *lines,
        "    </Observations>",
        f"    <Added>{stamp}</Added>",
        f"    <LastEdited>{stamp}</LastEdited>",
        "  </Event>",
        "</AsteroidOccultations>",
    ]


def _today() -> date:
    return datetime.now(UTC).date()


def _element(indent: int, name: str, fields: list[str]) -> str:
    """An element; a pipe inside a field would shift all after it and becomes a stroke."""
    assert len(fields) == FIELDS[name], name
    text = "|".join(escape(field.replace("|", "/")) for field in fields)
    return f"{' ' * indent}<{name}>{text}</{name}>"


def _first_day(record: ObservationRecord) -> date | None:
    """The earlier day where event and prediction lie on two; hours on the later one are above 24."""
    times = _times_of(record)
    predicted = record.prediction.utc
    if predicted is not None and (not times or abs(predicted - min(times)) < DAY_NS):
        times = [*times, predicted]
    return utc_date(min(times)) if times else record.date


def _times_of(record: ObservationRecord) -> list[int]:
    """Edges, or of an observation without any its start and end."""
    edges = [edge.utc for timing in record.timings for edge in (timing.d, timing.r) if edge is not None]
    span = [ns for ns in (record.recording.started, record.recording.stopped) if ns is not None]
    return edges or span


def _date_fields(record: ObservationRecord, day: date | None) -> list[str]:
    if day is None:
        return ["", "", "", ""]
    predicted = [] if record.prediction.utc is None else [record.prediction.utc]
    times = _times_of(record) if record.timings else predicted or _times_of(record)
    hour = ""
    if times:
        middle = clock(sum(times) // len(times), 0, day)
        hour = f"{middle.hour + middle.minute / 60:.1f}"
    return [str(day.year), str(day.month), str(day.day), hour]


def _star_fields(star: Star) -> list[str]:
    gaia = star.catalogue.lower().startswith("gaia")
    version = star.catalogue[-1:] if gaia and star.catalogue[-1:] in {"1", "2", "3"} else "-1"
    return [
        star.catalogue,
        star.designation,
        version,
        star.gaia_id or (star.designation if gaia else ""),
        "" if star.ra_deg is None else f"{star.ra_deg / 15:.10f}",
        "" if star.dec_deg is None else f"{star.dec_deg:+.9f}",
        "",
        "",
        "" if star.diameter_mas is None else f"{star.diameter_mas:.4g}",
        "" if star.ruwe is None else "1" if star.ruwe > DOUBTFUL_RUWE else "0",
        "" if star.apparent_ra_deg is None else f"{star.apparent_ra_deg / 15:.8f}",
        "" if star.apparent_dec_deg is None else f"{star.apparent_dec_deg:+.7f}",
        "",
        "" if star.magnitude is None else f"{star.magnitude:.2f}",
        "",
        "",
    ]


def _asteroid_fields(record: ObservationRecord) -> list[str]:
    body = record.asteroid
    size = "" if body.diameter_km is None else f"{body.diameter_km:.1f}"
    sure = "" if body.diameter_sigma_km is None else f"{body.diameter_sigma_km:.1f}"
    bright = "" if body.magnitude is None else f"{body.magnitude:.2f}"
    return [body.number, body.name, *[""] * 8, size, sure, bright]


def _issue_fields(star: Star) -> list[str]:
    """Reliability (Gaia's RUWE); flags "not specified"; brightness ratio of a double as by default."""
    reliability = "" if star.ruwe is None else f"{star.ruwe:.2f}"
    return [reliability, "-1", "-1", "-1", "1.2", "10", "0", "0", "0", "0", ""]


def _fit_fields(record: ObservationRecord) -> list[str]:
    """No fit has been made: quality 0; axes are the assumed diameter where that is stated."""
    diameter = record.asteroid.diameter_km
    size = "" if diameter is None else f"{diameter:.1f}"
    return ["0.0", "0.0", size, size, "0.0", "0", "0" if diameter is None else "1", "0", "0.0", "0.0"]


def _id_fields(record: ObservationRecord, sequence: int) -> list[str]:
    names, site, telescope = [o.name for o in record.observers], record.site, record.telescope
    first = record.observers[0] if record.observers else None
    region = ""
    if first is not None:
        american = first.country.upper() in {"US", "USA", "UNITED STATES"}
        region = first.state if american and first.state else first.country
    place = ["", "", ""]
    if site is not None:
        altitude = f"{site.altitude_m:.0f}" if "altitude_m" in site.model_fields_set else ""
        longitude = _degrees(signed_longitude(site.longitude_deg), 3)
        place = [longitude, _degrees(site.latitude_deg, 2), altitude]
    return [
        str(sequence),
        *[*names, "", ""][:2],
        "1" if len(names) > 2 else "0",
        "" if site is None else clean_line(site.name),
        region,
        *place,
        " ",  # WGS84
        "" if telescope.aperture_cm is None else f"{telescope.aperture_cm:g}",
        codes.code(codes.TELESCOPES, telescope.type, " "),
        codes.code(codes.METHODS, record.recording.method, " "),
        codes.code(codes.TIME_SOURCES, record.recording.time_source, " "),
    ]


def _degrees(value: float, width: int) -> str:
    """``+ddd mm ss.s`` as Occult writes it: blanks for leading zeros of seconds."""
    sign, whole, minute, second = sexagesimal(value, 1)
    return f"{sign}{whole:0{width}d} {minute:2d} {second:4.1f}"


def _condition_fields(record: ObservationRecord, timing: Timing | None, words: str) -> list[str]:
    remark = comments(record, timing, words)
    if record.status == "technical failure":
        remark = f"Technical failure. {remark}".strip()
    return [
        codes.code(codes.STABILITIES, record.conditions.stability, " "),
        codes.code(codes.TRANSPARENCIES, record.conditions.transparency, " "),
        "" if record.snr is None else f"{record.snr:.1f}",
        "",
        remark,
    ]


def _edge_fields(
    record: ObservationRecord, timing: Timing | None, name: str, level: int | None, day: date | None
) -> list[str]:
    """Time, code, accuracy, personal equation, weight, plot code.

    A non-detection has no D and R: its code M stands with the start and the end of the observation.
    """
    if timing is None:
        missed = record.status == "negative"
        ns = record.recording.started if name == "D" else record.recording.stopped
        time = _time(ns, 1, day) if missed else ""
        return [time, codes.NOT_DETECTED if missed else codes.NOT_SEEN, "", "", "", " "]
    edge, other = (timing.d, timing.r) if name == "D" else (timing.r, timing.d)
    plot = " " if edge is not None and other is not None else ("y" if timing.d is not None else "z")
    if edge is None:
        return ["", codes.NOT_SEEN, "", "", "", plot]
    table = codes.D_CODES if name == "D" else codes.R_CODES
    digits = timing_digits(timing)
    return [
        _time(edge.utc, digits, day),
        table[timing.component],
        error_text(accuracy_s(edge, level), digits),
        "",
        "",
        plot,
    ]


def _time(ns: int | None, digits: int, day: date | None) -> str:
    """``hh mm ss.s``, blanks for leading zeros, hours counted from the event's day."""
    if ns is None:
        return ""
    moment = clock(ns, digits, day)
    return f"{moment.hour:2d} {moment.minute:2d} {moment.seconds_text(' ')}"


def _prediction_fields(record: ObservationRecord, sequence: int, day: date | None) -> list[str]:
    site, prediction = record.site, record.prediction
    place = ["", ""]
    if site is not None:
        place = [_degrees(signed_longitude(site.longitude_deg), 3), _degrees(site.latitude_deg, 2)]
    source = f"{prediction.source}; {AT_SITE}" if prediction.source else AT_SITE
    return [str(sequence), *place, _time(prediction.utc, 2, day), source]
