"""What a fit is made from: the very files that `umbra chords` reads, and their digest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.fits.requests import FitAsk
from api.fits.stations import Stated, events_name
from api.problems import RefusedError
from cluster.edition import edition
from reduction.errors import DataError, RequestError
from reduction.geometry.occelmnt_text import write_occelmnt
from reduction.geometry.prediction import Prediction as Predicted

SCHEMA = "umbra-fit-1"
CAMPAIGN, EVENT = "campaign.toml", "event.xml"


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that decides the numbers of a fit.

    Attributes
    ----------
    campaign, event : str
        Content of ``campaign.toml`` and of ``event.xml``; `umbra chords campaign.toml --seed SEED` with the
        results beside it, in folders of their keys, gives the same bytes.
    results : tuple of str
        Keys of the results that it names.
    documents : mapping
        What was found in light curves that observers sent: content of files beside, by name.
    stations : tuple of dict
        Of every station: what was used of it, or why nothing.
    """

    campaign: str
    event: str
    seed: int
    results: tuple[str, ...]
    documents: Mapping[str, Any]
    stations: tuple[dict[str, Any], ...]

    @property
    def key(self) -> str:
        """Digest, with the edition of Umbra."""
        parts = [SCHEMA, edition(), self.campaign, self.event, self.seed, dict(self.documents)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "schema": SCHEMA,
            "campaign": self.campaign,
            "event": self.event,
            "seed": self.seed,
            "results": list(self.results),
            "documents": dict(self.documents),
            "stations": list(self.stations),
        }


def inputs_of(
    asked: FitAsk, elements: Mapping[str, Any], rows: Sequence[Stated], recordings: Mapping[str, str]
) -> Inputs:
    """What a fit is made from.

    Parameters
    ----------
    asked : FitAsk
    elements : mapping
        Of the prediction; empty where there are none.
    rows : sequence of Stated
    recordings : mapping
        SHA-256 of the recording of each result, by the result's id.

    Raises
    ------
    RefusedError
        409: the prediction has no geometry.
    RequestError
        A station that is named is none of the campaign's.
    DataError
        No station has a D or an R.
    """
    if not elements:
        raise RefusedError(
            409,
            "the campaign's prediction has no elements: a limb needs the place of the shadow; give it "
            "elements, or an approach (PUT /predictions/ID), and ask again",
        )
    unknown = sorted(set(asked.stations) - {one.of.observation.id for one in rows})
    if unknown:
        raise RequestError(f"stations: {', '.join(unknown[:5])}: no observation of this campaign")
    kept = [one for one in rows if one.station is not None and not one.excluded]
    if not any(one.station is not None and one.station.status == "positive" for one in kept):
        told = "; ".join(f"{one.name}: {one.why}" for one in rows if one.why)[:2000]
        raise DataError(
            f"none of the campaign's {len(rows)} stations has a D or an R to fit a limb to: reduce "
            f"a recording, or report contacts with their sigmas{f' ({told})' if told else ''}"
        )
    results = [one.taken.result.key for one in kept if one.taken.result is not None]
    return Inputs(
        campaign=campaign_text(_settings(asked), [one.fields for one in kept]),
        event=write_occelmnt([Predicted.model_validate(dict(elements))]),
        seed=asked.seed,
        results=tuple(dict.fromkeys(results)),
        documents={
            events_name(one.taken.curve.sha256): one.taken.curve.finding["events"]
            for one in kept
            if one.taken.curve is not None
        },
        stations=tuple(_provenance(one, recordings) for one in rows),
    )


def _settings(asked: FitAsk) -> dict[str, Any]:
    """The campaign's file but for its stations."""
    given: dict[str, Any] = {"prediction": EVENT, "star_catalogue": asked.star_catalogue}
    if asked.model != "auto":
        given["model"] = asked.model
    for name in ("diameter_km", "diameter_sigma_km"):
        if getattr(asked, name) is not None:
            given[name] = getattr(asked, name)
    for name in ("star", "ades"):
        part = getattr(asked, name)
        if part is not None:
            given[name] = part.model_dump(mode="json", exclude_none=True)
    return given


def _provenance(one: Stated, recordings: Mapping[str, str]) -> dict[str, Any]:
    result, choice, curve = one.taken.result, one.of.choice, one.taken.curve
    return {
        "observation": one.of.observation.id,
        "station": one.name,
        "state": one.state,
        "source": one.taken.source,
        "result": None if result is None else result.id,
        "version": None if result is None else result.version,
        "key": None if result is None else result.key,
        "edition": None if result is None else result.edition,
        "curve": None if curve is None else curve.id,
        "curve_sha256": None if curve is None else curve.sha256,
        "recording_sha256": None if result is None else recordings.get(result.id),
        "reason": "" if choice is None else choice.reason,
        "used": one.used,
        "why": one.why,
        "notes": list(one.notes),
    }


def campaign_text(settings: Mapping[str, Any], stations: Sequence[Mapping[str, Any]]) -> str:
    """The campaign's file: TOML, whose basic strings, numbers and lists JSON has the same way."""
    plain = {name: value for name, value in settings.items() if not isinstance(value, Mapping)}
    lines = [f"{name} = {_value(value)}" for name, value in plain.items()]
    for station in stations:
        lines += ["", "[[station]]"]
        lines += [f"{name} = {_value(value)}" for name, value in station.items()]
    for name, table in settings.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {_value(value)}" for key, value in table.items()]
    return "\n".join([*lines, ""])


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007F")
