"""A synthetic archive: drawn from a seed, put into a database, and known apart from what is counted."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from api.campaigns.tables import Campaign, Prediction
from api.database.tables import Table
from api.database.transactions import Database
from api.equipment.tables import Equipment, Site
from api.observations.tables import Observation, ObservationFile
from api.people.tables import Person

BEGIN = datetime(2020, 8, 8, 20, 44, tzinfo=UTC)
DAYS = 650
STATUSES = ("positive", "negative", "overcast", "technical_failure", "planned", "unknown")
BODIES: tuple[tuple[str, str, str, dict[str, float]], ...] = (
    ("Ixion", "trans-Neptunian", "TNO", {}),
    ("2002 MS4", "trans-Neptunian", "KBO>Classical>Inner", {}),
    ("Huya", "trans-Neptunian", "", {"semimajor_au": 39.4, "eccentricity": 0.28, "perihelion_au": 28.4}),
    ("Quaoar", "trans-Neptunian", "", {"semimajor_au": 43.7, "eccentricity": 0.04}),
    ("Chariklo", "Centaur", "", {"semimajor_au": 15.8, "eccentricity": 0.17, "perihelion_au": 13.1}),
    ("Bienor", "Centaur", "Centaur", {"semimajor_au": 16.5, "eccentricity": 0.2}),
    ("Hektor", "Jupiter Trojan", "", {"semimajor_au": 5.25, "eccentricity": 0.02, "perihelion_au": 5.1}),
    ("Polymele", "Jupiter Trojan", "Trojan", {}),
    ("Apophis", "near-Earth", "", {"semimajor_au": 0.92, "eccentricity": 0.19, "perihelion_au": 0.75}),
    ("Didymos", "near-Earth", "NEA>Apollo", {}),
    ("Bertha", "main belt", "", {"semimajor_au": 3.19, "eccentricity": 0.08, "perihelion_au": 2.9}),
    ("Kalliope", "main belt", "Main belt", {}),
    ("Eunomia", "main belt", "dwarf planet?", {"semimajor_au": 2.64, "eccentricity": 0.19}),
    ("Bamberga", "Mars-crosser", "", {"semimajor_au": 2.3, "perihelion_au": 1.5}),
    ("C/2014 UN271", "comet", "", {"semimajor_au": 20000.0, "eccentricity": 0.9995}),
    ("Titania", "satellite", "Satellite of Uranus", {}),
    ("(a new one)", "unknown", "", {}),
)
"""Name, class, what its predictor states, orbit."""
RARE = 3
"""The last of each list are drawn rarely."""
PLACES: tuple[tuple[str, str, float, float], ...] = (
    ("Turkey", "Türkiye", 36.82, 30.34),
    ("Brazil", "BR", -22.53, -45.58),
    ("France", "France", 43.93, 5.71),
    ("Spain", "es", 37.06, -3.38),
    ("Spain", "Spain", 28.30, -16.51),
    ("Chile", "Chile", -24.62, -70.40),
    ("United States of America", "USA", 31.96, -111.60),
    ("Germany", "Deutschland", 52.50, 13.40),
    ("Czechia", "Czechia", 49.91, 14.78),
    ("Japan", "Japan", 34.58, 133.59),
    ("Australia", "Australia", -31.27, 149.06),
    ("New Zealand", "NZ", -43.99, 170.46),
    ("Argentina", "", -31.80, -69.30),
    ("Namibia", "Namibia", -23.23, 16.36),
    ("Morocco", "Morocco", 31.20, -7.87),
    ("Portugal", "Portugal", 35.00, -30.00),
    ("unknown", "<b>Atlantis</b>", 25.00, -40.00),
)
"""Country, what its observer states, place; Portugal's is at sea."""
CAMERAS: tuple[tuple[str, str, str], ...] = (
    ("QHY174M-GPS", "", "CMOS"), ("ZWO ASI 290MM", "IMX290", "CMOS"), ("Watec 910HX", "", "CCD video"),
    ("WAT-910HX/RC", "ICX429 CCD", "CCD video"), ("SBIG STL-11000", "KAI-11002", "CCD"),
    ("Andor iXon", "", "CCD"), ("Andor Zyla", "", "CMOS"),
    ("My own one", "imx178", "CMOS"), ("FLI ML", "CCD 4240", "CCD"),
    ("something", "", "unknown"), ("a box", "grey", "unknown"), ("RunCam Night Eagle", "", "CMOS"),
)  # fmt: skip
"""Name, sensor as stated, kind."""
APERTURES_MM = (
    None,
    80.0,
    99.9,
    100.0,
    199.0,
    200.0,
    235.0,
    254.0,
    280.0,
    299.9,
    300.0,
    356.0,
    400.0,
    500.0,
    1000.0,
    1600.0,
)


@dataclass
class Archive:
    """What was put into the database, as plain rows by table."""

    rows: dict[type[Table], list[dict[str, Any]]] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    """Id of a prediction -> class of its body."""
    countries: dict[str, str] = field(default_factory=dict)
    """Id of a site -> country by its place."""
    stated: dict[str, str] = field(default_factory=dict)
    """Id of a site -> country by its observer's words alone."""
    sensors: dict[str, str] = field(default_factory=dict)
    """Id of a camera -> kind."""

    def of(self, table: type[Table]) -> list[dict[str, Any]]:
        return self.rows.setdefault(table, [])

    def add(self, table: type[Table], **values: Any) -> str:
        values = {"id": f"{len(self.rows):02d}{len(self.of(table)):030d}", **values}
        self.of(table).append(values)
        return str(values["id"])


def make(seed: int, campaigns: int, observers: int, reports: int) -> Archive:
    """Draw an archive: `observers` with sites and equipment, `reports` over `campaigns`."""
    chance, made = random.Random(seed), Archive()
    for number in range(observers):
        _observer(made, chance, number)
    sites = made.of(Site)
    for number in range(campaigns):
        _campaign(made, chance, number)
    tried = set()
    while len(made.of(Observation)) < reports:
        campaign = made.of(Campaign)[min(int(chance.expovariate(5 / campaigns)), campaigns - campaigns // 8)]
        site = chance.choice(sites)
        if (campaign["id"], site["person"], site["id"]) not in tried:
            tried.add((campaign["id"], site["person"], site["id"]))
            _report(made, chance, campaign, site)
    return made


def _draw(chance: random.Random, table: tuple[Any, ...]) -> Any:
    common = table[:-RARE]
    return chance.choice(table[-RARE:]) if chance.random() < 0.02 else chance.choice(common)


def _when(chance: random.Random) -> datetime:
    return BEGIN + timedelta(days=chance.random() * DAYS)


def _observer(made: Archive, chance: random.Random, number: int) -> None:
    at = _when(chance)
    person = made.add(
        Person, email=None, email_key=None, name=f"Observer {number}", affiliation="", level="observer",
        password=None, created=at, deleted=at if number % 29 == 28 else None,
    )  # fmt: skip
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        country, stated, north, east = _draw(chance, PLACES)
        words = stated if chance.random() < 0.7 or country == "Portugal" else ""
        key = made.add(
            Site, person=person, name="home", latitude_deg=north + chance.uniform(-0.1, 0.1),
            longitude_deg=east + chance.uniform(-0.1, 0.1), height_m=100.0, address="", country=words,
            created=at + timedelta(days=chance.random() * 20),
        )  # fmt: skip
        made.countries[key], made.stated[key] = country, country if words else "unknown"
    aperture = chance.choice(APERTURES_MM)
    told = {} if aperture is None else {"aperture_mm": aperture}
    made.add(Equipment, person=person, kind="telescope", name="C11", details=told, created=at)
    name, sensor, kind = chance.choice(CAMERAS)
    details = {"sensor": sensor} if sensor else {}
    camera = made.add(Equipment, person=person, kind="camera", name=name, details=details, created=at)
    made.sensors[camera] = kind
    made.add(Equipment, person=person, kind="filter", name="R", details={}, created=at)


def _campaign(made: Archive, chance: random.Random, number: int) -> None:
    name, kind, stated, orbit = _draw(chance, BODIES)
    at = _when(chance)
    prediction = made.add(
        Prediction, occ_id=f"synthetic {number}", source="", object_name=name, object_number="",
        object_key=name.casefold(), object_class=stated, star_name="", at=at,
        elements={"orbit": orbit} if orbit else {}, created=at, changed=at,
    )  # fmt: skip
    made.classes[prediction] = kind
    made.add(Campaign, prediction=prediction, name=f"{name} {number}", state="open", opened=BEGIN)


def _report(made: Archive, chance: random.Random, campaign: dict[str, Any], site: dict[str, Any]) -> None:
    bad = int(campaign["id"]) % 3 == 0
    status = chance.choice(STATUSES[2:] if bad else STATUSES)
    observation = made.add(
        Observation, campaign=campaign["id"], person=site["person"], site=site["id"], station=site["id"],
        status=status, report={"comments": ["clear"]}, created=BEGIN, changed=BEGIN, consent=False, role="",
    )  # fmt: skip
    if status in {"positive", "negative"} and chance.random() < 0.5:
        made.add(
            ObservationFile, observation=observation, role=chance.choice(("recording", "recording", "roi")),
            name="a.ser", size=1, sha256="0" * 64, state=chance.choice(("accepted", "refused")), finding={},
            created=BEGIN,
        )  # fmt: skip


def put(made: Archive, database: Database) -> None:
    """Write an archive into an empty database."""
    with database.writing() as session:
        for table in (Person, Site, Equipment, Prediction, Campaign, Observation, ObservationFile):
            if made.of(table):
                session.execute(insert(table), made.of(table))
