"""Figures 3 to 8 of a synthetic archive: the service's numbers and bars, and counts of its plain rows."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.requirements import require

require("server")

from matplotlib.container import BarContainer  # noqa: E402 - after the check for the extra
from matplotlib.figure import Figure  # noqa: E402
from PIL import Image  # noqa: E402

from api.campaigns.tables import Campaign, Prediction  # noqa: E402
from api.equipment.tables import Equipment, Site  # noqa: E402
from api.observations.tables import Observation, ObservationFile  # noqa: E402
from api.people.tables import Person  # noqa: E402
from api.statistics.countries import atlas  # noqa: E402
from api.statistics.figures import NAMES, figure_of  # noqa: E402
from api.statistics.views import Statistics  # noqa: E402
from reduction.outputs.drawing import house_style  # noqa: E402
from tests.api.backends import service_on  # noqa: E402
from tests.api.client import API, Client  # noqa: E402
from tests.api.statistics import archive  # noqa: E402
from tests.api.statistics.archive import Archive  # noqa: E402

ROUTE = f"{API}/statistics"
ORDER = ("positive", "negative", "unknown", "technical_failure", "overcast", "planned")
PERIODS = {
    "": ("0000", "9999"),
    "?start=2021&end=2021": ("2021-01", "2021-12"),
    "?start=2021": ("2021-01", "9999"),
    "?end=2020": ("0000", "2020-12"),
    "?start=1999&end=1999": ("1999-01", "1999-12"),
}
"""What is asked for -> its first and last month."""


@pytest.fixture(scope="module")
def made() -> Archive:
    return archive.make(seed=9, campaigns=160, observers=130, reports=900)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, made: Archive
) -> Iterator[Client]:
    for client in service_on(request.param, tmp_path_factory.mktemp("service")):
        archive.put(made, client.app.state.database)
        yield client


ON_ONE = pytest.mark.parametrize("client", ["sqlite"], indirect=True)
"""What follows from the numbers alone, whatever database they are of."""


class Tally:
    """The same numbers by loops over the archive's rows, for months from `first` to `last`."""

    def __init__(self, made: Archive, first: str, last: str) -> None:
        def within(at: datetime) -> bool:
            return first <= f"{at:%Y-%m}" <= last

        predictions = {row["id"]: row for row in made.of(Prediction)}
        self.when = {
            row["id"]: f"{predictions[row['prediction']]['at']:%Y-%m}"
            for row in made.of(Campaign)
            if within(predictions[row["prediction"]]["at"])
        }
        self.campaigns = [row for row in made.of(Campaign) if row["id"] in self.when]
        self.reports = [row for row in made.of(Observation) if row["campaign"] in self.when]
        self.bodies = {row["id"]: predictions[row["prediction"]]["object_name"] for row in self.campaigns}
        self.classes = {row["id"]: made.classes[row["prediction"]] for row in self.campaigns}
        self.sites = [row for row in made.of(Site) if within(row["created"])]
        self.people = [row for row in made.of(Person) if within(row["created"]) and row["deleted"] is None]
        self.equipment = [row for row in made.of(Equipment) if within(row["created"])]
        self.country = made.countries if atlas() else made.stated
        self.sensors, self.files = made.sensors, made.of(ObservationFile)

    def outcomes(self) -> dict[str, int]:
        said: dict[str, set[str]] = {row["id"]: set() for row in self.campaigns}
        for row in self.reports:
            said[row["campaign"]].add(row["status"])
        return Counter(next((one for one in ORDER if one in words), "none") for words in said.values())

    def countries(self) -> dict[str, tuple[int, int, int]]:
        names = {self.country[row["id"]] for row in self.sites}
        names |= {self.country[row["site"]] for row in self.reports}
        found = {}
        for name in names:
            here = [row for row in self.sites if self.country[row["id"]] == name]
            reports = sum(self.country[row["site"]] == name for row in self.reports)
            found[name] = len({row["person"] for row in here}), len(here), reports
        return found

    def cells(self) -> dict[tuple[float, float], int]:
        return Counter(
            (int(row["latitude_deg"] + 90) - 89.5, int(row["longitude_deg"] + 180) - 179.5)
            for row in self.sites
        )

    def apertures(self) -> dict[float | None, int]:
        """By the lower limit in centimetres."""
        limits = (0, 10, 20, 30, 40, 50, 100)
        found: Counter[float | None] = Counter()
        for row in self.equipment:
            if row["kind"] == "telescope":
                size = row["details"].get("aperture_mm")
                found[None if size is None else max(one for one in limits if one <= size / 10)] += 1
        return found

    def cameras(self) -> dict[str, int]:
        return Counter(self.sensors[row["id"]] for row in self.equipment if row["kind"] == "camera")

    def with_data(self) -> int:
        sent = {
            row["observation"]
            for row in self.files
            if (row["role"], row["state"]) == ("recording", "accepted")
        }
        return len({row["campaign"] for row in self.reports if row["id"] in sent})


@pytest.mark.parametrize("query", PERIODS)
def test_numbers(client: Client, made: Archive, query: str) -> None:
    client.forget()
    told = client.get(ROUTE + query).json()
    tally = Tally(made, *PERIODS[query])
    joined = {row["campaign"] for row in tally.reports}
    kinds = Counter(row["kind"] for row in tally.equipment)
    assert told["totals"] == {
        "campaigns": len(tally.campaigns),
        "with_stations": len(joined),
        "with_data": tally.with_data(),
        "reports": len(tally.reports),
        "bodies": len(set(tally.bodies.values())),
        "observers": len(tally.people),
        "sites": len(tally.sites),
        "telescopes": kinds["telescope"],
        "cameras": kinds["camera"],
    }
    assert {
        one["outcome"]: one["campaigns"] for one in told["outcomes"] if one["campaigns"]
    } == tally.outcomes()
    statuses = Counter(row["status"] for row in tally.reports)
    assert {one["outcome"]: one["reports"] for one in told["outcomes"] if one["reports"]} == statuses
    assert {one["name"]: one["campaigns"] for one in told["classes"]} == Counter(tally.classes.values())
    assert {one["name"]: one["bodies"] for one in told["classes"]} == {
        name: len({tally.bodies[key] for key, kind in tally.classes.items() if kind == name})
        for name in tally.classes.values()
    }
    assert {
        one["name"]: (one["observers"], one["sites"], one["reports"]) for one in told["countries"]
    } == tally.countries()
    assert {
        (one["latitude_deg"], one["longitude_deg"]): one["sites"] for one in told["cells"]
    } == tally.cells()
    assert {
        one["from_cm"]: one["telescopes"] for one in told["apertures"] if one["telescopes"]
    } == tally.apertures()
    assert {one["name"]: one["cameras"] for one in told["cameras"]} == tally.cameras()
    assert {one["month"]: one["campaigns"] for one in told["months"]} == Counter(tally.when.values())
    most = Counter(row["campaign"] for row in tally.reports)
    assert (told["busiest"] or {"stations": 0})["stations"] == max(most.values(), default=0)


def test_the_archive_has_all_there_is_to_count(made: Archive) -> None:
    tally = Tally(made, *PERIODS[""])
    assert set(tally.outcomes()) == {*ORDER, "none"}
    assert len(tally.cells()) > 15
    assert len(tally.cameras()) == 4
    assert 0 < tally.with_data() < len(tally.campaigns)
    small = [name for name, (people, *_) in tally.countries().items() if people * 100 < len(tally.sites)]
    assert len(small) > 1 or not atlas(), "countries below 1 % are drawn as one"


def test_sheet(client: Client, made: Archive) -> None:
    client.forget()
    answer = client.get(f"{ROUTE}/table.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["statistic", "class", "what", "number"]
    tally = Tally(made, *PERIODS[""])
    got = {(one, name, what): int(number) for one, name, what, number in rows[1:]}
    assert len(got) == len(rows) - 1
    for name, number in tally.outcomes().items():
        assert got["outcomes", name, "campaigns"] == number
    for name, (people, sites, reports) in tally.countries().items():
        assert [got["countries", name, what] for what in ("observers", "sites", "reports")] == [
            people,
            sites,
            reports,
        ]
    assert sum(number for key, number in got.items() if key[0] == "cells" and key[2] == "sites") == len(
        tally.sites
    )


def bars_of(figure: Figure) -> dict[str, int]:
    """What the bars of a figure stand for, by their places, lengths and the words beside them."""
    (axes,) = figure.axes
    (bars,) = [one for one in axes.containers if isinstance(one, BarContainer)]
    words = [label.get_text() for label in axes.get_yticklabels()]
    lengths = [round(bar.get_width()) for bar in bars]
    told = [text.get_text() for text in axes.texts]
    total = sum(lengths)
    assert told == [f"{one}  ({100 * one / total:.1f} %)" for one in lengths]
    return dict(zip(words, lengths, strict=True))


def drawn(client: Client, name: Any) -> Figure:
    held = Statistics.model_validate(client.get(ROUTE).json())
    with house_style():
        return figure_of(name, held)


def merged(counts: dict[str, int]) -> dict[str, int]:
    """With what is below 1 % as one."""
    total = sum(counts.values())
    small = {
        name: number
        for name, number in counts.items()
        if number and number / total < 0.01 and name != "unknown"
    }
    kept = {name: number for name, number in counts.items() if number and name not in small}
    return kept | ({f"{len(small)} others, below 1 % each": sum(small.values())} if len(small) > 1 else small)


@ON_ONE
def test_bars(client: Client, made: Archive) -> None:
    client.forget()
    tally = Tally(made, *PERIODS[""])
    outcomes = {name.replace("_", " "): number for name, number in tally.outcomes().items()}
    outcomes["nobody joined"] = outcomes.pop("none")
    assert bars_of(drawn(client, "outcomes")) == outcomes
    assert bars_of(drawn(client, "classes")) == merged(Counter(tally.classes.values()))
    observers = {name: people for name, (people, *_) in tally.countries().items()}
    assert bars_of(drawn(client, "countries")) == merged(observers)
    assert list(bars_of(drawn(client, "apertures")).values()) == [
        tally.apertures().get(limit, 0) for limit in (0, 10, 20, 30, 40, 50, 100, None)
    ]
    assert bars_of(drawn(client, "cameras")) == merged(tally.cameras())


@ON_ONE
def test_months_and_map(client: Client, made: Archive) -> None:
    client.forget()
    tally = Tally(made, *PERIODS[""])
    (axes,) = drawn(client, "campaigns").axes
    every, positive = axes.containers
    places = {round(bar.get_x() + bar.get_width() / 2): round(bar.get_height()) for bar in every}
    assert {f"{one // 12}-{one % 12 + 1:02d}": count for one, count in places.items()} == Counter(
        tally.when.values()
    )
    assert sum(round(bar.get_height()) for bar in positive) == tally.outcomes()["positive"]
    (axes,) = drawn(client, "observers").axes
    (dots,) = axes.collections if atlas() else axes.collections[-1:]
    offsets = np.asarray(dots.get_offsets(), float)
    found = {(round(float(y), 1), round(float(x), 1)) for x, y in offsets}
    assert found == set(tally.cells())
    assert axes.get_title(loc="left").startswith(f"{len(tally.sites)} sites")


@ON_ONE
@pytest.mark.parametrize("name", NAMES)
def test_files(client: Client, made: Archive, name: str, tmp_path: Path) -> None:
    client.forget()
    svg = client.get(f"{ROUTE}/figures/{name}.svg")
    assert svg.headers["content-type"] == "image/svg+xml"
    assert "script" not in svg.text
    words = set(re.findall(r">([^<>]+)</text>", svg.text))
    if name == "outcomes":
        total = len(made.of(Campaign))
        for number in Tally(made, *PERIODS[""]).outcomes().values():
            assert f"{number}  ({100 * number / total:.1f} %)" in words
    assert any("all years" in one for one in words)
    assert (
        client.get(f"{ROUTE}/figures/{name}.svg", headers={"If-None-Match": svg.headers["etag"]}).status_code
        == 304
    )
    png = client.get(f"{ROUTE}/figures/{name}.png")
    (tmp_path / "a.png").write_bytes(png.content)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 500


@ON_ONE
def test_figures_of_nothing(client: Client) -> None:
    client.forget()
    held = Statistics.model_validate(client.get(f"{ROUTE}?start=1999&end=1999").json())
    with house_style():
        for name in NAMES:
            (axes,) = figure_of(name, held).axes
            shown = [text.get_text() for text in axes.texts]
            assert shown == ([] if name == "observers" else ["none in this period"])
            assert axes.get_title(loc="left").endswith(", 1999")
