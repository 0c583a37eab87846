"""All that the page of an observation tells, gathered as the API tells it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from sqlalchemy import select

from api.access.matrix import Operation
from api.access.permit import Permit
from api.access.versions import Versions
from api.campaigns import campaign_routes
from api.campaigns.campaign_views import CampaignView
from api.campaigns.paths import content_of, station_text
from api.campaigns.tables import Prediction
from api.database.tables import now
from api.equipment import equipment_routes, site_routes
from api.equipment.tables import Equipment, Site
from api.nodes.known import by_distance
from api.observations import file_routes, observation_routes
from api.observations.progress import Progress, progress_of
from api.observations.reporting import Stated, stated_of
from api.observations.tables import Observation
from api.observations.views import FileDetail, ObservationView, file_detail
from api.problems import RefusedError
from api.results import result_routes
from api.results.result_routes import ResultView
from api.uploads import upload_routes
from api.uploads.upload_routes import UploadView
from api.web import report_form
from api.web.findings import FITS_COLUMNS, found_in, instant_text, sigma_text
from api.web.pages import Visit
from api.web.rendering import place as place_of
from reduction.errors import UmbraError
from reduction.record import Stability, Transparency

LISTED = 200
FILES = 50
RESULTS = 20
Pair = tuple[str, str]


@dataclass(frozen=True)
class Known:
    """An observation, as who looks may see it.

    Attributes
    ----------
    seen : str
        Digest of it as it is now: by this a change is refused that was made without seeing it.
    own : bool
        The visitor's.
    expected : dict or None
        What the prediction says for the site; None where it cannot be said.
    near : datetime
        UTC of the event there.
    """

    view: ObservationView
    seen: str
    own: bool
    campaign: CampaignView
    progress: Progress
    stated: Stated
    expected: dict[str, Any] | None
    near: datetime


def known_of(visit: Visit, observation_id: str, permit: Permit | None = None) -> Known:
    """Look at an observation.

    Parameters
    ----------
    permit : Permit, optional
        Of the page's own operation; by default that to see it.

    Raises
    ------
    RefusedError
        404: there is none, or not theirs to see.
    """
    versions = Versions()
    looking = Permit(visit.caller, Operation.SEE_OBSERVATION, versions)
    view = observation_routes.show(observation_id, looking, visit.database)
    if permit is not None:
        observation_routes.show(observation_id, permit, visit.database)
    campaign = campaign_routes.see_campaign(
        view.campaign, visit.permit(Operation.SEE_CAMPAIGNS), visit.database
    )
    with visit.database.reading() as session:
        row = session.get_one(Observation, observation_id)
        stated = stated_of(session, row)
        progress = progress_of(session, [view], now())[0]
    expected = expected_at(stated.prediction, stated)
    near = campaign.prediction.at
    if expected is not None:
        near = datetime.fromisoformat(str(expected["predicted_utc"])).replace(tzinfo=UTC)
    return Known(
        view, next(iter(versions.seen.values())), view.person == visit.caller.person, campaign, progress,
        stated, expected, near,
    )  # fmt: skip


def versions_for(known: Known, seen: str) -> Versions:
    """What a change must find: the observation as the form's reader saw it."""
    return Versions({f"{Observation.__tablename__} {(known.view.id,)}": seen} if seen else {})


def expected_at(prediction: Prediction, stated: Stated) -> dict[str, Any] | None:
    """What the prediction says for the site."""
    site = stated.site
    try:
        text = station_text(
            content_of(prediction), site.name, site.latitude_deg, site.longitude_deg, site.height_m
        )
    except (RefusedError, UmbraError, ValueError):  # no elements, or none with which anything can be said
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def setups(visit: Visit, known: Known) -> dict[str, list[Pair]]:
    """Choices of site and equipment for the observer; nothing for others, who change none of these."""
    if not known.own:
        return {}
    listing = visit.permit(Operation.LIST_EQUIPMENT)
    places = site_routes.list_sites(listing, visit.database, False, LISTED, None).items
    pieces = equipment_routes.list_equipment(listing, visit.database, None, False, LISTED, None).items
    choices: dict[str, list[Pair]] = {"site": [(one.id, one.name) for one in places]}
    for kind in report_form.SETUP[1:]:
        own = [(one.id, one.equipment.name) for one in pieces if one.equipment.kind == kind]
        choices[kind] = [("", "none" if kind == "filter" else "not stated"), *own]
    used: dict[str, Site | Equipment] = {"site": known.stated.site, **known.stated.equipment}
    for kind, row in used.items():
        if all(row.id != held for held, _ in choices[kind]):
            choices[kind].append((row.id, f"{row.name} (retired)"))
    return choices


def proposed(visit: Visit, known: Known) -> dict[str, str]:
    """Equipment of the observer's last other observation, where this one names none yet."""
    view = known.view
    if not known.own or any(getattr(view, kind) for kind in report_form.SETUP[1:]):
        return {}
    last = (
        select(Observation)
        .where(Observation.person == view.person, Observation.id != view.id, Observation.camera.is_not(None))
        .order_by(Observation.created.desc())
        .limit(1)
    )
    with visit.database.reading() as session:
        row = session.scalar(last)
        stated = None if row is None else stated_of(session, row)
    if stated is None:
        return {}
    return {kind: one.id for kind, one in stated.equipment.items() if one.retired is None}


def used(known: Known) -> list[Pair]:
    """Site and equipment by name, as the report tells them."""
    stated = known.stated
    place = f"{stated.site.name}: {place_of(stated.site.latitude_deg, stated.site.longitude_deg)}"
    found = [("Station", known.view.station), ("Site", f"{place}, {stated.site.height_m:.0f} m")]
    for kind in report_form.SETUP[1:]:
        row = stated.equipment.get(kind)
        found.append((kind.capitalize(), "not stated" if row is None else row.name))
    return found


def page_values(visit: Visit, known: Known) -> dict[str, Any]:
    """All that the page's template needs."""
    values, proposals = report_form.values_of(known.view), proposed(visit, known)
    usage = upload_routes.usage(visit.permit(Operation.SEE_OWN_UPLOADS), visit.database, visit.settings)
    return {
        "known": known,
        "view": known.view,
        "campaign": known.campaign,
        "values": values | proposals,
        "proposals": proposals,
        "choices": setups(visit, known),
        "statuses": report_form.STATUSES,
        "timings": report_form.TIMINGS,
        "used": used(known),
        "consent": known.view.consent,
        "sent": (),
        "short": instant_text,
        "sigma_text": sigma_text,
        "wrong": "",
        "transparencies": get_args(Transparency),
        "stabilities": get_args(Stability),
        "unfinished": unfinished(visit, known.view.id),
        "nodes": by_distance(
            visit.settings.upload_nodes, known.stated.site.latitude_deg, known.stated.site.longitude_deg
        ),
        "usage": usage,
        "left": max(0, usage.quota - usage.used),
        "may_reduce": visit.may(Operation.REDUCE, known.stated.observation),
        "may_change": visit.may(Operation.CHANGE_OBSERVATION, known.stated.observation),
        **results(visit, known.view.id),
        **files(visit, known.view.id),
    }


def unfinished(visit: Visit, observation_id: str) -> tuple[UploadView, ...]:
    """Uploads that wait for their next byte."""
    permit = visit.permit(Operation.SEE_UPLOAD)
    return upload_routes.list_uploads_of(
        observation_id, permit, visit.database, ["arriving"], LISTED, None
    ).items


def results(visit: Visit, observation_id: str) -> dict[str, Sequence[ResultView]]:
    """Versions of the results, the newest first."""
    permit = visit.permit(Operation.SEE_RESULT)
    page = result_routes.list_results(observation_id, permit, visit.database, RESULTS, None)
    return {"results": page.items}


def files(visit: Visit, observation_id: str, cursor: str | None = None) -> dict[str, Any]:
    """Files with what was found in them, what is on its way, and whether it will change by itself."""
    permit = visit.permit(Operation.SEE_FILES)
    with visit.database.reading() as session:
        rows, following = file_routes.files_of(session, permit, observation_id, FILES, cursor)
        found: list[FileDetail] = [file_detail(row) for row in rows]
        observation = session.get_one(Observation, observation_id)
        may_withdraw = visit.may(Operation.WITHDRAW_FILE, observation, session)
        may_flag = visit.may(Operation.FLAG_FILE, observation, session)
    arrived = upload_routes.list_uploads_of(
        observation_id, visit.permit(Operation.SEE_UPLOAD), visit.database, ["whole", "refused"], FILES, None
    ).items
    states = [(one.id, one.state) for one in found], [(one.id, one.state) for one in arrived]
    told = json.dumps(states)
    return {
        "observation_id": observation_id,
        "files": [(one, found_in(one)) for one in found],
        "may_withdraw": may_withdraw,
        "may_flag": may_flag,
        "fits_columns": FITS_COLUMNS,
        "more_files": following,
        "whole": [one for one in arrived if one.state == "whole"],
        "refused": [one for one in arrived if one.state == "refused"],
        "pending": any(one.state == "quarantined" for one in found)
        or any(one.state == "whole" for one in arrived),
        "digest": hashlib.sha256(told.encode()).hexdigest()[:16],
    }
