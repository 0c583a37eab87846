"""What a visitor may do with a campaign: by which its pages show or hide."""

from dataclasses import dataclass
from datetime import datetime

from api.access.matrix import Operation
from api.access.permit import Permit
from api.campaigns.tables import Campaign
from api.web.pages import Visit


@dataclass(frozen=True, slots=True)
class Rights:
    """Each is decided by the matrix; `people`: may know the participants, `manage`: is of the team."""

    people: bool
    chords: bool
    fit: bool
    manage: bool
    appoint: bool
    data: bool
    join: bool


def rights_of(visit: Visit, campaign_id: str) -> Rights:
    """What a visitor may do with a campaign; nothing, where there is none."""
    with visit.database.reading() as session:
        row = session.get(Campaign, campaign_id)

        def may(operation: Operation) -> bool:
            return row is not None and visit.may(operation, row, session)

        return Rights(
            people=may(Operation.SEE_PARTICIPANTS),
            chords=may(Operation.SEE_CHORDS),
            fit=may(Operation.FIT_CAMPAIGN),
            manage=may(Operation.MANAGE_CAMPAIGN),
            appoint=may(Operation.APPOINT_RESPONSIBLE),
            data=may(Operation.SEE_EVENT_DATA),
            join=may(Operation.JOIN_CAMPAIGN) and row is not None and row.state == "open",
        )


def require(visit: Visit, permit: Permit, campaign_id: str) -> None:
    """See that a visitor may do what they sent a form for, before it is read.

    Raises
    ------
    RefusedError
        403, 404.
    """
    with visit.database.reading() as session:
        permit.over(session, session.get(Campaign, campaign_id), "campaign")


def embargo_words(embargo: datetime | None, now: datetime) -> str:
    """Who sees the results of a campaign."""
    if embargo is None:
        return "Results are for the team (staff and the event responsible) alone; there is no date yet."
    if embargo <= now:
        return "Results are open to all who take part."
    return f"Results are for the team alone until {embargo:%Y-%m-%d %H:%M} UTC."
