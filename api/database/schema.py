"""All tables of the service: an area is a module here, and a migration."""

from sqlalchemy import MetaData

from api.audit import tables as audit
from api.bundles import tables as bundles
from api.campaigns import tables as campaigns
from api.database.tables import Table
from api.equipment import tables as equipment
from api.figures import tables as figures
from api.fits import tables as fits
from api.mail import tables as mail
from api.notices import tables as notices
from api.observations import tables as observations
from api.people import tables as people
from api.results import tables as results
from api.standards import tables as standards
from api.uploads import tables as uploads
from api.webhooks import tables as webhooks

AREAS = (
    people,
    audit,
    mail,
    campaigns,
    equipment,
    observations,
    uploads,
    results,
    bundles,
    fits,
    notices,
    figures,
    standards,
    webhooks,
)


def metadata() -> MetaData:
    """The tables of all areas."""
    return Table.metadata
