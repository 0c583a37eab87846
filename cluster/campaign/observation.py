"""An observation as a line of a manifest says it, and what is wrong with such a line."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cluster.requests import ReductionRequest, Times, positions
from ingest.formats import expand
from ingest.solve.request import SkyRequest
from reduction.angles import sexagesimal_degrees
from reduction.errors import RequestError, UmbraError
from reduction.plan import ReductionPlan, load_plan
from reduction.sites import Site

Cells = Mapping[str, Any]
"""What stands on a line, by column, empty cells left out: text of CSV, plain values of JSON."""

SITE = ("latitude_deg", "longitude_deg", "altitude_m")
SKY = ("target_sky", "wcs", "catalogue", "epoch", "pm", "parallax")
STARS = ("target", "references", "guides")
FILES = ("bias", "dark", "flat", "coordinates")
PLAIN = ("member", "calibration", "device")
COLUMNS = (
    "station", "input", "member", *STARS, *FILES, "calibration", *SKY, *SITE, "device", "plan", "times",
    "observer", "remarks",
)  # fmt: skip
"""Columns besides ``plan.FIELD`` and ``times.FIELD``."""

LONGEST_NAME = 80
RAW = re.compile(r"raw:[0-9a-f]{64}")
YES_NO = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line: its number from 1, the column (empty: the whole line), and why."""

    line: int
    column: str
    reason: str

    @property
    def text(self) -> str:
        """For people."""
        where = f"line {self.line}, {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Observation:
    """One recording of a campaign and how it is reduced.

    Attributes
    ----------
    station : str
        Its name, the only one of the campaign.
    line : int
        Of the manifest.
    request : ReductionRequest
        With absolute paths; inputs of the store stand as ``raw:SHA256``.
    site : Site or None
    observer, remarks : str
    """

    station: str
    line: int
    request: ReductionRequest
    site: Site | None = None
    observer: str = ""
    remarks: str = ""


def fault_of_column(name: str) -> str | None:
    """Why no manifest has a column of that name; None where it is one."""
    if name in COLUMNS:
        return None
    group, dot, rest = name.partition(".")
    fields = {"plan": ReductionPlan.model_fields, "times": Times.model_fields}.get(group)
    if dot and fields is not None and rest.partition(".")[0] in fields:
        return None
    known = [
        *COLUMNS,
        *(f"plan.{f}" for f in ReductionPlan.model_fields),
        *(f"times.{f}" for f in Times.model_fields),
    ]
    near = get_close_matches(name, known, 1)
    hint = (
        f"; is {near[0]} meant?" if near else f"; there are {', '.join(COLUMNS)}, plan.FIELD and times.FIELD"
    )
    return f"no column of a manifest{hint}"


class _Line:
    """Takes the cells of a line apart, and notes what is wrong."""

    def __init__(self, number: int, cells: Cells, folder: Path) -> None:
        self.number, self.cells, self.folder = number, cells, folder
        self.faults: list[Fault] = []

    def fault(self, column: str, reason: str) -> None:
        self.faults.append(Fault(self.number, column, reason))

    def word(self, column: str) -> str:
        """Text of a cell, empty where there is none."""
        value = self.cells.get(column, "")
        if isinstance(value, bool | int | float):
            return json.dumps(value)
        if not isinstance(value, str):
            self.fault(column, f"a {type(value).__name__}; give text")
            return ""
        if not value.isprintable():
            self.fault(column, f"{value!r:.80}: holds characters that cannot be seen")
            return ""
        return value.strip()

    def attempt(self, column: str, work: Callable[[str], Any]) -> Any:
        """What `work` makes of a cell; None where it is empty or wrong."""
        text = self.word(column)
        if not text:
            return None
        try:
            return work(text)
        except UmbraError as error:
            self.fault(column, str(error))
        except (ValueError, OSError) as error:
            self.fault(column, f"{text!r:.80}: {getattr(error, 'strerror', None) or error}")
        return None

    def path(self, text: str) -> str:
        """An absolute path that exists, as the manifest says it: from the manifest's folder."""
        found = self.folder / text
        if not found.exists():
            raise RequestError(f"{text}: no such file or folder (from {self.folder})")
        return str(found)

    def station(self) -> str:
        name = self.word("station")
        if not name:
            self.fault("station", "empty; give each observation a name of its own")
        elif len(name) > LONGEST_NAME or name.startswith(".") or "/" in name or "\\" in name:
            self.fault(
                "station", f"{name!r:.100}: give up to {LONGEST_NAME} characters, no slash, no dot in front"
            )
        return name

    def inputs(self) -> tuple[str, ...]:
        """Absolute paths and patterns, or one file of the store."""
        value = self.cells.get("input")
        listed = _listed(value)
        if listed is None:
            self.fault("input", f"{value!r:.80}: give a path, or several with a semicolon between them")
            return ()
        if not listed:
            self.fault("input", "empty; give a file, folder, pattern or archive, or raw:SHA256 of the store")
            return ()
        raw = [text for text in listed if text.startswith("raw:")]
        if raw:
            if len(listed) > 1 or not RAW.fullmatch(raw[0]):
                self.fault(
                    "input", f"{raw[0]!r:.80}: give one raw:SHA256, 64 digits of 0-9 a-f, and nothing else"
                )
                return ()
            return (raw[0],)
        paths = tuple(str(self.folder / text) for text in listed)
        try:
            expand(paths)
        except UmbraError as error:
            self.fault("input", f"{error}; paths are taken from the manifest's folder")
        except (ValueError, OSError) as error:
            self.fault("input", f"{listed[0]!r:.80}: {error}")
        return paths

    def stars(self) -> dict[str, Any]:
        """Fields of the plan that name stars."""
        found: dict[str, Any] = {}
        for column in STARS:
            text = self.word(column)
            if not text or text.lower() == "auto":
                continue
            try:
                listed = positions([part for part in text.split(";") if part.strip()], column)
            except RequestError as error:
                self.fault(column, str(error))
                continue
            if column != "target":
                found[column] = listed
            elif len(listed) == 1:
                found[column] = listed[0]
            else:
                self.fault(column, f"{text!r:.80}: give one place, X,Y, or auto")
        return found

    def plan(self) -> ReductionPlan:
        """The plan: of a file or JSON, then the columns of single fields, then the stars."""
        fields: dict[str, Any] = {}
        given = self.cells.get("plan")
        if isinstance(given, Mapping):
            fields = dict(given)
        elif (text := self.word("plan")).startswith("{"):
            fields = self.attempt("plan", _object) or {}
        elif text:
            plan = self.attempt("plan", lambda path: load_plan(Path(self.path(path))))
            fields = {} if plan is None else plan.model_dump(exclude_unset=True)
        _merge(fields, self.dotted("plan"))
        fields |= self.stars()
        return self.checked(ReductionPlan, fields, "plan.", STARS) or ReductionPlan()

    def times(self) -> Times:
        """What the line says about times; the column ``times`` alone is the table."""
        given = self.cells.get("times")
        fields: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {}
        if not isinstance(given, Mapping) and self.word("times"):
            fields["table"] = self.word("times")
        fields |= self.dotted("times")
        if isinstance(fields.get("table"), str):
            column = "times.table" if "times.table" in self.cells else "times"
            try:
                fields["table"] = self.path(fields["table"])
            except (RequestError, ValueError, OSError) as error:
                self.fault(column, str(error))
        times = self.checked(Times, fields, "times.", ()) or Times()
        try:
            times.options()
        except UmbraError as error:
            self.fault("times", str(error))
        return times

    def dotted(self, group: str) -> dict[str, Any]:
        """Columns ``group.field`` as fields of fields."""
        found: dict[str, Any] = {}
        for column in self.cells:
            head, _, rest = column.partition(".")
            if head != group or not rest:
                continue
            value, place = self.cells[column], found
            *outer, last = rest.split(".")
            for name in outer:
                place = place.setdefault(name, {})
                if not isinstance(place, dict):
                    self.fault(column, f"stands beside {group}.{outer[0]}; give one of them")
                    place = {}
            place[last] = _value(value) if isinstance(value, str) else value
        return found

    def site(self) -> Site | None:
        if not any(self.word(column) for column in SITE):
            return None
        fields: dict[str, Any] = {
            column: self.attempt(column, sexagesimal_degrees if column != SITE[2] else float)
            for column in SITE
        }
        for column in SITE[:2]:
            if not self.word(column):
                self.fault(column, "empty, though the line names a site; give both, north and east positive")
        if None in (fields[SITE[0]], fields[SITE[1]]):
            return None
        fields = {name: value for name, value in fields.items() if value is not None}
        found: Site | None = self.checked(Site, fields, "", ())
        return found

    def checked(self, model: Any, fields: dict[str, Any], prefix: str, own: tuple[str, ...]) -> Any:
        """A model of `fields`; None, and faults by column, where they do not make one."""
        try:
            return model.model_validate(fields)
        except ValidationError as error:
            for each in error.errors():
                place = ".".join(str(part) for part in each["loc"])
                column = place if place.partition(".")[0] in own else f"{prefix}{place}".rstrip(".")
                self.fault(column, f"{each['msg']} (got {each['input']!r:.80})")
        return None


def observation_of(number: int, cells: Cells, folder: Path) -> tuple[Observation | None, list[Fault]]:
    """The observation of a line, or every fault of it.

    Parameters
    ----------
    number : int
        The line's, from 1.
    cells : mapping
        By column; columns are known ones (`fault_of_column`).
    folder : Path
        From which relative paths lead, absolute.
    """
    line = _Line(number, cells, folder)
    station, inputs, site = line.station(), line.inputs(), line.site()
    fields: dict[str, Any] = {"plan": line.plan(), "times": line.times()}
    for column in FILES:
        fields[column] = line.attempt(column, line.path)
    words = {"target" if column == "target_sky" else column: line.word(column) or None for column in SKY}
    for name in ("wcs", "catalogue"):
        words[name] = line.attempt(name, line.path)
    fields["sky"] = line.checked(SkyRequest, words, "", ()) or SkyRequest()
    if words["target"] is not None and fields["plan"].target is not None:
        line.fault("target_sky", "the line has a target as well; give one of them")
    calibration = line.word("calibration").lower() or "yes"
    if calibration not in YES_NO:
        line.fault("calibration", f"{calibration!r:.80}: give yes or no")
    fields |= {"member": line.word("member") or None, "calibration": YES_NO.get(calibration, True)}
    fields |= {"device": line.word("device") or "auto", "inputs": inputs or ("-",)}
    request = line.checked(ReductionRequest, fields, "", ())
    observer, remarks = line.word("observer"), line.word("remarks")
    if line.faults or request is None:
        return None, line.faults
    return Observation(station, number, request, site, observer, remarks), []


def _listed(value: object) -> list[str] | None:
    """Inputs of a cell: a list, its JSON, or texts with semicolons between them; None for anything else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, str):
        value = value.split(";")
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) and text.isprintable() for text in value):
        return None
    return [text.strip() for text in value if text.strip()]


def _object(text: str) -> dict[str, Any]:
    """An object written as JSON. Raises `ValueError`."""
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("is no JSON object")
    return found


def _value(text: str) -> Any:
    """A value written as JSON, else the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def _merge(fields: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Put fields of fields into their places, replacing single values."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(fields.get(name), dict):
            fields[name] = {**fields[name], **value}
        else:
            fields[name] = value
