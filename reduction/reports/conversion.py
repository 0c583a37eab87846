"""Filled forms as the source of others: which form a file is, and the observer's word over it."""

from pathlib import Path

from reduction.errors import RequestError
from reduction.record import ObservationRecord
from reduction.record_file import load_raw, make_record, with_degrees
from reduction.record_merge import Merged, merge_raw
from reduction.reports.classic import HEAD

HEAD_BYTES = 400


def form_of(path: Path) -> str | None:
    """Which form of `reduction.reports.form.FORMS` a file is, by its content; None: none of them.

    The two forms that are workbooks look alike: a workbook is taken for the North American one.

    Raises
    ------
    RequestError
        The file cannot be read.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from error
    if head.startswith(b"PK\x03\x04"):
        return "iota-na"
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \r\n")
    if text.startswith("<"):
        return "occult-xml"
    if text.startswith("#IOTA-ES"):
        return "iota-es"
    return "text" if text.startswith(HEAD) else None


def with_observer(record: ObservationRecord, observer: Path) -> Merged:
    """A record with what the observer's file states in place of its own."""
    stated = load_raw(observer)
    make_record(stated, str(observer))
    notes: list[str] = []
    merged = merge_raw(record.document(), with_degrees(stated), notes)
    return Merged(make_record(merged, str(observer)), tuple(notes))
