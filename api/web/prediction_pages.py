"""Pages of predictions, for staff: searched, imported, made campaigns of."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns import campaigns, listing_routes, prediction_routes
from api.campaigns.campaign_views import AppointmentBody, CampaignBody
from api.campaigns.importing import Existing, campaign_of, import_of
from api.campaigns.listing_routes import LAST
from api.campaigns.prediction_files import MOST_BYTES, Contents, read_csv, read_json, read_xml
from api.campaigns.prediction_routes import import_contents
from api.campaigns.prediction_views import prediction_view
from api.campaigns.search import MOST_KM, search_of
from api.campaigns.tables import Prediction
from api.dependencies import IdPath
from api.problems import RefusedError
from api.web.forms import FORM_ERRORS, FilesDep, Form, FormDep, FormError
from api.web.pages import Visit, VisitDep, page_router
from api.words import Email
from reduction.errors import RequestError
from reduction.plan import Settings

AROUND_A_FILE = 64 * 1024
"""Bytes of a form beside the file that it carries."""

router = page_router()
MayManage = Annotated[Permit, may(Operation.MANAGE_PREDICTIONS)]
MayOpen = Annotated[Permit, may(Operation.OPEN_CAMPAIGN)]


class SearchForm(Settings):
    """What is searched for; as the parameters of `GET /api/predictions`."""

    start_date: date | None = None
    end_date: date | None = None
    mag_min: Annotated[float, Field(ge=-30, le=60)] | None = None
    mag_max: Annotated[float, Field(ge=-30, le=60)] | None = None
    object_name: Annotated[str, Field(max_length=200)] | None = None
    occ_id: Annotated[str, Field(max_length=200)] | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    distance: Annotated[float, Field(ge=0, le=MOST_KM)] | None = None


class ImportForm(Settings):
    """How a file is imported."""

    existing: Existing = "refuse"
    partial: bool = False
    dry_run: bool = False


class OpenForm(CampaignBody):
    """A call, and who is to answer for it."""

    responsible: Email | None = None


@router.get("/staff/predictions")
def search(visit: VisitDep, permit: MayManage, page: Annotated[int, Query(ge=1, le=LAST)] = 1) -> Response:
    """Search predictions; at first those to come."""
    del permit
    asked = visit.request.query_params
    form = Form({name: [asked[name]] for name in SearchForm.model_fields if asked.get(name, "").strip()})
    if not any(name in asked for name in SearchForm.model_fields):
        form.fields["start_date"] = [f"{datetime.now(UTC):%Y-%m-%d}"]
    try:
        wanted = search_of(**form.read(SearchForm).model_dump())
        seen = visit.permit(Operation.SEE_PREDICTIONS)
        found = listing_routes.search_predictions(seen, visit.database, wanted, page)
    except FORM_ERRORS as error:
        return visit.again("staff/predictions.html", form, error, found=None)
    return visit.page("staff/predictions.html", typed=form.typed, found=found)


@router.get("/staff/predictions/import")
def ask_file(visit: VisitDep, permit: MayManage) -> Response:
    """Ask for a file of predictions."""
    del permit
    return visit.page("staff/import.html", faults=())


@router.post("/staff/predictions/import", max_body_size=MOST_BYTES + AROUND_A_FILE)
def import_file(visit: VisitDep, permit: MayManage, form: FilesDep) -> Response:
    """Import a file, all of it or nothing; tell every fault by its line."""
    try:
        asked = form.read(ImportForm)
        contents = _contents(form, asked.partial)
        view = import_contents(visit.database, permit, contents, asked.existing, asked.dry_run)
    except FORM_ERRORS as error:
        faults = error.problem.errors if isinstance(error, RefusedError) else ()
        return visit.again("staff/import.html", form, error, faults=faults)
    if view.dry_run:
        return visit.page("staff/imported.html", view=view, rows=())
    return visit.back(f"/staff/predictions/imports/{view.id}")


@router.get("/staff/predictions/imports/{import_id}")
def see_import(import_id: IdPath, visit: VisitDep, permit: MayManage) -> Response:
    """Show what an import did, and the first of its predictions that are still there."""
    del permit
    with visit.database.reading() as session:
        view = import_of(session, import_id)
        rows = session.scalars(select(Prediction).where(Prediction.id.in_(view.predictions))).all()
        held = campaign_of(session, view.predictions)
    there = {row.id: prediction_view(row, held.get(row.id)) for row in rows}
    return visit.page(
        "staff/imported.html", view=view, rows=[there[k] for k in view.predictions if k in there]
    )


def _contents(form: Form, partial: bool) -> Contents:
    """What the chosen file holds: what it is shows in its first letter."""
    files = form.files.get("file", [])
    if not files:
        raise FormError({"file": "choose a file"})
    data = files[0].file.read()
    first = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"<":
        return read_xml(data, strict=not partial)
    if partial:
        raise FormError({"partial": "only events of an XML file can be left out; this is none"})
    return read_json(data) if first in {b"[", b"{"} else read_csv(data)


@router.get("/staff/predictions/{prediction_id}")
def see(prediction_id: IdPath, visit: VisitDep, permit: MayManage) -> Response:
    """Show a prediction, and how to make a campaign of it."""
    return _shown(visit, permit, prediction_id)


def _shown(visit: Visit, permit: Permit, identity: str) -> Response:
    found = prediction_routes.see_prediction(identity, permit, visit.database)
    return visit.page("staff/prediction.html", found=found)


@router.post("/staff/predictions/{prediction_id}/campaign")
def open_campaign(prediction_id: IdPath, visit: VisitDep, permit: MayOpen, form: FormDep) -> Response:
    """Open a campaign, and appoint who answers for it, at once."""
    in_utc(form, "embargo")
    try:
        body = form.read(OpenForm, prediction=prediction_id)
        identity = _opened(visit, permit, body)
    except FORM_ERRORS as error:
        seen = visit.permit(Operation.SEE_PREDICTIONS)
        found = prediction_routes.see_prediction(prediction_id, seen, visit.database)
        return visit.again("staff/prediction.html", form, error, found=found)
    return visit.back(f"/campaigns/{identity}", "campaign_opened")


def _opened(visit: Visit, permit: Permit, body: OpenForm) -> str:
    appointing = visit.permit(Operation.APPOINT_RESPONSIBLE)
    with visit.database.writing() as session:
        prediction = session.get(Prediction, body.prediction, with_for_update=True)
        if prediction is None:
            raise RefusedError(404, "no such prediction")
        row = campaigns.open_campaign(session, visit.settings, permit.caller, prediction, body)
        session.flush()
        if body.responsible is not None:
            who = AppointmentBody(email=body.responsible)
            try:
                campaigns.appoint(session, visit.settings, appointing.caller, row, who)
            except RequestError as error:
                raise FormError({"responsible": str(error)}) from error
        return row.id


def in_utc(form: Form, name: str) -> None:
    """Take a browser's date and time, which has no zone, as UTC, as its label says."""
    typed = form.text(name)
    if typed and not typed.endswith("Z") and "+" not in typed:
        form.fields[name] = [f"{typed}Z"]


@router.post("/staff/predictions/{prediction_id}/remove")
def remove(prediction_id: IdPath, visit: VisitDep, permit: MayManage) -> Response:
    """Remove a prediction that became no campaign."""
    prediction_routes.remove_prediction(prediction_id, permit, visit.database)
    return visit.back("/staff/predictions", "removed")
