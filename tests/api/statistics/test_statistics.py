"""Who may ask for what; periods; what is kept; the page."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.requirements import require

require("server")

from api.campaigns.tables import Campaign, Prediction  # noqa: E402 - after the check for the extra
from api.database.tables import now  # noqa: E402
from api.problems import RefusedError  # noqa: E402
from api.statistics.figures import joined  # noqa: E402
from api.statistics.keeping import KEPT_S, MOST, WAITING, Kept  # noqa: E402
from api.statistics.periods import Period  # noqa: E402
from reduction.errors import RequestError  # noqa: E402
from tests.api.backends import service_on  # noqa: E402
from tests.api.client import API, Client  # noqa: E402
from tests.api.people.browser import registered  # noqa: E402
from tests.api.statistics import archive  # noqa: E402
from tests.api.web.surfer import Surfer, arrived  # noqa: E402

ROUTE = f"{API}/statistics"
STEP = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    for client in service_on("sqlite", tmp_path_factory.mktemp("service")):
        archive.put(archive.make(seed=3, campaigns=20, observers=15, reports=40), client.app.state.database)
        yield client


def test_periods() -> None:
    august = Period("2020-08", "2020-12")
    assert august.first == datetime(2020, 8, 1, tzinfo=UTC)
    assert august.after == datetime(2021, 1, 1, tzinfo=UTC)
    assert august.holds(august.first)
    assert august.holds(august.after - STEP)
    assert not august.holds(august.first - STEP)
    assert not august.holds(august.after)
    assert Period("2020", "2021").after == datetime(2022, 1, 1, tzinfo=UTC)
    assert Period(end="2022-05").after == datetime(2022, 6, 1, tzinfo=UTC)
    assert [Period().words, Period("2020", "2020").words, Period("2020").words, Period(end="2020").words] == [
        "all years", "2020", "from 2020", "until 2020",
    ]  # fmt: skip
    for start, end in (
        ("2021", "2020"),
        ("2020-09", "2020-08"),
        ("2020-13", ""),
        ("20", ""),
        ("", "x"),
        ("2020\n", ""),
    ):
        with pytest.raises(RequestError):
            Period(start, end)


def test_who_may_ask_for_months(client: Client) -> None:
    client.forget()
    assert client.get(f"{ROUTE}?start=2020&end=2021").status_code == 200
    for route in ("", "/table.csv", "/figures/outcomes.svg"):
        client.forget()
        assert client.get(f"{ROUTE}{route}?start=2020-08").status_code == 401
    ann = registered(client, "ann@example.org")
    told = ann.send("GET", "/statistics?start=2020-08&end=2022-05")
    assert told.status_code == 200
    assert (told.json()["start"], told.json()["end"]) == ("2020-08", "2022-05")
    assert ann.send("GET", "/statistics?start=2022&end=2021").status_code == 422
    assert ann.send("GET", "/statistics?start=yesterday").status_code == 422
    assert ann.send("GET", "/statistics/figures/stars.svg").status_code == 422


def test_visitors_are_not_told_which_campaign_was_the_busiest(client: Client) -> None:
    client.forget()
    busiest = client.get(ROUTE).json()["busiest"]
    assert busiest["stations"] > 1
    assert busiest["campaign"] is busiest["name"] is None
    ben = registered(client, "ben@example.org")
    named = ben.send("GET", "/statistics").json()["busiest"]
    assert named["stations"] == busiest["stations"]
    assert ben.send("GET", f"/campaigns/{named['campaign']}").json()["name"] == named["name"]


def test_nothing_that_somebody_typed_is_told(client: Client) -> None:
    client.forget()
    for route in ("", "/table.csv", "/figures/countries.svg", "/figures/observers.svg"):
        text = client.get(ROUTE + route).text
        assert "Atlantis" not in text
        assert "Observer " not in text
    places = client.get(ROUTE).json()["cells"]
    assert all(one["latitude_deg"] % 1 == one["longitude_deg"] % 1 == 0.5 for one in places)


def test_a_count_is_kept_for_a_minute(client: Client) -> None:
    client.forget()
    kept: Kept = client.app.state.statistics
    kept.forget()
    before = client.get(ROUTE)
    made = archive.Archive()
    prediction = made.add(
        Prediction, occ_id="new", source="", object_name="New", object_number="", object_key="new",
        object_class="", star_name="", at=now(), elements={}, created=now(), changed=now(),
    )  # fmt: skip
    new = made.of(Prediction)[0]
    new["id"] = prediction = "f" * 32
    made.add(Campaign, prediction=prediction, name="New", state="open", opened=now())
    made.of(Campaign)[0]["id"] = "e" * 32
    archive.put(made, client.app.state.database)
    again = client.get(ROUTE, headers={"If-None-Match": before.headers["etag"]})
    assert again.status_code == 304
    kept.forget()
    told = client.get(ROUTE, headers={"If-None-Match": before.headers["etag"]})
    assert told.json()["totals"]["campaigns"] == before.json()["totals"]["campaigns"] + 1
    assert told.headers["etag"] != before.headers["etag"]


def test_kept() -> None:
    clock = [0.0]
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    kept = Kept(lambda: clock[0])
    assert [kept.get("a", make), kept.get("a", make), kept.get("b", make)] == [0, 0, 1]
    clock[0] = KEPT_S + 1
    assert kept.get("a", make) == 2
    assert kept.get("b", make, 2 * KEPT_S) == 1
    for number in range(MOST):
        kept.get(number, make)
    assert kept.get("a", make) == len(made) - 1, "made again: it was the oldest"


def test_who_waits_takes_not_every_thread() -> None:
    kept, begun, go = Kept(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go.wait(60)
        return "made"

    got: list[str] = []
    waiting = [threading.Thread(target=lambda: got.append(kept.get("a", slow))) for _ in range(WAITING)]
    for one in waiting:
        one.start()
    assert begun.wait(60)
    ends = time.monotonic() + 60
    refused = None
    while refused is None and time.monotonic() < ends:  # until all of them wait
        taken = kept._turns.acquire(blocking=False)
        if taken:
            kept._turns.release()
            time.sleep(0.01)
            continue
        with pytest.raises(RefusedError) as refused:
            kept.get("b", lambda: "other")
    go.set()
    for one in waiting:
        one.join(60)
    assert refused is not None
    assert refused.value.problem.status == 503
    assert got == ["made"] * WAITING
    assert kept.get("b", lambda: "other") == "other"


def test_small_classes_are_one_bar() -> None:
    bars = joined([("a", 990), ("unknown", 2), ("b", 5), ("c", 8), ("d", 300), ("e", 0)])
    assert [(bar.words, bar.count) for bar in bars] == [
        ("a", 990), ("d", 300), ("2 others, below 1 % each", 13), ("unknown", 2),
    ]  # fmt: skip
    assert [bar.words for bar in joined([("a", 999), ("b", 1)])] == ["a", "b"], "one alone keeps its name"
    assert joined([]) == ()


def test_page(client: Client) -> None:
    visitor = Surfer(client)
    answer = visitor.get("/statistics")
    assert answer.status_code == 200
    numbers = client.get(ROUTE).json()
    for one in numbers["countries"]:
        assert f"{one['name']} {one['observers']} {one['sites']} {one['reports']}" in " ".join(
            visitor.words.split()
        )
    assert f"{ROUTE}/figures/observers.svg" in answer.text
    of_a_year = visitor.get("/statistics?start=2021&end=2021").text
    assert f"{ROUTE}/figures/outcomes.svg?start=2021&amp;end=2021" in of_a_year
    client.forget()
    assert client.get("/statistics?start=2021-08").headers["location"].startswith("/login?next=")
    wrong = visitor.get("/statistics?start=2021&end=2020")
    assert wrong.status_code == 422
    assert "2021 is after 2020" in visitor.words
    empty = visitor.get("/statistics?start=1999&end=1999")
    assert empty.status_code == 200
    assert "none in this period" in visitor.words
    cleo = arrived(client, "cleo@example.org")
    assert cleo.get("/statistics?start=2020-08&end=2022-05").status_code == 200
    assert "/statistics" in cleo.links
