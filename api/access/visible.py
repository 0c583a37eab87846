"""What a caller may see of a table, as a condition of its query: `Permit.over` of every row at once."""

from typing import Any

from sqlalchemy import ColumnElement, false, or_, select, true

from api.access.caller import Caller
from api.access.matrix import MATRIX, RELATIONS, Operation, Standing
from api.campaigns.tables import Campaign, Responsible
from api.database.tables import now
from api.observations.tables import Observation

KNOWN = Standing.OWNER | Standing.RESPONSIBLE | Standing.READER


def visible(caller: Caller, operation: Operation, person: Any, campaign: Any) -> ColumnElement[bool]:
    """The condition that a caller may do an operation that reads.

    Parameters
    ----------
    caller : Caller
    operation : Operation
        One that owners, responsibles and readers may do, or some of them.
    person, campaign : column
        Whose a row is, and of which campaign.
    """
    row = MATRIX[operation]
    assert not row.allowed & RELATIONS & ~KNOWN, f"{operation}: not yet as a condition"
    if caller.means == "key" and (not row.by_key or row.scope not in caller.scopes):
        return false()
    if row.allowed & caller.standing:
        return true()
    if caller.person is None:
        return false()
    ways: dict[Standing, ColumnElement[bool]] = {
        Standing.OWNER: person == caller.person,
        Standing.RESPONSIBLE: campaign.in_(
            select(Responsible.campaign).where(Responsible.person == caller.person)
        ),
        Standing.READER: campaign.in_(
            select(Campaign.id)
            .join(Observation, Observation.campaign == Campaign.id)
            .where(Campaign.embargo <= now(), Observation.person == caller.person)
        ),
    }
    return or_(false(), *(condition for standing, condition in ways.items() if standing & row.allowed))
