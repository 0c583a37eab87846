"""A campaign's study as ``chords.csv``, ``limb.json`` and text."""

import csv
import io
import math
from typing import Any

import numpy as np

from reduction.events.results import LEVELS, Figure
from reduction.limb.chords import Moment, Place
from reduction.limb.ellipse import LimbFit
from reduction.limb.offsets import Offset
from reduction.limb.shape import Ellipse
from reduction.limb.study import ChordStudy
from reduction.timing import utc_text
from reduction.version import VERSION

SCHEMA = "umbra-limb-1"
COLUMNS = (
    "station", "latitude_deg", "longitude_deg", "altitude_m", "status", "across_km", "closest_utc",
    "velocity_km_s", "d_utc", "d_sigma_s", "d_f_km", "d_g_km", "d_residual_s", "d_residual_sigma_s",
    "r_utc", "r_sigma_s", "r_f_km", "r_g_km", "r_residual_s", "r_residual_sigma_s", "length_km",
    "shift_s", "shift_sigma_s", "shift_chance", "leverage",
)  # fmt: skip
UNITS = {
    "f_km": ("centre east of the prediction", "km"),
    "g_km": ("centre north of the prediction", "km"),
    "semi_major_km": ("semi-major axis", "km"),
    "semi_minor_km": ("semi-minor axis", "km"),
    "diameter_km": ("area-equivalent diameter", "km"),
    "oblateness": ("apparent flattening", ""),
    "pa_deg": ("position angle of the major axis", "deg"),
    "relief_km": ("relief of the limb, 1 sigma", "km"),
}


def rows(study: ChordStudy) -> list[dict[str, Any]]:
    """One row for each station, in order across the shadow."""
    limb = study.limb
    shifts = {study.kept[one.chord]: one for one in study.offsets.each}
    shifts |= {study.kept[one.chord]: one for one in study.offsets.named}
    answer = []
    for index in sorted(range(len(study.chords)), key=lambda k: study.chords[k].across_km):
        chord = study.chords[index]
        station = chord.station
        row: dict[str, Any] = {
            "station": station.name,
            "latitude_deg": round(station.site.latitude_deg, 6),
            "longitude_deg": round(station.site.longitude_deg, 6),
            "altitude_m": station.site.altitude_m,
            "status": station.status,
            "across_km": round(chord.across_km, 3),
            "closest_utc": utc_text(chord.closest.utc_ns, 3),
            "velocity_km_s": round(chord.closest.speed_km_s, 4),
            "length_km": None if chord.length_km is None else round(chord.length_km, 3),
        }
        row |= _edge("d", station.d, chord.d) | _edge("r", station.r, chord.r)
        if index in study.kept:
            position = study.kept.index(index)
            row |= _residuals(study, limb, position)
            row["leverage"] = round(limb.influence[position].leverage, 3)
        if index in shifts:
            one = shifts[index]
            row |= {
                "shift_s": round(one.shift_s, 4),
                "shift_sigma_s": round(one.sigma_s, 4),
                "shift_chance": float(f"{one.chance:.3g}"),
            }
        answer.append(row)
    return answer


def _edge(name: str, moment: Moment | None, place: Place | None) -> dict[str, Any]:
    if moment is None or place is None:
        return {}
    return {
        f"{name}_utc": utc_text(moment.utc_ns, 4),
        f"{name}_sigma_s": moment.sigma_s,
        f"{name}_f_km": round(place.f_km, 3),
        f"{name}_g_km": round(place.g_km, 3),
    }


def _residuals(study: ChordStudy, limb: LimbFit, position: int) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    named = {one.chord for one in study.offsets.named}
    for edge in np.flatnonzero(study.times.owner == position):
        name = "d" if study.times.side[edge] < 0 else "r"
        answer[f"{name}_residual_s"] = round(float(limb.residual_s[edge]), 4)
        if position not in named:  # a free clock has no error to compare with
            answer[f"{name}_residual_sigma_s"] = round(float(limb.residual_sigma_s[edge]), 4)
    return answer


def chords_csv(study: ChordStudy) -> str:
    """``chords.csv``; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows(study):
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
    return text.getvalue()


def document(study: ChordStudy) -> dict[str, Any]:
    """``limb.json``: plain values only."""
    place = study.place
    names = [study.chords[k].station.name for k in study.kept]
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "event": study.campaign.prediction.event_id,
        "title": study.campaign.prediction.title,
        "levels": LEVELS,
        "fit": _fit(study.fit, names),
        "fit_with_named_stations_free": None if study.released is None else _fit(study.released, names),
        "named": [_offset(one, names) for one in study.offsets.named],
        "astrometry": {
            "utc": utc_text(place.utc_ns, 3),
            "seen_from": {
                "latitude_deg": place.site.latitude_deg,
                "longitude_deg": place.site.longitude_deg,
                "altitude_m": place.site.altitude_m,
            },
            "star_ra_deg": place.star_ra_deg,
            "star_dec_deg": place.star_dec_deg,
            "star_sigma_mas": place.star_sigma_mas,
            "ra_deg": place.ra_deg,
            "dec_deg": place.dec_deg,
            "body_less_star_arcsec": [place.east_arcsec, place.north_arcsec],
            "sigma_arcsec": place.sigma_arcsec,
            "correlation": place.correlation,
            "observed_less_predicted_mas": place.offset_mas,
            "observed_less_predicted_sigma_mas": place.offset_sigma_mas,
        },
        "chords": rows(study),
        "notes": [{"kind": note.caveat.value, "message": note.message} for note in study.notes],
    }


def _fit(fit: LimbFit, names: list[str]) -> dict[str, Any]:
    return {
        "model": fit.model,
        "figures": {
            name: _figure(one)
            for name, one in fit.figures.items()
            if name != "pa_deg" or fit.model == "ellipse"
        },
        "position_angle_determined": fit.pa_determined,
        "centre_covariance_km2": fit.centre_covariance.tolist(),
        "chi2_reduced": None if math.isnan(fit.chi2_reduced) else fit.chi2_reduced,
        "degrees_of_freedom": fit.freedom,
        "solutions": [
            {"probability": one.probability, "chi2": one.chi2, **_ellipse(one.ellipse)}
            for one in fit.solutions
        ],
        "influence": [
            {
                "station": names[one.chord],
                "leverage": one.leverage,
                "without_it_moves": one.moves,
                "by_sigmas": one.by_sigma,
            }
            for one in fit.influence
        ],
        "effective_draws": fit.sample.effective,
    }


def _figure(one: Figure) -> dict[str, Any]:
    return {"value": one.value, "sigma": one.sigma, "intervals": [list(span) for span in one.intervals]}


def _ellipse(one: Ellipse) -> dict[str, float]:
    return {
        "f_km": one.f_km,
        "g_km": one.g_km,
        "semi_major_km": one.a_km,
        "semi_minor_km": one.b_km,
        "pa_deg": one.pa_deg,
    }


def _offset(one: Offset, names: list[str]) -> dict[str, Any]:
    return {
        "station": names[one.chord],
        "late_s": one.shift_s,
        "sigma_s": one.sigma_s,
        "chance": one.chance,
        "odds_against_another_station": one.odds,
        "length_sigmas": one.length_sigmas,
        "causes": [
            {
                "name": cause.name,
                "value_s": cause.value_s,
                "probability": cause.probability,
                "text": cause.text,
            }
            for cause in one.causes
        ],
    }


def text(study: ChordStudy) -> str:
    """The study for people."""
    lines = [study.campaign.prediction.title, "", *_chord_lines(study), ""]
    lines += _fit_lines(study.fit, "limb" if study.released is None else "limb, all times as given")
    if study.released is not None:
        lines += ["", *_offset_lines(study), "", *_fit_lines(study.released, "limb, those times free")]
    place = study.place
    east, north = place.offset_mas
    sigma_east, sigma_north = place.offset_sigma_mas
    lines += [
        "",
        f"body, {utc_text(place.utc_ns, 2)}: RA {place.ra_deg:.8f}, Dec {place.dec_deg:+.8f} deg "
        f"(astrometric, seen from {place.site.latitude_deg:+.4f} {place.site.longitude_deg:+.4f})",
        f"  observed less predicted: {east:+.2f} +- {sigma_east:.2f} mas east, "
        f"{north:+.2f} +- {sigma_north:.2f} mas north",
        "  star: where the prediction has it"
        if place.star_sigma_mas is None
        else f"  star, of the catalogue carried to the event: RA {place.star_ra_deg:.8f}, Dec "
        f"{place.star_dec_deg:+.8f} deg, +- {place.star_sigma_mas[0]:.2f}, {place.star_sigma_mas[1]:.2f} mas",
    ]
    lines += [f"note: {note.message}" for note in study.notes]
    return "\n".join(lines) + "\n"


def _chord_lines(study: ChordStudy) -> list[str]:
    width = max(7, *(len(one.station.name) for one in study.chords))
    lines = [f"{'station':<{width}}  across km  status    length km   D obs-calc s      R obs-calc s"]
    for row in rows(study):
        length = "" if row["length_km"] is None else f"{row['length_km']:.2f}"
        line = f"{row['station']:<{width}}  {row['across_km']:9.2f}  {row['status']:<8}  {length:>9}"
        for name in "dr":
            value, sigma = row.get(f"{name}_residual_s"), row.get(f"{name}_residual_sigma_s")
            error = "" if sigma is None else f"+-{sigma:.3f}"
            line += f"   {'' if value is None else f'{value:+.3f}':>7} {error:<8}"
        lines.append(line.rstrip())
    return lines


def _fit_lines(fit: LimbFit, title: str) -> list[str]:
    chi2 = "" if math.isnan(fit.chi2_reduced) else f", chi2 {fit.chi2_reduced:.2f} without relief"
    lines = [f"{title}: {fit.model}, {fit.freedom} degrees of freedom{chi2}"]
    for name, (what, unit) in UNITS.items():
        if fit.model == "circle" and name in {"semi_major_km", "semi_minor_km", "oblateness", "pa_deg"}:
            continue
        one = fit.figures[name]
        low, high = one.intervals[1]
        shown = f"{one.value:9.3f} +- {one.sigma:.3f} {unit}"
        if name == "pa_deg" and not fit.pa_determined:
            shown = "undetermined: it may as well be round"
        lines.append(
            f"  {what:<33} {shown:<26}" + (f" 95 %: {low:.3f} to {high:.3f}" if "und" not in shown else "")
        )
    if len(fit.solutions) > 1:
        for other in fit.solutions:
            lines.append(
                f"  centre {other.ellipse.f_km:+.2f} {other.ellipse.g_km:+.2f} km: probability "
                f"{other.probability:.3f}, chi2 {other.chi2:.1f}"
            )
    return [line.rstrip() for line in lines]


def _offset_lines(study: ChordStudy) -> list[str]:
    lines = []
    for one in study.offsets.named:
        name = study.chords[study.kept[one.chord]].station.name
        side = "late" if one.shift_s > 0 else "early"
        lines.append(
            f"{name}: its times are {abs(one.shift_s):.3f} +- {one.sigma_s:.3f} s {side} (by chance in any "
            f"station: {one.chance:.1g}); its chord's length is off by {one.length_sigmas:+.1f} sigma"
        )
        lines += [
            f"  {100 * cause.probability:5.1f} %  {cause.text}"
            for cause in one.causes
            if cause.probability > 0.005
        ]
    return lines
