"""A path and its stations as documents: JSON, CSV, GeoJSON (RFC 7946) and KML (OGC 2.2)."""

import csv
import html
import io
from collections.abc import Iterator, Sequence
from typing import Any

from reduction.geometry.circumstances import Circumstances, Contact, geocentric
from reduction.geometry.path import GroundLine, ShadowPath, Trace
from reduction.geometry.stations import Station
from reduction.geometry.uncertainty import path_error
from reduction.timing import utc_text

_COLOURS = {"centre": "ff2c20b3", "limit": "ff2c20b3", "sigma": "ff934c6a"}
_PLACE_DIGITS = 6

STATION_COLUMNS = (
    "name",
    "status",
    "latitude_deg",
    "longitude_deg",
    "altitude_m",
    "predicted_utc",
    "time_sigma_s",
    "offset_km",
    "side",
    "offset_sigma_km",
    "probability",
    "chord_km",
    "duration_s",
    "d_utc",
    "r_utc",
    "d_normal_km_s",
    "r_normal_km_s",
    "d_position_angle_deg",
    "r_position_angle_deg",
    "f_km",
    "g_km",
    "velocity_km_s",
    "star_altitude_deg",
    "star_azimuth_deg",
    "sun_altitude_deg",
    "darkness",
    "moon_distance_deg",
    "moon_altitude_deg",
    "moon_lit",
    "note",
)


def line_label(line: GroundLine) -> str:
    """``centre``, ``northern limit``, ``southern limit + 1 sigma``."""
    if line.name == "centre":
        return "centre"
    side = "northern" if line.offset_km > 0 else "southern"
    return f"{side} limit" + (" + 1 sigma" if line.name == "sigma" else "")


def station_row(station: Station, seen: Circumstances) -> dict[str, Any]:
    """One station: what it may expect; None where there is nothing."""
    d, r = seen.disappearance, seen.reappearance
    values = (
        station.site.name,
        station.status,
        station.site.latitude_deg,
        station.site.longitude_deg,
        station.site.altitude_m,
        utc_text(seen.mid_ns, 3),
        _rounded(seen.time_sigma_s, 3),
        _rounded(seen.offset_km, 4),
        seen.side,
        _rounded(seen.across_sigma_km, 4),
        _rounded(seen.probability, 6),
        _rounded(seen.chord_km, 4),
        _rounded(seen.duration_s, 4),
        *(_contact(d, r)),
        _rounded(seen.f_km, 4),
        _rounded(seen.g_km, 4),
        _rounded(seen.speed_km_s, 5),
        _rounded(seen.star_altitude_deg, 2),
        _rounded(seen.star_azimuth_deg, 2),
        _rounded(seen.sun_altitude_deg, 2),
        seen.darkness,
        _rounded(seen.moon.from_star_deg, 1),
        _rounded(seen.moon.altitude_deg, 1),
        _rounded(seen.moon.lit, 3),
        station.note,
    )
    return dict(zip(STATION_COLUMNS, values, strict=True))


def _contact(d: Contact | None, r: Contact | None) -> Iterator[Any]:
    both = (d, r)
    yield from (None if one is None else utc_text(one.utc_ns, 3) for one in both)
    yield from (None if one is None else _rounded(one.normal_velocity_km_s, 4) for one in both)
    yield from (None if one is None else _rounded(one.position_angle_deg, 2) for one in both)


def stations_csv(stations: Sequence[Station], seen: Sequence[Circumstances]) -> str:
    """The table of stations."""
    text = io.StringIO()
    writer = csv.DictWriter(text, STATION_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(station_row(one, what) for one, what in zip(stations, seen, strict=True))
    return text.getvalue()


def path_csv(path: ShadowPath) -> str:
    """Every point of every line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = (
        "line",
        "offset_km",
        "utc",
        "longitude_deg",
        "latitude_deg",
        "star_altitude_deg",
        "sun_altitude_deg",
    )
    writer.writerow(columns)
    for line in path.lines:
        for trace in line.traces:
            numbers = (
                trace.longitude_deg,
                trace.latitude_deg,
                trace.star_altitude_deg,
                trace.sun_altitude_deg,
            )
            for k, at in enumerate(trace.utc_ns):
                places = (
                    f"{column[k]:.{_PLACE_DIGITS if n < 2 else 2}f}" for n, column in enumerate(numbers)
                )
                writer.writerow([line_label(line), f"{line.offset_km:.4f}", utc_text(int(at), 3), *places])
    return text.getvalue()


def path_document(
    path: ShadowPath, stations: Sequence[Station], seen: Sequence[Circumstances], notes: Sequence[str]
) -> dict[str, Any]:
    """What is known of the event, without the points of the path."""
    plane, centre = path.plane, geocentric(path.plane)
    error = path_error(plane)
    prediction = plane.prediction
    return {
        "title": prediction.title,
        "event_id": prediction.event_id,
        "elements_epoch_utc": utc_text(prediction.elements.epoch_ns, 3),
        "axes": "f east, g north: star minus body's centre, km, ICRS; angles from north through east",
        "geocentric": {
            "shadow_speed_km_s": _rounded(centre.speed_km_s, 5),
            "motion_position_angle_deg": _rounded(centre.motion_angle_deg, 3),
            "max_duration_s": _rounded(centre.max_duration_s, 4),
            "max_duration_stated_s": prediction.elements.max_duration_s,
            "path_sigma_km": _rounded(centre.across_sigma_km, 4),
            "time_sigma_s": _rounded(centre.time_sigma_s, 4),
            "uncertainty_from": None if error is None else error.basis,
        },
        "path": {
            "meets_the_earth": path.meets_the_earth,
            "width_km": _rounded(path.width_km, 4),
            "lines": [line_label(line) for line in path.lines if line.traces],
        },
        "prediction": prediction.model_dump(mode="json"),
        "stations": [station_row(one, what) for one, what in zip(stations, seen, strict=True)],
        "notes": list(notes),
    }


def path_geojson(
    path: ShadowPath, stations: Sequence[Station], seen: Sequence[Circumstances]
) -> dict[str, Any]:
    """Lines, instants and stations as a feature collection: WGS84, longitude first, cut at the date line."""
    features: list[dict[str, Any]] = []
    for line in path.lines:
        if line.traces:
            shape = {"type": "MultiLineString", "coordinates": [_coordinates(trace) for trace in line.traces]}
            begin, end = line.traces[0].utc_ns[0], line.traces[-1].utc_ns[-1]
            properties: dict[str, Any] = {
                "kind": line.name,
                "name": line_label(line),
                "offset_km": _rounded(line.offset_km, 4),
                "utc_begin": utc_text(int(begin), 1),
                "utc_end": utc_text(int(end), 1),
                "sun_altitude_deg": [
                    [_rounded(a, 1) for a in trace.sun_altitude_deg] for trace in line.traces
                ],
            }
            features.append(_feature(shape, properties))
    for tick in path.ticks:
        place = [round(tick.longitude_deg, _PLACE_DIGITS), round(tick.latitude_deg, _PLACE_DIGITS)]
        features.append(_point(place, {"kind": "instant", "name": utc_text(tick.utc_ns, 0)}))
    for station, what in zip(stations, seen, strict=True):
        site = station.site
        place = [site.longitude_deg, site.latitude_deg, site.altitude_m]
        features.append(_point(place, {"kind": "station", **station_row(station, what)}))
    return {"type": "FeatureCollection", "features": features}


def path_kml(path: ShadowPath, stations: Sequence[Station], seen: Sequence[Circumstances]) -> str:
    """The same for globe viewers."""
    rows = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<kml xmlns="http://www.opengis.net/kml/2.2">',
        f"<Document><name>{_xml(path.plane.prediction.title)}</name>",
        *(
            f'<Style id="{name}"><LineStyle><color>{colour}</color><width>2</width></LineStyle></Style>'
            for name, colour in _COLOURS.items()
        ),
    ]
    for line in path.lines:
        for trace in line.traces:
            places = " ".join(f"{lon},{lat},0" for lon, lat in _coordinates(trace))
            rows.append(
                f"<Placemark><name>{line_label(line)}</name><styleUrl>#{line.name}</styleUrl><LineString>"
                f"<tessellate>1</tessellate><coordinates>{places}</coordinates></LineString></Placemark>"
            )
    for tick in path.ticks:
        at = utc_text(tick.utc_ns, 0)
        place = f"{tick.longitude_deg:.{_PLACE_DIGITS}f},{tick.latitude_deg:.{_PLACE_DIGITS}f},0"
        rows.append(_placemark(at[11:19], f"{at}: centre of the shadow", place))
    for station, what in zip(stations, seen, strict=True):
        site = station.site
        words = f"{station.status}; {utc_text(what.mid_ns, 1)}, {what.offset_km:+.2f} km from the centre"
        place = f"{site.longitude_deg},{site.latitude_deg},{site.altitude_m}"
        rows.append(_placemark(site.name or "station", words, place))
    return "\n".join([*rows, "</Document></kml>", ""])


def _placemark(name: str, description: str, place: str) -> str:
    return (
        f"<Placemark><name>{_xml(name)}</name><description>{_xml(description)}</description>"
        f"<Point><coordinates>{place}</coordinates></Point></Placemark>"
    )


def _xml(text: str) -> str:
    return html.escape("".join(c if c.isprintable() else " " for c in text), quote=False)


def _coordinates(trace: Trace) -> list[list[float]]:
    return [
        [round(float(lon), _PLACE_DIGITS), round(float(lat), _PLACE_DIGITS)]
        for lon, lat in zip(trace.longitude_deg, trace.latitude_deg, strict=True)
    ]


def _point(place: list[float], properties: dict[str, Any]) -> dict[str, Any]:
    return _feature({"type": "Point", "coordinates": place}, properties)


def _feature(shape: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": shape, "properties": properties}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
