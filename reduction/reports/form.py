"""What a report form is: its files from a record, and what it wants to be told."""

import importlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from reduction.errors import RequestError
from reduction.record import ObservationRecord, Timing
from reduction.record_file import not_stated


@dataclass(frozen=True, slots=True)
class Filled:
    """One file of a filled form, and what is to be said of it."""

    name: str
    content: bytes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadForm:
    """A form that was read: the record, and one line for each thing in it that could not be used."""

    record: ObservationRecord
    notes: tuple[str, ...] = ()


Fill = Callable[[ObservationRecord, Path | None], list[Filled]]
Read = Callable[[Path], ReadForm]


@dataclass(frozen=True, slots=True)
class Form:
    """A report form.

    Attributes
    ----------
    title : str
        Its name and version.
    module : str
        Of this package, with ``fill(record, template)``, ``WANTED`` and, where the form can be read
        again, ``read(path)``.
    template : bool
        It can be filled into the observer's own copy.
    readable : bool
        A filled one can be read again.
    """

    title: str
    module: str
    template: bool = False
    readable: bool = True

    def fill(self, record: ObservationRecord, template: Path | None = None) -> list[Filled]:
        """Files of the form.

        Raises
        ------
        RequestError
            The form cannot hold such an observation, or the template is not the form.
        """
        if template is not None and not self.template:
            raise RequestError(f"{template}: --template: {self.title} is text of its own; it fills no copy")
        return cast(Fill, self._attribute("fill"))(record, template)

    def missing(self, record: ObservationRecord) -> list[str]:
        """What the form wants and the record does not state, in words."""
        return not_stated(record, cast("Mapping[str, str]", self._attribute("WANTED")))

    def read(self, path: Path) -> ReadForm:
        """Read a filled form again; see the module's ``read``.

        Raises
        ------
        RequestError
            It is for people alone.
        """
        if not self.readable:
            raise RequestError(f"{path}: the {self.title} is for people; give the record.json beside it")
        return cast(Read, self._attribute("read"))(path)

    def _attribute(self, name: str) -> object:
        return getattr(importlib.import_module(f"reduction.reports.{self.module}"), name)


FORMS: Mapping[str, Form] = {
    "iota-na": Form("IOTA North America form 5.6.12r (xlsx)", "iota_na", template=True),
    "tt": Form("Trans-Tasman / RASNZ form 4.1.2.G (xlsx)", "trans_tasman", template=True),
    "iota-es": Form("IOTA-ES form 2.03, for SODIS (text)", "iota_es"),
    "occult-xml": Form("Occult observation file 2.15 (XML)", "occult_xml"),
    "text": Form("classic report form (text)", "classic"),
    "page": Form("report to read and print (HTML)", "page", readable=False),
}

WANTED_BY_ALL = {
    "event_date": "date of the event",
    "asteroid.name": "asteroid's name",
    "star.designation": "star",
    "observers.name": "observer",
    "site.latitude_deg": "latitude and longitude",
    "site.altitude_m": "altitude",
    "telescope.type": "type of telescope",
    "telescope.aperture_cm": "aperture",
    "recording.method": "observing method",
    "recording.time_source": "time source",
    "recording.started": "start of observation",
    "recording.stopped": "end of observation",
    "conditions.transparency": "transparency",
    "conditions.stability": "stability",
}
"""What every form wants: dotted path in a record, and a person's words."""


def require_status(record: ObservationRecord, form: str, held: tuple[str, ...]) -> None:
    """Refuse an observation whose status a form has no place for.

    Raises
    ------
    RequestError
        It is none of `held`, or positive without a timing.
    """
    if record.status not in held:
        raise RequestError(
            f"{form}: holds observations that are {' or '.join(held)}; this one is {record.status!r}: "
            "state another status, or use --form text"
        )
    if record.status == "positive" and not record.timings:
        raise RequestError(f"{form}: the observation is positive, yet there is no D or R; state its timings")


def per_event(record: ObservationRecord) -> list[tuple[Timing | None, str]]:
    """Each event of a record with what its file's name ends in: forms that hold one D and R need several."""
    if not record.timings:
        return [(None, "")]
    several = len(record.timings) > 1
    return [(timing, f"_event{k}" if several else "") for k, timing in enumerate(record.timings, 1)]


def plain(text: str, fallback: str = "unknown") -> str:
    """Text for a file's name: ASCII letters, digits, dots and hyphens; accents dropped, blanks to hyphens."""
    ascii_only = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9.-]+", "-", ascii_only).strip("-.")[:60] or fallback


def file_stem(record: ObservationRecord) -> str:
    """``YYYYMMDD_num_name_Last``: how IOTA names reports; `num` is 0 for a body without a number."""
    day = record.event_date
    names = record.observers[0].name.split() if record.observers else []
    parts = (
        f"{day:%Y%m%d}" if day is not None else "undated",
        plain(record.asteroid.number, "0"),
        plain(record.asteroid.name),
        plain(names[-1] if names else "", "observer"),
    )
    return "_".join(parts)
