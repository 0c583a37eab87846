"""Reading occelmnt XML, the format of predictions of Occult and Occult Watcher Cloud.

An ``<Event>`` holds elements whose text is fields between commas; attributes, entities and document types
are no part of the format. What is read are the tags that are known, wherever they stand: lines of dots,
comments, other tags, missing ends and fields beyond the known ones are passed over.
"""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from reduction.errors import DataError
from reduction.geometry.prediction import (
    HOUR_NS,
    EarthAspect,
    Elements,
    PredictedBody,
    PredictedErrors,
    PredictedOrbit,
    PredictedStar,
    Prediction,
)
from reduction.plan import Settings

MOST_BYTES = 64 << 20
MOST_EVENTS = 20_000
MOST_TEXT = 4096
"""Characters of one element; real ones have about 150."""
TAGS = ("Elements", "Earth", "Star", "Object", "Orbit", "Errors", "ID")

_EVENT = re.compile(r"<\s*+(/?)\s*+Event\b[^<>]*+>", re.IGNORECASE)
_OPEN = re.compile(rf"<\s*+({'|'.join(TAGS)})\b[^<>]*+>", re.IGNORECASE)
_FORBIDDEN = re.compile(r"<!\s*+(DOCTYPE|ENTITY)", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d{1,3})?")

_Part = TypeVar("_Part", bound=Settings)


@dataclass(frozen=True, slots=True)
class PredictionFile:
    """What an occelmnt file holds, and a sentence for everything that was passed over in it."""

    predictions: tuple[Prediction, ...]
    notes: tuple[str, ...]


class _UnreadableError(Exception):
    """An event that cannot be used; its text says why."""


def read_occelmnt(path: Path) -> PredictionFile:
    """Read the predictions of an occelmnt XML file.

    Raises
    ------
    DataError
        It cannot be read, is too large, declares a document type, or holds no readable event.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise DataError(f"{path}: more than {MOST_BYTES >> 20} MiB; predictions are a few kB, check the file")
    return parse_occelmnt(decoded(data), str(path))


def parse_occelmnt(text: str, name: str) -> PredictionFile:
    """Parse the text of an occelmnt file.

    Parameters
    ----------
    text : str
        The document.
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        As `read_occelmnt`.
    """
    if _FORBIDDEN.search(text):
        raise DataError(f"{name}: declares a document type or entities, which predictions never do; refused")
    events = _events(_COMMENT.sub(" ", text))
    if not events:
        raise DataError(f"{name}: no <Event> in it; an occelmnt XML file of Occult or OWC is expected")
    if len(events) > MOST_EVENTS:
        raise DataError(f"{name}: {len(events)} events, at most {MOST_EVENTS} are read; split the file")
    found: list[Prediction] = []
    notes: list[str] = []
    for number, event in enumerate(events, 1):
        try:
            prediction, dirt = _prediction(event)
        except _UnreadableError as why:
            notes.append(f"event {number}: left out: {why}")
            continue
        found.append(prediction)
        notes += [f"event {number}: {one}" for one in dirt]
    if not found:
        more = f" ({len(notes)} events)" if len(notes) > 1 else ""
        raise DataError(f"{name}: no event can be read{more}; {notes[0]}")
    return PredictionFile(tuple(found), tuple(notes))


def decoded(data: bytes) -> str:
    """Text of a file in UTF-8, UTF-16 with its mark, or else in Windows' western letters."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _events(text: str) -> list[str]:
    """Inner text of every event; one without an end lasts to the next, or to the end of the file."""
    found: list[str] = []
    start: int | None = None
    for tag in _EVENT.finditer(text):
        if start is not None:
            found.append(text[start : tag.start()])
        start = None if tag.group(1) else tag.end()
    if start is not None:
        found.append(text[start:])
    return found


def _elements(event: str) -> dict[str, list[str]]:
    """Fields of the known elements of one event, by tag in lower case; of two alike the first counts."""
    found: dict[str, list[str]] = {}
    for tag in _OPEN.finditer(event):
        end = event.find("<", tag.end())
        content = event[tag.end() : len(event) if end < 0 else end]
        if len(content) > MOST_TEXT:
            raise _UnreadableError(f"<{tag.group(1)}> has {len(content)} characters")
        # only XML's own five and numeric references are there; html knows them, and a bare & stays
        fields = [_clean(html.unescape(field) if "&" in field else field) for field in content.split(",")]
        found.setdefault(tag.group(1).lower(), fields)
    return found


def _clean(field: str) -> str:
    if not field.isprintable():
        field = "".join(c if c.isprintable() else " " for c in field)
    return " ".join(field.split())


class _Fields:
    """Fields of one element by number; what cannot be read as a number is noted and None."""

    def __init__(self, tag: str, fields: Sequence[str] | None) -> None:
        self.tag = tag
        self.fields: Sequence[str] = fields or ()
        self.dirt: list[str] = []

    def text(self, number: int) -> str:
        return self.fields[number] if number < len(self.fields) else ""

    def real(self, number: int) -> float | None:
        text = self.text(number)
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            self.dirt.append(f"<{self.tag}> field {number + 1}: {text[:40]!r} is no number; passed over")
            return None
        value = float(text.replace("d", "e").replace("D", "e"))
        return value if abs(value) < 1e300 else None

    def need(self, number: int, what: str) -> float:
        value = self.real(number)
        if value is None:
            seen = self.text(number)
            raise _UnreadableError(
                f"<{self.tag}> field {number + 1} ({what}): {seen[:40]!r} is no number"
                if seen
                else f"<{self.tag}> field {number + 1} ({what}) is missing"
            )
        return value

    def flag(self, number: int) -> bool | None:
        return {"true": True, "1": True, "false": False, "0": False}.get(self.text(number).lower())


def _prediction(event: str) -> tuple[Prediction, list[str]]:
    there = _elements(event)
    parts = {tag: _Fields(tag, there.get(tag.lower())) for tag in TAGS}
    for tag in ("Elements", "Star", "Object"):
        if tag.lower() not in there:
            raise _UnreadableError(f"no <{tag}>")
    dirt: list[str] = []
    elements, star, body = _besselian(parts["Elements"]), _star(parts["Star"]), _body(parts["Object"])
    earth = _lenient(_earth, parts["Earth"], EarthAspect(), dirt)
    orbit = _lenient(_orbit, parts["Orbit"], PredictedOrbit(), dirt)
    errors = _lenient(_errors, parts["Errors"], PredictedErrors(), dirt)
    dirt += [one for part in parts.values() for one in part.dirt]
    prediction = Prediction(
        event_id=parts["ID"].text(0),
        created_mjd=parts["ID"].real(1),
        elements=elements,
        earth=earth,
        star=star,
        body=body,
        orbit=orbit,
        errors=errors,
    )
    return prediction, list(dict.fromkeys(dirt))


def _lenient(make: Callable[[_Fields], _Part], fields: _Fields, without: _Part, dirt: list[str]) -> _Part:
    """Make a part that a prediction can do without."""
    try:
        return make(fields)
    except _UnreadableError as why:
        dirt.append(f"{why}; <{fields.tag}> is passed over")
        return without


def _made(kind: type[_Part], tag: str, values: dict[str, Any]) -> _Part:
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _UnreadableError(f"<{tag}> {where} {str(first['input'])[:40]!r}: {first['msg']}") from None


def _besselian(fields: _Fields) -> Elements:
    year, month, day = (fields.need(n, what) for n, what in ((2, "year"), (3, "month"), (4, "day")))
    hours = fields.need(5, "UT hours")
    try:
        midnight = datetime(int(year), int(month), int(day), tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _UnreadableError(f"<Elements> {year:g}-{month:g}-{day:g} is no date") from None
    if not 1700 <= midnight.year <= 2200 or not -24 <= hours <= 48:
        raise _UnreadableError(f"<Elements> {midnight:%Y-%m-%d}, {hours:g} h: no date of a prediction")
    day_ns = int(midnight.timestamp()) * 1_000_000_000
    # what stands at 6, 7 (place) and 8, 9 (rate) is needed; higher terms may be missing
    x = [fields.need(6, "X"), fields.need(8, "X'"), fields.real(10) or 0.0, fields.real(12) or 0.0]
    y = [fields.need(7, "Y"), fields.need(9, "Y'"), fields.real(11) or 0.0, fields.real(13) or 0.0]
    if x[1] == 0 and y[1] == 0:
        raise _UnreadableError("<Elements>: the shadow does not move (X' = Y' = 0)")
    values = {
        "source": fields.text(0),
        "max_duration_s": fields.real(1),
        "epoch_ns": day_ns + round(hours * HOUR_NS),
        "x_earth_radii": tuple(x),
        "y_earth_radii": tuple(y),
    }
    return _made(Elements, "Elements", values)


_EARTH = tuple(EarthAspect.model_fields)[:4]


def _earth(fields: _Fields) -> EarthAspect:
    values: dict[str, Any] = {name: fields.real(n) for n, name in enumerate(_EARTH)}
    return _made(EarthAspect, "Earth", {**values, "jwst": fields.flag(4)})


def _star(fields: _Fields) -> PredictedStar:
    values = {
        "name": fields.text(0),
        "ra_hours": fields.need(1, "right ascension, hours"),
        "dec_deg": fields.need(2, "declination, degrees"),
        "magnitude_b": fields.real(3),
        "magnitude_v": fields.real(4),
        "magnitude_r": fields.real(5),
        "diameter_mas": fields.real(6),
        "double_code": fields.text(7),
        "kepler2_id": fields.text(8),
        "apparent_ra_hours": fields.real(9),
        "apparent_dec_deg": fields.real(10),
        "drop_v_mag": fields.real(11),
        "drop_r_mag": fields.real(12),
        "adjusted": fields.text(13),
        "nearby_bright": fields.text(14),
        "nearby_all": fields.text(15),
    }
    return _made(PredictedStar, "Star", values)


def _body(fields: _Fields) -> PredictedBody:
    values = {
        "number": fields.text(0),
        "name": fields.text(1),
        "magnitude": fields.real(2),
        "diameter_km": fields.need(3, "diameter, km"),
        "distance_au": fields.need(4, "distance, au"),
        "rings": fields.text(5),
        "moons": fields.text(6),
        "ra_rate_s_per_h": fields.real(7),
        "dec_rate_arcsec_per_h": fields.real(8),
        "taxonomy": fields.text(9),
        "diameter_sigma_km": fields.real(10),
        "shape_models": fields.text(11),
        "magnitude_v": fields.real(12),
        "magnitude_r": fields.real(13),
    }
    return _made(PredictedBody, "Object", values)


_ORBIT = tuple(PredictedOrbit.model_fields)


def _orbit(fields: _Fields) -> PredictedOrbit:
    values: dict[str, Any] = {name: fields.real(n) for n, name in enumerate(_ORBIT) if n}
    return _made(PredictedOrbit, "Orbit", {**values, "equinox_flag": fields.text(0)})


def _errors(fields: _Fields) -> PredictedErrors:
    values = {
        "path_width_ratio": fields.real(0),
        "major_arcsec": fields.real(1),
        "minor_arcsec": fields.real(2),
        "position_angle_deg": fields.real(3),
        "sigma_arcsec": fields.real(4),
        "basis": fields.text(5),
        "ruwe": fields.real(6),
        "duplicate_source": fields.text(7),
        "no_proper_motion": fields.text(8),
        "ucac4_proper_motion": fields.text(9),
    }
    return _made(PredictedErrors, "Errors", values)
