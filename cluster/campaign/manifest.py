"""The manifest of a campaign: CSV or JSON lines, a line per observation."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.campaign.observation import COLUMNS, Cells, Fault, Observation, fault_of_column, observation_of
from ingest.durable import put
from reduction.errors import RequestError, ResourceError

MOST_BYTES = 256 << 20
MOST_LINES = 200_000
MOST_CELL = 1 << 20
LINES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read: what can be run, and everything that is wrong with the rest."""

    path: Path
    observations: tuple[Observation, ...]
    faults: tuple[Fault, ...]

    @property
    def faulty_lines(self) -> int:
        """How many lines cannot be run."""
        return len({fault.line for fault in self.faults})


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; JSON lines where its name or its first character says so, else CSV.

    Lines that are wrong are told, all of them at once; the others can be run. Empty lines and those that
    begin with ``#`` are passed over.

    Raises
    ------
    RequestError
        The file cannot be read, is no text, is too large, or its header is not that of a manifest.
    """
    text = _text(path)
    folder = path.absolute().parent
    as_lines = path.suffix.lower() in LINES or text.lstrip().startswith("{")
    faults: list[Fault] = []
    found: list[Observation] = []
    first: dict[str, int] = {}
    for number, cells in _json_lines(text, faults) if as_lines else _csv_lines(path, text, faults):
        observation, wrong = observation_of(number, cells, folder)
        faults += wrong
        name = str(cells.get("station", "")).strip()
        if name and first.setdefault(name.casefold(), number) != number:
            there = first[name.casefold()]
            faults.append(Fault(number, "station", f"{name!r:.80} stands on line {there} already"))
        elif observation is not None:
            found.append(observation)
    if not found and not faults:
        raise RequestError(f"{path}: no observation in it; umbra campaign init DIR writes a manifest")
    faults.sort(key=lambda fault: fault.line)
    return Manifest(path, tuple(found), tuple(faults))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise RequestError(
            f"{path}: cannot read the manifest: {getattr(error, 'strerror', error)}"
        ) from error
    if len(data) > MOST_BYTES:
        raise RequestError(f"{path}: more than {MOST_BYTES >> 20} MiB; split the campaign")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: no UTF-8 text (byte {error.start}); save it as UTF-8") from error
    if text.count("\n") > MOST_LINES:
        raise RequestError(f"{path}: more than {MOST_LINES} lines; split the campaign")
    return text


def _csv_lines(path: Path, text: str, faults: list[Fault]) -> Iterator[tuple[int, Cells]]:
    """Lines of a table: number and cells by column."""
    header: list[str] | None = None
    for number, cells in table_rows(text, faults):
        if header is None:
            header = [cell.strip() for cell in cells]
            _check_header(path, number, header)
            continue
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            reason = f"{len(cells)} cells, the header has {len(header)}; put cells with commas into quotes"
            faults.append(Fault(number, "", reason))
            continue
        yield number, {name: cell for name, cell in zip(header, cells, strict=False) if name and cell.strip()}


def table_rows(text: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, with the numbers of their first lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(text))
    before = csv.field_size_limit(MOST_CELL)
    try:
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                faults.append(Fault(number, "", f"{error}; nothing below it was read"))
                return
            if cells is None:
                return
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                yield number, cells
    finally:
        csv.field_size_limit(before)


def _delimiter(text: str) -> str:
    """A comma; a tab or semicolon where the header has no comma but that."""
    header = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return next((sign for sign in (",", "\t", ";") if sign in header), ",")


def _check_header(path: Path, number: int, header: Sequence[str]) -> None:
    """Refuse a table that is no manifest: all that is wrong with its header at once."""
    wrong = [f"{name!r}: {reason}" for name in header if name and (reason := fault_of_column(name))]
    wrong += [f"{name!r} stands twice" for name in sorted({n for n in header if n and header.count(n) > 1})]
    wrong += [f"no column {name!r}" for name in ("station", "input") if name not in header]
    if wrong:
        raise RequestError(f"{path}: line {number}: the header is not a manifest's: " + "; ".join(wrong))


def _json_lines(text: str, faults: list[Fault]) -> Iterator[tuple[int, Cells]]:
    """Objects, a line each: number and cells."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.append(Fault(number, "", f"no JSON: {error}; one object on each line"))
            continue
        if not isinstance(content, dict):
            faults.append(Fault(number, "", f"a JSON {type(content).__name__}; one object on each line"))
            continue
        unknown = [Fault(number, name, reason) for name in content if (reason := fault_of_column(name))]
        faults += unknown
        if not unknown:
            yield number, {name: value for name, value in content.items() if value not in (None, "")}


def manifest_text(rows: Sequence[Mapping[str, Any]], as_lines: bool) -> str:
    """A manifest of rows by column: JSON lines, or a table of the columns that any row has."""
    if as_lines:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    out = io.StringIO(newline="")
    order = {name: number for number, name in enumerate(COLUMNS)}
    used = dict.fromkeys(name for row in rows for name in row)
    columns = sorted(used, key=lambda name: order.get(name.partition(".")[0], len(order)))
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_manifest(path: Path, rows: Sequence[Mapping[str, Any]], overwrite: bool) -> None:
    """Write a manifest, beside its place and then into it; its suffix says how.

    Raises
    ------
    RequestError
        It exists and `overwrite` is not set.
    ResourceError
        It cannot be written.
    """
    if path.exists() and not overwrite:
        raise RequestError(f"{path}: exists; add --overwrite, or name another file by --out")
    try:
        put(path, [manifest_text(rows, path.suffix.lower() in LINES).encode()])
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written: {error.strerror or error}") from error
