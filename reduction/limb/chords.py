"""Chords: what each station saw, laid into the sky plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reduction.errors import DataError
from reduction.geometry.earth import itrs_of
from reduction.geometry.skyplane import SkyPlane
from reduction.limb.likelihood import Times
from reduction.limb.shape import Floats
from reduction.sites import Site

ChordStatus = Literal["positive", "negative", "none"]
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A D or an R: UTC, POSIX nanoseconds, and the sigma of this time alone, seconds."""

    utc_ns: int
    sigma_s: float


@dataclass(frozen=True, slots=True)
class Station:
    """What one station reports.

    Attributes
    ----------
    name : str
    site : Site
    status : "positive", "negative" or "none"
        ``"none"``: clouds, failures; drawn nowhere and fitted nowhere.
    d, r : Moment or None
        Of a positive one; None where the recording missed it.
    clock_sigma_s : float
        What is common to D and R: sigma of the recording's times against UTC.
    from_ns, to_ns : int or None
        When the star was watched.
    exposure_s : float or None
    shortest_s : float
        An event shorter than this would not have been seen.
    late_s : float
        What was taken off its times because it is known.
    """

    name: str
    site: Site
    status: ChordStatus
    d: Moment | None = None
    r: Moment | None = None
    clock_sigma_s: float = 0.0
    from_ns: int | None = None
    to_ns: int | None = None
    exposure_s: float | None = None
    shortest_s: float = 0.0
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """A point of a station's path: UTC, km east and north of the predicted centre, km/s."""

    utc_ns: int
    f_km: float
    g_km: float
    f_km_s: float
    g_km_s: float

    @property
    def speed_km_s(self) -> float:
        """How fast the star moves behind the body, as seen there."""
        return float(np.hypot(self.f_km_s, self.g_km_s))

    def after(self, seconds: float) -> tuple[float, float]:
        """Point of the tangent to the path."""
        return self.f_km + self.f_km_s * seconds, self.g_km + self.g_km_s * seconds


@dataclass(frozen=True, slots=True)
class Chord:
    """A station with its path: where the star stood behind the body's plane at D, R and closest approach.

    `closest` is the path's point nearest to the predicted centre; `across_km` its distance from there,
    positive to the left of the star's motion.
    """

    station: Station
    d: Place | None
    r: Place | None
    closest: Place
    across_km: float

    @property
    def length_km(self) -> float | None:
        """From D to R; None of a partial chord."""
        if self.d is None or self.r is None:
            return None
        return float(np.hypot(self.r.f_km - self.d.f_km, self.r.g_km - self.d.g_km))


def lay_chord(plane: SkyPlane, station: Station) -> Chord:
    """Lay one station's report into the sky plane.

    Raises
    ------
    DataError
        D is not before R, a sigma is not positive, a positive station has neither D nor R.
    """
    _check(station)
    itrs = itrs_of(station.site)

    def place(utc_ns: int) -> Place:
        point = np.ravel(plane.star_from_body_km(itrs, np.array([utc_ns])))
        speed = np.ravel(plane.velocity_km_s(itrs, np.array([utc_ns])))
        return Place(utc_ns, float(point[0]), float(point[1]), float(speed[0]), float(speed[1]))

    middle = [one.utc_ns for one in (station.d, station.r) if one is not None]
    here = place(sum(middle) // len(middle) if middle else plane.prediction.elements.epoch_ns)
    for _ in range(6):
        step = -(here.f_km * here.f_km_s + here.g_km * here.g_km_s) / here.speed_km_s**2
        here = place(here.utc_ns + round(float(np.clip(step, -3600, 3600)) * SECOND_NS))
        if abs(step) < 1e-6:
            break
    across = (here.f_km_s * here.g_km - here.g_km_s * here.f_km) / here.speed_km_s
    return Chord(
        station=station,
        d=None if station.d is None else place(station.d.utc_ns),
        r=None if station.r is None else place(station.r.utc_ns),
        closest=here,
        across_km=across,
    )


def _check(station: Station) -> None:
    if station.status == "positive" and station.d is None and station.r is None:
        raise DataError(f"{station.name}: positive, but neither D nor R is given")
    if station.status != "positive" and (station.d is not None or station.r is not None):
        raise DataError(f"{station.name}: D or R is given, but the station is not positive")
    for name, one in (("D", station.d), ("R", station.r)):
        if one is not None and not (np.isfinite(one.sigma_s) and one.sigma_s > 0):
            raise DataError(f"{station.name}: {name} has the sigma {one.sigma_s} s; give a positive one")
    if station.d is not None and station.r is not None and station.d.utc_ns >= station.r.utc_ns:
        raise DataError(f"{station.name}: D is not before R")


def times_of(chords: Sequence[Chord]) -> tuple[Times, list[int]]:
    """Times for the fit, and the index in `chords` of each chord that has any.

    Negative chords without the time in which they were watched are taken as watched throughout.
    """
    edges: list[tuple[Place, float, int]] = []
    stays: list[tuple[int, float]] = []
    owners: list[int] = []
    clocks: list[float] = []
    kept: list[int] = []
    for index, chord in enumerate(chords):
        station = chord.station
        if station.status != "positive":
            continue
        for side, place, moment in ((-1, chord.d, station.d), (1, chord.r, station.r)):
            if place is None or moment is None:
                continue
            other = station.r if side < 0 else station.d
            until = station.to_ns if side < 0 else station.from_ns
            if other is None and until is not None:
                stays.append((len(edges), (until - place.utc_ns) / SECOND_NS))
            edges.append((place, moment.sigma_s, side))
            owners.append(len(kept))
        clocks.append(station.clock_sigma_s)
        kept.append(index)
    misses = [_miss(chord) for chord in chords if chord.station.status == "negative"]
    return Times(
        point=_pairs([(p.f_km, p.g_km) for p, _, _ in edges]),
        velocity=_pairs([(p.f_km_s, p.g_km_s) for p, _, _ in edges]),
        sigma_s=np.array([sigma for _, sigma, _ in edges], np.float64),
        side=np.array([side for _, _, side in edges], np.float64),
        owner=np.array(owners, np.int64),
        clock_s=np.array(clocks, np.float64),
        miss_point=_pairs([(p.f_km, p.g_km) for p, _, _, _ in misses]),
        miss_velocity=_pairs([(p.f_km_s, p.g_km_s) for p, _, _, _ in misses]),
        miss_from_s=np.array([low for _, low, _, _ in misses], np.float64),
        miss_to_s=np.array([high for _, _, high, _ in misses], np.float64),
        miss_shortest_s=np.array([shortest for _, _, _, shortest in misses], np.float64),
        stay_edge=np.array([edge for edge, _ in stays], np.int64),
        stay_s=np.array([seconds for _, seconds in stays], np.float64),
    ), kept


def _miss(chord: Chord) -> tuple[Place, float, float, float]:
    """Path, watched from and to in seconds after its point, shortest event that would have been seen."""
    station, at = chord.station, chord.closest
    low = -np.inf if station.from_ns is None else (station.from_ns - at.utc_ns) / SECOND_NS
    high = np.inf if station.to_ns is None else (station.to_ns - at.utc_ns) / SECOND_NS
    return at, float(low), float(high), station.shortest_s


def _pairs(pairs: Sequence[tuple[float, float]]) -> Floats:
    return np.array(pairs, np.float64).reshape(-1, 2)
