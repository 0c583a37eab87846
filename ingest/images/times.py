"""Times of pictures: EXIF with an offset from UTC, or names that hold one. Nothing else is taken for UTC.

* EXIF ``DateTimeOriginal`` with ``SubSecTimeOriginal`` is local time; ``OffsetTimeOriginal`` makes it UTC.
* A name may hold an ISO 8601 time with its ``Z``: ``2026-03-01T21-30-05.250Z``, ``20260301_213005_250Z``.
* A name may begin as WinJUPOS asks: ``2026-03-01-2130_4-...`` is UT in tenths of a minute.

None of them says which instant of the exposure it names. Dates of files are never times.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.images.picture import Picture
from ingest.instants import parse_utc
from ingest.stamps import Stamps
from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS

Reading = tuple[int, float]
"""UTC nanoseconds, and half the last digit in seconds."""

_ISO = re.compile(
    r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})[-_T ]{1,2}"
    r"(\d{2})([-_.:h]?)(\d{2})[-_.:m]?(\d{2})(?:[-_.,s](\d{1,9}))?"
    r"(?P<zone>Z|z|_?UTC?)?(?![0-9])"
)
_WINJUPOS = re.compile(r"(\d{4})-(\d{2})-(\d{2})-(\d{2})(\d{2})_(\d)(?!\d)")
_EXIF = re.compile(r"(\d{4}):(\d{2}):(\d{2}) (\d{2}:\d{2}:\d{2})")


def picture_stamps(pictures: Sequence[Picture]) -> Stamps:
    """Stamps of a recording: from the first source that has a time for every picture, else none, and why."""
    exposures = np.array([np.nan if p.exif.exposure_s is None else p.exif.exposure_s for p in pictures])
    one_each = len({picture.path for picture in pictures}) == len(pictures)
    sources: list[tuple[str, Callable[[Picture], Reading | None]]] = [("EXIF DateTimeOriginal", _from_exif)]
    if one_each:
        sources += [("UTC in the file names", _from_iso), ("WinJUPOS time in the file names", _from_winjupos)]
    for source, read in sources:
        readings = [read(picture) for picture in pictures]
        found = [reading for reading in readings if reading is not None]
        if len(found) == len(pictures):
            stamp = np.array([ns for ns, _ in found], np.int64)
            half = np.full(stamp.size, min(digit for _, digit in found))
            return Stamps(stamp, exposures, half, None, source)
    return _none(exposures, pictures)


def _none(exposures: NDArray[np.float64], pictures: Sequence[Picture]) -> Stamps:
    """No times, with what stands there instead."""
    count = exposures.size
    unknown = np.full(count, UNKNOWN_NS, np.int64)
    seen = ""
    if any(picture.exif.taken for picture in pictures):
        seen = "EXIF holds local times without their offset from UTC (or not for every picture)"
    elif any(_ISO.search(picture.path.name) for picture in pictures):
        seen = "file names hold times that do not say that they are UTC (or not in every name)"
    if not seen:
        return Stamps(unknown, exposures, np.full(count, np.nan), None, "pictures")
    text = f"{seen}: they are not taken; give --times FILE.csv, or --start-utc T with --cadence S"
    return Stamps(
        unknown, exposures, np.full(count, np.nan), None, "pictures", notes=(Note(Caveat.TIMES_ABSENT, text),)
    )


def _from_exif(picture: Picture) -> Reading | None:
    match = _EXIF.fullmatch(picture.exif.taken)
    offset = picture.exif.offset
    if match is None or not re.fullmatch(r"[+-]\d{2}:\d{2}|Z", offset):
        return None
    fraction = picture.exif.fraction if picture.exif.fraction.isdecimal() else ""
    tail = f".{fraction}" if fraction else ""
    return _parsed(f"{match[1]}-{match[2]}-{match[3]}T{match[4]}{tail}{offset}")


def _from_iso(picture: Picture) -> Reading | None:
    matches = [match for match in _ISO.finditer(picture.path.name) if match["zone"]]
    if len(matches) != 1:
        return None
    year, _, month, day, hour, _, minute, second, fraction = matches[0].groups()[:9]
    tail = f".{fraction}" if fraction else ""
    return _parsed(f"{year}-{month}-{day}T{hour}:{minute}:{second}{tail}Z")


def _from_winjupos(picture: Picture) -> Reading | None:
    match = _WINJUPOS.match(picture.path.name)
    if match is None:
        return None
    year, month, day, hour, minute, tenth = match.groups()
    reading = _parsed(f"{year}-{month}-{day}T{hour}:{minute}:{6 * int(tenth):02d}Z")
    return None if reading is None else (reading[0], 3.0)


def _parsed(text: str) -> Reading | None:
    parsed = parse_utc(text)
    return None if parsed is None else (parsed[0], 0.5 * 10.0 ** -parsed[1])
