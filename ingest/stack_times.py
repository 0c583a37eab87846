"""Versioned times beside the pixels of a Zarr stack: ``times/<digest>``, and which of them is current."""

import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from ingest.zarr_groups import create_group, open_group
from reduction.caveats import Caveat, Note
from reduction.errors import DataError, ResourceError
from reduction.timing import UNKNOWN_NS, Correction, FirstField, Instant, RowTimes, TimeSolution

# What zarr and its codecs raise on files that are missing, cut short or overwritten.
UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError)


def put_times(path: Path, times: TimeSolution) -> None:
    """Put a time solution beside the pixels and make it the current one; pixels are not touched.

    Raises
    ------
    ResourceError
        The folder cannot be written.
    """
    target = path / "times" / times.digest
    beside = path / "times" / f".{uuid.uuid4().hex}.partial"
    try:
        if target.exists():
            open_group(target, "r+").update_attributes(_times_json(times))
        else:
            _write_times(beside, times)
            beside.rename(target)
        open_group(path / "times", "r+").update_attributes({"current": times.digest})
    except OSError as error:
        raise ResourceError(f"{path}: cannot write the times: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def use_times(path: Path, digest: str) -> None:
    """Make a version that stands beside the pixels the current one.

    Raises
    ------
    DataError
        It is missing or damaged.
    ResourceError
        The folder cannot be written.
    """
    read_times(path, digest)
    try:
        open_group(path / "times", "r+").update_attributes({"current": digest})
    except OSError as error:
        raise ResourceError(f"{path}: cannot write the times: {error.strerror or error}") from error


def time_digests(path: Path) -> tuple[str, ...]:
    """Digests of every time solution beside the pixels, sorted."""
    return tuple(sorted(p.name for p in (path / "times").iterdir() if p.is_dir() and p.name[0] != "."))


def read_times(path: Path, digest: str | None = None) -> TimeSolution:
    """Read a time solution of a stack: the current one, or that of `digest`.

    Raises
    ------
    DataError
        It is missing or damaged.
    """
    try:
        name = digest or str(open_group(path / "times").attrs["current"])
        group = open_group(path / "times" / name)
        head = cast(Mapping[str, Any], group.attrs.asdict())
        times = TimeSolution(
            mid_ns=np.asarray(group["mid_ns"][:], np.int64),  # type: ignore[index]  # arrays by construction
            sigma_s=np.asarray(group["sigma_s"][:], np.float64),  # type: ignore[index]  # arrays by construction
            exposure_s=np.asarray(group["exposure_s"][:], np.float64),  # type: ignore[index]  # as above
            meaning=cast(Instant | None, head["meaning"]),
            source=str(head["source"]),
            ledger=tuple(Correction(**entry) for entry in head["ledger"]),
            notes=notes_from_json(head["notes"]),
            rows=None if head.get("rows") is None else RowTimes(**head["rows"]),
            fields=cast(FirstField | None, head.get("fields")),
        )
    except UNREADABLE as error:
        raise DataError(f"{path}: its times cannot be read ({error}); ingest the recording again") from error
    if times.digest != name:
        raise DataError(f"{path}: times {name[:12]} are damaged (digest {times.digest[:12]}); ingest again")
    return times


def _write_times(path: Path, times: TimeSolution) -> None:
    group = create_group(path)
    for name, fill in (("mid_ns", UNKNOWN_NS), ("sigma_s", np.nan), ("exposure_s", np.nan)):
        values = getattr(times, name)
        array = group.create_array(
            name, shape=values.shape, dtype=values.dtype, chunks=(max(1, values.size),), fill_value=fill
        )
        array[:] = values
    group.update_attributes(_times_json(times))


def _times_json(times: TimeSolution) -> dict[str, Any]:
    ledger = [{name: getattr(c, name) for name in Correction.__slots__} for c in times.ledger]
    notes = notes_json(times.notes)
    rows = None if times.rows is None else asdict(times.rows)
    return {
        "meaning": times.meaning,
        "source": times.source,
        "ledger": ledger,
        "notes": notes,
        "rows": rows,
        "fields": times.fields,
    }


def notes_json(notes: Iterable[Note]) -> list[list[str]]:
    """Notes as pairs of caveat and message."""
    return [[note.caveat.value, note.message] for note in notes]


def notes_from_json(pairs: Iterable[Iterable[str]]) -> tuple[Note, ...]:
    """Undo `notes_json`."""
    return tuple(Note(Caveat(kind), message) for kind, message in pairs)
