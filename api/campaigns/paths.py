"""Paths and circumstances of predictions: computed outside transactions, kept by their content."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from api.campaigns.tables import Prediction
from api.problems import RefusedError

Form = Literal["json", "geojson", "kml", "csv"]
KEPT = 128
"""Documents; the longest has some 200 kB."""
PLACES = 4096
LOWEST_M, HIGHEST_M = -500.0, 9000.0
"""No ground is beyond."""


def content_of(row: Prediction) -> str:
    """The elements of a prediction as text, by which results are kept.

    Raises
    ------
    RefusedError
        409: it has none.
    """
    if not row.elements:
        raise RefusedError(409, "this prediction has no elements: its path cannot be computed")
    return json.dumps(row.elements, sort_keys=True)


def _plane(content: str) -> Any:
    from reduction.geometry.prediction import Prediction as Predicted
    from reduction.geometry.skyplane import sky_plane

    return sky_plane(Predicted.model_validate_json(content))


@lru_cache(maxsize=KEPT)
def path_text(content: str, form: Form) -> str:
    """The path of a prediction's shadow as a document."""
    from reduction.geometry.path import shadow_path
    from reduction.geometry.path_files import path_csv, path_document, path_geojson, path_kml

    path = shadow_path(_plane(content))
    if form == "csv":
        return path_csv(path)
    if form == "kml":
        return path_kml(path, (), ())
    document = path_geojson(path, (), ()) if form == "geojson" else path_document(
        path, (), (), path.plane.contradictions()
    )  # fmt: skip
    return json.dumps(document, ensure_ascii=False)


@lru_cache(maxsize=PLACES)
def station_text(content: str, name: str, latitude_deg: float, longitude_deg: float, height_m: float) -> str:
    """What a place may expect, as JSON: the columns of `reduction.geometry.path_files.STATION_COLUMNS`."""
    from reduction.geometry.circumstances import circumstances
    from reduction.geometry.path_files import station_row
    from reduction.geometry.stations import Station
    from reduction.sites import Site

    site = Site(name=name, latitude_deg=latitude_deg, longitude_deg=longitude_deg, altitude_m=height_m)
    seen = circumstances(_plane(content), [site])[0]
    row = station_row(Station(site), seen)
    del row["status"], row["note"]
    return json.dumps(row | {"visible": seen.visible})


def map_of(
    content: str, stations: Sequence[tuple[str, str, float, float, float]], form: Literal["png", "svg"]
) -> bytes:
    """The path and stations as a picture; takes about a second.

    Parameters
    ----------
    stations : sequence of (name, status, latitude_deg, longitude_deg, height_m)
    """
    from reduction.geometry.path import shadow_path
    from reduction.geometry.stations import Station
    from reduction.outputs.path_map import draw_path_map
    from reduction.sites import Site

    shown = [
        Station(
            Site(
                name=name,
                latitude_deg=latitude,
                longitude_deg=longitude,
                altitude_m=min(max(height, LOWEST_M), HIGHEST_M),
            ),
            status,
        )
        for name, status, latitude, longitude, height in stations
    ]
    return draw_path_map(shadow_path(_plane(content)), shown, form)
