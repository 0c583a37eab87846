"""Reading forms that people filled: what holds is kept, what does not is told, nothing is guessed."""

import re
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reduction.errors import DataError, RequestError
from reduction.record import ObservationRecord
from reduction.reports.form import ReadForm

MOST_BYTES = 8 << 20
"""Length of a file beyond which it is no report form."""

NORMAL_95 = 1.959964
"""Sigmas to either side of a normal distribution's middle that hold 95 percent of it."""

_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: k for k, name in enumerate(_ENGLISH, 1)} | {
    "mär": 3, "mrz": 3, "mae": 3, "mai": 5, "okt": 10, "dez": 12, "avr": 4, "fév": 2, "fev": 2,
    "aoû": 8, "déc": 12, "ene": 1, "abr": 4, "ago": 8, "dic": 12, "gen": 1, "mag": 5, "giu": 6,
    "lug": 7, "set": 9, "ott": 10, "paź": 10,
}  # fmt: skip
_STAR = re.compile(
    r"(Gaia\s*-?\s*E?DR\d|UCAC\d|TYC|Tycho-?2|HIP|USNO-?B1(?:\.0)?|NOMAD|URAT1|PPM|HD|SAO|GSC|2MASS|G-coords)"
    r"[\s:]+(\S.*)",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d{1,2})?", re.ASCII)
_GENERATED = re.compile(r"\s*\[Umbra: ([^\]]*)\]\s*$")


def content_of(path: Path) -> bytes:
    """Bytes of a form.

    Raises
    ------
    RequestError
        It cannot be read.
    DataError
        It is too long for a form.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes are no report form")
        return path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: the form cannot be read: {error.strerror or error}") from error


def text_of(content: bytes, notes: list[str]) -> str:
    """Text of a form: UTF-8, else Windows' western letters, which is noted."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        notes.append("the text is not UTF-8; its letters were taken for Windows-1252")
        return content.decode("cp1252", errors="replace")


def number(text: str) -> float | None:
    """First number of a text, a comma for a point allowed; None where there is none."""
    found = _NUMBER.search(text)
    return float(found[0].replace(",", ".")) if found is not None else None


def centimetres(text: str) -> float | None:
    """A length in centimetres, or in what unit the text names."""
    value = number(text)
    if value is None:
        return None
    lower = text.lower()
    if re.search(r"inch|\bin\b|\"|″", lower):
        return value * 2.54
    if "mm" in lower:
        return value / 10
    return value * 100 if re.search(r"\d\s*m\b", lower) else value


def star_of(text: str) -> dict[str, str]:
    """Catalogue and designation of a star's name; a name of one word is a designation alone."""
    clean = " ".join(text.split())
    known = _STAR.fullmatch(clean)
    if known is not None:
        return {"catalogue": known[1], "designation": known[2]}
    before, _, last = clean.rpartition(" ")
    return {"catalogue": before, "designation": last}


def date_of(text: str) -> date | None:
    """Date of ``25 August 2022``, ``25 Aug; 2022``, ``2022-08-25``, ``25.08.2022``; None where it is none."""
    lower = text.lower()
    named = re.search(r"(\d{1,2})\.?\s*[-;,/]?\s*([^\W\d_]{3,12})\.?\s*[;,/-]?\s*(\d{4})", lower)
    iso = re.search(r"(\d{4})[-/ .](\d{1,2})[-/ .](\d{1,2})", lower)
    dotted = re.search(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})", lower)
    try:
        if named is not None:
            return date(int(named[3]), _month(named[2]), int(named[1]))
        if iso is not None:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if dotted is not None:
            return date(int(dotted[3]), int(dotted[2]), int(dotted[1]))
    except ValueError:
        return None
    return None


def _month(name: str) -> int:
    if name.startswith("juin"):
        return 6
    if name.startswith("juil"):
        return 7
    return _MONTHS.get(name[:3], 0)


def without_generated(comments: str) -> tuple[str, str]:
    """A form's comments apart from what Umbra had added to them, and that."""
    found = _GENERATED.search(comments)
    return (comments, "") if found is None else (comments[: found.start()], found[1])


def sigma_of(accuracy: str, generated: str, notes: list[str]) -> float | None:
    """One sigma of a form's accuracy; where it does not say its level it is taken as that, and noted."""
    value = number(accuracy)
    if value is None:
        return None
    if "95 percent" in generated:
        return abs(value) / NORMAL_95
    if "one sigma" not in generated:
        note = "the form does not say at which level its accuracies hold; they were taken as one sigma"
        if note not in notes:
            notes.append(note)
    return abs(value)


def tolerant_record(raw: dict[str, Any], path: Path, notes: list[str]) -> ReadForm:
    """The record of what was read; fields whose values cannot be are left out and noted.

    Raises
    ------
    DataError
        Nothing holds together.
    """
    for _ in range(8):
        try:
            return ReadForm(ObservationRecord.model_validate(raw), tuple(notes))
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                name = ".".join(map(str, fault["loc"]))
                if not _dropped(raw, list(fault["loc"])):
                    raise DataError(f"{path}: {name or 'record'}: {fault['msg']}") from error
                notes.append(f"{name} left out: {fault['msg']} (read {str(fault['input'])[:60]!r})")
    raise DataError(f"{path}: its fields do not fit together: {'; '.join(notes[-3:])}")


def _dropped(raw: Any, place: list[int | str]) -> bool:
    """Take out what stands at a place of nested values, or else the nearest thing around it."""
    trail: list[tuple[Any, int | str]] = []
    here = raw
    for step in place:
        try:
            following = here[step]
        except (KeyError, IndexError, TypeError):
            break
        trail.append((here, step))
        here = following
    if not trail:
        return False
    if len(trail) < len(place) and len(trail) == len(place) - 1 and trail[-1][0] is raw:
        trail = trail[-1:]
    inside, step = trail[-1]
    if isinstance(inside, tuple):
        return False
    del inside[step]
    return True
