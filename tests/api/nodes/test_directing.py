"""At the service: nodes are listed, uploads directed to them, and what a node's ticket lets in."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from pydantic import ValidationError  # noqa: E402 - after the check for the extra

from api.database.tables import now  # noqa: E402
from api.equipment.tables import Site  # noqa: E402
from api.nodes.known import UploadNode, by_distance  # noqa: E402
from api.nodes.tickets import HEADER, Ticket, key_of, signed, verified  # noqa: E402
from api.observations.tables import Observation  # noqa: E402
from api.people.tables import Person  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402
from tests.api.client import API, Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.api.uploads.conftest import SMALL  # noqa: E402
from tests.api.uploads.observer import BODY, TUS, Observer, observer_of  # noqa: E402

SECRET = "s" * 40
NODES = (
    UploadNode(
        name="chile", url="https://cl.example.org", region="Chile", latitude_deg=-30, longitude_deg=289
    ),
    UploadNode(name="spain", url="https://es.example.org", region="Spain", latitude_deg=37, longitude_deg=-3),
    UploadNode(name="nowhere", url="https://no.example.org"),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    more: dict[str, Any] = {"upload_nodes": NODES, "node_secret": SECRET}
    with serving(folder / "data", folder / "home", Scripted(), **SMALL, **more) as client:
        yield client


@pytest.fixture
def observer(served: Client) -> Observer:
    return observer_of(served)


def by_node(observer: Observer, method: str, url: str, node: str = "chile", **more: Any) -> Any:
    """A request with a ticket of a node's own."""
    claims: dict[str, Any] = {
        "purpose": "hand", "node": node, "upload": url[-32:], "length": 9, "expires": int(time.time()) + 60,
    }  # fmt: skip
    headers = more.pop("headers", {})
    key = more.pop("key", key_of(SECRET, node))
    ticket = signed(Ticket(**claims | more.pop("claims", {})), key)
    return observer.client.send(method, url, headers={**TUS, HEADER: ticket, **headers}, **more)


def directed(observer: Observer, url: str, node: str = "chile") -> Any:
    return observer.send("POST", f"{url}/tickets", headers=TUS, json={"node": node})


def test_distances() -> None:
    assert [one.name for one, _ in by_distance(NODES, 40.4, -3.7)] == ["spain", "chile", "nowhere"]
    (_, here), (_, far), (_, unknown) = by_distance(NODES, -30, -71)
    assert here == pytest.approx(0.0, abs=1e-6)  # 289 east is 71 west
    assert unknown is None
    assert far is not None
    assert 9000 < far < 11000
    pole = UploadNode(name="pole", url="https://p.example.org", latitude_deg=90, longitude_deg=0)
    assert pole.distance_km(0, 123) == pytest.approx(10007.5, abs=1)


def test_the_list_of_nodes(served: Client) -> None:
    told = served.get(f"{API}/nodes").json()["items"]
    assert [one["name"] for one in told] == ["chile", "spain", "nowhere"]
    near = served.get(f"{API}/nodes", params={"latitude_deg": 40, "longitude_deg": -3}).json()["items"]
    assert [one["name"] for one in near] == ["spain", "chile", "nowhere"]
    assert near[0]["distance_km"] == pytest.approx(333.6, abs=0.5)
    assert near[2]["distance_km"] is None
    assert served.get(f"{API}/nodes", params={"latitude_deg": 40}).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"upload_nodes": NODES},
        {"upload_nodes": NODES, "node_secret": "short"},
        {"upload_nodes": (NODES[0], NODES[0]), "node_secret": SECRET},
        {"upload_nodes": ({"name": "a", "url": "http://plain.example.org"},), "node_secret": SECRET},
        {"upload_nodes": ({"name": "A B", "url": "https://a.example.org"},), "node_secret": SECRET},
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServiceSettings(data=tmp_path, home=tmp_path, **wrong)


def test_settings_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UMBRA_UPLOAD_NODES", '[{"name": "chile", "url": "https://cl.example.org/"}]')
    monkeypatch.setenv("UMBRA_NODE_SECRET", SECRET)
    (node,) = ServiceSettings(data=tmp_path, home=tmp_path).upload_nodes
    assert node.url == "https://cl.example.org"


def test_a_ticket(observer: Observer) -> None:
    url = observer.begin(9, sha256="a" * 64)
    answer = directed(observer, url)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["location"] == f"https://cl.example.org{url}"
    ticket = verified(told["ticket"], key_of(SECRET, "chile"), "send")
    assert (ticket.upload, ticket.length, ticket.name, ticket.sha256) == (url[-32:], 9, "a.ser", "a" * 64)
    waits = observer.view(url)
    assert waits["expires"] > f"{now().year:04d}"
    assert observer.send("POST", f"{url}/tickets", headers=TUS, json={"node": "mars"}).status_code == 422
    nearest = observer.send("POST", f"{url}/tickets", headers=TUS, json={}).json()["node"]
    with observer.world.database.reading() as session:
        site = session.get_one(Site, session.get_one(Observation, observer.observation).site)
    assert nearest == by_distance(NODES, site.latitude_deg, site.longitude_deg)[0][0].name
    observer.patch(url, 0, b"123456789")
    assert directed(observer, url).status_code == 409


def test_what_a_node_may(observer: Observer) -> None:
    """The bytes of an upload that was directed to it, at that address; nothing else, and nobody else."""
    content = b"123456789"
    url, other = observer.begin(9), observer.begin(9)
    assert by_node(observer, "HEAD", url).status_code == 410, "not directed to any node"
    directed(observer, url)
    directed(observer, other, "spain")
    assert by_node(observer, "HEAD", url).headers["Upload-Offset"] == "0"
    for answer in (
        by_node(observer, "HEAD", url, key="x" * 64),
        by_node(observer, "HEAD", url, claims={"purpose": "send"}),
        by_node(observer, "HEAD", url, claims={"expires": 1}),
        by_node(observer, "HEAD", url, node="mars"),
    ):
        assert answer.status_code == 401
    assert by_node(observer, "HEAD", other).status_code == 410
    assert by_node(observer, "HEAD", url, claims={"upload": other[-32:]}).status_code == 403
    for method, where in (
        ("DELETE", url), ("POST", f"{url}/tickets"), ("GET", f"{API}/account"), ("GET", f"{API}/uploads"),
        ("POST", f"{API}/uploads"), ("GET", f"{API}/observations/{observer.observation}"),
    ):  # fmt: skip
        assert by_node(observer, method, where, claims={"upload": url[-32:]}).status_code == 403, where
    assert by_node(observer, "HEAD", f"{API}/uploads/{'0' * 32}").status_code == 404
    sent = {**BODY, "Upload-Offset": "0"}
    assert by_node(observer, "PATCH", url, headers=sent, content=content).status_code == 204
    observer.settled(url)
    view = by_node(observer, "GET", url).json()
    assert (view["state"], view["sha256"]) == ("stored", hashlib.sha256(content).hexdigest())


def test_nothing_comes_for_a_closed_account(observer: Observer) -> None:
    url = observer.begin(9)
    directed(observer, url)
    with observer.world.database.writing() as session:
        session.get_one(Person, observer.world.people["owner"].id).suspended = now()
    assert by_node(observer, "HEAD", url).status_code == 401
