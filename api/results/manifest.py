"""The manifest of a batch: JSON lines, or a table with a header; a line is a reduction."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import ValidationError

from api.results.requests import SIDE_FILES, ReductionAsk, SkyAsk
from cluster.campaign.manifest import table_rows
from cluster.campaign.observation import STARS, Fault
from cluster.requests import Times, positions
from reduction.errors import RequestError
from reduction.plan import ReductionPlan, Settings

MOST_LINES = 10_000
MOST_FAULTS = 20_000
GROUPS: dict[str, type[Settings]] = {"plan": ReductionPlan, "times": Times, "sky": SkyAsk}
COLUMNS = ("file", "member", *STARS, *SIDE_FILES, "calibration", "device", *GROUPS)
"""Columns besides ``plan.FIELD``, ``times.FIELD`` and ``sky.FIELD``."""

LONGEST_REASON = 300


class Line(Settings):
    """A line that can be read."""

    number: int
    ask: ReductionAsk


def read_lines(text: str, form: Literal["csv", "jsonl"]) -> tuple[list[Line], list[Fault]]:
    """Read a manifest: what can be asked for, and everything that is wrong with the rest.

    Raises
    ------
    RequestError
        It has no line, too many, or the header of the table is wrong.
    """
    faults: list[Fault] = []
    lines: list[Line] = []
    rows = _objects(text, faults) if form == "jsonl" else _table(text, faults)
    for count, (number, cells) in enumerate(rows, 1):
        if count > MOST_LINES:
            raise RequestError(f"more than {MOST_LINES} lines; send several batches")
        line = _line(number, cells, faults)
        if line is not None:
            lines.append(line)
    if not lines and not faults:
        raise RequestError("no line in it; a line names a file: {'file': ID}")
    return lines, faults[:MOST_FAULTS]


def _line(number: int, cells: Mapping[str, Any], faults: list[Fault]) -> Line | None:
    try:
        return Line(number=number, ask=ReductionAsk.model_validate(_nested(cells)))
    except ValidationError as error:
        for each in error.errors(include_url=False):
            column = ".".join(map(str, each["loc"]))
            faults.append(Fault(number, column, f"{each['msg']}"[:LONGEST_REASON]))
    except RequestError as error:
        faults.append(Fault(number, "", str(error)[:LONGEST_REASON]))
    return None


def _nested(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Cells by column as fields of fields; raises `RequestError` where two exclude each other."""
    fields: dict[str, Any] = {}
    for column, given in cells.items():
        value = given
        if column in STARS:
            value = _stars(column, value)
            if value is None:
                continue
            column = f"plan.{column}"  # noqa: PLW2901 - its place in the request
        elif isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            value = _json(column, value)
        *outer, last = column.split(".")
        place = fields
        for name in outer:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise RequestError(f"{column}: stands beside {name}; give one of them")
        if isinstance(place.get(last), dict) and isinstance(value, dict):
            place[last] = value | place[last]
        else:
            place[last] = value
    return fields


def _stars(column: str, value: Any) -> Any:
    """Positions of ``X,Y;X,Y``; of JSON as they are; None for auto."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "auto":
        return None
    listed = positions([part for part in value.split(";") if part.strip()], column)
    if column != "target":
        return listed
    if len(listed) != 1:
        raise RequestError(f"target {value!r:.80}: give one place, X,Y, or auto")
    return listed[0]


def _json(column: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{column}: no JSON: {error}") from error


def _objects(text: str, faults: list[Fault]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.append(Fault(number, "", f"no JSON: {error}; one object on each line"[:LONGEST_REASON]))
            continue
        if not isinstance(content, dict):
            faults.append(Fault(number, "", f"a JSON {type(content).__name__}; one object on each line"))
            continue
        unknown = [Fault(number, name[:80], why) for name in content if (why := _fault_of_column(name))]
        faults += unknown
        if not unknown:
            yield number, content


def _table(text: str, faults: list[Fault]) -> Iterator[tuple[int, dict[str, Any]]]:
    header: list[str] | None = None
    for number, cells in table_rows(text, faults):
        if header is None:
            header = [cell.strip() for cell in cells]
            _check_header(header)
            continue
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            reason = f"{len(cells)} cells, the header has {len(header)}; put cells with commas into quotes"
            faults.append(Fault(number, "", reason))
            continue
        row = zip(header, cells, strict=False)
        yield number, {name: cell.strip() for name, cell in row if name and cell.strip()}


def _check_header(header: list[str]) -> None:
    wrong = [f"{name!r:.80}: {why}" for name in header if name and (why := _fault_of_column(name))]
    wrong += [
        f"{name!r:.80} stands twice" for name in sorted({n for n in header if n and header.count(n) > 1})
    ]
    if "file" not in header:
        wrong.append("no column 'file'")
    if wrong:
        raise RequestError("the header is not a manifest's: " + "; ".join(wrong)[:2000])


def _fault_of_column(name: str) -> str | None:
    """Why no manifest has a column of that name; None where it is one."""
    group, dot, rest = name.partition(".")
    if name in COLUMNS or (dot and group in GROUPS and rest.partition(".")[0] in GROUPS[group].model_fields):
        return None
    known = [*COLUMNS, *(f"{group}.{field}" for group in GROUPS for field in GROUPS[group].model_fields)]
    near = get_close_matches(name, known, 1)
    hint = f"is {near[0]} meant?" if near else f"there are {', '.join(COLUMNS)}, plan.FIELD, times.FIELD"
    return f"no column of a manifest; {hint}"
