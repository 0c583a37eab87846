"""Stations of a campaign as `umbra chords` takes them: of results, or of what the observer reports."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.fits.reported import ENDED, Reported, Taken, contacts_of, taken
from api.fits.requests import StationAsk
from api.results.cache import ResultCache
from reduction.errors import DataError, UmbraError
from reduction.limb.campaign import StationLine, station_from
from reduction.limb.chords import Station
from reduction.record import ObservationRecord
from reduction.record_merge import SUMMARY, record_from, record_of_events

KEPT = 2000
LONGEST_NAME = 80
STATED = {"technical_failure": "technical failure"}
CONTACTS = (("d", "disappearance"), ("r", "reappearance"))


@dataclass(frozen=True, slots=True)
class Known:
    """What a result says of its station.

    Attributes
    ----------
    record : ObservationRecord
    notes : tuple of str
    shortest_s : float
        An event shorter than this would not have been seen; 0 where it does not say.
    """

    record: ObservationRecord
    notes: tuple[str, ...]
    shortest_s: float


class Records:
    """What results say, by their keys: read once, since they never change. Safe for threads."""

    def __init__(self, cache: ResultCache) -> None:
        self._cache = cache
        self._alone = threading.Lock()
        self._kept: OrderedDict[str, Known] = OrderedDict()

    def __call__(self, key: str) -> Known:
        """Of a result.

        Raises
        ------
        RequestError, DataError
            It is not in the store any more, or damaged there.
        """
        with self._alone:
            found = self._kept.pop(key, None)
        if found is None:
            folder = self._cache.folder(key)
            merged = record_from(folder, None)
            try:
                event = json.loads((folder / SUMMARY).read_text(encoding="utf-8")).get("event") or {}
                found = Known(merged.record, merged.notes, _shortest(event))
            except (OSError, ValueError, TypeError, AttributeError) as error:
                raise DataError(f"{key}: no summary of Umbra's: {error}") from error
        with self._alone:
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found


@dataclass(frozen=True, slots=True)
class Stated:
    """A station with what it says, ready for a fit.

    Attributes
    ----------
    name : str
        Unique in the campaign.
    taken : Taken
        Where its times come from.
    state : str
        ``positive``, ``negative``, ``overcast``, ``technical_failure``, ``planned`` or ``unknown``.
    fields : dict
        Its block of the campaign's file.
    station : Station or None
        None: `faults` tell why it cannot be used.
    """

    of: Reported
    name: str
    taken: Taken
    state: str
    fields: dict[str, Any]
    station: Station | None
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def excluded(self) -> bool:
        """Whether the team left it out."""
        return self.of.choice is not None and self.of.choice.excluded

    @property
    def used(self) -> bool:
        """Whether it takes part in a fit."""
        return not self.excluded and self.station is not None and self.station.status != "none"

    @property
    def why(self) -> str:
        """Why it takes no part; empty where it does."""
        if self.excluded and self.of.choice is not None:
            return f"excluded: {self.of.choice.reason}"
        if self.station is None:
            return "; ".join(self.faults)
        return "" if self.used else f"{self.state.replace('_', ' ')}: there is nothing to constrain the limb"


def stated(
    rows: Sequence[Reported], records: Callable[[str], Known], asked: Mapping[str, StationAsk] | None = None
) -> tuple[Stated, ...]:
    """Return every station with its times.

    Parameters
    ----------
    rows : sequence of Reported
    records : callable
        Key of a result -> what it says.
    asked : mapping or None
        What a fit states of stations, by the id of the observation.
    """
    names = _names(rows)
    known = asked or {}
    return tuple(
        _stated(one, name, records, known.get(one.observation.id, StationAsk()))
        for one, name in zip(rows, names, strict=True)
    )


def _names(rows: Sequence[Reported]) -> list[str]:
    """Names of stations, told apart by the observer, and by a number where that is not enough."""
    answer: list[str] = []
    given: set[str] = set()
    plain = [row.observation.station[:LONGEST_NAME] for row in rows]
    for row, name in zip(rows, plain, strict=True):
        unique = name
        if plain.count(name) > 1 and row.observer:
            unique = f"{row.observation.station}, {row.observer}"[:LONGEST_NAME]
        number = 1
        while unique in given:
            number += 1
            mark = f" ({number})"
            unique = name[: LONGEST_NAME - len(mark)] + mark
        given.add(unique)
        answer.append(unique)
    return answer


def _stated(one: Reported, name: str, records: Callable[[str], Known], asked: StationAsk) -> Stated:
    source = taken(one)
    site = one.site
    fields: dict[str, Any] = {
        "name": name,
        "latitude_deg": site.latitude_deg,
        "longitude_deg": site.longitude_deg,
        "altitude_m": site.height_m,
    }
    faults: list[str] = []
    notes = list(source.notes)
    record, shortest_s = ObservationRecord(), 0.0
    if source.result is not None:
        fields["result"] = f"results/{source.result.key}"
        try:
            known = records(source.result.key)
            record, shortest_s = known.record, known.shortest_s
        except UmbraError as error:
            faults.append(str(error))
    elif source.curve is not None:
        fields["result"] = events_name(source.curve.sha256)
        try:
            known = _known_curve(source.curve.finding, source.curve.name)
            record, shortest_s = known.record, known.shortest_s
            fields |= _watched(source.curve.finding.get("watched") or {})
            notes += known.notes
        except UmbraError as error:
            faults.append(str(error))
    elif source.source == "report":
        fields |= _of_report(one, faults, notes)
    else:
        fields["status"] = _unseen(one.observation.status)
    settled = {
        "late_s": asked.late_s,
        "clock_sigma_s": asked.clock_sigma_s,
        "shortest_s": shortest_s if asked.shortest_s is None else asked.shortest_s,
    }
    fields |= {key: value for key, value in settled.items() if value}
    station = None if faults else _station(fields, record, name, faults)
    state = _state(one, source, station)
    return Stated(one, name, source, state, fields, station, tuple(faults), tuple(notes))


def events_name(sha256: str) -> str:
    """What Umbra finds in a light curve, as a file beside the campaign's: ``events.json``."""
    return f"events-{sha256[:32]}.json"


def _known_curve(finding: Mapping[str, Any], name: str) -> Known:
    """What was found in a light curve that an observer sent."""
    merged = record_of_events(finding["events"], name)
    return Known(merged.record, merged.notes, _shortest(finding["events"]))


def _shortest(event: Mapping[str, Any]) -> float:
    """The shortest event that would have been seen, seconds; 0 where nothing is said."""
    return float((event.get("detectable") or {}).get("shortest_s") or 0.0)


def _watched(told: Mapping[str, Any]) -> dict[str, Any]:
    """When the star was watched, as fields of the campaign's file."""
    named = {"started": "first_utc", "stopped": "last_utc", "exposure_s": "exposure_s"}
    return {name: told[key] for name, key in named.items() if told.get(key)}


def _station(
    fields: Mapping[str, Any], record: ObservationRecord, name: str, faults: list[str]
) -> Station | None:
    found: list[str] = []
    try:
        station = station_from(StationLine(**fields), record, name, found)
    except ValueError as error:  # a height that no ground has
        faults.append(" ".join(str(error).split())[:300])
        return None
    faults += [fault.removeprefix(f"{name}: ") for fault in found]
    return station


def _state(one: Reported, source: Taken, station: Station | None) -> str:
    """What came of a station, in the words of reports."""
    if station is not None and station.status != "none":
        return station.status
    if source.result is not None:
        found = (source.result.figures.get("event") or {}).get("status")
        return found if found in ENDED else "unknown"
    if source.curve is not None:
        return "unknown"
    return one.observation.status


def _unseen(status: str) -> str:
    """The status of a station without times, in the words of the campaign's file."""
    return STATED.get(status, status) if status not in {"positive", "negative"} else "unknown"


def _of_report(one: Reported, faults: list[str], notes: list[str]) -> dict[str, Any]:
    """What the observer's report says, as fields of the campaign's file."""
    report, status = one.observation.report, one.observation.status
    there = contacts_of(report)
    fields: dict[str, Any] = {}
    for name, contact in CONTACTS:
        if contact in there:
            fields[name] = _utc(report[contact]["utc"])
            sigma = report[contact].get("sigma_s")
            if sigma is None:
                faults.append(
                    f"report: {contact}: has no sigma_s; a time without its error cannot be weighed: state it"
                )
            else:
                fields[f"{name}_sigma_s"] = sigma
    if there and status in {"planned", "unknown"}:
        notes.append(f"the report has contacts, and the status {status}: taken as positive")
        status = "positive"
    elif there and status != "positive":
        faults.append(f"report: has contacts, yet the status is {status}; correct one of them")
    elif not there and status == "positive":
        faults.append("report: positive, but it has no contacts, and no recording was reduced")
    fields["status"] = STATED.get(status, status)
    for name, key in (("started", "begin"), ("stopped", "end")):
        if report.get(key):
            fields[name] = _utc(report[key])
    if status == "negative" and not {"started", "stopped"} <= set(fields):
        notes.append("report: begin or end is missing: the star is taken as watched throughout")
    if report.get("exposure_s"):
        fields["exposure_s"] = report["exposure_s"]
    return fields


def _utc(text: str) -> str:
    """A time of a report as the campaign's file has it."""
    at = datetime.fromisoformat(text).astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
