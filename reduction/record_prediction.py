"""What a prediction (occelmnt XML) tells of the event that is reported."""

from pathlib import Path
from typing import Any

from reduction.errors import RequestError
from reduction.geometry.circumstances import circumstances
from reduction.geometry.occelmnt import read_occelmnt
from reduction.geometry.prediction import Prediction
from reduction.geometry.skyplane import sky_plane
from reduction.reports.reading import star_of
from reduction.sites import Site
from reduction.utc import utc_line


def predicted(path: Path, event: str | None, site: Site | None) -> tuple[dict[str, Any], list[str]]:
    """Body, star and prediction as a raw record, and what is to be said of them.

    The predicted time is that of closest approach at the site; without a site it stays empty.

    Parameters
    ----------
    path : Path
        An occelmnt file.
    event : str or None
        Number of the event in the file (1 the first), its id, or part of body and star; needed where the
        file holds several.
    site : Site or None
        The station.

    Raises
    ------
    RequestError
        No event, or more than one, is meant.
    DataError
        The file holds no readable prediction.
    """
    file = read_occelmnt(path)
    one = _chosen(file.predictions, event, path)
    notes = [f"{path.name}: {one.title}", *file.notes]
    if site is None:
        notes.append("the predicted time depends on the place: state latitude and longitude")
    return raw_prediction(one, site), notes


def raw_prediction(one: Prediction, site: Site | None) -> dict[str, Any]:
    """Body, star and prediction as a raw record; with a site, when and for how long it is predicted there."""
    star, body = one.star, one.body
    raw: dict[str, Any] = {
        "asteroid": {
            "number": body.number,
            "name": body.name,
            "diameter_km": body.diameter_km,
            "diameter_sigma_km": body.diameter_sigma_km,
            "magnitude": body.magnitude_v if body.magnitude_v is not None else body.magnitude,
        },
        "star": star_of(star.name)
        | {
            "ra_deg": star.ra_deg % 360,
            "dec_deg": star.dec_deg,
            "apparent_ra_deg": None if star.apparent_ra_hours is None else star.apparent_ra_hours * 15 % 360,
            "apparent_dec_deg": star.apparent_dec_deg,
            "magnitude": star.magnitude_v,
            "diameter_mas": star.diameter_mas,
            "ruwe": one.errors.ruwe,
        },
        "prediction": {"source": one.elements.source},
    }
    if site is not None:
        here = circumstances(sky_plane(one), [site])[0]
        raw["prediction"]["utc"] = utc_line(here.mid_ns)
        if here.duration_s > 0:
            raw["prediction"]["duration_s"] = here.duration_s
    return {table: {k: v for k, v in values.items() if v is not None} for table, values in raw.items()}


def _chosen(predictions: tuple[Prediction, ...], event: str | None, path: Path) -> Prediction:
    wanted = list(predictions)
    if event is not None:
        if event.isdecimal() and 1 <= int(event) <= len(predictions):
            return predictions[int(event) - 1]
        lower = event.lower()
        wanted = [one for one in predictions if one.event_id == event or lower in one.title.lower()]
    if len(wanted) != 1:
        listed = "; ".join(f"{k} {one.title}" for k, one in enumerate(predictions[:12], 1))
        found = "none is meant" if not wanted else f"{len(wanted)} may be meant"
        raise RequestError(f"{path}: {found}; say which by --event NUMBER: {listed}")
    return wanted[0]
