"""The observation record as a file, TOML by a person or JSON, and what it leaves open."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from reduction.angles import sexagesimal_degrees
from reduction.errors import DataError, RequestError
from reduction.record import ObservationRecord
from reduction.sites import Site

MOST_BYTES = 4 << 20
"""Length of a record file beyond which it is none."""


def not_stated(record: ObservationRecord, wanted: Mapping[str, str]) -> list[str]:
    """Of the fields that a form wants (dotted path to a person's words), those that the record lacks."""
    return [words for path, words in wanted.items() if _value(record, path.split(".")) in (None, "", ())]


def _value(record: object, path: list[str]) -> object:
    for name in path:
        if isinstance(record, tuple):
            record = record[0] if record else None
        if record is None or (isinstance(record, Site) and name not in record.model_fields_set):
            return None
        record = getattr(record, name)
    return record


def load_raw(path: Path) -> dict[str, Any]:
    """Content of a record file, TOML or (by its name) JSON, before it is checked.

    Raises
    ------
    RequestError
        It cannot be read.
    DataError
        It is no TOML or JSON table.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes are no observation record")
        text = path.read_text(encoding="utf-8-sig")
        raw = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise RequestError(f"{path}: the record cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: the record is not TOML (or, as .json, JSON) in UTF-8: {error}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path}: the record is not a table of fields")
    return raw


def load_record(path: Path) -> ObservationRecord:
    """Read a record that a person or `umbra report` wrote; raises as `load_raw` and `make_record`."""
    return make_record(load_raw(path), str(path))


def make_record(raw: Mapping[str, Any], where: str) -> ObservationRecord:
    """Check a record; latitude and longitude of its site may be text in degrees, minutes and seconds.

    Raises
    ------
    DataError
        A field is unknown, or its value impossible; `where` begins the message.
    """
    try:
        return ObservationRecord.model_validate(with_degrees(raw))
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']) or 'record'}: {e['msg']} (got {str(e['input'])[:80]!r})"
            for e in error.errors(include_url=False)[:8]
        )
        raise DataError(f"{where}: {lines}") from error
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error


def with_degrees(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A raw record with ``latitude``, ``longitude``, ``ra``, ``dec`` in words turned into degrees.

    Raises
    ------
    ValueError
        One of them is no angle.
    """
    content = dict(raw)
    for table, names in (
        ("site", {"latitude": "latitude_deg", "longitude": "longitude_deg"}),
        ("star", {"ra": "ra_deg", "dec": "dec_deg"}),
    ):
        values = content.get(table)
        if not isinstance(values, dict):
            continue
        values = dict(values)
        for name in names.keys() & values.keys():
            degrees = sexagesimal_degrees(str(values.pop(name)))
            values[names[name]] = degrees * 15 if name == "ra" else degrees
        content[table] = values
    if content.get("site") == {}:
        del content["site"]
    return content


def field_paths(model: type[BaseModel] = ObservationRecord, prefix: str = "") -> Iterator[str]:
    """Dotted names of every field of a record, lists entered without a number."""
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None:
            yield prefix + name
        else:
            yield from field_paths(inner, f"{prefix}{name}.")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)
