"""Statistics as CSV: a line for each number."""

import csv
import io
from collections.abc import Iterator

from api.statistics.views import Statistics

COLUMNS = ("statistic", "class", "what", "number")
Line = tuple[str, str, str, int]


def sheet(held: Statistics) -> str:
    """Return every number as a line: ``countries,Spain,observers,12``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(lines(held))
    return text.getvalue()


def lines(held: Statistics) -> Iterator[Line]:
    """Every number. Classes are of fixed lists, names of countries of the atlas: none is typed by anybody."""
    for name, number in held.totals.model_dump().items():
        yield "totals", "", name, number
    if held.busiest is not None:
        yield "totals", "", "most_stations", held.busiest.stations
    for outcome in held.outcomes:
        yield "outcomes", outcome.outcome, "campaigns", outcome.campaigns
        yield "outcomes", outcome.outcome, "reports", outcome.reports
    for group in held.classes:
        yield "classes", group.name, "campaigns", group.campaigns
        yield "classes", group.name, "bodies", group.bodies
    for country in held.countries:
        for what in ("observers", "sites", "reports"):
            yield "countries", country.name, what, getattr(country, what)
    for aperture in held.apertures:
        yield "apertures", aperture.name, "telescopes", aperture.telescopes
    for camera in held.cameras:
        yield "cameras", camera.name, "cameras", camera.cameras
    for month in held.months:
        for what in ("campaigns", "positive", "reports"):
            yield "months", month.month, what, getattr(month, what)
    for cell in held.cells:
        place = f"latitude {cell.latitude_deg} longitude {cell.longitude_deg}"
        yield "cells", place, "sites", cell.sites
        yield "cells", place, "observers", cell.observers
