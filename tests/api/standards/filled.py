"""Results of a night, as rows alone: what a search finds, without any reduction."""

from datetime import UTC, datetime, timedelta

from api.campaigns.tables import Campaign, Prediction
from api.database.tables import new_id
from api.equipment.tables import Site
from api.observations.tables import Observation
from api.results.tables import Reduction, Result
from api.standards.tables import Coverage
from tests.api.access.world import World
from tests.api.results.things import ABSENT, file_of

NIGHT = datetime(2025, 10, 9, tzinfo=UTC)


def campaign_at(world: World, ra: float, dec: float, name: str = "Ixion") -> str:
    """A campaign about a star."""
    prediction = Prediction(
        id=new_id(), occ_id=new_id(), source="", object_name=name, object_key=name.lower(), at=NIGHT,
        elements={"star": {"ra_hours": ra / 15.0, "dec_deg": dec}}, created=NIGHT, changed=NIGHT,
    )  # fmt: skip
    world.add(prediction)
    campaign = Campaign(id=new_id(), prediction=prediction.id, name=name, state="open", opened=NIGHT)
    world.add(campaign)
    return campaign.id


def observed(world: World, campaign: str, who: str = "owner") -> str:
    """An observation of a campaign."""
    person = world.people[who].id
    site = Site(
        id=new_id(), person=person, name="home", latitude_deg=36.8, longitude_deg=30.3, height_m=2500.0,
        created=NIGHT,
    )  # fmt: skip
    world.add(site)
    observation = Observation(
        id=new_id(), campaign=campaign, person=person, site=site.id, station=f"{who} {new_id()[:4]}",
        status="positive", report={}, created=NIGHT, changed=NIGHT,
    )  # fmt: skip
    world.add(observation)
    return observation.id


def recorded(world: World, observation: str, name: str = "a.ser") -> str:
    """A recording of an observation."""
    file = file_of(observation, ABSENT, name=name)
    world.add(file)
    return file.id


def reduced(world: World, observation: str, file: str, version: int = 1, minutes: float = 0.0) -> str:
    """A version of an observation's results; its recording begins `minutes` after midnight, for a minute."""
    with world.database.reading() as session:
        row = session.get_one(Observation, observation)
    reduction = Reduction(
        id=new_id(), campaign=row.campaign, observation=observation, file=file, line=0, person=row.person,
        asker=row.person, priority=0, request={}, key=ABSENT, created=NIGHT,
    )  # fmt: skip
    world.add(reduction)
    result = Result(
        id=new_id(), campaign=row.campaign, observation=observation, person=row.person,
        reduction=reduction.id, version=version, key=ABSENT, edition="1", figures={},
        created=NIGHT + timedelta(minutes=minutes + version),
    )  # fmt: skip
    world.add(result)
    begin = 60957 + minutes / 1440
    world.add(
        Coverage(result=result.id, t_min=begin, t_max=begin + 1 / 1440, exposure_s=60.0, cadence_s=0.04)
    )
    return result.id
