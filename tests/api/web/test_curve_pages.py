"""The light-curve page as plain HTML: verdict first, event, frame, exports, versions, and who sees what."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.web import curve_pages  # noqa: E402 - after the check for the extra
from api.web.advice import ADVICE  # noqa: E402
from api.web.curve_shown import evidence  # noqa: E402
from api.web.limb_words import clock, two_digits  # noqa: E402
from api.web.reduction_words import in_portal  # noqa: E402
from cluster.executors import InProcess  # noqa: E402
from reduction.caveats import Caveat  # noqa: E402
from tests.api.access.world import CALLERS  # noqa: E402
from tests.api.client import API, serving  # noqa: E402
from tests.api.results.long import long_result  # noqa: E402
from tests.api.results.test_results import PLANNED, Done, recording  # noqa: E402, F401 - the fixture
from tests.contracts.executors import SCENE  # noqa: E402

SECTIONS = ("verdict", "frame", "curves", "event", "quality", "exports", "versions", "provenance")
TAG = re.compile(r"<[^>]+>")


class Shown:
    """A page: its HTML, and what it says."""

    def __init__(self, done: Done, path: str, who: str = "staff") -> None:
        done.staff.client.forget()
        headers = done.world.headers(who) | {"Accept": "text/html"}
        self.answer = done.staff.client.get(path, headers=headers)
        self.html = self.answer.text
        self.words = " ".join(html.unescape(TAG.sub(" ", self.html)).split())

    def at(self, *words: str) -> list[int]:
        return [self.html.index(word) for word in words]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, recording: Path) -> Iterator[Done]:  # noqa: F811 - the fixture
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    with serving(folder / "data", folder / "home", InProcess()) as client:
        yield Done(client, recording)


@pytest.fixture(scope="module")
def second(done: Done, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another version, of more points."""
    state = done.staff.client.app.state
    return long_result(state.database, state.store, done.result, tmp_path_factory.mktemp("made"), 2000)


def test_the_verdict_comes_first(done: Done) -> None:
    page = Shown(done, f"/results/{done.result}")
    assert page.answer.status_code == 200, page.html
    summary = done.staff.get(f"/results/{done.result}/files/summary.json").json()
    order = page.at(*(f'id="{name}"' for name in SECTIONS))
    assert order == sorted(order)
    assert summary["verdict"]["headline"] in page.words
    for item in summary["verdict"]["items"]:
        assert item["sentence"] in page.words
    for note in summary["caveats"]:
        assert in_portal(note["message"]) in page.words
    assert "style=" not in page.html
    assert "<style" not in page.html
    assert not re.search(r"\son[a-z]+=", page.html)


def test_programs_of_the_virtual_observatory_find_it_from_the_page(done: Done) -> None:
    page = Shown(done, f"/results/{done.result}")
    identifier = f"ivo://127.0.0.1/umbra?result/{done.result}"
    assert f"Identifier {identifier}" in page.words
    card = page.html.partition('id="observatory"')[2].partition("</section>")[0]
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', card)]
    assert len(links) == 2
    for link in links:
        answer = done.staff.send("GET", link.removeprefix(API))
        assert answer.status_code == 200, link
        assert identifier in html.unescape(answer.text), link
    assert f"/results/{done.result}/prov.json" in page.html


def test_event_and_models(done: Done) -> None:
    page = Shown(done, f"/results/{done.result}")
    summary = done.staff.get(f"/results/{done.result}/files/summary.json").json()
    event = summary["event"]["events"][0]
    assert event["d"]["utc"][:21].replace("T", " ") in page.words
    assert summary["event"]["reason"] in page.words
    assert "sharp edge" in page.words
    if len(event["scores"]) > 1:
        assert "ΔBIC" in page.words
    assert [evidence(x) for x in (0.0, 1.0, 3.0, 7.0, 11.0)] == [
        "the best",
        "as good as the best",
        "positive evidence against it",
        "strong evidence against it",
        "very strong evidence against it",
    ]


def test_a_frame_without_scripts(done: Done) -> None:
    page = Shown(done, f"/results/{done.result}?frame=20")
    rows = done.staff.get(f"/results/{done.result}/lightcurve.csv").text.splitlines()
    values = dict(zip(rows[0].split(","), rows[21].split(","), strict=True))
    assert values["utc"][:23].replace("T", " ") in page.words
    assert f"{float(values['flux_norm']):.2f}" in page.words
    assert "frame=19#frame" in page.html
    assert "frame=21#frame" in page.html
    pictures = re.findall(r'src="(/api/v1/results/[^"]*/cutouts/[^"]*)"', page.html)
    assert "/cutouts/T/20.png" in pictures[0]
    assert len(pictures) >= 2
    for one in pictures:
        answer = done.staff.get(one.replace("&amp;", "&").removeprefix(API))
        assert answer.headers["content-type"] == "image/png"
    last = Shown(done, f"/results/{done.result}?frame=1e6")
    assert f"frame={SCENE.frames - 2}#frame" in last.html
    middle = Shown(done, f"/results/{done.result}")
    found = re.search(r'data-value="frame">(\d+)<', middle.html)
    assert found is not None
    assert 125 < int(found.group(1)) < 184


def test_everything_that_is_linked_is_there(done: Done) -> None:
    page = Shown(done, f"/results/{done.result}")
    links = set(re.findall(r'(?:href|src|data-columns)="(/api/v1/[^"]+)"', page.html))
    assert len(links) > 20
    for link in sorted(links):
        answer = done.staff.get(link.replace("&amp;", "&").removeprefix(API))
        assert answer.status_code in {200, 422}, link
        assert answer.status_code == 200 or "UTC" in answer.text, link


def test_versions_side_by_side(done: Done, second: str) -> None:
    page = Shown(done, f"/results/{second}?with=1")
    assert page.answer.status_code == 200
    assert f'data-other="/api/v1/results/{done.result}/columns.bin"' in page.html
    assert "Version 1 against version 2" in page.words
    event = done.staff.get(f"/results/{done.result}/files/summary.json").json()["event"]
    assert f"{clock(event['d_utc'], event['d_sigma_s'])} ± {two_digits(event['d_sigma_s'])} s" in page.words
    assert "good samples" in page.words
    assert "+1,700" in page.words
    assert f"/results/{second}?with=1#compared" not in Shown(done, f"/results/{done.result}").html
    assert Shown(done, f"/results/{second}?with=9").answer.status_code == 404
    assert "Version 2 against" not in Shown(done, f"/results/{second}?with=2").words


def test_older_versions_are_a_link_away(done: Done, second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_pages, "MOST_VERSIONS", 1)
    first = Shown(done, f"/results/{second}?frame=3")
    link = re.search(r'rel="next" href="([^"]+)#versions"', first.html)
    assert link is not None
    assert f'<a href="/results/{done.result}">1</a>' not in first.html
    path = html.unescape(link[1])
    assert "frame=3" in path
    older = Shown(done, path)
    assert f'<a href="/results/{done.result}">1</a>' in older.html
    assert "Older versions" not in older.words
    assert f'href="/results/{second}?frame=3#versions">The latest versions' in older.html


def test_who_sees_what(done: Done) -> None:
    allowed = {"owner", "responsible", "staff", "superuser"}
    for caller in CALLERS:
        page = Shown(done, f"/results/{done.result}", caller)
        if caller == "anyone":
            assert page.answer.status_code == 303
        elif caller in allowed:
            assert page.answer.status_code == 200, caller
            assert "/files/report.html" in page.html
        else:
            assert page.answer.status_code == 404, caller
    assert Shown(done, f"/results/{'0' * 32}").answer.status_code == 404


def test_the_latest_version(done: Done, second: str) -> None:
    page = Shown(done, f"/observations/{done.observation}/results")
    assert page.answer.status_code == 303
    assert page.answer.headers["location"].startswith(f"/results/{second}")


def test_without_an_event(done: Done) -> None:
    plan = PLANNED | {"event": {"search": False}}
    job = done.staff.ask(done.file, plan=plan).json()["id"]
    result = done.staff.ended(job)["result"]
    page = Shown(done, f"/results/{result}")
    assert page.answer.status_code == 200
    assert "No event was looked for" in page.words
    assert "event.png" not in page.html


def test_every_caveat_has_advice() -> None:
    assert set(ADVICE) == set(Caveat)
    for advice in ADVICE.values():
        assert advice.text.endswith((".", "?"))
