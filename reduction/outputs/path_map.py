"""The map of a path: the Earth as the star sees it, and the neighbourhood of the stations."""

import io
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from reduction.geometry.circumstances import geocentric
from reduction.geometry.coast import ABSENT, coast_is_installed, window, world
from reduction.geometry.earth import geodetic_of, itrs_km
from reduction.geometry.maps import RADIUS_KM, Azimuthal
from reduction.geometry.path import ShadowPath, Tick, ticks_between
from reduction.geometry.stations import STATUSES, Station
from reduction.outputs import map_layers as layers
from reduction.outputs.drawing import FAINT, INK, drawable, house_style, shorten
from reduction.outputs.map_labels import Labels
from reduction.outputs.map_layers import DAY, DUSK, MARKS, PATH, SIGMA, View
from reduction.sites import Site
from reduction.timing import utc_text

Floats = NDArray[np.float64]
Format = Literal["png", "svg", "pdf"]

FORMATS: tuple[Format, ...] = ("png", "svg", "pdf")
_LEAST_KM, _MOST_KM = 60.0, 2600.0
_NEAR_KM = 600.0
_LEFT, _RIGHT = (0.012, 0.085, 0.44, 0.785), (0.49, 0.115, 0.47, 0.735)
_SIZE = (13.2, 7.4)


def draw_path_map(path: ShadowPath, stations: Sequence[Station], kind: Format = "png") -> bytes:
    """One format of `draw_path_maps`."""
    return draw_path_maps(path, stations, (kind,))[kind]


def draw_path_maps(
    path: ShadowPath, stations: Sequence[Station], kinds: Sequence[Format] = FORMATS
) -> dict[Format, bytes]:
    """Draw the path of a shadow, over the Earth and near the stations.

    Parameters
    ----------
    path : ShadowPath
        What is drawn.
    stations : sequence of Station
        Coloured by what they saw.
    kinds : sequence of str
        Of ``png``, ``svg`` and ``pdf``.

    Returns
    -------
    dict
        A file of each kind; the same for the same path, stations and installed coastline.
    """
    import matplotlib as mpl

    with house_style(), mpl.rc_context({"svg.hashsalt": "umbra", "svg.fonttype": "none"}):
        figure = Figure(figsize=_SIZE, dpi=110, facecolor="white")
        FigureCanvasAgg(figure)
        _globe(figure, path, stations)
        _near(figure, path, stations)
        _words(figure, path)
        _legend(figure, path, stations)
        return {kind: _bytes(figure, kind) for kind in kinds}


def _globe(figure: Figure, path: ShadowPath, stations: Sequence[Station]) -> None:
    """The side of the Earth that faces the star, when the shadow is half way."""
    x, y, z = path.plane.rotation.itrs_from_gcrs(path.plane.toward, path.middle_ns)
    projection = Azimuthal(math.degrees(math.atan2(y, x)), math.degrees(math.asin(z)), "orthographic")
    view = View(projection, RADIUS_KM * 1.05, RADIUS_KM * 1.05)
    axes = figure.add_axes(_LEFT)
    layers.frame(axes, view)
    layers.land(axes, view, world())
    layers.daylight(axes, view, path)
    layers.graticule(axes, view)
    layers.lines(axes, view, path)
    labels = Labels(axes)
    layers.stations(axes, view, stations, labels)
    layers.instants(axes, view, path.ticks, max(1, math.ceil(len(path.ticks) / 6)), labels)


def _near(figure: Figure, path: ShadowPath, stations: Sequence[Station]) -> None:
    sites = near_sites(path, [station.site for station in stations])
    view = near_view(path, [site.longitude_deg for site in sites], [site.latitude_deg for site in sites])
    _, _, longitude, latitude = view.grid()
    middle = view.projection.longitude_deg
    east = (longitude - middle + 180) % 360 - 180 + middle
    axes = figure.add_axes(_RIGHT)
    layers.frame(axes, view)
    over_pole = float(np.ptp(east)) > 300
    mask = world() if over_pole else window(east.min(), east.max(), latitude.min(), latitude.max())
    layers.land(axes, view, mask)
    layers.daylight(axes, view, path)
    layers.graticule(axes, view)
    layers.lines(axes, view, path)
    labels = Labels(axes)
    layers.scale_bar(axes, view, labels)
    layers.stations(axes, view, stations, labels)
    layers.instants(axes, view, _ticks_near(path, view), 1, labels)


def near_sites(path: ShadowPath, sites: Sequence[Site]) -> list[Site]:
    """Sites that are not far from the path: the regional map is made for them; all, where none is near."""
    traces = [trace for line in path.lines for trace in line.traces]
    if not traces or not sites:
        return list(sites)
    ground = np.concatenate([itrs_km(t.longitude_deg, t.latitude_deg) for t in traces])
    reach = max(_NEAR_KM, 5 * (path.width_km / 2 + (path.sigma_km or 0)))
    near = [
        site
        for site in sites
        if np.linalg.norm(ground - itrs_km(site.longitude_deg, site.latitude_deg), axis=1).min() < reach
    ]
    return near or list(sites)


def near_view(path: ShadowPath, longitudes: Sequence[float], latitudes: Sequence[float]) -> View:
    """The neighbourhood: of the stations and the path's nearest part, else of the middle of the dark path.

    Parameters
    ----------
    path : ShadowPath
        What is drawn.
    longitudes, latitudes : sequence of float
        Of the stations, degrees.
    """
    shape = _RIGHT[2] * _SIZE[0] / (_RIGHT[3] * _SIZE[1])
    least = max(_LEAST_KM, 3 * (path.width_km / 2 + (path.sigma_km or 0)))
    if longitudes:
        centre = itrs_km(np.array(longitudes), np.array(latitudes)).mean(axis=0)
    else:
        centre = _dark_middle(path)
        least = max(least, 900.0)
    lon, lat, _ = geodetic_of(centre)
    projection = Azimuthal(float(lon), float(lat), "equidistant")
    reach = least
    if longitudes:
        x, y = projection.forward(np.array(longitudes), np.array(latitudes))
        reach = max(least, 1.25 * float(np.maximum(np.abs(x) / shape, np.abs(y)).max()))
        reach = max(reach, 1.15 * min(_path_distance(path, projection), _MOST_KM))
    up = min(reach, _MOST_KM)
    return View(projection, up * shape, up)


def _dark_middle(path: ShadowPath) -> Floats:
    """Middle of that part of the path that is dark, with the star up and on land if possible; else of all."""
    line = next((line for line in path.lines if line.traces), None)
    if line is None:
        return np.asarray(path.plane.rotation.itrs_from_gcrs(path.plane.toward, path.middle_ns) * RADIUS_KM)
    places = np.concatenate([itrs_km(t.longitude_deg, t.latitude_deg) for t in line.traces])
    dark = np.concatenate([(t.sun_altitude_deg < -12) & (t.star_altitude_deg > 15) for t in line.traces])
    mask = world()
    if mask is not None:
        lands = [mask.at(t.longitude_deg, t.latitude_deg) > 0.5 for t in line.traces]
        dark = dark & np.concatenate(lands) if (dark & np.concatenate(lands)).any() else dark
    chosen = places[dark] if dark.any() else places
    return np.asarray(chosen[len(chosen) // 2])


def _path_distance(path: ShadowPath, projection: Azimuthal) -> float:
    """From the map's centre to the nearest point of the path, km; infinite where there is no path."""
    nearest = math.inf
    for line in path.lines:
        for trace in line.traces:
            x, y = projection.forward(trace.longitude_deg, trace.latitude_deg)
            nearest = min(nearest, float(np.hypot(x, y).min()))
    return nearest


def _ticks_near(path: ShadowPath, view: View) -> tuple[Tick, ...]:
    """Round instants at which the shadow's centre is on the map."""
    line = path.lines[0]
    times: list[int] = []
    for trace in line.traces:
        x, y = view.projection.forward(trace.longitude_deg, trace.latitude_deg)
        near = np.flatnonzero(np.hypot(x, y) < 1.5 * math.hypot(view.across_km, view.up_km))
        if near.size:
            times += [int(trace.utc_ns[max(int(near[0]) - 1, 0)])]
            times += [int(trace.utc_ns[min(int(near[-1]) + 1, x.size - 1)])]
    if not times:
        return ()
    return ticks_between(path.plane, min(times), max(times), 24, line.offset_km, path.beside_km)


def _words(figure: Figure, path: ShadowPath) -> None:
    prediction, seen = path.plane.prediction, geocentric(path.plane)
    star, body = prediction.star, prediction.body
    figure.text(0.014, 0.955, shorten(drawable(prediction.title), 90), fontsize=16, weight="bold", color=INK)
    facts = [
        f"{utc_text(path.middle_ns, 0)[:16].replace('T', ' ')} UTC",
        f"star {_magnitude(star.magnitude_v)}, drop {_magnitude(star.drop_v_mag)}",
        f"body {_plain(body.diameter_km)} km at {body.distance_au:.4g} au",
        f"shadow {seen.speed_km_s:.3g} km/s, at most {_plain(seen.max_duration_s)} s",
        f"path {_plain(path.width_km)} km wide, "
        + (f"1σ {_plain(path.sigma_km)} km" if path.sigma_km is not None else "no uncertainty stated"),
    ]
    figure.text(0.014, 0.915, "   ·   ".join(facts), fontsize=10.5, color=FAINT)
    at = utc_text(path.middle_ns, 0)[11:16]
    figure.text(
        0.232, 0.062, f"as seen from the star at {at}; daylight then", fontsize=8.5, color=FAINT, ha="center"
    )
    if not path.meets_the_earth:
        figure.text(0.232, 0.84, "the shadow misses the Earth", fontsize=11, color=PATH, ha="center")


def _plain(value: float) -> str:
    """Three figures, never as a power of ten."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _magnitude(value: float | None) -> str:
    return "of unknown magnitude" if value is None else f"{value:.1f} mag"


def _legend(figure: Figure, path: ShadowPath, stations: Sequence[Station]) -> None:
    shown: list[Any] = [
        Line2D([], [], color=PATH, linewidth=1.5, label="centre and limits"),
        Line2D([], [], color=SIGMA, linestyle="--", linewidth=1.1, label="limits ± 1σ"),
        Patch(facecolor=DAY, alpha=0.35, label="Sun up"),
        Patch(facecolor=DUSK, alpha=0.2, label="twilight"),
    ]
    if path.sigma_km is None:
        del shown[1]
    for status in STATUSES:
        count = sum(station.status == status for station in stations)
        if count:
            colour, mark = MARKS[status]
            label = f"{status} ({count})"
            shown.append(
                Line2D([], [], color=colour, marker=mark, linestyle="none", mec="white", ms=8, label=label)
            )
    figure.legend(
        handles=shown, loc="lower center", bbox_to_anchor=(0.5, 0.012), ncols=len(shown), fontsize=9
    )
    notes = "ground at height 0; times UTC"
    if not coast_is_installed():
        notes = f"{ABSENT}; {notes}"
    figure.text(0.985, 0.062, notes, fontsize=7.5, color=FAINT, ha="right")


def _bytes(figure: Figure, kind: Format) -> bytes:
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }[kind]
    figure.savefig(buffer, format=kind, metadata=metadata, dpi=110)
    return buffer.getvalue()
