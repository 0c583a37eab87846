"""The paths of many campaigns on one map: their centre lines, thinned."""

import json
from collections.abc import Sequence
from typing import Any

from api.campaigns.campaign_views import CampaignView
from api.campaigns.paths import path_text

MOST = 40
"""Paths of an overview; each takes some hundredths of a second the first time."""
EVERY = 6
DIGITS = 3


def overview(campaigns: Sequence[tuple[CampaignView, str]]) -> dict[str, Any]:
    """Centre lines as a feature collection (RFC 7946): every sixth point of `path.geojson`, to 0.001 degrees.

    Parameters
    ----------
    campaigns : sequence of (CampaignView, str)
        With the content of the prediction. The first `MOST` are shown; `complete` tells whether that is all.

    Returns
    -------
    dict
        One feature each; a campaign whose shadow misses the Earth has none.
    """
    features = [_feature(view, content) for view, content in campaigns[:MOST]]
    return {
        "type": "FeatureCollection",
        "complete": len(campaigns) <= MOST,
        "features": [one for one in features if one is not None],
    }


def _feature(view: CampaignView, content: str) -> dict[str, Any] | None:
    found = json.loads(path_text(content, "geojson"))["features"]
    line = next((one for one in found if one["geometry"]["type"] == "MultiLineString"), None)
    if line is None:
        return None
    parts = [_rough(_thinned(part)) for part in line["geometry"]["coordinates"]]
    return {
        "type": "Feature",
        "geometry": {"type": "MultiLineString", "coordinates": parts},
        "properties": {
            "campaign": view.id,
            "name": view.name,
            "at": view.prediction.at.isoformat(),
            "star_mag": view.prediction.star_mag,
            "line": line["properties"]["name"],
            "sun_altitude_deg": [_thinned(part) for part in line["properties"]["sun_altitude_deg"]],
        },
    }


def _thinned(points: list[Any]) -> list[Any]:
    """Every sixth, and the last one."""
    kept = points[::EVERY]
    return kept if len(points) % EVERY == 1 else [*kept, points[-1]]


def _rough(points: list[list[float]]) -> list[list[float]]:
    return [[round(east, DIGITS), round(north, DIGITS)] for east, north in points]
