"""Where the shadow meets the ground: centre line, limits, their uncertainty, and where it is when.

The ground is the WGS84 ellipsoid at height 0: a station on a hill lies nearer to the star, by its height
over the tangent of the star's altitude; `reduction.geometry.circumstances` takes the height into account.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.geometry.circumstances import SECOND_NS, window_ns
from reduction.geometry.earth import geodetic_of
from reduction.geometry.outline import Outline, circle
from reduction.geometry.sky import altitude_deg, sun_direction, up_of
from reduction.geometry.skyplane import SkyPlane
from reduction.geometry.uncertainty import path_error

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

EQUATOR_KM, POLE_KM = 6378.137, 6356.752314245
"""Semi-axes of WGS84."""
_GRID = 4001
_POINTS = 361
_EDGE_NS = 1000
_TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_MOST_TICKS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Part of a line on the ground without a break.

    Attributes
    ----------
    longitude_deg, latitude_deg : array, (n,)
        WGS84, east positive, -180 to 180; the longitude runs on over the date line only between two traces.
    utc_ns : array, (n,)
        When the shadow is there.
    star_altitude_deg, sun_altitude_deg : array, (n,)
        Without refraction.
    """

    longitude_deg: Floats
    latitude_deg: Floats
    utc_ns: Times
    star_altitude_deg: Floats
    sun_altitude_deg: Floats


@dataclass(frozen=True, slots=True, eq=False)
class GroundLine:
    """One line of the path.

    Attributes
    ----------
    name : str
        ``centre``, ``limit`` or ``sigma``.
    offset_km : float
        From the shadow's centre, across its motion over the ground; positive to the north.
    traces : tuple of Trace
        None where the line misses the Earth; cut at the date line.
    """

    name: str
    offset_km: float
    traces: tuple[Trace, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Where the centre of the shadow is at a round instant."""

    utc_ns: int
    longitude_deg: float
    latitude_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class ShadowPath:
    """A shadow's path over the Earth.

    Attributes
    ----------
    plane : SkyPlane
        Of the prediction.
    lines : tuple of GroundLine
        Centre, two limits, and two limits moved out by one sigma where the prediction states it.
    ticks : tuple of Tick
        Along the centre line, or along that limit which meets the Earth.
    width_km : float
        Of the outline across its motion.
    sigma_km : float or None
        1-sigma of the path across its motion.
    beside_km : array, (2,)
        (east, north) of the outline's centre against the predicted one, axes of date.
    """

    plane: SkyPlane
    lines: tuple[GroundLine, ...]
    ticks: tuple[Tick, ...]
    width_km: float
    sigma_km: float | None
    beside_km: Floats

    @property
    def middle_ns(self) -> int:
        """Half way between the first and the last instant on the ground; the epoch where there are none."""
        ends = [int(trace.utc_ns[k]) for line in self.lines for trace in line.traces for k in (0, -1)]
        return (min(ends) + max(ends)) // 2 if ends else self.plane.prediction.elements.epoch_ns

    @property
    def meets_the_earth(self) -> bool:
        """Whether any part of the shadow, one sigma included, touches the Earth."""
        return any(line.traces for line in self.lines)


def shadow_path(plane: SkyPlane, outline: Outline | None = None) -> ShadowPath:
    """Find a shadow's path.

    Parameters
    ----------
    plane : SkyPlane
        Of the prediction.
    outline : Outline or None
        Of the body; None takes a circle of the predicted diameter.
    """
    shape = outline if outline is not None else circle(plane.prediction.body.diameter_km)
    epoch = plane.prediction.elements.epoch_ns
    motion = -(plane.shadow_km(epoch + SECOND_NS) - plane.shadow_km(epoch - SECOND_NS)) / 2
    half = shape.half_width_km(plane.in_icrs(motion))
    error = path_error(plane)
    sigma = None if error is None else error.across(plane.in_icrs(motion))
    offsets = [("centre", 0.0), ("limit", half), ("limit", -half)]
    if sigma is not None:
        offsets += [("sigma", half + sigma), ("sigma", -half - sigma)]
    beside = plane.of_date(shape.centre)
    lines = [GroundLine(name, offset, _traces(plane, offset, beside)) for name, offset in offsets]
    return ShadowPath(plane, tuple(lines), _ticks(plane, lines, beside), 2 * half, sigma, beside)


def ground_points(
    plane: SkyPlane, utc_ns: Times, offset_km: float | Floats = 0.0, beside_km: Floats | None = None
) -> tuple[Floats, Floats]:
    """Where lines parallel to the shadow's axis meet the side of the Earth that faces the star.

    Parameters
    ----------
    plane : SkyPlane
        Of the prediction.
    utc_ns : array, (n,)
        When.
    offset_km : float, or array, (n, 1)
        Of the line from the axis, across the shadow's motion over the ground there, positive to the north.
    beside_km : array, (2,), or None
        (east, north) of the outline's centre against the predicted one, axes of date.

    Returns
    -------
    itrs : array, (n, 3)
        Places, km; NaN where a line passes the Earth by.
    margin : array, (n,)
        How deep inside the Earth's outline a line passes, as a share of it squared; negative where it misses.
    """
    times = np.asarray(utc_ns, np.int64)
    axes = [plane.rotation.itrs_from_gcrs(axis, times) for axis in (plane.east, plane.north, plane.toward)]
    beside = np.zeros(2) if beside_km is None else beside_km
    across = _across(_motion_in_space(plane, times))
    toward = np.zeros(times.size)
    places, margin = np.full((times.size, 3), np.nan), np.full(times.size, -1.0)
    for _ in range(4):
        # the star as seen there is across * offset from the outline's centre
        at = plane.shadow_km(times, toward) + beside + across * offset_km
        base = at[:, :1] * axes[0] + at[:, 1:] * axes[1]
        depth, margin = _towards(base, axes[2])
        toward = np.where(margin > 0, depth, 0.0)
        places = base + toward[:, None] * axes[2]
        across = _across(plane.velocity_km_s(places, times, "date"))
    return np.where((margin > 0)[:, None], places, np.nan), margin


def _motion_in_space(plane: SkyPlane, times: Times) -> Floats:
    """Velocity of the star relative to the body, seen from the Earth's centre, axes of date, ``(n, 2)``."""
    return np.asarray((plane.shadow_km(times - SECOND_NS) - plane.shadow_km(times + SECOND_NS)) / 2)


def _across(motion: Floats) -> Floats:
    """Unit vectors across motions, ``(n, 2)``, to the north, or to the east where the motion is due north."""
    turned = np.stack([-motion[:, 1], motion[:, 0]], axis=-1) / np.hypot(motion[:, 0], motion[:, 1])[:, None]
    south = (turned[:, 1] < 0) | ((turned[:, 1] == 0) & (turned[:, 0] < 0))
    return np.where(south[:, None], -turned, turned)


def _towards(base: Floats, toward: Floats) -> tuple[Floats, Floats]:
    """How far along `toward` from `base` the ellipsoid's surface lies, km; and the margin, see above."""
    squash = np.array([1.0, 1.0, EQUATOR_KM / POLE_KM])
    b, s = base * squash / EQUATOR_KM, toward * squash / EQUATOR_KM
    a, h, c = (s * s).sum(axis=1), (s * b).sum(axis=1), (b * b).sum(axis=1) - 1
    margin = h * h / a - c
    return (-h + np.sqrt(a * np.maximum(margin, 0.0))) / a, margin


def _traces(plane: SkyPlane, offset_km: float, beside: Floats) -> tuple[Trace, ...]:
    """A line on the ground, from where the star rises for it to where it sets, cut at the date line."""
    first, last = window_ns(plane)
    grid = first + np.linspace(0, last - first, _GRID).astype(np.int64)
    _, margin = ground_points(plane, grid, offset_km, beside)
    on = np.concatenate([[False], margin > 0, [False]])
    edges = np.flatnonzero(on[1:] != on[:-1])
    found: list[Trace] = []
    for first, stop in edges.reshape(-1, 2):
        begin = _edge(plane, grid, int(first) - 1, offset_km, beside)
        end = _edge(plane, grid, int(stop) - 1, offset_km, beside)
        # denser where the shadow runs fastest over the ground, at the horizon
        share = (1 - np.cos(np.linspace(0, math.pi, _POINTS))) / 2
        times = begin + (share * (end - begin)).astype(np.int64)
        places, margin = ground_points(plane, times, offset_km, beside)
        times, places = times[margin > 0], places[margin > 0]
        if times.size > 1:
            found += _cut(plane, places, times)
    return tuple(found)


def _edge(plane: SkyPlane, grid: Times, before: int, offset_km: float, beside: Floats) -> int:
    """When, between grid points `before` and the next, a line meets the Earth or leaves it: just inside."""
    if before < 0 or before + 1 >= grid.size:
        return int(grid[max(before, 0) if before < 0 else before])
    low, high = int(grid[before]), int(grid[before + 1])
    while high - low > _EDGE_NS:
        steps = low + (np.linspace(0, 1, 34) * (high - low)).astype(np.int64)
        inside = ground_points(plane, steps, offset_km, beside)[1] > 0
        change = np.flatnonzero(inside[1:] != inside[:-1])
        if not change.size:
            break
        low, high = int(steps[change[0]]), int(steps[change[0] + 1])
    ends = np.array([low, high])
    return int(ends[np.argmax(ground_points(plane, ends, offset_km, beside)[1] > 0)])


def _cut(plane: SkyPlane, places: Floats, times: Times) -> list[Trace]:
    """One line, parted at the date line; both parts get the point on it."""
    longitude, latitude, _ = geodetic_of(places)
    star, sun = _altitudes(plane, places, times)
    rows = np.stack([longitude, latitude, star, sun], axis=1)
    parts: list[Trace] = []
    start, first = 0, np.empty((0, 4))
    first_times = np.empty(0, np.int64)
    for k in np.flatnonzero(np.abs(np.diff(longitude)) > 180):
        end_row, next_row, when = _date_line(rows[k], rows[k + 1], int(times[k]), int(times[k + 1]))
        part = np.concatenate([first, rows[start : k + 1], end_row[None]])
        parts.append(_trace(part, np.concatenate([first_times, times[start : k + 1], [when]])))
        start, first, first_times = int(k) + 1, next_row[None], np.array([when], np.int64)
    parts.append(_trace(np.concatenate([first, rows[start:]]), np.concatenate([first_times, times[start:]])))
    return parts


def _date_line(before: Floats, after: Floats, t0: int, t1: int) -> tuple[Floats, Floats, int]:
    """The point between two rows at which the longitude is 180: once as east, once as west."""
    side = 180.0 if before[0] > 0 else -180.0
    gap = abs(side - before[0])
    share = gap / max(gap + abs(-side - after[0]), 1e-12)
    row = before + share * (after - before)
    end, begin = row.copy(), row.copy()
    end[0], begin[0] = side, -side
    return end, begin, t0 + round(share * (t1 - t0))


def _trace(rows: Floats, times: Times) -> Trace:
    return Trace(rows[:, 0], rows[:, 1], times, rows[:, 2], rows[:, 3])


def _altitudes(plane: SkyPlane, places: Floats, times: Times) -> tuple[Floats, Floats]:
    up = up_of(places, times, plane.rotation)
    first, last = sun_direction(int(times[0])), sun_direction(int(times[-1]))
    share = ((times - times[0]) / max(int(times[-1] - times[0]), 1))[:, None]
    return altitude_deg(plane.toward, up), altitude_deg(first + share * (last - first), up)


def _ticks(plane: SkyPlane, lines: list[GroundLine], beside: Floats) -> tuple[Tick, ...]:
    """Round instants along the first line that meets the Earth: at most 30."""
    line = next((one for one in lines if one.traces), None)
    if line is None:
        return ()
    begin = min(int(trace.utc_ns[0]) for trace in line.traces)
    end = max(int(trace.utc_ns[-1]) for trace in line.traces)
    return ticks_between(plane, begin, end, _MOST_TICKS, line.offset_km, beside)


def ticks_between(
    plane: SkyPlane,
    begin_ns: int,
    end_ns: int,
    most: int,
    offset_km: float = 0.0,
    beside_km: Floats | None = None,
) -> tuple[Tick, ...]:
    """Round instants between two, at most so many, with the shadow's place: see `ground_points`."""
    seconds = (end_ns - begin_ns) / SECOND_NS
    step = next((one for one in _TICKS if seconds / one <= most), _TICKS[-1]) * SECOND_NS
    times = np.arange(-(-begin_ns // step) * step, end_ns + 1, step, dtype=np.int64)
    places, margin = ground_points(plane, times, offset_km, beside_km)
    longitude, latitude, _ = geodetic_of(places[margin > 0])
    return tuple(
        Tick(int(t), float(lon), float(lat))
        for t, lon, lat in zip(times[margin > 0], longitude, latitude, strict=True)
    )
