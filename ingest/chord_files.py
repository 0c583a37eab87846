"""What is written of a campaign's chords and limb: every file by its name."""

import dataclasses
import json
from collections.abc import Mapping

from reduction.errors import UmbraError
from reduction.events.curve import EventCurve
from reduction.limb.ades import ades_psv, ades_xml, observation
from reduction.limb.campaign import Campaign
from reduction.limb.chords import SECOND_NS
from reduction.limb.study import ChordStudy
from reduction.limb.tables import chords_csv, document, text


def json_text(found: ChordStudy) -> str:
    """``limb.json``."""
    return json.dumps(document(found), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def contents_of(found: ChordStudy, notes: list[str]) -> dict[str, bytes]:
    """Every file by its name.

    Parameters
    ----------
    found : ChordStudy
    notes : list of str
        What a person has to be told about the files is added.
    """
    # matplotlib takes a second to import
    from reduction.limb.figures import draw_all
    from reduction.limb.page import page

    body, settings = found.campaign.prediction.body, found.campaign.settings
    remarks = f"{len(found.kept)} chords, {found.limb.model} fitted"
    fields = observation(found.place, body.number, body.name, settings.star_catalogue, remarks)
    if settings.ades is None:
        notes.append("ades.xml and ades.psv name no observers: add [ades] to the campaign to submit them")
    if len(found.limb.solutions) > 1 and found.limb.solutions[1].probability > 0.01:
        notes.append("ades.xml and ades.psv hold the first of several possible centres: do not submit them")
    texts = {
        "chords.csv": chords_csv(found),
        "limb.json": json_text(found),
        "limb.txt": text(found),
        "limb.html": page(found),
        "ades.xml": ades_xml(fields, settings.ades),
        "ades.psv": ades_psv(fields, settings.ades),
    }
    pictures = draw_all(found, _curves(found.campaign, notes))
    return {name: one.encode("utf-8") for name, one in texts.items()} | pictures


def _curves(campaign: Campaign, notes: list[str]) -> Mapping[str, EventCurve]:
    """Light curves of the stations whose results are folders of `umbra reduce`, as their times count."""
    from ingest.curves.dialects import read_curve
    from ingest.curves.settled import CurveOptions

    answer: dict[str, EventCurve] = {}
    for station, result in zip(campaign.stations, campaign.results, strict=True):
        if result is None or not result.is_dir():
            continue
        try:
            curve = read_curve(result, CurveOptions())
        except UmbraError as error:
            notes.append(f"{station.name}: its light curve is not drawn: {error}")
            continue
        late_ns = round(station.late_s * SECOND_NS) if curve.dated else 0
        answer[station.name] = dataclasses.replace(curve, ref_ns=curve.ref_ns - late_ns)
    return answer
