"""The country of a place, offline: borders of world-atlas (Natural Earth, 1:50 million), where npm put it.

Without it, or at sea, the country that an observer states, if it is one of the ISO 3166 table that comes with
the time zones. Nothing that observers type is shown as it is.
"""

import functools
import json
import unicodedata
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

Floats = NDArray[np.float64]

UNKNOWN = "unknown"
ATLAS = Path(str(files("api.web"))) / "islands" / "node_modules" / "world-atlas"
"""Where npm puts it."""
MOST = 1 << 17
"""Places that are kept."""
NEAR_DEG = 0.25
"""A place outside of all borders is of the country whose border is nearer than this: coasts are coarse."""
SYNONYMS = MappingProxyType(
    {
        "turkiye": "turkey", "usa": "united states", "u.s.a.": "united states",
        "united states of america": "united states", "uk": "britain (uk)", "united kingdom": "britain (uk)",
        "great britain": "britain (uk)", "england": "britain (uk)", "scotland": "britain (uk)",
        "czechia": "czech republic", "the netherlands": "netherlands", "brasil": "brazil",
        "deutschland": "germany", "espana": "spain", "italia": "italy", "polska": "poland",
        "osterreich": "austria", "schweiz": "switzerland", "suisse": "switzerland",
        "south korea": "korea (south)", "russian federation": "russia",
    }
)  # fmt: skip
"""Other words for names of the ISO table."""


@dataclass(frozen=True, slots=True, eq=False)
class Country:
    """A country's borders.

    Attributes
    ----------
    rings : tuple of array, (n, 2)
        Closed; longitude, without jumps and so perhaps beyond 180, and latitude, degrees. What an odd number
        of rings goes round is inside.
    box : tuple
        West, south, east, north.
    """

    name: str
    rings: tuple[Floats, ...]
    box: tuple[float, float, float, float]

    def holds(self, places: Floats) -> NDArray[np.bool_]:
        """Which places, (n, 2), longitude and latitude, are inside."""
        inside = np.zeros(len(places), bool)
        for turn in (0.0, 360.0, -360.0):
            moved = places + np.array([turn, 0.0])
            near = np.flatnonzero(self._boxed(moved, 0.0))
            for ring in self.rings if near.size else ():
                inside[near] ^= Outline(ring, closed=True).contains_points(moved[near])
        return inside

    def _boxed(self, places: Floats, beyond: float) -> NDArray[np.bool_]:
        west, south, east, north = self.box
        x, y = places[:, 0], places[:, 1]
        shrunk = np.cos(np.radians(y))
        across = (west - x) * shrunk <= beyond, (x - east) * shrunk <= beyond
        return across[0] & across[1] & (south - beyond <= y) & (y <= north + beyond)

    def apart_deg(self, places: Floats) -> Floats:
        """Distance of places to the nearest corner of the border, degrees; infinite where that is far."""
        apart = np.full(len(places), np.inf)
        for turn in (0.0, 360.0, -360.0):
            moved = places + np.array([turn, 0.0])
            for place in np.flatnonzero(self._boxed(moved, NEAR_DEG)):
                x, y = moved[place]
                shrunk = np.cos(np.radians(y))
                for ring in self.rings:
                    corner = np.hypot((ring[:, 0] - x) * shrunk, ring[:, 1] - y).min()
                    apart[place] = min(apart[place], float(corner))
        return apart


def read_atlas(document: Any) -> tuple[Country, ...]:
    """Read the countries of a TopoJSON document (version 3, quantised), by name."""
    (scale_x, scale_y), (left, low) = document["transform"]["scale"], document["transform"]["translate"]
    arcs = [
        np.cumsum(np.asarray(arc, float), axis=0) * (scale_x, scale_y) + (left, low)
        for arc in document["arcs"]
    ]
    found = []
    for shape in document["objects"]["countries"]["geometries"]:
        polygons = {"Polygon": [shape.get("arcs")], "MultiPolygon": shape.get("arcs")}.get(shape["type"], [])
        rings = tuple(_ring(arcs, parts) for polygon in polygons for parts in polygon)
        if rings:
            every = np.concatenate(rings)
            (west, south), (east, north) = every.min(axis=0), every.max(axis=0)
            box = float(west), float(south), float(east), float(north)
            found.append(Country(shape["properties"]["name"], rings, box))
    return tuple(sorted(found, key=lambda one: one.name))


def _ring(arcs: list[Floats], parts: list[int]) -> Floats:
    """Arcs joined, each without the first point, which is the last of the one before; ~i is i backwards.

    A ring that crosses the date line goes on beyond it; one round a pole is closed over the pole.
    """
    lines = [arcs[part] if part >= 0 else arcs[~part][::-1] for part in parts]
    ring = np.concatenate([lines[0], *(line[1:] for line in lines[1:])])
    ring[:, 0] = np.unwrap(ring[:, 0], period=360.0)
    first, last = ring[0], ring[-1]
    if abs(last[0] - first[0]) > 180:
        pole = np.copysign(90.0, ring[:, 1].mean())
        ring = np.vstack([ring, [last[0], pole], [first[0], pole], first])
    return ring


@functools.cache
def atlas(scale: Literal["50m", "110m"] = "50m") -> tuple[Country, ...]:
    """The installed borders, 1:50 or 1:110 million; none where npm did not put them."""
    path = ATLAS / f"countries-{scale}.json"
    return read_atlas(json.loads(path.read_bytes())) if path.is_file() else ()


class Gazetteer:
    """Countries of places, each looked up once. Safe for threads."""

    def __init__(self) -> None:
        self._found: dict[tuple[float, float], str] = {}

    def countries(self, sites: Sequence[tuple[float, float, str]]) -> list[str]:
        """Return the names of the countries of places, or `UNKNOWN`.

        Parameters
        ----------
        sites : sequence of (float, float, str)
            Geodetic latitude and longitude, degrees, east positive, and the country that the observer states,
            which counts only where the borders do not tell.
        """
        if len(self._found) > MOST:
            self._found = {}
        known = self._found
        new = sorted({(north, east) for north, east, _ in sites} - set(known))
        if new:
            known.update(zip(new, _by_borders(np.array(new)[:, ::-1]), strict=True))
        return [known[north, east] or _of_atlas(_stated(stated)) for north, east, stated in sites]


def _by_borders(places: Floats) -> list[str]:
    """Names of the countries of places, longitude and latitude; empty where the borders do not tell."""
    found = np.full(len(places), "", object)
    for country in atlas():
        found[(found == "") & country.holds(places)] = country.name
    lost = np.flatnonzero(found == "")
    if lost.size:
        nearest = np.full(lost.size, NEAR_DEG)
        for country in atlas():
            apart = country.apart_deg(places[lost])
            found[lost[apart < nearest]] = country.name
            nearest = np.minimum(nearest, apart)
    return [str(name) for name in found]


def _stated(text: str) -> str:
    """A name of the ISO table for what somebody typed: a name or a code of it."""
    key = _folded(text)
    key = SYNONYMS.get(key, key)
    return _iso().get(key, UNKNOWN)


def _of_atlas(name: str) -> str:
    """The atlas's word for a name of the ISO table, where it has one."""
    words = {"Britain (UK)": "United Kingdom", "United States": "United States of America",
             "Czech Republic": "Czechia", "Korea (South)": "South Korea"}  # fmt: skip
    return words.get(name, name)


def _folded(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in parts if not unicodedata.combining(c)).replace("ı", "i").split())


@functools.cache
def _iso() -> dict[str, str]:
    """Code or name, folded -> name, of ``iso3166.tab``."""
    places = [Path(folder) / "iso3166.tab" for folder in zoneinfo.TZPATH]
    spec = find_spec("tzdata")
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "zoneinfo" / "iso3166.tab")
    path = next((one for one in places if one.is_file()), None)
    if path is None:
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {key: name for code, name in rows for key in (_folded(code), _folded(name))}
