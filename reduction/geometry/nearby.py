"""How far a place is from a shadow's path: the question of a search, quick for thousands of predictions.

The path is the band of places that the shadow's outline touches, where the star is above the horizon; a place
inside it is 0 km away. Distances are along great circles; to a path's ends, where the star rises or sets,
they are good to some tens of km, elsewhere to metres. `may_pass` finds by a rough computation which
predictions cannot pass a place, and `path_distance_km` computes the distance for the rest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.geometry.circumstances import MOST_HOURS, REACH_KM, circumstances, window_ns
from reduction.geometry.earth import itrs_km
from reduction.geometry.path import ground_points
from reduction.geometry.prediction import EARTH_RADIUS_KM, HOUR_NS
from reduction.geometry.skyplane import SkyPlane
from reduction.sites import Site

Floats = NDArray[np.float64]

MEAN_RADIUS_KM = 6371.0088
_OFFSETS = 9
_TIMES = 161
_FINE = 33
_ROUNDS = 5
_STARTS = 4
_ROUGH_TIMES = 181
_J2000_NS = 946_728_000_000_000_000
_YEAR_NS = 31_557_600_000_000_000
_DAY_NS = 24 * HOUR_NS


@dataclass(frozen=True, slots=True)
class Track:
    """The numbers of a prediction that `may_pass` needs.

    Attributes
    ----------
    epoch_ns : int
        UTC, POSIX nanoseconds.
    x_earth_radii, y_earth_radii : sequence of 4 float
        As of `Elements`.
    ra_hours, dec_deg, diameter_km : float
        Of star and body.
    """

    epoch_ns: int
    x_earth_radii: Sequence[float]
    y_earth_radii: Sequence[float]
    ra_hours: float
    dec_deg: float
    diameter_km: float


def may_pass(
    tracks: Sequence[Track], latitude_deg: float, longitude_deg: float, distance_km: float
) -> NDArray[np.bool_]:
    """Which paths may come within a distance of a place: never False for one that does.

    The Earth turns evenly and its pole stands as in 2000; what that is off by is added to the distance.

    Parameters
    ----------
    tracks : sequence of Track
        Of n predictions.
    latitude_deg, longitude_deg : float
        Geodetic, degrees, east positive.
    distance_km : float
        Along a great circle.

    Returns
    -------
    array, (n,), bool
    """
    if not tracks:
        return np.zeros(0, np.bool_)
    epoch = np.array([one.epoch_ns for one in tracks], np.int64)
    cubic = np.array([(one.x_earth_radii, one.y_earth_radii) for one in tracks], np.float64) * EARTH_RADIUS_KM
    ra = np.radians([one.ra_hours * 15 for one in tracks])
    dec = np.radians([one.dec_deg for one in tracks])
    diameter = np.array([one.diameter_km for one in tracks], np.float64)

    speed = np.maximum(np.hypot(cubic[:, 0, 1], cubic[:, 1, 1]), 1e-6)  # km/h
    nearest = -(cubic[:, 0, 0] * cubic[:, 0, 1] + cubic[:, 1, 0] * cubic[:, 1, 1]) / speed**2
    half = np.minimum((REACH_KM + diameter) / speed, MOST_HOURS)
    middle = np.clip(nearest, -MOST_HOURS, MOST_HOURS)
    hours = middle[:, None] + half[:, None] * np.linspace(-1, 1, _ROUGH_TIMES)
    shadow = sum(cubic[:, :, k, None] * hours[:, None, :] ** k for k in range(4))
    place = itrs_km(longitude_deg, latitude_deg)
    out = float(np.hypot(place[0], place[1]))
    # the angle between place and star: Earth rotation angle of IAU 2000
    days = ((epoch - _J2000_NS) // _DAY_NS).astype(np.float64)
    part = ((epoch - _J2000_NS) % _DAY_NS) / _DAY_NS
    era = 2 * math.pi * (0.7790572732640 + 0.00273781191135448 * (days + part) + part)
    turn = 2 * math.pi * 1.00273781191135448 / 24
    hour_angle = era[:, None] + turn * hours + math.atan2(place[1], place[0]) - ra[:, None]
    sin_dec, cos_dec = np.sin(dec)[:, None], np.cos(dec)[:, None]
    east = out * np.sin(hour_angle)
    north = place[2] * cos_dec - out * np.cos(hour_angle) * sin_dec
    toward = place[2] * sin_dec + out * np.cos(hour_angle) * cos_dec

    years = np.abs(epoch - _J2000_NS) / _YEAR_NS
    step = np.hypot(*np.diff(shadow, axis=2).transpose(1, 0, 2)).max(axis=1) + turn * half * out
    doubt = 30 + step + 1.5 * years / np.maximum(np.cos(dec), 1e-4) + speed / 3600
    reach = (distance_km + diameter / 2 + doubt)[:, None]
    near = np.hypot(east - shadow[:, 0], north - shadow[:, 1]) <= reach
    return np.asarray((near & (toward >= -(distance_km + doubt[:, None] + 30))).any(axis=1), np.bool_)


def path_distance_km(plane: SkyPlane, latitude_deg: float, longitude_deg: float) -> float:
    """Distance of a place from a shadow's path, km; 0 inside it, infinite where the shadow misses the Earth.

    Parameters
    ----------
    plane : SkyPlane
        Of the prediction; the body is a circle of its predicted diameter.
    latitude_deg, longitude_deg : float
        Geodetic, degrees, east positive; height 0.
    """
    here = Site(latitude_deg=latitude_deg, longitude_deg=longitude_deg)
    seen = circumstances(plane, [here])[0]
    radius = plane.prediction.body.diameter_km / 2
    if abs(seen.offset_km) <= radius and seen.star_altitude_deg >= 0:
        return 0.0
    place = itrs_km(longitude_deg, latitude_deg)
    begin, end = window_ns(plane)
    step = (end - begin) / (_TIMES - 1)
    times = begin + np.linspace(0, end - begin, _TIMES)
    offsets = np.linspace(-radius, radius, _OFFSETS)
    grid = _grid(plane, place, times, offsets)
    best = float(grid.min())
    for column in _starts(grid):
        best = min(best, _refined(plane, place, float(times[column]), step, radius))
    if not math.isfinite(best):
        return math.inf
    return 2 * MEAN_RADIUS_KM * math.asin(min(best / (2 * MEAN_RADIUS_KM), 1.0))


def _grid(plane: SkyPlane, place: Floats, times: Floats, offsets: Floats) -> Floats:
    """Distances in straight lines, km, ``(n_offset, n_time)``; infinite where a line misses the Earth."""
    every = np.tile(times.astype(np.int64), offsets.size)
    points, _ = ground_points(plane, every, np.repeat(offsets, times.size)[:, None])
    apart = np.linalg.norm(points - place, axis=1).reshape(offsets.size, times.size)
    return np.asarray(np.nan_to_num(apart, nan=math.inf), np.float64)


def _starts(grid: Floats) -> list[int]:
    """Instants at which the path is nearer than before and after; the nearest first."""
    least = np.concatenate([[math.inf], grid.min(axis=0), [math.inf]])
    inner = least[1:-1]
    valleys = np.flatnonzero(np.isfinite(inner) & (inner <= least[:-2]) & (inner <= least[2:]))
    return [int(column) for column in valleys[np.argsort(inner[valleys])][:_STARTS]]


def _refined(plane: SkyPlane, place: Floats, time: float, step: float, radius: float) -> float:
    """The least distance within a step of an instant, by ever finer grids."""
    best, offset, half = math.inf, 0.0, radius
    for _ in range(_ROUNDS):
        times = time + np.linspace(-step, step, _FINE)
        offsets = np.clip(offset + half * np.linspace(-1, 1, _OFFSETS), -radius, radius)
        grid = _grid(plane, place, times, offsets)
        row, column = np.unravel_index(int(grid.argmin()), grid.shape)
        best = min(best, float(grid[row, column]))
        time, offset = float(times[column]), float(offsets[row])
        step, half = step * 2 / (_FINE - 1), half / 3
    return best
