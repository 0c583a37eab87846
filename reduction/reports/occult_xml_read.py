"""Reading Occult's file of asteroidal observations: every station of every event, as records."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from reduction.angles import sexagesimal_degrees
from reduction.errors import DataError
from reduction.reports import codes, reading
from reduction.reports.clock import clock_ns, on
from reduction.reports.form import ReadForm
from reduction.reports.occult_xml import AT_SITE, FIELDS, VERSION
from reduction.reports.safe_xml import Element, parse

MOST_STATIONS = 5_000
ARTIFICIAL = {"e", "f"}
MISSES = {"M", "m", "n"}


def read_first(path: Path) -> ReadForm:
    """The first observation of a file; that there are more is noted."""
    found = read_all(path)
    if len(found) == 1:
        return found[0]
    return replace(
        found[0], notes=(*found[0].notes, f"the file holds {len(found)} observations; the first was read")
    )


def read_all(path: Path) -> list[ReadForm]:
    """Every observation of a file: neighbouring entries of the same observer are events of one record.

    Raises
    ------
    RequestError
        The file cannot be read.
    DataError
        It is not such a file, or holds no observation.
    """
    root = parse(reading.content_of(path), path)
    events = root.all("Event")
    if not events:
        raise DataError(
            f"{path}: no observations of asteroidal occultations: <{root.name[:40]}> holds no <Event>"
        )
    notes = _version_notes(root)
    found: list[ReadForm] = []
    for event in events:
        found += _event(event, path, notes, MOST_STATIONS - len(found))
    if not found:
        raise DataError(f"{path}: its events hold no observer")
    return found


def _version_notes(root: Element) -> list[str]:
    version = root.first("FileVersion")
    if version is not None and version.text.strip() == VERSION:
        return []
    return [f"the file is not version {VERSION}: {'' if version is None else version.text.strip()[:20]!r}"]


def _event(event: Element, path: Path, notes: list[str], most: int) -> list[ReadForm]:
    shared_notes = list(notes)
    day = _day(_fields(event, "Date", shared_notes))
    shared = _details(event, shared_notes)
    observations = event.first("Observations")
    if observations is None:
        return []
    if day is not None:
        shared["date"] = day
    prediction = _prediction(observations, day, shared_notes)
    stations: list[tuple[list[str], list[Element]]] = []
    for observer in observations.all("Observer")[:most]:
        identity = _fields(observer, "ID", shared_notes)
        if stations and stations[-1][0][1:] == identity[1:]:
            stations[-1][1].append(observer)
        else:
            stations.append((identity, [observer]))
    return [_station(shared | prediction, one, path, list(shared_notes), day) for one in stations]


def _fields(parent: Element, name: str, notes: list[str]) -> list[str]:
    """Fields of an element, as many as it must have: missing ones are empty, more are noted."""
    element = parent.first(name)
    fields = [] if element is None else element.text.split("|")
    wanted = FIELDS[name]
    if element is not None and len(fields) != wanted:
        notes.append(f"<{name}> has {len(fields)} fields, not {wanted}")
    return (fields + [""] * wanted)[:wanted]


def _day(fields: list[str]) -> date | None:
    try:
        return date(*(int(field) for field in fields[:3]))
    except (ValueError, OverflowError):
        return None


def _details(event: Element, notes: list[str]) -> dict[str, Any]:
    details = event.first("Details") or Element("Details")
    star, body = _fields(details, "Star", notes), _fields(details, "Asteroid", notes)
    issues = _fields(details, "StarIssues", notes)
    hours, apparent = reading.number(star[4]), reading.number(star[10])
    return {
        "star": {
            "catalogue": star[0],
            "designation": star[1],
            "gaia_id": "" if star[3].strip() in {"", "0"} else star[3],
            "ra_deg": None if hours is None else hours * 15,
            "dec_deg": reading.number(star[5]),
            "diameter_mas": reading.number(star[8]) or None,
            "apparent_ra_deg": None if apparent is None else apparent * 15,
            "apparent_dec_deg": reading.number(star[11]),
            "magnitude": reading.number(star[13]) or None,
            "ruwe": reading.number(issues[0]) or None,
        },
        "asteroid": {
            "number": body[0],
            "name": body[1],
            "diameter_km": reading.number(body[10]) or None,
            "diameter_sigma_km": reading.number(body[11]) or None,
            "magnitude": reading.number(body[12]) or None,
        },
    }


def _prediction(observations: Element, day: date | None, notes: list[str]) -> dict[str, Any]:
    if observations.first("Prediction") is None:
        return {}
    fields = _fields(observations, "Prediction", notes)
    source = fields[4].removesuffix(AT_SITE).removesuffix("; ")
    return {"prediction": {"utc": _utc(fields[3], day, "Prediction", notes), "source": source}}


def _utc(text: str, day: date | None, name: str, notes: list[str]) -> int | None:
    if not text.strip():
        return None
    if day is None:
        notes.append(f"<{name}>: the event has no date; its time is left out")
        return None
    try:
        return on(day, clock_ns(text))
    except ValueError as error:
        notes.append(f"<{name}>: left out: {error}")
        return None


def _station(
    shared: dict[str, Any],
    station: tuple[list[str], list[Element]],
    path: Path,
    notes: list[str],
    day: date | None,
) -> ReadForm:
    identity, entries = station
    conditions = _fields(entries[0], "Conditions", notes)
    comment, generated = reading.without_generated(conditions[4])
    recording: dict[str, Any] = {
        "method": codes.word(codes.METHODS, identity[12]),
        "time_source": codes.word(codes.TIME_SOURCES, identity[13]),
    }
    raw = shared | {
        "observers": [{"name": name} for name in identity[1:3] if name.strip()],
        "telescope": {
            "aperture_cm": reading.number(identity[10]) or None,
            "type": codes.word(codes.TELESCOPES, identity[11]),
        },
        "recording": recording,
        "conditions": {
            "stability": codes.word(codes.STABILITIES, conditions[0]),
            "transparency": codes.word(codes.TRANSPARENCIES, conditions[1]),
        },
        "snr": reading.number(conditions[2]),
        "comments": comment,
    }
    if raw["observers"]:
        raw["observers"][0] |= {"country": identity[5].strip()}
    if conditions[3].strip() not in {"", "0"}:
        notes.append(f"Occult shifts these times by {conditions[3].strip()[:20]} s; that is not applied")
    raw |= _site(identity, notes)
    raw |= _results(entries, day, generated, notes, recording)
    if comment.startswith("Technical failure."):
        raw["status"] = "technical failure"
        raw["comments"] = comment.removeprefix("Technical failure.").strip()
    return reading.tolerant_record(raw, path, notes)


def _site(identity: list[str], notes: list[str]) -> dict[str, Any]:
    if identity[9].strip(" _"):
        notes.append(f"coordinates are in the datum {identity[9].strip()[:10]!r}, not WGS84; left out")
        return {}
    try:
        site: dict[str, Any] = {
            "latitude_deg": sexagesimal_degrees(identity[7]),
            "longitude_deg": sexagesimal_degrees(identity[6]),
        }
    except ValueError as error:
        notes.append(f"coordinates left out: {error}")
        return {}
    altitude = reading.number(identity[8])
    if altitude is not None:
        site["altitude_m"] = altitude
    if identity[4].strip():
        site["name"] = identity[4].strip()
    return {"site": site}


def _results(
    entries: list[Element], day: date | None, generated: str, notes: list[str], recording: dict[str, Any]
) -> dict[str, Any]:
    """Status and timings; the times of a non-detection are when it was watched from and to."""
    timings, letters = [], set[str]()
    for entry in entries:
        timing: dict[str, Any] = {}
        component = None
        for name, table in (("D", codes.D_CODES), ("R", codes.R_CODES)):
            fields = _fields(entry, name, notes)
            letter, utc = fields[1].strip(), _utc(fields[0], day, name, notes)
            letters.add(letter)
            if letter in ARTIFICIAL:
                notes.append(f"<{name}> is artificial (code {letter}); left out")
            elif letter in MISSES and utc is not None:
                recording["started" if name == "D" else "stopped"] = utc
            elif utc is not None and letter not in MISSES | {codes.NOT_SEEN}:
                component = component or codes.word(table, letter)
                sigma = reading.sigma_of(fields[2], generated, notes)
                timing[name.lower()] = {"utc": utc, "sigma_s": sigma}
        if timing:
            timings.append(timing | {"component": component or "main star"})
    if timings:
        return {"status": "positive", "timings": timings}
    if letters & MISSES:
        return {"status": "negative"}
    return {"status": "overcast" if codes.NOT_SEEN in letters else "unknown"}
