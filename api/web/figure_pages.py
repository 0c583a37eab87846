"""Pages of the figures that a campaign's team uploads."""

from typing import Annotated, Any

from fastapi import Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit
from api.campaigns import campaign_routes
from api.database.tables import now
from api.dependencies import IdPath, StoreDep
from api.downloads import file_name
from api.figures import figure_routes
from api.figures.figure_routes import MOST_BYTES, Caption, MayChange, MaySee, VersionPath
from api.web.campaign_rights import require, rights_of
from api.web.forms import FORM_ERRORS, FilesDep, Form, FormError
from api.web.pages import Visit, VisitDep, page_router
from reduction.plan import Settings

PAGE = 20
AROUND_A_FILE = 1 << 16

router = page_router()


class FigureForm(Settings):
    """What is said of a figure."""

    caption: Caption


def _figures(campaign_id: str, visit: Visit, permit: Permit, cursor: str | None) -> dict[str, Any]:
    found = figure_routes.list_figures(campaign_id, permit, visit.database, PAGE, cursor)
    seeing = visit.permit(Operation.SEE_CAMPAIGNS)
    return {
        "campaign": campaign_routes.see_campaign(campaign_id, seeing, visit.database),
        "may": rights_of(visit, campaign_id),
        "now": now(),
        "figures": found.items,
        "following": found.next,
    }


@router.get("/campaigns/{campaign_id}/figures")
def figures(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: MaySee,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Show the figures that were uploaded; the team uploads and removes them here."""
    return visit.page("campaigns/figures.html", **_figures(campaign_id, visit, permit, cursor))


@router.post("/campaigns/{campaign_id}/figures", max_body_size=MOST_BYTES + AROUND_A_FILE)
def upload(
    campaign_id: IdPath, visit: VisitDep, permit: MayChange, store: StoreDep, form: FilesDep
) -> Response:
    """Keep a figure."""
    require(visit, permit, campaign_id)
    try:
        asked = form.read(FigureForm)
        data, name = _chosen(form)
        figure_routes.keep_figure(campaign_id, data, asked.caption, name, permit, visit.database, store)
    except FORM_ERRORS as error:
        values = _figures(campaign_id, visit, visit.permit(Operation.SEE_CHORDS), None)
        return visit.again("campaigns/figures.html", form, error, **values)
    return visit.back(f"/campaigns/{campaign_id}/figures", "figure_uploaded")


def _chosen(form: Form) -> tuple[bytes, str]:
    """Bytes and name of the file that was chosen."""
    files = form.files.get("file", [])
    if not files:
        raise FormError({"file": "choose a picture"})
    return files[0].file.read(MOST_BYTES + 1), file_name(files[0].filename or "picture")


@router.post("/campaigns/{campaign_id}/figures/{version}/remove")
def remove(
    campaign_id: IdPath,
    version: VersionPath,
    visit: VisitDep,
    permit: MayChange,
) -> Response:
    """Take a figure away."""
    figure_routes.remove_figure(campaign_id, version, permit, visit.database)
    return visit.back(f"/campaigns/{campaign_id}/figures", "figure_removed")
