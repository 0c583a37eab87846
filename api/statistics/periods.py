"""Spans of whole years or months, which statistics are asked of."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from reduction.errors import RequestError

PATTERN = r"^(1[89]|2[01])\d\d(-(0[1-9]|1[0-2]))?$"
"""A year, or a month of one."""


@dataclass(frozen=True, slots=True)
class Period:
    """A span of whole years or months, UTC.

    Attributes
    ----------
    start, end : str
        First and last, ``2021`` or ``2021-08``, both included; empty: without limit.
    """

    start: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        for name, text in (("start", self.start), ("end", self.end)):
            if text and not re.fullmatch(PATTERN, text):
                raise RequestError(f"{name}: {text[:20]!r} is neither a year (2021) nor a month (2021-08)")
        if self.first is not None and self.after is not None and self.first >= self.after:
            raise RequestError(f"start, end: {self.start} is after {self.end}")

    @property
    def first(self) -> datetime | None:
        """Its first instant."""
        return _begin(self.start) if self.start else None

    @property
    def after(self) -> datetime | None:
        """The first instant that is not of it."""
        if not self.end:
            return None
        begin = _begin(self.end)
        if len(self.end) == 4 or begin.month == 12:
            return datetime(begin.year + 1, 1, 1, tzinfo=UTC)
        return begin.replace(month=begin.month + 1)

    @property
    def by_years(self) -> bool:
        """Whether it begins and ends with whole years."""
        return len(self.start) in {0, 4} and len(self.end) in {0, 4}

    def holds(self, instant: datetime) -> bool:
        """Whether an instant is of it."""
        return (self.first is None or instant >= self.first) and (self.after is None or instant < self.after)

    @property
    def words(self) -> str:
        """For people: ``2020-08 to 2022-05``."""
        if self.start == self.end:
            return self.start or "all years"
        if not self.start:
            return f"until {self.end}"
        return f"{self.start} to {self.end}" if self.end else f"from {self.start}"


def _begin(text: str) -> datetime:
    year, _, month = text.partition("-")
    return datetime(int(year), int(month or 1), 1, tzinfo=UTC)
