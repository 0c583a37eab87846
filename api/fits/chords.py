"""Chords of a campaign: every station's times laid into the sky plane, as JSON and CSV."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from api.equipment.places import rough_place
from api.fits.stations import Stated
from reduction.errors import UmbraError
from reduction.geometry.prediction import Prediction as Predicted
from reduction.geometry.skyplane import SkyPlane, sky_plane
from reduction.limb.chords import Chord, Moment, Place, Station, lay_chord
from reduction.plan import Settings
from reduction.sites import Site
from reduction.timing import utc_text

PLANES = 64
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
NO_GEOMETRY = "the prediction has no elements: the chords cannot be laid into the sky plane"


class PlaceView(Settings):
    """A station's place, geodetic WGS 84; not exact: to 0.01 degrees and 100 m, for others than the team."""

    latitude_deg: float
    longitude_deg: float
    height_m: float
    exact: bool


class ResultOfChord(Settings):
    """Which version of an observation's results is used."""

    id: str
    version: int
    edition: str


class CurveOfChord(Settings):
    """Which of the light curves is used that the observer sent."""

    id: str
    name: str
    sha256: str


class EndView(Settings):
    """An end of a chord: UTC and its one-sigma error; place in the sky plane.

    Attributes
    ----------
    f_km, g_km : float or None
        East and north of the predicted centre, km at the body's distance, ICRS axes.
    sigma_km : float or None
        One sigma along the star's motion, of the time alone; `f_sigma_km`, `g_sigma_km` its parts.
    """

    utc: str
    sigma_s: float
    f_km: float | None
    g_km: float | None
    sigma_km: float | None
    f_sigma_km: float | None
    g_sigma_km: float | None


class ChoiceView(Settings):
    """What the team decided of a station, and when."""

    excluded: bool
    source: Literal["result", "curve", "report"] | None
    version: int | None
    file: str | None
    reason: str
    chosen: datetime


class ChordView(Settings):
    """A station of a campaign, and its chord.

    Attributes
    ----------
    state : str
        ``positive``, ``negative``, ``overcast``, ``technical_failure``, ``planned`` or ``unknown``.
    source : str
        Where the times come from: the reduction of a recording, a light curve that the observer sent, the
        observer's report, or nowhere.
    result : ResultOfChord or None
    curve : CurveOfChord or None
    latest : int or None
        The latest version of its results.
    choice : ChoiceView or None
        The team's decision.
    used, why : bool, str
        Whether it takes part in a fit; why not.
    d, r : EndView or None
        Disappearance and reappearance.
    length_km, length_sigma_km : float or None
        Of the chord.
    across_km : float or None
        Distance from the predicted centre, positive to the left of the star's motion.
    watched_from, watched_to : str or None
        When the star was watched: a negative one constrains the limb then.
    telescope, aperture_mm, camera : str, float or None, str
        As the observer names them.
    """

    observation: str
    station: str
    observer: str
    state: str
    place: PlaceView
    source: Literal["result", "curve", "report", "none"]
    result: ResultOfChord | None
    curve: CurveOfChord | None
    latest: int | None
    choice: ChoiceView | None
    used: bool
    why: str
    d: EndView | None
    r: EndView | None
    length_km: float | None
    length_sigma_km: float | None
    across_km: float | None
    closest_utc: str | None
    velocity_km_s: float | None
    exposure_s: float | None
    shortest_s: float | None
    watched_from: str | None
    watched_to: str | None
    telescope: str
    aperture_mm: float | None
    camera: str
    notes: tuple[str, ...]


class ChordList(Settings):
    """Chords of a campaign, in order across the shadow where its geometry is known.

    Attributes
    ----------
    exact : bool
        Places are exact: for the team. For others they are rounded, and chords laid from there.
    problem : str
        Why there is no geometry; empty where there is.
    """

    campaign: str
    exact: bool
    problem: str
    items: tuple[ChordView, ...]


@lru_cache(maxsize=PLANES)
def plane_of(elements: str) -> SkyPlane:
    """Sky plane of a prediction, by its JSON text. Raises `DataError`."""
    return sky_plane(Predicted.model_validate_json(elements))


def chord_list(campaign: str, elements: dict[str, Any], rows: Sequence[Stated], exact: bool) -> ChordList:
    """What is told of a campaign's chords.

    Parameters
    ----------
    elements : dict
        Of the prediction; empty where there are none.
    exact : bool
        Whether the places may be known.
    """
    plane, problem = None, NO_GEOMETRY
    if elements:
        try:
            plane, problem = plane_of(json.dumps(elements, sort_keys=True)), ""
        except UmbraError as error:
            problem = str(error)
    items = [_view(one, plane, exact) for one in rows]
    if plane is not None:
        items.sort(key=lambda one: math.inf if one.across_km is None else one.across_km)
    return ChordList(campaign=campaign, exact=exact, problem=problem, items=tuple(items))


def _view(one: Stated, plane: SkyPlane | None, exact: bool) -> ChordView:
    row, choice, result = one.of.observation, one.of.choice, one.taken.result
    place = place_of(one, exact)
    station = one.station
    chord = None if plane is None else _laid(plane, one, place)
    return ChordView(
        observation=row.id,
        station=row.station,
        observer=one.of.observer,
        state=one.state,
        place=place,
        source=one.taken.source,
        result=None
        if result is None
        else ResultOfChord(id=result.id, version=result.version, edition=result.edition),
        curve=None
        if one.taken.curve is None
        else CurveOfChord(id=one.taken.curve.id, name=one.taken.curve.name, sha256=one.taken.curve.sha256),
        latest=one.of.results[0].version if one.of.results else None,
        choice=None
        if choice is None
        else ChoiceView(
            excluded=choice.excluded,
            source=choice.source or None,  # type: ignore[arg-type]  # no other is written
            version=choice.version,
            file=choice.file,
            reason=choice.reason,
            chosen=choice.chosen,
        ),
        used=one.used,
        why=one.why,
        d=None if station is None else _end(station.d, None if chord is None else chord.d),
        r=None if station is None else _end(station.r, None if chord is None else chord.r),
        **_across(station, chord),
        exposure_s=None if station is None else station.exposure_s,
        shortest_s=None if station is None or not station.shortest_s else station.shortest_s,
        watched_from=_text(None if station is None else station.from_ns),
        watched_to=_text(None if station is None else station.to_ns),
        telescope="" if one.of.telescope is None else one.of.telescope.name,
        aperture_mm=None if one.of.telescope is None else one.of.telescope.details.get("aperture_mm"),
        camera="" if one.of.camera is None else one.of.camera.name,
        notes=one.notes,
    )


def place_of(one: Stated, exact: bool) -> PlaceView:
    """A station's place, as it may be known."""
    site = one.of.site
    if exact:
        return PlaceView(
            latitude_deg=site.latitude_deg,
            longitude_deg=site.longitude_deg,
            height_m=site.height_m,
            exact=True,
        )
    rough = rough_place(site.latitude_deg, site.longitude_deg, site.height_m)
    return PlaceView(**rough.model_dump(), exact=False)


def _laid(plane: SkyPlane, one: Stated, place: PlaceView) -> Chord | None:
    """The chord as seen from `place`; of a station that cannot be used, its path alone."""
    site = Site(
        latitude_deg=place.latitude_deg,
        longitude_deg=place.longitude_deg,
        altitude_m=min(max(place.height_m, -500.0), 9000.0),
    )
    station = Station(one.name, site, "none") if one.station is None else replace(one.station, site=site)
    try:
        return lay_chord(plane, station)
    except UmbraError:
        return None


def _end(moment: Moment | None, place: Place | None) -> EndView | None:
    if moment is None:
        return None
    utc, sigma = utc_text(moment.utc_ns, 6), moment.sigma_s
    if place is None:
        return EndView(
            utc=utc, sigma_s=sigma, f_km=None, g_km=None, sigma_km=None, f_sigma_km=None, g_sigma_km=None
        )
    return EndView(
        utc=utc,
        sigma_s=sigma,
        f_km=round(place.f_km, 3),
        g_km=round(place.g_km, 3),
        sigma_km=round(place.speed_km_s * sigma, 4),
        f_sigma_km=round(abs(place.f_km_s) * sigma, 4),
        g_sigma_km=round(abs(place.g_km_s) * sigma, 4),
    )


def _across(station: Station | None, chord: Chord | None) -> dict[str, Any]:
    """Length, distance from the centre, and speed."""
    if chord is None:
        names = ("length_km", "length_sigma_km", "across_km", "closest_utc", "velocity_km_s")
        return dict.fromkeys(names)
    length, error = chord.length_km, None
    ends = (chord.d, chord.r)
    if station is not None and station.d is not None and station.r is not None and None not in ends:
        sigmas = (station.d.sigma_s, station.r.sigma_s)
        parts = [one.speed_km_s * sigma for one, sigma in zip(ends, sigmas, strict=True) if one is not None]
        error = round(math.hypot(*parts), 4)
    return {
        "length_km": None if length is None else round(length, 3),
        "length_sigma_km": error,
        "across_km": round(chord.across_km, 3),
        "closest_utc": utc_text(chord.closest.utc_ns, 3),
        "velocity_km_s": round(chord.closest.speed_km_s, 4),
    }


def _text(utc_ns: int | None) -> str | None:
    return None if utc_ns is None else utc_text(utc_ns, 3)


COLUMNS = (
    "station", "observer", "state", "used", "why", "latitude_deg", "longitude_deg", "height_m", "source",
    "version", "d_utc", "d_sigma_s", "d_f_km", "d_g_km", "d_sigma_km", "r_utc", "r_sigma_s", "r_f_km",
    "r_g_km", "r_sigma_km", "length_km", "length_sigma_km", "across_km", "closest_utc", "velocity_km_s",
    "exposure_s", "shortest_s", "watched_from", "watched_to", "telescope", "aperture_mm", "camera", "notes",
    "observation",
)  # fmt: skip


def table_of(found: ChordList) -> Iterator[dict[str, Any]]:
    """Rows of the table of chords, by `COLUMNS`; what is not known is None."""
    for one in found.items:
        row: dict[str, Any] = one.model_dump() | one.place.model_dump()
        row |= {f"{name}_{key}": value for name in "dr" for key, value in (row[name] or {}).items()}
        row |= {
            "used": "yes" if one.used else "no",
            "version": None if one.result is None else one.result.version,
            "notes": "; ".join(one.notes),
        }
        yield {name: row.get(name) for name in COLUMNS}


def chords_csv(found: ChordList) -> str:
    """The same as CSV; what is not known is empty, and no cell of text is a formula."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in table_of(found))
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
