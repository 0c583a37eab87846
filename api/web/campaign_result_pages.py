"""Pages of what came of a campaign: chords, light curves, limb, event data and authors."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.bundles import request_routes
from api.bundles.request_routes import DataRequestBody
from api.bundles.service import KnownDep
from api.campaigns import author_routes, campaign_routes
from api.database.tables import now
from api.dependencies import IdPath, StoreDep
from api.equipment.views import SiteView
from api.figures.figure_routes import FigureView, list_figures
from api.fits import chord_routes, fit_routes
from api.fits.chords import ChordList, ChordView
from api.fits.fit_routes import VersionPath
from api.fits.map_routes import StationOnMap
from api.fits.page_routes import keys_of
from api.fits.requests import ChoiceBody, FitAsk
from api.fits.service import FittingDep
from api.fits.tables import DONE
from api.fits.views import FitDetail, FitView, fit_detail
from api.results.cache import ResultCache
from api.results.service import ReducingDep
from api.web.campaign_pages import counted, map_data
from api.web.campaign_rights import require, rights_of
from api.web.forms import FORM_ERRORS, Form, FormDep
from api.web.limb_words import WORDS
from api.web.pages import Visit, VisitDep, page_router
from api.web.stacking import Stack, stack
from cluster.campaign.outcomes import read_curve
from cluster.store.published import ObjectStore
from reduction.errors import UmbraError

PAGE = 20
LATEST = 200
CURVES = "lightcurve.csv"
STACKS = 16

router = page_router()
SeeChords = Annotated[Permit, may(Operation.SEE_CHORDS)]
MayFit = Annotated[Permit, may(Operation.FIT_CAMPAIGN)]
SeeData = Annotated[Permit, may(Operation.SEE_EVENT_DATA)]
Earlier = Annotated[str | None, Query(max_length=200)]


def _about(visit: Visit, campaign_id: str) -> dict[str, Any]:
    """What the head of each page shows."""
    permit = visit.permit(Operation.SEE_CAMPAIGNS)
    view = campaign_routes.see_campaign(campaign_id, permit, visit.database)
    return {"campaign": view, "may": rights_of(visit, campaign_id), "now": now(), **WORDS}


@router.get("/campaigns/{campaign_id}/chords")
def chords(campaign_id: IdPath, visit: VisitDep, permit: SeeChords, fitting: FittingDep) -> Response:
    """Show the chords, their map, totals, and the last limb."""
    found = chord_routes.chords_of(campaign_id, permit, visit.database, fitting)
    about = _about(visit, campaign_id)
    fits = _fits(visit, campaign_id, None)[0]
    sites: Sequence[SiteView] = ()
    return visit.page(
        "campaigns/chords.html",
        **about,
        found=found,
        counts=counted(one.state for one in found.items),
        fit=next((one for one in fits if one.state == DONE), None),
        figure=_figure(visit, campaign_id),
        has_path=about["campaign"].prediction.has_path,
        map_data=map_data(visit, about["campaign"], _on_map(found), sites),
    )


def _figure(visit: Visit, campaign_id: str) -> FigureView | None:
    """The latest figure that the team uploaded."""
    permit = visit.permit(Operation.SEE_CHORDS)
    return next(iter(list_figures(campaign_id, permit, visit.database, 1).items), None)


def _on_map(found: ChordList) -> tuple[StationOnMap, ...]:
    return tuple(
        StationOnMap(station=one.station, observer=one.observer, state=one.state, **one.place.model_dump())
        for one in found.items
    )


@router.get("/campaigns/{campaign_id}/chords/{observation_id}")
def chord(
    campaign_id: IdPath,
    observation_id: IdPath,
    visit: VisitDep,
    permit: SeeChords,
    fitting: FittingDep,
) -> Response:
    """Show one station's chord; the team decides here what counts."""
    one = chord_routes.see_chord(campaign_id, observation_id, permit, visit.database, fitting)
    return visit.page("campaigns/chord.html", **_about(visit, campaign_id), chord=one)


@router.post("/campaigns/{campaign_id}/chords/{observation_id}")
def decide(
    campaign_id: IdPath,
    observation_id: IdPath,
    visit: VisitDep,
    permit: MayFit,
    fitting: FittingDep,
    form: FormDep,
) -> Response:
    """Decide what counts of a station, or take that back."""
    require(visit, permit, campaign_id)
    try:
        body = ChoiceBody() if form.text("back") else form.read(ChoiceBody)
        chord_routes.choose(campaign_id, observation_id, body, permit, visit.database, fitting)
    except FORM_ERRORS as error:
        seeing = visit.permit(Operation.SEE_CHORDS)
        one: ChordView = chord_routes.see_chord(campaign_id, observation_id, seeing, visit.database, fitting)
        return visit.again("campaigns/chord.html", form, error, **_about(visit, campaign_id), chord=one)
    return visit.back(f"/campaigns/{campaign_id}/chords/{observation_id}", "saved")


@router.get("/campaigns/{campaign_id}/curves")
def curves(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: SeeChords,
    fitting: FittingDep,
    reducing: ReducingDep,
) -> Response:
    """Show the light curves below one another, in order across the shadow."""
    found = chord_routes.chords_of(campaign_id, permit, visit.database, fitting)
    about = _about(visit, campaign_id)
    keys = tuple(sorted(keys_of(visit.database, found).items()))
    diameter = about["campaign"].prediction.diameter_km
    drawn, faults = _stacked(found.model_dump_json(), keys, diameter, reducing.cache)
    return visit.page("campaigns/curves.html", **about, found=found, stack=drawn, faults=faults)


@lru_cache(maxsize=STACKS)
def _stacked(
    chords_text: str, keys: tuple[tuple[str, str], ...], diameter_km: float | None, cache: ResultCache
) -> tuple[Stack | None, tuple[str, ...]]:
    """The stack of a campaign's chords, and what could not be read; the same chords are read once."""
    found, by_id = ChordList.model_validate_json(chords_text), dict(keys)
    read, faults = {}, []
    for one in found.items:
        if one.result is None:
            continue
        try:
            read[one.observation] = read_curve(cache.folder(by_id[one.result.id]) / CURVES)
        except UmbraError as error:
            faults.append(f"{one.station}: {error}")
    return stack(found, read, diameter_km), tuple(faults)


@router.get("/campaigns/{campaign_id}/fit")
def fit(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: SeeChords,
    fitting: FittingDep,
    store: StoreDep,
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    cursor: Earlier = None,
) -> Response:
    """Show a version of the limb: the latest that is done, or the one that is asked for."""
    values = _limb(campaign_id, visit, permit, fitting, store, version, cursor)
    return visit.page("campaigns/fit.html", **values)


def _fits(visit: Visit, campaign_id: str, cursor: str | None) -> tuple[tuple[FitView, ...], str | None]:
    permit = visit.permit(Operation.SEE_CHORDS)
    found = fit_routes.list_fits(campaign_id, permit, visit.database, LATEST if cursor else PAGE, cursor)
    return found.items, found.next


def _limb(
    campaign_id: str,
    visit: Visit,
    permit: Permit,
    fitting: FittingDep,
    store: ObjectStore,
    version: int | None,
    cursor: str | None,
) -> dict[str, Any]:
    from reduction.limb.tables import UNITS

    found = chord_routes.chords_of(campaign_id, permit, visit.database, fitting)
    fits, following = _fits(visit, campaign_id, cursor)
    if version is None and fits:
        version = next((one for one in fits if one.state == DONE), fits[0]).version
    return {
        **_about(visit, campaign_id),
        "fits": fits,
        "figure": _figure(visit, campaign_id),
        "following": following,
        "shown": None if version is None else _version(campaign_id, visit, permit, store, version),
        "units": UNITS,
        "used": sum(one.used for one in found.items),
        "positive": [one for one in found.items if one.used and one.state == "positive"],
    }


def _version(campaign_id: str, visit: Visit, permit: Permit, store: ObjectStore, version: int) -> FitDetail:
    row, exact = fit_routes.fit_of(visit.database, permit, campaign_id, version)
    files = fit_routes.files_of(store, row) if exact and row.state == DONE else ()
    return fit_detail(row, exact, files)


@router.get("/campaigns/{campaign_id}/fit/{version}")
def fit_state(
    campaign_id: IdPath, version: VersionPath, visit: VisitDep, permit: SeeChords, store: StoreDep
) -> Response:
    """Tell where a version is, as part of a page; once it has ended, the whole page is loaded again."""
    shown = _version(campaign_id, visit, permit, store, version)
    if not visit.is_fragment:
        return visit.back(f"/campaigns/{campaign_id}/fit?version={version}")
    answer = visit.fragment("campaigns/fit_state.html", shown=shown)
    if shown.state not in {"queued", "running"}:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/campaigns/{campaign_id}/fit")
def ask_fit(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: MayFit,
    fitting: FittingDep,
    store: StoreDep,
    form: FormDep,
) -> Response:
    """Fit the limb."""
    require(visit, permit, campaign_id)
    try:
        body = form.read(FitAsk)
        made = fit_routes.ask(campaign_id, body, Response(), permit, visit.database, fitting)
    except FORM_ERRORS as error:
        seeing = visit.permit(Operation.SEE_CHORDS)
        values = _limb(campaign_id, visit, seeing, fitting, store, None, None)
        return visit.again("campaigns/fit.html", form, error, **values)
    return visit.back(f"/campaigns/{campaign_id}/fit?version={made.version}")


@router.get("/campaigns/{campaign_id}/data")
def data(campaign_id: IdPath, visit: VisitDep, permit: SeeData, cursor: Earlier = None) -> Response:
    """Show who asked for the data, and who is to be named."""
    return visit.page("campaigns/data.html", **_data(campaign_id, visit, permit, cursor))


def _data(campaign_id: str, visit: Visit, permit: Permit, cursor: str | None) -> dict[str, Any]:
    found = request_routes.list_requests(campaign_id, permit, visit.database, PAGE, cursor)
    listing = visit.permit(Operation.LIST_AUTHORS)
    authors = author_routes.list_authors(campaign_id, listing, visit.database, True)
    return {
        **_about(visit, campaign_id),
        "requests": found.items,
        "following": found.next,
        "authors": authors.items,
    }


@router.post("/campaigns/{campaign_id}/data")
def ask_data(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.REQUEST_EVENT_DATA)],
    store: StoreDep,
    known: KnownDep,
    form: FormDep,
) -> Response:
    """Ask for the data of a campaign."""
    require(visit, permit, campaign_id)
    try:
        body = form.read(DataRequestBody)
        request_routes.request_data(
            campaign_id, body, permit, visit.database, store, visit.settings, known, Response()
        )
    except FORM_ERRORS as error:
        return _again(campaign_id, visit, form, error)
    return visit.back(f"/campaigns/{campaign_id}/data", "data_requested")


def _again(campaign_id: str, visit: Visit, form: Form, error: Exception) -> Response:
    values = _data(campaign_id, visit, visit.permit(Operation.SEE_EVENT_DATA), None)
    return visit.again("campaigns/data.html", form, error, **values)
