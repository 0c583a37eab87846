"""A campaign as a person writes it down: a prediction, and a line for every station."""

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from reduction.angles import sexagesimal_degrees
from reduction.errors import DataError, RequestError, UmbraError
from reduction.geometry.occelmnt import read_occelmnt
from reduction.geometry.prediction import Prediction
from reduction.geometry.stars import CatalogueStar
from reduction.limb.ades import AdesContext
from reduction.limb.chords import SECOND_NS, ChordStatus, Moment, Station
from reduction.plan import Settings
from reduction.record import ObservationRecord
from reduction.record_merge import record_from
from reduction.sites import Site
from reduction.utc import UtcNs

FILE = "campaign.toml"
MOST_BYTES = 8 << 20
MOST_STATIONS = 2000
ASSUMED_SHARE = 0.1
"""Sigma of a diameter that is given without one, as a share of it."""
STATUS: dict[str, ChordStatus] = {"positive": "positive", "negative": "negative"}


def _angle(value: object) -> object:
    return sexagesimal_degrees(value) if isinstance(value, str) else value


Angle = Annotated[float, BeforeValidator(_angle)]
Positive = Annotated[float, Field(gt=0)]


class StationLine(Settings):
    """A station: what is stated goes before what `result` says.

    Attributes
    ----------
    result : str or None
        Folder of `umbra reduce`, an ``events.json``, or a record; beside the campaign's file.
    d_sigma_s, r_sigma_s : float or None
        Sigma of each time.
    clock_sigma_s : float
        What D and R are wrong by together.
    started, stopped : UtcNs or None
        When the star was watched; a negative chord tells nothing of other times.
    shortest_s : float
        An event shorter than this would not have been seen.
    late_s : float
        All its times are known to be late by this, seconds: taken off them.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    latitude_deg: Annotated[Angle, Field(ge=-90, le=90)] | None = None
    longitude_deg: Annotated[Angle, Field(ge=-180, le=360)] | None = None
    altitude_m: Annotated[float, Field(ge=-500, le=9000)] = 0.0
    status: Literal["positive", "negative", "overcast", "technical failure", "unknown", "planned"] | None = (
        None
    )
    d: UtcNs | None = None
    d_sigma_s: Positive | None = None
    r: UtcNs | None = None
    r_sigma_s: Positive | None = None
    clock_sigma_s: Annotated[float, Field(ge=0)] = 0.0
    started: UtcNs | None = None
    stopped: UtcNs | None = None
    exposure_s: Positive | None = None
    shortest_s: Annotated[float, Field(ge=0)] = 0.0
    late_s: Annotated[float, Field(ge=-86_400, le=86_400)] = 0.0
    result: str | None = None


class CampaignFile(Settings):
    """The campaign but for its stations.

    Attributes
    ----------
    prediction : str or None
        An occelmnt file, beside this one.
    event : str or None
        Id of the event in it, or its number or name of the body, where it holds several.
    diameter_km, diameter_sigma_km : float or None
        Known beforehand: taken as a prior of the fit.
    star_catalogue : str
        Where the star's place is from, in the words of ADES (``Gaia3``).
    star : CatalogueStar or None
        Its astrometry, to be carried to the event; the prediction's place where it is not given.
    """

    prediction: str | None = None
    event: str | None = None
    model: Literal["ellipse", "circle"] | None = None
    diameter_km: Positive | None = None
    diameter_sigma_km: Positive | None = None
    star_catalogue: Annotated[str, Field(max_length=8)] = "UNK"
    ades: AdesContext | None = None
    star: CatalogueStar | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign that was read: settings, prediction, stations, and where each one's result lies."""

    settings: CampaignFile
    prediction: Prediction
    stations: tuple[Station, ...]
    results: tuple[Path | None, ...]
    notes: tuple[str, ...]


def read_campaign(path: Path, prediction: Path | None = None, event: str | None = None) -> Campaign:
    """Read a campaign: a TOML file, a CSV of its stations, or a folder with ``campaign.toml`` or both.

    Parameters
    ----------
    path : Path
        The campaign.
    prediction, event
        Instead of the file's own.

    Raises
    ------
    RequestError, DataError
        With every fault of every station, one a line.
    """
    source = _source(path)
    raw, lines = _raw(source)
    faults: list[str] = []
    settings = _settings(raw, faults)
    entries = _entries(lines, faults)
    where = prediction or (None if settings.prediction is None else source.parent / settings.prediction)
    if where is None:
        where = _beside(source, faults)
    predicted = None if where is None else _prediction(where, event or settings.event, faults)
    notes: list[str] = []
    made = [_station(entry, index, source.parent, faults, notes) for index, entry in entries]
    if faults or predicted is None:
        raise DataError(
            f"{source.name}: {len(faults)} fault{'s' if len(faults) > 1 else ''}:\n  " + "\n  ".join(faults)
        )
    stations = [one for one in made if one is not None]
    results = tuple(None if entry.result is None else source.parent / entry.result for _, entry in entries)
    return Campaign(settings, predicted, tuple(stations), results, tuple(notes))


def _source(path: Path) -> Path:
    if not path.is_dir():
        return path
    if (path / FILE).is_file():
        return path / FILE
    tables = sorted(path.glob("*.csv"))
    if len(tables) != 1:
        raise RequestError(f"{path}: no {FILE} and {len(tables)} CSV files; name the campaign's file")
    return tables[0]


def _beside(source: Path, faults: list[str]) -> Path | None:
    """The only XML file beside a campaign that names no prediction."""
    found = sorted(source.parent.glob("*.xml"))
    if len(found) == 1:
        return found[0]
    faults.append(f"no prediction is named and {len(found)} XML files lie beside; add --prediction FILE")
    return None


def _raw(source: Path) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """Settings, and each station's fields with the place it stands at."""
    try:
        if source.stat().st_size > MOST_BYTES:
            raise DataError(f"{source}: {source.stat().st_size} bytes are no list of stations")
        text = source.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"{source}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: not text in UTF-8 (byte {error.start}); save it as UTF-8") from error
    if source.suffix.lower() == ".toml":
        try:
            content = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise DataError(f"{source}: not TOML: {error}") from error
        listed = content.pop("station", [])
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise DataError(f"{source}: stations are written as [[station]], one block each")
        return content, [(f"station {k + 1}", dict(one)) for k, one in enumerate(listed)]
    return {}, _table(source, text)


def _table(source: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    try:
        reader = csv.DictReader(lines, delimiter=";" if ";" in (lines or [""])[0] else ",", strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise DataError(f"{source}: not a CSV table: {error}") from error
    answer = []
    for number, row in enumerate(rows, 1):
        extra = row.pop(None, None)  # cells beyond the header have no name
        fields: dict[str, Any] = {
            key.strip(): value.strip() for key, value in row.items() if value is not None and value.strip()
        }
        if extra:
            fields["more cells than the header has"] = " ".join(extra)
        answer.append((f"station {number}", fields))
    return answer


def _settings(raw: Mapping[str, Any], faults: list[str]) -> CampaignFile:
    try:
        return CampaignFile(**raw)
    except ValidationError as error:
        faults += [_fault("", one) for one in error.errors()]
    except TypeError as error:
        faults.append(str(error))
    return CampaignFile()


def _fault(where: str, error: Mapping[str, Any]) -> str:
    field = ".".join(map(str, error["loc"]))
    what = "is no field of a campaign" if error["type"] == "extra_forbidden" else str(error["msg"])
    given = error["input"] if isinstance(error["input"], str | int | float) else ""
    shown = f" ({str(given)[:40]!r})" if given != "" else ""
    return f"{where}{': ' if where else ''}{field}: {what.removeprefix('Value error, ')}{shown}"


def _entries(lines: list[tuple[str, dict[str, Any]]], faults: list[str]) -> list[tuple[str, StationLine]]:
    if not lines:
        faults.append("no station")
    if len(lines) > MOST_STATIONS:
        faults.append(f"{len(lines)} stations; {MOST_STATIONS} at most")
        return []
    answer: list[tuple[str, StationLine]] = []
    names: set[str] = set()
    for index, fields in lines:
        where = f"{index} ({fields['name']})" if isinstance(fields.get("name"), str) else index
        try:
            entry = StationLine(**fields)
        except ValidationError as error:
            faults += [_fault(where, one) for one in error.errors()]
            continue
        except TypeError as error:
            faults.append(f"{where}: {error}")
            continue
        if entry.name in names:
            faults.append(f"{where}: the name is given twice; tell the two apart")
        names.add(entry.name)
        answer.append((where, entry))
    return answer


def _prediction(path: Path, event: str | None, faults: list[str]) -> Prediction | None:
    try:
        found = read_occelmnt(path).predictions
    except UmbraError as error:
        faults.append(str(error))
        return None
    if event is not None:
        found = tuple(one for one in found if event in {one.event_id, one.body.number, one.body.name})
    if len(found) == 1:
        return found[0]
    why = f"{len(found)} events" if event is None else f"{len(found)} events {event!r}"
    faults.append(f"{path.name}: {why}; name one by its id with event = or --event")
    return None


def _station(
    entry: StationLine, where: str, folder: Path, faults: list[str], notes: list[str]
) -> Station | None:
    """A station from its line and its result; None with a fault noted."""
    record = ObservationRecord()
    if entry.result is not None:
        try:
            merged = record_from(folder / entry.result, None)
        except UmbraError as error:
            faults.append(f"{where}: {error}")
            return None
        record = merged.record
        notes += [f"{entry.name}: {note}" for note in merged.notes]
    return station_from(entry, record, where, faults)


def station_from(
    entry: StationLine, record: ObservationRecord, where: str, faults: list[str]
) -> Station | None:
    """A station of what is stated and what its result says; None with a fault noted.

    Parameters
    ----------
    entry : StationLine
    record : ObservationRecord
        Of its result; an empty one without.
    where : str
        Begins every fault.
    faults : list of str
        Is added to.
    """
    before = len(faults)
    site = _site(entry, record, where, faults)
    d, r = _times(entry, record, where, faults)
    stated = entry.status or ("positive" if d or r else record.status)
    if stated == "positive" and d is None and r is None:
        faults.append(f"{where}: positive, but neither d nor r is given")
    if stated != "positive" and (entry.d is not None or entry.r is not None):
        faults.append(f"{where}: status is {stated}, yet d or r is given")
    if d is not None and r is not None and d.utc_ns >= r.utc_ns:
        faults.append(f"{where}: d is not before r")
    started, stopped = entry.started or record.recording.started, entry.stopped or record.recording.stopped
    if started is not None and stopped is not None and stopped <= started:
        faults.append(f"{where}: stopped is not after started")
    if len(faults) > before or site is None:
        return None
    status = STATUS.get(stated, "none")
    late_ns = round(entry.late_s * SECOND_NS)
    return Station(
        name=entry.name,
        site=site,
        status=status,
        d=_earlier(d, late_ns) if status == "positive" else None,
        r=_earlier(r, late_ns) if status == "positive" else None,
        clock_sigma_s=entry.clock_sigma_s,
        from_ns=None if started is None else started - late_ns,
        to_ns=None if stopped is None else stopped - late_ns,
        exposure_s=entry.exposure_s or record.recording.exposure_s,
        shortest_s=entry.shortest_s,
        late_s=entry.late_s,
    )


def _earlier(moment: Moment | None, late_ns: int) -> Moment | None:
    return None if moment is None else Moment(moment.utc_ns - late_ns, moment.sigma_s)


def _site(entry: StationLine, record: ObservationRecord, where: str, faults: list[str]) -> Site | None:
    if entry.latitude_deg is not None and entry.longitude_deg is not None:
        return Site(
            latitude_deg=entry.latitude_deg,
            longitude_deg=entry.longitude_deg,
            altitude_m=entry.altitude_m,
            name=entry.name,
        )
    if record.site is None:
        faults.append(f"{where}: latitude_deg and longitude_deg are missing")
    return record.site


def _times(
    entry: StationLine, record: ObservationRecord, where: str, faults: list[str]
) -> tuple[Moment | None, Moment | None]:
    """D and R, stated or of the result's only event."""
    main = [one for one in record.timings if one.component == "main star"]
    if len(main) > 1 and entry.d is None and entry.r is None:
        faults.append(f"{where}: {len(main)} events in its result; state d and r of the body's own")
        return None, None
    answer: list[Moment | None] = []
    for name, stated, sigma in (("d", entry.d, entry.d_sigma_s), ("r", entry.r, entry.r_sigma_s)):
        found = getattr(main[0], name) if main and entry.d is None and entry.r is None else None
        utc = stated if stated is not None else (found.utc if found is not None else None)
        error = sigma if sigma is not None else (found.sigma_s if found is not None else None)
        if utc is not None and not error:
            faults.append(f"{where}: {name} has no sigma; give {name}_sigma_s")
        answer.append(None if utc is None or not error else Moment(utc, error))
    return answer[0], answer[1]
