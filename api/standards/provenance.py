"""How a result came about, as W3C PROV-JSON: recording, stack, light curve; who and what made them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.campaigns.tables import Campaign
from api.equipment.tables import Equipment
from api.observations.tables import Observation, ObservationFile
from api.people.tables import Person
from api.results.requests import ReductionAsk
from api.results.tables import Reduction, Result
from api.results.views import PREFIX, instant
from api.settings import ServiceSettings
from api.standards.identifiers import identifier
from cluster.jobs.tables import JobRow

OBSERVER, TEAM, CAPTURE = "observation:observer", "observation:team", "observation:capture"
STACK, TIMES, PLAN, CONVERSION, REDUCTION = (
    "result:stack", "result:times", "result:plan", "result:conversion", "result:reduction",
)  # fmt: skip

Record = dict[str, Any]


class Told(NamedTuple):
    """What the database has of a result's history.

    Attributes
    ----------
    files : dict
        Of `ReductionAsk.files`, by what they were to the reduction.
    observer : Person or None
        Where they may be named.
    """

    row: Result
    observation: Observation
    campaign: Campaign
    asked: Reduction
    files: dict[str, ObservationFile]
    equipment: dict[str, str]
    observer: Person | None
    job: JobRow | None


def told_of(session: Session, row: Result) -> Told:
    """Look up the history of a result."""
    observation = session.get_one(Observation, row.observation)
    asked = session.get_one(Reduction, row.reduction)
    ids = {"input": asked.file}
    if asked.request:
        ids |= ReductionAsk.model_validate(asked.request).files
    files = {kind: session.get(ObservationFile, identity) for kind, identity in ids.items()}
    kinds = ("telescope", "camera", "recorder", "filter")
    equipment = {kind: session.get(Equipment, getattr(observation, kind) or "") for kind in kinds}
    return Told(
        row,
        observation,
        session.get_one(Campaign, row.campaign),
        asked,
        {kind: file for kind, file in files.items() if file is not None},
        {kind: one.name for kind, one in equipment.items() if one is not None},
        session.get(Person, observation.person) if observation.consent else None,
        session.scalar(select(JobRow).where(JobRow.id == asked.id)),
    )


def prov_json(
    told: Told, summary: Mapping[str, Any], digests: Mapping[str, str], settings: ServiceSettings
) -> dict[str, Any]:
    """The document.

    Parameters
    ----------
    told : Told
    summary : mapping
        Content of ``summary.json``.
    digests : mapping
        SHA-256 of the files of the result, by name.
    settings : ServiceSettings
        Where the service is reached.
    """
    here = f"{settings.url}{PREFIX}"
    said, source = summary.get("provenance") or {}, summary.get("input") or {}
    software = f"umbra:software-{said.get('version')}"
    result = f"data:results/{told.row.id}"
    curve = f"{result}/files/lightcurve.csv"
    files = {kind: f"data:files/{file.id}" for kind, file in told.files.items()}
    raw = files.get("input")
    document: dict[str, Any] = {
        "prefix": {
            "umbra": "urn:umbra:prov:",
            "data": f"{here}/",
            "observation": f"{here}/observations/{told.row.observation}#",
            "result": f"{here}/results/{told.row.id}#",
        },
        "entity": {
            **{files[kind]: _file(kind, file) for kind, file in told.files.items()},
            STACK: _made("Stack", pixel_digest=said.get("pixel_digest"), frames=source.get("frames"),
                         width=source.get("width"), height=source.get("height")),
            TIMES: _made("Times", time_digest=said.get("time_digest"), source=source.get("time_source"),
                         sigma_s=source.get("time_sigma_s")),
            PLAN: {"prov:type": _name("prov:Plan"), **_attributes(plan_digest=said.get("plan_digest"))},
            result: _result(told, settings),
            **{f"{result}/files/{name}": _product(name, digest) for name, digest in digests.items()},
        },
        "activity": {
            CAPTURE: _activity("Capture", source.get("first_utc"), source.get("last_utc"), **told.equipment),
            CONVERSION: _activity("Conversion", None, None, format=source.get("format")),
            REDUCTION: _reduction(told, said),
        },
        "agent": _agents(told, software, said),
    }  # fmt: skip
    used = [(REDUCTION, STACK), (REDUCTION, TIMES)]
    used += [(CONVERSION, raw)] if raw else []
    used += [
        (CONVERSION if kind == "times" else REDUCTION, name)
        for kind, name in files.items()
        if kind != "input"
    ]
    made = [(STACK, CONVERSION), (TIMES, CONVERSION), (result, REDUCTION)]
    made += [(f"{result}/files/{name}", REDUCTION) for name in digests] + ([(raw, CAPTURE)] if raw else [])
    derived = [(curve if "lightcurve.csv" in digests else result, one) for one in (STACK, TIMES)]
    derived += [(one, raw) for one in (STACK, TIMES) if raw]
    asker = OBSERVER if told.asked.asker == told.row.person else TEAM
    attributed = [(raw, OBSERVER)] if raw else []
    members = [(result, f"{result}/files/{name}") for name in digests]
    document |= {
        "used": _related("used", "activity", "entity", used),
        "wasGeneratedBy": _related("made", "entity", "activity", made),
        "wasDerivedFrom": _related("derived", "generatedEntity", "usedEntity", derived),
        "wasAttributedTo": _related("attributed", "entity", "agent", attributed),
        "wasAssociatedWith": {
            "_:captured": {"prov:activity": CAPTURE, "prov:agent": OBSERVER},
            "_:converted": {"prov:activity": CONVERSION, "prov:agent": software},
            "_:reduced": {"prov:activity": REDUCTION, "prov:agent": software, "prov:plan": PLAN},
            "_:asked": {"prov:activity": REDUCTION, "prov:agent": asker},
        },
        "actedOnBehalfOf": _related("delegated", "delegate", "responsible", [(software, asker)]),
        "hadMember": _related("member", "collection", "entity", members),
    }
    return {name: content for name, content in document.items() if content}


def _file(kind: str, file: ObservationFile) -> Record:
    what = "Recording" if kind == "input" else "TimeTable" if kind == "times" else "Calibration"
    return {
        "prov:label": file.name,
        **_made(what, kind=kind, sha256=file.sha256, size=file.size, received=_iso(file.created)),
    }


def _result(told: Told, settings: ServiceSettings) -> Record:
    row = told.row
    return {
        "prov:type": _name("prov:Collection"),
        "prov:label": f"result of {told.observation.station}, version {row.version}",
        **_attributes(
            key=row.key,
            edition=row.edition,
            version=row.version,
            campaign=told.campaign.name,
            identifier=identifier(settings, "result", row.id),
        ),
    }


def _product(name: str, digest: str) -> Record:
    what = "LightCurve" if name == "lightcurve.csv" else "File"
    return {"prov:label": name, **_made(what, sha256=digest)}


def _reduction(told: Told, said: Mapping[str, Any]) -> Record:
    job = told.job
    begun = None if job is None or job.started is None else _iso(instant(job.started))
    ended = None if job is None or job.finished is None else _iso(instant(job.finished))
    libraries = {
        f"library_{name}": version for name, version in sorted((said.get("libraries") or {}).items())
    }
    stages = {f"stage_{name}": number for name, number in sorted((said.get("stages") or {}).items())}
    return _activity("Reduction", begun, ended, device=said.get("device"), **libraries, **stages)


def _agents(told: Told, software: str, said: Mapping[str, Any]) -> dict[str, Record]:
    observer: Record = {"prov:type": _name("prov:Person"), "prov:label": "observer"}
    if told.observer is not None:
        observer["prov:label"] = told.observer.name
        observer |= _attributes(orcid=told.observer.orcid, role=told.observation.role or None)
    found = {
        OBSERVER: observer,
        software: {
            "prov:type": _name("prov:SoftwareAgent"),
            "prov:label": f"Umbra {said.get('version')}",
            **_attributes(edition=told.row.edition),
        },
    }
    if told.asked.asker != told.row.person:
        found[TEAM] = {
            "prov:type": _name("prov:Organization"),
            "prov:label": f"team of the campaign {told.campaign.name}",
        }
    return found


def _made(what: str, **attributes: Any) -> Record:
    return {"prov:type": _name(f"umbra:{what}"), **_attributes(**attributes)}


def _activity(what: str, begun: str | None, ended: str | None, **attributes: Any) -> Record:
    times = {"prov:startTime": begun, "prov:endTime": ended}
    return {**{name: at for name, at in times.items() if at is not None}, **_made(what, **attributes)}


def _attributes(**attributes: Any) -> Record:
    return {f"umbra:{name}": value for name, value in attributes.items() if value is not None}


def _name(text: str) -> dict[str, str]:
    return {"$": text, "type": "prov:QUALIFIED_NAME"}


def _related(kind: str, first: str, second: str, pairs: list[tuple[str, str]]) -> dict[str, Record]:
    """Relations of a kind, each with a name of its own in the document."""
    found = enumerate(pairs)
    return {
        f"_:{kind}{number}": {f"prov:{first}": one, f"prov:{second}": other} for number, (one, other) in found
    }


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
