"""Light or dark, for who has no scripts."""

from typing import Annotated

from fastapi import Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.web.forms import FormDep
from api.web.pages import THEME, THEMES, VisitDep, page_router

YEAR_S = 365 * 24 * 3600
router = page_router()


@router.post("/theme")
def choose(visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_PAGES)], form: FormDep) -> Response:
    """Keep the theme in a cookie."""
    del permit
    answer = visit.back(form.text("next", "/"))
    theme = form.text("theme")
    if theme in THEMES:
        answer.set_cookie(
            THEME, theme, max_age=YEAR_S, path="/", secure=visit.settings.secure, samesite="lax"
        )
    return answer
