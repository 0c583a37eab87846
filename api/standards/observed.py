"""What the archive knows of a light curve besides its samples, for its VOTable."""

from sqlalchemy.orm import Session

from api.campaigns.tables import Campaign, Prediction
from api.equipment.tables import Equipment
from api.observations.tables import Observation
from api.results.tables import Result
from api.settings import ServiceSettings
from api.standards.identifiers import authority, identifier
from ingest.curves.own_votable import Observed


def observed_of(session: Session, row: Result, settings: ServiceSettings) -> Observed:
    """The star's place, and who publishes what of which body, seen from where with what."""
    campaign = session.get_one(Campaign, row.campaign)
    body = session.get_one(Prediction, campaign.prediction)
    observation = session.get_one(Observation, row.observation)
    named = [session.get(Equipment, one or "") for one in (observation.telescope, observation.camera)]
    words = {
        "publisher": authority(settings),
        "obs_publisher_did": identifier(settings, "result", row.id),
        "obs_id": row.observation,
        "obs_collection": campaign.name,
        "target_name": target_name(body),
        "star_name": body.star_name,
        "facility_name": observation.station,
        "instrument_name": ", ".join(one.name for one in named if one is not None),
        "version": str(row.version),
    }
    told = {name: value for name, value in words.items() if value}
    return Observed(body.star_ra_deg, body.star_dec_deg, told)


def target_name(body: Prediction) -> str:
    """The occulting body, by number and name."""
    return f"({body.object_number}) {body.object_name}" if body.object_number else body.object_name
