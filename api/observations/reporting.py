"""The auto-generated asteroidal occultation report: what an observer stated, as the record of all forms.

It is made from the report form, the site, the equipment and the prediction alone: what a reduction found is
told by its own results.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from sqlalchemy.orm import Session

from api.campaigns.prediction_views import predicted_of
from api.campaigns.tables import Campaign, Prediction
from api.equipment.tables import Equipment, Site
from api.observations.tables import Observation
from api.observations.views import Contact, Report
from api.people.tables import Person
from reduction.errors import UmbraError
from reduction.record import ObservationRecord, Stability, Transparency, clean_line

TIME_SOURCES = MappingProxyType(
    {"gps": "gps", "ntp": "ntp", "radio": "radio", "phone": "telephone", "visual": "other", "other": "other"}
)
"""Words of the service's form -> those of the record."""

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stated:
    """All that is kept of one station's observation."""

    observation: Observation
    person: Person
    site: Site
    equipment: Mapping[str, Equipment]
    prediction: Prediction


def stated_of(session: Session, row: Observation) -> Stated:
    """Read what an observer stated."""
    used = {kind: getattr(row, kind) for kind in ("telescope", "camera", "recorder", "filter")}
    campaign = session.get_one(Campaign, row.campaign)
    return Stated(
        row,
        session.get_one(Person, row.person),
        session.get_one(Site, row.site),
        {kind: session.get_one(Equipment, one) for kind, one in used.items() if one is not None},
        session.get_one(Prediction, campaign.prediction),
    )


def record_of(stated: Stated) -> ObservationRecord:
    """Return the record; what no form can hold is left out, and said in its comments."""
    from reduction.reports.reading import tolerant_record

    report = Report.model_validate(stated.observation.report)
    status = stated.observation.status.replace("_", " ")
    positive = status in {"positive", "unknown"}
    contacts = {"d": _edge(report.disappearance), "r": _edge(report.reappearance)}
    timing = {name: edge for name, edge in contacts.items() if edge}
    comments = [*report.comments, *_words(report), *([] if positive else _seen(contacts))]
    raw: Raw = {
        "status": status,
        "observers": [_observer(stated)],
        "site": _site(stated.site),
        "altitude_of": "ellipsoid",
        "telescope": _telescope(stated.equipment.get("telescope")),
        "recording": _recording(report, stated.equipment),
        "conditions": _conditions(report),
        "timings": [timing] if timing and positive else [],
        **_predicted(stated),
    }
    notes: list[str] = []
    record = tolerant_record(raw, Path("report"), notes).record
    return record.model_copy(update={"comments": "\n".join(map(clean_line, [*comments, *notes]))})


def record_text(record: ObservationRecord) -> bytes:
    """Return the record as JSON, which `umbra report` reads again."""
    return (json.dumps(record.document(), indent=1, ensure_ascii=False) + "\n").encode()


def _edge(contact: Contact | None) -> Raw:
    if contact is None:
        return {}
    sigma = {} if contact.sigma_s is None else {"sigma_s": contact.sigma_s}
    return {"utc": contact.utc, **sigma}


def _seen(contacts: Mapping[str, Raw]) -> list[str]:
    """Contacts that the status does not go with."""
    return [
        f"{name.upper()} was stated as {edge['utc']:%H:%M:%S.%f} UTC"
        for name, edge in contacts.items()
        if edge
    ]


def _words(report: Report) -> list[str]:
    """What the record has other words for."""
    told = {"transparency": (report.transparency, Transparency), "seeing": (report.seeing, Stability)}
    return [
        f"{name}: {text}"
        for name, (text, words) in told.items()
        if text and text.lower() not in get_args(words)
    ]


def _observer(stated: Stated) -> Raw:
    person, site = stated.person, stated.site
    return {
        "name": person.name or "(account deleted)",
        "e_mail": person.email or "",
        "affiliation": person.affiliation,
        "orcid": person.orcid or "",
        "address": site.address,
        "country": site.country,
    }


def _site(site: Site) -> Raw:
    return {
        "name": site.name,
        "latitude_deg": site.latitude_deg,
        "longitude_deg": site.longitude_deg,
        "altitude_m": site.height_m,
        "code": site.code,
    }


def _telescope(one: Equipment | None) -> Raw:
    if one is None:
        return {}
    lengths = {"aperture_cm": "aperture_mm", "focal_length_cm": "focal_length_mm"}
    return {
        "model": one.name,
        "type": one.details.get("design"),
        "mount": one.details.get("mount", ""),
        **{name: one.details[key] / 10 for name, key in lengths.items() if one.details.get(key)},
    }


def _recording(report: Report, equipment: Mapping[str, Equipment]) -> Raw:
    camera, recorder = equipment.get("camera"), equipment.get("recorder")
    found: Raw = {"started": report.begin, "stopped": report.end, "exposure_s": report.exposure_s}
    if camera is not None:
        found |= {"camera": camera.name, "detector": camera.details.get("sensor", "")}
    if recorder is not None:
        found |= {
            "timing_device": recorder.name,
            "software": recorder.details.get("software", ""),
            "time_source": recorder.details.get("time_source"),
        }
    if report.timing is not None:
        found["time_source"] = TIME_SOURCES[report.timing]
    if "filter" in equipment:
        found["filter"] = equipment["filter"].name
    return {name: value for name, value in found.items() if value is not None}


def _conditions(report: Report) -> Raw:
    sky = {"transparency": (report.transparency, Transparency), "stability": (report.seeing, Stability)}
    found: Raw = {
        name: text.lower() for name, (text, words) in sky.items() if text.lower() in get_args(words)
    }
    if report.clouds_percent is not None:
        found["clouds"] = f"{report.clouds_percent:g} %"
    found |= {
        "wind": report.wind,
        "temperature_c": report.temperature_c,
        "limiting_magnitude": report.limiting_mag,
    }
    return {name: value for name, value in found.items() if value is not None}


def _predicted(stated: Stated) -> Raw:
    """Body, star, and when it was predicted for the place; without elements, the body and its time alone."""
    from reduction.record_prediction import raw_prediction
    from reduction.sites import Site as Place

    row, site = stated.prediction, stated.site
    body = {"number": row.object_number, "name": row.object_name}
    plain: Raw = {"asteroid": body, "prediction": {"utc": row.at, "source": row.source}}
    if row.star_mag is not None:
        plain["star"] = {"designation": row.star_name, "magnitude": row.star_mag}
    elements = predicted_of(row)
    if elements is None:
        return plain
    try:
        place = Place(
            latitude_deg=site.latitude_deg, longitude_deg=site.longitude_deg, altitude_m=site.height_m
        )
        return raw_prediction(elements, place)
    except (UmbraError, ValueError):  # the shadow passes nowhere near, or the place is none of the record's
        return plain
