"""A campaign's stations from a CSV file."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from reduction.angles import sexagesimal_degrees, signed_longitude
from reduction.errors import DataError, RequestError
from reduction.geometry.codes import observatory
from reduction.sites import Site

MOST_BYTES = 4 << 20
MOST_STATIONS = 10_000
STATUSES = (
    "positive", "negative", "inconclusive", "no data", "overcast", "technical failure", "planned", "unknown",
)  # fmt: skip
PLANNED = "planned"

_COLUMNS = {
    "name": ("name", "station", "site", "observer"),
    "latitude": ("latitude", "lat", "latitude_deg"),
    "longitude": ("longitude", "lon", "long", "longitude_deg"),
    "altitude": ("altitude", "alt", "altitude_m", "elevation", "height"),
    "code": ("code", "mpc", "obscode"),
    "status": ("status", "result"),
}


@dataclass(frozen=True, slots=True)
class Station:
    """A station: its place, what it saw (one of `STATUSES`), and a note on its place."""

    site: Site
    status: str = PLANNED
    note: str = ""


def read_stations(path: Path) -> tuple[Station, ...]:
    """Read stations from a CSV file with a header row.

    Columns by name, in any order: ``name``, ``latitude``, ``longitude`` (decimal degrees or degrees, minutes
    and seconds; north and east positive), ``altitude`` in metres, ``status`` (one of `STATUSES`), or ``code``
    for the place of an observatory. Commas, semicolons or tabs; lines that begin with # are passed over.

    Raises
    ------
    DataError
        The file cannot be read, lacks columns, or a row has no place: the message names the row.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise DataError(f"{path}: more than {MOST_BYTES >> 20} MiB; is this a list of stations?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    lines = [
        (number, line)
        for number, line in enumerate(text.replace("\0", " ").splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise DataError(f"{path}: no stations in it; a header row and one row for each station are expected")
    delimiter = next((one for one in (";", "\t") if one in lines[0][1]), ",")
    columns = _header(path, _cells(path, lines[0][0], lines[0][1], delimiter))
    if len(lines) - 1 > MOST_STATIONS:
        raise DataError(f"{path}: {len(lines) - 1} stations, at most {MOST_STATIONS} are read")
    return tuple(_station(path, n, _cells(path, n, line, delimiter), columns) for n, line in lines[1:])


def site_argument(text: str) -> Station:
    """A station from ``LAT,LON[,ALT]``, or from an observatory code.

    Raises
    ------
    RequestError
        It is neither.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1:
        found = observatory(parts[0])
        return Station(found.site, note=found.note)
    if len(parts) > 3:
        raise RequestError(
            f"--site {text[:60]!r}: LAT,LON[,ALT] in degrees and metres, or an observatory code"
        )
    try:
        return Station(_site("site", parts[0], parts[1], parts[2] if len(parts) == 3 else ""))
    except ValueError as error:
        raise RequestError(f"--site {text[:60]!r}: {error}") from None


def _cells(path: Path, number: int, line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader(io.StringIO(line), delimiter=delimiter), [])]
    except csv.Error as error:
        raise DataError(f"{path}: line {number}: {error}") from None


def _header(path: Path, names: list[str]) -> dict[str, int]:
    lower = [name.lower().strip() for name in names]
    found = {
        key: next(lower.index(name) for name in known if name in lower)
        for key, known in _COLUMNS.items()
        if any(name in lower for name in known)
    }
    if "code" not in found and not {"latitude", "longitude"} <= set(found):
        seen = ", ".join(names)[:80]
        raise DataError(
            f"{path}: columns latitude and longitude (or code) are needed; the header has: {seen}"
        )
    return found


def _station(path: Path, number: int, cells: list[str], columns: dict[str, int]) -> Station:
    def cell(key: str) -> str:
        place = columns.get(key, len(cells))
        return cells[place] if place < len(cells) else ""

    status = cell("status").lower() or PLANNED
    if status not in STATUSES:
        raise DataError(f"{path}: line {number}: status {status[:20]!r}; use one of: {', '.join(STATUSES)}")
    try:
        if cell("latitude") or cell("longitude"):
            return Station(_site(cell("name"), cell("latitude"), cell("longitude"), cell("altitude")), status)
        found = observatory(cell("code"))
    except (ValueError, RequestError) as error:
        raise DataError(f"{path}: line {number}: {error}") from None
    site = found.site.model_copy(update={"name": cell("name") or found.site.name})
    return Station(site, status, found.note)


def _site(name: str, latitude: str, longitude: str, altitude: str) -> Site:
    """A place from words; raises ValueError that says what is wrong."""
    north, east = sexagesimal_degrees(latitude), signed_longitude(sexagesimal_degrees(longitude))
    metres = _metres(altitude)
    try:
        return Site(name=name, latitude_deg=north, longitude_deg=east, altitude_m=metres)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]} {first['input']}: {first['msg']}") from None


def _metres(text: str) -> float:
    if not text:
        return 0.0
    try:
        return float(text.removesuffix("m"))
    except ValueError:
        raise ValueError(f"altitude {text[:20]!r} is no number of metres") from None
