"""What a person says about a burnt-in time: ``--vti`` and ``--vti-date``."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, get_args

from ingest.instants import SECOND_NS
from ingest.ocr.layouts import MODELS, Model
from reduction.errors import RequestError

Reader = Literal["builtin", "easyocr"]
READERS: tuple[Reader, ...] = get_args(Reader)
"""What runs the recogniser: its own forward pass, or EasyOCR with the same network."""


@dataclass(frozen=True, slots=True)
class Vti:
    """What is to be read: the inserter (None: told by its line), the UTC date of frame 0, and by what."""

    model: Model | None
    date: date
    reader: Reader = "builtin"

    @property
    def midnight_ns(self) -> int:
        """The beginning of that day, UTC nanoseconds."""
        day = datetime(self.date.year, self.date.month, self.date.day, tzinfo=UTC)
        return int(day.timestamp()) * SECOND_NS


def vti_options(word: str | None, day: str | None, reader: str | None = None) -> Vti | None:
    """The options, checked; None where no burnt-in time is to be read.

    Parameters
    ----------
    word : str or None
        ``auto``, ``off``, or a model of `ingest.ocr.layouts.MODELS`; a date alone means ``auto``.
    day : str or None
        ISO-8601 date.
    reader : str or None
        ``builtin`` or ``easyocr``.

    Raises
    ------
    RequestError
        An unknown word, no date (the lines hold none, and it is never guessed), or none that exists.
    """
    if word not in {None, "auto", "off", *MODELS}:
        raise RequestError(f"--vti {word}: give auto, off, {', '.join(MODELS)}")
    if reader is not None and (reader not in READERS or (word is None and day is None)):
        raise RequestError(f"--vti-reader {reader}: give {' or '.join(READERS)}, beside --vti-date")
    if word == "off" or (word is None and day is None):
        return None
    if day is None:
        raise RequestError(
            f"--vti {word}: a burnt-in time has no date: give --vti-date, the UTC date of the first frame"
        )
    try:
        parsed = date.fromisoformat(day)
    except ValueError:
        raise RequestError(f"--vti-date {day}: not a date such as 2026-01-31") from None
    chosen: Reader = "easyocr" if reader == "easyocr" else "builtin"
    return Vti(next((model for model in MODELS if model == word), None), parsed, chosen)
