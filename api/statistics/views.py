"""What is told of the archive."""

from typing import Literal

from api.statistics.cameras import Sensor
from api.statistics.classes import Class
from reduction.plan import Settings

Outcome = Literal[
    "positive", "negative", "unknown", "technical_failure", "overcast", "planned", "none"
]  # fmt: skip
OUTCOMES: tuple[Outcome, ...] = (
    "positive",
    "negative",
    "unknown",
    "technical_failure",
    "overcast",
    "planned",
    "none",
)
"""Of a campaign: the first of these that one of its observers reports; ``none``: nobody joined it."""


class OutcomeCount(Settings):
    """Campaigns of an outcome, and reports of that status."""

    outcome: Outcome
    campaigns: int
    reports: int


class ClassCount(Settings):
    """Campaigns by the dynamical class of the body, and how many bodies these are."""

    name: Class
    campaigns: int
    bodies: int


class CellCount(Settings):
    """Observers' places within a cell of 1 degree by 1 degree; its middle."""

    latitude_deg: float
    longitude_deg: float
    sites: int
    observers: int


class CountryCount(Settings):
    """A country: observers and sites registered in the period, reports from there of its occultations.

    Who has sites in several countries counts in each.
    """

    name: str
    observers: int
    sites: int
    reports: int


class ApertureCount(Settings):
    """Telescopes of at least `from_cm` and less than `below_cm`; both null: the aperture is not known."""

    from_cm: float | None
    below_cm: float | None
    telescopes: int

    @property
    def name(self) -> str:
        """For people."""
        if self.from_cm is None and self.below_cm is None:
            return "unknown"
        if not self.from_cm:
            return f"less than {self.below_cm:g} cm"
        if self.below_cm is None:
            return f"{self.from_cm:g} cm and more"
        return f"{self.from_cm:g} to {self.below_cm:g} cm"


class SensorCount(Settings):
    """Cameras by their sensors."""

    name: Sensor
    cameras: int


class MonthCount(Settings):
    """A month with occultations of campaigns: ``2020-08``."""

    month: str
    campaigns: int
    positive: int
    reports: int


class Busiest(Settings):
    """The campaign with the most stations; which it is, is told to those with an account."""

    stations: int
    campaign: str | None = None
    name: str | None = None


class Totals(Settings):
    """Of the period.

    Attributes
    ----------
    campaigns, bodies : int
        Calls whose occultations are in the period, and different bodies of these.
    with_stations, with_data : int
        Campaigns that somebody joined, and those to which an accepted recording was sent.
    reports : int
        Observations: one for each station.
    observers, sites, telescopes, cameras : int
        Accounts and what they registered, in the period; deleted accounts are not counted, nor is what was
        removed before anybody used it.
    """

    campaigns: int
    with_stations: int
    with_data: int
    reports: int
    bodies: int
    observers: int
    sites: int
    telescopes: int
    cameras: int


class Statistics(Settings):
    """All that is counted of a period. Classes of nothing are left out, but for outcomes and apertures."""

    start: str
    end: str
    totals: Totals
    outcomes: tuple[OutcomeCount, ...]
    classes: tuple[ClassCount, ...]
    cells: tuple[CellCount, ...]
    countries: tuple[CountryCount, ...]
    apertures: tuple[ApertureCount, ...]
    cameras: tuple[SensorCount, ...]
    months: tuple[MonthCount, ...]
    busiest: Busiest | None
