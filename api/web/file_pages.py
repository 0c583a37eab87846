"""Pages on which a file is taken back by its observer, or flagged by the team."""

from typing import Annotated, Any

from fastapi import Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import DatabaseDep, IdPath
from api.observations import file_routes
from api.observations.tables import FLAGGED, Observation, ObservationFile
from api.observations.views import FlagBody, file_view
from api.observations.withdrawing import WHAT_TO_DO, uses_of
from api.web.forms import FORM_ERRORS, FormDep, FormError
from api.web.pages import Visit, VisitDep, page_router

router = page_router()
MayWithdraw = Annotated[Permit, may(Operation.WITHDRAW_FILE)]
MayFlag = Annotated[Permit, may(Operation.FLAG_FILE)]


def _about(visit: Visit, permit: Permit, file_id: str) -> dict[str, Any]:
    """The file, what uses it, and why it is flagged."""
    with visit.database.reading() as session:
        row = session.get(ObservationFile, file_id)
        permit.over(session, None if row is None else session.get(Observation, row.observation), "file")
        assert row is not None
        return {
            "file": file_view(row),
            "uses": uses_of(session, row),
            "advice": WHAT_TO_DO,
            "reason": row.finding["flag"]["reason"] if row.state == FLAGGED else "",
        }


@router.get("/files/{file_id}/withdraw")
def ask_back(file_id: IdPath, visit: VisitDep, permit: MayWithdraw) -> Response:
    """Ask whether a file is to be taken back, or say why it cannot be."""
    return visit.page("observations/withdraw.html", **_about(visit, permit, file_id))


@router.post("/files/{file_id}/withdraw")
def take_back(
    file_id: IdPath, visit: VisitDep, permit: MayWithdraw, database: DatabaseDep, form: FormDep
) -> Response:
    """Take a file back."""
    values = _about(visit, permit, file_id)
    try:
        file_routes.withdraw_file(file_id, permit, database)
    except FORM_ERRORS as error:
        return visit.again("observations/withdraw.html", form, error, **_about(visit, permit, file_id))
    return visit.back(f"/observations/{values['file'].observation}#files", "file_withdrawn")


@router.get("/files/{file_id}/flag")
def ask_flag(file_id: IdPath, visit: VisitDep, permit: MayFlag) -> Response:
    """Ask why a file is not to be used."""
    return visit.page("observations/flag.html", **_about(visit, permit, file_id))


@router.post("/files/{file_id}/flag")
def flag(file_id: IdPath, visit: VisitDep, permit: MayFlag, database: DatabaseDep, form: FormDep) -> Response:
    """Flag a file, or lift its flag."""
    values = _about(visit, permit, file_id)
    lift = bool(form.text("lift"))
    try:
        if not lift and not form.text("reason"):
            raise FormError({"reason": "say why the file is not to be used"})
        reason = FlagBody(reason="") if lift else form.read(FlagBody)
        file_routes.flag_file(file_id, reason, permit, database)
    except FORM_ERRORS as error:
        return visit.again("observations/flag.html", form, error, **values)
    done = "flag_lifted" if lift else "file_flagged"
    return visit.back(f"/observations/{values['file'].observation}#files", done)
