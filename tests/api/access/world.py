"""A small world: a campaign, and somebody of each kind who calls."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy.orm import Session

from api.access.matrix import Level
from api.campaigns.tables import Campaign, Prediction, Responsible
from api.database.tables import Table, new_id, now
from api.database.transactions import Database
from api.equipment.tables import Site
from api.observations.tables import Observation
from api.people.passwords import hashed
from api.people.tables import LoginSession, Person

PASSWORD = "correct horse battery staple"
LEVELS = {
    "observer": Level.OBSERVER,
    "participant": Level.OBSERVER,
    "owner": Level.OBSERVER,
    "reducer": Level.OBSERVER,
    "responsible": Level.OBSERVER,
    "staff": Level.STAFF,
    "superuser": Level.SUPERUSER,
    "reader": Level.OBSERVER,
}
CALLERS = ("anyone", *LEVELS)


@cache
def kept() -> str:
    """Hash of `PASSWORD`."""
    return hashed(PASSWORD)


@dataclass
class World:
    """People by kind, and things of a campaign.

    `owner` and `reducer` are the same person's column: whose the things are depends on `campaign_of(column)`.
    """

    database: Database
    people: dict[str, Person] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    strict: dict[str, str] = field(default_factory=dict)
    """Things of a campaign whose observers may not reduce: kind -> id."""
    open: dict[str, str] = field(default_factory=dict)
    """The same, of one whose observers may."""
    opened: dict[str, str] = field(default_factory=dict)
    """The same as the first, of one whose embargo is over: `reader` has a station in it."""

    def owner_for(self, caller: str) -> Person:
        """Whose a thing is when `caller` comes for it."""
        return self.people["reducer" if caller == "reducer" else "owner"]

    def things_for(self, caller: str) -> dict[str, str]:
        """Ids of campaign, prediction, site and observation when `caller` comes for them."""
        return {"reducer": self.open, "reader": self.opened}.get(caller, self.strict)

    def add(self, *rows: Table) -> None:
        with self.database.writing() as session:
            session.add_all(rows)

    def headers(self, caller: str) -> dict[str, str]:
        """What a caller's browser sends."""
        if caller == "anyone":
            return {}
        secret = self.secrets[caller]
        csrf = hmac.new(secret.encode(), b"umbra csrf", hashlib.sha256).hexdigest()
        return {"Cookie": f"umbra_session={secret}", "X-CSRF-Token": csrf}


def person(name: str, level: Level = Level.OBSERVER, email: str | None = None) -> Person:
    address = email or f"{name}-{new_id()}@example.org"
    return Person(
        id=new_id(), email=address, email_key=address.lower(), name=name, affiliation="", level=level.value,
        password=kept(), created=now(),
    )  # fmt: skip


def session_of(owner: Person, secret: str | None = None) -> LoginSession:
    digest = hashlib.sha256((secret or new_id()).encode()).hexdigest()
    at = now()
    return LoginSession(
        id=new_id(), digest=digest, person=owner.id, agent="a browser", created=at, seen=at,
        expires=at + timedelta(hours=1),
    )  # fmt: skip


def make_world(database: Database) -> World:
    """People and two campaigns, new in a database."""
    world = World(database)
    with database.writing() as session:
        for name, level in LEVELS.items():
            world.people[name] = person(name, level)
            world.secrets[name] = f"secret-of-{new_id()}"
            session.add(world.people[name])
            session.flush()
            session.add(session_of(world.people[name], world.secrets[name]))
        world.strict = _campaign(session, world, "owner", False)
        world.open = _campaign(session, world, "reducer", True)
        world.opened = _campaign(session, world, "owner", False, "reader", now() - timedelta(days=1))
    return world


def _campaign(
    session: Session,
    world: World,
    owner: str,
    observers_reduce: bool,
    other: str = "participant",
    embargo: datetime | None = None,
) -> dict[str, str]:
    at = now()
    prediction = Prediction(
        id=new_id(), occ_id=new_id(), source="", object_name="Ixion", object_key="ixion", at=at, elements={},
        created=at, changed=at,
    )  # fmt: skip
    session.add(prediction)
    session.flush()
    campaign = Campaign(
        id=new_id(), prediction=prediction.id, name="Ixion", state="open", observers_reduce=observers_reduce,
        opened=at, embargo=embargo,
    )  # fmt: skip
    session.add(campaign)
    session.flush()
    session.add(Responsible(campaign=campaign.id, person=world.people["responsible"].id, appointed=at))
    ids = {"campaign": campaign.id, "prediction": prediction.id}
    for who in (owner, other):
        site = Site(
            id=new_id(), person=world.people[who].id, name="home", latitude_deg=36.8, longitude_deg=30.3,
            height_m=2500.0, created=at,
        )  # fmt: skip
        session.add(site)
        session.flush()
        observation = Observation(
            id=new_id(), campaign=campaign.id, person=site.person, site=site.id, station=who,
            status="planned", report={}, created=at, changed=at,
        )  # fmt: skip
        session.add(observation)
        session.flush()
        if who == owner:
            ids |= {"site": site.id, "observation": observation.id}
    return ids
