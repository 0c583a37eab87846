"""All tables of the service: an area is a module here, and a migration."""

from sqlalchemy import MetaData

from api.audit import tables as audit
from api.campaigns import tables as campaigns
from api.database.tables import Table
from api.equipment import tables as equipment
from api.mail import tables as mail
from api.observations import tables as observations
from api.people import tables as people
from api.results import tables as results
from api.uploads import tables as uploads

AREAS = (people, audit, mail, campaigns, equipment, observations, uploads, results)


def metadata() -> MetaData:
    """The tables of all areas."""
    return Table.metadata
