"""The files of `umbra path`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reduction.geometry.circumstances import Circumstances
from reduction.geometry.occelmnt_text import write_occelmnt
from reduction.geometry.path import ShadowPath
from reduction.geometry.path_files import path_csv, path_geojson, path_kml, stations_csv
from reduction.geometry.stations import Station


def write_path_files(
    folder: Path,
    path: ShadowPath,
    stations: Sequence[Station],
    seen: Sequence[Circumstances],
    document: dict[str, Any],
) -> None:
    """Write the map in three formats, the lines, the stations, the prediction and ``summary.json``.

    Parameters
    ----------
    folder : Path
        An empty folder.
    path : ShadowPath
        The path.
    stations, seen : sequence
        Stations and what they may expect.
    document : dict
        What goes into ``summary.json``, with its ``schema``; the names of the files are added.
    """
    from reduction.outputs.path_map import draw_path_maps

    texts = {
        "path.csv": path_csv(path),
        "path.geojson": json.dumps(path_geojson(path, stations, seen), allow_nan=False) + "\n",
        "path.kml": path_kml(path, stations, seen),
        "prediction.xml": write_occelmnt([path.plane.prediction]),
        "stations.csv": stations_csv(stations, seen),
    }
    pictures = {f"map.{kind}": data for kind, data in draw_path_maps(path, stations).items()}
    document["files"] = sorted([*texts, *pictures, "summary.json"])
    texts["summary.json"] = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
