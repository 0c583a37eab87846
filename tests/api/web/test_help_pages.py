"""Help: every page is there, and every link to a term leads to one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.web.advice import ADVICE, TOPIC_HELP  # noqa: E402 - after the check for the extra
from api.web.help_pages import TOPICS  # noqa: E402
from reduction.outputs.tables import FLAG_MEANINGS  # noqa: E402
from reduction.outputs.verdict import LIMITS  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402

WEB = Path(__file__).parents[3] / "api" / "web"
TERM = re.compile(r'call term\("([a-z0-9-]+)"')
LINK = re.compile(r'/help/([a-z]+)(?:#([a-z0-9-]+))?"')
MACRO = re.compile(r'(?<![a-z_.])help\("([a-z]+)"(?:, *"([a-z0-9-]+)")?')
PLACE = re.compile(rf'"({"|".join(TOPICS)})#([a-z0-9-]+)"')


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    with serving(folder / "data", folder / "home", Scripted()) as client:
        yield client


def terms(topic: str) -> set[str]:
    return set(TERM.findall((WEB / "templates" / "help" / f"{topic}.html").read_text(encoding="utf-8")))


def test_topics_for_everybody(client: Client) -> None:
    index = client.get("/help")
    assert index.status_code == 200
    for topic, (title, _) in TOPICS.items():
        assert f'href="/help/{topic}"' in index.text
        page = client.get(f"/help/{topic}")
        assert page.status_code == 200, page.text
        assert title in page.text
        ids = re.findall(r' id="([^"]+)"', page.text)
        assert len(ids) == len(set(ids)), "an id twice"
        assert terms(topic) <= set(ids)
    assert client.get("/help/nothing").status_code == 404
    assert client.get("/help/..%2fbase").status_code == 404


def test_tables_are_those_of_the_code(client: Client) -> None:
    curves, photometry = client.get("/help/curves").text, client.get("/help/photometry").text
    for name in LIMITS:
        assert name in curves
    for flag, meaning in FLAG_MEANINGS.items():
        assert str(flag.name) in photometry
        assert meaning.replace("'", "&#39;") in photometry


def test_every_link_leads_to_a_term() -> None:
    wrong = []
    for path in sorted([*WEB.rglob("*.html"), *WEB.glob("*.py"), *WEB.glob("static/*.js")]):
        text = path.read_text(encoding="utf-8")
        for topic, term in {*LINK.findall(text), *MACRO.findall(text), *PLACE.findall(text)}:
            if topic not in TOPICS or (term and term not in terms(topic)):
                wrong.append(f"{path.name}: {topic}#{term}")
    for place in [*TOPIC_HELP.values(), *(one.help for one in ADVICE.values())]:
        topic, _, term = place.partition("#")
        if term not in terms(topic):
            wrong.append(place)
    assert not wrong
