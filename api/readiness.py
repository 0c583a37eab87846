"""Whether the service can do its work: for those who watch it, and for what sends it requests."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from sqlalchemy import text

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import DatabaseDep
from api.notices.noticing import Working
from api.problems import RefusedError, responses
from reduction.plan import Settings

router = APIRouter(prefix="/api/v1", tags=["service"])


class Readiness(Settings):
    """What works.

    Attributes
    ----------
    mail : str
        ``sends``, or ``outbox``: no server is named, e-mails stay there.
    """

    database: Literal["answers"] = "answers"
    mail: Literal["sends", "outbox"]


@router.get("/ready", responses=responses(503), summary="Whether the service can do its work")
def ready(
    request: Request, permit: Annotated[Permit, may(Operation.SEE_HEALTH)], database: DatabaseDep
) -> Readiness:
    """Ask the database and every thread that works on its own; 503 if one of them does not work."""
    del permit
    with database.reading() as session:
        session.execute(text("SELECT version_num FROM umbra_service"))
    threads: dict[str, Working] = request.app.state.threads
    for name, thread in threads.items():
        if not thread.alive:
            raise RefusedError(503, f"{name}: stopped; the log tells why, restart the service")
    return Readiness(mail="outbox" if request.app.state.sender is None else "sends")
