"""Predictions from files: CSV, JSON, occelmnt XML. Every fault of a file is told at once, by its line."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.campaigns.prediction_views import PredictionBody, instant_of
from reduction.errors import DataError, RequestError
from reduction.geometry.approach import ClosestApproach
from reduction.geometry.occelmnt import decoded, parse_occelmnt
from reduction.geometry.prediction import Prediction as Predicted

MOST_LINES = 10_000
MOST_BYTES = 16 << 20
MOST_CELL = 2000
APPROACH = tuple(ClosestApproach.model_fields)
COLUMNS = (
    *(name for name in PredictionBody.model_fields if name not in {"elements", "approach"}),
    *APPROACH,
)
"""Of a CSV file."""
NEEDED = ("occ_id", "object_name", "at")


@dataclass(frozen=True, slots=True)
class Draft:
    """A prediction of a file, and where it stands: ``line 7``, ``#/6`` of JSON, ``event 3`` of XML."""

    where: str
    body: PredictionBody


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where."""

    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds: predictions, faults, and sentences on what was passed over."""

    drafts: tuple[Draft, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()


def read_csv(data: bytes) -> Contents:
    """Read predictions from CSV in UTF-8: a header row with names of `COLUMNS`, in any order.

    Commas, semicolons or tabs; empty lines and those that begin with # are passed over. Columns of `APPROACH`
    are all filled or all empty, but for those that may be left out.

    Raises
    ------
    RequestError
        It is no such file: no header, columns that are not known, too many lines.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"byte {error.start}: the file is not in UTF-8; save it as CSV UTF-8") from None
    rows = _rows(text)
    first = next(rows, None)
    if first is None:
        raise RequestError(f"the file is empty; a header row is expected, with {', '.join(COLUMNS)}")
    header = _header(first[1])
    drafts: list[Draft] = []
    faults: list[Fault] = []
    for count, (number, cells) in enumerate(rows, 1):
        if count > MOST_LINES:
            raise RequestError(f"more than {MOST_LINES} lines; split the file")
        where = f"line {number}"
        if isinstance(cells, str):
            faults.append(Fault(where, cells))
        elif len(cells) != len(header):
            faults.append(Fault(where, f"{len(cells)} cells, the header has {len(header)}"))
        else:
            _take(where, _of_cells(dict(zip(header, cells, strict=True))), drafts, faults)
    return Contents(tuple(drafts), (*faults, *_twice(drafts)))


def _rows(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """(number of the first line, cells, or what is wrong) of every row; a row may go over several lines."""
    lines = text.splitlines(keepends=True)
    heading = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    delimiter = next((one for one in (";", "\t") if one in heading), ",")
    at = 0
    while at < len(lines):
        start, taken = at, io.StringIO()
        at += 1
        if not lines[start].strip() or lines[start].startswith("#"):
            continue
        taken.write(lines[start])
        # a quoted cell may hold line breaks: until the quotation marks are even
        while taken.getvalue().count('"') % 2 and at < len(lines) and at - start < 10:
            taken.write(lines[at])
            at += 1
        try:
            cells = next(
                csv.reader(io.StringIO(taken.getvalue(), newline=""), delimiter=delimiter, strict=True)
            )
        except csv.Error as error:
            yield start + 1, f"cannot be read: {error}"
            continue
        yield start + 1, [cell.strip() for cell in cells]


def _header(cells: list[str] | str) -> list[str]:
    if isinstance(cells, str):
        raise RequestError(f"the header {cells}")
    names = [cell.lower() for cell in cells]
    unknown = [name[:40] for name in names if name not in COLUMNS]
    if unknown:
        raise RequestError(
            f"the header has unknown columns {', '.join(unknown)[:300]}; known: {', '.join(COLUMNS)}"
        )
    if len(set(names)) != len(names):
        raise RequestError("the header names a column twice")
    lacking = [name for name in NEEDED if name not in names]
    if lacking:
        raise RequestError(f"the header lacks {', '.join(lacking)}")
    return names


def _of_cells(cells: dict[str, str]) -> dict[str, Any]:
    """Fields of a prediction from a row; empty cells are left out."""
    filled = {name: cell for name, cell in cells.items() if cell}
    flat: dict[str, Any] = {name: filled[name] for name in filled if name not in APPROACH}
    approach = {name: filled[name] for name in filled if name in APPROACH}
    return flat | ({"approach": approach} if approach else {})


def read_json(data: bytes) -> Contents:
    """Read predictions from JSON: a list of the bodies of single ones, or {"predictions": [...]}.

    Raises
    ------
    RequestError
        It is no such document.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"no JSON: {str(error)[:200]}") from None
    if isinstance(document, dict) and set(document) == {"predictions"}:
        document = document["predictions"]
    if not isinstance(document, list):
        raise RequestError('a list of predictions is expected, or {"predictions": [...]}')
    if len(document) > MOST_LINES:
        raise RequestError(f"{len(document)} predictions, at most {MOST_LINES} at once; split the file")
    drafts: list[Draft] = []
    faults: list[Fault] = []
    for number, one in enumerate(document):
        _take(f"#/{number}", one, drafts, faults)
    return Contents(tuple(drafts), (*faults, *_twice(drafts)))


def read_xml(data: bytes, strict: bool = True) -> Contents:
    """Read predictions from an occelmnt XML file.

    An event without an identity gets one from its date, body and star.

    Parameters
    ----------
    data : bytes
        The file.
    strict : bool
        An event that cannot be read is a fault; otherwise it is left out, with a note.

    Raises
    ------
    RequestError
        It is no such file.
    """
    try:
        found = parse_occelmnt(decoded(data), "the file")
    except DataError as error:
        raise RequestError(str(error)) from None
    if len(found.predictions) > MOST_LINES:
        raise RequestError(f"{len(found.predictions)} events, at most {MOST_LINES} at once; split the file")
    left_out = [note for note in found.notes if ": left out: " in note]
    faults = [Fault(*note.split(": left out: ", 1)) for note in left_out] if strict else []
    notes = tuple(note for note in found.notes if not strict or note not in left_out)
    drafts: list[Draft] = []
    for number, one in enumerate(found.predictions, 1):
        _take(f"prediction {number} ({one.title[:80]})", _of_event(one), drafts, faults)
    return Contents(tuple(drafts), (*faults, *_twice(drafts)), notes)


def _of_event(one: Predicted) -> dict[str, Any]:
    body, star = one.body, one.star
    day = f"{instant_of(one.elements.epoch_ns):%Y-%m-%dT%H:%M}"
    own = f"{day} {body.number or body.name} {star.name}"
    return {
        "occ_id": (one.event_id or own)[:200],
        "source": (one.elements.source)[:200],
        "object_name": (body.name or body.number)[:200],
        "object_number": (body.number)[:20] if body.name else "",
        "star_name": (star.name)[:200],
        "elements": one,
    }


def _take(where: str, fields: Any, drafts: list[Draft], faults: list[Fault]) -> None:
    try:
        drafts.append(Draft(where, PredictionBody.model_validate(fields)))
    except ValidationError as error:
        faults.extend(Fault(where, _told(one)) for one in error.errors()[:20])
    except RecursionError:
        faults.append(Fault(where, "is nested too deeply"))


def _told(one: Any) -> str:
    place = ".".join(str(part) for part in one["loc"])[:100]
    said = str(one["msg"]).removeprefix("Value error, ")
    seen = one.get("input")
    shown = f" (seen: {seen[:60]!r})" if isinstance(seen, str) and place else ""
    return f"{place}: {said}{shown}" if place else said


def _twice(drafts: Sequence[Draft]) -> Iterator[Fault]:
    """Predictions of a file that share an identity."""
    first: dict[str, str] = {}
    for draft in drafts:
        if draft.body.occ_id in first:
            yield Fault(
                draft.where, f"occ_id {draft.body.occ_id!r} stands already at {first[draft.body.occ_id]}"
            )
        else:
            first[draft.body.occ_id] = draft.where
