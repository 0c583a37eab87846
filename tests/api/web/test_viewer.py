"""The frame viewer and the pages of reductions as plain HTML: every step by links and forms alone."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.requirements import require

require("server")

from api.results.frame_facts import HistogramView, LevelsView  # noqa: E402 - after the check for the extra
from api.web.frame_charts import histogram  # noqa: E402
from api.web.frame_pages import picture_of  # noqa: E402
from api.web.frame_state import View, read_view  # noqa: E402
from api.web.reduction_forms import devices  # noqa: E402
from cluster.executors import InProcess  # noqa: E402
from gpu_kernels.device import accelerators  # noqa: E402
from reduction.errors import RequestError  # noqa: E402
from tests.api.access.world import World, make_world  # noqa: E402
from tests.api.client import serving  # noqa: E402
from tests.api.results.things import Caller, uploaded  # noqa: E402
from tests.api.web.surfer import Surfer  # noqa: E402
from tests.contracts.executors import SCENE  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

STAR = SCENE.stars[1]


class Seen(Surfer):
    """Somebody of a world, with their session."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(caller.client)
        self.cookies["umbra_session"] = caller.world.secrets[caller.who]

    def page(self, path: str, **options: Any) -> str:
        answer = self.get(path, **options)
        assert answer.status_code == 200, self.words
        return answer.text


class Place:
    """A service with a recording of a strict campaign."""

    def __init__(self, caller: Caller, recording: Path) -> None:
        self.caller = caller
        self.world: World = caller.world
        self.observation = self.world.strict["observation"]
        self.campaign = self.world.strict["campaign"]
        self.file = uploaded(self.world, caller.client.app.state.store, recording, self.observation)
        self.view = f"/files/{self.file}/view"

    def staff(self) -> Seen:
        return Seen(self.caller)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("viewer")
    (folder / "data").mkdir()
    recording = little_ser(SCENE, folder)
    with serving(folder / "data", folder / "home", InProcess()) as client:
        yield Place(Caller(client, make_world(client.app.state.database), "staff"), recording)


def marks_of(answer: httpx.Response) -> dict[str, list[str]]:
    """The view that a page's address has."""
    return parse_qs(urlsplit(str(answer.url)).query)


def test_a_frame_with_its_time_and_levels(place: Place) -> None:
    staff = place.staff()
    text = staff.page(place.view, params={"frame": 7})
    assert "Frame 7" in staff.words
    assert "Middle of the exposure" in staff.words or "time unknown" in staff.words
    assert "Histogram of levels" in text
    source = unescape(re.search(r'type="image" name="click" src="([^"]+)"', text)[1])  # type: ignore[index]  # is there
    picture = staff.send("GET", source)
    assert picture.headers["content-type"] == "image/png"
    assert "?frame=8" in unescape(text)
    beyond = staff.page(place.view, params={"frame": 10**6})
    assert f"Frame {SCENE.frames - 1}" in staff.words
    assert f"?frame={SCENE.frames}" not in unescape(beyond)


def test_a_click_marks_the_star_it_is_near(place: Place) -> None:
    staff = place.staff()
    text = staff.page(place.view, params={"tool": "reference"})
    wide = int(re.search(r'class="frame" type="image"[^>]* width="(\d+)"', text)[1])  # type: ignore[index]  # is there
    scale = wide / SCENE.width
    click = {"click.x": round((STAR.x + 1.0) * scale), "click.y": round((STAR.y - 1.0) * scale)}
    staff.page(place.view, params={"tool": "reference", **click})
    assert staff.answer is not None
    kept = marks_of(staff.answer)
    x, y = (float(part) for part in kept["r"][0].split(","))
    assert abs(x - STAR.x) < 1.0
    assert abs(y - STAR.y) < 1.0
    assert kept["at"] == ["0"]
    assert "Radial profile" in staff.words
    assert "Growth curve" in staff.words
    assert "click.x" not in kept
    dropped = staff.get(f"{place.view}?{urlsplit(str(staff.answer.url)).query}&drop=R1")
    assert "r" not in marks_of(dropped)


def test_marking_by_numbers_and_what_cannot_be_marked(place: Place) -> None:
    staff = place.staff()
    staff.page(place.view, params={"x": STAR.x, "y": STAR.y, "as": "target"})
    assert staff.answer is not None
    there = marks_of(staff.answer)
    assert set(there) == {"t", "at", "sel"}
    empty = staff.page(place.view, params={"x": 130, "y": 20, "as": "guide"})
    assert re.search(r"no star|further inside", staff.words)
    assert 'role="alert"' in empty
    staff.page(place.view, params={"t": there["t"][0], "at": 0, "frame": 3, "x": 60, "y": 55, "as": "guide"})
    assert "stars are marked on frame 0" in staff.words
    anew = staff.get(place.view, params={"t": there["t"][0], "at": 0, "frame": 3, "anew": 1})
    assert marks_of(anew)["at"] == ["3"]
    for wrong in (
        {"frame": "x"}, {"t": "a,b"}, {"a": "1e9"}, {"stretch": "loud"}, {"zoom": 3},
        {"x": "nan", "y": "1"}, {"i": "9", "o": "9.5", "a": "3"}, {"time": "noon"},
    ):  # fmt: skip
        answer = staff.get(place.view, params=wrong)
        assert answer.status_code in {200, 422}, wrong
        assert answer.status_code == 422 or 'role="alert"' in answer.text, wrong


def test_looking_closer_where_one_clicks(place: Place) -> None:
    staff = place.staff()
    staff.page(place.view, params={"click.x": 10, "click.y": 12})
    assert staff.answer is not None
    assert marks_of(staff.answer)["zoom"] == ["1"]


def test_a_place_of_the_picture_is_that_of_the_frame() -> None:
    for view, size in (
        (View(), (1920, 1080)), (View(), (160, 120)), (View(zoom=4, cx=300.0, cy=200.0), (1920, 1080)),
        (View(zoom=8, cx=0.0, cy=0.0), (1920, 1080)), (View(zoom=1), (640, 480)),
    ):  # fmt: skip
        picture = picture_of("f", view, *size)
        assert picture.width <= 960
        assert picture.height <= 640
        for x, y in ((0, 0), (picture.width - 1, picture.height - 1), (33, 47)):
            there = picture.place(x, y)
            assert picture.shown(*there) == pytest.approx((x + 0.5, y + 0.5), abs=0.02)
            assert -0.5 <= there[0] <= size[0] - 0.5
            assert -0.5 <= there[1] <= size[1] - 0.5


def test_an_address_and_its_view() -> None:
    view = View(frame=4, stretch="asinh", t="1.50,2.25", r=("3.00,4.00", "5.00,6.00"), a=3.5, at=4, sel="R2")
    assert read_view(view.pairs()) == view
    assert [mark.label for mark in view.marks] == ["T", "R1", "R2"]
    assert view.selected is not None
    assert view.selected.label == "R2"
    assert [m.text for m in view.without("R1").marks] == ["1.50,2.25", "5.00,6.00"]
    assert dict(view.planned)["plan.references"] == "3.00,4.00;5.00,6.00"
    with pytest.raises(RequestError):
        read_view([("r", "1,1")] * 41)


def test_hostile_addresses_are_text(place: Place) -> None:
    staff = place.staff()
    for name in ("t", "r", "sel", "tool", "stretch", "member", "time", "drop", "as"):
        answer = staff.get(place.view, params={name: "\"><script>alert(1)</script>'"})
        assert "<script>alert" not in answer.text


def test_the_panel_alone(place: Place) -> None:
    staff = place.staff()
    answer = staff.get(place.view, params={"panel": 1, "x": STAR.x, "y": STAR.y, "as": "target"})
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<div id="panel"')
    assert "<html" not in answer.text


def test_the_form_of_a_reduction(place: Place) -> None:
    staff = place.staff()
    here = f"/observations/{place.observation}/reduce"
    staff.page(here, params={"file": place.file, "plan.target": "60.40,55.20", "plan.aperture_px": "3.5"})
    form = next(one for one in staff.forms if one.action == here)
    assert form.fields["plan.target"] == ["60.40,55.20"]
    assert form.fields["plan.aperture_px"] == ["3.5"]
    checked = staff.post(here, follow=False, file=place.file, act="check")
    assert checked.status_code == 200
    assert "This can be done" in staff.words
    wrong = staff.post(
        here, follow=False, file=place.file, **{"plan.target": "here", "plan.aperture_px": "0.1"}
    )
    assert wrong.status_code == 422
    assert "give two numbers" in staff.words
    assert next(one for one in staff.forms if one.action == here).fields["plan.target"] == ["here"]
    other = uploaded(
        place.world, place.caller.client.app.state.store, Path(__file__), place.world.open["observation"]
    )
    refused = staff.post(here, follow=False, file=other, **{"plan.target": "", "plan.aperture_px": ""})
    assert refused.status_code in {404, 422}


def test_a_gpu_is_offered_where_there_is_one(place: Place) -> None:
    assert [value for value, _ in devices(0)] == ["auto", "cpu"]
    assert [value for value, _ in devices(2)] == ["auto", "cpu", "cuda:0"]
    text = place.staff().page(f"/observations/{place.observation}/reduce")
    assert ('value="cuda:0"' in text) is bool(accelerators())


def test_words_of_a_chart_stand_apart() -> None:
    """Black and white close together, both far from the sides or at one."""
    counts = tuple(1000 for _ in range(100))
    levels = LevelsView(
        minimum=0.0, maximum=100.0, mean=50.0, median=50.0, noise=3.0, zscale=None, percentile=None,
        saturated=0, not_finite=0, histogram=HistogramView(start=0.0, width=1.0, counts=counts),
    )  # fmt: skip
    for ends in ((2.0, 4.0), (40.0, 42.0), (97.0, 99.0), (0.0, 100.0)):
        chart = histogram(levels, ends)
        assert chart is not None
        (one, other) = chart.guides
        meet = one.word[0] < other.word[1] and other.word[0] < one.word[1]
        assert (one.row != other.row) is meet, ends
        assert all(chart.left - 1 <= x <= chart.right + 1 for guide in chart.guides for x in guide.word), ends


def test_a_reduction_from_its_form_to_its_result(place: Place) -> None:
    staff = place.staff()
    here = f"/observations/{place.observation}/reduce"
    staff.page(here, params={"file": place.file})
    sent = {
        "file": place.file,
        "plan.target": "60.4,55.2",
        "plan.references": "",
        "plan.event.search": "false",
    }
    first = staff.post(here, follow=False, **sent)
    assert first.status_code == 303
    job = urlsplit(first.headers["location"]).path
    staff.page(here, params={"file": place.file})
    ended = place.caller.ended(job.split("/")[-1])
    plan = {"target": {"x": 60.4, "y": 55.2}, "event": {"search": False}}
    assert ended["request"]["plan"] == plan
    assert ended["state"] == "done", ended
    text = staff.page(job)
    assert "See the light curve" in staff.words
    assert "every 2s" not in text
    assert "measure" in staff.words
    part = staff.get(job, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith("<section")
    again = staff.page(here, params={"like": job.split("/")[-1]})
    assert 'value="60.4,55.2"' in again


def test_all_of_a_campaign(place: Place) -> None:
    staff = place.staff()
    here = f"/campaigns/{place.campaign}/reduce"
    staff.page(here)
    none = staff.post(here, follow=False, **{"chosen[]": []})
    assert none.status_code == 422
    assert "choose at least one" in staff.words
    staff.page(here)
    asked = {"chosen[]": [place.file], "plan.event.search": "false"}
    checked = staff.post(here, follow=False, act="check", **asked)
    assert checked.status_code == 200
    assert "1 reduction" in staff.words
    started = staff.post(here, follow=False, **asked)
    assert started.status_code == 303
    batch = urlsplit(started.headers["location"]).path
    staff.page(batch)
    jobs = place.caller.get(f"{batch}/jobs").json()["items"]
    place.caller.ended(jobs[0]["id"])
    staff.page(batch)
    assert "1 of 1 ended" in staff.words
    assert staff.page(batch, params={"state": "failed"})
    assert "No reduction of this batch is failed" in staff.words


def test_an_observer_who_may_not_reduce_is_refused(place: Place) -> None:
    owner = Seen(Caller(place.caller.client, place.world, "owner"))
    assert owner.get(place.view).status_code == 200
    assert "Reduce with these stars" not in owner.words
    assert owner.get(f"/observations/{place.observation}/reduce").status_code == 403
    stranger = Seen(Caller(place.caller.client, place.world, "observer"))
    assert stranger.get(place.view).status_code == 404
