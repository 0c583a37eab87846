"""The page of statistics: figures, and under each all its numbers as a table."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Request, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.statistics.figures import Name
from api.statistics.keeping import Kept
from api.statistics.periods import Period
from api.statistics.statistics_routes import counted, period_of, seen_by
from api.statistics.views import Statistics
from api.web.pages import VisitDep, page_router
from reduction.errors import RequestError

ROUTE = "/api/v1/statistics"
SHOWN = 5
"""Bars that the words in place of a figure name."""

Cell = str | int

router = page_router()


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, what it means, and its table, whose first column are words."""

    name: Name
    heading: str
    meaning: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    counted: int = 1
    """Column of which shares are told; 0: of none."""

    @property
    def words(self) -> str:
        """In place of the figure, for those who do not see it."""
        told = [f"{row[0]} {row[self.counted]}" for row in self.rows[:SHOWN]] if self.counted else []
        more = f" and {len(self.rows) - len(told)} more" if len(self.rows) > len(told) else ""
        return f"{self.heading}: {', '.join(told)}{more}; all in the table" if told else self.heading

    @property
    def total(self) -> int:
        """Sum of the column that is counted."""
        return sum(int(row[self.counted]) for row in self.rows) if self.counted else 0


@router.get("/statistics")
def statistics(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_STATISTICS)], request: Request
) -> Response:
    """Show the archive in numbers, of all years or of a period."""
    query = request.query_params
    asked = {name: query.get(name, "").strip() for name in ("start", "end")}
    kept: Kept = request.app.state.statistics
    status, problem, period = 200, "", Period()
    try:
        period = period_of(permit, asked["start"], asked["end"])
    except RequestError as error:
        status, problem = 422, str(error)
    held = seen_by(permit, counted(visit.database, kept, period))
    given = {name: text for name, text in (("start", period.start), ("end", period.end)) if text}
    return visit.page(
        "statistics/statistics.html",
        status,
        asked=asked,
        problem=problem,
        period=period,
        query=f"?{urlencode(given)}" if given else "",
        held=held,
        charts=charts(held),
        route=ROUTE,
    )


def charts(held: Statistics) -> tuple[Chart, ...]:
    """What the page shows."""
    return (
        Chart(
            "outcomes",
            "Outcomes of campaigns",
            "A campaign is positive if at least one observer reports that the star disappeared, negative if"
            " some watched and none saw it. Else it is unknown (recorded, but nothing told yet), a technical"
            " failure, overcast or planned: the first of these that anybody reports.",
            ("Outcome", "Campaigns", "Reports"),
            tuple((_outcome(one.outcome), one.campaigns, one.reports) for one in held.outcomes),
        ),
        Chart(
            "campaigns",
            "Campaigns by time",
            "By the month of the occultation.",
            ("Month", "Campaigns", "Positive", "Reports"),
            tuple((one.month, one.campaigns, one.positive, one.reports) for one in held.months),
            counted=0,
        ),
        Chart(
            "classes",
            "Dynamical classes",
            "Of the bodies of all campaigns: as the prediction states, else by its orbit, with the limits of"
            " JPL’s Small-Body Database; unknown where it tells neither.",
            ("Class", "Campaigns", "Bodies"),
            tuple((one.name, one.campaigns, one.bodies) for one in held.classes),
        ),
        Chart(
            "countries",
            "Countries",
            "Of observers’ sites, by their place; who has sites in several countries counts in each.",
            ("Country", "Observers", "Sites", "Reports"),
            tuple((one.name, one.observers, one.sites, one.reports) for one in held.countries),
        ),
        Chart(
            "apertures",
            "Telescopes",
            "Clear apertures of the telescopes that observers registered.",
            ("Aperture", "Telescopes"),
            tuple((one.name, one.telescopes) for one in held.apertures),
        ),
        Chart(
            "cameras",
            "Cameras",
            "By the sensor, as its owner states it or as it is known of the model. CCD video: analogue"
            " cameras such as Watec’s.",
            ("Sensor", "Cameras"),
            tuple((one.name, one.cameras) for one in held.cameras),
        ),
    )


def _outcome(word: str) -> str:
    return "nobody joined" if word == "none" else word.replace("_", " ")
