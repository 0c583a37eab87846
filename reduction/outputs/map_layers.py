"""What a map is drawn of: land, daylight, graticule, lines, instants, stations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from numpy.typing import NDArray

from reduction.geometry.coast import LandMask
from reduction.geometry.earth import geodetic_of
from reduction.geometry.maps import RADIUS_KM, Azimuthal, degrees_text, graticule_step
from reduction.geometry.path import GroundLine, ShadowPath, Tick, ground_points
from reduction.geometry.sky import sun_direction
from reduction.geometry.stations import Station
from reduction.outputs.drawing import FAINT, INK, drawable, shorten
from reduction.outputs.map_labels import Labels
from reduction.timing import utc_text

Floats = NDArray[np.float64]

LAND, SEA, COAST = "#ece7da", "#f3f8fc", "#8d99a6"
DAY, DUSK = "#f2c14e", "#6f8fb3"
PATH, SIGMA = "#b3202c", "#6a4c93"
MARKS = {
    "positive": ("#1a9850", "o"),
    "negative": ("#d9480f", "v"),
    "inconclusive": ("#b58900", "D"),
    "no data": ("#868e96", "X"),
    "overcast": ("#5f6b78", "P"),
    "technical failure": ("#a61e4d", "X"),
    "planned": ("#1c6dd0", "s"),
    "unknown": ("#868e96", "d"),
}
STYLES = {"centre": (PATH, "-", 1.5), "limit": (PATH, "-", 1.0), "sigma": (SIGMA, "--", 1.1)}
NAMED = 40
_NARROW = 150.0
_AROUND = ((7, 3), (-7, 3), (7, -3), (-7, -3), (0, 9), (0, -9))
_COARSE = 160


@dataclass(frozen=True, slots=True)
class View:
    """One map: its projection and its half-widths, km."""

    projection: Azimuthal
    across_km: float
    up_km: float

    @property
    def whole(self) -> bool:
        """Whether the whole globe is seen."""
        return self.projection.kind == "orthographic"

    def holds(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Which points lie on the map."""
        return np.asarray((np.abs(x) <= self.across_km) & (np.abs(y) <= self.up_km))

    def grid(self, size: int = 560) -> tuple[Floats, Floats, Floats, Floats]:
        """Right, up, km, and longitude, latitude, degrees, of a grid of points: four ``(n, n)`` arrays."""
        x, y = np.meshgrid(
            np.linspace(-self.across_km, self.across_km, size), np.linspace(-self.up_km, self.up_km, size)
        )
        return x, y, *self.projection.inverse(x, y)


def frame(axes: Axes, view: View) -> None:
    """Limits, aspect and, for a globe, its edge."""
    axes.set_xlim(-view.across_km, view.across_km)
    axes.set_ylim(-view.up_km, view.up_km)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(not view.whole)
    if view.whole:
        axes.set_facecolor("none")
        axes.add_patch(Circle((0, 0), RADIUS_KM, facecolor=SEA, linewidth=0, zorder=0))
        axes.add_patch(Circle((0, 0), RADIUS_KM, fill=False, edgecolor=FAINT, linewidth=1.4, zorder=2))
    else:
        axes.set_facecolor(SEA)


def land(axes: Axes, view: View, mask: LandMask | None) -> None:
    """Land and coastline, where a mask is installed."""
    if mask is None:
        return
    x, y, longitude, latitude = view.grid()
    share = np.ma.masked_invalid(mask.at(longitude, latitude))
    if share.max() <= 0.5:
        return
    axes.contourf(x, y, share, levels=[0.5, 1.01], colors=[LAND], zorder=1)
    axes.contour(x, y, share, levels=[0.5], colors=[COAST], linewidths=0.55, zorder=1.2)


def daylight(axes: Axes, view: View, path: ShadowPath) -> None:
    """Where the Sun is up, or less than 18 degrees down, when the shadow is half way."""
    x, y, longitude, latitude = view.grid(_COARSE)
    sun = path.plane.rotation.itrs_from_gcrs(sun_direction(path.middle_ns), path.middle_ns)
    known = np.isfinite(longitude)
    lon, lat = np.radians(np.where(known, longitude, 0.0)), np.radians(np.where(known, latitude, 0.0))
    sine = np.cos(lat) * (np.cos(lon) * sun[0] + np.sin(lon) * sun[1]) + np.sin(lat) * sun[2]
    height = np.ma.masked_array(np.degrees(np.arcsin(np.clip(sine, -1, 1))), ~known)
    for low, high, colour, alpha in ((-18.0, -0.833, DUSK, 0.13), (-0.833, 91.0, DAY, 0.26)):
        if float(height.max()) > low and float(height.min()) < high:
            axes.contourf(x, y, height, levels=[low, high], colors=[colour], alpha=alpha, zorder=1.4)


def graticule(axes: Axes, view: View) -> None:
    """Circles of longitude and latitude, with their degrees."""
    _, _, longitude, latitude = view.grid(_COARSE)
    step = 30.0 if view.whole else graticule_step(float(np.ptp(latitude)))
    east = 30.0 if view.whole else graticule_step(float(np.ptp(_unwrapped(view, longitude))))
    style: dict[str, Any] = {"color": "#7f8c99", "linewidth": 0.4, "alpha": 0.55, "zorder": 1.6}
    fine = np.linspace(-180, 180, 721)
    for level in np.arange(-90 + step, 90, step):
        if float(np.nanmin(latitude)) - step < level < float(np.nanmax(latitude)) + step:
            axes.plot(*_kept(view, *view.projection.forward(fine, np.full(721, level))), **style)
    for level in np.arange(-180, 180, east):
        axes.plot(*_kept(view, *view.projection.forward(np.full(721, level), fine / 2)), **style)
    if view.whole:
        _globe_degrees(axes, view)
    else:
        _edge_degrees(axes, view, east, step)


def _unwrapped(view: View, longitude: Floats) -> Floats:
    middle = view.projection.longitude_deg
    return np.asarray((longitude - middle + 180) % 360 - 180 + middle)


def _kept(view: View, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """A line without what is far off the map (an equidistant one would run round its back)."""
    far = (np.abs(x) > 1.5 * view.across_km) | (np.abs(y) > 1.5 * view.up_km)
    return np.where(far, np.nan, x), np.where(far, np.nan, y)


def _globe_degrees(axes: Axes, view: View) -> None:
    words: dict[str, Any] = {"fontsize": 6.5, "color": FAINT, "ha": "center", "va": "center", "zorder": 1.7}
    middle, centre = view.projection.longitude_deg, view.projection.latitude_deg
    for level in range(-60, 90, 30):
        x, y = (float(v) for v in view.projection.forward(np.array(middle - 52), np.array(float(level))))
        if math.hypot(x, y) < 0.93 * RADIUS_KM:
            axes.text(x, y, degrees_text(level, "latitude"), **words)
    row = 0.0 if abs(centre) < 50 else math.copysign(30.0, centre)
    for level in range(-180, 180, 30):
        x, y = (float(v) for v in view.projection.forward(np.array(float(level)), np.array(row)))
        if math.hypot(x, y) < 0.93 * RADIUS_KM:
            axes.text(x, y, degrees_text(level, "longitude"), **words)


def _edge_degrees(axes: Axes, view: View, east: float, north: float) -> None:
    """Degrees where the lines leave the map: longitudes below and above, latitudes at the sides."""
    fine = np.linspace(-1, 1, 1201)
    ends = np.ones(1201)
    for side in (-1, 1):
        longitude, _ = view.projection.inverse(fine * view.across_km, side * ends * view.up_km)
        _, latitude = view.projection.inverse(side * ends * view.across_km, fine * view.up_km)
        crossings: tuple[tuple[Floats, float, Literal["longitude", "latitude"]], ...] = (
            (_unwrapped(view, longitude), east, "longitude"),
            (latitude, north, "latitude"),
        )
        for values, step, axis in crossings:
            cells = np.floor(values / step)
            for k in np.flatnonzero(np.abs(np.diff(cells)) == 1):
                text = degrees_text(float(max(cells[k], cells[k + 1]) * step), axis)
                if axis == "longitude":
                    x, y = float(fine[k]) * view.across_km, side * 1.013 * view.up_km
                    ha, va = "center", "top" if side < 0 else "bottom"
                else:
                    x, y = side * 1.01 * view.across_km, float(fine[k]) * view.up_km
                    ha, va = "right" if side < 0 else "left", "center"
                axes.text(x, y, text, fontsize=7.5, color=FAINT, ha=ha, va=va, clip_on=False)


def lines(axes: Axes, view: View, path: ShadowPath) -> None:
    """Centre, limits and their uncertainty; faint where the Sun is up or less than six degrees down.

    Where the path is thinner than the lines, the centre stands for it.
    """
    centre = any(line.name == "centre" and line.traces for line in path.lines)
    least = view.up_km / _NARROW if centre else 0.0
    shown = [line for line in path.lines if line.name == "centre" or abs(line.offset_km) >= least]
    projected = [(line, _fine(view, path, line)) for line in shown]
    limits = [pieces for line, pieces in projected if line.name == "limit" and pieces]
    if not view.whole and len(limits) == 2:
        (x1, y1), (x2, y2) = (
            (np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces]))
            for pieces in limits
        )
        x, y = np.concatenate([x1, x2[::-1]]), np.concatenate([y1, y2[::-1]])
        kept = np.isfinite(x)
        axes.fill(x[kept], y[kept], color=PATH, alpha=0.10, linewidth=0, zorder=2.4)
    for line, pieces in projected:
        colour, dashes, width = STYLES[line.name]
        for x, y, dark in pieces:
            night = np.where(dark, x, np.nan)
            axes.plot(x, y, color=colour, linestyle=dashes, linewidth=width, alpha=0.35, zorder=3)
            axes.plot(night, y, color=colour, linestyle=dashes, linewidth=width, zorder=3.1)


def _fine(view: View, path: ShadowPath, line: GroundLine) -> list[tuple[Floats, Floats, NDArray[np.bool_]]]:
    """What of a line is near the map, densely: right, up, and whether the sky is dark."""
    found = []
    for trace in line.traces:
        x, y = view.projection.forward(trace.longitude_deg, trace.latitude_deg)
        if view.whole:
            found.append((x, y, trace.sun_altitude_deg < -6))
            continue
        near = np.flatnonzero(np.hypot(x, y) < 1.6 * math.hypot(view.across_km, view.up_km))
        if not near.size:
            near = np.array([int(np.argmin(np.hypot(x, y)))])
        first, last = max(int(near[0]) - 1, 0), min(int(near[-1]) + 1, x.size - 1)
        times = np.linspace(0, int(trace.utc_ns[last] - trace.utc_ns[first]), 400).astype(np.int64)
        times += trace.utc_ns[first]
        places, margin = ground_points(path.plane, times, line.offset_km, path.beside_km)
        times, places = times[margin > 0], places[margin > 0]
        longitude, latitude, _ = geodetic_of(places)
        sun = np.interp(times, trace.utc_ns, trace.sun_altitude_deg)
        found.append((*_kept(view, *view.projection.forward(longitude, latitude)), sun < -6))
    return found


def instants(axes: Axes, view: View, ticks: Sequence[Tick], every: int, labels: Labels) -> None:
    """Where the shadow is at round instants; every so many of them with its time."""
    whole_minutes = all(tick.utc_ns % 60_000_000_000 == 0 for tick in ticks)
    x, y = view.projection.forward(
        np.array([tick.longitude_deg for tick in ticks]), np.array([tick.latitude_deg for tick in ticks])
    )
    on = [
        (tick, float(a), float(b))
        for tick, a, b, there in zip(ticks, x, y, view.holds(x, y), strict=True)
        if there
    ]
    if not on:
        return
    axes.plot([p[1] for p in on], [p[2] for p in on], "o", color="white", mec=PATH, mew=1.0, ms=4, zorder=4)
    dx, dy = (on[-1][1] - on[0][1], on[-1][2] - on[0][2]) if len(on) > 1 else (1.0, 0.0)
    size = math.hypot(dx, dy) or 1.0
    right = (dy / size, -dx / size) if dx >= 0 else (-dy / size, dx / size)
    ways = [(sign * 11 * right[0], sign * 11 * right[1]) for sign in (1, -1)]
    for number, (tick, right_km, up_km) in enumerate(on):
        if number % every == 0:
            text = utc_text(tick.utc_ns, 0)[11 : 16 if whole_minutes else 19]
            labels.put(right_km, up_km, text, 7.5, ways, boxed=True)


def stations(axes: Axes, view: View, there: Sequence[Station], labels: Labels) -> None:
    """Stations by what they saw; those are named whose names find a place."""
    on: list[tuple[Station, float, float]] = []
    for station in there:
        site = station.site
        x, y = view.projection.forward(np.array(site.longitude_deg), np.array(site.latitude_deg))
        if math.isfinite(float(x)) and bool(view.holds(x, y)):
            on.append((station, float(x), float(y)))
    for station, x_km, y_km in on:
        colour, mark = MARKS[station.status]
        axes.plot(
            [x_km], [y_km], mark, color=colour, mec="white", mew=0.8, ms=4 if view.whole else 7, zorder=5
        )
        labels.keep_free(x_km, y_km, 3.0)
    if view.whole or len(on) > NAMED:
        return
    for station, x_km, y_km in on:
        labels.put(x_km, y_km, shorten(drawable(station.site.name), 28), 8, _AROUND, zorder=5.2)


def scale_bar(axes: Axes, view: View, labels: Labels) -> None:
    """A length of a round number of kilometres."""
    rough = view.across_km / 2.5
    power = 10.0 ** math.floor(math.log10(rough))
    length = max(m * power for m in (1, 2, 5) if m * power <= rough)
    x, y = -0.94 * view.across_km, -0.93 * view.up_km
    labels.reserve((x, y - 0.03 * view.up_km), (x + length, y + 0.09 * view.up_km))
    axes.plot([x, x + length], [y, y], color=INK, linewidth=2, solid_capstyle="butt", zorder=6)
    axes.text(
        x + length / 2,
        y + 0.015 * view.up_km,
        f"{length:g} km",
        fontsize=8,
        ha="center",
        va="bottom",
        zorder=6,
    )
