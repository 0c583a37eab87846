"""Pages of campaigns: the list, and what a campaign is: prediction, map, who takes part, how to join."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import Request, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns import author_routes, campaign_routes
from api.campaigns.campaign_search import CampaignSearch
from api.campaigns.campaign_views import AppointmentBody, CampaignChange, CampaignView
from api.campaigns.paths import content_of
from api.campaigns.tables import Prediction
from api.database.tables import now
from api.dependencies import IdPath
from api.equipment import equipment_routes, site_routes
from api.equipment.views import SiteView
from api.fits.fitting import Fitting
from api.fits.map_routes import StationOnMap, stations_of
from api.fits.service import FittingDep
from api.observations import observation_routes
from api.observations.views import ObservationBody
from api.web.campaign_rights import Rights, embargo_words, require, rights_of
from api.web.circumstances import Expected, expected_at, expected_of, path_facts, typed_place
from api.web.forms import FORM_ERRORS, Form, FormDep, FormError
from api.web.pages import Visit, VisitDep, page_router

PAGE = 50
MOST_SITES = 200
EXPECTED = 8
"""Sites of one's own whose circumstances are shown at once."""
STATES = ("positive", "negative", "overcast", "technical_failure", "planned", "unknown")
KINDS = ("telescope", "camera", "recorder", "filter")

router = page_router()
Seeing = Annotated[Permit, may(Operation.SEE_CAMPAIGNS)]


@router.get("/campaigns")
def campaigns(visit: VisitDep, permit: Seeing, request: Request) -> Response:
    """Show campaigns, and search them."""
    query = request.query_params
    asked: dict[str, Any] = {
        name: query.get(name, "").strip() for name in ("words", "start_date", "end_date", "state")
    }
    asked["mine"] = query.get("mine") == "true"
    values: dict[str, Any] = {"asked": asked, "items": (), "following": None, "problem": "", "now": now()}
    mine = observation_routes.list_own(
        visit.permit(Operation.SEE_OWN_OBSERVATIONS), visit.database, None, MOST_SITES, None
    )
    values["mine"] = {one.campaign for one in mine.items}
    try:
        search = _search(asked)
    except ValueError as error:
        return visit.page("campaigns/list.html", 422, **values | {"problem": str(error)})
    found = campaign_routes.list_campaigns(permit, visit.database, search, PAGE, query.get("cursor") or None)
    return visit.page("campaigns/list.html", **values | {"items": found.items, "following": found.next})


def _search(asked: Mapping[str, Any]) -> CampaignSearch:
    """What is searched for. Raises ValueError, with a sentence."""
    words = str(asked["words"])
    if len(words) > 200 or not words.isprintable():
        raise ValueError("Name or object: at most 200 characters that can be seen.")
    state = asked["state"] if asked["state"] in {"open", "closed"} else None
    return CampaignSearch(
        state=state,
        start_date=_date(str(asked["start_date"])),
        end_date=_date(str(asked["end_date"])),
        words=words or None,
        mine=bool(asked["mine"]),
    )


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("Dates are written year-month-day, such as 2026-11-22.") from None


@router.get("/campaigns/{campaign_id}")
def campaign(
    campaign_id: IdPath, visit: VisitDep, permit: Seeing, fitting: FittingDep, request: Request
) -> Response:
    """Show a campaign."""
    place = {name: request.query_params.get(name, "") for name in ("latitude", "longitude", "height")}
    return _shown(campaign_id, visit, permit, fitting, place)


def _shown(
    campaign_id: str,
    visit: Visit,
    permit: Permit,
    fitting: Fitting,
    place: Mapping[str, str],
    form: Form | None = None,
    error: Exception | None = None,
) -> Response:
    """The page of a campaign; with `form` and `error`, what was typed once more."""
    view = campaign_routes.see_campaign(campaign_id, permit, visit.database)
    rights = rights_of(visit, campaign_id)
    sites = _sites(visit)
    values: dict[str, Any] = {
        "campaign": view,
        "may": rights,
        "now": now(),
        "embargo": embargo_words(view.embargo, now()),
        "sites": sites,
        "equipment": _equipment(visit),
        "own": _own(visit, campaign_id),
        "place": place,
        "place_errors": {},
    }
    values |= _path(visit, view, sites, place, values)
    values |= _people(visit, campaign_id, permit, fitting, rights)
    values["map_data"] = map_data(visit, view, values["stations"], sites)
    if form is not None and error is not None:
        return visit.again("campaigns/campaign.html", form, error, **values)
    return visit.page("campaigns/campaign.html", **values)


def _path(
    visit: Visit,
    view: CampaignView,
    sites: Sequence[SiteView],
    place: Mapping[str, str],
    values: dict[str, Any],
) -> dict[str, Any]:
    """What follows from the prediction's elements: facts of the path, and what places may expect."""
    if not view.prediction.has_path:
        return {"path": None, "expected": [], "chosen": None}
    with visit.database.reading() as session:
        content = content_of(session.get_one(Prediction, view.prediction.id))
    chosen: Expected | None = None
    try:
        typed = typed_place(place)
        chosen = None if typed is None else expected_at(content, typed)
    except FormError as error:
        values["place_errors"] = error.fields
    expected = [expected_of(content, site) for site in sites[:EXPECTED]]
    return {"path": path_facts(content), "expected": expected, "chosen": chosen}


def _people(
    visit: Visit, campaign_id: str, permit: Permit, fitting: Fitting, rights: Rights
) -> dict[str, Any]:
    """Participants and stations, as far as the visitor may know of them."""
    if not rights.people:
        return {"people": (), "stations": (), "counts": []}
    seeing = visit.permit(Operation.SEE_PARTICIPANTS)
    people = author_routes.list_participants(campaign_id, seeing, visit.database).items
    stations = stations_of(campaign_id, permit, visit.database, fitting)
    return {"people": people, "stations": stations, "counts": counted(one.state for one in stations)}


def map_data(
    visit: Visit, view: CampaignView, stations: Sequence[StationOnMap], sites: Sequence[SiteView]
) -> dict[str, Any]:
    """What `static/map.js` draws: paths come from the API, stations as the visitor may see them."""
    here = f"/api/v1/predictions/{view.prediction.id}"
    return {
        "kind": "campaign",
        "path": f"{here}/path.geojson",
        "circumstances": f"{here}/circumstances",
        "stations": [one.model_dump(mode="json") for one in stations],
        "sites": [
            {"name": one.name, "latitude_deg": one.latitude_deg, "longitude_deg": one.longitude_deg}
            for one in sites
        ],
        "tiles": visit.settings.map_tiles,
        "attribution": visit.settings.map_attribution,
    }


def counted(states: Any) -> list[tuple[str, int]]:
    """Stations of each state, in the order of `STATES`; all of them, so that a nought is told, too."""
    found = Counter(states)
    return [(state, found[state]) for state in (*STATES, *sorted(set(found) - set(STATES)))]


def _sites(visit: Visit) -> tuple[SiteView, ...]:
    permit = visit.permit(Operation.LIST_EQUIPMENT)
    return site_routes.list_sites(permit, visit.database, False, MOST_SITES, None).items


def _equipment(visit: Visit) -> dict[str, list[Any]]:
    """One's equipment by its kind."""
    permit = visit.permit(Operation.LIST_EQUIPMENT)
    found = equipment_routes.list_equipment(permit, visit.database, limit=MOST_SITES)
    return {kind: [one for one in found.items if one.equipment.kind == kind] for kind in KINDS}


def _own(visit: Visit, campaign_id: str) -> tuple[Any, ...]:
    """One's stations in a campaign."""
    permit = visit.permit(Operation.SEE_OWN_OBSERVATIONS)
    return observation_routes.list_own(permit, visit.database, campaign_id, PAGE, None).items


@router.post("/campaigns/{campaign_id}/join")
def join(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.JOIN_CAMPAIGN)],
    fitting: FittingDep,
    form: FormDep,
) -> Response:
    """Take part with a station."""
    consent = bool(form.text("consent"))
    form.fields.pop("consent", None)
    try:
        body = form.read(ObservationBody, campaign=campaign_id, consent=consent)
        made = observation_routes.join(body, permit, visit.database, Response())
    except FORM_ERRORS as error:
        seeing = visit.permit(Operation.SEE_CAMPAIGNS)
        return _shown(campaign_id, visit, seeing, fitting, {}, form, error)
    return visit.back(f"/observations/{made.id}", "joined")


@router.post("/campaigns/{campaign_id}/change")
def change(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.MANAGE_CAMPAIGN)],
    fitting: FittingDep,
    form: FormDep,
) -> Response:
    """Change name, embargo, whether observers reduce their own, state."""
    require(visit, permit, campaign_id)
    if form.text("embargo"):
        form.fields["embargo"] = [_zoned(form.text("embargo"))]
    try:
        body = form.read(CampaignChange, empty={"embargo": None})
        campaign_routes.change_campaign(campaign_id, body, permit, visit.database, visit.settings)
    except FORM_ERRORS as error:
        seeing = visit.permit(Operation.SEE_CAMPAIGNS)
        return _shown(campaign_id, visit, seeing, fitting, {}, form, error)
    return visit.back(f"/campaigns/{campaign_id}", "saved")


def _zoned(text: str) -> str:
    """An instant of a form, which is UTC; ``now`` is this one, ``never`` no date at all."""
    if text == "now":
        return now().isoformat()
    if text == "never":
        return ""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


@router.post("/campaigns/{campaign_id}/responsibles")
def appoint(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.APPOINT_RESPONSIBLE)],
    fitting: FittingDep,
    form: FormDep,
) -> Response:
    """Appoint an event responsible, by e-mail address."""
    try:
        body = form.read(AppointmentBody)
        campaign_routes.appoint(campaign_id, body, permit, visit.database, visit.settings)
    except FORM_ERRORS as error:
        seeing = visit.permit(Operation.SEE_CAMPAIGNS)
        return _shown(campaign_id, visit, seeing, fitting, {}, form, error)
    return visit.back(f"/campaigns/{campaign_id}", "appointed")


@router.post("/campaigns/{campaign_id}/responsibles/{person_id}/withdraw")
def withdraw(
    campaign_id: IdPath,
    person_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.APPOINT_RESPONSIBLE)],
) -> Response:
    """End an appointment."""
    campaign_routes.withdraw(campaign_id, person_id, permit, visit.database, visit.settings)
    return visit.back(f"/campaigns/{campaign_id}", "withdrawn")
